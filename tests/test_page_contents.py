"""What lies inside of an article's blocks."""

from __future__ import annotations

from collections.abc import Container

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from adproxy.page.contents import Contents, contents


def look(inside: str, avoid: tuple[str, ...] = ()) -> tuple[LexborNode, Contents]:
    """The article's element around some markup, and what is in it."""
    root = LexborHTMLParser(f"<body><main>{inside}</main>").css_first("main")
    assert root is not None
    return root, contents(root, avoid)


def holding(root: LexborNode, found: Container[int]) -> list[str | None]:
    """Names of the elements, the article's own among them, that something was found in."""
    return [node.tag for node in root.css("*") if node.mem_id in found]


@pytest.mark.parametrize("tag", ["script", "style", "noscript", "template"])
def test_text_that_nobody_reads_is_known_in_all_that_holds_it_but_not_in_the_article(tag: str) -> None:
    root, found = look(f"<p>a</p><div><p><b>x</b><{tag}></{tag}></p></div>")
    assert holding(root, found.silent) == ["div", "p", tag]


@pytest.mark.parametrize(
    "html",
    ["<ins class=adsbygoogle></ins>", "<b id=ad-slot-1></b>", "<iframe src=//x.doubleclick.net></iframe>", "<amp-ad/>"],
)
def test_advertising_is_known_in_all_that_holds_it(html: str) -> None:
    root, found = look(f"<p>a</p><section><p>{html}</p></section>")
    assert holding(root, found.ads)[:2] == ["section", "p"]


@pytest.mark.parametrize("html", ["<i class=shadow></i>", "<ins>new</ins>", "<iframe src=/video></iframe>"])
def test_what_only_looks_like_advertising_is_none(html: str) -> None:
    assert look(html)[1].ads == set()


def test_media_are_known_in_all_that_holds_them_by_the_size_of_the_first() -> None:
    root, found = look("<figure><p><img src=a width=600 height=400px></p><img src=b width=70 height=80></figure>")
    assert holding(root, found.media) == ["figure", "p", "img", "img"]
    sizes = [found.media[node.mem_id] for node in root.css("figure,p,img")]
    assert sizes == [(600, 400), (600, 400), (600, 400), (70, 80)]


def test_sizes_that_are_no_pixels_are_unknown() -> None:
    assert list(look("<video width=100% height=1e9>")[1].media.values()) == [(None, None)]


@pytest.mark.parametrize(
    "html",
    [
        "<img width=48 src=x>",
        "<img height=1 src=x>",
        "<img class=EMOJI src=x>",
        "<img src=/i/Blank.gif>",
        "<iframe height=0></iframe>",
    ],
)
def test_pixels_and_icons_are_nothing_to_look_at(html: str) -> None:
    assert look(html)[1].media == {}


@pytest.mark.parametrize("attribute", ["data-src", "data-lazy-src", "data-original", "DATA-LAZY"])
@pytest.mark.parametrize(
    "blank", ["/i/Blank.gif", "/plugins/lazy/images/1x1.trans.gif", "/spacer.gif", "//pixel.example/b"]
)
def test_a_picture_that_a_blank_one_stands_in_for_is_to_be_looked_at(blank: str, attribute: str) -> None:
    assert look(f"<img src={blank} {attribute}=/a.jpg>")[1].media
    assert look(f"<img class=icon src={blank} {attribute}=/a.svg>")[1].media == {}
    assert look(f"<img src={blank} data-id=7>")[1].media == {}


@pytest.mark.parametrize(
    "address",
    [
        "/uploads/dress-681x1024.png",
        "/silicon-valley.webp",
        "/iconic.png",
        "/avatar-2-the-film.jpg",
        "/a.png?width_format=pixel",
        "/square-1x1.jpg",
    ],
)
def test_words_are_whole_ones_in_the_address_of_a_picture(address: str) -> None:
    assert look(f"<img src={address}>")[1].media


@pytest.mark.parametrize(
    "address",
    ["/icons/a.png", "/i/mail-icon.svg", "/smilies/Smile.gif", "//0.gravatar.example/avatar/5", "/avatars/a.jpg"],
)
def test_icons_and_faces_are_known_by_their_address(address: str) -> None:
    assert look(f"<img src={address}>")[1].media == {}


def test_a_player_of_sound_may_be_low() -> None:
    assert look("<audio height=30 src=x></audio>")[1].media


def test_selectors_are_known_where_they_match_and_in_all_that_holds_a_match() -> None:
    root, found = look("<div><p class=a><b>x</b></p></div><p>y</p>", ("b", ".a", "q"))
    by_tag = {node.tag: node.mem_id for node in root.css("div,p.a,b")}
    assert found.avoided == {by_tag["div"]: (0, 1), by_tag["p"]: (0, 1), by_tag["b"]: (0,)}
    assert found.matched == {by_tag["p"]: (1,), by_tag["b"]: (0,)}
