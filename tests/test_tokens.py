"""Page tokens: only we can make them, and they say what they were made of."""

from __future__ import annotations

import re
import string
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated
from small_site import policy

from adproxy.model import Anchor, Edge, Placement, Plan
from adproxy.tokens import MAX_TOKEN, Keyring, PageFacts, PageMarks, day_of, facts_of, is_alive

KEYS = Keyring("first key, which signs at the moment!", "second key, which signed before that")
FACTS = PageFacts("asia-news", "/2024/05/story", "0123456789ab", 20_000, (("billboard", 1), ("in-article", 3)))

names = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=40)
pages = st.builds(
    PageFacts,
    names,
    st.text(max_size=60),
    st.text("0123456789abcdef", min_size=12, max_size=12),
    st.integers(0, 99_999),
    st.lists(st.tuples(names, st.integers(1, 9)), max_size=6).map(tuple),
)


@settings(deadline=None)
@given(pages)
def test_a_token_says_what_it_was_made_of(facts: PageFacts) -> None:
    token = KEYS.sign(facts)
    assert KEYS.read(token) == facts
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", token)


def test_no_mutation_of_a_token_is_believed() -> None:
    token = KEYS.sign(FACTS)
    tried = list(mutated(token, 20_000))
    assert len(set(tried)) == 20_000
    assert [other for other in tried if KEYS.read(other) is not None] == []


def test_another_spelling_of_the_same_bytes_is_another_token() -> None:
    # the last letter of a signature of 32 bytes carries two bits of nothing, which base64 does not look at
    token = KEYS.sign(FACTS)
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    last = letters.index(token[-1])
    twins = [token[:-1] + letters[last ^ bits] for bits in (1, 2, 3)]
    for other in (*twins, token + "=", token + "\n", token.replace("_", "/") + " "):
        assert KEYS.read(other) is None


@pytest.mark.parametrize("text", ["", ".", "..", "é.é", "e30.", "." * 2_000, "\0", "\ud800.x"])
def test_what_is_no_token_is_none(text: str) -> None:
    assert KEYS.read(text) is None


def test_the_key_before_is_still_believed_and_older_ones_are_not() -> None:
    first, second, third = (f"a key with the number {number} and enough letters" for number in (1, 2, 3))
    token = Keyring(first).sign(FACTS)
    assert Keyring(second, first).read(token) == FACTS
    assert Keyring(third, second).read(token) is None
    assert Keyring(second, first).sign(FACTS) == Keyring(second).sign(FACTS) != token


def test_a_short_key_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="the previous key has 7 characters; expected at least 32") as problem:
        Keyring("x" * 32, "secret!")
    assert "secret!" not in str(problem.value)


def test_a_page_with_another_day_key_or_revision_has_another_tag() -> None:
    other = Keyring("another key, with enough letters in it")
    variants = {KEYS.variant("a", 1), KEYS.variant("a", 2), KEYS.variant("b", 1), other.variant("a", 1)}
    assert len(variants) == 4
    assert all(re.fullmatch(r"[0-9A-Za-z._-]+", variant) for variant in variants)


def test_a_token_lives_for_the_days_that_it_is_given() -> None:
    assert [is_alive(FACTS, FACTS.day + past, 7) for past in (-2, -1, 0, 7, 8)] == [False, True, True, True, False]
    assert day_of(86_399.9) == 0
    assert day_of(86_400) == 1


def test_placements_are_numbered_over_the_whole_page() -> None:
    found = [FACTS.place_of(slot, n) for slot, n in (("billboard", 1), ("in-article", 1), ("in-article", 3))]
    assert found == [0, 1, 3]
    for slot, n in (("billboard", 2), ("billboard", 0), ("in-article", 4), ("in-article", -1), ("rail", 1)):
        assert FACTS.place_of(slot, n) == -1


def plan_of(*slots: str) -> Plan:
    return Plan(tuple(Placement(slot, Anchor(0, Edge.BEFORE_START), 1) for slot in slots))


def test_the_slots_of_a_plan_are_counted() -> None:
    facts = facts_of(policy(), plan_of("top", "in", "in"), "/story", 20_000)
    assert facts == PageFacts("small-site", "/story", policy().revision, 20_000, (("top", 1), ("in", 2)))


@settings(deadline=None)
@given(st.text(), st.lists(names, max_size=60))
def test_a_token_has_room_in_a_beacon_whatever_the_page(path: str, slots: list[str]) -> None:
    facts = facts_of(policy(), plan_of(*slots), "/" + path * 40, 20_000)
    token = KEYS.sign(facts)
    assert len(token) <= MAX_TOKEN
    assert KEYS.read(token) == facts
    assert set(facts.slots) <= {(slot, slots.count(slot)) for slot in slots}


def test_long_paths_with_the_same_beginning_stay_apart() -> None:
    one, other = (facts_of(policy(), plan_of(), "/x" * 400 + end, 0).path for end in "ab")
    assert one != other
    assert len(one) < 350


def test_marks_lead_under_the_prefix_and_name_no_address_to_go_to() -> None:
    token = KEYS.sign(FACTS)
    marks = PageMarks(token, "/_adproxy/")
    for link, path in ((marks.click("in-article", 2), "click"), (marks.seen("in-article", 2), "seen")):
        parts = urlsplit(link)
        assert (parts.scheme, parts.netloc, parts.path) == ("", "", f"/_adproxy/{path}")
        assert parse_qs(parts.query) == {"t": [token], "s": ["in-article"], "i": ["2"]}
