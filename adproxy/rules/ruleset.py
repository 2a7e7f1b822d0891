"""The compiled rules: what the planner and the markup read. Frozen, made once at load by `rules.compile`.

Nothing in here knows YAML. A `RuleBook` is one immutable snapshot of all loaded files; it is swapped whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Literal, NamedTuple, Union

from adproxy.model import Device, PerDevice
from adproxy.rules.globs import compile_glob

Unit = Literal["words", "characters", "blocks", "px"]


def plain(amount: float) -> str:
    """A number as people write it: as ``:g`` does, which takes longer for whole ones."""
    return str(int(amount)) if -100_000 < amount < 100_000 and amount == int(amount) else f"{amount:g}"


@dataclass(frozen=True, slots=True)
class Distance:
    """How much content must lie between two things."""

    amount: float
    unit: Unit

    def __str__(self) -> str:
        return f"{plain(self.amount)} {self.unit}"


NO_DISTANCE = Distance(0, "words")
SHIFT = Distance(4, "blocks")
"""How far a slot stands from the place that the rules name, where that is forbidden and they say nothing of it."""


@dataclass(frozen=True, slots=True)
class Sides:
    """A distance for either side of a slot."""

    above: Distance = NO_DISTANCE
    """From what stands above the slot."""
    below: Distance = NO_DISTANCE
    """From what stands below it."""
    unless_heading: bool = False
    """Waived for a slot right before a heading: it stands between two parts of the article, and disturbs neither."""


Clearance = Union[Distance, Sides]
"""How far a slot stays from something; a distance alone holds on both sides."""


def sides(clearance: Clearance) -> Sides:
    """A clearance with its sides told apart."""
    return clearance if isinstance(clearance, Sides) else Sides(clearance, clearance)


@dataclass(frozen=True, slots=True)
class DistancePerDevice:
    phone: Distance
    desktop: Distance


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """Of a creative, CSS px."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


# --- where a slot goes -------------------------------------------------------------------


class FixedPlace(Enum):
    ABOVE_HEADLINE = "above-headline"
    BELOW_HEADLINE = "below-headline"
    END_OF_ARTICLE = "end-of-article"


@dataclass(frozen=True, slots=True)
class MidArticle:
    """Between the article's blocks. At most one of the three narrows is set."""

    after_paragraph: int | None = None
    """1: after the first paragraph; -1: after the last."""
    every: Distance | None = None
    at: float | None = None
    """Share of the article's words that should lie before it, 0 to 1."""
    shift: Distance = SHIFT
    """With `after_paragraph` or `at`: how far it may stand from there, to either side, where that gap is forbidden."""


@dataclass(frozen=True, slots=True)
class SidebarPlace:
    widget: Literal["first", "last"] | int
    """"first": before the first widget; "last": after the last; n ≥ 1: after the n-th."""


@dataclass(frozen=True, slots=True)
class SelectorPlace:
    edge: Literal["before", "after", "prepend", "append", "marked"]
    """"marked": where the page's own markers name the slot; no file states it, `for_page` makes it."""
    selector: str
    """Of CSS; the slot's name where it is marked."""

    @property
    def key(self) -> str:
        """The key of `Page.named`."""
        return f"{self.edge} {self.selector}"


Place = Union[FixedPlace, MidArticle, SidebarPlace, SelectorPlace]

# --- what fills a slot -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ByPage:
    """The site's own ad stack fills a reserved, empty div. Templates may hold {n}, {slot}, {ad_unit} …"""

    id: str = ""
    classes: str = ""
    data: tuple[tuple[str, str], ...] = ()
    """Names without the leading ``data-``, values as templates."""

    def numbered_id(self, slot: str, n: int) -> str:
        """The id of a slot's n-th placement."""
        return self.id.replace("{slot}", slot).replace("{n}", str(n))


@dataclass(frozen=True, slots=True)
class HtmlCreative:
    """Markup that the operator trusts, already checked at load; ASCII, entities for the rest."""

    markup: bytes
    inert: bool
    """True where it has no text, link or picture of its own (script, style, link, template, empty div)."""


