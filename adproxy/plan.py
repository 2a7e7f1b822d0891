"""Which slots go where on a page, and why the others do not. Pure: numbers in, a plan out.

Sees no HTML, clock, socket, metric or visitor. Slots are placed by priority, then in the order of the rules; each takes
the best of its positions that no rule forbids. Every position and every slot that loses leaves a refusal: the reason,
what was required, what was found.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate

from adproxy.model import (
    DESKTOP_WIDTH,
    DEVICES,
    PHONE_WIDTH,
    Anchor,
    Block,
    BlockFlag,
    BlockKind,
    Device,
    Page,
    PerDevice,
    Placement,
    Plan,
    Reason,
    Refusal,
    Spot,
)
from adproxy.rules.ruleset import (
    Distance,
    FixedPlace,
    HtmlCreative,
    ImageCreative,
    MidArticle,
    Policy,
    SelectorPlace,
    SidebarPlace,
    Slot,
)

_WIDTHS: dict[Device, int] = {"phone": PHONE_WIDTH, "desktop": DESKTOP_WIDTH}
_NOT_OWN = (BlockKind.AD, BlockKind.ASIDE)
_MEDIA = (BlockKind.MEDIA, BlockKind.CAPTION)
# How far "after paragraph 3" may shift where the ideal gap is forbidden, in gaps to either side.
_SHIFT = 4


@dataclass(frozen=True, slots=True)
class _Ruler:
    """Measures content between gaps: running sums over the blocks, in every unit that rules may use."""

    words: list[int]
    chars: list[int]
    blocks: list[int]
    phone: list[float]
    desktop: list[float]

    @classmethod
    def of(cls, page: Page) -> _Ruler:
        own = [b.kind not in _NOT_OWN for b in page.blocks]
        text = [o and b.kind not in _MEDIA for o, b in zip(own, page.blocks, strict=True)]
        return cls(
            list(accumulate((b.words * t for b, t in zip(page.blocks, text, strict=True)), initial=0)),
            list(accumulate((b.chars * t for b, t in zip(page.blocks, text, strict=True)), initial=0)),
            list(accumulate((int(o) for o in own), initial=0)),
            list(accumulate((b.heights.phone * o for b, o in zip(page.blocks, own, strict=True)), initial=0.0)),
            list(accumulate((b.heights.desktop * o for b, o in zip(page.blocks, own, strict=True)), initial=0.0)),
        )

    def between(self, a: int, b: int, unit: str, device: Device = "phone") -> float:
        """Content from gap a to gap b ≥ a."""
        if unit == "words":
            return self.words[b] - self.words[a]
        if unit == "characters":
            return self.chars[b] - self.chars[a]
        if unit == "blocks":
            return self.blocks[b] - self.blocks[a]
        heights = self.phone if device == "phone" else self.desktop
        return heights[b] - heights[a]


@dataclass(slots=True)
class _State:
    page: Page
    policy: Policy
    ruler: _Ruler
    content: PerDevice
    existing: PerDevice
    used: dict[Device, float]
    """Heights of our own slots in the main content so far."""
    in_article: list[int] = field(default_factory=list)
    """Gaps taken, ascending."""
    offsets: set[int] = field(default_factory=set)
    placements: list[Placement] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def density(self, device: Device, extra: float = 0.0) -> float:
        i = DEVICES.index(device)
        ads = self.existing[i] + self.used[device] + extra
        whole = self.content[i] + ads
        return ads / whole if whole > 0 else 0.0


def plan(page: Page, policy: Policy) -> Plan:
    """Place a policy's slots on a page.

    Never exceeds a limit of the policy; the same page and policy always give the same plan.
    """
    ruler = _Ruler.of(page)
    # Ads that stand one behind the other are one to the reader: a label and its frame, a wrapper for each device.
    ads = [
        b.heights
        for i, b in enumerate(page.blocks)
        if b.kind is BlockKind.AD and (i + 1 == len(page.blocks) or page.blocks[i + 1].kind is not BlockKind.AD)
    ]
    state = _State(
        page=page,
        policy=policy,
        ruler=ruler,
        content=PerDevice(ruler.phone[-1], ruler.desktop[-1]),
        existing=PerDevice(sum(h.phone for h in ads), sum(h.desktop for h in ads)),
        used=dict.fromkeys(DEVICES, 0.0),
    )
    for slot in sorted(policy.slots, key=lambda s: -s.priority):
        _place_slot(state, slot)
    return Plan(
        placements=_numbered(state.placements),
        refusals=tuple(state.refusals),
        density=PerDevice(state.density("phone"), state.density("desktop")),
        content=state.content,
    )


def _numbered(placements: list[Placement]) -> tuple[Placement, ...]:
    counts: dict[str, int] = {}
    result = []
    for placement in sorted(placements, key=lambda p: p.anchor.offset):
        counts[placement.slot] = counts.get(placement.slot, 0) + 1
        result.append(replace(placement, n=counts[placement.slot]))
    return tuple(result)


def _place_slot(state: _State, slot: Slot) -> None:
    devices = tuple(d for d in DEVICES if slot.sizes.at(_WIDTHS[d]))
    if not devices:
        _refuse(state, slot, Reason.NO_SIZES, "a size on some device", "none")
        return
    if not isinstance(slot.place, SelectorPlace) and state.page.article_problem is not None:
        _refuse(state, slot, Reason.NO_ARTICLE, "an article on the page", "none found")
        return
    have = state.ruler.between(0, len(state.page.blocks), slot.article_min.unit)
    if have < slot.article_min.amount:
        _refuse(state, slot, Reason.ARTICLE_TOO_SHORT, f"at least {slot.article_min}", _found(have, slot.article_min))
        return
    if isinstance(slot.place, MidArticle):
        _place_mid(state, slot, slot.place, devices)
    else:
        _place_spot(state, slot, devices)


def _found(amount: float, like: Distance) -> str:
    return f"{amount:g} {like.unit}"


def _refuse(
    state: _State,
    slot: Slot,
    reason: Reason,
    required: str,
    actual: str,
    *,
    anchor: Anchor | None = None,
    gap: int = -1,
    device: Device | None = None,
) -> None:
    state.refusals.append(Refusal(slot.name, reason, required, actual, anchor, gap, device))


# --- limits that hold for every slot in the main content --------------------------------------


def _within_density(
    state: _State, slot: Slot, devices: tuple[Device, ...], anchor: Anchor, gap: int
) -> tuple[Device, ...]:
    """The devices on which one more such slot stays within the limit; a refusal for each of the others.

    A slot that has room on one device alone is shown on that one: the style sheet hides it on the other.
    """
    fitting: list[Device] = []
    for device in devices:
        limit = state.policy.limits.ad_share[DEVICES.index(device)]
        density = state.density(device, slot.height_at(_WIDTHS[device]))
        if density <= limit:
            fitting.append(device)
        else:
            _refuse(
                state, slot, Reason.DENSITY, f"at most {limit:.0%} ads on {device}s", f"{density:.1%} with this slot",
                anchor=anchor, gap=gap, device=device,
            )  # fmt: skip
    return tuple(fitting)


def _too_near_slot(state: _State, gap: int, devices: tuple[Device, ...]) -> tuple[Distance, float] | None:
    """The gap limit that a slot in this gap would break, and what it found."""
    for device in devices:
        needed = state.policy.limits.gap.phone if device == "phone" else state.policy.limits.gap.desktop
        for taken in state.in_article:
            found = state.ruler.between(min(gap, taken), max(gap, taken), needed.unit, device)
            if found < needed.amount or taken == gap:
                return needed, found
    return None


def _needs_settled(slot: Slot) -> bool:
    creative = slot.creative
    return isinstance(creative, ImageCreative) or (isinstance(creative, HtmlCreative) and not creative.inert)


def _take(state: _State, slot: Slot, anchor: Anchor, devices: tuple[Device, ...], *, counted: bool) -> None:
    state.placements.append(Placement(slot.name, anchor, 0, devices))
    state.offsets.add(anchor.offset)
    if anchor.gap >= 0:
        state.in_article.insert(bisect_left(state.in_article, anchor.gap), anchor.gap)
    if counted:
        for device in devices:
            state.used[device] += slot.height_at(_WIDTHS[device])


# --- between the blocks of the article -----------------------------------------------------------


def _place_mid(state: _State, slot: Slot, place: MidArticle, devices: tuple[Device, ...]) -> None:
    page = state.page
    fitting: list[int] = []
    for i in range(1, len(page.blocks)):
        verdict = _forbidden(state, slot, i)
        if verdict is None:
            fitting.append(i)
        else:
            reason, required, actual = verdict
            _refuse(state, slot, reason, required, actual, anchor=page.gaps[i].anchor, gap=i)
    placed = 0
    last_of_slot = 0
    for i in _preferred(state, place, fitting):
        anchor = page.gaps[i].anchor
        if anchor is None:
            continue
        if placed >= slot.max:
            _refuse(state, slot, Reason.MAX_OF_SLOT, f"at most {slot.max}", f"{placed} placed", anchor=anchor, gap=i)
            continue
        if len(state.in_article) >= state.policy.limits.in_article:
            limit = state.policy.limits.in_article
            _refuse(state, slot, Reason.MAX_IN_ARTICLE, f"at most {limit} in the article", f"{limit}", anchor=anchor, gap=i)
            continue
        if place.every is not None:
            since = state.ruler.between(last_of_slot, i, place.every.unit)
            if since < place.every.amount:
                _refuse(state, slot, Reason.NOT_AT_POSITION, f"every {place.every}", _found(since, place.every), anchor=anchor, gap=i)
                continue
        near = _too_near_slot(state, i, devices)
        if near is not None:
            needed, found = near
            _refuse(state, slot, Reason.TOO_NEAR_SLOT, f"{needed} to the next slot", _found(found, needed), anchor=anchor, gap=i)
            continue
        if anchor.offset in state.offsets:
            _refuse(state, slot, Reason.TOO_NEAR_SLOT, "a place of its own", "another slot is there", anchor=anchor, gap=i)
            continue
        shown = _within_density(state, slot, devices, anchor, i)
        if not shown:
            continue
        _take(state, slot, anchor, shown, counted=True)
        placed += 1
        last_of_slot = i
    if placed == 0 and not fitting:
        _refuse(state, slot, Reason.NO_SUCH_PLACE, "a gap that no rule forbids", f"none of {max(0, len(page.blocks) - 1)}")


def _preferred(state: _State, place: MidArticle, fitting: list[int]) -> Iterator[int]:
    """The fitting gaps in the order in which they are tried."""
    if place.at is not None:
        total = state.ruler.words[-1]
        ideal = place.at * total
        yield from sorted(fitting, key=lambda i: (abs(state.ruler.words[i] - ideal), i))[:1]
        return
    if place.after_paragraph is not None:
        paragraphs = [i for i, b in enumerate(state.page.blocks) if b.kind is BlockKind.PARAGRAPH]
        n = place.after_paragraph
        index = n - 1 if n > 0 else len(paragraphs) + n
        if not 0 <= index < len(paragraphs):
            return
        wanted = paragraphs[index] + 1
        near = [i for i in fitting if abs(i - wanted) <= _SHIFT]
        yield from sorted(near, key=lambda i: (abs(i - wanted), i))
        return
    yield from fitting


def _forbidden(state: _State, slot: Slot, i: int) -> tuple[Reason, str, str] | None:
    """Why a slot can't stand in gap i, whatever else is placed; None if it can."""
    page, ruler, keep = state.page, state.ruler, state.policy.keep_clear
    gap = page.gaps[i]
    if gap.anchor is None:
        return Reason.NO_LEGAL_ANCHOR, "a place in the markup where a div may stand", gap.problem or "none"
    if _needs_settled(slot) and not gap.anchor.settled:
        return Reason.PENDING_FORMATTING, "no formatting left open", "some is, and would leak into the slot"
    near = _beside(i, page)
    if near is not None:
        return near
    for found, wanted in (
        (ruler.between(0, i, slot.first_after.unit), slot.first_after),
        (ruler.between(i, len(page.blocks), slot.before_end.unit), slot.before_end),
    ):
        if found < wanted.amount:
            start = wanted is slot.first_after
            reason = Reason.TOO_NEAR_START if start else Reason.TOO_NEAR_END
            return reason, f"{wanted} {'before' if start else 'after'} it", _found(found, wanted)
    heading = _distance_back(state, i, lambda j: _is_heading(page, j), keep.after_heading)
    if heading is not None and heading < keep.after_heading.amount:
        return Reason.AFTER_HEADING, f"{keep.after_heading} after a heading", _found(heading, keep.after_heading)
    checks = (
        (Reason.NEAR_MEDIA, keep.around_media, lambda j: _is_media(page.blocks[j]), "media"),
        (Reason.NEAR_EXISTING_AD, keep.around_existing_ads, lambda j: page.blocks[j].kind is BlockKind.AD, "the page's own ads"),
        (Reason.NEAR_ASIDE, keep.around_asides, lambda j: page.blocks[j].kind is BlockKind.ASIDE, "foreign boxes"),
        *(
            (Reason.NEAR_AVOIDED, distance, lambda j, n=n: n in page.blocks[j].avoided, selector)
            for n, (selector, distance) in enumerate(keep.around)
        ),
    )
    for reason, distance, is_it, what in checks:
        for found in (_distance_back(state, i, is_it, distance), _distance_ahead(state, i, is_it, distance)):
            if found is not None and (found < distance.amount or (found == 0 and distance.amount > 0)):
                return reason, f"{distance} from {what}", _found(found, distance)
    return None


