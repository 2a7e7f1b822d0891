"""Which places a div may legally go to."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborNode
from soup import open_policies, pages

from adproxy.model import Anchor, Edge
from adproxy.page import tree as tree_module
from adproxy.page.marks import mark
from adproxy.page.tree import Tree, before_body, holds_words, visible_text
from adproxy.page.words import count_words
from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.ruleset import Policy


def tree_of(html: str) -> Tree:
    page = html.encode()
    marked = mark(page)
    return Tree(page, marked, marked.copy)


def one(tree: Tree, selector: str) -> LexborNode:
    found = tree.css(selector)
    assert found, f"nothing matches {selector}"
    return found[0]


def before(html: str, selector: str = "p", *, article: str = "") -> Anchor | None:
    tree = tree_of(html)
    if article:
        tree.open_for([one(tree, article)])
    return tree.before(one(tree, selector))


def after(html: str, selector: str = "p", *, article: str = "") -> Anchor | None:
    tree = tree_of(html)
    if article:
        tree.open_for([one(tree, article)])
    return tree.after(one(tree, selector))


@pytest.mark.parametrize(
    "html",
    [
        "<div>one two <b>three</b>four<script>five six seven</script> seven<p>eight 中文字中文字</p>nine</div>",
        "<div><style>a b c</style></div>",
        "<div>" + "<p>word</p>word " * 300 + "<script>x y</script></div>",
        "<div>" + "wo<b>rd</b> " * 99 + "</div>",
    ],
)
def test_an_element_has_so_many_words_as_its_visible_text(html: str) -> None:
    node = one(tree_of(f"<body>{html}"), "div")
    has = count_words(visible_text(node))
    assert [holds_words(node, words) for words in (1, has, has + 1)] == [has >= 1, True, False]


def test_there_are_anchors_before_the_start_and_behind_the_end_of_a_paragraph_in_the_body() -> None:
    html = "<body>\n<p>a</p>\n<p>b</p>"
    assert before(html) == Anchor(html.index("<p>"), Edge.BEFORE_START, settled=True)
    assert after(html) == Anchor(html.index("</p>") + 4, Edge.AFTER_END, settled=True)


@pytest.mark.parametrize(
    "name",
    ["div", "section", "article", "main", "aside", "header", "footer", "nav", "center", "search", "x-story", "made-up"],
)
def test_plain_boxes_may_hold_a_slot(name: str) -> None:
    html = f"<body><{name}><p>a</p></{name}>"
    assert before(html) is not None
    assert after(html) is not None


@pytest.mark.parametrize(
    "name",
    """span a b i em strong font u s small code nobr li ul ol dl dd dt blockquote figure figcaption details summary
    dialog fieldset button object label ins del h2 pre address hgroup menu dir video audio canvas picture marquee select
    ruby form svg math template noscript iframe""".split(),
)
def test_no_other_element_may_hold_a_slot(name: str) -> None:
    tree = tree_of(f"<body><{name}><p>a</p></{name}><p>b</p>")
    inside = [p for p in tree.css("p") if p.text() == "a" and p.parent is not None and p.parent.tag == name]
    for paragraph in inside:
        assert tree.before(paragraph) is None
        assert tree.after(paragraph) is None


@pytest.mark.parametrize("outer", ["form", "span", "font"])
def test_what_the_page_is_laid_out_in_may_hold_a_slot_around_the_article_alone(outer: str) -> None:
    html = f"<body><{outer}><p>a</p><p id=z>b</p></{outer}>"
    assert before(html, "#z") is None
    assert before(html, "#z", article="#z") is not None


@pytest.mark.parametrize("outer", ["li", "blockquote", "a", "span", "figure", "details", "button", "form"])
def test_a_plain_box_within_one_that_is_not_may_hold_none_either(outer: str) -> None:
    html = f"<body><{outer}><div><section><p>a</p></section></div></{outer}>"
    assert before(html) is None
    assert after(html) is None


def test_an_element_with_a_colon_in_its_name_is_not_taken_for_a_box() -> None:
    assert before("<body><fb:like><p>a</p></fb:like>") is None


@pytest.mark.parametrize("name", ["table", "form", "hr", "li", "td", "span", "img", "br", "dt"])
def test_there_is_no_anchor_before_an_element_that_does_not_do_what_a_div_does(name: str) -> None:
    html = f"<body><{name}>a"
    tree = tree_of(html if name != "td" else "<body><table><tr><td>a")
    assert tree.before(one(tree, name)) is None


def test_there_is_an_anchor_behind_a_table() -> None:
    html = "<body><div><p>a</p><table><tr><td>b</td></tr></table><p>c</p></div>"
    anchor = after(html, "table")
    assert anchor is not None
    assert html[anchor.offset :] == "<p>c</p></div>"


def test_a_table_cell_holds_a_slot_only_where_the_article_is_laid_out_in_it() -> None:
    html = "<body><table><tr><td><div id=x><p>a</p><p>b</p></div></td><td><p>c</p></td></tr></table>"
    assert before(html) is None
    assert before(html, article="#x") is not None
    assert after(html, article="#x") is not None
    assert before(html, "td + td > p", article="#x") is None


def test_a_cell_that_is_the_article_holds_one_too() -> None:
    html = "<body><table><tbody><tr><td id=x><p>a</p><p>b</p></td></tr></tbody></table>"
    assert before(html, article="#x") is not None


def test_there_is_none_between_the_rows_or_cells_of_a_table_that_is_the_layout() -> None:
    html = "<body><table><tr><td id=x><p>a</p></td></tr></table>"
    assert after(html, "td", article="#x") is None
    assert after(html, "tr", article="#x") is None
    assert after(html, "tbody", article="#x") is None


def test_an_item_of_a_list_holds_one_only_where_the_article_is_in_it() -> None:
    html = "<body><ul><li><div id=x><p>one</p></div></li><li id=y><p>two</p></li></ul>"
    assert before(html) is None
    assert before(html, article="#x") is not None
    assert after(html, "#x", article="#x") is not None
    assert before(html, "#y > p", article="#x") is None


def test_there_is_none_between_the_items_of_a_list_that_is_the_layout() -> None:
    html = "<body><ul><p id=p>zero</p><li id=x><p>one</p></li><li>two</li></ul>"
    assert before(html, "#p", article="#x") is None
    assert after(html, "#x", article="#x") is None


def test_a_form_around_the_article_holds_one() -> None:
    html = "<body><form action=/><div id=x><p>a</p></div></form>"
    assert before(html) is None
    assert before(html, article="#x") is not None


def test_what_stands_in_a_table_but_outside_its_cells_was_moved_and_has_no_anchor() -> None:
    html = "<body><div><p>a</p><table><p id=m>b</p><div id=d><p id=n>c</p></div><tr><td>d</table><p id=z>e</p></div>"
    for selector in ("#m", "#d", "#n"):
        assert before(html, selector) is None, selector
        assert after(html, selector) is None, selector
    assert before(html, "p") is not None
    assert before(html, "#z") is not None


def test_what_really_stands_before_a_table_was_not_moved() -> None:
    assert before("<body><p id=x>a</p><table><tr><td>b</table>", "#x") is not None


def test_what_stands_in_a_noscript_has_no_anchor() -> None:
    html = "<body><p id=a>a</p><noscript><p>b</p></noscript><p id=z>c</p>"
    tree = tree_of(html)
    anchors = [found for node in tree.css("p") for found in (tree.before(node), tree.after(node)) if found]
    assert len(anchors) == 4
    inside = range(html.index("<noscript>") + 1, html.index("</noscript>"))
    assert not [anchor for anchor in anchors if anchor.offset in inside]


def test_a_noscript_with_a_picture_changes_nothing_around_it() -> None:
    assert before("<body><p>a</p><noscript><img src=x></noscript><p id=z>b</p>", "#z") is not None


@pytest.mark.parametrize("content", ["<p>a", "<table>", "<!--", "<ul><li>", "<div><span>", "<blockquote>"])
def test_what_stands_in_a_noscript_that_does_not_end_without_scripting_has_no_anchor(content: str) -> None:
    tree = tree_of(f"<body><div><p>a</p><noscript>{content}</noscript><p id=z>b</p></div>")
    assert tree.before(one(tree, "p")) is not None, "nothing is unclear before the noscript"
    assert tree.before(one(tree, "#z")) is None
    assert tree.after(one(tree, "#z")) is None


@pytest.mark.parametrize("content", ["", "text", "<p>a</p>", "<div><a href=x>b</a></div>", "<style>p{}</style>"])
def test_a_noscript_that_closes_all_that_it_opens_changes_nothing(content: str) -> None:
    tree = tree_of(f"<body><div><p>a</p><noscript>{content}</noscript><p id=z>b</p></div>")
    assert tree.before(one(tree, "#z")) is not None


def test_a_noscript_that_opens_a_list_item_forbids_what_would_stand_in_it() -> None:
    tree = tree_of("<body><div><p>a</p><noscript><ul><li></noscript><p id=z>b</p></div>")
    assert tree.before(one(tree, "#z")) is None
    assert tree.after(one(tree, "#z")) is None


def test_there_is_no_anchor_before_the_first_body_tag_in_the_bytes() -> None:
    # a paragraph in the head begins the body; the real body tag comes later
    html = "<head><p id=x>a</p></head><body class=y><p id=z>b</p>"
    assert before(html, "#x") is None
    assert after(html, "#x") is None
    assert before(html, "#z") is not None


def test_a_page_without_a_body_tag_has_anchors() -> None:
    assert before("<title>t</title><p>a</p>") is not None


def test_there_is_no_anchor_in_front_of_a_stray_end_tag_of_a_paragraph() -> None:
    assert after("<body><div><ul><li>a</ul></p><p>b</p></div>", "ul") is None
    assert after("<body><div><ul><li>a</ul> \n</P ><p>b</p></div>", "ul") is None
    assert after("<body><div><ul><li>a</ul></pre><p>b</p></div>", "ul") is not None


def test_there_is_one_behind_a_paragraph_that_text_follows() -> None:
    assert after("<body><div><p>a</p>text</div>") is not None


def test_there_is_no_anchor_behind_an_element_whose_end_tag_is_missing_or_not_its_own() -> None:
    assert after("<body><div><p>a<p>b</div>") is None
    assert after("<body><div id=x><div><p>a</p></div>", "#x") is None


def test_there_is_no_anchor_behind_an_end_tag_that_the_parser_gave_to_another_element() -> None:
    # <a> closes the first link, and with it the div's place is no more where its end tag stands
    tree = tree_of("<body><div id=x><a href=1><p>a</div><p id=y>b</p></a></div><p id=z>c</p>")
    anchor = tree.after(one(tree, "#x"))
    assert anchor is None or tree.start(one(tree, "#y")) >= anchor.offset


def test_the_ends_that_are_found_lie_before_what_follows_in_the_tree() -> None:
    tree = tree_of("<body><section id=x><p>a</p></section><section id=y><p>b</p></section>")
    end = tree.end(one(tree, "#x"))
    assert 0 < end <= tree.start(one(tree, "#y"))


# --- settled ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", "a b big code em font i nobr s small strike strong tt u".split())
def test_formatting_that_was_never_closed_leaves_what_follows_unsettled(name: str) -> None:
    anchor = before(f"<body><p>a<{name}>b</p><p id=z>c</p>", "#z")
    assert anchor is not None
    assert anchor.settled is False


def test_formatting_that_was_closed_leaves_what_follows_settled() -> None:
    anchor = before("<body><p>a<b>b</b></p><p id=z>c</p>", "#z")
    assert anchor is not None
    assert anchor.settled is True


def test_formatting_that_belongs_to_the_next_paragraph_leaves_the_place_before_it_unproven() -> None:
    anchor = before("<body><p>a</p><p id=z><b>c</b> d</p>", "#z")
    assert anchor is not None
    assert anchor.settled is False


def test_where_no_text_follows_nothing_is_proven() -> None:
    anchor = after("<body><div><p>a</p></div>")
    assert anchor is not None
    assert anchor.settled is False


def test_white_space_between_the_blocks_is_text_enough_to_prove_it() -> None:
    anchor = after("<body><div><p>a</p>\n<p><b>b</b></p></div>")
    assert anchor is not None
    assert anchor.settled is True


def test_what_is_pending_behind_an_end_is_seen_in_the_text_that_follows_it() -> None:
    anchor = after("<body><div><p>a<i>b</p>\n<p>c</p></div>")
    assert anchor is not None
    assert anchor.settled is False


# --- behind a line break -----------------------------------------------------------------------------


def test_there_is_an_anchor_behind_a_line_break_that_stands_directly_in_a_box() -> None:
    html = "<body><div>text<br class='x'><br/>more</div>"
    tree = tree_of(html)
    anchor = tree.after_break(tree.css("br")[1])
    assert anchor is not None
    assert html[anchor.offset :] == "more</div>"
    assert anchor.edge is Edge.AFTER_END
    assert anchor.settled is True


@pytest.mark.parametrize("html", ["<p>a<br>b</p>", "<div><b>a<br>b</b></div>", "<li>a<br>b</li>", "<div>a</br>b</div>"])
def test_there_is_none_behind_a_line_break_that_stands_elsewhere_or_was_made_up(html: str) -> None:
    tree = tree_of(f"<body>{html}")
    assert tree.after_break(one(tree, "br")) is None


# --- the rest ------------------------------------------------------------------------------------------


def test_an_element_that_matches_twice_comes_once() -> None:
    tree = tree_of("<body><p class=x>a</p><p>b</p>")
    assert [node.text() for node in tree.css("p,.x")] == ["a", "b"]


def test_nesting_deeper_than_a_walk_goes_has_no_anchors() -> None:
    assert before("<body>" + "<div>" * 200 + "<p>a</p>") is not None
    assert before("<body>" + "<div>" * 300 + "<p>a</p>") is None


def test_the_gap_that_an_anchor_belongs_to_is_written_on_it() -> None:
    tree = tree_of("<body><p>a</p>")
    anchor = tree.before(one(tree, "p"), 7)
    assert anchor is not None
    assert anchor.gap == 7


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(html=pages(), policy=open_policies(), cuts=st.lists(st.integers(0, 2_000), min_size=1, max_size=8))
def test_nothing_is_ever_inserted_in_what_may_be_sent_ahead(html: bytes, policy: Policy, cuts: list[int]) -> None:
    html = re.sub(rb"<body[^>]*>", b"", html, flags=re.I)  # with one, all positions lie behind it
    result = rewrite(html, policy)
    first = (
        min((i.offset for i in result.insertions), default=len(html)) if isinstance(result, Rewritten) else len(html)
    )
    for cut in (*cuts, len(html)):
        ready = before_body(html[:cut])
        assert html.startswith(ready)
        assert len(ready) <= first


@pytest.mark.parametrize(
    ("came", "ready"),
    [
        (
            b"<!doctype html><html><head><title>T</title></head>\n",
            b"<!doctype html><html><head><title>T</title></head>\n",
        ),
        (b"<head><link rel=stylesheet><scr", b"<head><link rel=stylesheet>"),
        (b"<head><!-- adproxy:slot --><title>", b"<head>"),
        (b"<title>T</title><p>text", b"<title>T</title>"),
        (b"<title>T</title><headline>", b"<title>T</title>"),
        (b"<head><p>odd</p></head><body>", b"<head><p>odd</p></head>"),
        (b"", b""),
    ],
)
def test_a_head_may_be_sent_as_far_as_it_is_certain_to_be_one(came: bytes, ready: bytes) -> None:
    assert before_body(came) == ready


def test_what_noscripts_leave_behind_is_kept_within_a_bound_and_not_of_long_ones() -> None:
    kept, most = tree_module._left_behind, 0
    kept.clear()
    for i in range(tree_module._MOST_KEPT + 3):
        tree_of(f"<body><noscript><img src={i}></noscript><p>text</p></body>")
        most = max(most, len(kept))
    assert most == tree_module._MOST_KEPT
    kept.clear()
    tree_of(f"<body><noscript><img alt='{'x' * tree_module._LONGEST_KEPT}'></noscript><p>text</p></body>")
    assert not kept


def test_a_noscript_is_judged_the_same_the_second_time() -> None:
    for content in ("<span>", "<img src=x>", "<i></i>"):
        html = f"<body><noscript>{content}</noscript><p>text</p></body>"
        tree_module._left_behind.clear()
        assert before(html) == before(html)
        assert tree_module._left_behind[content] is (content != "<span>")


def test_a_noscript_with_a_mark_of_ours_is_not_kept() -> None:
    tree_module._left_behind.clear()
    tree_of("<body><noscript><div></div></noscript><p>text</p></body>")
    assert not tree_module._left_behind
