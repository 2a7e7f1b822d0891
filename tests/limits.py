"""A plan's limits, checked the long way: every sum is made anew from the page's blocks, every pair is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, pairwise

from hypothesis import strategies as st
from oracles import LawBroken

from adproxy.model import (
    DESKTOP_WIDTH,
    DEVICES,
    PHONE_WIDTH,
    Anchor,
    Block,
    BlockFlag,
    BlockKind,
    Device,
    Edge,
    Gap,
    Page,
    PerDevice,
    Placement,
    Plan,
    Reason,
    Spot,
)
from adproxy.rules.ruleset import (
    Clearance,
    Distance,
    FixedPlace,
    HtmlCreative,
    ImageCreative,
    MidArticle,
    Policy,
    SelectorPlace,
    SidebarPlace,
    Sides,
    Slot,
)

_FOREIGN = (BlockKind.AD, BlockKind.ASIDE)
_LOOKED_AT = (BlockKind.MEDIA, BlockKind.CAPTION)
_ALMOST = 1e-9


def content(blocks: tuple[Block, ...], unit: str, device: Device = "phone") -> float:
    """How much of the article's own content some blocks are, in a unit of the rules."""
    own = [b for b in blocks if b.kind not in _FOREIGN]
    if unit == "blocks":
        return len(own)
    if unit == "px":
        return sum(b.heights.phone if device == "phone" else b.heights.desktop for b in own)
    text = [b for b in own if b.kind not in _LOOKED_AT]
    return sum(b.words if unit == "words" else b.chars for b in text)


def check_plan(page: Page, policy: Policy, plan: Plan) -> None:
    """Law 3: no limit of the policy is exceeded; `LawBroken` says which one is, and by what."""
    policy = _with_markers(page, policy)
    slots = {slot.name: slot for slot in policy.slots}
    _check_placements(page, slots, plan)
    placed = {placement.slot for placement in plan.placements}
    for name in placed:
        if slots[name].instead_of in placed:
            raise LawBroken(f"{name} stands beside {slots[name].instead_of}, which it stands in for")
    for slot in policy.slots:
        _check_slot(page, slot, [p for p in plan.placements if p.slot == slot.name])
    inside = [p for p in plan.placements if _gap_of(page, p, slots[p.slot]) >= 0]
    if len(inside) > policy.limits.in_article:
        raise LawBroken(f"in_article: {len(inside)} for {policy.limits.in_article}")
    for i, device in enumerate(DEVICES):
        most = policy.limits.in_article_on
        if most is not None and sum(device in p.devices for p in inside) > most[i]:
            raise LawBroken(f"in_article on {device}: more than {most[i]}")
        for slot in policy.slots:
            shown = sum(p.slot == slot.name and device in p.devices for p in plan.placements)
            if slot.max_on is not None and shown > slot.max_on[i]:
                raise LawBroken(f"max of {slot.name} on {device}: {shown} for {slot.max_on[i]}")
    for device, needed in (("phone", policy.limits.gap.phone), ("desktop", policy.limits.gap.desktop)):
        here = [p.anchor.gap for p in inside if device in p.devices]
        for a, b in combinations(sorted(here), 2):
            found = content(page.blocks[a:b], needed.unit, "phone" if device == "phone" else "desktop")
            if found < needed.amount or a == b:
                raise LawBroken(f"gap on {device}: {found} for {needed} between gaps {a} and {b}")
    for placement in plan.placements:
        if isinstance(slots[placement.slot].place, MidArticle):
            _check_keep_clear(page, policy, placement.anchor.gap)
    _check_density(page, policy, plan, slots)


def _known_anchors(page: Page) -> Iterator[Anchor]:
    spots = [page.above_headline, page.below_headline, page.end_of_article, *page.sidebar]
    spots += [spot for named in page.named.values() for spot in named]
    yield from (gap.anchor for gap in page.gaps if gap.anchor is not None)
    yield from (spot.anchor for spot in spots if spot is not None and spot.anchor is not None)


def _check_placements(page: Page, slots: dict[str, Slot], plan: Plan) -> None:
    offsets = [p.anchor.offset for p in plan.placements]
    if offsets != sorted(set(offsets)):
        raise LawBroken(f"placements are not in document order, each at a place of its own: {offsets}")
    known = {(a.offset, a.edge, a.settled) for a in _known_anchors(page)}
    counts: dict[str, int] = {}
    for placement in plan.placements:
        slot = slots[placement.slot]
        anchor = placement.anchor
        counts[slot.name] = counts.get(slot.name, 0) + 1
        if placement.n != counts[slot.name]:
            raise LawBroken(f"placement {counts[slot.name]} of {slot.name} is numbered {placement.n}")
        if (anchor.offset, anchor.edge, anchor.settled) not in known:
            raise LawBroken(f"nothing on the page proves {anchor}")
        talks = isinstance(slot.creative, ImageCreative)
        talks = talks or (isinstance(slot.creative, HtmlCreative) and not slot.creative.inert)
        if talks and not anchor.settled:
            raise LawBroken(f"{slot.name} has content of its own at a place that is not settled")
        fits = [d for d in DEVICES if slot.sizes.at(PHONE_WIDTH if d == "phone" else DESKTOP_WIDTH)]
        if not placement.devices or not set(placement.devices) <= set(fits):
            raise LawBroken(f"{slot.name} is shown on {placement.devices} and has sizes on {fits}")


