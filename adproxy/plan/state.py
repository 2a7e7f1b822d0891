"""What a plan knows while it is being made: the page measured, what is placed, what was refused."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby

from adproxy.model import (
    DESKTOP_WIDTH,
    DEVICES,
    PHONE_WIDTH,
    Anchor,
    BlockKind,
    Device,
    Page,
    PerDevice,
    Placement,
    Reason,
    Refusal,
)
from adproxy.plan.gaps import Gaps
from adproxy.plan.ruler import Ruler
from adproxy.rules.per_revision import PerRevision
from adproxy.rules.ruleset import Distance, Policy, Slot

_WIDTHS: dict[Device, int] = {"phone": PHONE_WIDTH, "desktop": DESKTOP_WIDTH}


def _reserved(policy: Policy) -> Mapping[tuple[str, Device], int]:
    return {(slot.name, device): slot.height_at(_WIDTHS[device]) for slot in policy.slots for device in DEVICES}


reserved_by = PerRevision(_reserved)
"""Reserved heights of a policy's slots by name and device, CSS px; 0 where a slot has no sizes."""


@dataclass(slots=True)
class State:
    """Limits are asked here, whichever part of the planner places a slot."""

    page: Page
    policy: Policy
    ruler: Ruler
    heights: Mapping[tuple[str, Device], int]
    """Reserved heights by slot and device, CSS px; 0 where the slot has no sizes."""
    content: PerDevice
    """Estimated height of the main content without advertising, CSS px."""
    existing: PerDevice
    """Of the page's own advertising in it."""
    used: dict[Device, float]
    """Of our own slots in it so far."""
    in_article: list[int] = field(default_factory=list)
    """Gaps taken, ascending."""
    offsets: set[int] = field(default_factory=set)
    """Bytes at which something is placed already."""
    placements: list[Placement] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    _gaps: Gaps | None = None

    @classmethod
    def of(cls, page: Page, policy: Policy) -> State:
        ruler = Ruler(page)
        content = PerDevice(ruler.sums("px", "phone")[-1], ruler.sums("px", "desktop")[-1])
        return cls(page, policy, ruler, reserved_by(policy), content, _existing(page), dict.fromkeys(DEVICES, 0.0))

    def density(self, device: Device, extra: float = 0.0) -> float:
        """Share of advertising in the main content's height on a device, with so many CSS px more of it."""
        i = DEVICES.index(device)
        ads = self.existing[i] + self.used[device] + extra
        whole = self.content[i] + ads
        return ads / whole if whole > 0 else 0.0

    def limit(self, device: Device) -> float:
        return self.policy.limits.ad_share[DEVICES.index(device)]

    def distance(self, device: Device) -> Distance:
        """What must lie between two slots in the article on a device."""
        gap = self.policy.limits.gap
        return gap.phone if device == "phone" else gap.desktop

    def gaps(self) -> Gaps:
        if self._gaps is None:
            self._gaps = Gaps(self.page, self.ruler, self.policy.keep_clear)
        return self._gaps

    def fitting_devices(self, slot: Slot, devices: tuple[Device, ...]) -> tuple[Device, ...]:
        """Those on which one more such slot stays within the density limit."""
        return tuple(d for d in devices if self.density(d, self.heights[slot.name, d]) <= self.limit(d))

    def crowding(self, gap: int, devices: tuple[Device, ...], scale: float = 1.0) -> tuple[Distance, float] | None:
        """The distance between slots that one in this gap would break, and what it found; None if it breaks none.

        `scale`: asks for so many times the distance.
        """
        if not self.in_article:
            return None
        for device in devices:
            needed = self.distance(device)
            at = bisect_left(self.in_article, gap)
            for taken in self.in_article[max(0, at - 1) : at + 1]:
                amount = self.ruler.between(min(gap, taken), max(gap, taken), needed.unit, device)
                if amount < self.ruler.stretched(needed, scale) or taken == gap:
                    return needed, amount
        return None

    def take(self, slot: Slot, anchor: Anchor, devices: tuple[Device, ...], *, counted: bool) -> None:
        """Place a slot. `counted`: its height is part of the main content's density."""
        self.placements.append(Placement(slot.name, anchor, 0, devices))
        self.offsets.add(anchor.offset)
        if anchor.gap >= 0:
            self.in_article.insert(bisect_left(self.in_article, anchor.gap), anchor.gap)
        if counted:
            for device in devices:
                self.used[device] += self.heights[slot.name, device]

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

    def refuse_by_density(self, slot: Slot, devices: tuple[Device, ...], anchor: Anchor, gap: int) -> None:
        """A refusal for each device on which the slot would exceed the limit."""
        for device in devices:
            density = self.density(device, self.heights[slot.name, device])
            if density > self.limit(device):
                required = f"at most {self.limit(device):.0%} ads on {device}s"
                self.refuse(
                    slot, Reason.DENSITY, required, f"{density:.1%} with it", anchor=anchor, gap=gap, device=device
                )


def _existing(page: Page) -> PerDevice:
    """Height of the page's own advertising. Ads that stand one behind the other are one to the reader: a label and its
    frame, a wrapper for each device."""
    phone = desktop = 0.0
    for kind, run in groupby(page.blocks, key=lambda block: block.kind):
        if kind is BlockKind.AD:
            heights = [block.heights for block in run]
            phone += max(h.phone for h in heights)
            desktop += max(h.desktop for h in heights)
    return PerDevice(phone, desktop)
