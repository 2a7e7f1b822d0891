"""One parse of a page, all questions answered: bytes in, numbers and proven offsets out."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from adproxy.model import NO_SPOT, Page, Reason, Spot
from adproxy.page import article as articles
from adproxy.page import blocks, facts, headline_company, hydration, landmarks, markers, places, sidebars
from adproxy.page.asked import asks_for_others
from adproxy.page.guard import is_light
from adproxy.page.heights import USUAL, Heights, heights_for
from adproxy.page.marks import mark
from adproxy.page.scan import Scanned, scan
from adproxy.page.tree import Tree
from adproxy.rules.ruleset import (
    ALWAYS,
    ByPage,
    FixedPlace,
    FromJsonLd,
    FromMeta,
    Policy,
    SelectorPlace,
    SidebarPlace,
    needs_settled,
)

_OURS: Final = "[data-adproxy-slot],[data-adproxy]"
_MAX_NUMBERED_IDS: Final = 40


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a policy wants to know of a page; made once at load, so that nothing else is looked for."""

    article: str | None = None
    """A selector, or None for auto."""
    above_headline: bool = False
    below_headline: bool = False
    further_below: int = 0
    """Behind how many elements more, where the spot right below the headline isn't clear."""
    end: bool = False
    settled: bool = False
    """Whether a slot has text, links or pictures of its own, which must not stand where formatting is pending."""
    sidebar: tuple[Literal["first", "last"] | int, ...] = ()
    """Which of the sidebar's places."""
    sidebar_selector: str | None = None
    selectors: tuple[SelectorPlace, ...] = ()
    metas: tuple[str, ...] = ()
    json_ld: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()
    avoid: tuple[str, ...] = ()
    """Selectors of content that slots keep a distance from."""
    asked: tuple[str, ...] = ()
    """Selectors of which conditions ask whether anything matches."""
    marked: frozenset[str] | None = None
    """Slots that the page's own markers may place; None: markers mean nothing."""
    whole: bool = False
    """Whether a selector may ask what is written in scripts and style sheets."""
    others: bool = False
    """Whether a selector asks for attributes that nobody else asks about (`page.asked`)."""
    heights: Heights = USUAL
    """How high blocks are in the site's layout."""


def compile_wanted(policy: Policy) -> Wanted:
    """What `read` has to find for a policy."""
    places_of = [slot.place for slot in policy.slots]
    below = FixedPlace.BELOW_HEADLINE
    ids: list[str] = []
    for slot in policy.slots:
        if isinstance(slot.creative, ByPage) and slot.creative.id:
            numbers = range(1, _MAX_NUMBERED_IDS + 1) if "{n}" in slot.creative.id else (1,)
            ids.extend(slot.creative.numbered_id(slot.name, n) for n in numbers)
    values = [value for _, value in policy.key_values]
    conditions = [when for when in (policy.when, *(slot.when for slot in policy.slots)) if when is not ALWAYS]
    names = frozenset(slot.name for slot in policy.slots)
    at_selectors = tuple(p for p in places_of if isinstance(p, SelectorPlace))
    avoid = tuple(selector for selector, _ in policy.keep_clear.around)
    asked = tuple(selector for when in conditions for selector in when.has + when.has_not)
    own = (policy.article, policy.sidebar, *(place.selector for place in at_selectors))
    selectors = (*avoid, *asked, *filter(None, own))
    return Wanted(
        article=policy.article,
        above_headline=FixedPlace.ABOVE_HEADLINE in places_of,
        below_headline=below in places_of,
        further_below=max((int(s.shift.amount) for s in policy.slots if s.place is below), default=0),
        end=FixedPlace.END_OF_ARTICLE in places_of,
        settled=any(needs_settled(slot) for slot in policy.slots),
        sidebar=tuple(p.widget for p in places_of if isinstance(p, SidebarPlace)),
        sidebar_selector=policy.sidebar,
        selectors=at_selectors,
        metas=(
            *(v.name for v in values if isinstance(v, FromMeta)),
            *(name for when in conditions for name, _ in when.meta),
        ),
        json_ld=(
            *(v.field for v in values if isinstance(v, FromJsonLd)),
            *(name for when in conditions for name, _ in when.json_ld),
        ),
        ids=frozenset(ids),
        avoid=avoid,
        asked=asked,
        marked=None if policy.markers == () else names if policy.markers is None else names & {*policy.markers},
        # of all that selectors can say, one pseudo-class asks for text; an escape may spell it
        whole=any("contains" in selector or "\\" in selector for selector in selectors),
        others=asks_for_others(selectors),
        heights=heights_for(policy.layout),
    )


