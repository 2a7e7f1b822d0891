"""Pages that would hurt the parser are refused before it sees them.

lexbor is quick on every page that people write, and quadratic or worse on some that nobody does: deep nesting (each
block's start walks the stack of open elements), formatting left open before many blocks (each block reopens all of it),
thousands of attributes on one tag (each is compared with all before it). Everything here is linear in the page's bytes.

First all start tags are taken out of the bytes at once; their lengths and names clear nearly every page. Only for the
rest the tags are followed one by one. What is counted is what the scan is sure to have: all that may be a start tag.
"""

from __future__ import annotations

import re
from itertools import islice

from adproxy.page.kinds import FOREIGN, FORMATTING, LEAVES_SVG, NEVER_OPEN, VOID
from adproxy.page.scan import Scanned, scan
from adproxy.page.scan_pure import ATTRIBUTE, NOTABLE, REST_OF_TAG

MAX_BYTES = 2 * 1024 * 1024
MAX_TAGS = 50_000
# 1,000 open elements cost the parser about a millisecond, 10,000 about a hundred, growing with the square.
MAX_DEPTH = 1_500
# Formatting elements that a block would reopen, times the blocks: 80,000 clones take about 32 MiB.
MAX_REOPENED = 40_000
# Attributes on one tag: 5,000 cost 30 ms, growing with the square.
MAX_ATTRIBUTES = 512
# Each of a tag's attributes is compared with all before it: the sum over the page of their squares, halved, is what
# that costs, at 2.7 ns each.
MAX_COMPARISONS = 10_000_000
MAX_TEMPLATES = 64
# A tag may walk all open elements to find what it closes, at 3 to 5 ns each: the sum over the page.
MAX_WALKED = 20_000_000
# Smaller pages can't reach the bound of the comparisons.
_LARGE = 200 * 1024

# So many attributes, each at least a letter and a space, make a tag of at least so many bytes.
_SUSPICIOUS_TAG_BYTES = 2 * MAX_ATTRIBUTES
_ATTRIBUTE = re.compile(ATTRIBUTE)
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
_FEW = rb"(?:" + ATTRIBUTE + rb"){0,%d}+[\t\n\f\r /]*+>" % MAX_ATTRIBUTES
_RAW = b"style textarea title xmp iframe noembed noframes".split()
_RAW_TEXT = b"|".join(b"%s%s%s(?:[^<]++|<(?!/%s%s))*+(?=</)" % (n, _ENDS_NAME, _FEW, n, _ENDS_NAME) for n in _RAW)
_SHAPES = rb"(?:path|g|circle|ellipse|rect|line|polyline|polygon|defs|use|symbol|mask|clippath|lineargradient|stop)"
_OTHER_RULES = b"|".join((b"svg", b"math", b"plaintext", b"script", *_RAW))
_READ = re.compile(
    b"(?:[^<]++|<(?:" + b"|".join((
        rb"(?![a-zA-Z!?/])",
        rb"/(?=>)",
        rb"!--(?:-?>|(?:[^-]++|-(?!-!?>))*+--!?>)",
        rb"(?:!(?!--|\[CDATA\[)|\?|/(?![a-zA-Z>]))[^>]*+>",
        rb"script" + _ENDS_NAME + _FEW + _SCRIPT + rb"(?=</script)",
        _RAW_TEXT,
        rb"svg" + _ENDS_NAME + _FEW + rb"(?<!/>)(?:[^<]++|</?" + _SHAPES + _ENDS_NAME + _FEW
        + rb"|<title>[^<]*+</title>)*+</svg>",
        rb"(?!(?:" + _OTHER_RULES + rb")" + _ENDS_NAME + rb")/?[a-zA-Z][^\t\n\f\r />]*+" + _FEW,
    )) + b"))*+",
    re.I,
)  # fmt: skip
# Their end tags close whatever is open inside, but for what is in _SCOPES; all other end tags, and that of form, close
# nothing while an element of _STOPS is open inside.
_CLOSE_ALL = frozenset(
    b"address applet article aside blockquote button center details dialog dir div dl fieldset figcaption figure "
    b"footer h1 h2 h3 h4 h5 h6 header hgroup listing main marquee menu nav object ol pre search section select summary "
    b"table template ul".split()
)
_SCOPES = frozenset(b"applet desc foreignobject marquee math noscript object select svg table template title".split())
_STOPS = _CLOSE_ALL | _SCOPES | {b"form", b"plaintext"}
# What stands in a noscript ends with it for parsers with scripting only, and the other way round.
_NOSCRIPT = re.compile(
    rb"<noscript(?=[\t\n\f\r />])" + REST_OF_TAG + rb">?+((?:[^<]++|<(?!/noscript[\t\n\f\r />]))*+)", re.I
)
_NOSCRIPT_END = re.compile(rb"</noscript[\t\n\f\r />]", re.I)
# Elements of svg that may be written as <path/>; anywhere else such a slash closes nothing.
_SVG = frozenset(
    b"animate circle clippath defs ellipse g image line lineargradient mask path pattern polygon polyline "
    b"radialgradient rect stop symbol text tspan use".split()
)
_FLAT = VOID | NEVER_OPEN
_TEMPLATE = frozenset([b"template"])
# So far back it is looked for what an end tag closes.
_REACH = 64


