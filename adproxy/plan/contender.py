"""What one slot brings into the choice: the places that no rule forbids to it, and what it may have of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adproxy.model import DEVICES, Anchor, Device
from adproxy.rules.ruleset import Distance, FixedPlace, MidArticle, Place, Slot

# Inside the main content by definition, though between no two of its blocks.
_BELOW_HEADLINE: Final = FixedPlace.BELOW_HEADLINE
_END_OF_ARTICLE: Final = FixedPlace.END_OF_ARTICLE


def is_counted(anchor: Anchor, place: Place) -> bool:
    """True where a slot's height is part of the main content's, and so of the density."""
    return anchor.gap >= 0 or place is _BELOW_HEADLINE or place is _END_OF_ARTICLE


class Contender:
    """A slot with its places."""

    def __init__(
        self,
        slot: Slot,
        devices: tuple[Device, ...],
        anchors: Sequence[Anchor],
        most: int,
        ranked: bool,
    ) -> None:
        self.slot = slot
        self.devices = devices
        """Where it has sizes."""
        self.anchors = anchors
        """Places that no rule forbids to it, whatever else is placed, best first where it is `ranked`, else as they
        come in the document. Those in the article say their gap."""
        self.most = most
        """How many of them it may have at most."""
        self.ranked = ranked
        """Whether the rules prefer the earlier of the places to the later."""

    def most_on(self, device: Device) -> int:
        """How many of them a device may show."""
        counts = self.slot.max_on
        return self.most if counts is None else min(self.most, counts[DEVICES.index(device)])

    @property
    def every(self) -> Distance | None:
        place = self.slot.place
        return place.every if isinstance(place, MidArticle) else None

    def counts(self, anchor: Anchor) -> bool:
        """Whether a slot there is part of the main content, and so of the density."""
        return is_counted(anchor, self.slot.place)
