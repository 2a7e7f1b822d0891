"""Slots between the blocks of the article: which gaps no rule forbids, and which of those are taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adproxy.model import Anchor, Block, BlockFlag, BlockKind, Device, Reason
from adproxy.plan.ruler import Nearest, found, is_heading, is_media
from adproxy.plan.state import State
from adproxy.rules.ruleset import Distance, MidArticle, Slot, needs_settled

# How far "after paragraph 3" and "at 50%" may shift where the ideal gap is forbidden, in gaps to either side.
_SHIFT = 4
# Spreading: the distance between slots is stretched as long as no slot is lost, at most so far, in so many halvings.
_MAX_STRETCH = 6.0
_HALVINGS = 5

_FOREIGN = (BlockKind.ASIDE, BlockKind.OTHER)
_BELONGS_TO_TEXT_BEFORE = (BlockKind.LIST, BlockKind.TABLE, BlockKind.CODE)

Verdict = tuple[Reason, str, str]
"""Reason, what was required, what was found."""


def place(state: State, slot: Slot, where: MidArticle, devices: tuple[Device, ...]) -> None:
    """Place a slot in the gaps of the article, as often as its rules and all limits allow, evenly."""
    page = state.page
    keep_clear = _KeepClear.of(state)
    fitting: list[int] = []
    for i in range(1, len(page.blocks)):
        verdict = _forbidden(state, slot, keep_clear, i)
        if verdict is None:
            fitting.append(i)
        else:
            reason, required, actual = verdict
            state.refuse(slot, reason, required, actual, anchor=page.gaps[i].anchor, gap=i)
    if not fitting:
        gaps = max(0, len(page.blocks) - 1)
        state.refuse(slot, Reason.NO_SUCH_PLACE, "a gap that no rule forbids", f"none of {gaps}")
        return
    order = _preferred(state, where, fitting)
    for i in fitting:
        if i not in order:
            state.refuse(slot, Reason.NOT_AT_POSITION, _position(where), f"gap {i}", anchor=page.gaps[i].anchor, gap=i)
    most = 1 if where.at is not None or where.after_paragraph is not None else slot.max
    filling = _Filling(state, slot, where, most, devices)
    filling.spread(order)
    filling.fill(order)


# --- what no slot may do ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _KeepClear:
    """The rules' distances, each with the nearest such block of every gap; measured once for all slots."""

    checks: tuple[tuple[Reason, Distance, str, Nearest], ...]
    headings: Nearest

    @classmethod
    def of(cls, state: State) -> _KeepClear:
        keep = state.policy.keep_clear
        wanted: list[tuple[Reason, Distance, str, Callable[[Block], bool]]] = [
            (Reason.NEAR_MEDIA, keep.around_media, "media", is_media),
            (Reason.NEAR_EXISTING_AD, keep.around_existing_ads, "the page's own ads", lambda b: b.kind is BlockKind.AD),
            (Reason.NEAR_ASIDE, keep.around_asides, "foreign boxes", lambda b: b.kind is BlockKind.ASIDE),
        ]
        for n, (selector, distance) in enumerate(keep.around):
            wanted.append((Reason.NEAR_AVOIDED, distance, selector, _matches(n)))
        return cls(
            tuple(
                (reason, distance, what, Nearest(state.page, state.ruler, is_it))
                for reason, distance, what, is_it in wanted
                if distance.amount > 0
            ),
            Nearest(state.page, state.ruler, is_heading),
        )


def _matches(n: int) -> Callable[[Block], bool]:
    """Tells the blocks that the n-th of the rules' own selectors matches."""
    return lambda block: n in block.avoided


def _forbidden(state: State, slot: Slot, keep_clear: _KeepClear, i: int) -> Verdict | None:
    """Why a slot can't stand in gap i, whatever else is placed; None if it can."""
    page, ruler = state.page, state.ruler
    gap = page.gaps[i]
    if gap.anchor is None:
        return Reason.NO_LEGAL_ANCHOR, "a place where a div may stand", "none that the markup proves"
    if needs_settled(slot) and not gap.anchor.settled:
        return Reason.PENDING_FORMATTING, "no formatting left open", "some is, and would leak into the slot"
    beside = _beside(page.blocks[i - 1], page.blocks[i])
    if beside is not None:
        return beside
    lead = ruler.between(0, i, slot.first_after.unit)
    if lead < slot.first_after.amount:
        return Reason.TOO_NEAR_START, f"{slot.first_after} before it", found(lead, slot.first_after)
    rest = ruler.between(i, len(page.blocks), slot.before_end.unit)
    if rest < slot.before_end.amount:
        return Reason.TOO_NEAR_END, f"{slot.before_end} after it", found(rest, slot.before_end)
    after_heading = state.policy.keep_clear.after_heading
    since = keep_clear.headings.before(i, after_heading.unit)
    if since is not None and since < after_heading.amount:
        return Reason.AFTER_HEADING, f"{after_heading} after a heading", found(since, after_heading)
    for reason, distance, what, nearest in keep_clear.checks:
        for amount in (nearest.before(i, distance.unit), nearest.after(i, distance.unit)):
            if amount is not None and amount < distance.amount:
                return reason, f"{distance} from {what}", found(amount, distance)
    return None


