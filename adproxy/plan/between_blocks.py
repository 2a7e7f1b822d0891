"""Slots between the blocks of the article: which gaps no rule forbids, and which of those are taken."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from adproxy.model import Anchor, BlockKind, Device, Reason
from adproxy.plan.gaps import Verdict
from adproxy.plan.ruler import found
from adproxy.plan.state import State
from adproxy.rules.ruleset import Distance, MidArticle, Slot, needs_settled

# How far "after paragraph 3" and "at 50%" may shift where the ideal gap is forbidden, in gaps to either side.
_SHIFT = 4
# Spreading: the distance between slots is stretched as long as no slot is lost, at most so far, in so many halvings.
_MAX_STRETCH = 6.0
_HALVINGS = 5

# Python 3.11 takes longer to look a member up in its enum than to compare it: these are asked for every gap.
_TOO_NEAR_SLOT, _MAX_OF_SLOT, _MAX_IN_ARTICLE = Reason.TOO_NEAR_SLOT, Reason.MAX_OF_SLOT, Reason.MAX_IN_ARTICLE


def place(state: State, slot: Slot, where: MidArticle, devices: tuple[Device, ...]) -> None:
    """Place a slot in the gaps of the article, as often as its rules and all limits allow, evenly."""
    gaps = state.page.gaps
    forbidden = _forbidden(state, slot)
    for i, (reason, required, actual) in forbidden.items():
        state.refuse(slot, reason, required, actual, anchor=gaps[i].anchor, gap=i)
    between = range(1, len(state.page.blocks))
    fitting = [i for i in between if i not in forbidden]
    if not fitting:
        state.refuse(slot, Reason.NO_SUCH_PLACE, "a gap that no rule forbids", f"none of {len(between)}")
        return
    order = _preferred(state, where, fitting)
    if order is not fitting:
        for i in fitting:
            if i not in order:
                state.refuse(slot, Reason.NOT_AT_POSITION, _position(where), f"gap {i}", anchor=gaps[i].anchor, gap=i)
    most = 1 if where.at is not None or where.after_paragraph is not None else slot.max
    filling = _Filling(state, slot, where, most, devices)
    filling.spread(order)
    filling.fill(order)


# --- which gaps no rule forbids -----------------------------------------------------------------


def _forbidden(state: State, slot: Slot) -> dict[int, Verdict]:
    """By gap, ascending: why a slot can't stand there, whatever else is placed."""
    page, gaps = state.page, state.gaps()
    settled = needs_settled(slot)
    lead, rest = state.ruler.sums(slot.first_after.unit), state.ruler.sums(slot.before_end.unit)
    too_early, too_late = f"{slot.first_after} before it", f"{slot.before_end} after it"
    verdicts: dict[int, Verdict] = {}
    for i in range(1, len(page.blocks)):
        anchor = page.gaps[i].anchor
        if anchor is None:
            verdicts[i] = Reason.NO_LEGAL_ANCHOR, "a place where a div may stand", "none that the markup proves"
        elif settled and not anchor.settled:
            verdicts[i] = Reason.PENDING_FORMATTING, "no formatting left open", "some is, and would leak into the slot"
        elif i in gaps.beside:
            verdicts[i] = gaps.beside[i]
        elif lead[i] < slot.first_after.amount:
            verdicts[i] = Reason.TOO_NEAR_START, too_early, found(lead[i], slot.first_after)
        elif (left := rest[-1] - rest[i]) < slot.before_end.amount:
            verdicts[i] = Reason.TOO_NEAR_END, too_late, found(left, slot.before_end)
        elif i in gaps.too_near:
            verdicts[i] = gaps.too_near[i]
    return verdicts


# --- which of the gaps are taken ----------------------------------------------------------------


def _position(where: MidArticle) -> str:
    if where.at is not None:
        return f"at {where.at:.0%} of the article"
    return f"after paragraph {where.after_paragraph}"


def _preferred(state: State, where: MidArticle, fitting: list[int]) -> list[int]:
    """The fitting gaps that the slot's place allows, in the order in which they are tried."""
    if where.at is not None:
        words = state.ruler.sums("words")
        ideal = where.at * words[-1]
        return sorted(fitting, key=lambda i: (abs(words[i] - ideal), i))[: 2 * _SHIFT + 1]
    if where.after_paragraph is None:
        return fitting
    paragraphs = [i for i, b in enumerate(state.page.blocks) if b.kind is BlockKind.PARAGRAPH]
    n = where.after_paragraph
    index = n - 1 if n > 0 else len(paragraphs) + n
    if not 0 <= index < len(paragraphs):
        return []
    ideal = paragraphs[index] + 1
    return sorted((i for i in fitting if abs(i - ideal) <= _SHIFT), key=lambda i: (abs(i - ideal), i))


