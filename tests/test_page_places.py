"""Spots around the headline, after the article and at selectors."""

from __future__ import annotations

from typing import Literal

import pytest

from adproxy.model import Spot
from adproxy.page.read import Wanted, read
from adproxy.rules.ruleset import SelectorPlace

SENTENCE = "The harbour lay quiet and nobody had seen the boat since late in the evening. "
P = f"<p>{SENTENCE * 2}</p>"
TEXT = P * 5
HEADLINE = Wanted(above_headline=True, below_headline=True, settled=True)
BOX = f"<section><h3>Box</h3><p>{'word ' * 40}</p></section>"


def after_anchor(html: str, spot: Spot | None) -> str | None:
    """The page from a spot on; None where it has no anchor."""
    return None if spot is None or spot.anchor is None else html.encode()[spot.anchor.offset :].decode()


def around(html: str) -> tuple[str | None, str | None]:
    """What follows the spots above and below the headline."""
    page = read(html.encode(), HEADLINE)
    return after_anchor(html, page.above_headline), after_anchor(html, page.below_headline)


# --- the headline ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "html",
    [
        "|<h1>Head</h1>~",
        "|<header><h1>Head</h1><p>By A B</p></header>~",
        "|<hgroup><h1>Head</h1><p>Sub</p></hgroup>~",
        "|<header><hgroup><h1>Head</h1></hgroup></header>~",
        "<div>|<h1>Head</h1>~</div>",
        "<header><nav><a href=/>Home</a></nav>|<h1>Head</h1>~</header>",
    ],
)
def test_they_lie_around_the_headline_and_what_is_only_its_company(html: str) -> None:
    whole = f"<body><main>{html}{TEXT}</main>"
    page = whole.replace("|", "").replace("~", "")
    above, below = around(page)
    assert above == whole.partition("|")[2].replace("~", "")
    assert below == whole.partition("~")[2]


def test_a_mastheads_heading_is_not_climbed_out_of_and_not_the_headline() -> None:
    html = f"<body><header><h1>Paper</h1></header><main><h1>Head</h1>{TEXT}</main>"
    assert around(html)[0] == html[html.index("<h1>Head") :]


def test_the_headline_is_the_last_before_the_text() -> None:
    html = f"<body><main><h1>A</h1><h1>B</h1>{TEXT}<h1>C</h1></main>"
    assert around(html)[0] == html[html.index("<h1>B") :]


def test_hidden_and_empty_headings_are_none() -> None:
    html = f"<body><main><h1>Head</h1><h1 hidden>X</h1><h1><img src=x></h1>{TEXT}</main>"
    assert around(html)[0] == html[html.index("<h1>Head") :]


@pytest.mark.parametrize(
    "name",
    [
        "<h1><a href=/>Paper</a></h1>",
        "<h1><a href='//blog.example'>Paper</a></h1>",
        "<h1 class=top__logo>Paper</h1>",
        "<h1 id=site-logo>Paper</h1>",
    ],
)
def test_the_sites_name_is_no_headline_but_the_title_of_the_post_is(name: str) -> None:
    html = f"<body><div>{name}</div><main><h3 class='post-title entry-title'>Head</h3>{TEXT}</main>"
    assert around(html)[0] == html[html.index("<h3") :]
    assert around(html.replace("post-title entry-title", "x")) == (None, None)
    assert around(html.replace("=/>", "=/story>").replace(".example'", ".example/story'").replace("logo", "x"))[0]


@pytest.mark.parametrize(
    "name",
    [
        "<h1 id=site-title>Paper</h1>",
        "<h1 class='h site-name'>Paper</h1>",
        "<h1><img src=/img/paperLogoSmall.png>Paper</h1>",
        "<h1><a href='' rel=home>Paper</a></h1>",
        "<h1><a href=/de rel=Home>Paper</a></h1>",
    ],
)
def test_the_sites_name_is_known_by_its_own_name_its_logo_and_its_link(name: str) -> None:
    html = f"<body><div>{name}</div><main><article><header><h2>Head</h2></header>{TEXT}</article></main>"
    assert (around(html)[0] or "").startswith("<header>")


@pytest.mark.parametrize("heading", ["<h1 id=page-title>A</h1>", "<h1 class=title><img src=/catalogo.png>A</h1>"])
def test_a_headline_is_not_the_sites_name(heading: str) -> None:
    assert (around(f"<body><main>{heading}{TEXT}</main>")[0] or "").startswith("<h1")


