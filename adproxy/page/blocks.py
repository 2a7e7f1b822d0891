"""The article as a row of blocks with gaps between them.

The article's element is walked once, in document order. Containers dissolve into what they hold; paragraphs, headings,
lists, tables, quotes, code, media, ads and foreign boxes become blocks. Before, between and after them lie the gaps,
each with its anchor or the reason why it has none.
"""

from __future__ import annotations

import re
from typing import Final

from selectolax.lexbor import LexborNode

from adproxy.labels import is_label
from adproxy.model import Anchor, Block, BlockFlag, BlockKind, Gap, PerDevice, Reason
from adproxy.page import ads
from adproxy.page.ad_room import likely_room
from adproxy.page.article import GOOD_WORDS, Article, Folded, is_plain, linked_characters
from adproxy.page.children import Child, children_without
from adproxy.page.contents import Contents, contents
from adproxy.page.heights import USUAL, Heights, plus, width_of
from adproxy.page.names import COLUMNS, Says, says, tokens
from adproxy.page.tree import Tree, holds_words
from adproxy.page.walk import all_of, text_in
from adproxy.page.words import count_words, fold

# Looking a member up in its enum takes longer than most of what is done with it here, and so does a named tuple's own
# constructor: there are blocks and gaps by the dozen.
_AD: Final = BlockKind.AD
_ASIDE: Final = BlockKind.ASIDE
_PARAGRAPH: Final = BlockKind.PARAGRAPH
_QUOTE: Final = BlockKind.QUOTE
_MEDIA_BLOCK: Final = BlockKind.MEDIA
_NO_GAP: Final = Gap(None, Reason.NO_LEGAL_ANCHOR)
_NOT_WITHIN: Final = Gap(None, Reason.SPLITS_GROUP)
# Of an element that has none that says anything.
_NO_ATTRIBUTES: Final[dict[str, str | None]] = {}
_UNREAD: Final[Folded] = ("", 0)

# More blocks than any article has, and more elements and texts beside each other, empty ones too; what follows is not
# looked at.
MAX_BLOCKS: Final = 1_000
MAX_VISITED: Final = 3_000
_MAX_DEPTH: Final = 60
_AT_ONCE: Final = 256
"""Children that are listed before the first of them is gone into."""

