"""What each reason for a refusal means, for people."""

from __future__ import annotations

from adproxy.account import RefusalAccount

REFUSALS = {
    "no_article": "no article was found on the page",
    "article_too_short": "the article has fewer words than the slot needs",
    "no_such_place": "the page has no such place",
    "no_legal_anchor": "nothing can be inserted there without changing the page",
    "pending_formatting": "formatting that was left open would run into the slot",
    "after_heading": "right behind a heading",
    "after_lead_in": "between a colon and what it announces",
    "splits_group": "between things that belong together",
    "near_media": "too near to a picture or video",
    "near_existing_ad": "too near to an ad of the page's own",
    "near_aside": "too near to a box that is not the article's",
    "near_avoided": "too near to what the rules keep clear",
    "mid_sentence": "in the middle of a sentence",
    "too_near_start": "too near to the article's start",
    "too_near_end": "too near to the article's end",
    "too_near_slot": "too near to another slot",
    "density": "more advertising than the rules allow",
    "max_of_slot": "the slot is on the page as often as it may be",
    "max_in_article": "the article has as many slots as it may have",
    "not_at_position": "not at the position that the rules name",
    "no_sizes": "the slot has no size for that device",
    "id_taken": "the page has an element with the slot's id",
    "condition": "the page does not meet the rules' condition",
    "not_needed": "the slot that it stands in for has room, or would have no place anyway",
}
"""By the reason's label."""


def meaning_of(refusal: RefusalAccount) -> str:
    """A refusal's reason in words, with the device where it holds on one alone."""
    meaning = REFUSALS.get(refusal["reason"], refusal["reason"])
    return f"{meaning}, on {refusal['device']}" if refusal["device"] else meaning
