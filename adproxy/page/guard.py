"""Pages that would hurt the parser are refused before it sees them.

lexbor is quick on every page that people write, and quadratic or worse on some that nobody does: deep nesting (each
block's start walks the stack of open elements), formatting left open before many blocks (each block reopens all of it),
thousands of attributes on one tag (each is compared with all before it). Everything here is linear in the page's bytes.

First all start tags are taken out of the bytes at once; their lengths and names clear nearly every page. Only for the
rest the tags are followed one by one.
"""

from __future__ import annotations

import re
from itertools import islice

MAX_BYTES = 2 * 1024 * 1024
MAX_TAGS = 50_000
# 1,000 open elements cost the parser about a millisecond, 10,000 about a hundred, growing with the square.
MAX_DEPTH = 1_500
# Formatting elements that a block would reopen, times the blocks: 80,000 clones take about 32 MiB.
MAX_REOPENED = 40_000
# Attributes on one tag: 5,000 cost 30 ms, growing with the square.
MAX_ATTRIBUTES = 512
MAX_TEMPLATES = 64

# The rest of a tag behind its name, attribute by attribute as the parser reads it (HTML 13.2.5.32 to 39): an "=" can
# begin a name, a quote within an unquoted value is part of it. What is misread here could hide tags. Linear.
_REST_OF_TAG = (
    rb"(?>[\t\n\f\r /]++|[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)?+)?+)*+"
)
_START_TAG = re.compile(rb"<[a-zA-Z][^\t\n\f\r />]*+" + _REST_OF_TAG)
# So many attributes, each at least a letter and a space, make a tag of at least so many bytes.
_SUSPICIOUS_TAG_BYTES = 2 * MAX_ATTRIBUTES
_ATTRIBUTE = re.compile(
    rb"[\t\n\f\r /]*+[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)?+)?+"
)
# What stands in the bytes, in order: comments, what becomes one, and raw text (skipped whole); start and end tags.
_TOKEN = re.compile(
    rb"<(?:!--(?:-?>|(?>[^-]++|-(?!-!?>))*+)"
    rb"|(!\[CDATA\[)"
    rb"|(?:[!?]|/[^a-zA-Z>])[^>]*+"
    rb"|(script|style|textarea|title|xmp|iframe|noembed|noframes)(?=[\t\n\f\r />])(" + _REST_OF_TAG + rb")>"
    rb"((?>[^<]++|<(?!/\2[\t\n\f\r />]))*+)"
    rb"|(/?)([a-zA-Z][^\t\n\f\r />]*+)(" + _REST_OF_TAG + rb"))",
    re.I,
)
_TAG = re.compile(rb"<[a-zA-Z!/]")
_NESTED_SCRIPT = re.compile(rb"<!--(?>[^<]++|<(?!/?script))*+<script", re.I)
_VOID = frozenset(
    b"area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr".split()
)
_FORMATTING = frozenset(b"b big code em font i nobr s small strike strong tt u".split())
_FORMATTING_LETTERS = frozenset(b"bcefinstuBCEFINSTU")
_FORMATTING_TAG = re.compile(rb"<(?:[biusBIUS]|(?i:big|code|em|font|nobr|small|strike|strong|tt))(?:[\t\n\f\r />]|\Z)")
# Their end tags close what is open inside; all other end tags do nothing while one of these is open inside.
_SPECIAL = frozenset(
    b"address applet article aside blockquote body button caption center colgroup dd desc details dialog dir div dl dt "
    b"fieldset figcaption figure footer foreignobject form frameset h1 h2 h3 h4 h5 h6 head header hgroup html iframe li "
    b"listing main marquee menu nav noembed noframes noscript object ol p plaintext pre script search section select "
    b"style summary table tbody td template textarea tfoot th thead title tr ul xmp".split()
)
# The end tag of an element outside of one of these does nothing inside; table parts end those in a table themselves.
_SCOPES = frozenset(
    b"applet caption desc foreignobject html marquee math object select svg table td template th title".split()
)
_TABLE_PARTS = frozenset(b"table caption tbody thead tfoot tr td th".split())
_TABLE_SCOPES = frozenset(b"html table template".split())
_FOREIGN = frozenset((b"svg", b"math"))
# Elements of svg that may be written as <path/>; anywhere else such a slash closes nothing.
_SVG = frozenset(
    b"animate circle clippath defs ellipse g image line lineargradient mask path pattern polygon polyline "
    b"radialgradient rect stop symbol text tspan use".split()
)
# So far back it is looked for what an end tag closes.
_REACH = 64
# Their start closes an open element of their kind, so that they do not nest when left open.
_IMPLIED_END = frozenset(b"p li dd dt option optgroup tr td th tbody thead tfoot rb rt rp rtc a".split())