def _is_media(block: Block) -> bool:
    return block.kind in _MEDIA or bool(block.flags & BlockFlag.HAS_MEDIA)


def _is_heading(page: Page, j: int) -> bool:
    block = page.blocks[j]
    return block.kind is BlockKind.HEADING or bool(block.flags & BlockFlag.PSEUDO_HEADING)


def _beside(i: int, page: Page) -> tuple[Reason, str, str] | None:
    """The editor's "never" list: what may not stand directly on either side of a slot."""
    before, after = page.blocks[i - 1], page.blocks[i]
    if _is_heading(page, i - 1):
        return Reason.AFTER_HEADING, "no heading directly before", f"“{before.text[:40]}”"
    if before.flags & BlockFlag.LEAD_IN:
        return Reason.AFTER_LEAD_IN, "no text that ends in a colon before", f"“…{before.text[-40:]}”"
    if after.kind in (BlockKind.LIST, BlockKind.TABLE, BlockKind.CODE):
        return Reason.SPLITS_GROUP, f"nothing between a text and its {after.kind.value}", f"a {after.kind.value} follows"
    if BlockKind.CAPTION in (before.kind, after.kind) or (before.kind is BlockKind.MEDIA and after.kind is BlockKind.MEDIA):
        return Reason.SPLITS_GROUP, "nothing between pictures and captions", "a picture or caption beside it"
    if _is_media(before) or _is_media(after):
        return Reason.NEAR_MEDIA, "text between slot and media", "media directly beside it"
    if BlockKind.AD in (before.kind, after.kind):
        return Reason.NEAR_EXISTING_AD, "text between slot and ad", "an ad of the page directly beside it"
    if before.kind in (BlockKind.ASIDE, BlockKind.OTHER) or after.kind in (BlockKind.ASIDE, BlockKind.OTHER):
        return Reason.NEAR_ASIDE, "the article's own text on both sides", "a foreign box beside it"
    if before.flags & BlockFlag.KEEP_WITH_NEXT:
        return Reason.SPLITS_GROUP, "nothing between a quotation and its source", "the source follows"
    if before.flags & BlockFlag.OPEN_SENTENCE and after.text[:1].islower():
        return Reason.MID_SENTENCE, "a sentence that ends before it", f"“…{before.text[-30:]}”"
    if BlockFlag.MANUAL_OFF & (before.flags | after.flags):
        return Reason.MANUAL_OFF, "a part that the author leaves to slots", "switched off here"
    return None


