"""Slots with a place of their own: around the headline, after the article, in the sidebar, at a selector."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Final

from adproxy.model import Anchor, Device, Page, Reason, Spot
from adproxy.plan.contender import Contender
from adproxy.plan.gaps import Verdict
from adproxy.plan.state import State
from adproxy.rules.per_revision import PerRevision
from adproxy.rules.ruleset import FixedPlace, SelectorPlace, SidebarPlace, Slot, needs_settled, sides


def contender(state: State, slot: Slot, devices: tuple[Device, ...]) -> Contender | None:
    """A slot with the spots that it may take, the preferred first; None if there are none.

    Leaves a refusal for those that it may not take.
    """
    where = slot.place
    spots = _spots(state.page, slot)
    if not spots:
        wanted = "a sidebar" if isinstance(where, SidebarPlace) else "an element that matches the selector"
        state.refuse(slot, Reason.NO_SUCH_PLACE, wanted, "none on the page")
        return None
    anchors: dict[int, Anchor] = {}
    for spot in spots:
        shifted = where is FixedPlace.BELOW_HEADLINE and spot is not spots[0]
        verdict = _forbidden(state, slot, spot, shifted=shifted)
        if verdict is not None or spot.anchor is None:
            reason, required, actual = verdict or (Reason.NO_LEGAL_ANCHOR, "a place where a div may stand", "none")
            state.refuse(slot, reason, required, actual, anchor=spot.anchor)
            continue
        gap = _gap_at(state.page, spot.anchor.offset) if isinstance(where, SelectorPlace) else -1
        anchors.setdefault(spot.anchor.offset, spot.anchor.in_gap(gap))
        if where is FixedPlace.BELOW_HEADLINE:
            break  # it shifts no farther than it has to
    if not anchors:
        return None
    most = slot.max if isinstance(where, SelectorPlace) else 1
    return Contender(slot, devices, list(anchors.values()), most, ranked=True)


def _spots(page: Page, slot: Slot) -> list[Spot]:
    """A slot's spots in the order in which they are tried."""
    where = slot.place
    if where is FixedPlace.ABOVE_HEADLINE:
        return [page.above_headline]
    if where is FixedPlace.BELOW_HEADLINE:
        within = page.further_below[: int(slot.shift.amount)]
        return [page.below_headline, *(spot for spot in within if spot is not None)]
    if where is FixedPlace.END_OF_ARTICLE:
        return [page.end_of_article]
    if isinstance(where, SidebarPlace):
        # spot n lies after the n-th widget; where it is forbidden, the nearest one
        last = len(page.sidebar) - 1
        wanted = 0 if where.widget == "first" else last if where.widget == "last" else min(where.widget, last)
        read = [(abs(i - wanted), i, spot) for i, spot in enumerate(page.sidebar) if spot is not None]
        return [spot for _, _, spot in sorted(read, key=lambda found: found[:2])]
    if isinstance(where, SelectorPlace):
        return list(page.named.get(where.key, ()))
    return []


def _gap_at(page: Page, offset: int) -> int:
    """The gap of the article that an offset falls into, -1 for none."""
    known = [(g.anchor.offset, i) for i, g in enumerate(page.gaps) if g.anchor is not None]
    if not known or not known[0][0] <= offset <= known[-1][0]:
        return -1
    return known[bisect_left(known, (offset, -1))][1]


_sides_of: Final = PerRevision(
    lambda policy: (sides(policy.keep_clear.around_existing_ads), sides(policy.keep_clear.around_media))
)
"""How far a policy's slots stay from the page's own ads, and from media."""


def _forbidden(state: State, slot: Slot, spot: Spot, *, shifted: bool) -> Verdict | None:
    """Why a slot can't stand at a spot, whatever else is placed; None if it can.

    `shifted`: the rules don't name the spot, so a slot there touches neither media nor an ad, whatever they keep clear.
    """
    if spot.anchor is None:
        reason = spot.problem or Reason.NO_LEGAL_ANCHOR
        if reason is Reason.NO_SUCH_PLACE:
            return reason, "the place that the rule names", "none on the page"
        return reason, "a place where a div may stand", "none that the markup proves"
    if needs_settled(slot) and not spot.anchor.settled:
        return Reason.PENDING_FORMATTING, "no formatting left open", "some is, and would leak into the slot"
    ads, media = _sides_of(state.policy)
    for words, distance in ((spot.ad_before, ads.above), (spot.ad_after, ads.below)):
        # A spot knows words alone; by any other unit, an ad within its reach is too near.
        enough = distance.amount if distance.unit == "words" else math.inf
        if words is not None and distance.amount > 0 and words < enough:
            return Reason.NEAR_EXISTING_AD, f"{distance} from the page's own ads", f"{words} words"
        if shifted and words == 0:
            return Reason.NEAR_EXISTING_AD, "text between slot and ad", "an ad of the page directly beside it"
    above, below = shifted or media.above.amount > 0, shifted or media.below.amount > 0
    if (spot.media_before and above) or (spot.media_after and below):
        return Reason.NEAR_MEDIA, "text between slot and media", "media directly beside it"
    if spot.lead_in_before:
        return Reason.AFTER_LEAD_IN, "no text that ends in a colon before", "one directly before"
    if spot.heading_before and isinstance(slot.place, (SidebarPlace, SelectorPlace)):
        return Reason.AFTER_HEADING, "no heading directly before", "one directly before"
    return None