def _check_slot(page: Page, slot: Slot, placements: list[Placement]) -> None:
    if not placements:
        return
    whole = content(page.blocks, slot.article_min.unit)
    if whole < slot.article_min.amount:
        raise LawBroken(f"article_min of {slot.name}: {whole} for {slot.article_min}")
    if page.article_problem is not None and not isinstance(slot.place, SelectorPlace):
        raise LawBroken(f"{slot.name} is placed where there is no article")
    place = slot.place
    narrow = isinstance(place, MidArticle) and (place.at is not None or place.after_paragraph is not None)
    repeats = isinstance(place, (MidArticle, SelectorPlace)) and not narrow
    if len(placements) > (slot.max if repeats else 1):
        raise LawBroken(f"max of {slot.name}: {len(placements)} placed")
    if not isinstance(place, MidArticle):
        return
    gaps = [p.anchor.gap for p in placements]
    for gap in gaps:
        if not 0 < gap < len(page.blocks):
            raise LawBroken(f"{slot.name} lies in gap {gap}, not between blocks")
        before, after = page.blocks[:gap], page.blocks[gap:]
        if content(before, slot.first_after.unit) < slot.first_after.amount:
            raise LawBroken(f"first_after of {slot.name}: {slot.first_after} before gap {gap}")
        if content(after, slot.before_end.unit) < slot.before_end.amount:
            raise LawBroken(f"before_end of {slot.name}: {slot.before_end} after gap {gap}")
    if place.every is not None:
        for a, b in pairwise([0, *gaps]):
            if content(page.blocks[a:b], place.every.unit) < place.every.amount:
                raise LawBroken(f"every of {slot.name}: {place.every} between gaps {a} and {b}")


def _with_markers(page: Page, policy: Policy) -> Policy:
    """The policy with each slot that the page's markers name at these."""
    places = {slot.name: SelectorPlace("marked", slot.name) for slot in policy.slots}
    return replace(
        policy,
        slots=tuple(
            replace(s, place=p, instead_of="") if (p := places[s.name]).key in page.named else s for s in policy.slots
        ),
    )


def _check_keep_clear(page: Page, policy: Policy, gap: int) -> None:
    keep = policy.keep_clear
    blocks = page.blocks

    def is_heading(block: Block) -> bool:
        return block.kind is BlockKind.HEADING or bool(block.flags & BlockFlag.PSEUDO_HEADING)

    def of(*of_kinds: BlockKind) -> Callable[[Block], bool]:
        return lambda block: block.kind in of_kinds

    kinds: list[tuple[str, Clearance, Callable[[Block], bool]]] = [
        ("after_heading", Sides(above=keep.after_heading), is_heading),
        ("before_heading", Sides(below=keep.before_heading, unless_heading=True), is_heading),
        ("around_media", keep.around_media, lambda b: b.kind in _LOOKED_AT or bool(b.flags & BlockFlag.HAS_MEDIA)),
        ("around_existing_ads", keep.around_existing_ads, of(BlockKind.AD)),
        ("around_asides", keep.around_asides, of(BlockKind.ASIDE)),
        ("around_lists", keep.around_lists, of(BlockKind.LIST)),
        ("around_tables", keep.around_tables, of(BlockKind.TABLE)),
        ("around_quotes", keep.around_quotes, of(BlockKind.QUOTE)),
        ("around_code", keep.around_code, of(BlockKind.CODE)),
        ("around_captions", keep.around_captions, of(BlockKind.CAPTION)),
    ]
    kinds += [(f"around {s}", d, lambda b, n=n: n in b.avoided) for n, (s, d) in enumerate(keep.around)]  # type: ignore[misc]
    for name, clearance, is_it in kinds:
        waived = isinstance(clearance, Sides) and clearance.unless_heading
        if waived and gap < len(blocks) and is_heading(blocks[gap]):
            continue
        for j, block in enumerate(blocks):
            if not is_it(block):
                continue
            if isinstance(clearance, Distance):
                distance = clearance
            else:
                distance = clearance.above if j < gap else clearance.below
            between = blocks[j + 1 : gap] if j < gap else blocks[gap:j]
            if content(between, distance.unit) < distance.amount:
                raise LawBroken(f"{name}: gap {gap} lies nearer than {distance} to block {j}")


def _gap_of(page: Page, placement: Placement, slot: Slot) -> int:
    """The gap that a placement counts in, -1 for one that is not between the article's blocks."""
    if isinstance(slot.place, MidArticle):
        return placement.anchor.gap
    if not isinstance(slot.place, SelectorPlace):
        return -1
    offsets = [gap.anchor.offset for gap in page.gaps if gap.anchor is not None]
    within = bool(offsets) and min(offsets) <= placement.anchor.offset <= max(offsets)
    if within != (placement.anchor.gap >= 0):
        raise LawBroken(f"{placement} says gap {placement.anchor.gap}; within the article: {within}")
    return placement.anchor.gap


