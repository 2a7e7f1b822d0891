"""Which places are taken: all slots together, to the best of a written objective.

No limit of the rules is ever exceeded. Of all sets of placements that keep them, one is chosen that is best by, in this
order:

1. Value. The higher priority first: as many placements of the highest priority as possible, counted by the devices that
   show them; then of the next, and so on. Among slots of one priority, more placements; then those of the slot that the
   rules name first; then the fewest divs.
2. Position. Where the rules name one (`at`, `after`, `every`, a widget, the first match of a selector): the nearer.
3. Evenness: the smallest stretch between neighbouring ads is as large as possible, then the next smallest, and so on
   (`plan.evenness` says what a stretch is).
4. Distance from what is to be avoided: twice of what the rules keep clear is enough.
5. The earliest, so that the same page and rules always have the same plan.

Spacing holds on a device between any two slots that have sizes there, shown or not: so what one device shows never
depends on how much room another has. Where only some of a slot's placements fit a device, those are spread evenly.

Most pages have one slot in the article and no place that two slots want. Then the choice falls into parts that are each
solved exactly: how often, by each device's density; where, by `plan.spread`. All else is searched (`plan.search`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from operator import mul

from adproxy.model import DEVICES, Anchor, Device
from adproxy.plan.chosen import Chosen
from adproxy.plan.contender import Contender
from adproxy.plan.evenness import Line
from adproxy.plan.search import search
from adproxy.plan.spread import Spread
from adproxy.plan.state import Spacing, State
from adproxy.rules.ruleset import FixedPlace, MidArticle


def choose(state: State, contenders: Sequence[Contender]) -> Chosen:
    """The best set of placements. `contenders`: in the order of the rules."""
    free = [contender for contender in contenders if _unrivalled(contender, contenders)]
    rivals = [contender for contender in contenders if contender not in free] if free else contenders
    headline = any(contender.slot.place is FixedPlace.ABOVE_HEADLINE for contender in free)
    chosen = _in_parts(state, rivals, headline) if _falls_apart(rivals) else _searched(state, rivals, headline)
    for contender in free:
        for n, anchor in enumerate(contender.anchors[: contender.most]):
            if shown := tuple(device for device in contender.devices if n < contender.most_on(device)):
                chosen.take(contender, anchor, shown)
    return chosen


def _unrivalled(contender: Contender, contenders: Sequence[Contender]) -> bool:
    """Whether a slot shares no limit with any other, and can have the places that it likes best."""
    if any(contender.counts(anchor) for anchor in contender.anchors):
        return False
    wanted = {anchor.offset for anchor in contender.anchors[: contender.most]}
    others = (anchor for other in contenders if other is not contender for anchor in other.anchors)
    return not any(anchor.offset in wanted for anchor in others)


def _falls_apart(rivals: Sequence[Contender]) -> bool:
    """Whether at most one slot stands in the article, the others have one place each, and no two the same."""
    single = [contender for contender in rivals if not isinstance(contender.slot.place, MidArticle)]
    if len(rivals) - len(single) > 1 or any(len(c.anchors) > 1 or c.anchors[0].gap >= 0 for c in single):
        return False
    if not all(contender.counts(contender.anchors[0]) for contender in single):
        return False
    taken = [contender.anchors[0].offset for contender in single]
    others = (anchor.offset for c in rivals if isinstance(c.slot.place, MidArticle) for anchor in c.anchors)
    return len(set(taken)) == len(taken) and not (taken and any(offset in taken for offset in others))


def _values(contenders: Sequence[Contender]) -> Callable[[int, int], int]:
    """What a contender is worth that is shown on so many devices: a number to be added up.

    Digits of a number with a base that no count reaches: placements by priority, then by the order of the rules; the
    last digit is taken away for each div.
    """
    base = 1 + sum(2 * min(contender.most, len(contender.anchors)) for contender in contenders)
    priorities = sorted({contender.slot.priority for contender in contenders})
    n = len(contenders)
    worth = [
        base ** (n + priorities.index(contender.slot.priority) + 1) + base ** (n - i)
        for i, contender in enumerate(contenders)
    ]
    return lambda i, devices: worth[i] * devices - 1


# --- in parts -----------------------------------------------------------------------------------


def _in_parts(state: State, rivals: Sequence[Contender], headline: bool) -> Chosen:
    """How often by each device's density, and where by what is most even."""
    chosen = Chosen(state)
    if not rivals:
        return chosen
    middle = next((contender for contender in rivals if isinstance(contender.slot.place, MidArticle)), None)
    spread = _spread(state, middle) if middle is not None else None
    most = spread.count(min(middle.most, state.policy.limits.in_article)) if middle and spread else 0
    counts = {device: _counts(state, device, rivals, most) for device in DEVICES}
    end = False
    for n, contender in enumerate(rivals):
        shown = tuple(device for device in contender.devices if counts[device][n])
        if contender is not middle and shown:
            chosen.take(contender, contender.anchors[0], shown)
            headline = headline or contender.slot.place is FixedPlace.BELOW_HEADLINE
            end = end or contender.slot.place is FixedPlace.END_OF_ARTICLE
    if middle is None or spread is None:
        return chosen
    by_device = {device: counts[device][rivals.index(middle)] for device in middle.devices}
    n = max(by_device.values())
    if not n:
        return chosen
    if middle.every is not None:
        gaps = spread.earliest(n)
    elif middle.ranked:
        gaps = [middle.anchors[0].gap]
    else:
        gaps = spread.even(n, state.gaps().clearance, headline=headline, end=end)
    anchors = {anchor.gap: anchor for anchor in middle.anchors}
    _take_evenly(chosen, middle, [anchors[gap] for gap in gaps], by_device)
    return chosen


