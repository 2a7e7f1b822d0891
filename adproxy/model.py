"""The words that the rest of the package speaks: frozen values, no behaviour, no I/O.

Those that every page makes have constructors of their own, which are compiled: made in a tenth of the time that a
frozen dataclass or a named tuple takes, and read faster than a named tuple. Nobody changes them once they are made. No
field may be `Final`, though: mypyc 2.4 lends such a field out for a whole expression, and frees what it belongs to
where a comprehension in the same expression begins.

``page.read`` makes a `Page`; ``plan`` turns it and a rule set into a `Plan`; ``markup`` turns the plan
into `Insertion`s; ``splice`` joins them into the original bytes. A `Skip` says why a page was left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal


@dataclass(init=False, unsafe_hash=True, slots=True)
class PerDevice:
    """A figure for each of the two widths that density is estimated at, CSS px unless said otherwise."""

    phone: float
    """At `PHONE_WIDTH`."""
    desktop: float
    """At `DESKTOP_WIDTH`."""

    def __init__(self, phone: float, desktop: float) -> None:
        self.phone = phone
        self.desktop = desktop

    def on(self, device: Device) -> float:
        return self.phone if device == "phone" else self.desktop


NOTHING = PerDevice(0.0, 0.0)

Device = Literal["phone", "desktop"]
DEVICES: tuple[Device, ...] = ("phone", "desktop")
PHONE_WIDTH = 390
"""CSS px: the commonest width of phones; where "phone" figures are estimated."""
DESKTOP_WIDTH = 1366
"""CSS px: the commonest width of laptops; where "desktop" figures are estimated."""
DESKTOP_FROM = 768
"""CSS px: from this viewport width on a slot that fits on one device alone counts as being on a desktop."""


class Edge(Enum):
    """On which side of a tag an anchor lies."""

    BEFORE_START = "before the start tag"
    AFTER_END = "after the end tag"


@dataclass(init=False, slots=True)
class Anchor:
    """A byte offset of the original page where a `div` may stand. Only proven ones are ever made."""

    offset: int
    edge: Edge
    gap: int
    """Index of the gap between blocks (gap *i* lies before block *i*), or -1 outside of the article."""
    settled: bool
    """True where no formatting element is pending, so that text or a link may be a slot's direct content."""

    def __init__(self, offset: int, edge: Edge, gap: int = -1, settled: bool = False) -> None:
        self.offset = offset
        self.edge = edge
        self.gap = gap
        self.settled = settled

    def in_gap(self, gap: int) -> Anchor:
        """The same, said to lie in a gap."""
        return Anchor(self.offset, self.edge, gap, self.settled)


class BlockKind(Enum):
    """What a block of the article is. The value is the word that `explain` prints."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    LIST = "list"
    TABLE = "table"
    QUOTE = "quote"
    CODE = "code"
    MEDIA = "media"
    """Picture, video, audio, frame, embed, gallery: anything looked at."""
    CAPTION = "caption"
    AD = "ad"
    """Advertising that the page already carries, or its label."""
    ASIDE = "aside"
    """Not the article's own text: related links, newsletter and author boxes, comments, share bars, forms."""
    RULE = "rule"
    """A thematic break (hr)."""
    OTHER = "other"
    """Content of no known kind."""


class BlockFlag:
    """Facts about a block that decide what may stand beside it: bits of `Block.flags`, an int."""

    NONE: Final = 0
    LEAD_IN: Final = 1
    """Ends in a colon: what follows (list, table, quote, code) belongs to it."""
    PSEUDO_HEADING: Final = 2
    """A short paragraph that is all bold: a heading in disguise."""
    OPEN_SENTENCE: Final = 4
    """Ends without the end of a sentence: what follows may go on with it."""
    KEEP_WITH_NEXT: Final = 8
    """Belongs together with the next block: a quotation and its source."""
    HAS_MEDIA: Final = 16
    """A paragraph with a picture or frame in it."""
    ENDS_POST: Final = 32
    """The last block of one of several posts: who writes next, and when, belongs to the next one."""


