"""What sets of placements are worth, worked out the long way; every set there is; and slots placed one by one.

The planner's places for each slot are taken as given (what forbids a place has tests of its own); what is chosen from
them is judged here by other code than the planner's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import inf
from typing import NamedTuple

from limits import content

from adproxy.model import DESKTOP_WIDTH, DEVICES, PHONE_WIDTH, Anchor, Block, BlockFlag, BlockKind, Device, Page, Plan
from adproxy.plan import contenders_of
from adproxy.plan.contender import Contender
from adproxy.plan.state import State
from adproxy.rules.ruleset import FixedPlace, MidArticle, Policy, SelectorPlace, Sides, Slot, sides


class Put(NamedTuple):
    """One slot at one place on some devices."""

    slot: Slot
    anchor: Anchor
    rank: int
    devices: tuple[Device, ...]


Objective = tuple[tuple[int, ...], tuple[int, ...], int, int, tuple[float, ...], float]
"""Larger is better: by priority, by slot, fewest divs, position, stretches, clearance."""


@dataclass
class Case:
    """A page and rules."""

    page: Page
    policy: Policy

    def contenders(self) -> list[Contender]:
        return contenders_of(State(self.page, self.policy))

    # --- limits

    def height(self, slot: Slot, device: Device) -> int:
        return slot.height_at(PHONE_WIDTH if device == "phone" else DESKTOP_WIDTH)

    def counts(self, put: Put) -> bool:
        return put.anchor.gap >= 0 or put.slot.place in (FixedPlace.BELOW_HEADLINE, FixedPlace.END_OF_ARTICLE)

    def density(self, puts: Sequence[Put], device: Device) -> float:
        blocks = self.page.blocks
        own, run = 0.0, 0.0
        for block in (*blocks, None):
            if block is not None and block.kind is BlockKind.AD:
                run = max(run, block.heights.on(device))
            else:
                own, run = own + run, 0.0
        ads = own + sum(self.height(p.slot, device) for p in puts if device in p.devices and self.counts(p))
        whole = content(blocks, "px", device) + ads
        return ads / whole if whole else 0.0

    def spaced(self, puts: Sequence[Put]) -> bool:
        """Whether each two slots in the article that have sizes on a device keep its distance."""
        gaps = sorted(p.anchor.gap for p in puts if p.anchor.gap >= 0)
        if len(set(gaps)) < len(gaps):
            return False
        limits = self.policy.limits.gap
        for device, distance in (("phone", limits.phone), ("desktop", limits.desktop)):
            here = sorted(p.anchor.gap for p in puts if p.anchor.gap >= 0 and self.height(p.slot, device))  # type: ignore[arg-type]
            for a, b in pairwise(here):
                needed = distance.amount + self.policy.limits.gap_grows.amount * gaps.index(a)
                if content(self.page.blocks[a:b], distance.unit, device) < needed:  # type: ignore[arg-type]
                    return False
        return True

    def allowed(self, puts: Sequence[Put]) -> bool:
        """Whether all limits that slots have together are kept; a set that exceeds one does so with more in it too."""
        if len({p.anchor.offset for p in puts}) < len(puts) or not self.spaced(puts):
            return False
        limits = self.policy.limits
        if sum(p.anchor.gap >= 0 for p in puts) > limits.in_article:
            return False
        for i, device in enumerate(DEVICES):
            here = [p for p in puts if device in p.devices]
            if limits.in_article_on is not None and sum(p.anchor.gap >= 0 for p in here) > limits.in_article_on[i]:
                return False
            for slot in self.policy.slots:
                if slot.max_on is not None and sum(p.slot is slot for p in here) > slot.max_on[i]:
                    return False
        for slot in self.policy.slots:
            own = sorted(p.anchor.gap for p in puts if p.slot is slot)
            narrow = isinstance(slot.place, MidArticle) and (slot.place.at, slot.place.after_paragraph) != (None, None)
            repeats = isinstance(slot.place, (MidArticle, SelectorPlace)) and not narrow
            if len(own) > (slot.max if repeats else 1):
                return False
            every = slot.place.every if isinstance(slot.place, MidArticle) else None
            if every is not None and any(
                content(self.page.blocks[a:b], every.unit) < every.amount for a, b in pairwise([0, *own])
            ):
                return False
        return all(
            self.density(puts, device) <= self.policy.limits.ad_share.on(device)
            for device in DEVICES
            if any(device in p.devices and self.counts(p) for p in puts)
        )

    # --- what a set is worth

    def objective(self, puts: Sequence[Put]) -> Objective:
        slots = self.policy.slots
        priorities = sorted({slot.priority for slot in slots}, reverse=True)
        return (
            tuple(sum(len(p.devices) for p in puts if p.slot.priority == level) for level in priorities),
            tuple(sum(len(p.devices) for p in puts if p.slot is slot) for slot in slots),
            -len(puts),
            -sum(p.rank for p in puts),
            self.stretches(puts),
            sum(self.clearance(p.anchor.gap) for p in puts if p.anchor.gap >= 0),
        )

    def stretches(self, puts: Sequence[Put]) -> tuple[float, ...]:
        """From ad to ad as a reader meets them, in steps of a tenth of the distance that the rules want."""
        blocks, distance = self.page.blocks, self.policy.limits.gap.phone
        at = [round(content(blocks[:i], distance.unit)) for i in range(len(blocks) + 1)]
        step = max(1, round(distance.amount / 10 if distance.amount else at[-1] / 100))
        # (where in the order of the page, where on the line, whether it is a slot in the article)
        line: list[tuple[float, float, bool]] = []
        line += [(p.anchor.gap, at[p.anchor.gap], True) for p in puts if p.anchor.gap >= 0]
        line += [(i + 0.5, at[i], False) for i, block in enumerate(blocks) if block.kind is BlockKind.AD]
        places = {p.slot.place for p in puts}
        if places & {FixedPlace.ABOVE_HEADLINE, FixedPlace.BELOW_HEADLINE}:
            line.append((-1, 0, False))
        if FixedPlace.END_OF_ARTICLE in places:
            line.append((inf, at[-1], False))
        line.sort()
        found = [(b - a) // step for (_, a, one), (_, b, other) in pairwise(line) if one or other]
        if line and line[0][2]:
            found.append(2 * line[0][1] // step)
        if line and line[-1][2]:
            found.append(2 * (at[-1] - line[-1][1]) // step)
        return (*sorted(found), inf)

    def clearance(self, gap: int) -> float:
        """The least distance to what the rules keep clear of, as a multiple of what they want; 2 at most."""
        blocks, keep, least = self.page.blocks, self.policy.keep_clear, 2.0
        media = (BlockKind.MEDIA, BlockKind.CAPTION)
        by_kind = {
            BlockKind.AD: keep.around_existing_ads,
            BlockKind.ASIDE: keep.around_asides,
            BlockKind.LIST: keep.around_lists,
            BlockKind.TABLE: keep.around_tables,
            BlockKind.QUOTE: keep.around_quotes,
            BlockKind.CODE: keep.around_code,
            BlockKind.CAPTION: keep.around_captions,
        }
        for i, block in enumerate(blocks):
            wanted = [sides(by_kind[block.kind])] if block.kind in by_kind else []
            if block.kind in media or block.flags & BlockFlag.HAS_MEDIA:
                wanted.append(sides(keep.around_media))
            if _heads(block):
                wanted.append(Sides(above=keep.after_heading))
                wanted.append(Sides(below=keep.before_heading, unless_heading=True))
            wanted += [sides(clearance) for n, (_, clearance) in enumerate(keep.around) if n in block.avoided]
            for clearance in wanted:
                if clearance.unless_heading and gap < len(blocks) and _heads(blocks[gap]):
                    continue
                distance = clearance.above if i < gap else clearance.below
                if distance.amount > 0:
                    between = blocks[i + 1 : gap] if i < gap else blocks[gap:i]
                    least = min(least, content(between, distance.unit) / distance.amount)
        return least

    # --- sets

    def every_set(self) -> Iterator[list[Put]]:
        """All sets that keep the limits; as many as that is."""
        places = [
            (c, anchor, rank if c.ranked else 0) for c in self.contenders() for rank, anchor in enumerate(c.anchors)
        ]
        places.sort(key=lambda place: place[1].offset)
        yield from self._sets(places, [])

    def _sets(self, places: Sequence[tuple[Contender, Anchor, int]], puts: list[Put]) -> Iterator[list[Put]]:
        if not places:
            yield puts
            return
        contender, anchor, rank = places[0]
        yield from self._sets(places[1:], puts)
        for n in range(1, len(contender.devices) + 1):
            for devices in combinations(contender.devices, n):
                more = [*puts, Put(contender.slot, anchor, rank, devices)]
                if self.allowed(more):
                    yield from self._sets(places[1:], more)

    def puts_of(self, made: Plan) -> list[Put]:
        """A plan as a set."""
        by_name = {c.slot.name: c for c in self.contenders()}
        found = []
        for placement in made.placements:
            contender = by_name[placement.slot]
            rank = list(contender.anchors).index(placement.anchor) if contender.ranked else 0
            found.append(Put(contender.slot, placement.anchor, rank, placement.devices))
        return found

    def one_by_one(self) -> list[Put]:
        """Slots placed one after the other, the most important first, each at the first places that are left to it;
        between slots in the article so much is kept as loses none of them."""
        puts: list[Put] = []
        for contender in sorted(self.contenders(), key=lambda c: -c.slot.priority):
            tries = [self.with_slot(puts, contender, stretch) for stretch in (0, *_STRETCHES)]
            puts = max(tries, key=lambda t: (sum(len(p.devices) for p in t), tries.index(t)))
        return puts

    def with_slot(self, puts: list[Put], contender: Contender, stretch: float = 0) -> list[Put]:
        """A set and what one more slot can take, each as early as possible."""
        unit = self.policy.limits.gap.phone.unit
        whole, result = content(self.page.blocks, unit), list(puts)
        for rank, anchor in enumerate(contender.anchors):
            near = [
                p for p in result
                if p.anchor.gap >= 0 <= anchor.gap
                and content(self.page.blocks[slice(*sorted((p.anchor.gap, anchor.gap)))], unit) < stretch * whole
            ]  # fmt: skip
            if near:
                continue
            for devices in _devices(contender.devices):
                put = Put(contender.slot, anchor, rank if contender.ranked else 0, devices)
                if self.allowed([*result, put]):
                    result.append(put)
                    break
        return result


_STRETCHES = (1 / 16, 1 / 12, 1 / 10, 1 / 9, 1 / 8, 1 / 7, 1 / 6, 1 / 5, 1 / 4, 1 / 3, 1 / 2)
"""Of the article, between two slots."""


def _devices(devices: tuple[Device, ...]) -> Iterator[tuple[Device, ...]]:
    for n in range(len(devices), 0, -1):
        yield from combinations(devices, n)


def _heads(block: Block) -> bool:
    return block.kind is BlockKind.HEADING or bool(block.flags & BlockFlag.PSEUDO_HEADING)
