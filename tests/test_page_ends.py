"""Where elements end in the bytes: found where it is clear, never where it is not."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from conftest import compiled_module
from hypothesis import given, settings
from hypothesis import strategies as st
from soup import pages

from adproxy.page import ends
from adproxy.page.ends import end_of, end_of_tag


def rest(html: str, name: str, start: int = 0) -> str | None:
    """What follows the element that starts at `start`; None where its end is not proven."""
    offset = end_of(html.encode(), start, name)
    return html.encode()[offset:].decode() if offset >= 0 else None


@pytest.mark.parametrize(
    ("html", "name"),
    [
        ("<p>a</p>|", "p"),
        ("<P CLASS=x>a</P >|", "p"),
        ("<p>a</p\n>|", "p"),
        ("<div>a<div>b</div>c</div>|", "div"),
        ("<div><p>a<p>b</div>|</div>", "div"),
        ("<div><!-- </div> -->a</div>|", "div"),
        ("<div><!-- a -- b - > --!>a</div>|", "div"),
        ('<div title="</div>">a</div>|', "div"),
        ("<div title='>'>a</div>|", "div"),
        ("<div title = 'a' hidden class=b>a</div>|", "div"),
        ("<div><script>'</div>'</script>a</div>|", "div"),
        ("<div><SCRIPT>'</div>'</Script >a</div>|", "div"),
        ("<div><style>/*</div>*/</style>a</div>|", "div"),
        ("<div><iframe src=x></div></iframe>a</div>|", "div"),
        ("<div><noscript><img src=x alt=''></noscript>a</div>|", "div"),
        ("<div><noscript>text</noscript>a</div>|", "div"),
        ("<div><noscript><p>b <i>c</i></p></noscript>a</div>|", "div"),
        ("<div><svg><use x='></svg></div>'></use></svg><p>b</p></div>|", "div"),
        ("<div><svg><title>a &amp; b</title><g><circle r=1></g></svg>a</div>|", "div"),
        ("<div><a href=/x?a=b&c=d>a</a></div>|", "div"),
        ("<div><svg viewBox='0 0 1 1'><path d='M0 0'/></svg>a</div>|", "div"),
        ("<div><svg/>a</div>|", "div"),
        ("<div><img src=x><br/><hr></div>|", "div"),
        ("<div>a < b & c > d</div>|", "div"),
        ("<h2>a <b>b</b></h2>|", "h2"),
        ("<ul><li>a<li>b</ul>|", "ul"),
        ("<table><tr><td>a</table>|", "table"),
        ("<table><tr><td><table><tr><td>b</table></table>|", "table"),
        ("<table><tr><td><p>a</p></td></tr></table>|", "table"),
        ("<div><table><tr><td>a</td></tr></table>b</div>|", "div"),
        ("<div><table><tr><td><p>a</p></td></tr></table>b</div>|", "div"),
        ("<div><form action=x><input name=y></form></div>|", "div"),
        ("<x-box>a</x-box>|", "x-box"),
        ("<section>é</section>|ü", "section"),
    ],
)
def test_the_end_is_found_behind_plain_content(html: str, name: str) -> None:
    whole, following = html.replace("|", ""), html.partition("|")[2]
    assert rest(whole, name) == following


@pytest.mark.parametrize(
    ("html", "name"),
    [
        ("<p>a", "p"),
        ("<div>a<div>b</div>", "div"),
        ("<div>a</div", "div"),
        ("<div>a<p class='x</div>", "div"),
        ('<div>a<p title="x"y"></p></div>', "div"),
        ("<div><p =x>a</p></div>", "div"),
        ("<div>a<p class=x'y'>b</p></div>", "div"),
        ("<div><a <b>c</a></div>", "div"),
        ("<div><!-- a </div>", "div"),
        ("<div><!--> a </div>", "div"),
        ("<div><!---> a </div>", "div"),
        ("<div><!x> a </div>", "div"),
        ("<div><?x?> a </div>", "div"),
        ("<div></?></div>", "div"),
        ("<div><script>a</div>", "div"),
        ("<div><script><!-- <script> </script> --></script></div>", "div"),
        ("<div><noscript><p>a</noscript></div>", "div"),
        ("<div><noscript><table></table></noscript></div>", "div"),
        ("<div><noscript><img alt='></noscript></div>'></noscript></div>", "div"),
        ('<div><br ="></div>">a</div>', "div"),
        ('<div><br a=b="></div>">a</div>', "div"),
        ('<div><br a=="></div>">a</div>', "div"),
        ("<div><svg><title>a<section>b</svg></div>", "div"),
        ("<div><noscript></div></noscript></div>", "div"),
        ("<div><noscript><!-- a </noscript> --></div>", "div"),
        ("<div><svg><p>a</p></svg></div>", "div"),
        ("<div><svg><foreignObject></foreignObject></svg></div>", "div"),
        ("<div><svg><title>a</title><svg></svg></svg></div>", "div"),
        ("<div><svg><![CDATA[ </svg> ]]></svg></div>", "div"),
        ("<div><svg><?x </svg> ?></svg></div>", "div"),
        ("<div><svg><path>", "div"),
        ("<table><tr><td>a</td></tr>", "table"),
        ("<div><table><tr><td>a</div></td></tr></table></div>", "div"),
        ("<div><table><tr><td><div>a</td></tr></table></div>", "div"),
        ("<div><table></table></table></div>", "div"),
        ("<p>a<table><tr><td>b</p></td></tr></table></p>", "p"),
        ("<p>a<div>b</div></p>", "p"),
        ("<p>a<ul><li>b</ul></p>", "p"),
        ("<p>a<p>b</p>", "p"),
        ("<p>a<hr></p>", "p"),
        ("<h2>a</h3>", "h2"),
        ("<h2>a<h3>b</h3></h2>", "h2"),
        ("<h2>a<h2>b</h2></h2>", "h2"),
    ],
)
def test_an_end_that_is_not_clear_is_not_proven(html: str, name: str) -> None:
    assert rest(html, name) is None


@pytest.mark.parametrize(
    "name",
    """template select option optgroup math plaintext frameset object applet marquee noembed noframes xmp textarea title
    html head body button image listing""".split(),
)
def test_elements_that_this_reader_does_not_follow_end_the_search(name: str) -> None:
    assert rest("<div><span>a</span></div>|", "div") == "|"
    assert rest(f"<div><{name}>a</{name}></div>", "div") is None


def test_the_search_begins_at_the_element_and_sees_nothing_before_it() -> None:
    html = "<!-- <p title=' --><p>a</p>|"
    assert rest(html, "p", html.index("<p>")) == "|"


def test_an_element_longer_than_the_region_is_not_searched_to_its_end() -> None:
    inside = "a" * (ends.MAX_REGION - len("<div></div>"))
    assert rest(f"<div>{inside}</div>|", "div") == "|"
    assert rest(f"<div>{inside}a</div>|", "div") is None


def test_an_element_with_too_many_tags_in_it_is_not_searched_to_its_end() -> None:
    fits = "<br>" * (ends.MAX_TAGS - 2)
    assert rest(f"<div>{fits}</div>|", "div") == "|"
    assert rest(f"<div>{fits}<br></div>|", "div") is None


def test_a_tag_ends_behind_its_quoted_values() -> None:
    html = b"<br title='>' data-x=\">\">|"
    assert html[end_of_tag(html, 0) :] == b"|"


@pytest.mark.parametrize("html", [b"<br title='>", b"<br", b"<br x=a'b'>", b"<!-- -->", b"br>", b"< br>"])
def test_what_is_no_well_formed_tag_has_no_end(html: bytes) -> None:
    assert end_of_tag(html, 0) == -1


# --- compiled and not ---------------------------------------------------------------------------


def native() -> ends.Search:
    """The compiled search; skips the test where nothing could be compiled."""
    search: ends.Search = compiled_module("page.ends_native").Ends(ends.TRAITS, ends.is_balanced, ends._behind_svg)
    return search


TAGS = """<p> </p> <P > </p\t> <p/> </p/> <div> </div> <h2> </h2> <h3> </h3> <table> </table> <tr> <td> </td> <x-y>
</x-y> <x-a-very-long-name> </x-a-very-long-name> <script> </script> </SCRIPT> <style> </style/ <iframe> </iframe>
<noscript> </noscript> <svg> <svg/> <path> <g> </g> </svg> <title> </title> <template> <!-- --> <!--> <!---> --!>
<!---- - <!x <?x </? < <1 text &amp; " ' ` = > / <b> </b> <br> <ul> <li> </ul> <pabc> <p- </p""".split()
ATTRIBUTES = """<p class=a>|<p class='a>b'>|<p class="a>b">|<p class="a"b>|<p class=a'b>|<p =x>|<p a = b>|<p a=>
<p a==b>|<p a=`b>|<p a=|<p a="|<div/a/b/>|<div a/=b>|<div <p>|<div\fa\r="b"/>|<a href=/x?a=b&c=d>|<svg a=/>
<svg viewBox='0'/>|<script src=x>|<p a=b/>|<p a\0b=c>|<h2 a b c='d'>|</p class=a>|</div a='>'>|</h2 <b>""".replace(
    "\n", "|"
).split("|")
PIECES = st.lists(st.sampled_from([*TAGS, *ATTRIBUTES, " ", "\n"]), max_size=14).map("".join)
NAMES = st.sampled_from(["p", "div", "h2", "table", "x-y", "ul", "x-a-very-long-name", "section", "td"])


