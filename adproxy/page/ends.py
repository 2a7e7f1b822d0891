"""Where an element ends in the bytes, proven from its start.

From the offset of a start tag that is known to be real, the bytes are read tag by tag until the end tag that closes the
element. Only plain content is believed: text, comments, well-formed tags, raw text that ends. Whatever could make a
parser see another end than a reader of bytes does (a stray quote, a template, foreign content with HTML in it) ends the
search with -1: such an element has no anchor behind it.
"""

from __future__ import annotations

import re

# A long article with its sidebars; an element longer than this is not searched for its end.
MAX_REGION = 256 * 1024
MAX_TAGS = 6_000

_TOKEN = re.compile(
    rb"<(?:"
    rb"(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9-]*+)"
    rb"(?=[\t\n\f\r />])(?:[^\"'<>=]++|=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+'|(?=[^\"'])))*+>"
    rb"|!--(?!-?>)(?:[^-]++|-(?!-!?>))*+--!?>"
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
_SVG_END = re.compile(rb"</svg[\t\n\f\r ]*>", re.I)
# Inside svg these bring HTML back, or break out of it.
_SVG_UNCLEAR = re.compile(
    rb"<(?:svg|foreignobject|desc|p|div|span|b|i|em|strong|a[\t\n\f\r ]|ul|ol|li|table|h[1-6]|br|img|style|script|!)",
    re.I,
)
# What a noscript may hold to be the same to parsers with and without scripting.
_NOSCRIPT_PLAIN = re.compile(
    rb"(?:[^<]++|<(?:img|iframe|link|meta|source|br)(?=[\t\n\f\r />])[^<>]*+>|</iframe>)*+\Z", re.I
)
_TABLE_PARTS = frozenset((b"table", b"tbody", b"thead", b"tfoot", b"tr", b"td", b"th", b"caption", b"colgroup", b"col"))
# Ends that close exactly the innermost open element of their name, whatever stands inside it.
_HEADINGS = frozenset((b"h1", b"h2", b"h3", b"h4", b"h5", b"h6"))
# Start tags that close an open p (so that a later "</p>" would make a new one).
_CLOSES_P = frozenset(
    b"address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer header "
    b"hgroup h1 h2 h3 h4 h5 h6 main menu nav ol p pre section summary ul table form hr li dd dt".split()
)


def end_of_tag(html: bytes, start: int) -> int:
    """Offset right behind the well-formed tag at `start`; -1 where it is not well formed."""
    found = _TOKEN.match(html, start)
    return found.end() if found is not None and found["name"] is not None else -1


def end_of(html: bytes, start: int, name: str) -> int:
    """Offset right behind the end tag of the element whose start tag is at `start`; -1 where it can't be proven.

    The start tag must be proven real, and the element's ancestors plain containers.
    """
    wanted = name.encode()
    limit = min(len(html), start + MAX_REGION)
    depth = 0
    tables = 0
    p_open = wanted == b"p"
    position = start
    for _ in range(MAX_TAGS):
        found = _TOKEN.search(html, position, limit)
        if found is None or found["unclear"] is not None:
            return -1
        position = found.end()
        if found["name"] is None:  # a comment
            continue
        tag = found["name"].lower()
        if found["close"]:
            if wanted == b"table" or tables == 0 or tag in _TABLE_PARTS:
                if tag == b"table":
                    tables -= 1
                    if tables < 0:
                        return -1
                    if wanted == b"table" and tables == 0:
                        return position
                elif wanted in _HEADINGS and tag in _HEADINGS:
                    # any heading's end tag closes the open heading
                    return position if tag == wanted and depth == 1 else -1
                elif tag == wanted:
                    depth -= 1
                    if depth == 0:
                        return position
            elif tag == wanted:
                return -1  # inside a table an end tag may close nothing
            continue
        if tag in _UNCLEAR:
            return -1
        raw = _RAW.get(tag)
        if raw is not None:
            end = raw.search(html, position, limit)
            if end is None:
                return -1
            content = html[position : end.start()]
            if tag == b"script" and b"<!--" in content:
                return -1
            if tag == b"noscript" and not _NOSCRIPT_PLAIN.match(content):
                return -1
            position = end.start()
            continue
        if tag == b"svg":
            if found[0].endswith(b"/>"):
                continue
            end = _SVG_END.search(html, position, limit)
            if end is None or _SVG_UNCLEAR.search(html, position, end.start()):
                return -1
            position = end.end()
            continue
        if tag == b"table":
            tables += 1
        if tag == wanted and tag != b"table":
            depth += 1
        if p_open and depth and tag in _CLOSES_P and found.start() != start:
            return -1
        if wanted in _HEADINGS and found.start() != start and tag in _HEADINGS:
            return -1
    return -1