@pytest.mark.parametrize(
    "head", ["<header><h2>Head</h2></header>", "<h2 class=entry-title>Head</h2>", "<h3 class=article-title>Head</h3>"]
)
def test_a_headline_need_not_be_an_h1(head: str) -> None:
    html = f"<body><h2>Site</h2><main><article>{head}{TEXT}</article></main>"
    above, below = around(html)
    assert (above or "").startswith(head)
    assert (below or "").startswith("<p>")


def test_the_titles_of_a_list_are_no_headlines() -> None:
    post = "<h2 class=entry-title><a href=/{}>Head</a></h2>{}"
    assert around(f"<body><main>{post.format(1, TEXT)}</main>")[0] is not None
    assert around(f"<body><main>{post.format(1, TEXT)}{post.format(2, TEXT)}</main>") == (None, None)


def test_a_page_without_a_headline_has_no_such_place() -> None:
    page = read(f"<body><main><h2>x</h2>{TEXT}</main>".encode(), HEADLINE)
    assert (page.above_headline.problem, page.below_headline.problem) == ("no_such_place", "no_such_place")


@pytest.mark.parametrize("inside", ["li", "td", "figure", "nav", "button", "details"])
def test_a_headline_within_what_no_slot_may_stand_in_has_no_spots(inside: str) -> None:
    html = f"<body><{inside}><h1>Head</h1></{inside}>" if inside != "td" else "<body><table><td><h1>Head</h1></table>"
    assert around(f"{html}<main>{TEXT}</main>") == (None, None)


def test_what_stands_beside_the_headline_is_seen() -> None:
    page = read(f"<body><main><div class=ad-slot></div><h1>Head</h1><img src=x>{TEXT}</main>".encode(), HEADLINE)
    assert page.above_headline.ad_before == 0
    assert page.above_headline.ad_after is None
    assert page.below_headline.heading_before is False, "below a headline is where it is meant to be"
    assert page.below_headline.media_after is True


# --- after the article -------------------------------------------------------------------------------


def end(html: str) -> Spot:
    return read(html.encode(), Wanted(end=True, settled=True)).end_of_article


def test_the_end_lies_behind_the_last_block_of_the_articles_own() -> None:
    html = f"<body><main>{TEXT}<aside>More</aside></main><footer>x</footer>"
    assert after_anchor(html, end(html)) == "<aside>More</aside></main><footer>x</footer>"


def test_where_that_has_no_anchor_it_lies_behind_the_articles_element() -> None:
    html = f"<body><main>{P * 4}<p>{SENTENCE * 2}</main><footer>x</footer>"
    assert after_anchor(html, end(html)) == "<footer>x</footer>"


def test_a_page_without_an_article_has_no_end() -> None:
    assert end("<body><p>x").problem == "no_article"


def test_an_ad_that_follows_the_article_is_seen() -> None:
    found = end(f"<body><main>{TEXT}</main><p>One two three.</p><div class=ad-slot></div>")
    assert (found.ad_before, found.ad_after) == (None, 3)


@pytest.mark.parametrize(
    "box",
    [
        f"<div><h3>Help us</h3>{P}<div><a href=/give>Donate</a></div></div>",
        f"<div><div>{P}<form><input type=email></form></div></div>",
        f"<div><div><div>{SENTENCE * 2}</div></div><nav><a>Top</a></nav><div><dl><dt>Water</dl></div></div>",
    ],
)
def test_a_box_at_the_end_of_the_article_is_not_parted(box: str) -> None:
    html = f"<body><main>{TEXT}{box}<p hidden></p></main><footer>x</footer>"
    assert after_anchor(html, end(html)) == "<p hidden></p></main><footer>x</footer>"


@pytest.mark.parametrize(
    "behind",
    ["", "<div class=share>Share</div>", "<p>&nbsp;</p>", "<footer>By A</footer>", "<div id=comments>First!</div>"],
)
def test_what_does_not_belong_to_the_last_block_is_not_passed(behind: str) -> None:
    html = f"<body><main>{TEXT}<section>{P}{behind}</section></main>"
    assert (after_anchor(html, end(html)) or "").removeprefix(behind) == "</section></main>"


def test_the_article_itself_is_no_box_at_its_end() -> None:
    html = f"<body><main><div>{TEXT}<form><input></form></div></main>"
    assert after_anchor(html, end(html)) == "<form><input></form></div></main>"


