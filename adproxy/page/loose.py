"""What may change in a page without changing what is planned for it: tokens that differ at each request.

Real pages differ in a nonce, a form's token, a number in a script each time that they are asked for. Where a later
body of a page differs from an earlier one in nothing else, the earlier one's plan is its own too, and need not be made
again. That has to be proven, not guessed: a difference counts only if

- both bodies are equally long, so that every offset stays what it was;
- it lies in a run of ``A-Z a-z 0-9 _ -`` that has the same bounds in both: no such run can begin, end or spell a tag, a
  comment or an attribute, if what stands before it is no ``<``, ``/`` or ``!`` and no byte beyond ASCII (whose second
  half it might be);
- or in a run of these and ``+ / =``, as base64 has them, between two quotes of a kind: these end nothing there, but the
  byte scan, which knows no scripts, may count other attributes for them. So that is only believed of a page in which
  the scan finds no tag within another, before and after, and which the guard lets pass anew;
- the run lies within a quoted value that nobody reads (``nonce``, the ``value`` of a hidden input, the ``content`` of a
  meta tag that is named after a token), or within a script that holds no ``<!--``, is not JSON-LD, and stands in no
  text, or in a comment behind its first word, which is none of ours, where no ``>`` or ``!`` follows (it could end the
  comment with these): caches write there when they made the page;
- a parser has seen the tag or comment that it belongs to, told by a probe in a copy of the page (as `page.marks` does).

Structure, words, offsets, facts and the guard's verdict rest on none of these bytes. The page's own nonce alone is read
for what we insert, so its place is told.
"""

from __future__ import annotations

import codecs
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from adproxy.page.ends import end_of_tag
from adproxy.page.guard import hostile
from adproxy.page.scan import scan
from adproxy.page.walk import comments_of

MAX_SPANS = 64
"""More places than these are no tokens."""
_SCRIPT_REACH = 65_536
"""How far behind its script's tag a run is looked for at most."""
_MAX_DEPTH = 256
_PROBE = "_" + secrets.token_hex(4)
"""An attribute that no page can bring."""
_BLOCK = 4_096
_CLOSE = 16
"""Bytes that are compared one by one."""

_TOKEN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_ALL_TOKEN = re.compile(rb"[A-Za-z0-9_-]*")
_BASE64 = _TOKEN | frozenset(b"+/=")
_ALL_BASE64 = re.compile(rb"[A-Za-z0-9_+/=-]*")
_QUOTES = frozenset(b"\"'")
_NEVER_BEHIND = frozenset(b"</!")
_TAG_NAME = re.compile(rb"<(script|style|link|input|meta)(?=[\t\n\f\r />])", re.I)
# One attribute of a tag that `end_of_tag` calls well formed.
_ATTRIBUTE = re.compile(
    rb"[\t\n\f\r /]*+([^\t\n\f\r />\"'<=]++)"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"([^\"]*+)\"|'([^']*+)'|[^\t\n\f\r >\"'<=`][^\t\n\f\r >\"'<`]*+))?+"
)
_COMMENT = b"<!--"
_COMMENT_END = re.compile(rb"--!?>")
_SCRIPT_END = re.compile(rb"</script[\t\n\f\r />]", re.I)
_TOKEN_NAMES = re.compile(r"csrf|xsrf|nonce|token", re.I)
_READ = re.compile(r"\[\s*(?:[a-z*]+\s*\|\s*)?(?:nonce|value|content)\b", re.I)
# What a script may stand in: nothing whose text is read as a whole.
_AROUND_SCRIPTS = frozenset("html head body div main section article aside header footer nav center".split())

Span = tuple[int, int]
"""From an offset up to another, without it."""


@dataclass(frozen=True, slots=True)
class Loose:
    """Where a page's bytes may be other token characters without changing its plan."""

    spans: tuple[Span, ...]
    """In order, none touching another."""
    nonces: tuple[Span, ...] = ()
    """Those of them in which the page's own nonce stands, all places of it or none."""
    quoted: frozenset[Span] = frozenset()
    """Those of them that may hold the other characters of base64 too, in a page of which the scan tells the same."""

    def fits(self, old: bytes, new: bytes) -> bool:
        """True if `new` is `old`, of which this was proven, with other tokens in these places and no other change."""
        if len(old) != len(new):
            return False
        at, other_characters = 0, False
        for start, end in self.spans:
            if old[at:start] != new[at:start]:
                return False
            at = end
            if _ALL_TOKEN.fullmatch(new, start, end) and _ALL_TOKEN.fullmatch(old, start, end):
                continue
            if (start, end) not in self.quoted or _ALL_BASE64.fullmatch(new, start, end) is None:
                return False
            other_characters = True
        if old[at:] != new[at:] or len({new[start:end] for start, end in self.nonces}) > 1:
            return False
        return not other_characters or _is_plain(new)

    def nonce_of(self, new: bytes) -> str | None:
        """The page's own nonce in a body that fits; None where it is the same in all of them."""
        return new[slice(*self.nonces[0])].decode("ascii") if self.nonces else None


