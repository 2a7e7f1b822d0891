"""Scripts and style sheets that the parsed copy goes without: it says of a page what the whole one says, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser
from soup import pages

from adproxy.model import Page
from adproxy.page import guard, marks
from adproxy.page import read as reading
from adproxy.page.marks import Marked, mark
from adproxy.page.read import Wanted, compile_wanted, read
from adproxy.page.scan import scan
from adproxy.page.syntax import LEFT_OUT
from adproxy.page.tree import Tree
from adproxy.rules.ruleset import (
    ByPage,
    FixedPlace,
    KeepClear,
    Limits,
    MidArticle,
    Policy,
    SidebarPlace,
    Size,
    SizeMap,
    Slot,
    When,
)

CODE = b"for(i=0;i<n&&i<m;i++){document.write('<p class=\"ad\"></p><div>')}/* &amp; &lt; */;go()"
"""More bytes than what is left out must have."""
PLACES = {
    "mid": MidArticle(),
    "top": FixedPlace.BELOW_HEADLINE,
    "end": FixedPlace.END_OF_ARTICLE,
    "rail": SidebarPlace(1),
}
SLOTS = tuple(Slot(name, place, SizeMap(((0, (Size(300, 250),)),)), ByPage()) for name, place in PLACES.items())
POLICY = Policy("site", None, None, Limits(), KeepClear(), SLOTS)
# What a script or a style sheet can stand in, or look as if it stood in.
PIECES = [
    *b"""<script> <SCRIPT> <script/> </script> </SCRIPT> </script/ <style> </style> </STYLE/> <svg> </svg> <math>
    </math> <foreignObject> <title> </title> <template> </template> <noscript> </noscript> <textarea> </textarea>
    <select>
    <option> </select> <frameset> <plaintext> <table> <td> </table> <!-- --> --!> <!--> <![CDATA[ ]]> <p> </p> <div>
    </div> <p <iframe> </iframe> <xmp> <body> </body> </html> <colgroup> <head> </head> <b> <a>
    " ' = > < & text""".split(),
    *(b"<script type=application/ld+json>", b"<script x='", b"'>", b"<style media=\"", b'">', b"<svg><style>", b" "),
    *(b"<script>" + CODE + b"</script>", b"<style>p{color:red}</style>", b"<script><!--", b"<p>" + b"word " * 30),
]  # fmt: skip


@pytest.fixture(autouse=True)
def short_texts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "_LONG", 1)


def tree_of(copy: bytes, silent: Collection[str], is_told: Callable[[str], bool]) -> list[object]:
    """A page's tree, node by node, without the text in some elements, and with those attributes that are told."""
    root = LexborHTMLParser(copy, scripting=True).root
    found: list[object] = []
    numbers: dict[int, int] = {}
    unread: set[int] = set()
    for n, node in enumerate(root.traverse(include_text=True) if root is not None else ()):
        numbers[node.mem_id] = n
        parent = node.parent
        around = numbers.get(parent.mem_id) if parent is not None else None
        if node.tag in silent or (parent is not None and parent.mem_id in unread):
            unread.add(node.mem_id)
        if node.is_text_node:
            found.append((around, "" if node.mem_id in unread else node.text()))
        else:
            found.append((around, node.tag, {name: value for name, value in node.attributes.items() if is_told(name)}))
    return found


def parsed(marked: Marked) -> list[object]:
    """A copy's tree without marks, and without what scripts and style sheets say."""
    return tree_of(marked.copy, marks.BULK, lambda name: name != marks.ATTRIBUTE)


def both(html: bytes) -> tuple[Page, Page]:
    wanted = compile_wanted(POLICY)
    assert not wanted.whole
    assert not wanted.others
    return read(html, wanted), read(html, replace(wanted, whole=True, others=True))


@settings(max_examples=1500, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30))
def test_what_is_proven_has_the_tree_of_the_page(pieces: list[bytes]) -> None:
    html = b"<body>" + b"".join(pieces)
    marked = mark(html, whole=False)
    tree = Tree(html, marked, marked.copy)
    if tree.is_proven:
        assert parsed(marked) == parsed(mark(html))


@settings(max_examples=300, deadline=None)
@given(html=pages(), pieces=st.lists(st.sampled_from(PIECES), max_size=8), at=st.integers(0, 10**6))
def test_a_page_is_read_as_if_nothing_were_left_out(html: bytes, pieces: list[bytes], at: int) -> None:
    at %= len(html) + 1
    without, whole = both(html[:at] + b"".join(pieces) + html[at:])
    assert without == whole


