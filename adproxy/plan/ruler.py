"""Measures the content between gaps, in every unit that rules may use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from adproxy.model import Block, BlockFlag, BlockKind, Device, Page
from adproxy.rules.ruleset import Distance, Unit

# Not the article's own: never part of a distance.
_FOREIGN = (BlockKind.AD, BlockKind.ASIDE)
_LOOKED_AT = (BlockKind.MEDIA, BlockKind.CAPTION)


def is_media(block: Block) -> bool:
    """A picture, frame or embed, its caption, or a paragraph that holds one."""
    return block.kind in _LOOKED_AT or bool(block.flags & BlockFlag.HAS_MEDIA)


def is_heading(block: Block) -> bool:
    """A heading, or a bold or upper-case line that plays one."""
    return block.kind is BlockKind.HEADING or bool(block.flags & BlockFlag.PSEUDO_HEADING)


@dataclass(frozen=True, slots=True)
class Ruler:
    """Running sums over the blocks: what lies between two gaps is a subtraction."""

    words: list[int]
    characters: list[int]
    blocks: list[int]
    phone: list[float]
    """Estimated heights, CSS px."""
    desktop: list[float]

    @classmethod
    def of(cls, page: Page) -> Ruler:
        own = [b.kind not in _FOREIGN for b in page.blocks]
        text = [o and b.kind not in _LOOKED_AT for o, b in zip(own, page.blocks, strict=True)]
        pairs = list(zip(page.blocks, own, text, strict=True))
        return cls(
            list(accumulate((b.words * t for b, _, t in pairs), initial=0)),
            list(accumulate((b.chars * t for b, _, t in pairs), initial=0)),
            list(accumulate((int(o) for _, o, _ in pairs), initial=0)),
            list(accumulate((b.heights.phone * o for b, o, _ in pairs), initial=0.0)),
            list(accumulate((b.heights.desktop * o for b, o, _ in pairs), initial=0.0)),
        )

    def sums(self, unit: Unit, device: Device = "phone") -> Sequence[float]:
        """By gap: how much content lies before it, in a `Distance`'s unit; px are those of a device."""
        if unit == "words":
            return self.words
        if unit == "characters":
            return self.characters
        if unit == "blocks":
            return self.blocks
        return self.phone if device == "phone" else self.desktop

    def stretched(self, distance: Distance, stretch: float) -> float:
        """An amount between a distance (stretch 1) and several times that; of none, a part of the whole article."""
        if distance.amount:
            return distance.amount * stretch
        return (stretch - 1.0) * self.sums(distance.unit)[-1] / 10

    def between(self, a: int, b: int, unit: Unit, device: Device = "phone") -> float:
        """Content from gap `a` to gap `b` ≥ `a`."""
        sums = self.sums(unit, device)
        return sums[b] - sums[a]


class Nearest:
    """For every gap, how far the nearest block of some kind lies before and after it."""

    def __init__(self, page: Page, ruler: Ruler, is_it: Callable[[Block], bool]) -> None:
        hits = [is_it(block) for block in page.blocks]
        self._ruler = ruler
        self._before: list[int] = [-1]
        for i, hit in enumerate(hits):
            self._before.append(i if hit else self._before[-1])
        after: list[int] = [-1]
        for i in range(len(hits) - 1, -1, -1):
            after.append(i if hits[i] else after[-1])
        self._after = after[::-1]

    def before(self, gap: int, unit: Unit) -> float | None:
        """Content between that block and the gap; None where there is none before it."""
        j = self._before[gap]
        return None if j < 0 else self._ruler.between(j + 1, gap, unit)

    def after(self, gap: int, unit: Unit) -> float | None:
        j = self._after[gap]
        return None if j < 0 else self._ruler.between(gap, j, unit)


def found(amount: float, like: Distance) -> str:
    """An amount as people read it, in the unit of the distance that it falls short of."""
    return f"{amount:g} {like.unit}"