# What readers do not read: nothing that is shown, what a form is filled with, what old parsers saw in place of a frame.
_IGNORED: Final = frozenset(
    """script style template noscript link meta title base head param source track area map datalist textarea select
    noframes noembed""".split()
)
_INLINE: Final = frozenset(
    """a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q ruby rb rt rp s samp
    small span strike strong sub sup time tt u var wbr button input meter output progress""".split()
)
_HEADERS: Final = frozenset(["header", "hgroup"])
_HEADINGS: Final = frozenset("h1 h2 h3 h4 h5 h6".split())
_LISTS: Final = frozenset(["ul", "ol", "dl", "menu", "dir"])
MEDIA: Final = frozenset(
    """img picture video audio iframe embed object figure canvas svg amp-img amp-video amp-youtube""".split()
)
# Their text stands in for them where they can't be shown.
_TEXT_INSTEAD: Final = frozenset(["svg", "iframe", "object", "video", "audio"])
_BESIDE: Final = Says.NOT_ARTICLE | Says.PULL_QUOTE | Says.SIDEBAR
_ASIDES: Final = frozenset("nav aside footer form details dialog button fieldset".split())
_CONTAINERS: Final = frozenset(
    "div section article main header center hgroup address td tr tbody thead tfoot body".split()
)
_BOXES: Final = frozenset("div section article main center".split())
"""Of these the containers that mean nothing else by what they are."""
_USUAL: Final = _INLINE | _HEADINGS | _LISTS | _ASIDES | _CONTAINERS | {"p", "br", "img", "figure"}
_children: Final = children_without(_IGNORED, _USUAL)
_items: Final = all_of("li", "dt", "dd")
_cells: Final = all_of("td", "th")
_rows: Final = all_of("tr")
_listings: Final = all_of("pre")
_pictures: Final = all_of("figure")
_blocks_in: Final = all_of("p", "div", "ul", "ol", "table", "h2", "h3", "h4", "figure", "section", "article")
_SENTENCE_ENDS: Final = frozenset(".!?…:;\"'”’»)]。！？」』）")
_COLONS: Final = frozenset(":：")
_ENDS: Final = _SENTENCE_ENDS - _COLONS
_QUESTIONS: Final = frozenset("?？؟")
_LONG_COLUMN: Final = 20_000
"""Characters of a column that are counted."""
_WHOLE_WIDTH: Final = re.compile(r"(?:^|-)(?:12|100)$")
_HEADS: Final = 12
"""Words; a longer line is no heading, though it is bold."""
_STRONG: Final = frozenset("b strong u big".split())
# Set in bold, or larger than text is set.
_STRONG_STYLE: Final = re.compile(
    r"font-weight\s*:\s*(?:bold|[6-9]00)"
    r"|font-size\s*:\s*(?:x*-?large|[2-9]\d(?:\.\d+)?p[xt]|1[5-9](?:\.\d+)?pt|(?:1\.[2-9]\d*|[2-9](?:\.\d+)?)r?em)",
    re.I,
)
_MOST_AROUND_TEXT: Final = 6
"""Elements around all of a line's text that are looked at."""
_HEADING_NAMES: Final = frozenset(
    """heading headings subheading subhead subheadline headline crosshead crossheading intertitle intertitre title
    subtitle ueberschrift zwischenueberschrift zwischentitel untertitel sottotitolo ladillo""".split()
)
_LARGE_NAMES: Final = frozenset(["large", "larger", "huge", "xl", "xx"])
_DASHES: Final = frozenset("—–―-")
_SOURCE_WORDS: Final = 12
"""A name and an office, behind a dash under a quotation."""
_LABEL: Final = 90
"""Characters; no label of an ad is longer."""
_CAPTION_WORDS: Final = 40
_NOTE: Final = re.compile(r"\[\d{1,3}\]")
# What begins with a word for a picture, and a colon or its author behind it; what ends with where pictures are bought.
_CREDIT: Final = re.compile(
    r"""[\W_]*(?:©|\(c\)|(?:photo(?:graph)?s?|images?|pictures?|credits?|courtesy|foto(?:s|graf\w*)?|bild(?:er)?|imagen(?:es)?
    |immagin[ei]|imagem|crédits?|crédito|kuvat?|kép|zdjęci[ae]|fot|фото|写真|画像|图片?|圖片?|사진|صورة|تصویر|צילום)
    \s*(?:(?:credit|courtesy|by|via|par|von|de|di|door|av|af)\b|[:：/／|©.]))""",
    re.I | re.X,
)
_AGENCY: Final = re.compile(
    r"""(?:getty(?:\simages)?|reuters|\bap(?:\sphoto)?|\bafp|\bepa|\bdpa|shutterstock|istock|alamy|unsplash|flickr|wikimedia(?:\scommons)?
    |file\sphoto)[)\]\s.]*$""",
    re.I | re.X,
)
# Each of these matches ends with one of these words: a search through each line takes longer than to ask for them.
_AGENCY_ENDS: Final = tuple(
    "getty images reuters ap photo afp epa dpa shutterstock istock alamy unsplash flickr wikimedia commons".split()
)
_AGENCY_REACH: Final = 40
"""Characters from the end on in which an agency's name begins."""
# A box with a picture and a linked title that holds no more words than this is a card, which leads to another page.
_CARD_WORDS: Final = 60
_CARD_PIECES: Final = 60
# White space and columns; grids of more hold no text.
_MOST_IN_A_ROW: Final = 24
# A post of fewer words is not torn apart: there is a better place before the next one.
_WHOLE_POST: Final = 200
# Words: quotations and boxes break their text into paragraphs of about so many.
_QUOTE_PARAGRAPH: Final = 30


# No dataclasses, whose constructors are made where no compiler sees them: there are dozens of these a page.
class _Piece:
    """A block, and the nodes that its gaps are made from."""

    def __init__(self, block: Block, node: LexborNode | None, good: bool) -> None:
        self.block = block
        self.node = node
        """Its element; None for a run of text directly in a container."""
        self.good = good
        """A paragraph of the article itself."""
        self.line_break: LexborNode | None = None
        """The last of the line breaks that separate a run of text from the one before."""
        self.edge: LexborNode | None = None
        """The empty box that separates a run of text from the one before."""
        self.gap: Gap | None = None
        """Why there is no place for a slot between it and the piece before: they stand in the same paragraph, or in the
        same row of columns. None: there may be one."""


class Outline:
    def __init__(
        self,
        blocks: tuple[Block, ...],
        gaps: tuple[Gap, ...],
        nodes: tuple[LexborNode | None, ...],
    ) -> None:
        self.blocks = blocks
        self.gaps = gaps
        self.nodes = nodes
        """The element of each block."""