def _beside(before: Block, after: Block) -> Verdict | None:
    """The editor's "never" list: what may not stand directly on either side of a slot."""
    if is_heading(before):
        return Reason.AFTER_HEADING, "no heading directly before", f"“{before.text[:40]}”"
    if before.flags & BlockFlag.LEAD_IN:
        return Reason.AFTER_LEAD_IN, "no text that ends in a colon before", f"“{before.text[:40]}…”"
    if after.kind in _BELONGS_TO_TEXT_BEFORE:
        kind = after.kind.value
        return Reason.SPLITS_GROUP, f"nothing between a text and its {kind}", f"a {kind} follows"
    pictures = before.kind is BlockKind.MEDIA and after.kind is BlockKind.MEDIA
    if pictures or BlockKind.CAPTION in (before.kind, after.kind):
        return Reason.SPLITS_GROUP, "nothing between pictures and captions", "a picture or caption beside it"
    if is_media(before) or is_media(after):
        return Reason.NEAR_MEDIA, "text between slot and media", "media directly beside it"
    if BlockKind.AD in (before.kind, after.kind):
        return Reason.NEAR_EXISTING_AD, "text between slot and ad", "an ad of the page directly beside it"
    if before.kind in _FOREIGN or after.kind in _FOREIGN:
        return Reason.NEAR_ASIDE, "the article's own text on both sides", "a foreign box beside it"
    if before.flags & BlockFlag.KEEP_WITH_NEXT:
        return Reason.SPLITS_GROUP, "nothing between a quotation and its source", "the source follows"
    if before.flags & BlockFlag.OPEN_SENTENCE and after.text[:1].islower():
        return Reason.MID_SENTENCE, "a sentence that ends before it", f"“{before.text[:40]}…”"
    return None


# --- which of the gaps are taken ----------------------------------------------------------------


def _position(where: MidArticle) -> str:
    if where.at is not None:
        return f"at {where.at:.0%} of the article"
    return f"after paragraph {where.after_paragraph}"


def _preferred(state: State, where: MidArticle, fitting: list[int]) -> list[int]:
    """The fitting gaps that the slot's place allows, in the order in which they are tried."""
    if where.at is not None:
        ideal = where.at * state.ruler.words[-1]
        return sorted(fitting, key=lambda i: (abs(state.ruler.words[i] - ideal), i))[: 2 * _SHIFT + 1]
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

    def obstacle(self, i: int, anchor: Anchor) -> tuple[Reason, float] | None:
        """Why gap i can't be taken now, density aside, with the figure that says so; None if it can."""
        state = self.state
        if self.placed >= self.most:
            return Reason.MAX_OF_SLOT, self.placed
        if len(state.in_article) >= state.policy.limits.in_article:
            return Reason.MAX_IN_ARTICLE, len(state.in_article)
        every = self.where.every
        if every is not None:
            since = state.ruler.between(self.last, i, every.unit)
            if since < every.amount:
                return Reason.NOT_AT_POSITION, since
        if anchor.offset in state.offsets:
            return Reason.TOO_NEAR_SLOT, 0
        crowding = state.crowding(i, self.devices, self.stretch)
        if crowding is not None:
            return Reason.TOO_NEAR_SLOT, crowding[1]
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
        ruler, gap = self.state.ruler, self.state.policy.limits.gap
        measures = []
        for device in self.devices:
            distance = gap.phone if device == "phone" else gap.desktop
            measures.append((ruler.sums(distance.unit, device), ruler.stretched(distance, stretch)))
        placed, last = 0, -1
        for i in order:
            if last >= 0 and any(sums[i] - sums[last] < needed for sums, needed in measures):
                continue
            placed, last = placed + 1, i
            if placed == most:
                break
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
            if reason is Reason.TOO_NEAR_SLOT and self.full and amount >= self.distance.amount:
                # free but for the even spread of as many slots as there may be
                reason, amount = Reason.MAX_OF_SLOT, self.most
            required, actual = self.in_words(reason, amount)
            self.state.refuse(self.slot, reason, required, actual, anchor=anchor, gap=i)

    @property
    def distance(self) -> Distance:
        """The longest distance between slots that holds on the slot's devices."""
        gap = self.state.policy.limits.gap
        return max((gap.phone if d == "phone" else gap.desktop for d in self.devices), key=lambda d: d.amount)

    def in_words(self, reason: Reason, amount: float) -> tuple[str, str]:
        """What an obstacle required and found, for people."""
        limits = self.state.policy.limits
        if reason is Reason.MAX_OF_SLOT:
            return f"at most {self.most}", f"{amount:g} placed"
        if reason is Reason.MAX_IN_ARTICLE:
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