@dataclass(init=False, slots=True)
class Block:
    """One piece of the article in reading order."""

    kind: BlockKind
    words: int
    """Words; two characters of Chinese, Japanese and the like count as one, and four letters of Thai and the like."""
    chars: int
    """Characters of its text, white space folded."""
    heights: PerDevice
    """Estimated heights in CSS px."""
    flags: int
    """Of `BlockFlag`."""
    tag: str
    """Name of its element; empty for a run of text that stands directly in a container."""
    text: str
    """The first 80 characters, for people to recognise it."""
    avoided: tuple[int, ...]
    """Which of the rules' own `keep_clear.around` selectors match it or something in it, by index."""

    def __init__(
        self,
        kind: BlockKind,
        words: int,
        chars: int,
        heights: PerDevice,
        flags: int = BlockFlag.NONE,
        tag: str = "",
        text: str = "",
        avoided: tuple[int, ...] = (),
    ) -> None:
        self.kind = kind
        self.words = words
        self.chars = chars
        self.heights = heights
        self.flags = flags
        self.tag = tag
        self.text = text
        self.avoided = avoided

    def but(
        self, *, kind: BlockKind | None = None, more_flags: int = BlockFlag.NONE, avoided: tuple[int, ...] | None = None
    ) -> Block:
        """The same, where it is said otherwise."""
        return Block(
            self.kind if kind is None else kind,
            self.words,
            self.chars,
            self.heights,
            self.flags | more_flags,
            self.tag,
            self.text,
            self.avoided if avoided is None else avoided,
        )


class Reason(str, Enum):
    """Why a slot, or a candidate position, lost. A closed set: it is a metric's label."""

    NO_ARTICLE = "no_article"
    ARTICLE_TOO_SHORT = "article_too_short"
    NO_SUCH_PLACE = "no_such_place"
    NO_LEGAL_ANCHOR = "no_legal_anchor"
    PENDING_FORMATTING = "pending_formatting"
    AFTER_HEADING = "after_heading"
    AFTER_LEAD_IN = "after_lead_in"
    SPLITS_GROUP = "splits_group"
    NEAR_MEDIA = "near_media"
    NEAR_EXISTING_AD = "near_existing_ad"
    NEAR_ASIDE = "near_aside"
    NEAR_AVOIDED = "near_avoided"
    MID_SENTENCE = "mid_sentence"
    TOO_NEAR_START = "too_near_start"
    TOO_NEAR_END = "too_near_end"
    TOO_NEAR_SLOT = "too_near_slot"
    DENSITY = "density"
    MAX_OF_SLOT = "max_of_slot"
    MAX_IN_ARTICLE = "max_in_article"
    NOT_AT_POSITION = "not_at_position"
    NO_SIZES = "no_sizes"
    ID_TAKEN = "id_taken"
    CONDITION = "condition"
    """The page doesn't meet what the rules' `when` asks for."""
    NOT_NEEDED = "not_needed"
    """The slot that it stands in for has room, or would have no place anyway."""


@dataclass(init=False, slots=True)
class Gap:
    """The place between two blocks of the article: an anchor, or the reason why there is none."""

    anchor: Anchor | None
    problem: Reason | None
    """Where `anchor` is None."""

    def __init__(self, anchor: Anchor | None, problem: Reason | None = None) -> None:
        self.anchor = anchor
        self.problem = problem


@dataclass(init=False, slots=True)
class Spot:
    """A single place outside the flow of the article's blocks, with what stands around it."""

    anchor: Anchor | None
    problem: Reason | None
    """Where `anchor` is None."""
    ad_before: int | None
    """Words between it and the nearest advertising of the page before it; None: none within reach."""
    ad_after: int | None
    media_before: bool
    """Media stands directly before it, with no text between."""
    media_after: bool
    heading_before: bool
    """A heading stands directly before it."""
    lead_in_before: bool
    """A text that ends in a colon stands directly before it."""

    def __init__(
        self,
        anchor: Anchor | None,
        problem: Reason | None = None,
        ad_before: int | None = None,
        ad_after: int | None = None,
        media_before: bool = False,
        media_after: bool = False,
        heading_before: bool = False,
        lead_in_before: bool = False,
    ) -> None:
        self.anchor = anchor
        self.problem = problem
        self.ad_before = ad_before
        self.ad_after = ad_after
        self.media_before = media_before
        self.media_after = media_after
        self.heading_before = heading_before
        self.lead_in_before = lead_in_before


NO_SPOT = Spot(anchor=None, problem=Reason.NO_SUCH_PLACE)


_NOTHING_SAID: Final[Mapping[str, str]] = MappingProxyType({})
_NO_PLACES: Final[Mapping[str, tuple[Spot, ...]]] = MappingProxyType({})


