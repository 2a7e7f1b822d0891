"""One parse, all questions."""

from __future__ import annotations

import pytest

from adproxy.model import Page
from adproxy.page.read import Wanted, compile_wanted, read
from adproxy.rules.ruleset import (
    ByPage,
    Distance,
    FixedPlace,
    FromJsonLd,
    FromMeta,
    HtmlCreative,
    KeepClear,
    Limits,
    MidArticle,
    Place,
    Policy,
    SelectorPlace,
    SidebarPlace,
    Size,
    SizeMap,
    Slot,
)

SENTENCE = "The harbour lay quiet and nobody had seen the boat since late in the evening. "
HTML = f"<!doctype html><html lang=en><body><main><h1>T</h1>{f'<p>{SENTENCE * 2}</p>' * 6}</main>"
SIZES = SizeMap(((0, (Size(300, 250),)),))


def slot(name: str, place: Place, creative: ByPage | HtmlCreative = ByPage()) -> Slot:  # noqa: B008 - frozen
    return Slot(name, place, SIZES, creative)


def policy(*slots: Slot, **more: object) -> Policy:
    values: dict[str, object] = {
        "site": "s", "article": None, "sidebar": None, "limits": Limits(), "keep_clear": KeepClear(), "slots": slots,
    }  # fmt: skip
    return Policy(**(values | more))  # type: ignore[arg-type]


def test_a_policy_wants_what_its_slots_and_key_values_need_and_nothing_else() -> None:
    assert compile_wanted(policy(slot("mid", MidArticle()))) == Wanted()
    wanted = compile_wanted(
        policy(
            slot("top", FixedPlace.BELOW_HEADLINE, ByPage(id="top")),
            slot("end", FixedPlace.END_OF_ARTICLE, HtmlCreative(b"<b>x</b>", inert=False)),
            slot("rail", SidebarPlace(2)),
            slot("own", SelectorPlace("after", ".x"), ByPage(id="{slot}-{n}")),
            article="main",
            sidebar=".rail",
            key_values=(("a", FromMeta("m")), ("b", FromJsonLd("f")), ("c", "text")),
            keep_clear=KeepClear(around=((".y", Distance(1, "blocks")),)),
        )
    )
    assert (wanted.article, wanted.sidebar_selector, wanted.sidebar) == ("main", ".rail", (2,))
    assert (wanted.above_headline, wanted.below_headline, wanted.end, wanted.settled) == (False, True, True, True)
    assert wanted.selectors == (SelectorPlace("after", ".x"),)
    assert (wanted.metas, wanted.json_ld, wanted.avoid) == (("m",), ("f",), (".y",))
    assert wanted.ids == {"top", *(f"own-{n}" for n in range(1, 41))}


def test_only_what_is_wanted_is_looked_for() -> None:
    page = read(HTML.encode(), Wanted())
    assert page.blocks
    assert page.above_headline.anchor is page.end_of_article.anchor is None
    assert (page.sidebar, dict(page.named)) == ((), {})


def test_the_article_that_the_rules_name_is_taken() -> None:
    html = f"<body><div id=a><p>{SENTENCE * 2}</p></div>{f'<p>{SENTENCE}</p>' * 9}"
    assert len(read(html.encode(), Wanted(article="#a")).blocks) == 1
    assert read(html.encode(), Wanted(article="#none")).article_problem == "no_article"


def test_a_page_with_our_marks_is_not_read_again() -> None:
    page = read(HTML.replace("<h1>", "<h1 data-adproxy-slot=x>").encode(), Wanted())
    assert page.already_rewritten
    assert not page.blocks


@pytest.mark.parametrize(
    "html", ["", "<", "text", "<!doctype html>", "<frameset><frame src=x></frameset>", "\x00", "<body>"]
)
def test_a_page_without_text_has_no_article(html: str) -> None:
    page = read(html.encode(), Wanted(above_headline=True, below_headline=True, end=True, sidebar=("first",)))
    assert page.article_problem == "no_article"
    assert (page.blocks, page.gaps, page.sidebar) == ((), (), ())


@pytest.mark.parametrize("encoding", ["cp1252", "iso8859-15", "shift_jis", "gb18030", "euc_kr", "koi8-r", "cp1251"])
def test_offsets_are_bytes_in_every_encoding(encoding: str) -> None:
    letters = {"shift_jis": "港口", "gb18030": "港口", "euc_kr": "항구", "koi8-r": "порт", "cp1251": "порт"}
    word = letters.get(encoding, "café")
    html = HTML.replace("harbour", word).replace("<h1>", f"<h1 title='{word}'>").encode(encoding)
    page = read(html, Wanted(above_headline=True, below_headline=True), encoding)
    anchors = [gap.anchor for gap in page.gaps if gap.anchor]
    assert len(anchors) == 7
    assert all(html[a.offset :].startswith((b"<p>", b"</main>")) for a in anchors)
    assert word in page.blocks[0].text
    assert page.above_headline.anchor is not None
    assert html[page.above_headline.anchor.offset :].startswith(b"<h1 ")


def test_bytes_that_are_no_text_in_the_pages_encoding_do_not_move_offsets() -> None:
    html = HTML.encode().replace(b"harbour", b"h\xff\xe3r")
    page = read(html, Wanted())
    assert all(html[g.anchor.offset :].startswith((b"<p>", b"</main>")) for g in page.gaps if g.anchor)
    assert len(page.blocks) == 6


def test_the_same_bytes_give_the_same_page() -> None:
    def once() -> Page:
        return read(HTML.encode(), Wanted(above_headline=True, below_headline=True, end=True, sidebar=("first",)))

    assert once() == once()


def test_where_no_slot_needs_to_know_it_no_anchor_is_called_settled() -> None:
    assert any(g.anchor and g.anchor.settled for g in read(HTML.encode(), Wanted(settled=True)).gaps)
    assert not any(g.anchor and g.anchor.settled for g in read(HTML.encode(), Wanted()).gaps)