def _is_plain(html: bytes) -> bool:
    """True for a page of which the scan tells the same whatever quoted values hold, and that may be parsed."""
    scanned = scan(html)
    return scanned.swallowed == 0 and hostile(html, scanned) is None


def is_readable(selectors: Iterable[str], metas: Iterable[str]) -> bool:
    """True if rules with these selectors and meta names may read what `prove` takes for nobody's to read."""
    return any(map(_READ.search, selectors)) or any(map(_TOKEN_NAMES.search, metas))


def differences(old: bytes, new: bytes) -> tuple[Span, ...] | None:
    """The token runs in which two bodies differ; None where they differ in anything else, or in too many."""
    if len(old) != len(new):
        return None
    spans: list[Span] = []
    for block in range(0, len(old), _BLOCK):
        if old[block : block + _BLOCK] == new[block : block + _BLOCK]:
            continue
        for close in range(block, min(block + _BLOCK, len(old)), _CLOSE):
            if old[close : close + _CLOSE] == new[close : close + _CLOSE]:
                continue
            for at in range(max(close, spans[-1][1] if spans else 0), min(close + _CLOSE, len(old))):
                if old[at] == new[at] or (spans and at < spans[-1][1]):
                    continue
                run = _quoted(old, at) or _run(old, at)
                if run is None or run != (_quoted(new, at) or _run(new, at)) or len(spans) == MAX_SPANS:
                    return None
                spans.append(run)
    return tuple(spans)


def _run(html: bytes, at: int, letters: frozenset[int] = _TOKEN) -> Span | None:
    """The run of token characters around an offset, if it is one that can't be part of markup."""
    if html[at] not in letters:
        return None
    start = at
    while start and html[start - 1] in letters:
        start -= 1
    end = at + 1
    while end < len(html) and html[end] in letters:
        end += 1
    if start == 0 or html[start - 1] in _NEVER_BEHIND or html[start - 1] >= 0x80:
        return None
    return start, end


def _quoted(html: bytes, at: int) -> Span | None:
    """The run of base64's characters around an offset, if it is all that stands between two quotes of a kind."""
    run = _run(html, at, _BASE64)
    if run is None or run[1] == len(html) or html[run[0] - 1] not in _QUOTES or html[run[0] - 1] != html[run[1]]:
        return None
    return run


