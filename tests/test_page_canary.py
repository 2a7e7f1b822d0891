"""What `adproxy.page` rests on in its parser. An upgrade of selectolax that changes one of these must fail here."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser, SelectolaxError


def parse(html: str | bytes, *, scripting: bool = True) -> LexborHTMLParser:
    return LexborHTMLParser(html, scripting=scripting)


def body(html: str, *, scripting: bool = True) -> str:
    tree = parse(html, scripting=scripting).body
    assert tree is not None
    return (tree.html or "").removeprefix("<body>").removesuffix("</body>")


def test_of_two_attributes_of_one_name_the_first_wins() -> None:
    assert body("<p _ap=1 class=a _ap=2 class=b>x") == '<p _ap="1" class="a">x</p>'


def test_an_unquoted_attribute_value_ends_at_white_space_and_not_at_a_slash() -> None:
    assert body("<div _ap=5 />x") == '<div _ap="5">x</div>'
    assert body("<div _ap=5/>x") == '<div _ap="5/">x</div>'


def test_attributes_are_read_with_the_names_and_values_of_the_bytes() -> None:
    node = parse('<DIV _ap=5 Data-X="A&amp;b" hidden>').css_first("div")
    assert node is not None
    assert dict(node.attributes) == {"_ap": "5", "data-x": "A&b", "hidden": None}
    assert node.attrs.get("_ap") == "5"
    assert node.attrs.get("missing") is None
    assert node.tag == "div"


def test_a_vertical_tab_is_part_of_a_tags_name() -> None:
    node = parse("<p\x0bx _ap=1 >").css_first("[_ap]")
    assert node is not None
    assert node.tag != "p"


def test_with_scripting_the_content_of_a_noscript_is_text() -> None:
    assert parse("<body><noscript><p>x</p></noscript>").css("p") == []
    assert body("<body><noscript><p>x</p></noscript>") == "<noscript><p>x</p></noscript>"


def test_without_scripting_the_content_of_a_noscript_is_markup() -> None:
    assert len(parse("<body><noscript><p>x</p></noscript>", scripting=False).css("p")) == 1


def test_what_a_table_may_not_hold_is_moved_before_it_in_the_order_of_the_bytes() -> None:
    assert body("<p>0<table><p>1</p>2<tr><p>3</p><td>4</table>").endswith(
        "<p>1</p>2<p>3</p><table><tbody><tr><td>4</td></tr></tbody></table></p>"
    )


def test_at_most_three_equal_formatting_elements_are_reopened_in_the_next_block() -> None:
    assert body("<p _ap=0 ><b><b><b><b><b>x</p><p _ap=1 >y").endswith('<p _ap="1"><b><b><b>y</b></b></b></p>')


def test_unique_attributes_on_formatting_elements_would_switch_that_limit_off() -> None:
    marked = "".join(f"<b _ap={i} >" for i in range(5))
    assert body(f"<p>{marked}x</p><p>y").partition("</p>")[2].count("<b") == 5


def test_the_adoption_agency_splits_a_link_that_holds_a_block() -> None:
    assert body("<a><div _ap=0 >x</a>y</div>z") == '<a></a><div _ap="0"><a>x</a>y</div>z'


def test_a_copy_that_the_adoption_agency_makes_of_a_block_does_not_exist() -> None:
    # the marks of block elements stay unique: only formatting is ever cloned
    parser = parse("<p _ap=0 ><b>1<div _ap=1 >2</b>3</p>4</div>5")
    numbers = [node.attrs.get("_ap") for node in parser.css("[_ap]")]
    assert sorted(n for n in numbers if n) == ["0", "1"]


def test_a_stray_end_tag_of_a_paragraph_makes_an_empty_one() -> None:
    assert body("<p>a</p></p>b") == "<p>a</p><p></p>b"


@pytest.mark.parametrize("tag", ["div", "section", "h2", "ul", "pre", "figure", "main", "details"])
def test_the_start_of_a_block_element_closes_an_open_paragraph(tag: str) -> None:
    assert body(f"<p>a<{tag}>b").startswith(f"<p>a</p><{tag}>")


def test_a_table_closes_an_open_paragraph_only_where_there_is_a_doctype() -> None:
    assert body("<p>a<table></table>").startswith("<p>a<table>")
    assert body("<!doctype html><p>a<table></table>").startswith("<p>a</p><table>")


def test_an_unknown_element_is_a_plain_box() -> None:
    assert body("<x-box>a<p>b</p><div>c</div></x-box>d") == "<x-box>a<p>b</p><div>c</div></x-box>d"


def test_the_content_of_a_template_is_in_no_ones_way() -> None:
    parser = parse("<body><template><p>x</p></template><p>y</p>")
    assert [p.text() for p in parser.css("p")] == ["y"]


def test_a_paragraph_breaks_out_of_svg() -> None:
    assert body("<body><svg><p>x</p></svg>y") == "<svg></svg><p>x</p>y"


def test_comments_scripts_and_text_areas_hold_no_elements() -> None:
    assert (
        parse("<body><!-- <p>1 --><script>'<p>2'</script><style><p>3</style><textarea><p>4</textarea>").css("p") == []
    )


def test_nodes_of_one_element_share_a_memory_id_and_other_elements_have_others() -> None:
    parser = parse("<body><div><p>a</p>b</div>")
    first, again = parser.css_first("p"), parser.css("p")[0]
    assert first is not None
    assert first.mem_id == again.mem_id
    assert first.parent is not None
    assert first.parent.mem_id not in (first.mem_id, None)
    assert first.next is not None
    assert first.next.is_text_node
    assert not first.is_text_node
    assert first.is_element_node


def test_an_elements_own_text_leaves_out_that_of_its_children() -> None:
    node = parse("<body><div><p>a</p>b<!--c--></div>").css_first("div")
    assert node is not None
    assert node.text(deep=False) == "b"
    assert node.text() == "ab"


def test_matches_come_in_document_order_whatever_the_order_of_the_selectors() -> None:
    parser = parse("<body><p>1</p><h2>2</h2><p>3</p>")
    assert [node.text() for node in parser.css("h2,p")] == ["1", "2", "3"]


def test_an_element_comes_once_for_each_part_of_a_selector_list_that_it_matches() -> None:
    # Tree.css takes the doubles out; without them that code can go
    parser = parse("<body><p class=x>1</p>")
    assert [node.text() for node in parser.css("p,.x")] == ["1", "1"]


def test_attribute_selectors_can_leave_case_aside() -> None:
    parser = parse("<body><div class=rightRAIL></div><div class=other></div>")
    assert len(parser.css("[class*=rail i]")) == 1


def test_a_selector_that_does_not_parse_raises() -> None:
    with pytest.raises(SelectolaxError):
        parse("<p>").css("p[")


def test_a_document_without_a_body_in_its_bytes_has_one_in_its_tree() -> None:
    assert parse("").body is not None
    assert parse("text").body is not None


def test_a_frameset_document_has_no_body() -> None:
    tree = parse("<frameset><frame></frameset>").body
    assert tree is None or tree.tag == "frameset"


def test_bytes_that_are_no_utf8_become_replacement_characters_and_nothing_else_changes() -> None:
    tree = parse(b"<p>\xff\xc3\xa9</p>").body
    assert tree is not None
    assert tree.text() == "�é"
