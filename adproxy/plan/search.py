"""The best set where slots compete for places or for room: several in the article, selectors, a shared spot.

Goes through all places in the order of the article's line and keeps partial plans: each place is left free, or given to
a slot on all of its devices or on some. A partial plan that is no better than another and leaves no more possible is
dropped; so the best is found exactly, for as long as no more than `MAX_KEPT` partial plans are worth keeping at a place
(fewer on pages with very many places, so that the work stays bounded). Beyond, the best so many are kept, and the
result is never worse in value than taking the slots one by one, the most important first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Final, Literal, NamedTuple

from adproxy.model import DEVICES, Anchor, Device
from adproxy.plan.chosen import Chosen
from adproxy.plan.contender import Contender
from adproxy.plan.evenness import NO_STRETCHES, Line, Stretches, joined
from adproxy.plan.state import State, far_enough
from adproxy.rules.ruleset import FixedPlace

MAX_KEPT: Final = 400
# Partial plans times places: some tenths of a second at most.
_MAX_WORK: Final = 20_000
_LEAST_KEPT: Final = 4

_SUBSETS: Final[dict[tuple[Device, ...], tuple[tuple[Device, ...], ...]]] = {
    ("phone", "desktop"): (("phone", "desktop"), ("phone",), ("desktop",)),
    ("phone",): (("phone",),),
    ("desktop",): (("desktop",),),
}
_ANYWHERE: Final = 2
"""Index in `_Partial.free_from`, behind those of the devices."""


class _Place(NamedTuple):
    on_line: int
    """The gap; before them all for what stands before or beside the article, behind them all for its end."""
    anchor: Anchor
    contender: int
    rank: int


class _Meter(NamedTuple):
    """What a device's slots use up of one of its limits."""

    device: Device
    kind: Literal["density", "in_article", "max"]
    contender: int
    """Whose `max` it is; -1 for the others."""
    most: float
    """A share for density, else slots."""


class _Partial(NamedTuple):
    """A plan for the places gone through so far."""

    # how good it is: the larger is better
    value: int
    rank: int
    even: Stretches
    clear: float
    # what it leaves possible: the smaller is better
    last: float
    """Where the last ad on the line lies; minus infinity: there is none yet."""
    free_from: tuple[int, ...]
    """The first gap that may be taken: on phones, on desktops, at all; then by slots with an `every`."""
    in_article: int
    counts: tuple[int, ...]
    used: tuple[int, ...]
    """By meter."""
    # what must be the same to compare
    taken: frozenset[int]
    """Of the bytes that more than one place asks for."""
    open: bool
    """Whether the last ad is a slot in the article, so that a stretch follows it whatever comes."""
    picked: tuple[tuple[int, Anchor, tuple[Device, ...]], ...]
    """Contender, place, devices."""


def search(
    state: State,
    line: Line,
    contenders: Sequence[Contender],
    value: Callable[[int, int], int],
    clearance: Callable[[int], float],
    *,
    headline: bool,
) -> Chosen:
    """The best set. `value`: of a contender on so many devices; `headline`: whether a slot stands there already."""
    return _Search(state, line, contenders, value, clearance).run(headline)


