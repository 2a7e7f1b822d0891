"""Where an element ends in the bytes, proven from its start.

From the offset of a start tag that is known to be real, the bytes are read tag by tag until the end tag that closes the
element. Only plain content is believed: text, comments, well-formed tags, raw text that ends. Whatever could make a
parser see another end than a reader of bytes does (a stray quote, a template, foreign content with HTML in it) ends the
search with -1: such an element has no anchor behind it. Compiled code reads them where there is some
(`page/ends_native.pyx`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Final

# A long article with its sidebars; an element longer than this is not searched for its end.
MAX_REGION = 256 * 1024
MAX_TAGS = 6_000
# All searches of a page together: elements that nest would otherwise be read again for each that is around them.
MAX_TAGS_OF_PAGE = 60_000

# The rest of a well-formed tag, attribute by attribute: '="', which begins a name and no value, is not well formed, nor
# is a quote within a value that has none around it.
_ATTRIBUTES = (
    rb"(?=[\t\n\f\r />])(?:[\t\n\f\r /]++|[^\t\n\f\r />\"'<=]++"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'<=`][^\t\n\f\r >\"'<`]*+))?+)*+>"
)
_TOKEN = re.compile(
    rb"<(?:"
    rb"(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9-]*+)" + _ATTRIBUTES + rb"|!--(?!-?>)(?:[^-]++|-(?!-!?>))*+--!?>"
    rb"|(?P<unclear>[a-zA-Z/!?])"
    rb")"
)
# Elements in which this reader does not follow the parser: the end of such an element is not proven.
_UNCLEAR = frozenset(
    b"template select option optgroup math plaintext frameset frame object applet marquee noembed noframes xmp "
    b"textarea title html head body foreignobject button isindex image listing".split()
)
_RAW = {
    name: re.compile(rb"</" + name + rb"[\t\n\f\r />]", re.I) for name in (b"script", b"style", b"iframe", b"noscript")
}
_PLAIN_ENDS = {name: re.compile(rb"</" + name + rb"[\t\n\f\r ]*>", re.I) for name in (b"iframe", b"style")}
# The content of an icon or a drawing, and its end: elements that are only ever svg's own, and titles of mere text. Any
# other could bring HTML back or break out of the svg.
_SVG = re.compile(
    rb"(?:[^<]++"
    rb"|</?(?:path|g|circle|ellipse|rect|line|polyline|polygon|defs|use|symbol|mask|pattern|clippath|text|tspan"
    rb"|lineargradient|radialgradient|stop|filter|fe[a-z]+|animate|animatetransform|metadata)" + _ATTRIBUTES
    + rb"|<title" + _ATTRIBUTES + rb"[^<]*+</title[\t\n\f\r ]*+>"
    rb")*+</svg[\t\n\f\r ]*+>",
    re.I,
)  # fmt: skip
# What a noscript may hold, properly nested, to leave nothing behind for parsers with and without scripting.
_VOID = frozenset(b"img br wbr hr link meta source track input embed area".split())
_NESTS = frozenset(
    b"p div span a b i em strong u s small font center section article figure picture video audio ul ol li h1 h2 h3 h4 "
    b"h5 h6 label abbr time ins del iframe style noindex".split()
)
_TABLE_PARTS = frozenset((b"table", b"tbody", b"thead", b"tfoot", b"tr", b"td", b"th", b"caption", b"colgroup", b"col"))
# Ends that close exactly the innermost open element of their name, whatever stands inside it.
_HEADINGS = frozenset((b"h1", b"h2", b"h3", b"h4", b"h5", b"h6"))
# Start tags that close an open p (so that a later "</p>" would make a new one).
_CLOSES_P = frozenset(
    b"address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer header "
    b"hgroup h1 h2 h3 h4 h5 h6 main menu nav ol p pre section summary ul table form hr li dd dt".split()
)


def is_balanced(html: bytes, start: int, end: int) -> bool:
    """True if the markup between two offsets is plain and closes all that it opens."""
    position = start
    stack: list[bytes] = []
    for _ in range(200):
        found = _TOKEN.search(html, position, end)
        if found is None:
            return not stack and html.find(b"<", position, end) < 0
        if found["unclear"] is not None:
            return False
        position = found.end()
        if found["name"] is None or (tag := found["name"].lower()) in _VOID:
            continue
        if found["close"]:
            if not stack or stack.pop() != tag:
                return False
        elif tag not in _NESTS:
            return False
        elif tag in (b"iframe", b"style"):
            raw = _PLAIN_ENDS[tag].search(html, position, end)
            if raw is None:
                return False
            position = raw.end()
        else:
            stack.append(tag)
    return False


# Tags that neither end formatting nor bring a scope of their own.
_KEEP_FORMATTING = _CLOSES_P - {b"table", b"form", b"pre"} | {b"search", b"span"}
# Elements whose start reopens pending formatting, as text does.
_REOPENS = frozenset(b"area br embed img input wbr".split())


def keeps_formatting(html: bytes, position: int) -> bool:
    """True if nothing from an offset to the next text or picture ends formatting that may be pending at the offset."""
    for _ in range(40):
        if html[position : position + 1] != b"<":
            # the parser drops a NUL without reopening anything
            return position < len(html) and html[position] != 0
        found = _TOKEN.match(html, position)
        if found is None or found["unclear"] is not None:
            return False
        position = found.end()
        if found["name"] is None:  # a comment
            continue
        tag = found["name"].lower()
        if tag in _REOPENS:
            return not found["close"]
        if tag in (b"script", b"style") and not found["close"]:
            end = _RAW[tag].search(html, position)
            if end is None or b"<!--" in html[position : end.start()]:
                return False
            position = html.find(b">", end.start()) + 1
            if position == 0:
                return False
        elif tag not in _KEEP_FORMATTING and tag not in (b"link", b"meta"):
            return False
    return False


def end_of_tag(html: bytes, start: int) -> int:
    """Offset right behind the well-formed tag at `start`; -1 where it is not well formed."""
    found = _TOKEN.match(html, start)
    return found.end() if found is not None and found["name"] is not None else -1


class Patience:
    """What may still be read in search of ends; shared by all searches of one page."""

    def __init__(self) -> None:
        self.tags = MAX_TAGS_OF_PAGE


def end_of(html: bytes, start: int, name: str, patience: Patience | None = None) -> int:
    """Offset right behind the end tag of the element whose start tag is at `start`; -1 where it can't be proven.

    The start tag must be proven real, and the element's ancestors plain containers. `patience` is used up; without it
    the search stands for itself.
    """
    patience = patience or Patience()
    limit = min(len(html), start + MAX_REGION)
    end, used = _search(html, start, name.encode(), limit, min(MAX_TAGS, patience.tags))
    patience.tags -= used
    return end


def _behind_svg(html: bytes, position: int, limit: int) -> int:
    """Offset behind the svg whose start tag ends at a position; -1 where what it holds is not only svg's own."""
    svg = _SVG.match(html, position, limit)
    return svg.end() if svg is not None else -1