@dataclass(init=False, slots=True)
class Facts:
    """What the page says of itself, for ad-unit templates, key-values and conditions."""

    lang: str
    """The primary language, lower case, as the page says it (``en``, ``zh-hant``); empty where unsaid."""
    rtl: bool
    meta: Mapping[str, str]
    """Content of the wanted `<meta>` names and properties."""
    json_ld: Mapping[str, str]
    """The wanted top-level fields of the page's JSON-LD article."""
    csp: tuple[str, ...]
    """Policies that the page states in `<meta http-equiv>`, in order."""
    nonce: str
    """The nonce on the page's own first script or style, empty where there is none."""
    ids: frozenset[str]
    """Those of the wanted ids that the page already has."""
    matched: frozenset[str]
    """Those of the wanted CSS selectors that something on the page matches."""

    def __init__(
        self,
        lang: str = "",
        rtl: bool = False,
        meta: Mapping[str, str] = _NOTHING_SAID,
        json_ld: Mapping[str, str] = _NOTHING_SAID,
        csp: tuple[str, ...] = (),
        nonce: str = "",
        ids: frozenset[str] = frozenset(),
        matched: frozenset[str] = frozenset(),
    ) -> None:
        self.lang = lang
        self.rtl = rtl
        self.meta = meta
        self.json_ld = json_ld
        self.csp = csp
        self.nonce = nonce
        self.ids = ids
        self.matched = matched


_NO_FACTS: Final = Facts()


@dataclass(init=False, slots=True)
class Page:
    """What was read of one page: numbers, not nodes."""

    blocks: tuple[Block, ...]
    gaps: tuple[Gap, ...]
    """One more than blocks, or empty where there is no article."""
    article_problem: Reason | None
    """Why there is no article to place in, else None."""
    above_headline: Spot
    below_headline: Spot
    further_below: tuple[Spot | None, ...]
    """Where that spot isn't clear: the n-th of these lies behind n elements that follow the headline, such as a
    standfirst or a byline, and before the article. None where no slot may stand."""
    end_of_article: Spot
    sidebar: tuple[Spot | None, ...]
    """Before each widget in order, then after the last; None where no slot's place is near. Empty: no sidebar."""
    named: Mapping[str, tuple[Spot, ...]]
    """For each wanted selector placement (key: `ruleset.SelectorPlace.key`), a spot per match in document order; and
    for each slot that the page's own markers place, a spot per marker."""
    facts: Facts
    already_rewritten: bool
    unknown_marks: tuple[str, ...]
    """Slots that the page's own markers name, but that the rules don't have or don't let markers place."""
    marked_off: bool
    """An editor's marker says that the page is to have no ads."""
    taken_over_by: str
    """The framework whose script takes the page over, and would lose text for what it did not make; empty: none."""

    def __init__(
        self,
        blocks: tuple[Block, ...] = (),
        gaps: tuple[Gap, ...] = (),
        article_problem: Reason | None = None,
        above_headline: Spot = NO_SPOT,
        below_headline: Spot = NO_SPOT,
        further_below: tuple[Spot | None, ...] = (),
        end_of_article: Spot = NO_SPOT,
        sidebar: tuple[Spot | None, ...] = (),
        named: Mapping[str, tuple[Spot, ...]] = _NO_PLACES,
        facts: Facts = _NO_FACTS,
        already_rewritten: bool = False,
        unknown_marks: tuple[str, ...] = (),
        marked_off: bool = False,
        taken_over_by: str = "",
    ) -> None:
        self.blocks = blocks
        self.gaps = gaps
        self.article_problem = article_problem
        self.above_headline = above_headline
        self.below_headline = below_headline
        self.further_below = further_below
        self.end_of_article = end_of_article
        self.sidebar = sidebar
        self.named = named
        self.facts = facts
        self.already_rewritten = already_rewritten
        self.unknown_marks = unknown_marks
        self.marked_off = marked_off
        self.taken_over_by = taken_over_by

    @property
    def words(self) -> int:
        """Words of the article's own text."""
        return sum(b.words for b in self.blocks if b.kind not in (BlockKind.AD, BlockKind.ASIDE))


@dataclass(init=False, slots=True)
class Placement:
    """One slot put at one position of one page."""

    slot: str
    anchor: Anchor
    n: int
    """Counts a slot's placements on the page from 1, in document order."""
    devices: tuple[Device, ...]
    """Where it is shown; a slot that fits only one of the widths is hidden by CSS on the other."""

    def __init__(self, slot: str, anchor: Anchor, n: int, devices: tuple[Device, ...] = DEVICES) -> None:
        self.slot = slot
        self.anchor = anchor
        self.n = n
        self.devices = devices