class _Walk:
    def __init__(self, article: Article, contents: Contents, heights: Heights) -> None:
        self.article = article
        self.contents = contents
        self.heights = heights
        self.pieces: list[_Piece] = []
        self.visited = 0
        self.rows = 0
        """In how many rows the walk is."""
        self.columns: dict[int, tuple[int, int]] = {}
        """By `mem_id`: from which to which piece go those of a container in a row."""
        self.good_in: dict[int, int] | None = None
        """By `mem_id`: how many of the article's good paragraphs an element holds; None: nothing has asked yet."""

    def read(self, node: LexborNode) -> Folded:
        """What readers see of an element's text, and its words."""
        return self.article.texts.get(node.mem_id) or fold(text_in(node))

    def holds_good(self, node: LexborNode) -> bool:
        """True if an element holds at least half of the article's good paragraphs, and no less than two."""
        if self.good_in is None:
            self.good_in = _good_in(self.article)
        found = self.good_in.get(node.mem_id, 0)
        return found >= 2 and found * 2 >= len(self.article.paragraphs)


def _good_in(article: Article) -> dict[int, int]:
    found: dict[int, int] = {}
    top = article.root.mem_id
    for node in article.nodes:
        at = node.parent
        for _ in range(_MAX_DEPTH):
            if at is None or at.mem_id == top:
                break
            found[at.mem_id] = found.get(at.mem_id, 0) + 1
            at = at.parent
    return found


def outline(tree: Tree, article: Article, avoid: tuple[str, ...] = (), heights: Heights = USUAL) -> Outline:
    """Blocks and gaps of an article, from its first own paragraph to what belongs to its last; none where what it holds
    is too much to be gone through.

    `avoid`: selectors whose matches are noted on the blocks, by index; `heights`: how high blocks are on this site.
    """
    inside = contents(article.root, avoid)
    if inside is None:
        return Outline((), (), ())
    walk = _Walk(article, inside, heights)
    walk.rows = 1 if _is_row(article.root) else 0
    _visit(walk, article.root, 0)
    if walk.rows and len(walk.pieces) > 1 and len(columns := _side_by_side(article.root)) > 1:
        _keep_out_of(walk, columns, article.root, 0, all_of_them=False)
    pieces = _trimmed(walk.pieces)
    gaps = [_gap(tree, pieces, i) for i in range(len(pieces) + 1)] if pieces else []
    return Outline(tuple(p.block for p in pieces), tuple(gaps), tuple(p.node for p in pieces))


def is_hidden(attributes: dict[str, str | None]) -> bool:
    """True where the page's own markup says that an element is not shown."""
    if "hidden" in attributes:
        return True
    style = attributes.get("style")
    if not style:
        return False
    style = style.replace(" ", "").lower()
    return "display:none" in style or "visibility:hidden" in style


# --- the walk -----------------------------------------------------------------------------