ARTICLE = b"<h1>Headline</h1>" + (b"<p>" + b"word " * 60 + b".</p>") * 9
# Where what looks like a script is none: nothing of these may be believed.
MISLEADING = {
    "in a comment": b"<!--" + b"x" * 600 + b"<script>-->" + ARTICLE + b"<script></script>",
    "in a frameset": b"<script>" + CODE + b"</script>",
    "in an attribute": b"<p title='\"><script>" + CODE + b"'></script>",
    "in svg, behind its end in a comment": b"<svg><!--</svg>"
    + b"x" * 600
    + b"--><script>"
    + ARTICLE
    + b"</script></svg>",
    "where scripting is off": b"<noscript><!--" + b"x" * 600 + b"</noscript><script>--><div><b></script>--></noscript>",
    "in text that is not closed": b"<textarea " + b"x" * 9 + b"></ textarea></textarea ><script>" + CODE + b"</script>",
}


@pytest.mark.parametrize("case", sorted(MISLEADING))
@pytest.mark.parametrize("first", [True, False])
def test_what_only_looks_like_a_script_changes_nothing(case: str, first: bool) -> None:
    body = MISLEADING[case] + ARTICLE if first else ARTICLE + MISLEADING[case]
    without, whole = both((b"<frameset>" if "frameset" in case else b"<body>") + body)
    assert without == whole


@pytest.mark.source
def test_a_rewriter_that_believed_without_a_proof_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    html = b"<body>" + MISLEADING["in a comment"] + ARTICLE
    assert len(mark(html, whole=False).left_out) == 1
    real = Tree.__init__

    def believing(self: Tree, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        self.is_proven = True

    monkeypatch.setattr(Tree, "__init__", believing)
    without, whole = both(html)
    assert without != whole


def left_out(html: bytes) -> list[bytes]:
    return [html[start:end] for _, start, end in mark(html, whole=False).left_out]


@pytest.mark.parametrize(
    "html",
    [
        b"<script>" + CODE + b"</script>",
        b"<SCRIPT async\n>" + CODE + b"</Script >",
        b"<style media=x>" + CODE + b"</style/>",
        b"<noscript><p></noscript><script>" + CODE + b"</script>",
        b"<!-- x --><script>" + CODE + b"</script>",
        b"<script type=application/json>" + CODE + b"</script>",
    ],
)
def test_what_nobody_reads_is_left_out(html: bytes) -> None:
    assert left_out(html) == [CODE]
    copy = mark(html, whole=False).copy
    assert LEFT_OUT in copy
    assert CODE not in copy


@pytest.mark.parametrize(
    ("why", "html"),
    [
        ("JSON-LD is read", b'<script type="application/LD+json">' + CODE + b"</script>"),
        ("it may be JSON-LD", b'<script type="application/ld&#43;json">' + CODE + b"</script>"),
        ("a comment in it may hide its end", b"<script><!--" + CODE + b"</script>"),
        ("a comment is around it", b"<!--<script>" + CODE + b"</script>-->"),
        ("it does not end", b"<script>" + CODE),
        ("its tag does not end", b"<script " + CODE.replace(b">", b" ")),
        ("it is text", b"<textarea><script>" + CODE + b"</script></textarea>"),
        ("it is text where scripts run", b"<noscript><style>" + CODE + b"</style></noscript>"),
        ("it is markup", b"<svg><style>" + CODE + b"</style></svg>"),
    ],
)
def test_what_may_be_more_is_kept(why: str, html: bytes) -> None:
    assert left_out(html) == [], why


def reads(monkeypatch: pytest.MonkeyPatch, html: bytes, wanted: Wanted, encoding: str = "utf-8") -> list[bool]:
    """For each copy that was parsed, whether something was left out of it."""
    found: list[bool] = []
    real: Callable[..., Marked] = mark

    def told(*args: object, **kwargs: object) -> Marked:
        marked = real(*args, **kwargs)
        found.append(bool(marked.left_out))
        return marked

    monkeypatch.setattr(reading, "mark", told)
    read(html, wanted, encoding)
    return found


@pytest.mark.source
def test_a_page_is_parsed_twice_only_where_a_proof_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = b"<body><script>" + CODE + b"</script>" + ARTICLE
    assert reads(monkeypatch, plain, Wanted()) == [True]
    assert reads(monkeypatch, b"<body>" + MISLEADING["in a comment"] + ARTICLE, Wanted()) == [True, False]


@pytest.mark.source
def test_where_a_second_time_would_be_a_burden_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = b"<body><script>" + CODE + b"</script>" + ARTICLE
    large = plain + b"<p>x</p>" * guard._LIGHT_TAGS
    assert guard.is_light(scan(plain))
    assert not guard.is_light(scan(large))
    assert reads(monkeypatch, large, Wanted()) == [False]


@pytest.mark.source
def test_selectors_that_ask_for_text_see_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = compile_wanted(replace(POLICY, when=When(has=('script:lexbor-contains("go()")',))))
    plain = b"<body><script>" + CODE + b"</script>" + ARTICLE
    assert wanted.whole
    assert reads(monkeypatch, plain, wanted) == [False]
    assert read(plain, wanted).facts.matched


@pytest.mark.source
def test_pages_in_other_encodings_are_parsed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = b"<body><script>" + CODE + b"</script>" + ARTICLE
    assert reads(monkeypatch, plain, Wanted(), "cp932") == [False]