class Trait:
    """What an element's name means for this search, as bits."""

    TABLE_PART: Final = 1
    TABLE: Final = 2
    UNCLEAR: Final = 4
    RAW: Final = 8
    SVG: Final = 16
    HEADING: Final = 32
    CLOSES_P: Final = 64
    SCRIPT: Final = 128
    NOSCRIPT: Final = 256


TRAITS: dict[bytes, int] = {}
for _trait, _names in (
    (Trait.TABLE_PART, _TABLE_PARTS),
    (Trait.TABLE, (b"table",)),
    (Trait.UNCLEAR, _UNCLEAR),
    (Trait.RAW, _RAW),
    (Trait.SVG, (b"svg",)),
    (Trait.HEADING, _HEADINGS),
    (Trait.CLOSES_P, _CLOSES_P),
    (Trait.SCRIPT, (b"script",)),
    (Trait.NOSCRIPT, (b"noscript",)),
):
    for _name in _names:
        TRAITS[_name] = TRAITS.get(_name, 0) | _trait


def pure(html: bytes, start: int, wanted: bytes, limit: int, most: int) -> tuple[int, int]:
    """The end of the element `wanted` that starts at `start`, or -1, and how many tags and comments were read for it.

    Nothing is read from `limit` on, nor more than `most` tags and comments.
    """
    asked = TRAITS.get(wanted, 0)
    depth = tables = 0
    position = start
    for used in range(1, most + 1):
        found = _TOKEN.search(html, position, limit)
        if found is None or found["unclear"] is not None:
            return -1, used
        position = found.end()
        if found["name"] is None:  # a comment
            continue
        tag = found["name"].lower()
        trait = TRAITS.get(tag, 0)
        if tables == 0 and trait & Trait.TABLE_PART and not trait & Trait.TABLE:
            # outside of a table ignored, but where the page is laid out in one it closes the cell around
            return -1, used
        if found["close"]:
            if asked & Trait.TABLE or tables == 0 or trait & Trait.TABLE_PART:
                if trait & Trait.TABLE:
                    tables -= 1
                    if tables < 0:
                        return -1, used
                    if asked & Trait.TABLE and tables == 0:
                        return position, used
                elif asked & trait & Trait.HEADING:
                    # any heading's end tag closes the open heading
                    return (position if tag == wanted and depth == 1 else -1), used
                elif tag == wanted:
                    depth -= 1
                    if depth == 0:
                        return position, used
            elif tag == wanted:
                return -1, used  # inside a table an end tag may close nothing
            continue
        if trait & Trait.UNCLEAR:
            return -1, used
        if trait & Trait.RAW:
            end = _RAW[tag].search(html, position, limit)
            if end is None:
                return -1, used
            if trait & Trait.SCRIPT and b"<!--" in html[position : end.start()]:
                return -1, used
            if trait & Trait.NOSCRIPT and not is_balanced(html, position, end.start()):
                return -1, used
            position = end.start()
            continue
        if trait & Trait.SVG:
            if not found[0].endswith(b"/>"):
                position = _behind_svg(html, position, limit)
                if position < 0:
                    return -1, used
            continue
        if trait & Trait.TABLE:
            tables += 1
        elif tag == wanted:
            depth += 1
        first = found.start() == start
        if wanted == b"p" and depth and trait & Trait.CLOSES_P and not first:
            return -1, used
        if asked & trait & Trait.HEADING and not first:
            return -1, used
    return -1, max(0, most)


Search = Callable[[bytes, int, bytes, int, int], tuple[int, int]]


def _best() -> tuple[Search, bool]:
    if os.environ.get("ADPROXY_PURE_PYTHON") != "1":
        try:
            from adproxy.page import ends_native

            return ends_native.Ends(TRAITS, is_balanced, _behind_svg), True
        except ImportError:
            pass
    return pure, False


_search, IS_COMPILED = _best()
