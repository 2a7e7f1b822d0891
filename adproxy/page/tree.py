"""The parsed copy of a page: its nodes, where they stand in the original's bytes, and where a div may legally go.

Everything about legality is here: what an anchor needs to exist. Nothing about taste is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from adproxy.model import Anchor, Edge
from adproxy.page.ends import end_of, end_of_tag
from adproxy.page.marks import ATTRIBUTE, BEFORE_START, MARKED, Marked

# Elements that are nothing but boxes to a parser: no formatting, no scope of their own, no table part.
_PLAIN = frozenset("div section article main aside header footer nav body center form search".split())
# All other elements that the parser knows: an element of any other name is a plain box too.
_KNOWN = frozenset(
    """a abbr acronym address applet area audio b base basefont bdi bdo bgsound big blink blockquote br button canvas
    caption cite code col colgroup command data datalist dd del details dfn dialog dir dl dt em embed fieldset
    figcaption figure font frame frameset h1 h2 h3 h4 h5 h6 head hgroup hr html i iframe image img input ins isindex
    kbd keygen label legend li link listing map mark marquee math menu menuitem meta meter multicol nextid nobr
    noembed noframes noscript object ol optgroup option output p param picture plaintext pre progress q rb rbc rp rt
    rtc ruby s samp script select selectedcontent slot small source spacer span strike strong style sub summary sup
    svg table tbody td template textarea tfoot th thead time title tr track tt u ul var video wbr xmp""".split()
)
_TABLE_CHAIN = frozenset("td tr tbody thead tfoot table".split())
# Formatting elements: what the parser reopens in later blocks if it is left open (HTML 13.2.4.3).
FORMATTING = frozenset("a b big code em font i nobr s small strike strong tt u".split())

_BODY = re.compile(rb"<[bB][oO][dD][yY](?=[\t\n\f\r />])")
_NOSCRIPT = re.compile(rb"<noscript(?=[\t\n\f\r />])(.*?)</noscript(?=[\t\n\f\r />])", re.I | re.S)
# The content of nearly all noscripts: the same to parsers with scripting and without.
_NOSCRIPT_SIMPLE = re.compile(
    rb"[^>]*+>(?:[^<]++|<(?:img|iframe|link|meta|source|br|style)(?=[\t\n\f\r />])[^<>]*+>"
    rb"|</(?:iframe|style)[\t\n\f\r ]*>)*+\Z",
    re.I,
)
_TEXT_AFTER = re.compile(rb"[\t\n\f\r ]*+(?:[^<\t\n\f\r ]|</[pP][\t\n\f\r />])")

# How deep a walk to the body goes before the place is called illegal.
_MAX_DEPTH = 256


_SILENT = frozenset(["script", "style", "noscript", "template"])


def visible_text(node: LexborNode) -> str:
    """What readers see of an element's text, white space folded: no scripts, no style sheets."""
    if node.css_first("script,style,noscript,template") is None:
        return " ".join(node.text().split())
    parts = [
        child.text()
        for child in node.traverse(include_text=True)
        if child.is_text_node and child.parent is not None and child.parent.tag not in _SILENT
    ]
    return " ".join("".join(parts).split())