@dataclass(frozen=True, slots=True)
class ImageCreative:
    src: str
    link: str
    alt: str
    size: Size


@dataclass(frozen=True, slots=True)
class GptCreative:
    """Google Publisher Tag: our script defines and displays the slot."""


@dataclass(frozen=True, slots=True)
class IframeCreative:
    """Somebody's page in a sandboxed frame, which our script puts there."""

    src: str
    """Template; the names in it stand behind the host, and are percent-encoded."""
    title: str
    """What those hear who can't see it; empty: the label's text."""
    size: Size


@dataclass(frozen=True, slots=True)
class AdsenseCreative:
    """Google AdSense: our script puts the ``ins`` there and asks for the ad."""

    client: str
    """``ca-pub-`` and sixteen digits."""
    unit: str
    """Digits: what AdSense calls ``data-ad-slot``."""


Creative = Union[ByPage, HtmlCreative, ImageCreative, IframeCreative, GptCreative, AdsenseCreative]

# --- limits ------------------------------------------------------------------------------


class Counts(NamedTuple):
    """How many slots on each device."""

    phone: int
    desktop: int


@dataclass(frozen=True, slots=True)
class Limits:
    ad_share: PerDevice = PerDevice(0.30, 0.25)  # noqa: RUF009 - nobody changes one
    """Upper bound of the plan's density, 0 to 1, the page's own ads included."""
    gap: DistancePerDevice = DistancePerDevice(Distance(200, "words"), Distance(250, "words"))
    """Between any two ads of ours in the article."""
    in_article: int = 8
    """At most so many slots among the article's blocks."""
    gap_grows: Distance = NO_DISTANCE
    """What `gap` grows by with each slot before: n times that much more after the n-th. In the unit of `gap`."""
    in_article_on: Counts | None = None
    """And shown there on each device, where that differs; the larger is `in_article`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How an article's text is set on one device, CSS px."""

    column: float
    """Width of its lines."""
    font: float
    """Size of its type."""
    line: float
    """Height of a line."""
    margin: float
    """Between two paragraphs."""
    character: float = 0.0
    """Width of a character of European prose, on average; 0: as faces commonly are at that size."""


@dataclass(frozen=True, slots=True)
class LayoutPerDevice:
    phone: Layout
    desktop: Layout

    def on(self, device: Device) -> Layout:
        return self.phone if device == "phone" else self.desktop


LAYOUT = LayoutPerDevice(Layout(358, 16, 25, 16), Layout(700, 16, 26, 16))
"""What many sites do: on phones 390 px less two margins of 16. Type is larger on many others, whose articles are higher
then than estimated: where nothing is known, an article is rather taken for too low, and gets an ad less, than for too
high."""


@dataclass(frozen=True, slots=True)
class KeepClear:
    """How far a mid-article slot stays from these. Right before a heading is always fine."""

    after_heading: Distance = Distance(1, "blocks")
    around_media: Clearance = Distance(40, "words")
    around_existing_ads: Clearance = Distance(100, "words")
    around_asides: Clearance = NO_DISTANCE
    around: tuple[tuple[str, Clearance], ...] = ()
    """Operator's own selectors, each with its distance."""
    before_heading: Distance = NO_DISTANCE
    """From a heading below the slot, unless it is the very next block."""
    around_lists: Clearance = NO_DISTANCE
    around_tables: Clearance = NO_DISTANCE
    around_quotes: Clearance = NO_DISTANCE
    around_code: Clearance = NO_DISTANCE
    around_captions: Clearance = NO_DISTANCE
    """Of pictures, where they should stay clearer than the pictures themselves."""


@dataclass(frozen=True, slots=True)
class SizeMap:
    """Sizes by viewport, ascending by minimum width; the last entry whose width fits holds."""

    steps: tuple[tuple[int, tuple[Size, ...]], ...]

    def at(self, viewport: int) -> tuple[Size, ...]:
        """Sizes for a viewport of that many CSS px; empty: no ad at that width."""
        found: tuple[Size, ...] = ()
        for width, sizes in self.steps:
            if width <= viewport:
                found = sizes
        return found


