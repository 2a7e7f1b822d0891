"""What is allowed in rules and yet can't be meant: slots that never come, sizes that don't fit, costly selectors.

Each doubt can be proven from the rules alone; what depends on the pages is `adproxy diff`'s and `explain`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from adproxy.errors import Problem
from adproxy.model import DESKTOP_WIDTH, PHONE_WIDTH
from adproxy.rules import schema
from adproxy.rules.ruleset import (
    Distance,
    FixedPlace,
    ImageCreative,
    MidArticle,
    Policy,
    SelectorPlace,
    Slot,
    needs_settled,
)
from adproxy.rules.selectors import MAX_WALKS, walks_of
from adproxy.rules.strict_yaml import Map, Mark, Scalar, Seq, quoted

Where = tuple[str | int, ...]


class Kind(NamedTuple):
    """A kind of pages of a rule set."""

    paths: tuple[str, ...]
    merged: Map
    """The values that hold for it."""
    policy: Policy
    """What was made of them."""


def doubts_of(kinds: Sequence[Kind]) -> Iterator[Problem]:
    """All doubts about a rule set."""
    for _, merged, policy in kinds:
        for slot in policy.slots:
            yield from _never_placed(merged, policy, slot)
            yield from _never_needed(merged, policy, slot)
            yield from _max_without_effect(merged, policy, slot)
            yield from _too_wide(merged, policy, slot)
        yield from _costly(merged, policy)
    yield from _asked_of_requests(kinds)
    # a kind of page may well have no ads in the article; where none has any, the slot is there for nothing
    if kinds and all(kind.policy.limits.in_article == 0 for kind in kinds):
        _, merged, policy = kinds[0]
        names = [slot.name for slot in policy.slots if isinstance(slot.place, MidArticle)]
        if names:
            listed = ", ".join(map(quoted, names))
            found = f"no slot allowed in the article, and {listed} for the middle of it"
            yield _doubt(merged, ("limits", "in_article"), found, f"1 at least, or '{names[0]}: false'")


def repeated_hosts(document: Map) -> Iterator[Problem]:
    """Hosts that a file names twice."""
    hosts = document.entries.get("hosts")
    seen: dict[str, Mark] = {}
    for node in hosts.items if isinstance(hosts, Seq) else ():
        if isinstance(node, Scalar):
            name = node.text.lower().rstrip(".")
            if first := seen.get(name):
                yield doubt(node.at, f"the host {quoted(name)} again", f"each host once; it stands in {first}")
            seen.setdefault(name, node.at)


def doubt(at: Mark, found: str, expected: str, hint: str = "") -> Problem:
    """A doubt at a place."""
    return Problem(at.file, at.line, at.column, found, expected, hint, warning=True)


def _doubt(merged: Map, where: Where, found: str, expected: str, hint: str = "") -> Problem:
    _, at, key_at = schema.find(merged, where)
    return doubt(key_at or at, found, expected, hint)


# --- slots that never come --------------------------------------------------------------------------


def _never_placed(merged: Map, policy: Policy, slot: Slot) -> Iterator[Problem]:
    here: Where = ("slots", slot.name)
    if not slot.sizes.at(PHONE_WIDTH) and not slot.sizes.at(DESKTOP_WIDTH):
        steps = ", ".join(f"from {width} px" for width, sizes in slot.sizes.steps if sizes)
        found = f"{quoted(slot.name)} with sizes {steps} alone, neither on a phone nor on a desktop"
        hint = "It is never placed: sizes hold until the next breakpoint, and '[]' ends them"
        expected = f"sizes for screens of {PHONE_WIDTH} px, of {DESKTOP_WIDTH} px, or both"
        yield _doubt(merged, (*here, "sizes"), found, expected, hint)
    least = max(policy.when.min_words, slot.when.min_words)
    bounds = [most for most in (policy.when.max_words, slot.when.max_words) if most is not None]
    if not bounds:
        return
    most = min(bounds)
    if least > most:
        key = (*here, "when") if slot.when.min_words == least and slot.when.min_words else ("when",)
        found = f"{quoted(slot.name)} in articles of {least} words at least and {most} at most"
        yield _doubt(merged, key, found, "a length that an article can have", "It is never placed")
    if _words(slot.article_min) > most:
        found = f"{quoted(slot.name)} in articles of at least {slot.article_min}, where 'when' allows {most} at most"
        yield _doubt(merged, (*here, "article_min"), found, f"at most {most} words", "It is never placed")
    if isinstance(slot.place, MidArticle):
        first = max(_words(slot.first_after), _words(slot.place.every))
        last = _words(slot.before_end)
        if first + last > most:
            key = (*here, "first_after" if _words(slot.first_after) == first else "every")
            found = f"{quoted(slot.name)} with {first:g} words before it and {last:g} after it, in articles of at most"
            hint = "It is never placed" + (", save where an editor's mark names it" if _markable(policy, slot) else "")
            yield _doubt(merged, key, f"{found} {most}", f"{most} words in sum at most", hint)


def _never_needed(merged: Map, policy: Policy, slot: Slot) -> Iterator[Problem]:
    """A slot that stands in for another on no page: wherever it may stand, that one has no place or has room too."""
    other = next((other for other in policy.slots if other.name == slot.instead_of), None)
    if other is None:
        return
    where: Where = ("slots", slot.name, "instead_of")
    marked = _markable(policy, slot) or _markable(policy, other)
    hint = "It is never placed" + (", save where an editor's mark names one of the two" if marked else "")
    for asks, bound in ((slot, other), (other, slot)):
        least, most = max(asks.when.min_words, _words(asks.article_min)), bound.when.max_words
        if most is not None and least > most:
            lengths = f"of {least:g} words at least, {quoted(bound.name)} of {most} at most"
            found = f"{quoted(asks.name)} in articles {lengths}"
            yield _doubt(merged, where, found, "a length of article that both slots are for", hint)
            return
    if _takes_as_much(slot, other):
        found = f"{quoted(slot.name)} with the place of {quoted(other.name)}, and at least as tall on each device"
        yield _doubt(merged, where, found, f"sizes that are flatter than those of {quoted(other.name)}", hint)


def _takes_as_much(slot: Slot, other: Slot) -> bool:
    """Whether a slot fits nowhere that another one does not fit as well, and is worth no more."""
    widths = (PHONE_WIDTH, DESKTOP_WIDTH)
    heights = [(slot.height_at(width), other.height_at(width)) for width in widths]
    apart = ((slot.first_after, other.first_after), (slot.before_end, other.before_end))
    return (
        slot.place == other.place
        and all(bool(own) == bool(others) and own >= others for own, others in heights)
        and all(own.amount >= others.amount and (own.unit == others.unit or not others.amount) for own, others in apart)
        and slot.priority <= other.priority
        and slot.max <= other.max
        and other.max_on in (None, slot.max_on)
        and (needs_settled(slot) or not needs_settled(other))
    )


def _words(distance: Distance | None) -> float:
    """Of a distance in another unit nothing can be said in words."""
    return distance.amount if distance is not None and distance.unit == "words" else 0.0


def _markable(policy: Policy, slot: Slot) -> bool:
    """Whether marks in a page may place it, which are as many places as there are marks."""
    return policy.markers is None or slot.name in policy.markers


def _max_without_effect(merged: Map, policy: Policy, slot: Slot) -> Iterator[Problem]:
    place = slot.place
    if slot.max == 1 or isinstance(place, SelectorPlace) or _markable(policy, slot):
        return
    if isinstance(place, MidArticle):
        if place.after_paragraph is None and place.at is None:
            return
        kind = "'after'" if place.at is None else "'at'"
    else:
        kind = f"'{place.value}'" if isinstance(place, FixedPlace) else "the sidebar"
    found = f"'max: {slot.max}' for {quoted(slot.name)}, which has one place by {kind}"
    hint = "It stands once on a page. For more write 'every', or a slot for each place"
    yield _doubt(merged, ("slots", slot.name, "max"), found, "no 'max'", hint)


# --- sizes ------------------------------------------------------------------------------------------


def _too_wide(merged: Map, policy: Policy, slot: Slot) -> Iterator[Problem]:
    column = policy.layout.phone.column
    for width, sizes in slot.sizes.steps:
        on_phones = width <= PHONE_WIDTH
        room = column if on_phones else width
        for index, size in enumerate(sizes):
            if size.width <= room:
                continue
            screen = (
                f"a phone's column of {room:g} px (of {PHONE_WIDTH})"
                if on_phones
                else f"the screens that it is meant for, which begin at {width} px"
            )
            found = f"the size {size} of {quoted(slot.name)}, wider than {screen}"
            hint = "It is cut off, or makes the page scroll sideways"
            where = _size_at(merged, slot, width, index)
            _, at, _ = schema.find(merged, where)
            yield doubt(at, found, f"at most {room:g} px", hint)


def _size_at(merged: Map, slot: Slot, width: int, index: int) -> Where:
    here: Where = ("slots", slot.name)
    stated = schema.find(merged, here)[0]
    if isinstance(stated, Map) and "sizes" not in stated.entries:
        return (*here, "creative", "image" if isinstance(slot.creative, ImageCreative) else "iframe", "size")
    breakpoints = merged.entries.get("breakpoints")
    names = breakpoints.entries if isinstance(breakpoints, Map) else {}
    name = next((n for n, node in names.items() if isinstance(node, Scalar) and node.value == width), "")
    return (*here, "sizes", name, index)


# --- caches -----------------------------------------------------------------------------------------


def _asked_of_requests(kinds: Iterable[Kind]) -> Iterator[Problem]:
    """Pages that are not the same for everybody, so that caches keep several of each or none."""
    where = ("visitors", "ad_free", "header")
    paths: dict[Mark, list[str]] = {}
    names: dict[Mark, str] = {}
    for kind in kinds:
        if kind.policy.visitors.ad_free_header:
            _, at, key_at = schema.find(kind.merged, where)
            paths.setdefault(key_at or at, []).extend(kind.paths)
            names[key_at or at] = kind.policy.visitors.ad_free_header
    for at, globs in paths.items():
        found = f"pages that differ by the request's header {quoted(names[at])}: {', '.join(dict.fromkeys(globs))}"
        hint = "Caches in front keep one of each for every value of it, or none: see 'Vary'"
        yield doubt(at, found, "'cookie', which the browser looks at, so that pages are the same for all", hint)


# --- selectors --------------------------------------------------------------------------------------


def _costly(merged: Map, policy: Policy) -> Iterator[Problem]:
    for selector, where in _selectors(policy):
        if walks_of(selector) < MAX_WALKS:
            continue
        found = f"the selector {quoted(selector)}, which looks through all that lies around or inside {MAX_WALKS} times"
        hint = "On deeply nested pages it takes up to 0.1 s: leave out the outer part, or use '>'"
        yield _doubt(merged, where, found, "one space or ':has' at most", hint)


def _selectors(policy: Policy) -> Iterator[tuple[str, Where]]:
    for key, selector in (("article", policy.article), ("sidebar", policy.sidebar)):
        if selector is not None:
            yield selector, (key,)
    for selector, _ in policy.keep_clear.around:
        yield selector, ("keep_clear", "around", selector)
    conditions: list[tuple[Where, Iterable[str]]] = [
        (("when", "has"), policy.when.has),
        (("when", "has_not"), policy.when.has_not),
    ]
    for slot in policy.slots:
        here: Where = ("slots", slot.name)
        if isinstance(slot.place, SelectorPlace):
            yield slot.place.selector, (*here, "place")
        conditions += [((*here, "when", "has"), slot.when.has), ((*here, "when", "has_not"), slot.when.has_not)]
    for where, selectors in conditions:
        for selector in selectors:
            yield selector, where
