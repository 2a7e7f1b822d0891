"""Which slots go where on a page, and why the others do not. Pure: numbers in, a plan out.

Sees no HTML, clock, socket, metric or visitor. Slots are placed by priority, then in the order of the rules; each takes
the best of its positions that no rule forbids. Every position and every slot that loses leaves a refusal: the reason,
what was required, what was found.
"""

from __future__ import annotations

from adproxy.model import DEVICES, Page, PerDevice, Placement, Plan, Reason
from adproxy.plan import between_blocks, single_spots
from adproxy.plan.for_page import for_page
from adproxy.plan.ruler import found
from adproxy.plan.state import State
from adproxy.rules.ruleset import ByPage, MidArticle, Policy, SelectorPlace, Slot


def plan(page: Page, policy: Policy) -> Plan:
    """Place a policy's slots on a page.

    Never exceeds a limit of the policy; the same page and policy always give the same plan.
    """
    policy, unasked = for_page(page, policy)
    state = State.of(page, policy)
    state.refusals.extend(unasked)
    for slot in sorted(policy.slots, key=lambda s: -s.priority):
        _place(state, slot)
    return Plan(
        placements=_numbered(state.placements),
        refusals=tuple(state.refusals),
        density=PerDevice(state.density("phone"), state.density("desktop")),
        content=state.content,
    )


def _place(state: State, slot: Slot) -> None:
    devices = tuple(d for d in DEVICES if state.heights[slot.name, d])
    if not devices:
        state.refuse(slot, Reason.NO_SIZES, "a size on some device", "none")
        return
    creative = slot.creative
    if isinstance(creative, ByPage) and "{n}" not in creative.id:
        own = creative.numbered_id(slot.name, 1)
        if own in state.page.facts.ids:
            state.refuse(slot, Reason.ID_TAKEN, "an id that the page does not have yet", own)
            return
    if not isinstance(slot.place, SelectorPlace) and state.page.article_problem is not None:
        state.refuse(slot, Reason.NO_ARTICLE, "an article on the page", "none found")
        return
    have = state.ruler.between(0, len(state.page.blocks), slot.article_min.unit)
    if have < slot.article_min.amount:
        state.refuse(slot, Reason.ARTICLE_TOO_SHORT, f"at least {slot.article_min}", found(have, slot.article_min))
        return
    if isinstance(slot.place, MidArticle):
        between_blocks.place(state, slot, slot.place, devices)
    else:
        single_spots.place(state, slot, devices)


def _numbered(placements: list[Placement]) -> tuple[Placement, ...]:
    counts: dict[str, int] = {}
    result = []
    for placement in sorted(placements, key=lambda p: p.anchor.offset):
        n = counts[placement.slot] = counts.get(placement.slot, 0) + 1
        result.append(Placement(placement.slot, placement.anchor, n, placement.devices))
    return tuple(result)