@dataclass(init=False, slots=True)
class Refusal:
    """A slot, or one of its candidates, that lost: what it needed and what it found."""

    slot: str
    reason: Reason
    required: str
    actual: str
    anchor: Anchor | None
    gap: int
    device: Device | None

    def __init__(
        self,
        slot: str,
        reason: Reason,
        required: str,
        actual: str,
        anchor: Anchor | None = None,
        gap: int = -1,
        device: Device | None = None,
    ) -> None:
        self.slot = slot
        self.reason = reason
        self.required = required
        self.actual = actual
        self.anchor = anchor
        self.gap = gap
        self.device = device


@dataclass(init=False, slots=True)
class Plan:
    placements: tuple[Placement, ...]
    """In document order."""
    refusals: tuple[Refusal, ...]
    density: PerDevice
    """Share of advertising (the slots and the page's own) in the estimated height of the main content, 0 to 1."""
    content: PerDevice
    """Estimated height of the main content without advertising, CSS px."""

    def __init__(
        self,
        placements: tuple[Placement, ...] = (),
        refusals: tuple[Refusal, ...] = (),
        density: PerDevice = NOTHING,
        content: PerDevice = NOTHING,
    ) -> None:
        self.placements = placements
        self.refusals = refusals
        self.density = density
        self.content = content


@dataclass(init=False, slots=True)
class Insertion:
    """Bytes to put at an offset of the original."""

    offset: int
    markup: bytes

    def __init__(self, offset: int, markup: bytes) -> None:
        self.offset = offset
        self.markup = markup


class SkipReason(str, Enum):
    """Why a page was left alone, by choice or because something went wrong. Closed: a metric's label."""

    # decided on the request and the response head
    METHOD = "method"
    STATUS = "status"
    NOT_HTML = "not_html"
    NO_TRANSFORM = "no_transform"
    ATTACHMENT = "attachment"
    FRAGMENT = "fragment"
    PREFETCH = "prefetch"
    CONTENT_CODING = "content_coding"
    RANGE = "range"
    NO_RULES = "no_rules"
    PATH = "path"
    AD_FREE = "ad_free"
    """The request says that its reader sees no ads."""
    SWITCHED_OFF = "switched_off"
    """adproxy is off, for everybody or for a request that knows the secret."""
    ROLLOUT = "rollout"
    """The page is not among the percentage of pages that take part."""
    # decided on the body
    TOO_LARGE = "too_large"
    CHARSET = "charset"
    NOT_MARKUP = "not_markup"
    XHTML = "xhtml"
    AMP = "amp"
    CSP = "csp"
    HOSTILE = "hostile"
    ALREADY_REWRITTEN = "already_rewritten"
    MARKED_OFF = "marked_off"
    HYDRATED = "hydrated"
    """A script takes the page over, and would lose text or slots."""
    BAD_CODING = "bad_coding"
    DRY_RUN = "dry_run"
    """The page was planned and counted, and sent as it came."""
    # something went wrong this time (fail open)
    TIMEOUT = "timeout"
    OVERLOAD = "overload"
    INCOMPLETE = "incomplete"
    """The application broke its answer off."""
    QUARANTINED = "quarantined"
    """A worker died on the page, or on this path twice, not long ago."""
    ERROR = "error"


FAIL_OPEN: frozenset[SkipReason] = frozenset(
    {SkipReason.TIMEOUT, SkipReason.OVERLOAD, SkipReason.INCOMPLETE, SkipReason.QUARANTINED, SkipReason.ERROR}
)
"""Reasons that the same bytes and rules need not give again: no validator goes with such an answer."""


@dataclass(frozen=True, slots=True)
class Skip:
    reason: SkipReason
    detail: str = ""
    """For people: what was found. Never a label."""

    @property
    def fail_open(self) -> bool:
        return self.reason in FAIL_OPEN


# --- what browsers report ---------------------------------------------------------------------------


class EventKind(str, Enum):
    """What a browser can report of a page that it shows. Closed: the names of the counters follow it."""

    PAGE_VIEW = "page_view"
    REQUEST = "request"
    """It asked for an ad."""
    UNFILLED = "unfilled"
    """It asked and got none."""
    WITHHELD = "withheld"
    """It did not ask, for a `WithheldReason`."""
    RENDERED = "rendered"
    """A creative began to render: an impression."""
    VIEWABLE = "viewable"
    CLICK = "click"
    DENSITY = "density"
    """The measured share of advertising in the main content."""


class WithheldReason(str, Enum):
    """Why a slot of a page was left without an ad for this reader. Closed: a metric's label."""

    NO_CONSENT = "no_consent"
    GPC = "gpc"
    """Global Privacy Control."""
    AD_FREE = "ad_free"
    PAUSED = "paused"