class _Run:
    """Text and inline elements that stand directly in a container, one after the other."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.linked = 0
        """Characters within links."""
        self.strong = 0
        """Parts that are all bold."""
        self.breaks = 0
        """Line breaks since the last text."""
        self.last_break: LexborNode | None = None
        self.led_by: LexborNode | None = None
        """The line break that separates this run from the one before."""
        self.edge: LexborNode | None = None
        """The empty box right before this run."""

    def add(self, walk: _Walk, text: str, linked: int = 0, *, strong: bool = False) -> None:
        if not text.strip():
            self.parts.append(" ")
            self.strong += 1
            return
        if self.breaks >= 2:  # an empty line: a new paragraph
            last = self.last_break
            self.flush(walk)
            self.led_by = last
        elif self.breaks:
            self.parts.append(" ")
            self.strong += 1
        self.breaks = 0
        self.parts.append(text)
        self.strong += strong
        self.linked += linked

    def flush(self, walk: _Walk) -> None:
        if not self.parts:
            self.breaks, self.led_by, self.edge = 0, None, None
            return
        text, words = fold("".join(self.parts))
        if text:
            linked, strong = self.linked * 2 > len(text), self.strong == len(self.parts)
            _text_piece(walk, None, "", text, words, linked, strong=strong)
            walk.pieces[-1].line_break, walk.pieces[-1].edge = self.led_by, self.edge
        self.parts.clear()
        self.linked, self.strong, self.breaks, self.led_by, self.edge = 0, 0, 0, None, None


def _visit(walk: _Walk, container: LexborNode, depth: int) -> None:
    """Append the blocks of a container."""
    pieces = walk.pieces
    before = len(pieces)
    run = _Run()
    child = container.first_child
    while child is not None and len(pieces) < MAX_BLOCKS and walk.visited < MAX_VISITED:
        found, left_out, child = _children(child, min(_AT_ONCE, MAX_VISITED - walk.visited))
        walk.visited += left_out
        _append(walk, found, run, depth)
    run.flush(walk)
    avoided = walk.contents.matched.get(container.mem_id, ()) if depth else ()
    if avoided:  # what a match dissolves into is avoided as the match is
        for piece in pieces[before:]:
            piece.block = piece.block.but(avoided=tuple({*piece.block.avoided, *avoided}))


def _append(walk: _Walk, found: list[Child], run: _Run, depth: int) -> None:
    """Append the blocks of some children; the text that ends them stays in the run."""
    pieces = walk.pieces
    for node, said in found:  # of a text what it says, of an element its name
        if len(pieces) >= MAX_BLOCKS or walk.visited >= MAX_VISITED:
            break
        walk.visited += 1
        if node is None:
            if said and not said.isspace():
                run.add(walk, said)
            elif run.parts:
                run.add(walk, " ")
            continue
        tag = said
        if tag == "br":
            run.breaks += 1
            run.last_break = node
            continue
        if tag in _INLINE and node.mem_id not in walk.contents.media and node.mem_id not in walk.contents.ads:
            if not _holds_blocks(node):
                text = text_in(node)
                strong = run.strong == len(run.parts) and _is_strong(node)
                run.add(walk, text, len(text) if tag == "a" else 0, strong=strong)
                continue
        if run.parts or run.breaks:
            run.flush(walk)
        known = len(pieces)
        _block(walk, node, tag, depth)
        run.edge = node if len(pieces) == known and not is_hidden(node.attributes) else None


def _holds_blocks(node: LexborNode) -> bool:
    return not is_plain(node) and bool(_blocks_in(node))


def _text_piece(
    walk: _Walk,
    node: LexborNode | None,
    tag: str,
    text: str,
    words: int,
    linked: bool = False,
    *,
    strong: bool = False,
) -> None:
    if len(text) <= _LABEL and not (linked and node is None) and is_label(text):
        _add(walk, node, _AD, tag, text, walk.heights.paragraph(1), words)
        return
    flags = BlockFlag.NONE
    last = text[-1:]
    if last in _COLONS:
        flags |= BlockFlag.LEAD_IN
    elif words > 3 and last not in _SENTENCE_ENDS:
        flags |= BlockFlag.OPEN_SENTENCE
    if words <= _HEADS and (last not in _SENTENCE_ENDS or last in _QUESTIONS):
        # An interview's bold questions head their answers.
        if strong or (node is not None and (text.isupper() or _is_strong(node) or _is_called_heading(node))):
            flags |= BlockFlag.PSEUDO_HEADING
    good = words >= GOOD_WORDS and not linked if node is None else node.mem_id in walk.article.paragraphs
    if good and text[0] == "[" and _NOTE.match(text):  # the article ends before its notes
        good = False
    kind = _ASIDE if linked else _PARAGRAPH
    if words <= _CAPTION_WORDS and walk.pieces and walk.pieces[-1].block.kind is BlockKind.MEDIA:
        if is_caption(node, text):
            kind, good, flags = BlockKind.CAPTION, False, BlockFlag.NONE
    media = walk.contents.media.get(node.mem_id) if node is not None else None
    width = width_of(text, words)
    height = walk.heights.paragraph(width)
    if media is not None:
        flags |= BlockFlag.HAS_MEDIA
        height = plus(height, walk.heights.media(*media))
    is_source = (linked and words <= 4) or (words <= _SOURCE_WORDS and text[:1] in _DASHES)
    if is_source and walk.pieces and walk.pieces[-1].block.kind is _QUOTE:
        # linked, or behind a dash
        kind = _PARAGRAPH
        quote = walk.pieces[-1]
        quote.block = quote.block.but(more_flags=BlockFlag.KEEP_WITH_NEXT)
    if node is not None and node.mem_id in walk.contents.ads and words < ads.MAX_WORDS:
        kind = _AD
        height = likely_room(node, walk.heights.existing_ad(width, words, media))
    _add(walk, node, kind, tag, text, height, words, flags, good=good)


def is_caption(node: LexborNode | None, text: str) -> bool:
    """True for a line right below a picture that names its author, is called a caption, or is all in italics."""
    if _CREDIT.match(text):
        return True
    if text[-_AGENCY_REACH:].rstrip(")] .").lower().endswith(_AGENCY_ENDS):
        if _AGENCY.search(text, max(0, len(text) - _AGENCY_REACH)):
            return True
    if node is None:
        return False
    attributes = node.attributes
    return bool(says(attributes.get("class") or "", attributes.get("id") or "") & Says.CAPTION) or _all_in(
        node, ("em", "i", "small")
    )


def _is_strong(node: LexborNode) -> bool:
    """True if all of an element's text is bold, underlined or large, by elements or by styles of its own."""
    at = node
    for _ in range(_MOST_AROUND_TEXT):
        if at.tag in _STRONG or _STRONG_STYLE.search(at.attributes.get("style") or ""):
            return True
        only = _only_child(at)
        if only is None or not only.is_element_node:
            return False
        at = only
    return False