def _distance_back(state: _State, i: int, is_it: Callable[[int], bool], distance: Distance) -> float | None:
    """Content between gap i and the nearest such block before it; None where there is none."""
    for j in range(i - 1, -1, -1):
        if is_it(j):
            return state.ruler.between(j + 1, i, distance.unit)
        if state.ruler.between(j, i, distance.unit) >= distance.amount and distance.amount > 0:
            return None
    return None


def _distance_ahead(state: _State, i: int, is_it: Callable[[int], bool], distance: Distance) -> float | None:
    for j in range(i, len(state.page.blocks)):
        if is_it(j):
            return state.ruler.between(i, j, distance.unit)
        if state.ruler.between(i, j + 1, distance.unit) >= distance.amount and distance.amount > 0:
            return None
    return None


# --- single spots -----------------------------------------------------------------------------------


def _spots(page: Page, slot: Slot) -> list[Spot]:
    """A slot's spots in the order in which they are tried."""
    place = slot.place
    if place is FixedPlace.ABOVE_HEADLINE:
        return [page.above_headline]
    if place is FixedPlace.BELOW_HEADLINE:
        return [page.below_headline]
    if place is FixedPlace.END_OF_ARTICLE:
        return [page.end_of_article]
    if isinstance(place, SidebarPlace):
        spots = list(page.sidebar)
        if place.widget == "first":
            return spots
        if place.widget == "last":
            return spots[::-1]
        wanted = min(place.widget, len(spots) - 1)
        return sorted(spots, key=lambda s: abs(spots.index(s) - wanted)) if spots else []
    if isinstance(place, SelectorPlace):
        return list(page.named.get(place.key, ()))
    return []