def _ours_without_scripting(tree: Tree) -> bool:
    """Whether what is text in a noscript would be elements of ours where scripting is off."""
    return any("data-adproxy" in node.text() for node in tree.landmarks.noscripts)


def read(html: bytes, wanted: Wanted, encoding: str = "utf-8", scanned: Scanned | None = None) -> Page:
    """Read a page that `guard.hostile` has let pass.

    `encoding`: a Python codec in which ASCII bytes mean ASCII (`charset.sniff`). Offsets are bytes of `html`.
    `scanned`: its scan, if it was made already.
    """
    scanned = scanned or scan(html)
    is_utf8 = encoding == "utf-8" or codecs.lookup(encoding).name == "utf-8"  # a look-up takes longer than most
    whole = wanted.whole or not is_utf8 or not is_light(scanned)
    marked = mark(html, scanned, whole=whole, idle=wanted.others or not is_utf8)
    with_headline = wanted.above_headline or wanted.below_headline
    with_sidebar = bool(wanted.sidebar) and wanted.sidebar_selector is None
    find = landmarks.finder(headlines=with_headline, sidebars=with_sidebar, ids=wanted.ids)
    text = marked.copy if is_utf8 else marked.copy.decode(encoding, "replace")
    tree = Tree(html, marked, text, settled=wanted.settled, find=find)
    if not tree.is_proven:
        del tree  # its memory before that of the next
        marked = mark(html, scanned, idle=wanted.others)
        tree = Tree(html, marked, marked.copy, settled=wanted.settled, find=find)
    if tree.body is None:
        return Page(article_problem=Reason.NO_ARTICLE, facts=facts.read(tree))
    if marked.scanned.holds_adproxy() and (tree.css(_OURS) or _ours_without_scripting(tree)):
        return Page(already_rewritten=True, article_problem=Reason.NO_ARTICLE)
    marked_places = markers.NONE if wanted.marked is None else markers.find(tree)
    if marked_places.off:
        return Page(marked_off=True, article_problem=Reason.NO_ARTICLE)
    framework = hydration.taken_over_by(tree.landmarks.applications)
    if framework:
        return Page(taken_over_by=framework, article_problem=Reason.NO_ARTICLE)
    known = facts.read(tree, metas=wanted.metas, json_ld=wanted.json_ld, ids=wanted.ids, selectors=wanted.asked)
    problem: Reason | None = None
    found: articles.Article | None
    if wanted.article is None:
        found = articles.find(tree.body, tree.landmarks.paragraphs)
    else:
        root = next(iter(tree.css(wanted.article)), None)
        found = articles.within(root) if root is not None else None
    outline = blocks.Outline((), (), ())
    if found is None:
        problem = Reason.NO_ARTICLE
    else:
        tree.open_for([found.root])
        outline = blocks.outline(tree, found, wanted.avoid, wanted.heights)
        if not outline.blocks:
            problem = Reason.NO_ARTICLE
    root = found.root if found is not None else None
    above = below = end = NO_SPOT
    further: tuple[Spot | None, ...] = ()
    heading = None
    if with_headline:
        heading = places.headline(tree, outline, root)
        if wanted.above_headline:
            above = places.above_headline(tree, heading)
        if wanted.below_headline:
            below = places.below_headline(tree, heading)
            if heading is not None and wanted.further_below and not places.is_clear(below, settled=wanted.settled):
                further = headline_company.further_below(tree, outline, heading, wanted.further_below)
    if wanted.end:
        end = places.end_of_article(tree, outline, root)
    sidebar: tuple[Spot | None, ...] = ()
    if wanted.sidebar:
        sidebar = sidebars.sidebar(tree, wanted.sidebar_selector, root, heading, wanted.sidebar)
    named = {p.key: places.at_selector(tree, p.edge, p.selector) for p in wanted.selectors if p.edge != "marked"}
    for name, nodes in marked_places.slots.items():
        if wanted.marked is not None and name in wanted.marked:
            named[SelectorPlace("marked", name).key] = markers.spots(tree, nodes)
    unknown = tuple(name for name in marked_places.slots if wanted.marked is not None and name not in wanted.marked)
    return Page(
        blocks=outline.blocks,
        gaps=outline.gaps,
        article_problem=problem,
        above_headline=above,
        below_headline=below,
        further_below=further,
        end_of_article=end,
        sidebar=sidebar,
        named=MappingProxyType(named),
        facts=known,
        unknown_marks=unknown,
    )
