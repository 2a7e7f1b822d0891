"""Numbers to the coordinates of drawings. The templates draw them as SVG, whose attributes no policy forbids.

Each drawing has the same figures as text beside it, so drawings are hidden from screen readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

LINE_WIDTH, LINE_HEIGHT = 240, 48
"""Of a sparkline's drawing, in its own units."""
_MARGIN = 3  # so that a line's thickness is not cut at the edges


@dataclass(frozen=True, slots=True)
class Line:
    """A sparkline: a figure over the last hour."""

    paths: tuple[str, ...]
    """`points` of polylines: one for each stretch without a gap."""
    dots: tuple[tuple[float, float], ...]
    """Points with gaps on both sides, which a line would not show."""
    least: float
    most: float
    last: float | None


def line(points: Sequence[float | None], *, floor: float = 0.0) -> Line | None:
    """A line through the points, evenly spaced, None being a gap; it stands on `floor`, or on the least point where
    that is lower. None where there is no point at all."""
    known = [point for point in points if point is not None]
    if not known:
        return None
    least, most = min(known), max(known)
    low = min(floor, least)
    height = (most - low) or 1.0
    step = LINE_WIDTH / max(1, len(points) - 1)
    paths: list[str] = []
    dots: list[tuple[float, float]] = []
    placed = [
        None if point is None
        else (
            round(index * step, 1),
            round(LINE_HEIGHT - _MARGIN - (point - low) / height * (LINE_HEIGHT - 2 * _MARGIN), 1),
        )
        for index, point in enumerate(points)
    ]  # fmt: skip
    for gap, stretch in groupby(placed, key=lambda point: point is None):
        run = [point for point in stretch if point is not None]
        if not gap and len(run) == 1:
            dots += run
        elif not gap:
            paths.append(" ".join(f"{x},{y}" for x, y in run))
    return Line(tuple(paths), tuple(dots), least, most, points[-1])


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a histogram. Lengths are shares of the drawing, 0 to 1."""

    name: str
    """Which values it holds, for people."""
    count: float
    height: float
    over: bool
    """It lies beyond the limit."""


def columns(names: Sequence[str], counts: Sequence[float], *, over_from: int | None = None) -> tuple[Column, ...]:
    """A histogram's columns, the highest as high as the drawing; those from `over_from` on are beyond a limit."""
    most = max(counts, default=0.0) or 1.0
    return tuple(
        Column(name, count, count / most, over_from is not None and index >= over_from)
        for index, (name, count) in enumerate(zip(names, counts, strict=True))
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a bar chart."""

    name: str
    count: float
    length: float
    """0 to 1, the longest is 1."""
    share: float
    """Of all rows together, 0 to 1."""


def bars(counts: dict[str, float]) -> tuple[Bar, ...]:
    """Rows, the largest first; those at zero are left out."""
    rows = sorted(((name, count) for name, count in counts.items() if count), key=lambda row: (-row[1], row[0]))
    total = sum(count for _, count in rows) or 1.0
    most = max((count for _, count in rows), default=0.0) or 1.0
    return tuple(Bar(name, count, count / most, count / total) for name, count in rows)


def range_names(bounds: Sequence[float], told: Callable[[float], str], unit: str) -> list[str]:
    """What the buckets hold: ``none``, ``0 to 5 %``, …, ``over 50 %``."""
    names = []
    for index, bound in enumerate(bounds):
        below = bounds[index - 1] if index else 0.0
        if math.isinf(bound):
            names.append(f"over {told(below)}{unit}")
        elif bound == 0:
            names.append("none")
        else:
            names.append(f"{told(below)} to {told(bound)}{unit}")
    return names