def _is_called_heading(node: LexborNode) -> bool:
    """True for a line whose class says that it is a heading, or set as large as one."""
    for name in (node.attributes.get("class") or "").split():
        words = set(tokens(name))
        if words & _HEADING_NAMES or (words & _LARGE_NAMES and {"font", "size"} <= words):
            return True
    return False


def _all_in(node: LexborNode, tags: tuple[str, ...]) -> bool:
    """True if all of an element's text stands in one child of these tags."""
    only = _only_child(node)
    return only is not None and only.tag in tags


def _only_child(node: LexborNode) -> LexborNode | None:
    """What an element holds beside white space and line breaks, if it is one node."""
    solid = [
        child
        for child in node.iter(include_text=True)
        if not (child.is_text_node and not child.text().strip()) and child.tag != "br"
    ]
    return solid[0] if len(solid) == 1 else None


def _add(
    walk: _Walk,
    node: LexborNode | None,
    kind: BlockKind,
    tag: str,
    text: str,
    height: PerDevice,
    words: int,
    flags: int = BlockFlag.NONE,
    *,
    good: bool = False,
) -> None:
    avoided = walk.contents.avoided.get(node.mem_id, ()) if node is not None else ()
    block = Block(kind, words, len(text), height, flags, tag, text[:80], avoided)
    walk.pieces.append(_Piece(block, node, good))


def _illustrated(walk: _Walk, node: LexborNode, depth: int) -> None:
    """A paragraph of text and pictures: a block for each, as readers see them, so that distances are true.

    Old editors put a picture into the paragraph that it follows. A slot may stand before and behind them all.
    """
    before = len(walk.pieces)
    _visit(walk, node, depth + 1)
    good = node.mem_id in walk.article.paragraphs
    for i, piece in enumerate(walk.pieces[before:]):
        piece.node, piece.gap = node, _NO_GAP if i else None
        if good and piece.block.kind in (BlockKind.PARAGRAPH, BlockKind.ASIDE):  # a line with a link is no other's
            piece.block = piece.block.but(kind=BlockKind.PARAGRAPH)
            piece.good = True


def _paragraph(walk: _Walk, node: LexborNode, depth: int) -> None:
    mem_id = node.mem_id
    text, words = walk.read(node)
    size = walk.contents.media.get(mem_id)
    if size is not None and words >= GOOD_WORDS and depth < _MAX_DEPTH:  # a shorter text is the picture's caption
        _illustrated(walk, node, depth)
        return
    if text:
        foreign = mem_id not in walk.article.paragraphs and len(text) < 300 and _is_foreign(node, len(text))
        _text_piece(walk, node, "p", text, words, foreign)
    elif mem_id in walk.contents.ads:
        _add(walk, node, BlockKind.AD, "p", "", likely_room(node, walk.heights.existing_ad(0, 0, size)), 0)
    elif size is not None:
        _add(walk, node, BlockKind.MEDIA, "p", "", walk.heights.media(*size), 0)


def _is_ordinary(walk: _Walk, mem_id: int, text: str, words: int) -> bool:
    """True for a paragraph of the article's own that is nothing but text, too long for a source, below no picture, and
    ends where a sentence does: of the questions that `_text_piece` asks, none is one."""
    return (
        words > _SOURCE_WORDS
        and len(text) > _LABEL
        and text[-1] in _ENDS
        and text[0] != "["
        and walk.contents.nothing_in(mem_id)
        and (words > _CAPTION_WORDS or not walk.pieces or walk.pieces[-1].block.kind is not _MEDIA_BLOCK)
    )


