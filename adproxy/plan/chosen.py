"""A set of placements, and what still hinders one more: all limits that slots have together."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from itertools import pairwise

from adproxy.model import DEVICES, Anchor, Device, Placement, Reason
from adproxy.plan.contender import Contender
from adproxy.plan.gaps import Verdict
from adproxy.plan.ruler import found
from adproxy.plan.state import Spacing, State
from adproxy.rules.ruleset import Distance, plain


class Chosen:
    """What is placed; whoever takes something asks first what hinders it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._offsets: set[int] = set()
        self._gaps: list[int] = []
        self._gaps_on: dict[Device, list[int]] = {device: [] for device in DEVICES}
        """Of the slots that have sizes there: ascending, as they stand in the document."""
        self._of: dict[str, list[Anchor]] = {}
        self._shown: dict[Device, dict[str, int]] = {device: {} for device in DEVICES}
        """By slot."""
        self._shown_inside: dict[Device, int] = dict.fromkeys(DEVICES, 0)
        self.used: dict[Device, int] = dict.fromkeys(DEVICES, 0)
        """CSS px of the main content."""
        self.placements: list[Placement] = []

    def count(self, contender: Contender) -> int:
        return len(self._of.get(contender.slot.name, ()))

    def take(self, contender: Contender, anchor: Anchor, devices: tuple[Device, ...]) -> None:
        self.placements.append(Placement(contender.slot.name, anchor, 0, devices))
        self._of.setdefault(contender.slot.name, []).append(anchor)
        self._offsets.add(anchor.offset)
        if anchor.gap >= 0:
            insort(self._gaps, anchor.gap)
            for device in contender.devices:
                insort(self._gaps_on[device], anchor.gap)
        for device in devices:
            shown = self._shown[device]
            shown[contender.slot.name] = shown.get(contender.slot.name, 0) + 1
            self._shown_inside[device] += anchor.gap >= 0
        if contender.counts(anchor):
            for device in devices:
                self.used[device] += self._state.heights[contender.slot.name, device]

    def fill(self, contenders: Iterable[Contender]) -> None:
        """Take what can be taken, one slot after the other, each from its first place on."""
        for contender in contenders:
            for anchor in contender.anchors:
                if self.obstacle(contender, anchor) is None and (shown := self.shown(contender, anchor)):
                    self.take(contender, anchor, shown)

    # --- what hinders one more

    def obstacle(self, contender: Contender, anchor: Anchor) -> Verdict | None:
        """Why a slot can't stand there beside what is chosen, density aside; None if it can."""
        limits, gap = self._state.policy.limits, anchor.gap
        if gap >= 0 and (crowded := self._crowded(contender, gap)) is not None:
            return crowded
        if anchor.offset in self._offsets:
            return Reason.TOO_NEAR_SLOT, "a place of its own", "another slot is there"
        if contender.every is not None and (since := self._since(contender, gap, contender.every)) is not None:
            return Reason.NOT_AT_POSITION, f"every {contender.every}", found(since, contender.every)
        if (placed := self.count(contender)) >= contender.most:
            return Reason.MAX_OF_SLOT, f"at most {contender.most}", f"{placed} placed"
        if gap >= 0 and len(self._gaps) >= limits.in_article:
            return Reason.MAX_IN_ARTICLE, f"at most {limits.in_article} in the article", f"{len(self._gaps)}"
        return None

    def _crowded(self, contender: Contender, gap: int) -> Verdict | None:
        """The nearest slot that is too near."""
        gaps = self._gaps
        at = bisect_left(gaps, gap)
        for device in contender.devices:
            spacing, others = self._state.spacing[device], self._gaps_on[device]
            sums, i = spacing.sums, bisect_left(others, gap)
            if i:
                needed = spacing.needed(bisect_left(gaps, others[i - 1]) if spacing.grows else 0)
                if (amount := sums[gap] - sums[others[i - 1]]) < needed:
                    return _too_near(spacing, needed, amount)
            if i < len(others):
                needed = spacing.needed(at)
                if (amount := sums[others[i]] - sums[gap]) < needed:
                    return _too_near(spacing, needed, amount)
        if at < len(gaps) and gaps[at] == gap:
            return _too_near(self._state.spacing["phone"], 0, 0)
        return self._outgrown(gap)

    def _outgrown(self, gap: int) -> Verdict | None:
        """Two slots behind a gap that would be too near to each other with one more before them."""
        for device in DEVICES:
            spacing, others = self._state.spacing[device], self._gaps_on[device]
            if not spacing.grows:
                continue
            for earlier, later in pairwise(others[bisect_left(others, gap) :]):
                amount = spacing.sums[later] - spacing.sums[earlier]
                needed = spacing.needed(bisect_left(self._gaps, earlier) + 1)
                if amount < needed:
                    return _too_near(spacing, needed, amount)
        return None

    def _since(self, contender: Contender, gap: int, every: Distance) -> float | None:
        """How much too little lies between a slot in this gap and the one before or behind it; None: enough."""
        sums = self._state.ruler.sums(every.unit)
        own = sorted(anchor.gap for anchor in self._of.get(contender.slot.name, ()))
        at = bisect_left(own, gap)
        nearest = sums[gap] - sums[own[at - 1] if at else 0]
        if at < len(own):
            nearest = min(nearest, sums[own[at]] - sums[gap])
        return nearest if nearest < every.amount else None

    def shown(self, contender: Contender, anchor: Anchor) -> tuple[Device, ...]:
        """Those of a slot's devices on which it stays within their limits there."""
        return tuple(d for d in contender.devices if self.hidden_by(contender, anchor, d) is None)

    def hidden_by(self, contender: Contender, anchor: Anchor, device: Device) -> Verdict | None:
        """What keeps one more of a slot from being shown there on one of its devices; None where nothing does."""
        state, name = self._state, contender.slot.name
        shown = self._shown[device].get(name, 0)
        if contender.slot.max_on is not None and shown >= (most := contender.most_on(device)):
            return Reason.MAX_OF_SLOT, f"at most {most} on {device}s", f"{shown} placed"
        if anchor.gap >= 0 and self._shown_inside[device] >= (most := state.most_inside(device)):
            return Reason.MAX_IN_ARTICLE, f"at most {most} in the article on {device}s", f"{self._shown_inside[device]}"
        if contender.counts(anchor) and self.density(contender, device) > state.limit(device):
            return self.too_dense(contender, device)
        return None

    def too_dense(self, contender: Contender, device: Device) -> Verdict:
        """One more of a slot, and the density limit."""
        with_it = f"{self.density(contender, device):.1%} with it"
        return Reason.DENSITY, f"at most {self._state.limit(device):.0%} ads on {device}s", with_it

    def density(self, contender: Contender, device: Device) -> float:
        """With one more of a slot."""
        return self._state.density(device, self.used[device] + self._state.heights[contender.slot.name, device])


def _too_near(spacing: Spacing, needed: float, amount: float) -> Verdict:
    unit = spacing.distance.unit
    return Reason.TOO_NEAR_SLOT, f"{plain(needed)} {unit} to the next slot", f"{plain(amount)} {unit}"