def hostile(html: bytes, scanned: Scanned | None = None) -> str | None:
    """Why a page is refused, for people; None for a page that may be parsed.

    `scanned`: its scan, if it was made already. The bounds keep the parser below about 50 ms and 32 MiB on two
    megabytes.
    """
    if len(html) > MAX_BYTES:
        return f"{len(html)} bytes; at most {MAX_BYTES} are parsed"
    scanned = scanned or scan(html)
    if scanned.tags > MAX_TAGS:
        return f"about {scanned.tags} start tags; at most {MAX_TAGS} are parsed"
    tags = scanned.tags + scanned.swallowed
    # Every "<" may become a node: an end tag of p, a comment, and a "<?" that becomes one.
    count = scanned.less_than
    if count > 3 * MAX_TAGS or (count > 2 * MAX_TAGS and html.count(b"</") > 2 * MAX_TAGS):
        return f"about {count} tags and comments; at most {3 * MAX_TAGS} are parsed, {2 * MAX_TAGS} end tags"
    # It may only look like a tag: "i<n;" in a script.
    if not scanned.is_clear or (scanned.may_have_more_attributes(MAX_ATTRIBUTES) and not _has_few_attributes(html)):
        return _follow_tags(html)
    if len(html) > _LARGE:
        if scanned.comparisons_exceed(MAX_COMPARISONS, MAX_ATTRIBUTES):
            return _MANY_COMPARISONS
        if scanned.swallowed * MAX_ATTRIBUTES**2 // 2 > MAX_COMPARISONS:
            return _follow_tags(html)
    if (tags > MAX_DEPTH or tags * count > MAX_WALKED) and not _is_flat(scanned, tags, count):
        return _follow_tags(html)
    if scanned.count(FORMATTING) * tags > MAX_REOPENED:
        # At most three equal formatting elements are reopened (the parser's "Noah's Ark" clause).
        if (3 * scanned.distinct(FORMATTING) + scanned.count_swallowed(FORMATTING)) * tags > MAX_REOPENED:
            return _follow_tags(html)
    return None


def _has_few_attributes(html: bytes) -> bool:
    """True if the whole page can be read and no tag in it has too many attributes, with scripting and without."""
    return all(_READ.fullmatch(content) for content in (html, *_noscripts(html)))


def _noscripts(html: bytes) -> list[bytes]:
    """What stands in each noscript that ends."""
    ends = [found.start() for found in _NOSCRIPT_END.finditer(html)]
    return _NOSCRIPT.findall(html, 0, ends[-1]) if ends else []


def _is_flat(scanned: Scanned, tags: int, count: int) -> bool:
    """True if even all elements that can stand in each other, each in the one before, are not too deep for `count`
    tags."""
    drawings = scanned.count(FOREIGN) > 0
    deep = tags - scanned.count(LEAVES_SVG if drawings else _FLAT)
    return deep <= MAX_DEPTH and deep * count <= MAX_WALKED and scanned.count(_TEMPLATE) <= MAX_TEMPLATES


