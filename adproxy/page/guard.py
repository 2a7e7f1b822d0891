"""Pages that would hurt the parser are refused before it sees them.

lexbor is quick on every page that people write, and quadratic or worse on some that nobody does: deep nesting (each
block's start walks the stack of open elements), formatting left open before many blocks (each block reopens all of it),
thousands of attributes on one tag (each is compared with all before it). Everything here is linear in the page's bytes.

First all start tags are taken out of the bytes at once; their lengths and names clear nearly every page. Only for the
rest the tags are followed one by one.
"""

from __future__ import annotations

import re

MAX_BYTES = 2 * 1024 * 1024
MAX_TAGS = 50_000
# 1,000 open elements cost the parser about a millisecond, 10,000 about a hundred, growing with the square.
MAX_DEPTH = 1_500
# Formatting elements that a block would reopen, times the blocks: 80,000 clones take about 32 MiB.
MAX_REOPENED = 40_000
# Attributes on one tag: 5,000 cost 30 ms, growing with the square.
MAX_ATTRIBUTES = 512
MAX_TAG_BYTES = 64 * 1024
MAX_TEMPLATES = 64

# A start tag with its quoted values, read once from left to right: linear whatever it holds.
_BODY_OF_TAG = rb"(?>[^>\"'=]++|=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+')?+|[\"'])*+"
_START_TAG = re.compile(rb"<[a-zA-Z]" + _BODY_OF_TAG)
_NAME = re.compile(rb"<([a-zA-Z][^\t\n\f\r />]*+)")
# So many attributes, each at least a letter and a space, make a tag of at least so many bytes.
_SUSPICIOUS_TAG_BYTES = 2 * MAX_ATTRIBUTES
_ATTRIBUTE = re.compile(
    rb"[\t\n\f\r /]*+([^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+|(?=>)))?+"
)
# What stands in the bytes, in order: comments and raw text (skipped whole), start and end tags.
_TOKEN = re.compile(
    rb"<(?:!--(?:-?>|(?>[^-]++|-(?!-!?>))*+)"
    rb"|(script|style|textarea|title|xmp|iframe|noembed|noframes)(?=[\t\n\f\r />])" + _BODY_OF_TAG + rb">"
    rb"((?>[^<]++|<(?!/\1[\t\n\f\r />]))*+)"
    rb"|(/?)([a-zA-Z][^\t\n\f\r />]*+)" + _BODY_OF_TAG + rb")",
    re.I,
)
_NESTED_SCRIPT = re.compile(rb"<!--(?>[^<]++|<(?!/?script))*+<script", re.I)
_VOID = frozenset(
    b"area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr".split()
)
_FORMATTING = frozenset(b"b big code em font i nobr s small strike strong tt u".split())
_FORMATTING_LETTERS = frozenset(b"bcefinstuBCEFINSTU")
_FORMATTING_TAG = re.compile(rb"<(?:[biusBIUS]|(?i:big|code|em|font|nobr|small|strike|strong|tt))(?:[\t\n\f\r />]|\Z)")
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
    if max(map(len, tags), default=0) > _SUSPICIOUS_TAG_BYTES:
        for tag in tags:
            if len(tag) > _SUSPICIOUS_TAG_BYTES and (reason := _long_tag(tag)):
                return reason
    if len(tags) > MAX_DEPTH:
        return _follow_tags(html)
    # At most three equal formatting elements are reopened (the parser's "Noah's Ark" clause).
    formatting = 3 * len({tag for tag in tags if tag[1] in _FORMATTING_LETTERS and _FORMATTING_TAG.match(tag)})
    if formatting * len(tags) > MAX_REOPENED:
        return _follow_tags(html)
    return None


def _long_tag(tag: bytes) -> str | None:
    """Counts the attributes of one tag, or of what looks like one in a script."""
    name = _NAME.match(tag)
    attributes = len(_ATTRIBUTE.findall(tag, name.end() if name else 1))
    if attributes > MAX_ATTRIBUTES and len(tag) < MAX_TAG_BYTES and b";" in tag:
        # "i<n;" in a script begins nothing; a script's text has far more punctuation than names
        if sum(tag.count(c) for c in (b";", b"(", b"{", b"+")) * 4 > attributes:
            return None
    if attributes > MAX_ATTRIBUTES:
        return f"more than {MAX_ATTRIBUTES} attributes on one tag ({tag[:40].decode('latin-1')}…)"
    if len(tag) > MAX_TAG_BYTES and name and attributes < 8 and b"=" in tag[:2000]:
        return None  # one long value, a picture as a data URL
    return None


def _follow_tags(html: bytes) -> str | None:
    """The same question, answered by following every tag."""
    templates = reopened = formatting_open = 0
    open_formatting: dict[bytes, int] = {}
    stack: list[bytes] = []
    for raw, content, close, spelled in _TOKEN.findall(html):
        if b"<!--" in content and _NESTED_SCRIPT.search(content):
            return "a script within a script's comment on a page that nests deep"
        name = spelled.lower()
        if raw or not name or name in _VOID:
            continue
        if close:
            if name in _FORMATTING:
                if open_formatting.get(name):
                    open_formatting[name] -= 1
                    formatting_open -= 1
            elif name in stack[-64:]:
                while stack.pop() != name:  # what was left open inside is closed with it
                    pass
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
        if name == b"template":
            templates += 1
            if templates > MAX_TEMPLATES:
                return f"more than {MAX_TEMPLATES} templates"
        stack.append(name)
        if len(stack) > MAX_DEPTH:
            return f"elements nested more than {MAX_DEPTH} deep"
    return None