def _block(walk: _Walk, node: LexborNode, tag: str, depth: int) -> None:
    if tag == "p" and (mem_id := node.mem_id) in walk.article.paragraphs:
        text, words = walk.article.texts.get(mem_id, _UNREAD)
        if text and _is_ordinary(walk, mem_id, text, words):
            height = walk.heights.paragraph(width_of(text, words))
            block = Block(_PARAGRAPH, words, len(text), height, BlockFlag.NONE, tag, text[:80])
            walk.pieces.append(_Piece(block, node, True))
        else:
            _paragraph(walk, node, depth)
        return
    names = ads.ordinary_names(tag, node)
    attributes = node.attributes if names is None else _NO_ATTRIBUTES
    if names is None and is_hidden(attributes):
        return
    if tag == "p" and attributes.get("role") != "heading":
        _paragraph(walk, node, depth)
        return
    classes, ident = names or (attributes.get("class") or "", attributes.get("id") or "")
    said = says(classes, ident)
    if not said and names is not None and tag in _BOXES and depth < _MAX_DEPTH:
        _container(walk, node, tag, depth, said)  # what most are, so asked first
        return
    if tag in _HEADINGS or attributes.get("role") == "heading":
        _heading(walk, node, tag)
        return
    size = walk.contents.media.get(node.mem_id)
    if names is None and (said & Says.AD or ads.is_ad(tag, attributes)) and not walk.holds_good(node):
        # asked first, because ads may stand in ads, with much text in them all
        if not holds_words(node, ads.MAX_WORDS):
            text, words = walk.read(node)
            height = likely_room(node, walk.heights.existing_ad(width_of(text, words), words, size))
            _add(walk, node, BlockKind.AD, tag, text, height, 0)
            return
    if tag in _ASIDES or (said & _BESIDE and not walk.holds_good(node)):
        if tag == "form" and walk.holds_good(node):
            _visit(walk, node, depth + 1)
            return
        _leaf(walk, node, tag, BlockKind.ASIDE)
        return
    if tag in _LISTS:
        text, words = walk.read(node)
        if text or size is not None:
            count = len(_items(node)) or 1
            words = _apart(node, words, count)
            kind = BlockKind.MEDIA if size is not None else BlockKind.LIST
            kind = BlockKind.ASIDE if _linked(node, len(text)) else kind
            good = kind is BlockKind.LIST and words >= GOOD_WORDS and walk.holds_good(node)
            height = walk.heights.items(width_of(text, words), count)
            flags = BlockFlag.LEAD_IN if text[-1:] in _COLONS else BlockFlag.NONE
            _add(walk, node, kind, tag, text, height, words, flags, good=good)
        return
    if tag == "table":
        if depth < _MAX_DEPTH and walk.holds_good(node):
            _visit(walk, node, depth + 1)
            return
        text, words = walk.read(node)
        words = _apart(node, words, len(_cells(node)))
        if size is not None and words < _CAPTION_WORDS:  # a picture with its caption, set as a table
            _add(walk, node, BlockKind.MEDIA, tag, text, walk.heights.media(*size), words)
        else:
            _table(walk, node, tag, text, words)
        return
    if tag == "blockquote":
        kind = BlockKind.MEDIA if said & Says.MEDIA else BlockKind.QUOTE
        _leaf(walk, node, tag, kind)
        return
    if tag == "pre" and node.mem_id in walk.article.paragraphs:  # a page of typewriter text, not code
        text, words = walk.read(node)
        _text_piece(walk, node, tag, text, words)
        return
    if tag in ("pre", "listing", "xmp"):
        _leaf(walk, node, tag, BlockKind.CODE)
        return
    if tag == "hr":
        _add(walk, node, BlockKind.RULE, tag, "", walk.heights.paragraph(0), 0)
        return
    if tag == "figure" and size is None and (inner := node.css_first("table,pre")) is not None:
        # themes wrap tables and listings in figures
        if inner.tag == "pre":
            _leaf(walk, node, tag, BlockKind.CODE)
        else:
            _table(walk, node, tag, *walk.read(node))
        return
    if tag in MEDIA or (said & Says.MEDIA and size is not None and not walk.holds_good(node)):
        if tag in ("img", "iframe", "picture", "video", "audio", "embed", "object") and size is None:
            return  # a tracking pixel or an icon
        if tag == "svg" and "width" not in node.attributes:
            return
        text, words = ("", 0) if tag in _TEXT_INSTEAD else walk.read(node)
        height = walk.heights.media(*(size or (None, None)))
        if words:
            height = plus(height, walk.heights.paragraph(width_of(text, words)))
        _add(walk, node, BlockKind.MEDIA, tag, text, height, words)
        return
    if said & Says.CAPTION and not walk.holds_good(node):
        _leaf(walk, node, tag, BlockKind.CAPTION)
        return
    if depth >= _MAX_DEPTH:
        _leaf(walk, node, tag, BlockKind.OTHER)
        return
    _container(walk, node, tag, depth, said)


