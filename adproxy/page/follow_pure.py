"""Tags followed one by one in the page's bytes, for pages that the scan's counts do not clear."""

from __future__ import annotations

import re
from functools import cache

from adproxy.page.bounds import Bounds, Problem
from adproxy.page.kinds import (
    CLOSE_ALL,
    FOREIGN,
    FORMATTING,
    LEAVES_SVG,
    NEVER_OPEN,
    RAW,
    SCOPES,
    SHAPES,
    STOPS,
    VOID,
    WRITTEN_CLOSED,
)
from adproxy.page.syntax import ATTRIBUTE, EACH_ATTRIBUTE, NOTABLE, REST_OF_TAG, has_more_attributes

# A script's text: behind "<!--" a "<script" brings "</script>" of its own, until "-->" (HTML 13.2.5.15 to 31).
_SCRIPT = (
    rb"(?:[^<]++|<(?!/script[\t\n\f\r />]|!--)"
    rb"|<!(?=--)(?:[^<-]++|-(?!->)|<(?!/?script[\t\n\f\r />])"
    rb"|<script[\t\n\f\r />](?:[^<-]++|-(?!->)|<(?!/script[\t\n\f\r />]))*+(?:</script[\t\n\f\r />])?+)*+(?:-->)?+)*+"
)
# What stands in the bytes, in order: comments, what becomes one, and raw text (skipped whole); start and end tags.
_TOKEN = re.compile(
    rb"<(?:!--(?:-?>|(?>[^-]++|-(?!-!?>))*+)"
    rb"|(!\[CDATA\[)"
    rb"|(?:[!?]|/[^a-zA-Z>])[^>]*+"
    rb"|(script)(?=[\t\n\f\r />])(" + REST_OF_TAG + rb")>(" + _SCRIPT + rb")"
    rb"|(style|textarea|title|xmp|iframe|noembed|noframes)(?=[\t\n\f\r />])(" + REST_OF_TAG + rb")>"
    rb"((?>[^<]++|<(?!/\5[\t\n\f\r />]))*+)"
    rb"|(/?)([a-zA-Z][^\t\n\f\r />]*+)(" + REST_OF_TAG + rb"))",
    re.I,
)
_TAG = re.compile(rb"<[a-zA-Z!/]")
# A whole page, or a noscript's content, in which no tag has too many attributes, read as the parser reads it: no more
# than the shapes of drawings within svg, where other rules hold, and no character data. Without groups that capture:
# in a loop that gives nothing back some releases of Python lose them.
_ENDS_NAME = rb"(?=[\t\n\f\r />])"
_SHAPES = b"(?:%s)" % b"|".join(sorted(SHAPES))
_OTHER_RULES = b"|".join((b"svg", b"math", b"plaintext", b"script", *sorted(RAW)))


@cache
def _read(most: int) -> re.Pattern[bytes]:
    few = rb"(?:" + ATTRIBUTE + rb"){0,%d}+[\t\n\f\r /]*+>" % most
    raw_text = b"|".join(
        b"%s%s%s(?:[^<]++|<(?!/%s%s))*+(?=</)" % (n, _ENDS_NAME, few, n, _ENDS_NAME) for n in sorted(RAW)
    )
    alternatives = (
        rb"(?![a-zA-Z!?/])",
        rb"/(?=>)",
        rb"!--(?:-?>|(?:[^-]++|-(?!-!?>))*+--!?>)",
        rb"(?:!(?!--|\[CDATA\[)|\?|/(?![a-zA-Z>]))[^>]*+>",
        rb"script" + _ENDS_NAME + few + _SCRIPT + rb"(?=</script)",
        raw_text,
        rb"svg" + _ENDS_NAME + few + rb"(?<!/>)(?:[^<]++|</?" + _SHAPES + _ENDS_NAME + few
        + rb"|<title>[^<]*+</title>)*+</svg>",
        rb"(?!(?:" + _OTHER_RULES + rb")" + _ENDS_NAME + rb")/?[a-zA-Z][^\t\n\f\r />]*+" + few,
    )  # fmt: skip
    return re.compile(b"(?:[^<]++|<(?:" + b"|".join(alternatives) + b"))*+", re.I)


# What stands in a noscript ends with it for parsers with scripting only, and the other way round.
_NOSCRIPT = re.compile(
    rb"<noscript(?=[\t\n\f\r />])" + REST_OF_TAG + rb">?+((?:[^<]++|<(?!/noscript[\t\n\f\r />]))*+)", re.I
)
_NOSCRIPT_END = re.compile(rb"</noscript[\t\n\f\r />]", re.I)
# So far back it is looked for what an end tag closes.
_REACH = 64