def hostile(html: bytes) -> str | None:
    """Why a page is refused, for people; None for a page that may be parsed.

    The bounds keep the parser below about 50 ms and 32 MiB on two megabytes.
    """
    if len(html) > MAX_BYTES:
        return f"{len(html)} bytes; at most {MAX_BYTES} are parsed"
    tags = _START_TAG.findall(html)
    if len(tags) > MAX_TAGS:
        return f"about {len(tags)} start tags; at most {MAX_TAGS} are parsed"
    if any(_too_many_attributes(tag) for tag in tags if len(tag) > _SUSPICIOUS_TAG_BYTES):
        # or it only looks like a tag: "i<n;" in a script
        return _follow_tags(html)
    if len(tags) > MAX_DEPTH:
        return _follow_tags(html)
    # At most three equal formatting elements are reopened (the parser's "Noah's Ark" clause).
    formatting = 3 * len({tag for tag in tags if tag[1] in _FORMATTING_LETTERS and _FORMATTING_TAG.match(tag)})
    if formatting * len(tags) > MAX_REOPENED:
        return _follow_tags(html)
    return None


def _too_many_attributes(tag: bytes) -> bool:
    return sum(1 for _ in islice(_ATTRIBUTE.finditer(tag), MAX_ATTRIBUTES + 2)) > MAX_ATTRIBUTES + 1


def _closes(stack: list[bytes], name: bytes) -> int:
    """How many open elements an end tag closes at least."""
    scopes = _TABLE_SCOPES if name in _TABLE_PARTS else _SCOPES
    for n, inner in enumerate(reversed(stack[-_REACH:]), 1):
        if inner == name:
            return n
        if inner in scopes or (name not in _SPECIAL and inner in _SPECIAL):
            return 0
    return 0


def _follow_tags(html: bytes) -> str | None:
    """The same questions, answered by following every tag. Where in doubt, an element is taken to stay open."""
    templates = reopened = formatting_open = foreign = 0
    open_formatting: dict[bytes, int] = {}
    stack: list[bytes] = []
    in_svg = False
    for cdata, raw, raw_rest, content, close, spelled, rest in _TOKEN.findall(html):
        if len(raw_rest) > _SUSPICIOUS_TAG_BYTES or len(rest) > _SUSPICIOUS_TAG_BYTES:
            if _too_many_attributes(raw_rest) or _too_many_attributes(rest):
                name = (raw or spelled)[:40].decode("latin-1")
                return f"more than {MAX_ATTRIBUTES} attributes on one tag (<{name})"
        if b"<!--" in content and _NESTED_SCRIPT.search(content):
            return "a script within a script's comment on a page that nests deep"
        if (cdata or (content and _TAG.search(content))) and foreign:
            # in svg these end elsewhere than in HTML
            return "a script, style, title or CDATA section with tags within svg on a page that nests deep"
        name = spelled.lower()
        if raw or not name or name in _VOID:
            continue
        if close:
            if name in _FORMATTING:
                if open_formatting.get(name):
                    open_formatting[name] -= 1
                    formatting_open -= 1
            elif n := _closes(stack, name):
                if foreign:
                    foreign -= sum(1 for inner in stack[-n:] if inner in _FOREIGN)
                del stack[-n:]
            in_svg = in_svg and name in _SVG
            continue
        in_svg = in_svg and name in _SVG
        if in_svg and rest.endswith(b"/"):
            continue
        if name in _FORMATTING:
            # formatting nests too until its block ends
            open_formatting[name] = open_formatting.get(name, 0) + 1
            formatting_open += 1
            if formatting_open > MAX_DEPTH:
                return f"more than {MAX_DEPTH} formatting elements left open"
            continue
        reopened += formatting_open
        if reopened > MAX_REOPENED:
            return f"formatting left open before so many elements that the parser would copy it {reopened} times"
        if name in _IMPLIED_END:
            continue
        if name in _FOREIGN:
            if rest.endswith(b"/"):
                continue
            foreign += 1
            in_svg = True
        if name == b"template":
            templates += 1
            if templates > MAX_TEMPLATES:
                return f"more than {MAX_TEMPLATES} templates"
        stack.append(name)
        if len(stack) > MAX_DEPTH:
            return f"elements nested more than {MAX_DEPTH} deep"
    return None