def _heading(walk: _Walk, node: LexborNode, tag: str) -> None:
    text, words = walk.read(node)
    size = walk.contents.media.get(node.mem_id)
    if text:
        height = walk.heights.heading(width_of(text, words), tag)
        if size is None:
            _add(walk, node, BlockKind.HEADING, tag, text, height, words)
        else:  # some themes have a section's picture in its heading
            height = plus(height, walk.heights.media(*size))
            _add(walk, node, BlockKind.HEADING, tag, text, height, words, BlockFlag.HAS_MEDIA)
    elif size is not None:
        _add(walk, node, _MEDIA_BLOCK, tag, "", walk.heights.media(*size), 0)


def _container(walk: _Walk, node: LexborNode, tag: str, depth: int, said: int) -> None:
    """A box of unknown meaning: what it holds, or, where it holds only text, a paragraph of its own."""
    before = len(walk.pieces)
    is_row = said & Says.COLUMNS != 0
    walk.rows += is_row
    _visit(walk, node, depth + 1)
    walk.rows -= is_row
    if walk.rows:
        walk.columns[node.mem_id] = (before, len(walk.pieces))
    made = walk.pieces[before:]
    if made and node.mem_id in walk.article.posts:
        if sum(p.block.words for p in made) < _WHOLE_POST:
            for piece in made[:-1]:
                piece.block = piece.block.but(more_flags=BlockFlag.KEEP_WITH_NEXT)
        made[-1].block = made[-1].block.but(more_flags=BlockFlag.ENDS_POST)
    if len(made) > 2 and _is_card(made):
        for piece in made:  # the article does not reach as far as to these words
            piece.good = piece.good and piece.node is not None and piece.node.mem_id in walk.article.paragraphs
    if said & Says.COLUMNS and len(made) > 1 and len(columns := _side_by_side(node)) > 1:
        _keep_out_of(walk, columns, node, before, all_of_them=not walk.holds_good(node))
    if said & Says.BOX and made and 2 * sum(piece.block.words for piece in made) < walk.article.words:
        _make_whole(node, walk.pieces, before, len(walk.pieces))
    elif len(made) == 1 and made[0].node is None and tag in _CONTAINERS:
        block = made[0].block
        if block.words <= _HEADS and block.text[-1:] not in _SENTENCE_ENDS and _is_called_heading(node):
            block = block.but(more_flags=BlockFlag.PSEUDO_HEADING)
        good = made[0].good or node.mem_id in walk.article.paragraphs
        walk.pieces[before] = _Piece(block, node, good)


def _is_row(node: LexborNode) -> bool:
    attributes = node.attributes
    return bool(says(attributes.get("class") or "", attributes.get("id") or "") & Says.COLUMNS)


def _side_by_side(node: LexborNode) -> list[LexborNode]:
    """The columns of a row; those that are as wide as the row are none."""
    columns: list[LexborNode] = []
    child = node.first_child
    for _ in range(_MOST_IN_A_ROW):
        if child is None:
            break
        classes = (child.attributes.get("class") or "").split() if child.is_element_node else []
        if any(not COLUMNS.isdisjoint(tokens(name)) for name in classes):
            if not any(_WHOLE_WIDTH.search(name) for name in classes):
                columns.append(child)
        child = child.next
    return columns


def _keep_out_of(walk: _Walk, columns: list[LexborNode], row: LexborNode, first: int, *, all_of_them: bool) -> None:
    """No slot between what stands in one of several columns: it would be as narrow, and leave a hole in the others.
    Where the article stands in one of them, and far less in any other, it is out of the others alone."""
    if all_of_them:
        _make_whole(row, walk.pieces, first, len(walk.pieces))
        return
    lengths = [len(text_in(column, _LONG_COLUMN)) for column in columns]
    most = sorted(lengths)[-2]
    for column, length in zip(columns, lengths, strict=True):
        if length < 2 * most:
            start, end = walk.columns.get(column.mem_id, (first, first))
            _make_whole(row, walk.pieces, start, end, leads=start == first)


def _make_whole(box: LexborNode, pieces: list[_Piece], start: int, end: int, *, leads: bool = True) -> None:
    """No slot between some pieces, which stand in a box; before the first there is one, and behind the last, where the
    box begins and ends. `leads`: whether the first is what the box begins with."""
    for i in range(start, end):
        piece = pieces[i]
        piece.node, piece.gap = box, None if i == start and leads else piece.gap or _NOT_WITHIN


def _is_card(made: list[_Piece]) -> bool:
    """True for a picture, a linked title and few words: a teaser of another page."""
    if len(made) > _CARD_PIECES or sum(p.block.words for p in made) > _CARD_WORDS:
        return False
    kinds = [piece.block.kind for piece in made]
    return any(kind is BlockKind.MEDIA for kind in kinds) and any(kind is BlockKind.ASIDE for kind in kinds)


