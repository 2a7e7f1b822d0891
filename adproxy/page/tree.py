"""The parsed copy of a page: its nodes, where they stand in the original's bytes, and where a div may legally go.

Everything about legality is here: what an anchor needs to exist. Nothing about taste is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from adproxy.model import Anchor, Edge
from adproxy.page import landmarks
from adproxy.page.ends import Patience, end_of, end_of_tag, is_balanced, keeps_formatting
from adproxy.page.glance import value_for
from adproxy.page.kept import keep
from adproxy.page.kinds import SILENT
from adproxy.page.landmarks import Landmarks
from adproxy.page.marks import ATTRIBUTE, BEFORE_START, MARKED, Marked
from adproxy.page.walk import text_in
from adproxy.page.words import count_words

# Elements that are nothing but boxes to a parser: no formatting, no scope of their own, no table part.
_PLAIN: Final = frozenset("div section article main aside header footer nav body center form search".split())
# All other elements that the parser knows: an element of any other name is a plain box too.
_KNOWN: Final = frozenset(
    """a abbr acronym address applet area audio b base basefont bdi bdo bgsound big blink blockquote br button canvas
    caption cite code col colgroup command data datalist dd del details dfn dialog dir dl dt em embed fieldset
    figcaption figure font frame frameset h1 h2 h3 h4 h5 h6 head hgroup hr html i iframe image img input ins isindex
    kbd keygen label legend li link listing map mark marquee math menu menuitem meta meter multicol nextid nobr
    noembed noframes noscript object ol optgroup option output p param picture plaintext pre progress q rb rbc rp rt
    rtc ruby s samp script select selectedcontent slot small source spacer span strike strong style sub summary sup
    svg table tbody td template textarea tfoot th thead time title tr track tt u ul var video wbr xmp""".split()
)
# Boxes to a parser too, but to an author a form to fill in, a part of a line, an item of a list; and the one
# formatting element that old pages have around all of their text. Where the page is laid out in one (some publishing
# systems wrap every post in a span) blocks stand in it already, and a div may as well.
_AROUND_THE_ARTICLE: Final = frozenset(["form", "span", "font", "li"])
# A list whose items are the columns of the page: an item may hold a div, the list may be around it.
_LISTS: Final = frozenset(["ul", "ol"])
_TABLE_CHAIN: Final = frozenset("td tr tbody thead tfoot table".split())
# Formatting elements: what the parser reopens in later blocks if it is left open (HTML 13.2.4.3).
FORMATTING: Final = frozenset("a b big code em font i nobr s small strike strong tt u".split())

_BODY: Final = re.compile(rb"<[bB][oO][dD][yY](?=[\t\n\f\r />])")
_P_END_AFTER: Final = re.compile(rb"[\t\n\f\r ]*+</[pP][\t\n\f\r />]")

# Their start reopens pending formatting, as text does.
_REOPENS: Final = frozenset("area br embed img input wbr".split())

# Python 3.11 looks members of an enum up slowly, and there is an anchor for every gap.
_BEFORE_START: Final = Edge.BEFORE_START
_AFTER_END: Final = Edge.AFTER_END

# Tables, and what stands before them until something is known to have been written there.
_MAX_MOVED: Final = 3_000

# How deep a walk to the body goes before the place is called illegal.
_MAX_DEPTH: Final = 256


# Without the parser's copies of what is selected in a menu: they stand nowhere in the bytes, and thousands of options
# that are copied one after the other take seconds.
_AS_WRITTEN: Final = LexborDocumentOptions.WO_EVENTS

# Each page of a site has the same noscripts, for the same counters; those of pictures differ, and are soon forgotten.
# In one of twelve there are marks of ours, which differ on each page.
_LONGEST_KEPT: Final = 600
_MOST_KEPT: Final = 1_024
_left_behind: Final[dict[str, bool]] = {}
"""By a noscript's content: whether it leaves nothing behind."""

_mark_of: Final = value_for(ATTRIBUTE)
_EVERYTHING: Final = landmarks.finder(headlines=True, sidebars=True, ids=frozenset())


def visible_text(node: LexborNode) -> str:
    """What readers see of an element's text, white space folded: no scripts, no style sheets."""
    return " ".join(text_in(node).split())


def holds_words(node: LexborNode, words: int) -> bool:
    """Whether an element's visible text has so many words, without reading much more of it than that takes."""
    enough = words * 4
    while True:
        text = text_in(node, enough)
        if count_words(" ".join(text.split())) >= words:  # the beginning of a text never has more words than the whole
            return True
        if len(text) < enough:
            return False
        enough = len(text) * 2


