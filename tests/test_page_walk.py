"""One walk finds what the parser's CSS finds, whatever the page; what is read of nodes by compiled code is what Python
reads of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from conftest import compiled_module
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode
from soup import pages

from adproxy.page import ads, blocks, children, contents, glance, landmarks, places, stride, walk
from adproxy.page.glance import Glance
from adproxy.page.stride import Ordinary, Stride
from adproxy.page.walk import Find, Lists, Sought

_EVERYTHING: Lists = (
    *landmarks._PARAGRAPHS,
    landmarks._SIDEBARS,
    *((Sought(frozenset([name])),) for name in ("h1", "table", "noscript", "x-y", "title", "script", "font")),
    (Sought(frozenset(["meta"]), "http-equiv"), Sought(attribute="nonce")),
    (Sought(attribute="id"), Sought(attribute="class")),
    contents._NOTABLE,
    contents.ads.NAMED,
    (Sought(frozenset(["x-y", "td"]), "data-k", "is", "Ab"),),
    (Sought(frozenset(["p", "svg"]), "class", "is", "a"),),
    (Sought(frozenset(["p", "div", "td", "x-y"]), own_text=5), Sought(attribute="class", own_text=5)),
    (),
)
NAMES = """<p> </p> <p/> <h1> </h1> <table> <tr> <td> </td> </table> <x-y> </x-y> <X-Y> <aside> <section> <object>
<button> <svg> <title> <script> </script> </svg> <math> <mi> <template> </template> <noscript> </noscript> <br>
</object> </button> </aside> <img> <ins> <select> <option> </select> <!--> text &amp; <b> </b> <body> </html>"""
ATTRIBUTES = """p class="Ad a"|p CLASS=a|p hidden|p style='x;DISPLAY: none'|p style=display:none id|div class
div class=SideBar
div id=xsidebarx|section class='a trail'|div role=complementary|td data-k=Ab|x-y data-k=ab|x-y DATA-K=Ab|div id=''
div role=Complementary|svg class=a|svg id=Ad|meta http-equiv=x nonce|i nonce=''|i class='a&#100;'|i id=ÀD"""
PIECES = st.sampled_from([*NAMES.split(), *(f"<{tag}>" for tag in ATTRIBUTES.replace("\n", "|").split("|"))])


def native() -> ModuleType:
    return compiled_module("page.walk_native")


def compiled(lists: Lists) -> Find:
    find: Find = native().Walk(lists)
    return find


def parsed(html: str | bytes) -> LexborHTMLParser:
    return LexborHTMLParser(html, options=LexborDocumentOptions.WO_EVENTS, scripting=True)


def found(find: Find, root: LexborNode) -> list[list[int]]:
    return [[node.mem_id for node in one] for one in find(root)]


def check(html: str | bytes) -> None:
    tree = parsed(html)
    root = tree.root
    assert root is not None
    quick, pure = compiled(_EVERYTHING), walk.pure(_EVERYTHING)
    for node in (root, *root.css("section,td,object,article")[:20]):
        assert found(quick, node) == found(pure, node)
    nodes = [root, *root.traverse(include_text=True)][:300]
    check_glances(nodes)
    check_values(nodes)
    check_strides(nodes)
    check_children(nodes)


def check_glances(nodes: list[LexborNode]) -> None:
    for telling in (ads._TELLING, {"data-k", "nonce"}, {"class"}):
        quick: Glance = native().Glance(telling)
        slow = glance.pure(telling)
        assert [quick(node) for node in nodes] == [slow(node) for node in nodes]


def check_values(nodes: list[LexborNode]) -> None:
    for name in ("class", "data-k", "nonce", "id"):
        quick, slow = native().Value(name), glance.pure_value(name)
        assert [quick(node) for node in nodes] == [slow(node) for node in nodes]


def check_strides(nodes: list[LexborNode]) -> None:
    none: frozenset[str] = frozenset()
    for wrapping, silent, perhaps, telling in (
        (places._TEXT_LEVEL, places.SKIPPED, none, none),
        (places._TEXT_LEVEL, places.SKIPPED, places._BOXES, ads._TELLING),
        ({"div", "svg"}, {"td", "p"}, none, none),
        ({"div"}, {"p"}, frozenset(["section", "td", "i", "svg", "p"]), frozenset(["data-k"])),
    ):
        quick: Stride = native().Stride(wrapping, silent, Ordinary(perhaps, native().Glance(telling), places._matters))
        slow = stride.pure(wrapping, silent, Ordinary(perhaps, glance.pure(telling), places._matters))
        for i, node in enumerate(nodes):
            enter, forward = (None, True, False)[i % 3], i % 2 == 0
            assert strides(quick, node, enter, forward) == strides(slow, node, enter, forward)


def check_children(nodes: list[LexborNode]) -> None:
    """What they hold is the same, however much of it is asked for."""
    quick = native().Children(blocks._IGNORED, blocks._USUAL)
    slow = children.pure(blocks._IGNORED, blocks._USUAL)
    for node in nodes:
        if node.is_element_node:
            assert native().text_in(node) == walk.pure_text(node)
            assert [native().text_in(node, enough) for enough in (1, 9)] == [
                walk.pure_text(node, enough) for enough in (1, 9)
            ]
        for most in (0, 1, 3, 5_000):
            (found, left_out, rest), (expected, left_out_too, rest_too) = quick(node, most), slow(node, most)
            assert [(at.mem_id if at is not None else None, said) for at, said in found] == [
                (at.mem_id if at is not None else None, said) for at, said in expected
            ]
            assert left_out == left_out_too
            assert (rest and rest.mem_id) == (rest_too and rest_too.mem_id)


def strides(
    stride_on: Stride, node: LexborNode, enter: bool | None, forward: bool
) -> list[tuple[int, str | None, int]]:
    """All the way until 40 nodes were passed: in every other element."""
    made: list[tuple[int, str | None, int]] = []
    at, text, left = stride_on(node, enter, forward, 40)
    while at is not None:
        made.append((at.mem_id, text, left))
        at, text, left = stride_on(at, text is None and left % 2 == 0, forward, left)
    return [*made, (0, text, left)]


@given(st.lists(PIECES, max_size=30))
@settings(max_examples=300, deadline=None)
def test_compiled_code_finds_what_css_finds_in_pieces_of_markup(pieces: list[str]) -> None:
    check("".join(pieces))


@given(pages())
@settings(max_examples=60, deadline=None)
def test_compiled_code_finds_what_css_finds_in_pages(html: bytes) -> None:
    check(html)


@pytest.mark.parametrize(
    ("sought", "names"),
    [
        (Sought(frozenset(["b", "x-y"])), "b x-y"),
        (Sought(attribute="data-k"), "i b"),
        (Sought(attribute="data-k", how="is", value="Ab"), "i"),
        (Sought(attribute="data-k", how="holds", value="b"), "i b"),
        (Sought(frozenset(["b"]), "data-k", "holds", "a"), "b"),
        (Sought(frozenset(["u"]), inside="div"), "u"),
        (Sought(attribute="class", how="holds", value="wide"), "div"),
    ],
)
@pytest.mark.parametrize("make", [walk.pure, compiled])
def test_elements_are_found_by_name_by_attribute_and_by_what_is_around(
    make: Callable[[Lists], Find], sought: Sought, names: str
) -> None:
    tree = parsed("<u></u><i data-k=Ab></i><div class='Wide x'><b data-k=cAB></b><u></u></div><x-y></x-y>")
    assert tree.body is not None
    assert [node.tag for node in make(((sought,),))(tree.body)[0]] == names.split()


def test_what_is_found_outlives_the_parser_and_can_be_asked_like_any_other() -> None:
    (nodes,) = compiled(((Sought(frozenset(["p"])),),))(parsed("<div id=d><p class=a>one</p>two").css("div")[0])
    assert [(node.text(), node.attributes, node.parent and node.parent.id) for node in nodes] == [
        ("one", {"class": "a"}, "d")
    ]


def test_what_is_no_node_is_refused() -> None:
    for other in (None, "p", parsed("<p>")):
        with pytest.raises(TypeError):
            compiled(((Sought(frozenset(["p"])),),))(other)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            native().Glance([])(other)
        with pytest.raises(TypeError):
            native().Value("id")(other)
        with pytest.raises(TypeError):
            native().Stride([], [])(other, None, True, 9)


def test_the_compiled_walk_is_that_of_its_source() -> None:
    source = Path(walk.__file__).with_name("walk_native.pyx")
    made_from = hashlib.sha256(source.read_bytes()).hexdigest()
    assert made_from == native().SOURCE, "the source was changed since it was compiled: make .venv/product"
