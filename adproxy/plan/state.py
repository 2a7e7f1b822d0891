"""What a plan knows while it is being made: the page measured, what is placed, what was refused."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

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
from adproxy.plan.ruler import Ruler
from adproxy.rules.ruleset import Distance, Policy, Slot

WIDTHS: dict[Device, int] = {"phone": PHONE_WIDTH, "desktop": DESKTOP_WIDTH}


@dataclass(slots=True)
class State:
    """Limits are asked here, whichever part of the planner places a slot."""

    page: Page
    policy: Policy
    ruler: Ruler
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
    heights: dict[tuple[str, Device], int] = field(default_factory=dict)
    """Reserved heights by slot and device, CSS px."""

    @classmethod
    def of(cls, page: Page, policy: Policy) -> State:
        ruler = Ruler.of(page)
        # Ads that stand one behind the other are one to the reader: a label and its frame, a wrapper for each device.
        kinds = [b.kind for b in page.blocks]
        ads = [
            [b.heights for b in page.blocks[start:end]]
            for start, end in _runs([kind is BlockKind.AD for kind in kinds])
        ]
        existing = PerDevice(
            sum(max(h.phone for h in run) for run in ads), sum(max(h.desktop for h in run) for run in ads)
        )
        content = PerDevice(ruler.phone[-1], ruler.desktop[-1])
        state = cls(page, policy, ruler, content, existing, dict.fromkeys(DEVICES, 0.0))
        for slot in policy.slots:
            for device in DEVICES:
                state.heights[slot.name, device] = slot.height_at(WIDTHS[device])
        return state

    def density(self, device: Device, extra: float = 0.0) -> float:
        """Share of advertising in the main content's height on a device, with so many CSS px more of it."""
        i = DEVICES.index(device)
        ads = self.existing[i] + self.used[device] + extra
        whole = self.content[i] + ads
        return ads / whole if whole > 0 else 0.0

    def limit(self, device: Device) -> float:
        return self.policy.limits.ad_share[DEVICES.index(device)]

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
            needed = self.policy.limits.gap.phone if device == "phone" else self.policy.limits.gap.desktop
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


def _runs(flags: list[bool]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for i, flag in enumerate(flags):
        if flag and runs and runs[-1][1] == i:
            runs[-1] = (runs[-1][0], i + 1)
        elif flag:
            runs.append((i, i + 1))
    return runs
