"""Measures the content between gaps, in every unit that rules may use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from adproxy.model import Block, BlockFlag, BlockKind, Device, Page
from adproxy.rules.ruleset import Distance, Unit, plain

_LOOKED_AT: Final = (BlockKind.MEDIA, BlockKind.CAPTION)
# Not the article's own: never part of a distance.
_FOREIGN: Final = (BlockKind.AD, BlockKind.ASIDE)
_WITHOUT_TEXT: Final = _FOREIGN + _LOOKED_AT


def is_media(block: Block) -> bool:
    """A picture, frame or embed, its caption, or a paragraph that holds one."""
    return block.kind in _LOOKED_AT or bool(block.flags & BlockFlag.HAS_MEDIA)


def is_heading(block: Block) -> bool:
    """A heading, or a bold or upper-case line that plays one."""
    return block.kind is BlockKind.HEADING or bool(block.flags & BlockFlag.PSEUDO_HEADING)


class Ruler:
    """Running sums over a page's blocks, each made when its unit is first asked for."""

    def __init__(self, page: Page) -> None:
        self._blocks = page.blocks
        self.kinds = [block.kind for block in page.blocks]
        self._own: Sequence[bool] | None = None
        """By block: whether it is the article's own."""
        self._sums: dict[str, Sequence[float]] = {}

    def sums(self, unit: Unit, device: Device = "phone") -> Sequence[float]:
        """By gap: how much content lies before it, in a `Distance`'s unit; px are those of a device."""
        what = device if unit == "px" else unit
        known = self._sums.get(what)
        if known is None:
            known = self._sums[what] = list(accumulate(self._amounts(what), initial=0.0 if unit == "px" else 0))
        return known

    def _amounts(self, what: str) -> Sequence[float]:
        blocks, kinds = self._blocks, self.kinds
        if what == "words":
            return [0 if kinds[i] in _WITHOUT_TEXT else b.words for i, b in enumerate(blocks)]
        if what == "characters":
            return [0 if kinds[i] in _WITHOUT_TEXT else b.chars for i, b in enumerate(blocks)]
        own = self._own
        if own is None:
            own = self._own = [kind not in _FOREIGN for kind in kinds]
        if what == "blocks":
            return list(map(int, own))
        if what == "phone":
            return [b.heights.phone if own[i] else 0.0 for i, b in enumerate(blocks)]
        return [b.heights.desktop if own[i] else 0.0 for i, b in enumerate(blocks)]

    def between(self, a: int, b: int, unit: Unit, device: Device = "phone") -> float:
        """Content from gap `a` to gap `b` ≥ `a`."""
        sums = self.sums(unit, device)
        return sums[b] - sums[a]


def found(amount: float, like: Distance) -> str:
    """An amount as people read it, in the unit of the distance that it falls short of."""
    return f"{plain(amount)} {like.unit}"