def _spread(state: State, middle: Contender) -> Spread:
    spacing = [state.spacing[device] for device in middle.devices]
    gaps = sorted(anchor.gap for anchor in middle.anchors)
    if middle.every is not None:
        sums = state.ruler.sums(middle.every.unit)
        spacing.append(Spacing(middle.every, sums))
        gaps = [gap for gap in gaps if sums[gap] >= middle.every.amount]
    return Spread(gaps, spacing, Line(state))


def _counts(state: State, device: Device, rivals: Sequence[Contender], most: int) -> Sequence[int]:
    """How often each slot is shown on a device: of all counts within its limits, the most valuable.

    `most`: of the slot in the article. Devices don't hinder each other here, and of the others there are two at most.
    """
    heights = [state.heights[contender.slot.name, device] for contender in rivals]
    ranges = [
        0
        if not height
        else min(most, contender.most_on(device), state.most_inside(device))
        if isinstance(contender.slot.place, MidArticle)
        else 1
        for contender, height in zip(rivals, heights, strict=True)
    ]
    limit = state.limit(device)
    if state.density(device, sum(map(mul, ranges, heights))) <= limit:
        return ranges
    order = sorted(range(len(rivals)), key=lambda i: -rivals[i].slot.priority)
    if len({contender.slot.priority for contender in rivals}) == len(rivals):
        # what is left to one slot never takes from a more important one
        counts = [0] * len(rivals)
        for i in order:
            counts[i] = ranges[i]
            while counts[i] and state.density(device, sum(map(mul, counts, heights))) > limit:
                counts[i] -= 1
        return counts
    value = _values(rivals)
    within = (
        counts
        for counts in product(*(range(n + 1) for n in ranges))
        if not any(counts) or state.density(device, sum(map(mul, counts, heights))) <= limit
    )
    return max(within, key=lambda counts: sum(n * value(i, 1) for i, n in enumerate(counts)))


def _take_evenly(
    chosen: Chosen, contender: Contender, anchors: Sequence[Anchor], by_device: Mapping[Device, int]
) -> None:
    """Take places in the order of the document, of which each device shows so many: one in the middle of each share."""
    n = len(anchors)
    shown = {device: {((2 * i + 1) * n - 1) // (2 * k) for i in range(k)} for device, k in by_device.items()}
    for i, anchor in enumerate(anchors):
        chosen.take(contender, anchor, tuple(device for device in contender.devices if i in shown[device]))


# --- searched -----------------------------------------------------------------------------------


def _searched(state: State, rivals: Sequence[Contender], headline: bool) -> Chosen:
    line = Line(state)
    found = search(state, line, rivals, _values(rivals), state.gaps().clearance, headline=headline)
    evenly = Chosen(state)
    for contender in rivals:
        own = sorted((p for p in found.placements if p.slot == contender.slot.name), key=lambda p: p.anchor.offset)
        by_device = {device: sum(device in p.devices for p in own) for device in contender.devices}
        if own and max(by_device.values()) == len(own) and all(contender.counts(p.anchor) for p in own):
            _take_evenly(evenly, contender, [p.anchor for p in own], by_device)
        else:
            for placement in own:
                evenly.take(contender, placement.anchor, placement.devices)
    return evenly
