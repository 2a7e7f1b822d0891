"""The page's sidebar: which of the elements that could be one it is, and the spots between its widgets."""

from __future__ import annotations

from typing import Literal

import pytest
from test_page_places import TEXT, P, after_anchor

from adproxy.page.read import Wanted, read


def sidebar(html: str, *wanted: Literal["first", "last"] | int, selector: str | None = None) -> list[str | None]:
    """What follows each spot of the sidebar."""
    policy = Wanted(sidebar=wanted or ("first", 1, "last"), sidebar_selector=selector, settled=True)
    return [after_anchor(html, spot) for spot in read(html.encode(), policy).sidebar]


def test_there_is_a_spot_before_each_widget_and_one_after_the_last() -> None:
    html = f"<body><main>{TEXT}</main><aside><div id=a>1</div><div id=b>2</div></aside>"
    assert [s[:9] if s else s for s in sidebar(html)] == ["<div id=a", "<div id=b", "</aside>"]


def test_wrappers_around_all_widgets_are_gone_through() -> None:
    html = f"<body><main>{TEXT}</main><div class=sidebar><div><section><h3>A</h3><ul><li>b</ul></section></div></div>"
    assert [s[:4] if s else s for s in sidebar(html)] == ["<h3>", "<ul>", "</se"]


def test_what_is_not_near_a_wanted_place_is_not_looked_at() -> None:
    html = f"<body><main>{TEXT}</main><aside>{'<div>x</div>' * 20}</aside>"
    found = sidebar(html, "last")
    assert len(found) == 21
    assert found[0] is None
    assert found[-1] == "</aside>"


@pytest.mark.parametrize(
    "start", ["<aside>", "<div role=complementary>", "<div class=rightRail>", "<section id=page-Sidebar>"]
)
def test_a_sidebar_is_an_aside_or_a_box_that_is_called_one(start: str) -> None:
    assert sidebar(f"<body><main>{TEXT}</main>{start}<div>1</div>")[:1] == ["<div>1</div>"]


@pytest.mark.parametrize(
    "html",
    [
        "<aside hidden><div>1</div></aside>",
        "<div class=no-sidebar><div>1</div></div>",
        "<span class=sidebar><b>1</b></span>",
        "<aside></aside>",
        "<div class=trailer><div>1</div></div>",
        "<header class=sidebar><div>1</div></header>",
        "<div class='article__share-sidebar'><div>1</div></div>",
        "<div id=toc-sidebar><div>1</div></div>",
        "<aside id=header-below class=widget-area><div>1</div></aside>",
        "<div class='footer-widget-area'><div>1</div></div>",
    ],
)
def test_what_is_no_sidebar_is_none(html: str) -> None:
    assert sidebar(f"<body><main>{TEXT}</main>{html}") == []


def test_a_box_within_the_article_or_around_it_is_no_sidebar() -> None:
    assert sidebar(f"<body><div class=with-sidebar><main>{P * 2}<aside><div>x</div></aside>{TEXT}</main></div>") == []
    assert sidebar(f"<body><div class=sidebar><main>{TEXT}</main></div>") == []


def test_what_holds_the_headline_is_no_sidebar() -> None:
    head = "<div id=sidebar><header><h1>{}</h1></header></div>"
    real = "<aside class=sidebar><div>1</div></aside>"
    wanted = Wanted(above_headline=True, sidebar=("first",), settled=True)
    for heading, first in (("Head", "<div>1"), ("<a href=/>Paper</a>", "<header>")):
        html = f"<body>{head.format(heading)}<main>{TEXT}</main>{real}"
        assert (after_anchor(html, read(html.encode(), wanted).sidebar[0]) or "").startswith(first)


def test_the_rules_own_selector_decides() -> None:
    html = f"<body><main>{TEXT}</main><aside><div>1</div></aside><div id=x><div>2</div></div>"
    assert [s[:8] if s else s for s in sidebar(html, selector="#x")] == ["<div>2</", "</div>"]