def _place_spot(state: _State, slot: Slot, devices: tuple[Device, ...]) -> None:
    place = slot.place
    spots = _spots(state.page, slot)
    if not spots:
        what = "a sidebar" if isinstance(place, SidebarPlace) else "an element that matches" if isinstance(place, SelectorPlace) else "the place"
        _refuse(state, slot, Reason.NO_SUCH_PLACE, what, "none on the page")
        return
    placed = 0
    limit = slot.max if isinstance(place, SelectorPlace) else 1
    counted_always = place in (FixedPlace.BELOW_HEADLINE, FixedPlace.END_OF_ARTICLE)
    for spot in spots:
        if placed >= limit:
            break
        anchor = spot.anchor
        verdict = _spot_forbidden(state, slot, spot)
        if verdict is not None:
            reason, required, actual = verdict
            _refuse(state, slot, reason, required, actual, anchor=anchor)
            continue
        if anchor is None:
            continue
        gap = _gap_at(state.page, anchor.offset) if isinstance(place, SelectorPlace) else -1
        counted = counted_always or gap >= 0
        if gap >= 0:
            near = _too_near_slot(state, gap, devices)
            if near is not None:
                needed, found = near
                _refuse(state, slot, Reason.TOO_NEAR_SLOT, f"{needed} to the next slot", _found(found, needed), anchor=anchor)
                continue
            if len(state.in_article) >= state.policy.limits.in_article:
                most = state.policy.limits.in_article
                _refuse(state, slot, Reason.MAX_IN_ARTICLE, f"at most {most} in the article", f"{most}", anchor=anchor)
                continue
        shown = _within_density(state, slot, devices, anchor, gap) if counted else devices
        if not shown:
            continue
        _take(state, slot, replace(anchor, gap=gap), shown, counted=counted)
        placed += 1


