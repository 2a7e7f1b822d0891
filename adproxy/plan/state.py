"""What a plan is made from: the page measured, the limits of the rules, and the refusals that are collected."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from adproxy.model import (
    DESKTOP_WIDTH,
    DEVICES,
    NOTHING,
    PHONE_WIDTH,
    Anchor,
    BlockKind,
    Device,
    Page,
    PerDevice,
    Reason,
    Refusal,
)
from adproxy.plan.gaps import Gaps, checks_of
from adproxy.plan.ruler import Ruler
from adproxy.rules.per_revision import PerRevision
from adproxy.rules.ruleset import Distance, Policy, Slot

# Python 3.11 takes longer to look a member up in its enum than to compare it: this one is asked for every block.
_AD: Final = BlockKind.AD
_WIDTHS: Final[dict[Device, int]] = {"phone": PHONE_WIDTH, "desktop": DESKTOP_WIDTH}


def _reserved(policy: Policy) -> Mapping[tuple[str, Device], int]:
    return {(slot.name, device): slot.height_at(_WIDTHS[device]) for slot in policy.slots for device in DEVICES}


reserved_by: Final = PerRevision(_reserved)
"""Reserved heights of a policy's slots by name and device, CSS px; 0 where a slot has no sizes."""


class Spacing:
    """What must lie between two slots in the article on one device."""

    def __init__(self, distance: Distance, sums: Sequence[float], grows: float = 0.0) -> None:
        self.distance = distance
        self.sums = sums
        """Running sums of the content in the distance's unit, by gap."""
        self.grows = grows
        """So much more for each slot in the article that stands before the two."""

    def needed(self, before: int) -> float:
        """Between a slot that has so many before it and the next one."""
        return self.distance.amount + self.grows * before

    def free_from(self, gap: int, before: int) -> int:
        """The first gap that is far enough behind a slot in this one, which has so many slots before it."""
        return far_enough(self.sums, gap, self.needed(before))


def far_enough(sums: Sequence[float], gap: int, needed: float) -> int:
    """The first gap that has so much content between itself and this one; behind the last, if none has."""
    found = bisect_left(sums, sums[gap] + needed, gap)
    while found < len(sums) and sums[found] - sums[gap] < needed:  # sums of px are floats, and may be off by a hair
        found += 1
    return found


class State:
    """The numbers that every part of the planner reads."""

    def __init__(self, page: Page, policy: Policy) -> None:
        self.page = page
        self.policy = policy
        self.ruler = Ruler(page)
        self.heights = reserved_by(policy)
        """Reserved heights by slot and device, CSS px; 0 where the slot has no sizes."""
        self.content = PerDevice(self.ruler.sums("px", "phone")[-1], self.ruler.sums("px", "desktop")[-1])
        """Estimated height of the main content without advertising, CSS px."""
        self.existing = _existing(page, self.ruler)
        """Of the page's own advertising in it."""
        gap, grows = policy.limits.gap, policy.limits.gap_grows.amount
        self.spacing: dict[Device, Spacing] = {
            "phone": Spacing(gap.phone, self.ruler.sums(gap.phone.unit, "phone"), grows),
            "desktop": Spacing(gap.desktop, self.ruler.sums(gap.desktop.unit, "desktop"), grows),
        }
        self.refusals: list[Refusal] = []
        self._gaps: Gaps | None = None

    def density(self, device: Device, used: float) -> float:
        """Share of advertising in the main content's height on a device, with so many CSS px of our slots."""
        ads = self.existing.on(device) + used
        whole = self.content.on(device) + ads
        return ads / whole if whole > 0 else 0.0

    def limit(self, device: Device) -> float:
        return self.policy.limits.ad_share.on(device)

    def most_inside(self, device: Device) -> int:
        """How many slots may be shown in the article on a device."""
        limits = self.policy.limits
        return limits.in_article if limits.in_article_on is None else limits.in_article_on[DEVICES.index(device)]

    def gaps(self) -> Gaps:
        if self._gaps is None:
            self._gaps = Gaps(self.page, self.ruler, checks_of(self.policy))
        return self._gaps

    def refuse(
        self,
        slot: Slot,
        reason: Reason,
        required: str,
        actual: str,
        *,
        anchor: Anchor | None = None,
        gap: int = -1,
        device: Device | None = None,
    ) -> None:
        self.refusals.append(Refusal(slot.name, reason, required, actual, anchor, gap, device))


def _existing(page: Page, ruler: Ruler) -> PerDevice:
    """Height of the page's own advertising. Ads that stand one behind the other are one to the reader: a label and its
    frame, a wrapper for each device."""
    if _AD not in ruler.kinds:
        return NOTHING
    phone = desktop = 0.0
    for kind, run in groupby(page.blocks, key=lambda block: block.kind):
        if kind is _AD:
            heights = [block.heights for block in run]
            phone += max(h.phone for h in heights)
            desktop += max(h.desktop for h in heights)
    return PerDevice(phone, desktop)