# --- selectors -------------------------------------------------------------------------------------------


def at(html: str, edge: Literal["before", "after", "prepend", "append"], selector: str) -> list[Spot]:
    place = SelectorPlace(edge, selector)
    return list(read(html.encode(), Wanted(selectors=(place,), settled=True)).named[place.key])


@pytest.mark.parametrize(
    ("edge", "follows"),
    [("before", "<div id=x>"), ("after", "<footer>"), ("prepend", "<p>a</p>"), ("append", "</div><footer>")],
)
def test_the_four_edges_of_an_element(edge: Literal["before", "after", "prepend", "append"], follows: str) -> None:
    html = "<body><div id=x><p>a</p><p>b</p></div><footer>c</footer>"
    (spot,) = at(html, edge, "#x")
    found = after_anchor(html, spot)
    assert found is not None
    assert found.startswith(follows)


def test_every_match_has_a_spot_in_document_order_and_only_one() -> None:
    html = "<body><h2 class=x>a</h2><p>b</p><h2>c</h2>"
    assert [after_anchor(html, s) for s in at(html, "before", "h2,.x")] == [html[6:], "<h2>c</h2>"]


def test_nothing_matches() -> None:
    assert at("<body><p>a</p>", "before", "#none") == []


@pytest.mark.parametrize(
    "html",
    [
        "<ul><li><div id=x>a</div></ul>",
        "<table><tr><td><div id=x>a</div></table>",
        "<blockquote><div id=x>a</div></blockquote>",
        "<form><div id=x>a</div></form>",
        "<div hidden><div id=x>a</div></div>",
        "<div id=x hidden>a</div>",
        "<div class=ad-slot><div id=x>a</div></div>",
        "<div role=navigation><div id=x>a</div></div>",
        "<noscript><div id=x>a</div></noscript><i id=x></i>",
    ],
)
def test_an_element_where_no_slot_may_stand_has_no_anchor(html: str) -> None:
    spots = at(f"<body>{html}", "before", "#x")
    assert [spot.anchor for spot in spots] == [None]
    assert spots[0].problem == "no_legal_anchor"


@pytest.mark.parametrize(
    "html", ["<div id=x></div>", "<div id=x>text</div>", "<ul id=x><li>a</ul>", "<figure id=x><p>a</p></figure>"]
)
def test_within_an_element_that_holds_no_block_there_is_none(html: str) -> None:
    assert [spot.anchor for spot in at(f"<body>{html}", "prepend", "#x")] == [None]


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ("<div class=ad-slot></div>", (0, False, False, False)),
        ("<div class=ad-slot></div><p>One two.</p>", (2, False, False, False)),
        ("<p>Advertisement</p><p>One two.</p>", (2, False, False, False)),
        (f"<div class=ad-slot></div><p>{'word ' * 50}</p>", (None, False, False, False)),
        ("<p>Text.</p><img src=x>", (None, True, False, False)),
        ("<img src=x><p>Text and more.</p>", (None, False, False, False)),
        ("<p>Text.</p><img src=x width=600 height=400>", (None, True, False, False)),
        ("<p>Text.</p><img src=x width=24 height=24>", (None, False, False, False)),
        ("<p>Text.</p><img src=x class=avatar>", (None, False, False, False)),
        ("<p>Text.</p><iframe src=x width=1 height=1></iframe>", (None, False, False, False)),
        ("<p>Text.</p><figure><img src=x></figure><img src=x width=1>", (None, True, False, False)),
        ("<h2>Head</h2>", (None, False, True, False)),
        ("<h2>Head</h2><p>Text.</p>", (None, False, False, False)),
        ("<p>These are:</p>", (None, False, False, True)),
        ("<p>Text.</p><div hidden><img src=x></div>", (None, False, False, False)),
        ("<p>Text.</p><script>x</script><!-- y -->", (None, False, False, False)),
    ],
)
def test_a_spot_knows_what_stands_before_it(before: str, found: tuple[int | None, bool, bool, bool]) -> None:
    (spot,) = at(f"<body>{before}<div id=x>a b c d</div>", "before", "#x")
    assert (spot.ad_before, spot.media_before, spot.heading_before, spot.lead_in_before) == found


def test_a_spot_knows_what_follows_it() -> None:
    (spot,) = at("<body><p>a</p><div id=x><img src=x></div><div class=ad-slot></div>", "before", "#x")
    assert (spot.ad_after, spot.media_after) == (0, True)