def test_widgets_that_are_hidden_are_none() -> None:
    html = f"<body><main>{TEXT}</main><aside><div hidden>0</div><div>1</div><script></script><div>2</div></aside>"
    assert [s[:6] if s else s for s in sidebar(html)] == ["<div>1", "<div>2", "</asid"]


REAL = "<section><h2>Most read</h2><ul><li><a href=/a>Harbour gates to stay shut as costs rise</a></ul></section>"


@pytest.mark.parametrize(
    "other",
    [
        "<aside class=author><h3>Ines</h3><p>She writes.</p></aside>",
        "<aside class=cookie-banner><p>We use cookies.</p></aside>",
        "<aside id=discussion><p>First!</p></aside>",
        "<aside class=post__newsletter><p>Every morning.</p></aside>",
        "<aside><h2>More</h2><p>Another story that is told here.</p></aside>",
        "<aside id=messages><div></div></aside>",
        "<aside class=more><article><h3>One</h3></article><article><h3>Two</h3></article></aside>",
        "<aside class=sidebar><nav><ul><li><a href=/>Home</a><li><a href=/about>About</a></ul></nav></aside>",
    ],
)
@pytest.mark.parametrize("real", ["<aside class=sidebar>", "<div id=sidebar>", "<div class='col widget-area'>"])
def test_a_real_sidebar_comes_before_all_others(other: str, real: str) -> None:
    html = f"<body><main>{TEXT}</main>{other}{real}{REAL}<div>1</div>"
    assert [s[:7] if s else s for s in sidebar(html)][:1] == ["<sectio"]


@pytest.mark.parametrize(
    "around",
    ["<article><div>{}</div><aside>1</aside></article>", "<header><aside>1</aside></header>{}", "{}<footer><aside>1"],
)
def test_an_aside_of_a_story_or_of_the_page_is_none(around: str) -> None:
    story = f"<main>{TEXT}</main>"
    inside = around.replace("1", "<h3>Notes</h3><p>1 The harbour was built in 1911.</p>")
    assert sidebar(f"<body>{inside.format(story)}") == []
    named = inside.replace("<aside>", "<aside class=sidebar>")
    assert sidebar(f"<body>{named.format(story)}") != []


LINKS = "<ul><li><a href=/>Home</a><li><a href=/tags>Tags</a><li><a href=/about>About us</a></ul>"
CONTENTS = "<ul><li><a href=#a>What the report says</a><li><a href=#b>A question of money</a></ul>"


@pytest.mark.parametrize(
    ("why", "column"),
    [
        ("the site's menu", f"<nav>{LINKS}</nav>"),
        ("below the site's name", f"<header><h1>The Harbour Post</h1><p>News</p></header><nav>{LINKS}</nav>"),
        ("with a title", f"<h2>Site</h2><nav>{LINKS}</nav>"),
        ("by its class", f"<form><input></form><div class=main-menu>{LINKS}</div>"),
        ("by its role", f"<div role=navigation><h3>Tools</h3>{LINKS}</div>"),
        ("nothing but short links", f"<div>{LINKS}</div>"),
        ("a table of contents", f"<section><h2>Contents</h2><div class=widget--toc>{CONTENTS}</div></section>"),
    ],
)  # fmt: skip
def test_a_column_that_holds_a_menu_is_none(why: str, column: str) -> None:
    assert sidebar(f"<body><main>{TEXT}</main><aside class=sidebar>{column}</aside>") == [], why


@pytest.mark.parametrize(
    ("why", "column"),
    [
        ("what a widget lists below its title", f"<section><h2>Recent posts</h2><nav>{LINKS}</nav></section>"),
        ("a menu among others", f"{REAL}<section><h2>Newsletter</h2><p>{P}</p></section><nav>{LINKS}</nav>"),
        ("links to stories", "<ul><li><a href=/a>Harbour gates to stay shut as costs rise</a></ul>"),
        ("room for advertising", "<div class=ad-slot></div><div></div>"),
    ],
)  # fmt: skip
def test_a_column_with_more_is_one(why: str, column: str) -> None:
    assert sidebar(f"<body><main>{TEXT}</main><aside class=sidebar>{column}</aside>") != [], why
