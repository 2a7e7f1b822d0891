"""Which slots go where on a page, and why the others do not. Pure: numbers in, a plan out.

Sees no HTML, clock, socket, metric or visitor. First each slot's places are found (`between_blocks`, `single_spots`),
then all slots are placed together to the best of one objective (`choose`, which says what it is). Every place and every
slot that loses leaves a refusal: the reason, what was required, what was found, beside the set that was chosen.

A slot that stands in for another comes into question only where no rule but the limits kept that one out; then the
choice is made once more, with it instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from adproxy.model import DEVICES, Page, PerDevice, Placement, Plan, Reason
from adproxy.plan import between_blocks, single_spots
from adproxy.plan.choose import choose
from adproxy.plan.chosen import Chosen
from adproxy.plan.contender import Contender
from adproxy.plan.for_page import for_page
from adproxy.plan.ruler import found
from adproxy.plan.state import State
from adproxy.rules.per_revision import PerRevision
from adproxy.rules.ruleset import ByPage, MidArticle, Policy, SelectorPlace, Slot


def plan(page: Page, policy: Policy) -> Plan:
    """Place a policy's slots on a page.

    Never exceeds a limit of the policy; the same page and policy always give the same plan.
    """
    policy, unasked = for_page(page, policy)
    state = State(page, policy)
    state.refusals.extend(unasked)
    contenders = contenders_of(state)
    chosen = choose(state, contenders)
    if _has_stand_ins(policy):
        contenders, chosen = _with_stand_ins(state, contenders, chosen)
    for contender in contenders:
        _refuse_the_rest(state, chosen, contender)
    return Plan(
        placements=_numbered(chosen.placements),
        refusals=tuple(state.refusals),
        density=PerDevice(
            state.density("phone", chosen.used["phone"]), state.density("desktop", chosen.used["desktop"])
        ),
        content=state.content,
    )


def contenders_of(state: State) -> list[Contender]:
    """The slots that have places on the page, in the order of the rules, without those that stand in for others;
    refusals for the other places and slots."""
    slots = [slot for slot in state.policy.slots if not slot.instead_of]
    return [contender for slot in slots if (contender := _contender(state, slot)) is not None]


_has_stand_ins: Final = PerRevision(lambda policy: any(slot.instead_of for slot in policy.slots))


def _with_stand_ins(state: State, contenders: list[Contender], chosen: Chosen) -> tuple[list[Contender], Chosen]:
    """The choice with those slots that stand in for one which found no room, made anew without the latter.

    What kept that one out is said of the first choice, that a stand-in is not needed of what was chosen then.
    """
    counts: dict[str, int] = {}
    for placement in chosen.placements:
        counts[placement.slot] = counts.get(placement.slot, 0) + 1
    fitting = {contender.slot.name for contender in contenders}
    needed: dict[str, Contender] = {}
    replaced: set[str] = set()
    for slot in state.policy.slots:
        other = slot.instead_of
        if other and (other in counts or other not in fitting):
            actual = f"{counts[other]} placed" if other in counts else "no place for it, had it room"
            state.refuse(slot, Reason.NOT_NEEDED, f"a place for {other}, but no room", actual)
        elif other and (contender := _contender(state, slot)) is not None:
            needed[slot.name] = contender
            replaced.add(other)
    if not needed:
        return contenders, chosen
    for contender in contenders:
        if contender.slot.name in replaced:
            _refuse_the_rest(state, chosen, contender)
        else:
            needed[contender.slot.name] = contender
    again = [needed[slot.name] for slot in state.policy.slots if slot.name in needed]
    return again, choose(state, again)


def _contender(state: State, slot: Slot) -> Contender | None:
    """A slot with its places; None, and refusals, if it has none."""
    devices = tuple(d for d in DEVICES if state.heights[slot.name, d])
    if not devices:
        state.refuse(slot, Reason.NO_SIZES, "a size on some device", "none")
        return None
    creative = slot.creative
    if isinstance(creative, ByPage) and "{n}" not in creative.id:
        own = creative.numbered_id(slot.name, 1)
        if own in state.page.facts.ids:
            state.refuse(slot, Reason.ID_TAKEN, "an id that the page does not have yet", own)
            return None
    if not isinstance(slot.place, SelectorPlace) and state.page.article_problem is not None:
        state.refuse(slot, Reason.NO_ARTICLE, "an article on the page", "none found")
        return None
    have = state.ruler.between(0, len(state.page.blocks), slot.article_min.unit)
    if have < slot.article_min.amount:
        state.refuse(slot, Reason.ARTICLE_TOO_SHORT, f"at least {slot.article_min}", found(have, slot.article_min))
        return None
    if isinstance(slot.place, MidArticle):
        return between_blocks.contender(state, slot, slot.place, devices)
    return single_spots.contender(state, slot, devices)


def _refuse_the_rest(state: State, chosen: Chosen, contender: Contender) -> None:
    """A refusal for each of a slot's places that is not taken, or not shown on all of its devices."""
    slot = contender.slot
    shown = {p.anchor.offset: p.devices for p in chosen.placements if p.slot == slot.name}
    for anchor in sorted(contender.anchors, key=lambda a: a.offset):
        devices = shown.get(anchor.offset, ())
        if devices == contender.devices:
            continue
        obstacle = chosen.obstacle(contender, anchor) if not devices else None
        if obstacle is None:
            for device in contender.devices:
                if device in devices:
                    continue
                hidden = chosen.hidden_by(contender, anchor, device)
                verdict = hidden if hidden is not None else chosen.too_dense(contender, device)
                state.refuse(slot, *verdict, anchor=anchor, gap=anchor.gap, device=device)
        elif anchor.gap >= 0 or obstacle[0] is not Reason.MAX_OF_SLOT:
            state.refuse(slot, *obstacle, anchor=anchor, gap=anchor.gap)


def _numbered(placements: Iterable[Placement]) -> tuple[Placement, ...]:
    counts: dict[str, int] = {}
    result = []
    for placement in sorted(placements, key=lambda p: p.anchor.offset):
        n = counts[placement.slot] = counts.get(placement.slot, 0) + 1
        result.append(Placement(placement.slot, placement.anchor, n, placement.devices))
    return tuple(result)
