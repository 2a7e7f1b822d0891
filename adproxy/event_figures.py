"""What browsers reported, by article, slot and hour, as lines for people's other programs: JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum

from adproxy.event_store import ROLLED_UP, SECONDS_AN_HOUR, EventReader, Figures
from adproxy.model import EventKind

COLUMNS = {
    EventKind.PAGE_VIEW: "page_views",
    EventKind.REQUEST: "requests",
    EventKind.UNFILLED: "unfilled",
    EventKind.WITHHELD: "withheld",
    EventKind.RENDERED: "impressions",
    EventKind.VIEWABLE: "viewable_impressions",
    EventKind.CLICK: "clicks",
}
_HEAD = ("hour", "site", "path", "slot", "traffic")


class Format(str, Enum):
    """How the lines look."""

    JSONL = "jsonl"
    CSV = "csv"


def lines(figures: Iterable[Figures], form: Format, *, head: bool = True) -> Iterator[str]:
    """A line for each row; before CSV's first one, unless `head` is False, the names of the columns."""
    names = [COLUMNS[kind] for kind in ROLLED_UP]
    if form is Format.CSV and head:
        yield _csv([*_HEAD, *names])
    for row in figures:
        hour = f"{datetime.fromtimestamp(row.hour * SECONDS_AN_HOUR, UTC):%Y-%m-%dT%H:00:00Z}"
        said = [hour, row.site, row.path, row.slot, row.traffic]
        if form is Format.CSV:
            yield _csv([*map(_inert, said), *row.counts])
        else:
            counts = dict(zip(names, row.counts, strict=True))
            yield json.dumps({**dict(zip(_HEAD, said, strict=True)), **counts}, ensure_ascii=False)


def _inert(text: str) -> str:
    """What a spreadsheet would take for a formula is text: paths are whatever readers asked for."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _csv(cells: list[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


class Tail:
    """What is new since one last looked. `now` gives Unix seconds."""

    def __init__(self, reader: EventReader, now: Callable[[], float]) -> None:
        self._reader = reader
        self._now = now
        self._before = self._read()

    def _read(self) -> dict[tuple[int, str, str, str, str], tuple[int, ...]]:
        hour = int(self._now() // SECONDS_AN_HOUR)
        # what came at the end of the hour before may be committed in this one
        return {row[:5]: row.counts for row in self._reader.figures(hour - 1, hour + 1)}

    def look(self) -> list[Figures]:
        """What was added to each row since the last look; nothing for rows that are as they were. Raises
        `StoreUnavailable`."""
        before, self._before = self._before, self._read()
        nothing = (0,) * len(ROLLED_UP)
        changed = []
        for key, counts in self._before.items():
            more = tuple(now - then for now, then in zip(counts, before.get(key, nothing), strict=True))
            if any(more):
                changed.append(Figures(*key, counts=more))
        return changed
