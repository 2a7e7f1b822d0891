"""What was wrong once, each with the smallest input that showed it."""

from __future__ import annotations

import sys
import threading

import pytest
from fuzz.targets import _requests
from oracles import Html5lib, LawBroken, Parse5, check_trees
from soup import EVERYWHERE, INERT, TALKING, prose
from test_laws import policy_with

from adproxy.model import Skip, SkipReason
from adproxy.page.ends import Patience, end_of
from adproxy.page.marks import mark
from adproxy.page.tree import Tree
from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.ruleset import SelectorPlace, Slot
from adproxy.rules.values import Mismatch, parse_host, parse_url

TEXT = "".join(f"<p>{prose(40, i)}.</p>" for i in range(3))
AFTER_BOXES = policy_with(*(
    Slot(name, SelectorPlace("after", name), EVERYWHERE, TALKING, max=40) for name in ("div", "p")
))  # fmt: skip


@pytest.mark.parametrize(
    "markup",
    [
        # the link is closed by an end tag behind the place, so that the next text says nothing about it
        "<div><p>A <a href=x>link</p></div></a><p>c</p>",
        # what is left open in a cell ends with the cell
        "<table><tr><td><div><p>A <b>word</p></div></td><td>c</td></tr></table>",
        # a script's or a style sheet's text reopens nothing
        "<div><p>A <b>word</p></div><script>var a</script><ul><li>c</ul>",
        "<div><p>A <b>word</p></div><style>a{}</style></b>c",
        # white space within a table reopens nothing
        "<div><p>A <b>word</p></div><table> <tr><td>c</table>",
        # the parser drops a NUL
        "<div><p>A <b>word</p></div>\0</b>c",
        # open only for parsers without scripting
        "<noscript><b></noscript><div>c</div><p>d</p>",
    ],
)
@pytest.mark.parametrize("scripting", [True, False])
def test_formatting_that_is_open_at_a_place_never_leaks_into_a_slot(
    html5lib_parser: Html5lib, parse5_parser: Parse5, markup: str, scripting: bool
) -> None:
    html = f"<!DOCTYPE html><body><main>{TEXT}{markup}</main>".encode()
    result = rewrite(html, AFTER_BOXES)
    assert isinstance(result, Rewritten)
    for parser in (html5lib_parser, parse5_parser):
        check_trees(html, result.body, result.insertions, parser, scripting=scripting)


@pytest.mark.source
def test_the_check_above_sees_a_leak(monkeypatch: pytest.MonkeyPatch, html5lib_parser: Html5lib) -> None:
    html = f"<!DOCTYPE html><body><main>{TEXT}<div><p>A <b>word</p></div>\0</b>c</main>".encode()
    monkeypatch.setattr(Tree, "_settled", lambda *_: True)
    result = rewrite(html, AFTER_BOXES)
    assert isinstance(result, Rewritten)
    with pytest.raises(LawBroken):
        check_trees(html, result.body, result.insertions, html5lib_parser, scripting=True)


@pytest.mark.parametrize("part", ["</tbody>", "</td>", "</tr>", "<td>", "<tr>"])
def test_a_stray_part_of_a_table_ends_the_cell_that_a_page_is_laid_out_in(
    html5lib_parser: Html5lib, parse5_parser: Parse5, part: str
) -> None:
    html = f"<table><tr><td>{TEXT}<div><p>{prose(20, 1)}</p>{part}</div>".encode()
    places = [Slot(name, SelectorPlace("after", name), EVERYWHERE, INERT, max=40) for name in ("p", "div")]
    policy = policy_with(*places, article="td")
    result = rewrite(html, policy)
    assert isinstance(result, Rewritten)
    for parser in (html5lib_parser, parse5_parser):
        check_trees(html, result.body, result.insertions, parser, scripting=True)


def test_pages_marked_in_many_threads_at_once_get_the_same_marks() -> None:
    html = b"<p>x" * 8_000
    alone = mark(html).copy
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(10):
            made: list[bytes] = []
            threads = [threading.Thread(target=lambda: made.append(mark(html).copy)) for _ in range(4)]  # noqa: B023
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert made == [alone] * 4
    finally:
        sys.setswitchinterval(interval)


def test_the_ends_of_tables_in_tables_are_not_read_again_and_again() -> None:
    # each search reads up to the page's end; together they may read so many tags and no more
    html = b"<table>" * 1_400 + b"<wbr>" * 4_700
    patience = Patience()
    found = [end_of(html, 7 * i, "table", patience) for i in range(1_400)]
    assert set(found) == {-1}
    assert patience.tags == 0


@pytest.mark.parametrize("host", ["s.example: [30x5020] x/y", "http://[x", "//[1::zz]/"])
def test_a_host_with_brackets_that_hold_no_address_is_a_wrong_host(host: str) -> None:
    with pytest.raises(Mismatch, match="a host name such as"):
        parse_host(host)


@pytest.mark.parametrize("address", ["https://[x/a.png", "//[1::zz]/a.png"])
def test_an_address_with_brackets_that_hold_no_address_is_a_wrong_address(address: str) -> None:
    with pytest.raises(Mismatch, match="an address that starts with"):
        parse_url(address)


def test_what_begins_within_a_head_is_no_request_line() -> None:
    # a piece of the connection that begins in a later request's head was taken for its first line
    first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
    pieces = [first, b"abcGET /2 HTTP/1.0\r\nHost: b\r\nX: ", b"a /\xe1 b\r\n\r\n"]
    seen, _ = _requests(pieces)
    assert [(method, target) for method, target, *_ in seen] == [("POST", b"/"), ("GET", b"/2")]
    assert (b"x", b"a /\xe1 b") in seen[1][2]


def test_a_page_that_has_our_marks_where_scripting_is_off_is_left_alone() -> None:
    ours = '<div data-adproxy-slot="top"></div>'
    result = rewrite(f"<main>{TEXT}<noscript>{ours}</noscript>{TEXT}</main>".encode(), AFTER_BOXES)
    assert isinstance(result, Skip)
    assert result.reason is SkipReason.ALREADY_REWRITTEN