class Tree:
    """One parse of one page.

    Raises nothing of its own; the caller guards the parser against hostile pages (`page.guard`).
    """

    def __init__(self, html: bytes, marked: Marked, text: str | bytes) -> None:
        """`html`: the original; `marked`: its marks; `text`: the marked copy as the parser shall see it."""
        self.html = html
        self.marked = marked
        # Scripting on, as in nearly all browsers: what stands in a noscript is then text and can't hold an anchor.
        self.parser = LexborHTMLParser(text, scripting=True)
        self.body = self.parser.body
        first_body = _BODY.search(html)
        self._first_offset = first_body.end() if first_body else 0
        self._legal: dict[int, bool] = {}
        self._ends: dict[int, int] = {}
        self._moved = self._moved_by_tables() if b"<table" in marked.copy or b"<TABLE" in marked.copy else frozenset()
        self._noscripts = [(m.start(), m.end()) for m in _NOSCRIPT.finditer(html)] if b"oscript" in html else []
        self._legal_without_scripting: frozenset[int] | None = None
        if any(not _NOSCRIPT_SIMPLE.match(html, *m) for m in self._noscript_contents()):
            self._legal_without_scripting = self._second_opinion(text)
        self._roots: frozenset[int] = frozenset()

    def css(self, selector: str) -> list[LexborNode]:
        """Elements that match, in document order; empty for a selector that this parser does not know."""
        return self.parser.css(selector)

    # --- where an element stands ----------------------------------------------------------

    def start(self, node: LexborNode) -> int:
        """Offset of an element's own start tag; -1 where it is not proven (or the parser made the element up)."""
        return self.marked.offset(node.attrs.get(ATTRIBUTE), node.tag or "")

    def end(self, node: LexborNode) -> int:
        """Offset behind an element's own end tag; -1 where it is not proven."""
        known = self._ends.get(node.mem_id)
        if known is None:
            start = self.start(node)
            known = end_of(self.html, start, node.tag or "") if start >= 0 else -1
            if known >= 0:
                following = self._next_start(node)
                if 0 <= following < known:
                    known = -1
            self._ends[node.mem_id] = known
        return known

    def _next_start(self, node: LexborNode) -> int:
        """Offset of the next proven start tag after an element's subtree; -1 where none is near."""
        at: LexborNode | None = node
        for _ in range(12):
            if at is None:
                return -1
            following = at.next
            if following is None:
                at = at.parent
                continue
            at = following
            if at.is_element_node:
                start = self.start(at)
                if start >= 0:
                    return start
        return -1

    # --- anchors --------------------------------------------------------------------------

    def open_for(self, nodes: list[LexborNode]) -> None:
        """Let table cells and forms around these nodes count as plain containers: the page is laid out in them."""
        roots: set[int] = set()
        for node in nodes:
            at: LexborNode | None = node
            while at is not None and at.is_element_node:
                roots.add(at.mem_id)
                at = at.parent
        self._roots = frozenset(roots)
        self._legal.clear()

    def legal_container(self, node: LexborNode | None) -> bool:
        """True if a div may be a child of this element: it and its ancestors, up to body, are plain containers."""
        chain: list[int] = []
        verdict = False
        child_tag = ""
        for _ in range(_MAX_DEPTH):
            if node is None:
                break
            known = self._legal.get(node.mem_id)
            if known is not None:
                verdict = known
                break
            tag = node.tag or ""
            chain.append(node.mem_id)
            if node.mem_id in self._moved:
                break
            if tag == "body":
                verdict = True
                break
            if tag in _TABLE_CHAIN:
                # A cell may hold a div; a row or a table may not, but may be around the cell.
                if node.mem_id not in self._roots or (child_tag not in _TABLE_CHAIN and tag != "td"):
                    break
            elif tag == "form":
                if node.mem_id not in self._roots:
                    break
            elif tag not in _PLAIN and (tag in _KNOWN or ":" in tag):
                break
            child_tag = tag
            node = node.parent
        for mem_id in chain:
            self._legal[mem_id] = verdict
        return verdict

    def before(self, node: LexborNode, gap: int = -1) -> Anchor | None:
        """The anchor before an element's start tag, if there is a legal one."""
        if node.tag not in BEFORE_START or not self.legal_container(node.parent) or node.mem_id in self._moved:
            return None
        offset = self.start(node)
        if offset < 0 or not self._allowed_by_bytes(offset):
            return None
        return Anchor(offset, Edge.BEFORE_START, gap, settled=self._settled(node))

    def after(self, node: LexborNode, gap: int = -1) -> Anchor | None:
        """The anchor behind an element's end tag, if there is a legal one."""
        if not self.legal_container(node.parent) or node.mem_id in self._moved:
            return None
        offset = self.end(node)
        if offset < 0 or not self._allowed_by_bytes(offset):
            return None
        following = _TEXT_AFTER.match(self.html, offset)
        # Text here stands directly in the container, which is proven to be no p; "</p>" would make an empty one.
        if following is not None and following[0].endswith((b"p", b"P", b"/")) and b"</" in following[0]:
            return None
        return Anchor(offset, Edge.AFTER_END, gap, settled=self._settled(self._following(node)))

    def after_break(self, node: LexborNode, gap: int = -1) -> Anchor | None:
        """The anchor behind a line break that stands directly in a container, if it is legal."""
        if not self.legal_container(node.parent) or node.mem_id in self._moved:
            return None
        start = self.start(node)
        offset = end_of_tag(self.html, start) if start >= 0 else -1
        if offset < 0 or not self._allowed_by_bytes(offset):
            return None
        return Anchor(offset, Edge.AFTER_END, gap, settled=self._settled(self._following(node)))

    def _allowed_by_bytes(self, offset: int) -> bool:
        if offset < self._first_offset:
            return False
        if any(start <= offset < end for start, end in self._noscripts):
            return False
        return self._legal_without_scripting is None or offset in self._legal_without_scripting

    def _following(self, node: LexborNode) -> LexborNode | None:
        at: LexborNode | None = node
        for _ in range(_MAX_DEPTH):
            if at is None:
                return None
            if at.next is not None:
                return at.next
            at = at.parent
        return None

    def _settled(self, node: LexborNode | None) -> bool:
        """True if the first text from `node` on, white space too, lies outside of all formatting.

        The parser reopens formatting that is still open before any text; if the next text has none around it, none is
        open, and a slot's own text or link would have none either.
        """
        at = node
        for _ in range(40):
            if at is None:
                return False
            if at.is_text_node:
                return not self._in_formatting(at)
            if at.is_element_node and at.tag in FORMATTING:
                return False
            at = at.first_child or self._following(at)
        return False

    def _in_formatting(self, node: LexborNode) -> bool:
        at = node.parent
        for _ in range(_MAX_DEPTH):
            if at is None:
                return False
            if at.tag in FORMATTING:
                return True
            at = at.parent
        return True

    # --- what moves things, and what scripting changes --------------------------------------

    def _moved_by_tables(self) -> frozenset[int]:
        """Elements that were written inside a table and stand before it in the tree ("foster parenting")."""
        moved: set[int] = set()
        for table in self.parser.css("table"):
            offset = self.start(table)
            if offset < 0:
                continue
            at = table.prev
            while at is not None:
                if at.is_element_node:
                    start = self.start(at)
                    if 0 <= start < offset:
                        break
                    moved.add(at.mem_id)
                at = at.prev
        return frozenset(moved)

    def _noscript_contents(self) -> Iterator[tuple[int, int]]:
        for start, end in self._noscripts:
            yield start + len(b"<noscript"), end - len(b"</noscript")

    def _second_opinion(self, text: str | bytes) -> frozenset[int]:
        """Offsets that are legal for a parser with scripting off too, where a noscript's content is markup."""
        other = object.__new__(Tree)
        other.html, other.marked = self.html, self.marked
        other.parser = LexborHTMLParser(text, scripting=False)
        other.body = other.parser.body
        other._legal, other._ends, other._noscripts = {}, {}, []
        other._first_offset, other._legal_without_scripting = self._first_offset, None
        other._moved = other._moved_by_tables()
        everything = other.parser.css(",".join(sorted(MARKED)))
        other._roots = frozenset()
        other.open_for(everything)
        legal: set[int] = set()
        for node in everything:
            for anchor in (other.before(node), other.after(node)):
                if anchor is not None:
                    legal.add(anchor.offset)
            if node.tag == "br" and (anchor := other.after_break(node)) is not None:
                legal.add(anchor.offset)
        return frozenset(legal)