def _is_foreign(node: LexborNode, characters: int) -> bool:
    """True for a line that is mostly links, or that is called a byline, a date and the like."""
    attributes = node.attributes
    named = attributes.get("class")
    return (bool(named) and bool(says(named or "", "") & Says.NOT_ARTICLE)) or _linked(node, characters)


def _apart(node: LexborNode, words: int, parts: int) -> int:
    """Words of a list or table of so many parts, with those that only markup parts."""
    return min(count_words(node.text(separator=" ")), words + parts - 1) if parts > 1 else words


def _linked(node: LexborNode, characters: int) -> bool:
    return not is_plain(node) and linked_characters(node) * 2 > characters


def _leaf(walk: _Walk, node: LexborNode, tag: str, kind: BlockKind) -> None:
    text, words = walk.read(node)
    size = walk.contents.media.get(node.mem_id)
    if not text and size is None:
        if kind is _ASIDE and _pictures(node):  # a button that is a picture in CSS
            _add(walk, node, _MEDIA_BLOCK, tag, "", walk.heights.media(None, None), 0)
        return
    if kind is BlockKind.CODE:
        height = walk.heights.code(node.text().strip().count("\n") + 1)
    else:
        height = walk.heights.items(width_of(text, words), max(1, words // _QUOTE_PARAGRAPH))
    if size is not None:
        height = plus(height, walk.heights.media(*size))
    _add(walk, node, kind, tag, text, height, words)


def _table(walk: _Walk, node: LexborNode, tag: str, text: str, words: int) -> None:
    """A table, or the one that many highlighters of code set code in, its lines' numbers beside it."""
    code = [listing.text().strip("\n") for listing in _listings(node)]
    if code and 10 * sum(len(" ".join(each.split())) for each in code) >= 9 * len(text):
        height = walk.heights.code(max(each.count("\n") + 1 for each in code))
        _add(walk, node, BlockKind.CODE, tag, text, height, words)
    else:
        _add(walk, node, BlockKind.TABLE, tag, text, walk.heights.table(len(_rows(node)), width_of(text, words)), words)


# --- from pieces to the article ---------------------------------------------------------------


def _trimmed(pieces: list[_Piece]) -> list[_Piece]:
    """From the first paragraph of the article's own to the last, with what belongs to it."""
    good = [i for i, p in enumerate(pieces) if p.good]
    if not good:
        return []
    first, last = good[0], good[-1]
    while first > 0 and pieces[first - 1].block.kind is BlockKind.HEADING and pieces[first - 1].block.tag != "h1":
        first -= 1
    end = last + 1
    text = (BlockKind.LIST, BlockKind.TABLE, BlockKind.QUOTE, BlockKind.CODE, BlockKind.MEDIA, BlockKind.CAPTION)
    while end < len(pieces) and (
        pieces[end].block.kind in text
        or (pieces[end].block.kind is BlockKind.PARAGRAPH and 3 <= pieces[end].block.words < GOOD_WORDS)
    ):
        end += 1
    return pieces[first:end]


def _outermost(node: LexborNode) -> LexborNode | None:
    """A heading, or the header that begins with it: a slot stands before a section's header, not in it. None where
    the header begins with something else."""
    parent = node.parent
    while parent is not None and parent.tag in _HEADERS:
        if not _begins_with(parent, node):
            return None
        node, parent = parent, parent.parent
    return node


def _begins_with(parent: LexborNode, child: LexborNode) -> bool:
    at = child.prev
    while at is not None:
        if at.is_element_node or (at.is_text_node and not at.is_empty_text_node):
            return False
        at = at.prev
    return True


def _gap(tree: Tree, pieces: list[_Piece], i: int) -> Gap:
    anchor: Anchor | None = None
    if i < len(pieces):
        piece = pieces[i]
        if piece.gap is not None:
            return piece.gap
        node = piece.node
        if node is not None and piece.block.kind is BlockKind.HEADING:
            node = _outermost(node)
            if node is None:
                return _NO_GAP
        if node is not None:
            anchor = tree.before(node, i)
        if anchor is None and piece.line_break is not None:
            anchor = tree.after_break(piece.line_break, i)
        if anchor is None and piece.edge is not None:
            anchor = tree.before(piece.edge, i)
    if anchor is None and i > 0:
        node = pieces[i - 1].node
        if node is not None:
            anchor = tree.after(node, i)
    return _NO_GAP if anchor is None else Gap(anchor)