@given(html=PIECES, name=NAMES, opened=st.booleans(), cut=st.integers(0, 12), most=st.integers(0, 12))
@settings(max_examples=1_500, deadline=None)
def test_the_compiled_search_finds_what_the_one_in_python_does(
    html: str, name: str, opened: bool, cut: int, most: int
) -> None:
    page = (f"<{name}>{html}</{name}>" if opened else html).encode()
    limit = max(0, len(page) - cut)
    assert native()(page, 0, name.encode(), limit, most) == ends.pure(page, 0, name.encode(), limit, most)


@given(html=pages())
@settings(max_examples=60, deadline=None)
def test_so_it_is_from_every_tag_of_a_page(html: bytes) -> None:
    for tag in re.finditer(rb"<([a-zA-Z][a-z0-9-]*)", html):
        wanted = tag[1].lower()
        assert native()(html, tag.start(), wanted, len(html), 500) == ends.pure(
            html, tag.start(), wanted, len(html), 500
        )


def test_nothing_is_read_beyond_the_page() -> None:
    for start, limit in ((-1, 5), (0, 6)):
        with pytest.raises(ValueError, match="offset"):
            native()(b"<p>ab", start, b"p", limit, 9)


def test_the_compiled_search_is_that_of_its_source() -> None:
    native()
    from adproxy.page import ends_native

    source = Path(ends.__file__).with_name("ends_native.pyx")
    made_from = hashlib.sha256(source.read_bytes()).hexdigest()
    assert made_from == ends_native.SOURCE, "the source was changed since it was compiled: make .venv/product"