def _check_density(page: Page, policy: Policy, plan: Plan, slots: dict[str, Slot]) -> None:
    for device in DEVICES:
        width = PHONE_WIDTH if device == "phone" else DESKTOP_WIDTH
        runs: list[list[float]] = []  # ads that stand one behind the other are one to the reader
        for block, before in zip(page.blocks, (None, *page.blocks), strict=False):
            if block.kind is BlockKind.AD:
                if before is None or before.kind is not BlockKind.AD:
                    runs.append([])
                runs[-1].append(block.heights.on(device))
        ads = sum(max(run) for run in runs)
        ours = 0.0
        for placement in plan.placements:
            slot = slots[placement.slot]
            main = slot.place in (FixedPlace.BELOW_HEADLINE, FixedPlace.END_OF_ARTICLE)
            if device in placement.devices and (main or _gap_of(page, placement, slot) >= 0):
                ours += slot.height_at(width)
        whole = content(page.blocks, "px", device) + ads + ours
        share = (ads + ours) / whole if whole else 0.0
        if ours and share > policy.limits.ad_share.on(device) + _ALMOST:
            raise LawBroken(f"ad_share on {device}: {share:.3f} for {policy.limits.ad_share.on(device)}")
        if abs(share - plan.density.on(device)) > _ALMOST:
            raise LawBroken(f"the plan says {plan.density.on(device)} of density on {device}; it is {share}")


# --- pages made of numbers --------------------------------------------------------------------------

_FLAGS = [BlockFlag.NONE] * 8 + [
    BlockFlag.LEAD_IN, BlockFlag.PSEUDO_HEADING, BlockFlag.OPEN_SENTENCE, BlockFlag.KEEP_WITH_NEXT, BlockFlag.HAS_MEDIA,
]  # fmt: skip
_KINDS = [BlockKind.PARAGRAPH] * 16 + list(BlockKind)


def _block(kind: BlockKind, words: int, flags: int, avoided: tuple[int, ...]) -> Block:
    heights = PerDevice(17 + 4 * words, 18 + 2 * words)
    return Block(kind, words, words * 6, heights, flags, "p", "Some text", avoided)


_blocks = st.builds(
    _block,
    st.sampled_from(_KINDS),
    st.sampled_from([0, 3, 12, 30, 30, 60, 60, 120]),
    st.sampled_from(_FLAGS),
    st.sampled_from([(), (), (), (), (0,), (1,), (0, 1)]),
)
_STEP = 10  # bytes between the gaps of such a page


def _spots(blocks: int) -> st.SearchStrategy[Spot]:
    anchors = st.builds(
        Anchor,
        st.integers(0, (blocks + 3) * _STEP),
        st.just(Edge.BEFORE_START),
        st.just(-1),
        st.sampled_from([True, False]),
    )
    few = st.sampled_from([False] * 5 + [True])
    words = st.sampled_from([None, None, None, 0, 5, 25])
    legal = st.builds(Spot, anchors, st.none(), words, words, few, few, few, few)
    return st.one_of(legal, legal, st.just(Spot(None, Reason.NO_LEGAL_ANCHOR)))


@st.composite
def measured_pages(draw: st.DrawFn, policy: Policy) -> Page:
    """Pages as numbers, whatever HTML they might come from; with the spots that a policy asks for."""
    blocks = tuple(draw(st.lists(_blocks, min_size=draw(st.sampled_from([0, 8, 8, 8])), max_size=30)))
    kinds = draw(
        st.lists(st.sampled_from([True] * 6 + [False, None]), min_size=len(blocks) + 1, max_size=len(blocks) + 1)
    )
    gaps = tuple(
        Gap(None, Reason.NO_LEGAL_ANCHOR)
        if settled is None
        else Gap(Anchor((i + 1) * _STEP, Edge.BEFORE_START, i, settled))
        for i, settled in enumerate(kinds)
    )
    spots = _spots(len(blocks))
    named = {
        slot.place.key: tuple(draw(st.lists(spots, max_size=6)))
        for slot in policy.slots
        if isinstance(slot.place, SelectorPlace)
    }
    for slot in policy.slots:  # what an editor marked, on a page in four
        if draw(st.sampled_from([False, False, False, True])):
            named[SelectorPlace("marked", slot.name).key] = tuple(draw(st.lists(spots, max_size=3)))
    sidebar = any(isinstance(slot.place, SidebarPlace) for slot in policy.slots)
    return Page(
        blocks=blocks,
        gaps=gaps if blocks else (),
        article_problem=None if blocks else Reason.NO_ARTICLE,
        above_headline=draw(spots),
        below_headline=draw(spots),
        end_of_article=draw(spots),
        sidebar=tuple(draw(st.lists(st.one_of(spots, st.none()), max_size=4))) if sidebar else (),
        named=named,
    )