def has_few_attributes(html: bytes, most: int) -> bool:
    """True if the whole page can be read and no tag in it has too many attributes, with scripting and without."""
    return all(_read(most).fullmatch(content) for content in (html, *_noscripts(html)))


def _noscripts(html: bytes) -> list[bytes]:
    """What stands in each noscript that ends."""
    ends = [found.start() for found in _NOSCRIPT_END.finditer(html)]
    return _NOSCRIPT.findall(html, 0, ends[-1]) if ends else []


def _closes_itself(rest: bytes) -> bool:
    """True if the slash before a tag's ">" is not the end of an unquoted value."""
    end = 0
    for attribute in EACH_ATTRIBUTE.finditer(rest):
        end = attribute.end()
    return end < len(rest) and rest.endswith(b"/")


def _closes(stack: list[bytes], name: bytes) -> int:
    """How many open elements an end tag closes at least."""
    for n, inner in enumerate(reversed(stack[-_REACH:]), 1):
        if inner == name:
            return n
        if name == b"table" and inner != b"template":
            continue
        if inner in SCOPES or (name not in CLOSE_ALL and inner in STOPS):
            return 0
    return 0


def follow(html: bytes, bounds: Bounds) -> Problem | None:
    """The first bound that a page exceeds. Where in doubt, an element is taken to stay open."""
    for content in _noscripts(html):
        if not _read(bounds.attributes).fullmatch(content):
            return Problem("noscript")
    suspicious = 2 * bounds.attributes  # bytes: each is at least a letter and a space
    templates = reopened = formatting_open = foreign = walked = comparisons = 0
    open_formatting: dict[bytes, int] = {}
    # Around each open scope: formatting outside of it, which no end tag inside can close.
    outside: list[tuple[int, dict[bytes, int]]] = []
    stack: list[bytes] = []
    in_svg = False
    for cdata, script, script_rest, script_text, other, other_rest, text, close, spelled, rest in _TOKEN.findall(html):
        raw, raw_rest, content = script or other, script_rest or other_rest, script_text or text
        if len(raw_rest) > suspicious or len(rest) > suspicious:
            if has_more_attributes(raw_rest or rest, bounds.attributes):
                name = (raw or spelled)[:40].decode("latin-1")
                return Problem("attributes", name)
        if (cdata or (content and _TAG.search(content))) and foreign:
            # in svg these end elsewhere than in HTML
            return Problem("svg")
        if len(raw_rest) + len(rest) > NOTABLE:
            comparisons += len(EACH_ATTRIBUTE.findall(raw_rest or rest)) ** 2 // 2
            if comparisons > bounds.comparisons:
                return Problem("comparisons")
        name = spelled.lower()
        if raw or not name:
            continue
        walked += len(stack) + formatting_open
        if walked > bounds.walked:
            return Problem("walked")
        closes_itself = bool(foreign) and rest.endswith(b"/") and _closes_itself(rest)
        never_open = name in NEVER_OPEN and (not foreign or name in LEAVES_SVG or closes_itself)
        if name in VOID and (not foreign or name in LEAVES_SVG or closes_itself):
            continue
        if close:
            if name in FORMATTING:
                if open_formatting.get(name):
                    open_formatting[name] -= 1
                    formatting_open -= 1
            elif not never_open and (n := _closes(stack, name)):
                if foreign:
                    foreign -= sum(1 for inner in stack[-n:] if inner in FOREIGN)
                del stack[-n:]
                while outside and len(stack) < outside[-1][0]:
                    left_open, open_formatting = open_formatting, outside.pop()[1]
                    for tag, count in left_open.items():
                        open_formatting[tag] = open_formatting.get(tag, 0) + count
            in_svg = in_svg and name in WRITTEN_CLOSED
            continue
        in_svg = in_svg and name in WRITTEN_CLOSED
        if in_svg and closes_itself:
            continue
        if name in FORMATTING:
            # formatting nests too until its block ends
            open_formatting[name] = open_formatting.get(name, 0) + 1
            formatting_open += 1
            if formatting_open > bounds.depth:
                return Problem("formatting")
            continue
        reopened += formatting_open
        if reopened > bounds.reopened:
            return Problem("reopened", str(reopened))
        if never_open:
            continue
        if name in FOREIGN:
            if rest.endswith(b"/") and _closes_itself(rest):
                continue
            foreign += 1
            in_svg = True
        if name == b"template":
            templates += 1
            if templates > bounds.templates:
                return Problem("templates")
        stack.append(name)
        if name in SCOPES:
            outside.append((len(stack), open_formatting))
            open_formatting = {}
        if len(stack) > bounds.depth:
            return Problem("depth")
    return None