class _Search:
    def __init__(
        self,
        state: State,
        line: Line,
        contenders: Sequence[Contender],
        value: Callable[[int, int], int],
        clearance: Callable[[int], float],
    ) -> None:
        self._state, self._line, self._contenders = state, line, contenders
        self._value, self._clearance = value, clearance
        behind = len(line.at)
        self._places = sorted(
            (
                _Place(
                    anchor.gap if anchor.gap >= 0 else behind if c.slot.place is FixedPlace.END_OF_ARTICLE else -1,
                    anchor,
                    n,
                    rank if c.ranked else 0,
                )
                for n, c in enumerate(contenders)
                for rank, anchor in enumerate(c.anchors)
            ),
            key=lambda place: (place.on_line, place.anchor.offset, place.contender),
        )
        asked = Counter(place.anchor.offset for place in self._places)
        self._contested = {offset for offset, times in asked.items() if times > 1}
        self._every = [n for n, c in enumerate(contenders) if c.every is not None]
        # A limit that can't be reached needn't be remembered: more partial plans are alike then.
        inside = sum(place.anchor.gap >= 0 for place in self._places)
        grows = any(spacing.grows for spacing in state.spacing.values())
        self._counts_inside = grows or inside > state.policy.limits.in_article
        self._limited = [n for n, c in enumerate(contenders) if len(c.anchors) > c.most]
        self._meters = [meter for device in DEVICES for meter in self._meters_of(device, inside)]

    def _meters_of(self, device: Device, inside: int) -> Iterator[_Meter]:
        """The limits that a device's slots may reach; `inside`: places in the article."""
        state, contenders = self._state, self._contenders
        height = sum(state.heights[c.slot.name, device] * min(c.most, len(c.anchors)) for c in contenders)
        if state.density(device, height) > state.limit(device):
            yield _Meter(device, "density", -1, state.limit(device))
        most = state.most_inside(device)
        if most < min(inside, state.policy.limits.in_article):
            yield _Meter(device, "in_article", -1, most)
        for n, contender in enumerate(contenders):
            if contender.most_on(device) < min(contender.most, len(contender.anchors)):
                yield _Meter(device, "max", n, contender.most_on(device))

    def _adds(self, meter: _Meter, n: int, anchor: Anchor) -> int:
        """What a slot there uses up of a limit, where it is shown on the meter's device."""
        if meter.kind == "density":
            contender = self._contenders[n]
            return self._state.heights[contender.slot.name, meter.device] if contender.counts(anchor) else 0
        return int(anchor.gap >= 0 if meter.kind == "in_article" else meter.contender == n)

    def _within(self, meter: _Meter, used: int) -> bool:
        if meter.kind == "density":
            return self._state.density(meter.device, used) <= meter.most
        return used <= meter.most

    def run(self, headline: bool) -> Chosen:
        kept = [self._start(headline)]
        most = max(_LEAST_KEPT, min(MAX_KEPT, _MAX_WORK // max(1, len(self._places))))
        exact, own = True, 0
        for place in self._places:
            while own < len(self._line.own) and self._line.own[own] < place.on_line:
                kept = [self._past_own_ad(partial, self._line.own[own]) for partial in kept]
                own += 1
            more = [partial for before in kept for partial in self._taking(before, place)]
            kept = _undominated(kept + more, place.on_line)
            if len(kept) > most:
                exact, kept = False, kept[:most]
        best = max(map(self._closed, kept), key=lambda partial: partial[:4])
        chosen = self._chosen(best)
        if exact:
            return chosen
        by_worth = sorted(range(len(self._contenders)), key=lambda n: -self._value(n, 1))
        chosen.fill(self._contenders[n] for n in by_worth)
        one_by_one = Chosen(self._state)
        one_by_one.fill(self._contenders[n] for n in by_worth)
        return max(chosen, one_by_one, key=self._worth)

    def _start(self, headline: bool) -> _Partial:
        every = []
        for n in self._every:
            distance = self._contenders[n].every
            assert distance is not None
            every.append(far_enough(self._state.ruler.sums(distance.unit), 0, distance.amount))
        nothing = (0,) * len(self._limited)
        last = 0 if headline else -inf
        used = (0,) * len(self._meters)
        return _Partial(0, 0, NO_STRETCHES, 0, last, (0, 0, 0, *every), 0, nothing, used, frozenset(), False, ())

    # --- one place more

    def _taking(self, partial: _Partial, place: _Place) -> list[_Partial]:
        """What comes of a partial plan with a slot there."""
        n, anchor = place.contender, place.anchor
        contender = self._contenders[n]
        if anchor.offset in partial.taken:
            return []
        counts, in_article, gap = partial.counts, partial.in_article, anchor.gap
        if n in self._limited:
            i = self._limited.index(n)
            if counts[i] >= contender.most:
                return []
            counts = (*counts[:i], counts[i] + 1, *counts[i + 1 :])
        if gap >= 0:
            if not self._free(partial, contender, n, gap):
                return []
            in_article += self._counts_inside
        taken = partial.taken | {anchor.offset} if anchor.offset in self._contested else partial.taken
        free_from = self._free_from(partial, contender, n, gap) if gap >= 0 else partial.free_from
        even, last, is_open = self._on_line(partial, contender, gap)
        clear = partial.clear + (self._clearance(gap) if gap >= 0 else 0)
        adds = [self._adds(meter, n, anchor) for meter in self._meters]
        scarce = any(adds)
        found = []
        for devices in _SUBSETS[contender.devices]:
            used = partial.used
            if scarce:
                meters = self._meters
                used = tuple(
                    so_far + (more if meter.device in devices else 0)
                    for so_far, more, meter in zip(used, adds, meters, strict=True)
                )
                within = (
                    not more or meter.device not in devices or self._within(meter, now)
                    for now, more, meter in zip(used, adds, meters, strict=True)
                )
                if not all(within):
                    continue
            found.append(
                _Partial(
                    partial.value + self._value(n, len(devices)),
                    partial.rank - place.rank,
                    even,
                    clear,
                    last,
                    free_from,
                    in_article,
                    counts,
                    used,
                    taken,
                    is_open,
                    (*partial.picked, (n, anchor, devices)),
                )
            )
            if not scarce:
                break  # there is room for it everywhere: nothing is won by showing it on fewer devices
        return found

    def _free(self, partial: _Partial, contender: Contender, n: int, gap: int) -> bool:
        if self._counts_inside and partial.in_article >= self._state.policy.limits.in_article:
            return False
        free = partial.free_from
        if gap < free[_ANYWHERE] or any(gap < free[DEVICES.index(device)] for device in contender.devices):
            return False
        return n not in self._every or gap >= free[_ANYWHERE + 1 + self._every.index(n)]

    def _free_from(self, partial: _Partial, contender: Contender, n: int, gap: int) -> tuple[int, ...]:
        free = list(partial.free_from)
        free[_ANYWHERE] = gap + 1
        for device in contender.devices:
            free[DEVICES.index(device)] = self._state.spacing[device].free_from(gap, partial.in_article)
        if n in self._every and contender.every is not None:
            sums = self._state.ruler.sums(contender.every.unit)
            free[_ANYWHERE + 1 + self._every.index(n)] = far_enough(sums, gap, contender.every.amount)
        return tuple(free)

    # --- the stretches of reading

    def _on_line(self, partial: _Partial, contender: Contender, gap: int) -> tuple[Stretches, float, bool]:
        """The stretches with a slot there, where the last ad lies then, and whether a stretch is sure to follow."""
        line, where = self._line, contender.slot.place
        if gap >= 0:
            if partial.last == -inf:
                stretch = line.before(gap, False)
            else:
                stretch = int(line.at[gap] - partial.last) // line.step
            return joined(partial.even, (stretch,)), line.at[gap], True
        if where is FixedPlace.END_OF_ARTICLE:
            if not partial.open:
                return partial.even, line.end, False
            return joined(partial.even, (int(line.end - partial.last) // line.step,)), line.end, False
        if where in (FixedPlace.ABOVE_HEADLINE, FixedPlace.BELOW_HEADLINE):
            return partial.even, 0, False
        return partial.even, partial.last, partial.open

    def _past_own_ad(self, partial: _Partial, block: int) -> _Partial:
        """Going on behind an ad of the page's own."""
        line = self._line
        even = partial.even
        if partial.open:
            even = joined(even, (int(line.at[block] - partial.last) // line.step,))
        return partial._replace(even=even, last=line.at[block], open=False)

    def _closed(self, partial: _Partial) -> _Partial:
        """With the last stretch, where none has been counted."""
        if not partial.open:
            return partial
        last_gap = max(anchor.gap for _, anchor, _ in partial.picked)
        return partial._replace(even=joined(partial.even, (self._line.after(last_gap, False),)))

    # --- the result

    def _chosen(self, partial: _Partial) -> Chosen:
        chosen = Chosen(self._state)
        for n, anchor, devices in partial.picked:
            chosen.take(self._contenders[n], anchor, devices)
        return chosen

    def _worth(self, chosen: Chosen) -> int:
        numbers = {contender.slot.name: n for n, contender in enumerate(self._contenders)}
        return sum(self._value(numbers[p.slot], len(p.devices)) for p in chosen.placements)


def _undominated(partials: list[_Partial], gap: int) -> list[_Partial]:
    """Those that no other makes needless, the best first; `gap`: all before it is gone through."""
    partials.sort(key=lambda partial: partial[:4], reverse=True)
    kept: list[_Partial] = []
    for partial in partials:
        if not any(_dominates(better, partial, gap) for better in kept):
            kept.append(partial)
    return kept


def _dominates(better: _Partial, partial: _Partial, gap: int) -> bool:
    """Whether all that can come of a partial plan comes of another too, which is at least as good so far."""
    if better.in_article > partial.in_article or not better.taken <= partial.taken:
        return False
    if any(a > b and a > gap for a, b in zip(better.free_from, partial.free_from, strict=True)):
        return False
    if any(a > b for a, b in zip(better.counts, partial.counts, strict=True)):
        return False
    if any(a > b for a, b in zip(better.used, partial.used, strict=True)):
        return False
    if better.value > partial.value or better.rank > partial.rank:
        return True  # whatever follows, no evenness makes up for that
    return better.last <= partial.last and (partial.open or not better.open)