def prove(html: bytes, encoding: str, spans: Sequence[Span], nonce: str) -> Loose | None:
    """That these token runs of a page may change without changing its plan; None where that is not proven.

    `spans`: from `differences`; `encoding`: the codec that the page is read in; `nonce`: the one that `facts` found on
    the page, empty for none.
    """
    places: list[_Place] = []
    for span in spans:
        place = _place(html, span)
        if place is None:
            return None
        places.append(place)
    seen = _probe(html, encoding, sorted({place.tag for place in places}))
    if seen is None or not all(_is_unread(place, seen.get(place.tag)) for place in places):
        return None
    nonces: list[Span] = []
    if nonce:
        of_page = [p.span for p in places if p.attribute == b"nonce" and html[slice(*p.value)] == nonce.encode()]
        if any(span != p.value for p in places for span in of_page if span == p.span):
            return None  # a part of it only
        if of_page and html.count(nonce.encode()) != len(of_page):
            return None  # it stands elsewhere too, where it stays what it is
        nonces = of_page
    quoted = frozenset(span for span in spans if _quoted(html, span[0]) == span) if _is_plain(html) else frozenset()
    return Loose(tuple(spans), tuple(nonces), quoted)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a run stands."""

    span: Span
    tag: int
    """Offset of the tag that it belongs to."""
    attribute: bytes
    """In whose value it stands, in lower case; empty for a script's content, ``<!--`` for a comment's."""
    value: Span
    """The whole value, or the content."""


def _place(html: bytes, span: Span) -> _Place | None:
    """Where a run seems to stand, by the bytes."""
    tag = html.rfind(b"<", 0, span[0])
    while tag >= 0:
        named = _TAG_NAME.match(html, tag)
        if named is not None:
            break
        if (comment := _in_comment(html, tag, span)) is not None:
            return comment
        # "<" is an operator in a script; before the script's own tag comes nothing else that begins with it
        tag = html.rfind(b"<", 0, tag) if span[0] - tag < _SCRIPT_REACH else -1
    else:
        return None
    end = end_of_tag(html, tag)
    if named is None or end < 0:
        return None
    if span[1] <= end:
        at = named.end()
        while (found := _ATTRIBUTE.match(html, at)) is not None:
            at = found.end()
            value = found.span(2) if found[2] is not None else found.span(3)
            if value[0] <= span[0] and span[1] <= value[1]:
                return _Place(span, tag, found[1].lower(), value)
        return None
    close = _SCRIPT_END.search(html, end)
    if named[1].lower() != b"script" or close is None or close.start() < span[1]:
        return None
    if b"<!--" in html[end : close.start()] or b"<script" in html[end : close.start()].lower():
        return None
    return _Place(span, tag, b"", (end, close.start()))


def _in_comment(html: bytes, tag: int, span: Span) -> _Place | None:
    """The comment at an offset, if a run seems to stand in it where nobody reads it."""
    start = tag + len(_COMMENT)
    if not html.startswith(_COMMENT, tag) or html.startswith((b">", b"->"), start):
        return None
    end = _COMMENT_END.search(html, start)
    if end is None or end.start() <= span[1] or html[span[1]] in b">!":
        return None
    if not html[start : span[0]].strip() or b"adproxy" in html[start : end.start()]:
        return None
    return _Place(span, tag, _COMMENT, (start, end.start()))


def _probe(html: bytes, encoding: str, tags: Sequence[int]) -> dict[int, LexborNode] | None:
    """The comments, and the elements whose start tags are at these offsets, as a parser sees them; None where it does
    not see all."""
    pieces: list[bytes] = []
    at = 0
    comments = 0
    for number, tag in enumerate(tags):
        named = _TAG_NAME.match(html, tag)
        comments += named is None
        behind = named.end() if named is not None else tag + len(_COMMENT)
        pieces += (html[at:behind], b" %s=%d " % (_PROBE.encode(), number))
        at = behind
    copy = b"".join((*pieces, html[at:]))
    text = copy if codecs.lookup(encoding).name == "utf-8" else copy.decode(encoding, "replace")
    parser = LexborHTMLParser(text, scripting=True)
    seen: dict[int, LexborNode] = {}
    for node in parser.css(f"[{_PROBE}]"):
        told = node.attributes.get(_PROBE) or ""
        if not (told.isascii() and told.isdigit()) or int(told) >= len(tags):
            return None
        tag = tags[int(told)]
        if (node.tag or "").encode() != html[tag + 1 : tag + 1 + len(node.tag or "")].lower():
            return None
        seen[tag] = node
    for node in comments_of(parser) if comments else ():
        said = (node.comment_content or "").split(maxsplit=1)
        told = said[0].removeprefix(_PROBE + "=") if said else ""
        if told and told != said[0] and told.isascii() and told.isdigit() and int(told) < len(tags):
            seen[tags[int(told)]] = node
    return seen if len(seen) == len(tags) else None


def _is_unread(place: _Place, node: LexborNode | None) -> bool:
    """True for a place that neither the parser's tree nor any rule depends on."""
    if node is None:
        return False
    if place.attribute == _COMMENT or node.is_comment_node:
        return place.attribute == _COMMENT and node.is_comment_node
    attributes = node.attributes
    if place.attribute == b"":
        kind = (attributes.get("type") or "").lower()
        return node.tag == "script" and "json" not in kind and _stands_apart(node)
    if place.attribute == b"nonce":
        return node.tag in ("script", "style", "link")
    if place.attribute == b"value":
        return node.tag == "input" and (attributes.get("type") or "").strip().lower() == "hidden"
    if place.attribute == b"content":
        name = attributes.get("name") or attributes.get("property") or ""
        return node.tag == "meta" and "http-equiv" not in attributes and _TOKEN_NAMES.search(name) is not None
    return False


def _stands_apart(script: LexborNode) -> bool:
    """True for a script that stands in nothing whose text is read, scripts included."""
    at = script.parent
    for _ in range(_MAX_DEPTH):
        if at is None or not at.is_element_node:
            return True
        if at.tag not in _AROUND_SCRIPTS:
            return False
        at = at.parent
    return False