def _leaves_nothing_behind(noscript: LexborNode) -> bool:
    """True if a parser with scripting off, for which a noscript's content is markup, is back where it was behind it."""
    text = noscript.text()
    known = _left_behind.get(text)
    if known is None:
        content = text.encode()
        known = is_balanced(content, 0, len(content))
        if len(text) <= _LONGEST_KEPT and ATTRIBUTE not in text:
            keep(_left_behind, text, known, _MOST_KEPT)
    return known


# What heads are made of: no anchor lies before or behind any of it. Whatever else begins with "<" ends the match, be it
# in a script; so does a tag that is not complete yet.
_HEAD: Final = re.compile(
    rb"(?:[^<]++|<(?=!doctype[\t\n\f\r >]|/?(?:html|head|title|meta|link|script|style|base)[\t\n\f\r />]))*+", re.I
)


def before_body(html: bytes) -> bytes:
    """The beginning of a page, complete or not, in which no anchor can lie whatever follows."""
    found = _BODY.search(html)
    if found is not None:
        return html[: found.start()]
    head = _HEAD.match(html)
    return html[: head.end()] if head is not None else b""


class Tree:
    """One parse of one page.

    Raises nothing of its own; the caller guards the parser against hostile pages (`page.guard`).
    """

    def __init__(
        self,
        html: bytes,
        marked: Marked,
        text: str | bytes,
        *,
        settled: bool = True,
        find: Callable[[LexborNode], Landmarks] = _EVERYTHING,
        scripting: bool = True,
    ) -> None:
        """`html`: the original; `marked`: its marks; `text`: the marked copy as the parser shall see it.

        `settled`: whether anchors are asked if formatting is pending at them; where no slot needs to know it, no
        anchor is called settled. `find`: finds what is asked for in the whole page (`landmarks.finder`). `scripting`:
        on, as in nearly all browsers; what stands in a noscript is then text and can't hold an anchor.
        """
        self._ask_settled = settled
        self.html = html
        self.marked = marked
        self.parser = LexborHTMLParser(text, options=_AS_WRITTEN, scripting=scripting)
        self.body = self.parser.body
        root = self.parser.root
        self.landmarks = find(root) if root is not None else landmarks.NOTHING
        self._first_offset = marked.scanned.behind_body
        self._legal: dict[int, bool] = {}
        self._ends: dict[int, int] = {}
        self._patience = Patience()
        self._roots: frozenset[int] = frozenset()
        self.off_limits: dict[int, bool] = {}
        """Kept for `page.places`: by `mem_id`, whether an element or what it stands in is no place for a slot."""
        moved = self._moved_by(self.landmarks.tables)
        if moved is None:  # then no place is proven
            self._first_offset = len(html) + 1
        self._moved = moved or frozenset()
        # A noscript whose content is not plain and balanced may change all that follows where scripting is off.
        self._two_opinions = not all(map(_leaves_nothing_behind, self.landmarks.noscripts))
        # Each that was found is of another tag, since no mark gets into a tag that is not its own. Where scripting is
        # off, these may be no scripts.
        found = len(self.landmarks.bulk)
        self.is_proven = not marked.left_out or (found == len(marked.left_out) and not self._two_opinions)
        """Whether all that the copy goes without is text of scripts and style sheets, so that this is the tree of the
        page; else nothing may be concluded from it."""
        self._text = text
        self._starts_without_scripting: frozenset[int] | None = None

    def css(self, selector: str) -> list[LexborNode]:
        """Elements that match, in document order, each once. The selector was tried on this parser at load."""
        found = self.parser.css(selector)
        if "," in selector:  # the parser gives an element for each part of the list that it matches
            return list({node.mem_id: node for node in found}.values())
        return found

    # --- where an element stands ----------------------------------------------------------

    def start(self, node: LexborNode) -> int:
        """Offset of an element's own start tag; -1 where it is not proven (or the parser made the element up)."""
        return self.marked.offset(_mark_of(node), node.tag or "")

    def end(self, node: LexborNode) -> int:
        """Offset behind an element's own end tag; -1 where it is not proven."""
        known = self._ends.get(node.mem_id)
        if known is None:
            start = self.start(node)
            known = end_of(self.html, start, node.tag or "", self._patience) if start >= 0 else -1
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
        self.off_limits.clear()

    def is_around_article(self, node: LexborNode) -> bool:
        """True for the nodes that `open_for` was called with and all that they stand in."""
        return node.mem_id in self._roots

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
            elif tag in _AROUND_THE_ARTICLE:
                if node.mem_id not in self._roots:
                    break
            elif tag in _LISTS:
                if node.mem_id not in self._roots or child_tag != "li":
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
        tag, parent = node.tag, node.parent
        if tag not in BEFORE_START or parent is None or node.mem_id in self._moved:
            return None
        legal = self._legal.get(parent.mem_id)
        if not (self.legal_container(parent) if legal is None else legal):
            return None
        offset = self.marked.offset(_mark_of(node), tag)
        if offset < self._first_offset or (self._two_opinions and not self._allowed(offset, offset)):
            return None
        return Anchor(offset, _BEFORE_START, gap, self._ask_settled and self._settled(offset, node))

    def after(self, node: LexborNode, gap: int = -1) -> Anchor | None:
        """The anchor behind an element's end tag, if there is a legal one."""
        if not self.legal_container(node.parent) or node.mem_id in self._moved:
            return None
        offset = self.end(node)
        if offset < 0 or not self._allowed(offset, self.start(node)):
            return None
        # Text here stands directly in the container, which is proven to be no p; but "</p>" makes an empty one.
        if _P_END_AFTER.match(self.html, offset):
            return None
        return Anchor(offset, _AFTER_END, gap, settled=self._settled(offset, self._following(node)))

    def after_break(self, node: LexborNode, gap: int = -1) -> Anchor | None:
        """The anchor behind a line break that stands directly in a container, if it is legal."""
        if not self.legal_container(node.parent) or node.mem_id in self._moved:
            return None
        start = self.start(node)
        offset = end_of_tag(self.html, start) if start >= 0 else -1
        if offset < 0 or not self._allowed(offset, start):
            return None
        return Anchor(offset, _AFTER_END, gap, settled=self._settled(offset, self._following(node)))

    def _allowed(self, offset: int, start: int) -> bool:
        """Whether an anchor at an offset is right for the bytes around it; `start`: of the element it hangs on."""
        if offset < self._first_offset:
            return False
        if not self._two_opinions:
            return True
        if self._starts_without_scripting is None:
            self._starts_without_scripting = self._second_opinion()
        return start in self._starts_without_scripting

    def _following(self, node: LexborNode) -> LexborNode | None:
        at: LexborNode | None = node
        for _ in range(_MAX_DEPTH):
            if at is None:
                return None
            if at.next is not None:
                return at.next
            at = at.parent
        return None

    def _settled(self, offset: int, node: LexborNode | None) -> bool:
        """True if the first text from `node` on, white space too, lies outside of all formatting.

        The parser reopens formatting that is still open before any text or picture; if what follows has none around it,
        and nothing before it ends any, none is open, and a slot's own text or link would have none either.
        """
        # What a noscript leaves open is open for parsers without scripting only.
        if not self._ask_settled or self._two_opinions or not keeps_formatting(self.html, offset):
            return False
        at = node
        for _ in range(40):
            if at is None:
                return False
            if at.is_text_node or at.tag in _REOPENS:
                return not self._in_formatting(at)
            if at.is_element_node and at.tag in FORMATTING:
                return False
            below = None if at.tag in SILENT else at.first_child
            at = below or self._following(at)
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

    def _moved_by(self, tables: list[LexborNode]) -> frozenset[int] | None:
        """Elements that were written inside a table and stand before it in the tree ("foster parenting"); None where
        they are too many to be gone through."""
        moved: set[int] = set()
        steps = _MAX_MOVED
        for table in tables:
            # Of one that the scan lost (-1) everything that stands before it may have been moved.
            offset = self.start(table)
            at = table.prev
            steps -= 1
            while at is not None:
                steps -= 1
                if steps <= 0:
                    return None
                if at.is_element_node:
                    start = self.start(at)
                    if 0 <= start < offset:
                        break
                    moved.add(at.mem_id)
                at = at.prev
        return frozenset(moved)

    def _second_opinion(self) -> frozenset[int]:
        """Starts of the elements that a parser with scripting off, for which a noscript's content is markup, puts
        into plain containers too."""
        other = Tree(self.html, self.marked, self._text, settled=False, scripting=False)
        if other._first_offset > len(self.html):
            return frozenset()
        everything = other.css(",".join(sorted(MARKED)))
        other.open_for(everything)
        return frozenset(
            start
            for node in everything
            if (start := other.start(node)) >= 0
            and node.mem_id not in other._moved
            and other.legal_container(node.parent)
        )
