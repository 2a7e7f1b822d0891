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

from adproxy.plan.evenness import NO_STRETCHES, Line, Stretches, joined
from adproxy.plan.state import Spacing

# Pairs of gaps that are compared at most, so that a page of thousands of blocks costs milliseconds. Beyond, the
# windows are thinned out: the smallest stretch is still the largest possible, the others nearly so.
MAX_PAIRS = 10_000
# Running sums of px are floats: the windows' far ends are only bounds, and may be a little too wide.
_SLACK = 1e-6


_Label = tuple[Stretches, float, tuple[int, ...]]
"""The stretches so far, the clearances added up, the indices of the gaps taken."""


class Spread:
    """The gaps that one slot may take, ascending, with what must lie between two of its placements."""

    def __init__(self, gaps: Sequence[int], spacing: Sequence[Spacing], line: Line) -> None:
        self._gaps = gaps
        self._spacing = spacing
        self._line = line
        self._room: Sequence[int] = [0] * len(gaps)
        """By gap: the longest stretch that a slot there can keep from what stands where it stands."""

    def count(self, most: int) -> int:
        """How many placements there is room for."""
        return len(self._earliest(most))

    def earliest(self, n: int) -> list[int]:
        """So many placements, each as early as possible: their gaps."""
        return [self._gaps[i] for i in self._earliest(n)]

    def _earliest(self, most: int, stretch: int = 0) -> list[int]:
        """As many as keep such a stretch (in steps), each as early as possible: indices of gaps."""
        gaps, at, step, room = self._gaps, self._line.at, self._line.step, self._room
        picked: list[int] = []
        i = 0
        while i < len(gaps) and len(picked) < most:
            if room[i] < stretch:
                i += 1
                continue
            gap = gaps[i]
            free_from = bisect_left(at, at[gap] + stretch * step) if stretch else 0
            for spacing in self._spacing:
                free_from = max(free_from, spacing.free_from(gap, len(picked)))
            picked.append(i)
            i = bisect_left(gaps, max(free_from, gap + 1), i + 1)
        return picked

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
        before = [self._line.before(gap, headline) for gap in self._gaps]
        after = [self._line.after(gap, end) for gap in self._gaps]
        self._room = list(map(min, before, after))
        low, first = 0, self._earliest(n)
        shares = n - 1 + (1 if headline else 0.5) + (1 if end else 0.5)
        high = min(max(self._room), int(self._line.end / shares / self._line.step))
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
        best: list[_Label] = [(joined(NO_STRETCHES, (before[i],)), clearance(gaps[i]), (i,)) for i in windows[0]]
        for n, window in enumerate(windows[1:]):
            needed = [(spacing.sums, spacing.needed(n)) for spacing in self._spacing]
            reached: list[_Label] = []
            for i in window:
                gap = gaps[i]
                found: _Label | None = None
                for stretches, clear, picked in best:
                    earlier = gaps[picked[-1]]
                    if earlier >= gap or any(sums[gap] - sums[earlier] < amount for sums, amount in needed):
                        continue
                    even = joined(stretches, line.between(earlier, gap))
                    if found is None or (even, clear + clearance(gap)) > found[:2]:
                        found = even, clear + clearance(gap), (*picked, i)
                if found is not None:
                    reached.append(found)
            best = reached
        closed = [(joined(s, (after[picked[-1]],)), clear, picked) for s, clear, picked in best]
        most_even = closed[0]
        for candidate in closed[1:]:
            if candidate[:2] > most_even[:2]:
                most_even = candidate
        return [gaps[i] for i in most_even[2]]


def _thinned(window: list[int], width: int) -> list[int]:
    """At most so many of a window, evenly, the first and the last among them."""
    if len(window) <= width:
        return window
    return [window[i * (len(window) - 1) // (width - 1)] for i in range(width)]
