"""Which of a policy's slots come into question on a page, and where an editor wants them: conditions and markers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from adproxy.model import Page, Reason, Refusal
from adproxy.rules.per_revision import PerRevision
from adproxy.rules.ruleset import ALWAYS, Policy, Said, SelectorPlace, Slot, When

_DAY: Final = re.compile(r"\s*(\d{4}-\d{2}-\d{2})(?!\d)")
# How schema.org spells truth values where they are no JSON ones.
_SCHEMA_ORG: Final = re.compile(r"https?://schema\.org/(true|false)")
# Of a text on the page, in an explanation.
_SHOWN: Final = 60


def for_page(page: Page, policy: Policy) -> tuple[Policy, tuple[Refusal, ...]]:
    """The policy with the slots that the page is for, and a refusal for each of the others.

    A slot that markers in the page name stands at these, and nowhere else: who marks a place has chosen it. The limits
    of the page hold for it as for any slot; nor does it stand in for another then.
    """
    if not page.named and _asks_nothing(policy):
        return policy, ()
    when = policy.when
    general = None if when is ALWAYS else unmet(when, page)
    slots: list[Slot] = []
    refusals: list[Refusal] = []
    for slot in policy.slots:
        verdict = general or (None if slot.when is ALWAYS else unmet(slot.when, page))
        if verdict is not None:
            refusals.append(Refusal(slot.name, Reason.CONDITION, *verdict))
            continue
        marked = SelectorPlace("marked", slot.name)
        slots.append(replace(slot, place=marked, instead_of="") if marked.key in page.named else slot)
    if refusals or any(a is not b for a, b in zip(slots, policy.slots, strict=False)):
        # Without its revision: what is remembered of the policy as a whole isn't true of these slots.
        policy = replace(policy, slots=tuple(slots), revision="")
    return policy, tuple(refusals)


_asks_nothing: Final = PerRevision(
    lambda policy: policy.when is ALWAYS and all(slot.when is ALWAYS for slot in policy.slots)
)
"""Whether a policy's slots are for any page."""


def unmet(when: When, page: Page) -> tuple[str, str] | None:
    """The first condition that a page doesn't meet: what it requires, and what was found; None where all hold."""
    words, facts = page.words, page.facts
    if words < when.min_words:
        return f"at least {when.min_words} words in the article", f"{words} words"
    if when.max_words is not None and words > when.max_words:
        return f"at most {when.max_words} words in the article", f"{words} words"
    if when.language is not None:
        tags = [facts.lang.split("-")[:n] for n in range(1, facts.lang.count("-") + 2)] if facts.lang else []
        wrong = _missed(when.language, ["-".join(tag) for tag in tags], "language", facts.lang)
        if wrong is not None:
            return wrong
    for kind, asked, said in (("meta", when.meta, facts.meta), ("json_ld", when.json_ld, facts.json_ld)):
        for name, wanted in asked:
            text = said.get(name, "")
            wrong = _missed(wanted, _as_compared(text), f"{kind} {name}", text)
            if wrong is not None:
                return wrong
    for selector in when.has:
        if selector not in facts.matched:
            return f"something that matches {selector}", "nothing does"
    for selector in when.has_not:
        if selector in facts.matched:
            return f"nothing that matches {selector}", "something does"
    return None


def _as_compared(text: str) -> list[str]:
    """A page's text in the forms that a condition may name: as a whole, and each item of a list."""
    lowered = _SCHEMA_ORG.sub(r"\1", " ".join(text.lower().split()))
    if not lowered:
        return []
    return [lowered, *(item.strip() for item in lowered.split(",") if "," in lowered)]


def _missed(wanted: Said, forms: list[str], what: str, text: str) -> tuple[str, str] | None:
    """What `wanted` requires and what was found, or None where the text is as wanted."""
    found = f"“{text[:_SHOWN]}”" if text else "none"
    if wanted.one_of and not any(form in wanted.one_of for form in forms):
        return f"{what} {' or '.join(wanted.one_of)}", found
    if any(form in wanted.none_of for form in forms):
        return f"{what} not {' or '.join(wanted.none_of)}", found
    if wanted.since or wanted.before:
        match = _DAY.match(text)
        day = match[1] if match else ""
        if wanted.since and not day >= wanted.since:
            return f"{what} of {wanted.since} or later", found
        if wanted.before and not (day and day < wanted.before):
            return f"{what} before {wanted.before}", found
    return None