@dataclass(slots=True)
class _Filling:
    """One slot going through the gaps in order and taking what it may; on the plan itself, or as a trial."""

    state: State
    slot: Slot
    where: MidArticle
    most: int
    devices: tuple[Device, ...]
    stretch: float = 1.0
    """So many times the distance between slots is kept, to spread them evenly."""
    full: bool = False
    """Whether as many slots fit as there may be at most."""
    placed: int = 0
    last: int = 0
    distance: Distance = field(init=False)
    """The longest distance between slots that holds on the slot's devices."""

    def __post_init__(self) -> None:
        self.distance = max(map(self.state.distance, self.devices), key=lambda d: d.amount)

    def obstacle(self, i: int, anchor: Anchor) -> tuple[Reason, float] | None:
        """Why gap i can't be taken now, density aside, with the figure that says so; None if it can."""
        state = self.state
        if self.placed >= self.most:
            return _MAX_OF_SLOT, self.placed
        if len(state.in_article) >= state.policy.limits.in_article:
            return _MAX_IN_ARTICLE, len(state.in_article)
        every = self.where.every
        if every is not None:
            since = state.ruler.between(self.last, i, every.unit)
            if since < every.amount:
                return Reason.NOT_AT_POSITION, since
        if anchor.offset in state.offsets:
            return _TOO_NEAR_SLOT, 0
        crowding = state.crowding(i, self.devices, self.stretch)
        if crowding is not None:
            return _TOO_NEAR_SLOT, crowding[1]
        return None

    def spread(self, order: list[int]) -> None:
        """Stretch the distance between slots as far as none of them is lost: that spreads them evenly."""
        if self.where.every is not None:
            return
        most = min(self.most, self.state.policy.limits.in_article - len(self.state.in_article), self.within_density())
        if most < 2 or len(order) < 3 or (possible := self.count(order, most, 1.0)) < 2:
            return
        self.full = possible == self.most
        low, high = 1.0, _MAX_STRETCH
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.count(order, most, middle) == possible else (low, middle)
        self.stretch = low

    def within_density(self) -> int:
        """How many slots the density limits leave room for, on the device that has most of it."""
        state, room = self.state, 0
        for device in self.devices:
            height, limit, n = state.heights[self.slot.name, device], state.limit(device), 0
            while n < self.most and state.density(device, height * (n + 1)) <= limit:
                n += 1
            room = max(room, n)
        return room

    def count(self, order: list[int], most: int, stretch: float) -> int:
        """How many slots the gaps, ascending, would take with the distances between them stretched so far."""
        ruler = self.state.ruler
        measures = []
        for device in self.devices:
            distance = self.state.distance(device)
            measures.append((ruler.sums(distance.unit, device), ruler.stretched(distance, stretch)))
        placed = at = 0
        while at < len(order) and placed < most:
            placed += 1
            last = order[at]
            far_enough = max(bisect_left(sums, sums[last] + needed) for sums, needed in measures)
            at = max(at + 1, bisect_left(order, far_enough))
        return placed

    def fill(self, order: list[int]) -> None:
        """Take what can be taken, and leave a refusal for the rest."""
        for i in order:
            anchor = self.state.page.gaps[i].anchor
            if anchor is None:
                continue
            obstacle = self.obstacle(i, anchor)
            if obstacle is None:
                shown = self.state.fitting_devices(self.slot, self.devices)
                if shown != self.devices:
                    self.state.refuse_by_density(self.slot, self.devices, anchor, i)
                if shown:
                    self.state.take(self.slot, anchor, shown, counted=True)
                    self.placed, self.last = self.placed + 1, i
                continue
            reason, amount = obstacle
            if reason is _TOO_NEAR_SLOT and self.full and amount >= self.distance.amount:
                # free but for the even spread of as many slots as there may be
                reason, amount = _MAX_OF_SLOT, self.most
            required, actual = self.in_words(reason, amount)
            self.state.refuse(self.slot, reason, required, actual, anchor=anchor, gap=i)

    def in_words(self, reason: Reason, amount: float) -> tuple[str, str]:
        """What an obstacle required and found, for people."""
        limits = self.state.policy.limits
        if reason is _MAX_OF_SLOT:
            return f"at most {self.most}", f"{amount:g} placed"
        if reason is _MAX_IN_ARTICLE:
            return f"at most {limits.in_article} in the article", f"{amount:g}"
        if reason is Reason.NOT_AT_POSITION and self.where.every is not None:
            return f"every {self.where.every}", found(amount, self.where.every)
        needed = self.distance
        even = (
            f", {self.state.ruler.stretched(needed, self.stretch):.0f} for an even spread"
            if amount >= needed.amount
            else ""
        )
        return f"{needed} to the next slot{even}", found(amount, needed)
