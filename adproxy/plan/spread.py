"""One slot in the article, as often as it may and as evenly as it can: exact, and fast enough for every page.

Where all slots need the same distances, taking each gap as early as possible places most of them (an earlier slot never
hinders a later one), and so tells for any stretch whether so many slots can keep it. Searching for the largest stretch
that they can keep leaves each slot a window, mostly of one gap; where it is of several, dynamic programming over the
windows finds the most even set of all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isqrt
from typing import Final

from adproxy.plan.evenness import NO_STRETCHES, Line, Stretches, joined
from adproxy.plan.state import Spacing

# Pairs of gaps that are compared at most, so that a page of thousands of blocks costs milliseconds. Beyond, the
# windows are thinned out: the smallest stretch is still the largest possible, the others nearly so.
MAX_PAIRS: Final = 10_000
# Running sums of px are floats: the windows' far ends are only bounds, and may be a little too wide.
_SLACK: Final = 1e-6


_Label = tuple[Stretches, tuple[int, ...]]
"""The stretches so far, and the indices of the gaps taken."""


class Spread:
    """The gaps that one slot may take, ascending, with what must lie between two of its placements."""

    def __init__(self, gaps: Sequence[int], spacing: Sequence[Spacing], line: Line) -> None:
        self._gaps = gaps
        self._spacing = spacing
        self._grows = any(each.grows for each in spacing)
        self._line = line
        self._at = [line.at[gap] for gap in gaps]
        self._room: Sequence[int] = ()
        """By gap: the longest stretch that a slot there can keep from what stands where it stands."""
        self._next: dict[tuple[int, int], int] = {}

    def count(self, most: int) -> int:
        """How many placements there is room for."""
        return len(self._earliest(most))

    def earliest(self, n: int) -> list[int]:
        """So many placements, each as early as possible: their gaps."""
        return [self._gaps[i] for i in self._earliest(n)]

    def _earliest(self, most: int, stretch: int = 0) -> list[int]:
        """As many as keep such a stretch (in steps), each as early as possible: indices of gaps."""
        at, room, known = self._at, self._room, self._next
        apart, count = stretch * self._line.step, len(at)
        picked: list[int] = []
        i = 0
        while i < count and len(picked) < most:
            if stretch and room[i] < stretch:
                i += 1
                continue
            before = len(picked) if self._grows else 0
            picked.append(i)
            following = known.get((i, before))
            if following is None:
                following = known[i, before] = self._following(i, before)
            i = bisect_left(at, at[i] + apart, following) if stretch else following
        return picked

    def _following(self, i: int, before: int) -> int:
        """Index of the first gap that is far enough behind another, which has so many slots before it."""
        gap = self._gaps[i]
        free_from = [spacing.free_from(gap, before) for spacing in self._spacing]
        return bisect_left(self._gaps, max(free_from), i + 1)

    def _latest(self, n: int, stretch: int) -> list[int]:
        """Each of `n` placements as late as it may be, seen from the end."""
        gaps, at, step, room = self._gaps, self._line.at, self._line.step, self._room
        picked: list[int] = []
        i = len(gaps) - 1
        while i >= 0 and len(picked) < n:
            if room[i] < stretch:
                i -= 1
                continue
            gap = gaps[i]
            picked.append(i)
            near_enough = min(gap - 1, bisect_right(at, at[gap] - stretch * step) - 1)
            for spacing in self._spacing:
                needed = spacing.needed(n - len(picked) - 1) - _SLACK
                near_enough = min(near_enough, bisect_right(spacing.sums, spacing.sums[gap] - needed) - 1)
            i = bisect_right(gaps, near_enough) - 1
        return picked[::-1]

    def even(self, n: int, clearance: Callable[[int], float], *, headline: bool, end: bool) -> list[int]:
        """The most even `n` ≥ 1 placements (there must be room for so many), the farthest from what is to be avoided
        among equals: their gaps. `headline`, `end`: whether another slot stands there."""
        before, after = self._line.around(self._gaps, headline=headline, end=end)
        self._room = room = list(map(min, before, after))
        if n == 1:
            pairs = [(near, a + b - near) for near, a, b in zip(room, before, after, strict=True)]
            best = max(pairs)
            equals = [gap for gap, pair in zip(self._gaps, pairs, strict=True) if pair == best]
            return equals if len(equals) == 1 else [max(equals, key=clearance)]
        low, first = 0, self._earliest(n)
        shares = n - 1 + (1 if headline else 0.5) + (1 if end else 0.5)
        high = min(max(room), int(self._line.end / shares / self._line.step))
        while low < high:
            middle = (low + high + 1) // 2
            picked = self._earliest(n, middle)
            if len(picked) == n:
                low, first = middle, picked
            else:
                high = middle - 1
        last = self._latest(n, low)
        if first == last:
            return [self._gaps[i] for i in first]
        return self._best(self._windows(first, last, low), before, after, clearance)

    def _windows(self, first: list[int], last: list[int], stretch: int) -> list[list[int]]:
        windows = [[i for i in range(a, b + 1) if self._room[i] >= stretch] for a, b in zip(first, last, strict=True)]
        if sum(len(a) * len(b) for a, b in pairwise(windows)) > MAX_PAIRS:
            width = max(2, isqrt(MAX_PAIRS // len(windows)))
            windows = [_thinned(window, width) for window in windows]
        return windows

    def _best(
        self, windows: list[list[int]], before: list[int], after: list[int], clearance: Callable[[int], float]
    ) -> list[int]:
        """Dynamic programming over the windows: for each gap the best way there, then the best of all."""
        line, gaps = self._line, self._gaps

        def better(label: _Label, other: _Label | None) -> bool:
            """Whether it is more even, or as even and farther from what is to be avoided (asked for in a tie alone)."""
            if other is None or label[0] != other[0]:
                return other is None or label[0] > other[0]
            mine, others = (sum(clearance(gaps[i]) for i in picked) for _, picked in (label, other))
            return mine > others

        best: list[_Label] = [(joined(NO_STRETCHES, (before[i],)), (i,)) for i in windows[0]]
        for n, window in enumerate(windows[1:]):
            needed = [(spacing.sums, spacing.needed(n)) for spacing in self._spacing]
            reached: list[_Label] = []
            for i in window:
                gap, found = gaps[i], None
                for stretches, picked in best:
                    earlier = gaps[picked[-1]]
                    if earlier >= gap or any(sums[gap] - sums[earlier] < amount for sums, amount in needed):
                        continue
                    label = joined(stretches, line.between(earlier, gap)), (*picked, i)
                    if better(label, found):
                        found = label
                if found is not None:
                    reached.append(found)
            best = reached
        most_even = None
        for stretches, picked in best:
            closed = joined(stretches, (after[picked[-1]],)), picked
            if better(closed, most_even):
                most_even = closed
        return [gaps[i] for i in most_even[1]] if most_even else []


def _thinned(window: list[int], width: int) -> list[int]:
    """At most so many of a window, evenly, the first and the last among them."""
    if len(window) <= width:
        return window
    return [window[i * (len(window) - 1) // (width - 1)] for i in range(width)]
