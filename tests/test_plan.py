"""Which slots go where, and why the others do not: numbers in, a plan out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import pytest

from adproxy.model import (
    NO_SPOT,
    Anchor,
    Block,
    BlockFlag,
    BlockKind,
    Edge,
    Facts,
    Gap,
    Page,
    PerDevice,
    Plan,
    Reason,
    Spot,
)
from adproxy.plan import plan
from adproxy.rules.ruleset import (
    NO_DISTANCE,
    ByPage,
    Counts,
    Creative,
    Distance,
    DistancePerDevice,
    FixedPlace,
    HtmlCreative,
    ImageCreative,
    KeepClear,
    Limits,
    MidArticle,
    Place,
    Policy,
    SelectorPlace,
    SidebarPlace,
    Size,
    SizeMap,
    Slot,
    When,
)

EVERYWHERE = SizeMap(((0, (Size(300, 250),)),))
PHONE_ONLY = SizeMap(((0, (Size(300, 250),)), (768, ())))
DESKTOP_ONLY = SizeMap(((0, ()), (1024, (Size(300, 600),))))
NOWHERE = SizeMap(((0, ()),))
OPEN = KeepClear(NO_DISTANCE, NO_DISTANCE, NO_DISTANCE)
P = BlockKind.PARAGRAPH
BY_PAGE = ByPage()


def words(n: float) -> Distance:
    return Distance(n, "words")


def per_device(phone: Distance, desktop: Distance | None = None) -> DistancePerDevice:
    return DistancePerDevice(phone, desktop or phone)


ROOMY = Limits(PerDevice(0.9, 0.9), per_device(NO_DISTANCE), 50)


def block(kind: BlockKind = P, count: int = 100, flags: int = 0, text: str = "A text.", high: float = 0) -> Block:
    height = high or 4.0 * count
    return Block(kind, count, 6 * count, PerDevice(height, height / 2), flags, "p", text)


def page(*blocks: Block, illegal: tuple[int, ...] = (), unsettled: tuple[int, ...] = (), **more: object) -> Page:
    """An article of blocks; gap i lies at byte 100 i."""
    gaps = tuple(
        Gap(None, Reason.NO_LEGAL_ANCHOR) if i in illegal else Gap(_anchor(100 * i, gap=i, settled=i not in unsettled))
        for i in range(len(blocks) + 1)
    )
    return replace(Page(blocks=blocks, gaps=gaps if blocks else ()), **more)  # type: ignore[arg-type]


def _anchor(offset: int, gap: int = -1, settled: bool = True) -> Anchor:
    return Anchor(offset, Edge.BEFORE_START, gap, settled)


def spot(offset: int, **more: object) -> Spot:
    return replace(Spot(_anchor(offset)), **more)  # type: ignore[arg-type]


def slot(
    place: Place, name: str = "mid", sizes: SizeMap = EVERYWHERE, creative: Creative = BY_PAGE, **more: object
) -> Slot:
    return replace(Slot(name, place, sizes, creative, max=9), **more)  # type: ignore[arg-type]


def mid(**more: object) -> Slot:
    narrows = {k: more.pop(k) for k in ("after_paragraph", "every", "at") if k in more}
    return slot(MidArticle(**narrows), **more)  # type: ignore[arg-type]


def policy(*slots: Slot, limits: Limits = ROOMY, keep: KeepClear = OPEN) -> Policy:
    return Policy("s", None, None, limits, keep, slots)


def gaps(found: Plan, name: str = "mid") -> list[int]:
    return [p.anchor.gap for p in found.placements if p.slot == name]


def offsets(found: Plan) -> list[int]:
    return [p.anchor.offset for p in found.placements]


def reasons(found: Plan) -> set[Reason]:
    return {refusal.reason for refusal in found.refusals}


TEN = page(*[block() for _ in range(10)])
IMAGE = ImageCreative("/a.png", "/a", "A", Size(300, 250))

# A page and a policy for every reason there is.
REASONS: dict[Reason, tuple[Page, Policy]] = {
    Reason.NO_ARTICLE: (Page(article_problem=Reason.NO_ARTICLE), policy(mid())),
    Reason.ARTICLE_TOO_SHORT: (TEN, policy(mid(article_min=words(1001)))),
    Reason.NO_SUCH_PLACE: (TEN, policy(slot(SidebarPlace("first")))),
    Reason.NO_LEGAL_ANCHOR: (page(block(), block(), illegal=(1,)), policy(mid())),
    Reason.PENDING_FORMATTING: (page(block(), block(), unsettled=(1,)), policy(mid(creative=IMAGE))),
    Reason.AFTER_HEADING: (page(block(), block(BlockKind.HEADING, 3), block()), policy(mid())),
    Reason.AFTER_LEAD_IN: (page(block(flags=BlockFlag.LEAD_IN), block()), policy(mid())),
    Reason.SPLITS_GROUP: (page(block(), block(BlockKind.LIST), block()), policy(mid())),
    Reason.NEAR_MEDIA: (page(block(), block(BlockKind.MEDIA), block()), policy(mid())),
    Reason.NEAR_EXISTING_AD: (page(block(), block(BlockKind.AD), block()), policy(mid())),
    Reason.NEAR_ASIDE: (page(block(), block(BlockKind.ASIDE), block()), policy(mid())),
    Reason.NEAR_AVOIDED: (
        page(block(), block(), replace(block(), avoided=(0,))),
        policy(mid(), keep=replace(OPEN, around=((".x", words(101)),))),
    ),
    Reason.MID_SENTENCE: (page(block(flags=BlockFlag.OPEN_SENTENCE), block(text="and on")), policy(mid())),
    Reason.TOO_NEAR_START: (TEN, policy(mid(first_after=words(101)))),
    Reason.TOO_NEAR_END: (TEN, policy(mid(before_end=words(101)))),
    Reason.TOO_NEAR_SLOT: (TEN, policy(mid(), limits=replace(ROOMY, gap=per_device(words(101))))),
    Reason.DENSITY: (TEN, policy(mid(), limits=replace(ROOMY, ad_share=PerDevice(0.2, 0.2)))),
    Reason.MAX_OF_SLOT: (TEN, policy(mid(max=2))),
    Reason.MAX_IN_ARTICLE: (TEN, policy(mid(), limits=replace(ROOMY, in_article=2))),
    Reason.NOT_AT_POSITION: (TEN, policy(mid(every=Distance(2, "blocks")))),
    Reason.NO_SIZES: (TEN, policy(mid(sizes=NOWHERE))),
    Reason.CONDITION: (TEN, policy(mid(when=When(min_words=1001)))),
    Reason.NOT_NEEDED: (TEN, policy(mid(name="tall"), mid(instead_of="tall"))),
    Reason.ID_TAKEN: (
        replace(TEN, facts=Facts(ids=frozenset({"ad-mid"}))),
        policy(mid(creative=ByPage(id="ad-{slot}"))),
    ),
}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_given_with_what_was_needed_and_what_was_found(reason: Reason) -> None:
    found = plan(*REASONS[reason])
    refusals = [refusal for refusal in found.refusals if refusal.reason is reason]
    assert refusals
    for refusal in refusals:
        assert refusal.slot == "mid"
        assert refusal.required
        assert refusal.actual


def test_an_article_without_any_rule_in_the_way_is_filled_in_every_gap_but_the_outermost() -> None:
    found = plan(TEN, policy(mid()))
    assert gaps(found) == list(range(1, 10))
    assert [p.n for p in found.placements] == list(range(1, 10))
    assert found.refusals == ()


def devices_of(found: Plan) -> list[tuple[str, ...]]:
    return [p.devices for p in found.placements]


def test_as_many_are_shown_on_a_device_as_its_own_number_says() -> None:
    found = plan(TEN, policy(mid(max=4, max_on=Counts(2, 4))))
    assert sorted(devices_of(found)) == [("desktop",), ("desktop",), ("phone", "desktop"), ("phone", "desktop")]
    few = {(r.reason, r.device, r.required, r.actual) for r in found.refusals if r.device}
    assert few == {(Reason.MAX_OF_SLOT, "phone", "at most 2 on phones", "2 placed")}


def test_an_article_may_have_fewer_slots_on_a_device_or_none() -> None:
    limits = replace(ROOMY, in_article=3, in_article_on=Counts(0, 3))
    found = plan(TEN, policy(mid(), limits=limits))
    assert devices_of(found) == [("desktop",)] * 3
    few = {(r.reason, r.required, r.actual) for r in found.refusals if r.device == "phone"}
    assert few == {(Reason.MAX_IN_ARTICLE, "at most 0 in the article on phones", "0")}


def test_an_articles_numbers_are_those_of_all_its_slots_together() -> None:
    limits = replace(ROOMY, in_article=4, in_article_on=Counts(4, 1))
    found = plan(TEN, policy(mid(name="a", max=2), mid(name="b", max=2), limits=limits))
    assert len(found.placements) == 4
    assert sum("desktop" in devices for devices in devices_of(found)) == 1


def test_a_slot_at_a_selector_is_shown_at_the_first_places_where_a_device_may_have_fewer() -> None:
    where = SelectorPlace("before", "hr")
    several = replace(TEN, named=MappingProxyType({where.key: tuple(spot(2000 + i) for i in range(3))}))
    found = plan(several, policy(slot(where, max=3, max_on=Counts(1, 3))))
    assert devices_of(found) == [("phone", "desktop"), ("desktop",), ("desktop",)]
    for_phones = slot(where, sizes=PHONE_ONLY, max=3, max_on=Counts(1, 3))
    assert devices_of(plan(several, policy(for_phones))) == [("phone",)]


FLAT = SizeMap(((0, (Size(320, 50),)),))
TIGHT = replace(ROOMY, ad_share=PerDevice(0.1, 0.1))
FIVE = page(*[block() for _ in range(5)])


def test_a_stand_in_is_placed_where_the_limits_leave_no_room_for_the_slot_that_it_stands_in_for() -> None:
    # of 2,000 px on a phone 222 may be ads, of 1,000 on a desktop 111: a tall slot takes 274, a flat one 74
    found = plan(FIVE, policy(mid(name="tall"), mid(name="flat", instead_of="tall", sizes=FLAT, max=1), limits=TIGHT))
    assert [(p.slot, p.devices) for p in found.placements] == [("flat", ("phone", "desktop"))]
    assert {r.reason for r in found.refusals if r.slot == "tall"} == {Reason.DENSITY}
    assert {r.device for r in found.refusals if r.slot == "tall"} == {"phone", "desktop"}


def test_a_stand_in_is_as_bound_by_the_limits_as_any_slot() -> None:
    limits = replace(ROOMY, ad_share=PerDevice(0.03, 0.03))
    found = plan(FIVE, policy(mid(name="tall"), mid(name="flat", instead_of="tall", sizes=FLAT), limits=limits))
    assert found.placements == ()
    assert {r.reason for r in found.refusals if r.slot == "flat"} == {Reason.DENSITY}


@pytest.mark.parametrize(
    "why", [{"article_min": words(501)}, {"first_after": words(501)}, {"sizes": NOWHERE}, {"when": When(min_words=501)}]
)
def test_a_stand_in_is_not_placed_where_another_rule_than_a_limit_keeps_the_slot_out(why: dict[str, object]) -> None:
    found = plan(FIVE, policy(mid(name="tall", **why), mid(name="flat", instead_of="tall", sizes=FLAT)))
    assert found.placements == ()
    assert Reason.NOT_NEEDED in {r.reason for r in found.refusals if r.slot == "flat"}


def test_what_a_stand_in_is_not_needed_for_may_be_shown_on_one_device_alone() -> None:
    limits = replace(ROOMY, ad_share=PerDevice(0.5, 0.01))
    found = plan(FIVE, policy(mid(name="tall", max=1), mid(name="flat", instead_of="tall", sizes=FLAT), limits=limits))
    assert [(p.slot, p.devices) for p in found.placements] == [("tall", ("phone",))]


def test_the_slots_beside_a_stand_in_are_chosen_together_with_it() -> None:
    end = slot(FixedPlace.END_OF_ARTICLE, "end", sizes=FLAT, priority=-1)
    one = replace(FIVE, end_of_article=spot(900))
    tall, flat = mid(name="tall", max=1), mid(name="flat", instead_of="tall", sizes=FLAT, max=2)
    found = plan(one, policy(tall, flat, end, limits=TIGHT))
    assert [(p.slot, p.devices) for p in found.placements] == [
        ("flat", ("phone", "desktop")),
        ("flat", ("phone",)),
        ("end", ("phone",)),
    ]


def test_an_editors_mark_places_a_stand_in_whatever_else_is_placed() -> None:
    marked = replace(TEN, named=MappingProxyType({"marked flat": (spot(550),)}))
    flat = mid(name="flat", instead_of="tall", sizes=FLAT)
    assert SelectorPlace("marked", "flat").key in marked.named
    found = plan(marked, policy(mid(name="tall", max=1), flat))
    assert [p.slot for p in found.placements] == ["tall", "flat"]


def test_a_slot_that_has_nothing_in_its_way_leaves_no_refusal_and_an_empty_rule_set_no_plan() -> None:
    found = plan(TEN, policy())
    assert (found.placements, found.refusals, found.density) == ((), (), PerDevice(0, 0))


def test_the_same_page_and_policy_give_the_same_plan() -> None:
    rules = policy(mid(max=3), slot(FixedPlace.END_OF_ARTICLE, "end"), limits=Limits())
    assert plan(TEN, rules) == plan(TEN, rules)


# --- never beside


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (block(BlockKind.HEADING), block()),
        (block(flags=BlockFlag.PSEUDO_HEADING), block()),
        (block(flags=BlockFlag.LEAD_IN), block()),
        (block(), block(BlockKind.LIST)),
        (block(), block(BlockKind.TABLE)),
        (block(), block(BlockKind.CODE)),
        (block(BlockKind.MEDIA), block(BlockKind.CAPTION)),
        (block(BlockKind.MEDIA), block(BlockKind.MEDIA)),
        (block(BlockKind.CAPTION), block()),
        (block(BlockKind.MEDIA), block()),
        (block(), block(BlockKind.MEDIA)),
        (block(flags=BlockFlag.HAS_MEDIA), block()),
        (block(BlockKind.AD), block()),
        (block(), block(BlockKind.AD)),
        (block(BlockKind.ASIDE), block()),
        (block(), block(BlockKind.ASIDE)),
        (block(BlockKind.OTHER), block()),
        (block(BlockKind.QUOTE, flags=BlockFlag.KEEP_WITH_NEXT), block()),
        (block(flags=BlockFlag.OPEN_SENTENCE), block(text="goes on")),
    ],
)
def test_a_slot_never_stands_between_these_even_where_the_rules_ask_for_no_distance(
    before: Block, after: Block
) -> None:
    assert gaps(plan(page(before, after), policy(mid()))) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (block(), block()),
        (block(), block(BlockKind.HEADING)),
        (block(BlockKind.LIST), block()),
        (block(BlockKind.TABLE), block()),
        (block(BlockKind.QUOTE), block()),
        (block(), block(BlockKind.QUOTE)),
        (block(BlockKind.RULE), block()),
        (block(flags=BlockFlag.OPEN_SENTENCE), block(text="New sentence")),
    ],
)
def test_a_slot_may_stand_between_these(before: Block, after: Block) -> None:
    assert gaps(plan(page(before, after), policy(mid()))) == [1]


# --- distances


@pytest.mark.parametrize(("distance", "first"), [(words(100), 1), (words(101), 2), (Distance(3, "blocks"), 3), (Distance(1200, "characters"), 2), (Distance(1201, "px"), 4)])  # fmt: skip # noqa: E501
def test_the_first_slot_comes_after_so_much_content(distance: Distance, first: int) -> None:
    assert gaps(plan(TEN, policy(mid(first_after=distance))))[0] == first


@pytest.mark.parametrize(("distance", "last"), [(words(100), 9), (words(101), 8), (Distance(3, "blocks"), 7)])
def test_the_last_slot_comes_before_so_much_content(distance: Distance, last: int) -> None:
    assert gaps(plan(TEN, policy(mid(before_end=distance))))[-1] == last


def test_ads_asides_and_pictures_are_no_distance() -> None:
    found = page(block(), block(BlockKind.AD, 500), block(BlockKind.MEDIA, 500), block(), block(), block())
    assert gaps(plan(found, policy(mid(first_after=words(201))))) == [5]


@pytest.mark.parametrize(
    ("kind", "keep"),
    [
        (BlockKind.MEDIA, replace(OPEN, around_media=words(150))),
        (BlockKind.AD, replace(OPEN, around_existing_ads=words(150))),
        (BlockKind.ASIDE, replace(OPEN, around_asides=words(150))),
    ],
)
def test_the_rules_distances_hold_on_both_sides(kind: BlockKind, keep: KeepClear) -> None:
    nine = [block() for _ in range(9)]
    nine[4] = block(kind, 3)
    assert gaps(plan(page(*nine), policy(mid(), keep=keep))) == [1, 2, 7, 8]


def test_the_distance_from_a_heading_holds_behind_it_alone() -> None:
    found = page(*[block() for _ in range(3)], block(BlockKind.HEADING, 3), *[block() for _ in range(4)])
    assert gaps(plan(found, policy(mid(), keep=replace(OPEN, after_heading=Distance(2, "blocks"))))) == [1, 2, 3, 6, 7]


def test_the_rules_own_selectors_have_distances_of_their_own() -> None:
    six = [block() for _ in range(6)]
    six[2] = replace(six[2], avoided=(1,))
    keep = replace(OPEN, around=((".x", words(500)), (".y", Distance(1, "blocks"))))
    assert gaps(plan(page(*six), policy(mid(), keep=keep))) == [1, 4, 5]


# --- where mid-article slots go


def test_after_a_paragraph_counted_from_either_end() -> None:
    for n, gap in ((1, 1), (3, 3), (-1, 9), (-3, 8)):
        assert gaps(plan(TEN, policy(mid(after_paragraph=n)))) == [gap]


def test_headings_are_no_paragraphs() -> None:
    found = page(block(BlockKind.HEADING, 3), block(), block(BlockKind.HEADING, 3), block(), block(), block())
    assert gaps(plan(found, policy(mid(after_paragraph=2)))) == [4]


def test_where_that_gap_is_forbidden_it_shifts_to_the_nearest() -> None:
    assert gaps(plan(replace(TEN, gaps=_without(TEN, 3)), policy(mid(after_paragraph=3)))) == [2]


def _without(of: Page, *illegal: int) -> tuple[Gap, ...]:
    return tuple(Gap(None, Reason.NO_LEGAL_ANCHOR) if i in illegal else gap for i, gap in enumerate(of.gaps))


def test_it_does_not_shift_far() -> None:
    found = plan(replace(TEN, gaps=_without(TEN, 1, 2, 3, 4, 5)), policy(mid(after_paragraph=1)))
    assert gaps(found) == []
    assert Reason.NOT_AT_POSITION in reasons(found)


def test_a_paragraph_that_there_is_not_has_no_place() -> None:
    assert gaps(plan(TEN, policy(mid(after_paragraph=11)))) == []
    assert gaps(plan(TEN, policy(mid(after_paragraph=-11)))) == []


def test_at_a_share_of_the_words() -> None:
    assert gaps(plan(TEN, policy(mid(at=0.5)))) == [5]
    assert gaps(plan(TEN, policy(mid(at=0.0)))) == [1]
    assert gaps(plan(TEN, policy(mid(at=1.0)))) == [9]
    uneven = page(block(count=700), *[block() for _ in range(3)])
    assert gaps(plan(uneven, policy(mid(at=0.5)))) == [1]


def test_every_so_much() -> None:
    assert gaps(plan(TEN, policy(mid(every=Distance(3, "blocks"))))) == [3, 6, 9]
    assert gaps(plan(TEN, policy(mid(every=words(250))))) == [3, 6, 9]


def test_slots_are_spread_over_the_article_where_there_is_room() -> None:
    limits = replace(ROOMY, gap=per_device(words(100)))
    taken = gaps(plan(page(*[block() for _ in range(20)]), policy(mid(max=3), limits=limits)))
    steps = [later - earlier for earlier, later in pairwise(taken)]
    assert len(taken) == 3
    assert len(set(steps)) == 1
    assert steps[0] > 1


# --- limits


def test_the_gap_between_slots_is_kept_for_all_slots_together() -> None:
    limits = replace(ROOMY, gap=per_device(words(300)))
    found = plan(TEN, policy(mid(name="a", max=1), mid(name="b"), limits=limits))
    taken = sorted(gaps(found, "a") + gaps(found, "b"))
    assert len(taken) >= 3
    assert all(later - earlier >= 3 for earlier, later in pairwise(taken))


def test_the_gap_of_each_device_counts_where_the_slot_is_shown() -> None:
    limits = replace(ROOMY, gap=per_device(words(100), words(300)))
    assert len(gaps(plan(TEN, policy(mid(sizes=PHONE_ONLY), limits=limits)))) == 9
    assert len(gaps(plan(TEN, policy(mid(sizes=DESKTOP_ONLY), limits=limits)))) == 3


def test_the_number_in_the_article_counts_all_slots() -> None:
    limits = replace(ROOMY, in_article=3)
    found = plan(TEN, policy(mid(name="a", max=2), mid(name="b"), limits=limits))
    assert (len(gaps(found, "a")), len(gaps(found, "b"))) == (2, 1)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.25, 0.5])
def test_the_share_of_ads_is_never_exceeded_on_either_device(share: float) -> None:
    limits = replace(ROOMY, ad_share=PerDevice(share, share / 2))
    found = plan(TEN, policy(mid(), slot(FixedPlace.END_OF_ARTICLE, "end"), limits=limits))
    assert found.density.phone <= share
    assert found.density.desktop <= share / 2


def test_the_density_is_the_ads_share_of_the_whole_height() -> None:
    found = plan(TEN, policy(mid(max=1)))
    assert found.content == PerDevice(4000, 2000)
    assert found.density == PerDevice(274 / 4274, 274 / 2274)


def test_the_pages_own_ads_count_and_those_that_stand_together_are_one() -> None:
    ad = block(BlockKind.AD, 0, high=274)
    one = plan(page(*TEN.blocks, ad), policy())
    assert one.density.phone == pytest.approx(274 / 4274)
    assert plan(page(*TEN.blocks, ad, ad), policy()).density == one.density
    assert plan(page(ad, *TEN.blocks, ad), policy()).density.phone > one.density.phone


def test_a_slot_with_room_on_one_device_alone_is_shown_there_alone() -> None:
    found = plan(TEN, policy(mid(max=1), limits=replace(ROOMY, ad_share=PerDevice(0.1, 0.05))))
    assert [p.devices for p in found.placements] == [("phone",)]
    assert [(r.reason, r.device) for r in found.refusals if r.gap == 5] == [(Reason.DENSITY, "desktop")]
    assert found.density.desktop == 0


def test_a_slot_without_sizes_on_a_device_is_not_counted_there() -> None:
    found = plan(TEN, policy(mid(max=1, sizes=PHONE_ONLY)))
    assert found.placements[0].devices == ("phone",)
    assert found.density.desktop == 0


def test_slots_outside_of_the_main_content_are_no_part_of_its_density() -> None:
    around = replace(TEN, above_headline=spot(5), sidebar=(spot(2000),), below_headline=spot(7))
    rules = policy(slot(FixedPlace.ABOVE_HEADLINE, "top"), slot(SidebarPlace("first"), "rail"))
    assert len(plan(around, rules).placements) == 2
    assert plan(around, rules).density == PerDevice(0, 0)
    assert plan(around, policy(slot(FixedPlace.BELOW_HEADLINE, "below"))).density.phone > 0


# --- priorities and order


def test_the_higher_priority_takes_first_and_equal_ones_in_the_order_of_the_rules() -> None:
    limits = replace(ROOMY, in_article=1)
    assert plan(TEN, policy(mid(name="a"), mid(name="b", priority=1), limits=limits)).placements[0].slot == "b"
    assert plan(TEN, policy(mid(name="a"), mid(name="b"), limits=limits)).placements[0].slot == "a"


def test_placements_come_in_document_order_and_are_counted_by_slot() -> None:
    around = replace(TEN, above_headline=spot(5), end_of_article=spot(1500))
    rules = policy(
        slot(FixedPlace.END_OF_ARTICLE, "end", priority=9), mid(max=2, at=None), slot(FixedPlace.ABOVE_HEADLINE, "top")
    )
    found = plan(around, rules)
    assert [p.slot for p in found.placements] == ["top", "mid", "mid", "end"]
    assert [p.n for p in found.placements] == [1, 1, 2, 1]
    assert offsets(found) == sorted(offsets(found))


def test_no_two_slots_stand_at_one_place() -> None:
    around = replace(TEN, end_of_article=spot(500), below_headline=spot(500))
    rules = policy(
        slot(FixedPlace.END_OF_ARTICLE, "end", priority=2), slot(FixedPlace.BELOW_HEADLINE, "below", priority=1), mid()
    )
    found = plan(around, rules)
    assert len(set(offsets(found))) == len(found.placements)
    assert "below" not in [p.slot for p in found.placements]
    assert 5 not in gaps(found)


# --- single spots


@pytest.mark.parametrize(
    ("beside", "reason"),
    [
        (spot(5, ad_before=10), Reason.NEAR_EXISTING_AD),
        (spot(5, ad_after=10), Reason.NEAR_EXISTING_AD),
        (spot(5, media_before=True), Reason.NEAR_MEDIA),
        (spot(5, media_after=True), Reason.NEAR_MEDIA),
        (spot(5, lead_in_before=True), Reason.AFTER_LEAD_IN),
        (NO_SPOT, Reason.NO_SUCH_PLACE),
        (Spot(None, Reason.NO_LEGAL_ANCHOR), Reason.NO_LEGAL_ANCHOR),
        (Spot(_anchor(5, settled=False)), Reason.PENDING_FORMATTING),
    ],
)
def test_a_spot_is_refused_for_what_stands_around_it(beside: Spot, reason: Reason) -> None:
    rules = policy(slot(FixedPlace.ABOVE_HEADLINE, creative=IMAGE), keep=KeepClear())
    found = plan(replace(TEN, above_headline=beside), rules)
    assert [r.reason for r in found.refusals] == [reason]
    assert found.placements == ()


def test_an_ad_that_is_far_enough_away_is_no_neighbour() -> None:
    rules = policy(slot(FixedPlace.ABOVE_HEADLINE), keep=replace(OPEN, around_existing_ads=words(10)))
    assert plan(replace(TEN, above_headline=spot(5, ad_before=10)), rules).placements


def test_a_heading_directly_before_forbids_a_widget_but_not_the_place_below_the_headline() -> None:
    under = spot(5, heading_before=True)
    assert plan(replace(TEN, below_headline=under), policy(slot(FixedPlace.BELOW_HEADLINE))).placements
    found = plan(replace(TEN, sidebar=(under,)), policy(slot(SidebarPlace("first"))))
    assert reasons(found) == {Reason.AFTER_HEADING}


def test_inert_creatives_need_no_settled_place_and_others_do() -> None:
    place = replace(TEN, above_headline=Spot(_anchor(5, settled=False)))
    for creative, placed in (
        (HtmlCreative(b"<p>a</p>", inert=False), 0),
        (HtmlCreative(b"", inert=True), 1),
        (ByPage(), 1),
    ):
        assert len(plan(place, policy(slot(FixedPlace.ABOVE_HEADLINE, creative=creative))).placements) == placed


def test_the_sidebars_places_are_counted_by_widgets() -> None:
    five = replace(TEN, sidebar=tuple(spot(2000 + i) for i in range(5)))
    for widget, offset in (("first", 2000), ("last", 2004), (1, 2001), (3, 2003), (99, 2004)):
        assert offsets(plan(five, policy(slot(SidebarPlace(widget))))) == [offset]  # type: ignore[arg-type]


def test_a_forbidden_place_in_the_sidebar_shifts_to_the_nearest() -> None:
    spots = (spot(2000), Spot(None, Reason.NO_LEGAL_ANCHOR), None, spot(2003))
    found = plan(replace(TEN, sidebar=spots), policy(slot(SidebarPlace(1))))
    assert offsets(found) == [2000]
    assert reasons(found) == {Reason.NO_LEGAL_ANCHOR}


def test_a_selectors_slot_is_put_at_as_many_matches_as_it_may_have() -> None:
    where = SelectorPlace("after", ".x")
    named = {where.key: tuple(spot(5000 + i) for i in range(5))}
    assert offsets(plan(replace(TEN, named=named), policy(slot(where, max=2)))) == [5000, 5001]


def test_a_selectors_slot_needs_no_article() -> None:
    where = SelectorPlace("after", ".x")
    front = Page(article_problem=Reason.NO_ARTICLE, named={where.key: (spot(5),)})
    assert offsets(plan(front, policy(slot(where)))) == [5]


def test_a_selectors_slot_within_the_article_obeys_its_limits() -> None:
    where = SelectorPlace("before", ".x")
    inside = replace(TEN, named={where.key: (spot(450), spot(550), spot(9000))})
    tight = replace(ROOMY, gap=per_device(words(300)))
    found = plan(inside, policy(slot(where), limits=tight))
    assert offsets(found) == [450, 9000]
    assert [(p.anchor.gap >= 0) for p in found.placements] == [True, False]
    assert reasons(found) == {Reason.TOO_NEAR_SLOT}
    few = plan(inside, policy(slot(where), limits=replace(ROOMY, in_article=1)))
    assert (offsets(few), reasons(few)) == ([450, 9000], {Reason.MAX_IN_ARTICLE})
    none = plan(inside, policy(slot(where), limits=replace(ROOMY, ad_share=PerDevice(0, 0))))
    assert (offsets(none), reasons(none)) == ([9000], {Reason.DENSITY})


def test_two_slots_never_share_a_gap_even_where_the_rules_ask_for_no_distance() -> None:
    where = SelectorPlace("before", ".x")
    inside = replace(TEN, named={where.key: (spot(440), spot(460))})
    found = plan(inside, policy(slot(where)))
    assert (offsets(found), reasons(found)) == ([440], {Reason.TOO_NEAR_SLOT})


def test_mid_article_slots_keep_their_distance_from_a_selectors() -> None:
    where = SelectorPlace("before", ".x")
    inside = replace(TEN, named={where.key: (spot(500),)})
    limits = replace(ROOMY, gap=per_device(words(300)))
    found = plan(inside, policy(slot(where, "own", priority=1), mid(), limits=limits))
    assert 5 in gaps(found, "own")
    assert all(abs(gap - 5) >= 3 for gap in gaps(found))


def test_an_id_that_the_page_has_keeps_a_slot_away_unless_it_counts() -> None:
    taken = replace(TEN, facts=Facts(ids=frozenset({"ad-1", "ad"})))
    assert reasons(plan(taken, policy(mid(creative=ByPage(id="ad"))))) == {Reason.ID_TAKEN}
    assert plan(taken, policy(mid(creative=ByPage(id="ad-{n}")))).placements