_MANY_COMPARISONS = "so many attributes on so many tags that comparing them would take too long"


def _too_many_attributes(tag: bytes) -> bool:
    return sum(1 for _ in islice(_ATTRIBUTE.finditer(tag), MAX_ATTRIBUTES + 2)) > MAX_ATTRIBUTES + 1


def _closes_itself(rest: bytes) -> bool:
    """True if the slash before a tag's ">" is not the end of an unquoted value."""
    end = 0
    for attribute in _ATTRIBUTE.finditer(rest):
        end = attribute.end()
    return end < len(rest) and rest.endswith(b"/")


def _closes(stack: list[bytes], name: bytes) -> int:
    """How many open elements an end tag closes at least."""
    for n, inner in enumerate(reversed(stack[-_REACH:]), 1):
        if inner == name:
            return n
        if name == b"table" and inner != b"template":
            continue
        if inner in _SCOPES or (name not in _CLOSE_ALL and inner in _STOPS):
            return 0
    return 0


def _follow_tags(html: bytes) -> str | None:
    """The same questions, answered by following every tag. Where in doubt, an element is taken to stay open."""
    for content in _noscripts(html):
        if not _READ.fullmatch(content):
            return "a noscript with a comment, raw text or tag that may not end in it on a page that nests deep"
    templates = reopened = formatting_open = foreign = walked = comparisons = 0
    open_formatting: dict[bytes, int] = {}
    # Around each open scope: formatting outside of it, which no end tag inside can close.
    outside: list[tuple[int, dict[bytes, int]]] = []
    stack: list[bytes] = []
    in_svg = False
    for cdata, script, script_rest, script_text, other, other_rest, text, close, spelled, rest in _TOKEN.findall(html):
        raw, raw_rest, content = script or other, script_rest or other_rest, script_text or text
        if len(raw_rest) > _SUSPICIOUS_TAG_BYTES or len(rest) > _SUSPICIOUS_TAG_BYTES:
            if _too_many_attributes(raw_rest) or _too_many_attributes(rest):
                name = (raw or spelled)[:40].decode("latin-1")
                return f"more than {MAX_ATTRIBUTES} attributes on one tag (<{name})"
        if (cdata or (content and _TAG.search(content))) and foreign:
            # in svg these end elsewhere than in HTML
            return "a script, style, title or CDATA section with tags within svg on a page that nests deep"
        if len(raw_rest) + len(rest) > NOTABLE:
            comparisons += len(_ATTRIBUTE.findall(raw_rest or rest)) ** 2 // 2
            if comparisons > MAX_COMPARISONS:
                return _MANY_COMPARISONS
        name = spelled.lower()
        if raw or not name:
            continue
        walked += len(stack) + formatting_open
        if walked > MAX_WALKED:
            return "so many tags in so many open elements that looking for what they close would take too long"
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
            in_svg = in_svg and name in _SVG
            continue
        in_svg = in_svg and name in _SVG
        if in_svg and closes_itself:
            continue
        if name in FORMATTING:
            # formatting nests too until its block ends
            open_formatting[name] = open_formatting.get(name, 0) + 1
            formatting_open += 1
            if formatting_open > MAX_DEPTH:
                return f"more than {MAX_DEPTH} formatting elements left open"
            continue
        reopened += formatting_open
        if reopened > MAX_REOPENED:
            return f"formatting left open before so many elements that the parser would copy it {reopened} times"
        if never_open:
            continue
        if name in FOREIGN:
            if rest.endswith(b"/") and _closes_itself(rest):
                continue
            foreign += 1
            in_svg = True
        if name == b"template":
            templates += 1
            if templates > MAX_TEMPLATES:
                return f"more than {MAX_TEMPLATES} templates"
        stack.append(name)
        if name in _SCOPES:
            outside.append((len(stack), open_formatting))
            open_formatting = {}
        if len(stack) > MAX_DEPTH:
            return f"elements nested more than {MAX_DEPTH} deep"
    return None
