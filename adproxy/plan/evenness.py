"""How evenly slots lie in the article, as a reader meets them: the stretches of reading between one ad and the next.

The page's own ads are ads, and so are slots at the headline and at the end. Where no ad stands at an end of the
article, the stretch to that end counts twice, for it is half of what lies between two ads: so each of *n* slots stands
in the middle of its own *n*-th of the text.

Stretches are measured in the unit of the rules' `limits.gap` on phones, and in steps of a tenth of that distance (two
lines or so): smaller differences nobody sees, and a place farther from a picture is worth more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import inf
from typing import Final

from adproxy.model import BlockKind
from adproxy.plan.state import State

# A step, as a part of the distance between slots; of the article, where the rules ask for no distance.
_OF_DISTANCE: Final = 10
_OF_ARTICLE: Final = 100

Stretches = tuple[float, ...]
"""Ascending, in steps, with infinity behind the last: the larger tuple is the more even one. For the smallest stretch
decides, then the next; and where all are equal, the one with fewer."""

NO_STRETCHES: Final[Stretches] = (inf,)


def joined(stretches: Stretches, more: tuple[int, ...]) -> Stretches:
    """Stretches with some more of them."""
    return tuple(sorted((*stretches, *more)))


class Line:
    """The article as a line, and the ads on it that stand where they stand."""

    def __init__(self, state: State) -> None:
        distance = state.policy.limits.gap.phone
        sums = state.ruler.sums(distance.unit)
        self.at = list(map(round, sums))
        """By gap: where it lies."""
        self.end = self.at[-1]
        self.step = max(1, round(distance.amount / _OF_DISTANCE if distance.amount else self.end / _OF_ARTICLE))
        self.own = [i for i, block in enumerate(state.page.blocks) if block.kind is BlockKind.AD]
        """The page's own ads, by block."""

    def before(self, gap: int, headline: bool) -> int:
        """The stretch between a gap and the ad before it, or the start; `headline`: whether a slot stands there."""
        n = bisect_left(self.own, gap)
        if n:
            return (self.at[gap] - self.at[self.own[n - 1]]) // self.step
        return self.at[gap] * (1 if headline else 2) // self.step

    def after(self, gap: int, end: bool) -> int:
        """The stretch between a gap and the ad after it, or the end; `end`: whether a slot stands there."""
        n = bisect_left(self.own, gap)
        if n < len(self.own):
            return (self.at[self.own[n]] - self.at[gap]) // self.step
        return (self.end - self.at[gap]) * (1 if end else 2) // self.step

    def around(self, gaps: Sequence[int], *, headline: bool, end: bool) -> tuple[list[int], list[int]]:
        """Of each gap `before` and `after`."""
        if self.own:
            return [self.before(gap, headline) for gap in gaps], [self.after(gap, end) for gap in gaps]
        at, step, whole = self.at, self.step, self.end
        a, b = (1 if headline else 2), (1 if end else 2)
        return [at[gap] * a // step for gap in gaps], [(whole - at[gap]) * b // step for gap in gaps]

    def between(self, gap: int, later: int) -> tuple[int, ...]:
        """The stretches from a slot to the next: one, or two where an ad of the page's own lies between them."""
        n = bisect_left(self.own, gap)
        if n < len(self.own) and self.own[n] < later:
            return self.after(gap, False), self.before(later, False)
        return ((self.at[later] - self.at[gap]) // self.step,)
