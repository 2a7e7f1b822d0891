"""How much room an ad of the page's own is likely to take."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from adproxy.model import NOTHING, PerDevice
from adproxy.page.ad_room import likely_room

USUAL = PerDevice(274, 274)


def room(html: str) -> PerDevice:
    node = LexborHTMLParser(f"<body>{html}</body>").css_first("body > *")
    assert node is not None
    return likely_room(node, USUAL)


@pytest.mark.parametrize(
    "html",
    [
        "<div class=ad></div>",
        "<div class=ad data-sizes='0x0'></div>",
        "<div class='ad ad-mobile ad-desktop'></div>",
        "<div class=ad><div class=ad-mobile></div><div class=ad-desktop></div></div>",
        "<div class='ad hide-tablet'></div>",
        "<div class=automobile-ad></div>",
    ],
)
def test_where_its_markup_says_nothing_it_is_as_usual(html: str) -> None:
    assert room(html) == USUAL


@pytest.mark.parametrize(
    "html",
    [
        "<div class='ad ad--mobileOnly'></div>",
        "<div class=ad id=phone-ad></div>",
        "<div class=ad data-ad-unit=IN_POST_MOBILE></div>",
        "<div class=ad><div class=ad-mobile></div></div>",
        "<div class='ad d-md-none'></div>",
        "<div class='ad hide-desktop'></div>",
    ],
)
def test_one_for_phones_takes_none_on_desktops(html: str) -> None:
    assert room(html) == PerDevice(274, 0)


@pytest.mark.parametrize(
    "html",
    [
        "<div class='ad ad--desktopOnly'></div>",
        "<div class='ad ad--tabletDesktop'></div>",
        "<div class='ad hidden-xs'></div>",
        "<div class='ad d-none d-lg-block'></div>",
        "<div class='ad no-mobile'></div>",
    ],
)
def test_one_for_desktops_takes_none_on_phones(html: str) -> None:
    assert room(html) == PerDevice(0, 274)


def test_one_for_tablets_takes_none_on_either() -> None:
    assert room("<div class='ad ad--tabletPortraitOnly'></div>") == NOTHING


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<div data-sizes='728x90,970x250'></div>", PerDevice(0, 274)),
        ("<div data-ad-sizes='[[300, 250], [320, 50]]'></div>", PerDevice(274, 274)),
        ("<div data-slot-sizes=320x50></div>", PerDevice(74, 74)),
        ("<div data-sizes=300x600></div>", PerDevice(624, 624)),
        ("<div data-sizes=300x600,300x250></div>", PerDevice(274, 274)),
        ("<div data-sizes=2x2></div>", PerDevice(0, 0)),
        ("""<div data-rules='[{"sizes":["970x250"]}]'></div>""", PerDevice(0, 274)),
        ("<div><div data-sizes=728x90></div></div>", PerDevice(0, 114)),
    ],
)
def test_the_sizes_that_it_may_have_are_those_that_fit(html: str, expected: PerDevice) -> None:
    assert room(html) == expected


@pytest.mark.parametrize(
    "html",
    [
        "<div class=ad data-type=outstream-backfill data-sizes='300x250'></div>",
        "<div class=ad data-ad-unit=PERMALINK_OUTSTREAM></div>",
        "<div class=ad id=page-interstitial></div>",
        "<div class=ad><div class='adhesion-wrap' data-sizes='320x50'></div></div>",
    ],
)
def test_what_is_not_shown_in_its_place_takes_none(html: str) -> None:
    assert room(html) == NOTHING
    assert room(html.replace("outstream", "instream").replace("OUTSTREAM", "x").replace("interstitial", "x")
                .replace("adhesion", "x")) != NOTHING  # fmt: skip


def test_a_height_in_its_style_is_taken() -> None:
    assert room("<div style='width:300px; min-height: 280px'></div>") == PerDevice(280, 280)
    assert room("<div style='line-height: 280px'></div>") == USUAL