# --- on which pages --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """What a page has to say of itself, in one of its fields. Texts are compared in lower case."""

    one_of: tuple[str, ...] = ()
    """Empty: anything."""
    none_of: tuple[str, ...] = ()
    """A page that says nothing says none of them."""
    since: str = ""
    """A date as ``2024-01-31``: on that day or later; empty: at any time."""
    before: str = ""
    """Earlier than that day."""


@dataclass(frozen=True, slots=True)
class When:
    """Conditions that a page must meet, all of them. They ask the page's bytes alone, never a clock or a visitor."""

    min_words: int = 0
    max_words: int | None = None
    language: Said | None = None
    """``en`` means ``en-gb`` too."""
    json_ld: tuple[tuple[str, Said], ...] = ()
    meta: tuple[tuple[str, Said], ...] = ()
    has: tuple[str, ...] = ()
    """CSS selectors, each of which something on the page must match."""
    has_not: tuple[str, ...] = ()
    """CSS selectors that nothing on the page may match."""


ALWAYS = When()


# --- slots ----------------------------------------------------------------------------------

LABEL_HEIGHT = 24
"""CSS px of the label line over a creative; part of the reserved height (Guardian's figure)."""


@dataclass(frozen=True, slots=True)
class Slot:
    name: str
    place: Place
    sizes: SizeMap
    creative: Creative
    priority: int = 0
    """Higher is placed first."""
    max: int = 1
    article_min: Distance = NO_DISTANCE
    first_after: Distance = NO_DISTANCE
    before_end: Distance = NO_DISTANCE
    ad_unit: str = ""
    """Template of the ad server's name, network included; empty: none."""
    reserve: Size | None = None
    """The likeliest size; None: reserve for the tallest."""
    label: str | None = None
    """The operator's own label text; None: "Advertisement" in the page's language; "": no label."""
    when: When = ALWAYS
    """Only on pages that meet this."""
    fallback: bytes = b""
    """Checked markup that is shown where no ad came; empty: none."""
    instead_of: str = ""
    """The slot that it stands in for: it is placed only where that one has a place, and the limits leave no room for
    it. Empty: it stands for itself."""
    shift: Distance = SHIFT
    """Below the headline: behind how many elements that follow it (a standfirst, a byline) it may stand, where the spot
    right there is forbidden; blocks. That of a slot in the article is its place's."""
    max_on: Counts | None = None
    """How many are shown on each device, where that differs; the larger is `max`."""

    def height_at(self, viewport: int) -> int:
        """Reserved height in CSS px at a viewport, label included; 0 where the slot has no sizes."""
        sizes = self.sizes.at(viewport)
        if not sizes:
            return 0
        tallest = max(s.height for s in sizes)
        wanted = self.reserve.height if self.reserve is not None and self.reserve in sizes else tallest
        return wanted + (0 if self.label == "" else LABEL_HEIGHT)


def needs_settled(slot: Slot) -> bool:
    """True for a slot with text, links or pictures of its own: open formatting would leak into it."""
    creative = slot.creative
    return isinstance(creative, ImageCreative) or (isinstance(creative, HtmlCreative) and not creative.inert)


@dataclass(frozen=True, slots=True)
class FromJsonLd:
    field: str


@dataclass(frozen=True, slots=True)
class FromMeta:
    name: str


KeyValue = Union[FromJsonLd, FromMeta, str]
"""Where a key-value comes from; a text is a template."""


