"""Where a slot below the headline shifts to: behind a standfirst or a byline, never between picture and caption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from adproxy.account import account_of, decide
from adproxy.explanation import told
from adproxy.model import Page
from adproxy.page.read import Wanted, read
from adproxy.plan import plan
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import (
    NO_DISTANCE,
    ByPage,
    Clearance,
    Distance,
    FixedPlace,
    KeepClear,
    Limits,
    Policy,
    Sides,
    Size,
    SizeMap,
    Slot,
)

SENTENCE = "The harbour lay quiet and nobody had seen the boat since late in the evening. "
TEXT = f"<p>{SENTENCE * 2}</p>" * 5
PICTURE = "<img src=/quay.jpg width=640 height=360>"
FIGURE = f"<figure>{PICTURE}<figcaption>The quay on Monday.</figcaption></figure>"
AD = "<div class=ad-slot></div>"
STANDFIRST = "<p class=standfirst>Nobody had seen the boat, they said.</p>"
BYLINE = "<div class=byline>By Ebba Thorn</div>"
SLOT = Slot("under", FixedPlace.BELOW_HEADLINE, SizeMap(((0, (Size(320, 50),)),)), ByPage())


def page_of(html: str, most: int = 4) -> tuple[str, Page]:
    whole = f"<body><main><article><h1>Head</h1>{html}{TEXT}</article></main>"
    plain = whole.replace("|", "")
    return whole, read(plain.encode(), Wanted(below_headline=True, further_below=most))


def shown(html: str, most: int = 4) -> str:
    """The page's beginning with a bar at each spot that a slot may shift to."""
    whole, page = page_of(html, most)
    plain = whole.replace("|", "").encode()
    offsets = sorted({spot.anchor.offset for spot in page.further_below if spot and spot.anchor})
    pieces, at = [], 0
    for offset in offsets:
        pieces.append(plain[at:offset])
        at = offset
    return b"|".join([*pieces, plain[at:]]).decode()


@pytest.mark.parametrize(
    "html",
    [
        f"{FIGURE}{STANDFIRST}|{BYLINE}|",
        f"{FIGURE}{BYLINE}|",
        f"{PICTURE}<p>Photo: Ebba Thorn</p>{STANDFIRST}|",
        f"{PICTURE}{STANDFIRST}|",
        f"{PICTURE}<p>The quay on Monday</p><p>Ebba Thorn</p>|",
        f"{AD}{STANDFIRST}{BYLINE}",
        f"<div>{FIGURE}</div>{BYLINE}|<time>3 May</time>",
        f"{FIGURE}{BYLINE}<nav><a href=/a>Share</a></nav>",
        f"{FIGURE}{BYLINE}|<div class=unknown>What this is nobody can say.</div>{STANDFIRST}",
        f"{FIGURE}<p>{'word ' * 120}</p>",
        f"{FIGURE}<h2 class=subtitle>What nobody saw</h2>",  # a heading right before the text is the article's
        f"{FIGURE}text that has no element{BYLINE}",
    ],
)
def test_it_lies_behind_what_goes_with_the_headline_and_nothing_else(html: str) -> None:
    whole = page_of(html)[0]
    assert shown(html) == whole


def test_so_many_elements_are_passed_as_the_rules_say() -> None:
    assert len(page_of(f"{FIGURE}{STANDFIRST}{BYLINE}", most=2)[1].further_below) == 2
    assert page_of(f"{FIGURE}{STANDFIRST}{BYLINE}", most=0)[1].further_below == ()


def test_where_the_spot_right_below_is_clear_nothing_else_is_looked_for() -> None:
    assert page_of(f"{STANDFIRST}{BYLINE}")[1].further_below == ()


def policy(slot: Slot = SLOT, clear: Clearance = NO_DISTANCE) -> Policy:
    keep = KeepClear(NO_DISTANCE, clear, NO_DISTANCE)
    return Policy("s", None, None, Limits(), keep, (slot,))


def placed(html: str, slot: Slot = SLOT, clear: Clearance = NO_DISTANCE) -> str | None:
    """What follows the slot; None where it is not placed."""
    whole, page = page_of(html)
    found = plan(page, policy(slot, clear)).placements
    return whole.encode()[found[0].anchor.offset :].decode().removesuffix(f"{TEXT}</article></main>") if found else None


NEAR = Distance(30, "words")


def test_a_slot_shifts_no_farther_than_it_has_to() -> None:
    html = f"{FIGURE}{STANDFIRST}{BYLINE}"
    assert placed(html, clear=NEAR) == BYLINE
    assert placed(html) == html, "the rules keep nothing clear of a picture"


def test_it_keeps_within_the_bound_that_the_rules_give() -> None:
    html = f"{FIGURE}{STANDFIRST}{BYLINE}"
    assert placed(html, replace(SLOT, shift=Distance(1, "blocks")), NEAR) is None
    assert placed(html, replace(SLOT, shift=Distance(2, "blocks")), NEAR) == BYLINE


def test_a_shifted_slot_touches_no_picture_whatever_the_rules_keep_clear() -> None:
    # an ad of the page's own right below; behind the standfirst comes a picture
    assert placed(f"{FIGURE}{STANDFIRST}{FIGURE}{BYLINE}", clear=NEAR) == ""
    only_above = Sides(above=NEAR)
    assert placed(f"{FIGURE}{STANDFIRST}{FIGURE}{BYLINE}", clear=Sides(below=NEAR)) == ""
    assert placed(f"{FIGURE}{STANDFIRST}{FIGURE}{BYLINE}", clear=only_above) == f"{FIGURE}{STANDFIRST}{FIGURE}{BYLINE}"


def test_the_account_says_that_it_shifted_and_why(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "version: 1\nsite: s\nkeep_clear: {around_media: 30 words}\n"
        "slots: {under: {place: below-headline, sizes: {phone: [320x50]}}}\n"
    )
    html = f"<!doctype html><title>T</title><body><main><article><h1>Head</h1>{FIGURE}{STANDFIRST}{BYLINE}{TEXT}"
    lines = list(told(account_of("page.html", decide(html.encode(), "http://s.example/", load_rules(file)))))
    said = " ".join(" ".join(lines).split())
    assert "placed shifted by 2 blocks" in said
    assert "near_media, needs text between slot and media" in said
