"""What is a beacon, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adproxy.beacon import MAX_EVENTS, Event, nonce_of, parse
from adproxy.model import EventKind, WithheldReason

NONCE = "AAECAwQFBgcICQoLDA0ODw"
WHOLE: dict[str, Any] = {"v": 1, "t": "token", "n": NONCE, "e": [["page_view"]]}


def said(**changes: Any) -> bytes:
    return json.dumps({**WHOLE, **changes}).encode()


def test_each_kind_of_event_is_read() -> None:
    events = [
        ["page_view"],
        ["request", "in-article", 1],
        ["unfilled", "in-article", 2],
        ["withheld", "rail", 1, "no_consent"],
        ["rendered", "in-article", 1],
        ["viewable", "in-article", 1],
        ["click", "end", 1],
        ["density", 0.231, "phone"],
    ]
    beacon = parse(said(e=events, w=1))
    assert beacon is not None
    assert (beacon.token, beacon.nonce, beacon.webdriver) == ("token", bytes(range(16)), True)
    assert beacon.events == (
        Event(EventKind.PAGE_VIEW),
        Event(EventKind.REQUEST, "in-article", 1),
        Event(EventKind.UNFILLED, "in-article", 2),
        Event(EventKind.WITHHELD, "rail", 1, reason=WithheldReason.NO_CONSENT),
        Event(EventKind.RENDERED, "in-article", 1),
        Event(EventKind.VIEWABLE, "in-article", 1),
        Event(EventKind.CLICK, "end", 1),
        Event(EventKind.DENSITY, share=0.231, device="phone"),
    )
    assert {event.kind for event in beacon.events} == set(EventKind)


def test_a_browser_that_nobody_drives_says_nothing_of_it() -> None:
    beacon = parse(said())
    assert beacon is not None
    assert not beacon.webdriver


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"v": None},
        {"t": 1},
        {"n": NONCE[:-1]},
        {"n": NONCE + "A"},
        {"n": "é" * 22},
        {"n": None},
        {"e": []},
        {"e": {}},
        {"e": [["page_view"]] * (MAX_EVENTS + 1)},
        {"e": [["page_view", 1]]},
        {"e": [["page_view"], ["unheard_of", "top", 1]]},
        {"e": [["rendered", "top"]]},
        {"e": [["rendered", "top", 1, "more"]]},
        {"e": [["rendered", "top", 0]]},
        {"e": [["rendered", "top", 1000]]},
        {"e": [["rendered", "top", True]]},
        {"e": [["rendered", "top", "1"]]},
        {"e": [["rendered", "Top!", 1]]},
        {"e": [["rendered", "_other", 1]]},
        {"e": [["withheld", "top", 1]]},
        {"e": [["withheld", "top", 1, "no_reason"]]},
        {"e": [["withheld", "top", 1, ["gpc"]]]},
        {"e": [["density", 0.2]]},
        {"e": [["density", 0.2, "watch"]]},
        {"e": [["density", 0.2, ["phone"]]]},
        {"e": [["density", -0.1, "phone"]]},
        {"e": [["density", float("nan"), "phone"]]},
        {"e": [["density", 10**400, "phone"]]},
        {"e": [["density", True, "phone"]]},
        {"e": [[]]},
        {"e": [[["page_view"]]]},
    ],
)
def test_what_has_another_shape_is_no_beacon(changes: dict[str, Any]) -> None:
    assert parse(said(**changes)) is None


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff", b"[" * 2_048, b'{"v":1}', b"1" * 2_048])
def test_other_bodies_are_no_beacons(body: bytes) -> None:
    assert parse(body) is None


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_nothing_that_is_json_makes_it_fail(value: Any) -> None:
    parse(json.dumps(value).encode())
    parse(said(e=value))
    parse(said(e=[value]))


def test_more_than_everything_is_everything() -> None:
    beacon = parse(said(e=[["density", 7, "desktop"]]))
    assert beacon is not None
    assert beacon.events[0].share == 1.0


def test_two_spellings_of_the_same_bits_are_the_same_nonce() -> None:
    # 22 letters hold 132 bits, of which four say nothing
    assert nonce_of(NONCE) == nonce_of(NONCE[:-1] + "x") == bytes(range(16))