def _gap_at(page: Page, offset: int) -> int:
    """The gap of the article that an offset falls into, -1 for none."""
    known = [(g.anchor.offset, i) for i, g in enumerate(page.gaps) if g.anchor is not None]
    if not known or not known[0][0] < offset < known[-1][0]:
        return -1
    return known[bisect_left(known, (offset, -1))][1]


def _spot_forbidden(state: _State, slot: Slot, spot: Spot) -> tuple[Reason, str, str] | None:
    keep = state.policy.keep_clear
    if spot.anchor is None:
        reason = Reason(spot.problem) if spot.problem else Reason.NO_LEGAL_ANCHOR
        return reason, "a place in the markup where a div may stand", "none"
    if spot.anchor.offset in state.offsets:
        return Reason.TOO_NEAR_SLOT, "a place of its own", "another slot is there"
    if _needs_settled(slot) and not spot.anchor.settled:
        return Reason.PENDING_FORMATTING, "no formatting left open", "some is, and would leak into the slot"
    if keep.around_existing_ads.amount > 0:
        for words in (spot.ad_before, spot.ad_after):
            if words is not None and words < keep.around_existing_ads.amount:
                return Reason.NEAR_EXISTING_AD, f"{keep.around_existing_ads} from the page's own ads", f"{words} words"
    if keep.around_media.amount > 0 and (spot.media_before or spot.media_after):
        return Reason.NEAR_MEDIA, "text between slot and media", "media directly beside it"
    if spot.lead_in_before:
        return Reason.AFTER_LEAD_IN, "no text that ends in a colon before", "one directly before"
    if spot.heading_before and isinstance(slot.place, (SidebarPlace, SelectorPlace)):
        return Reason.AFTER_HEADING, "no heading directly before", "one directly before"
    return None