@dataclass(frozen=True, slots=True)
class Visitors:
    """What depends on who reads. Browsers decide it, so that a page is the same for everybody; all but the header."""

    consent: Literal["none", "required"] = "none"
    """Whether our script asks for ads only after a consent platform said yes."""
    if_refused: Literal["house", "limited", "none"] = "house"
    """What a slot of ours shows to those who refused: its fallback, an ad that uses no data of theirs, nothing."""
    vendors: tuple[int, ...] = ()
    """Numbers in the TCF's vendor list that need consent too."""
    ad_free_cookie: str = ""
    """Who has it sees no ads: ``NAME`` with any value, or ``NAME=VALUE``; empty: nobody."""
    ad_free_header: str = ""
    """Lower case. A request that carries it gets the page without slots; empty: none does."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for one page: a rule set's sections after `pages` had its say. Immutable, made at load."""

    site: str
    article: str | None
    """A CSS selector, or None for auto."""
    sidebar: str | None
    limits: Limits
    keep_clear: KeepClear
    slots: tuple[Slot, ...]
    """In the order of the file."""
    layout: LayoutPerDevice = LAYOUT
    """What heights are estimated from."""
    filled_by: Literal["page", "adproxy"] = "page"
    network: str = ""
    key_values: tuple[tuple[str, KeyValue], ...] = ()
    when: When = ALWAYS
    """No ads on pages that don't meet this."""
    markers: tuple[str, ...] | None = ()
    """Slots that markers in a page may place there; None: every slot; empty: markers mean nothing."""
    visitors: Visitors = Visitors()
    revision: str = ""
    """12 hex digits of a hash over everything above, markup included: the same rules, the same revision."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the rules say of one URL."""

    policy: Policy | None
    """None: no ads there."""
    why: str
    """For people: which file, which line of `pages` decided."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PublicFile:
    """A file that is served as it is, at the root of the sites."""

    name: str
    """There: ``ads.txt``."""
    site: str
    """The one that it is for; empty: all that have none of their own."""
    content: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One value that holds for a page, as people read it."""

    key: str
    """Dotted: ``slots.rail.sizes.desktop``."""
    value: str
    origin: str
    """file:line, or "default"."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One YAML document, compiled: which hosts and pages, and a `Policy` for each kind of page."""

    site: str
    hosts: tuple[str, ...]
    """Lower case, without port; ``*.example.org`` for subdomains; empty: any."""
    pages: tuple[PageRule, ...]
    """Top down, the first that matches holds; none matches: no ads."""
    file: str
    shown: tuple[Shown, ...] = ()
    """The merged values outside of `pages`."""
    paused: tuple[str, ...] | None = ()
    """Slots that stay empty for now, told to browsers, pages in caches included; None: all. In no policy's revision, so
    that a pause, and its end, leave every page valid."""
    named_screens: frozenset[str] = frozenset()
    """Of where editors work (`rules.screens`), what `pages` name themselves."""


@dataclass(frozen=True, slots=True)
class PageRule:
    glob: str
    policy: Policy | None
    where: str
    """file:line, for people."""
    shown: tuple[Shown, ...] = ()
    """The merged values behind the policy."""
    matches: Callable[[str], object] = field(init=False, repr=False, compare=False)
    """Called with a percent-decoded path: something true where the glob fits. Made from `glob`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "matches", compile_glob(self.glob).match)


@dataclass(frozen=True, slots=True)
class RuleBook:
    """One immutable snapshot of all loaded rules."""

    rule_sets: tuple[RuleSet, ...] = ()
    files: tuple[SourceFile, ...] = ()
    revision: str = "none"
    public_files: tuple[PublicFile, ...] = ()
    """What is served at the sites' roots; no part of the revision, which is about pages."""
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """For `show`: "site: dotted.key" → "file:line" that its value came from."""
    by_host: Mapping[str, RuleSet] = field(init=False, repr=False, compare=False)
    """By exact host name; ``*.example.org`` under ``.example.org``, any host under "". Made from `rule_sets`."""
    slots: Mapping[str, frozenset[str]] = field(init=False, repr=False, compare=False)
    """The names of all slots by site. Made from `rule_sets`."""

    def __post_init__(self) -> None:
        by_host: dict[str, RuleSet] = {}
        for rule_set in self.rule_sets:
            for host in rule_set.hosts or ("",):
                by_host.setdefault(host.removeprefix("*"), rule_set)
        object.__setattr__(self, "by_host", MappingProxyType(by_host))
        slots: dict[str, frozenset[str]] = {}
        for rule_set in self.rule_sets:
            names = (slot.name for rule in rule_set.pages if rule.policy is not None for slot in rule.policy.slots)
            slots[rule_set.site] = slots.get(rule_set.site, frozenset()) | frozenset(names)
        object.__setattr__(self, "slots", MappingProxyType(slots))
