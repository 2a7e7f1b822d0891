"""Slots between the blocks of the article: the gaps that no rule forbids to them."""

from __future__ import annotations

from typing import Final

from adproxy.model import Anchor, BlockKind, Device, Reason
from adproxy.plan.contender import Contender
from adproxy.plan.gaps import Verdict
from adproxy.plan.ruler import found
from adproxy.plan.state import State
from adproxy.rules.ruleset import MidArticle, Slot, needs_settled

_ILLEGAL: Final[Verdict] = (Reason.NO_LEGAL_ANCHOR, "a place where a div may stand", "none that the markup proves")
_NOT_WITHIN: Final[Verdict] = (
    Reason.SPLITS_GROUP,
    "nothing within a box of its own or between columns",
    "one of these",
)


def contender(state: State, slot: Slot, where: MidArticle, devices: tuple[Device, ...]) -> Contender | None:
    """A slot with the gaps that it may take; None if there are none. Leaves a refusal for all others."""
    gaps = state.page.gaps
    forbidden = _forbidden(state, slot)
    for i, (reason, required, actual) in forbidden.items():
        state.refuse(slot, reason, required, actual, anchor=gaps[i].anchor, gap=i)
    between = range(1, len(state.page.blocks))
    fitting = [i for i in between if i not in forbidden]
    if not fitting:
        state.refuse(slot, Reason.NO_SUCH_PLACE, "a gap that no rule forbids", f"none of {len(between)}")
        return None
    narrow = where.at is not None or where.after_paragraph is not None
    preferred = _preferred(state, where, fitting) if narrow else fitting
    if narrow:
        kept = set(preferred)
        for i in fitting:
            if i not in kept:
                state.refuse(slot, Reason.NOT_AT_POSITION, _position(where), f"gap {i}", anchor=gaps[i].anchor, gap=i)
        if not preferred:
            return None
    anchors: list[Anchor] = [anchor for i in preferred if (anchor := gaps[i].anchor) is not None]
    return Contender(slot, devices, anchors, 1 if narrow else slot.max, narrow or where.every is not None)


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
            verdicts[i] = _NOT_WITHIN if page.gaps[i].problem is Reason.SPLITS_GROUP else _ILLEGAL
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


def _position(where: MidArticle) -> str:
    if where.at is not None:
        return f"at {where.at:.0%} of the article"
    return f"after paragraph {where.after_paragraph}"


def _preferred(state: State, where: MidArticle, fitting: list[int]) -> list[int]:
    """The fitting gaps that lie within the slot's shift of the one that its place names, the nearest first."""
    ideal = _ideal(state, where)
    if ideal is None:
        return []
    shift = state.ruler.sums(where.shift.unit)
    near = [i for i in fitting if abs(shift[i] - shift[ideal]) <= where.shift.amount]
    if where.at is None:
        return sorted(near, key=lambda i: (abs(i - ideal), i))
    words = state.ruler.sums("words")
    exact = where.at * words[-1]
    return sorted(near, key=lambda i: (abs(words[i] - exact), i))


def _ideal(state: State, where: MidArticle) -> int | None:
    """The gap that a slot's place names, be it forbidden or not; None where there is no such paragraph."""
    if where.at is not None:
        words = state.ruler.sums("words")
        exact = where.at * words[-1]
        return min(range(len(words)), key=lambda i: abs(words[i] - exact))
    paragraphs = [i for i, b in enumerate(state.page.blocks) if b.kind is BlockKind.PARAGRAPH]
    n = where.after_paragraph or 1
    index = n - 1 if n > 0 else len(paragraphs) + n
    return paragraphs[index] + 1 if 0 <= index < len(paragraphs) else None
