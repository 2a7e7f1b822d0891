"""All slots are placed together: never worse than any other set that keeps the limits.

`ADPROXY_FUZZ_EXAMPLES=N` makes N examples of each property, chosen at random, and reduces what fails.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, event, given, reject, settings
from hypothesis import strategies as st
from limits import check_plan, measured_pages
from placing import Case, Put
from soup import strict_policies

from adproxy.model import Anchor, Block, BlockKind, Edge, Gap, Page, PerDevice, Reason, Spot
from adproxy.plan import plan
from adproxy.plan.chosen import Chosen
from adproxy.plan.contender import Contender
from adproxy.plan.for_page import for_page
from adproxy.plan.gaps import Gaps
from adproxy.plan.spread import Spread
from adproxy.plan.state import State
from adproxy.rules.ruleset import (
    NO_DISTANCE,
    ByPage,
    Counts,
    Distance,
    DistancePerDevice,
    FixedPlace,
    KeepClear,
    Limits,
    MidArticle,
    Policy,
    SelectorPlace,
    SidebarPlace,
    Size,
    SizeMap,
    Slot,
)

EXAMPLES = int(os.environ.get("ADPROXY_FUZZ_EXAMPLES", "0"))
MAX_SETS = 1_500
"""Pages on which more sets keep the limits are left to others."""


def examples(n: int) -> settings:
    return settings(
        max_examples=EXAMPLES or n,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=tuple(Phase) if EXAMPLES else (Phase.explicit, Phase.generate),
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


# --- small pages and rules ------------------------------------------------------------------------

BOTH = SizeMap(((0, (Size(300, 250),)),))
SMALL = SizeMap(((0, (Size(320, 100),)),))
UNEQUAL = SizeMap(((0, (Size(320, 50),)), (1024, (Size(300, 600),))))
PHONE = SizeMap(((0, (Size(300, 250),)), (768, ())))
DESKTOP = SizeMap(((0, ()), (1024, (Size(728, 90),))))
X = SelectorPlace("before", ".x")

_KINDS = [BlockKind.PARAGRAPH] * 12 + [BlockKind.AD, BlockKind.MEDIA, BlockKind.HEADING, BlockKind.ASIDE]
_block = st.builds(
    lambda kind, words: Block(kind, words, 6 * words, PerDevice(20 + 4 * words, 20 + 2 * words), 0, "p", "A text."),
    st.sampled_from(_KINDS),
    st.sampled_from([10, 40, 40, 60, 90, 150]),
)
_places = st.sampled_from([
    MidArticle(), MidArticle(), MidArticle(), MidArticle(), MidArticle(at=0.5), MidArticle(after_paragraph=2),
    MidArticle(every=Distance(2, "blocks")), X, FixedPlace.BELOW_HEADLINE, FixedPlace.ABOVE_HEADLINE,
    FixedPlace.END_OF_ARTICLE, FixedPlace.END_OF_ARTICLE, SidebarPlace("first"),
])  # fmt: skip
_slot = st.builds(
    Slot,
    st.just("s"),
    _places,
    st.sampled_from([BOTH, BOTH, BOTH, SMALL, UNEQUAL, PHONE, DESKTOP]),
    st.just(ByPage()),
    priority=st.sampled_from([0, 0, 0, 1, -1]),
    max=st.sampled_from([1, 2, 3, 4]),
)
_distances = st.builds(Distance, st.sampled_from([0, 60, 100, 150]), st.just("words"))
_gap = st.one_of(_distances, st.just(Distance(2, "blocks")), st.just(Distance(500, "px")))
_rules = st.builds(
    lambda slots, limits, keep: Policy(
        "s", None, None, limits, keep, tuple(replace(slot, name=f"s{i}") for i, slot in enumerate(slots))
    ),
    st.lists(_slot, min_size=1, max_size=5),
    st.builds(
        Limits,
        st.builds(PerDevice, st.sampled_from([0.1, 0.2, 0.3, 0.9]), st.sampled_from([0.1, 0.2, 0.4, 0.9])),
        st.builds(DistancePerDevice, _gap, _gap),
        st.sampled_from([1, 2, 3, 8]),
    ),
    st.builds(KeepClear, st.just(NO_DISTANCE), _distances, st.just(Distance(30, "words")), st.just(NO_DISTANCE)),
)


def _anchor(offset: int, gap: int = -1) -> Anchor:
    return Anchor(offset, Edge.BEFORE_START, gap, settled=True)


@st.composite
def _pages(draw: st.DrawFn) -> Page:
    blocks = tuple(draw(st.lists(_block, min_size=2, max_size=13)))
    gaps = tuple(Gap(_anchor(100 * i + 100, i)) for i in range(len(blocks) + 1))
    behind = 100 * len(blocks) + 200
    matches = draw(st.lists(st.integers(1, len(blocks)), max_size=2))
    named = tuple(Spot(_anchor(100 * i + draw(st.sampled_from([50, 100])))) for i in matches)
    return Page(
        blocks=blocks,
        gaps=gaps,
        above_headline=Spot(_anchor(10)),
        below_headline=Spot(_anchor(20)),
        end_of_article=Spot(_anchor(behind)),
        sidebar=(Spot(_anchor(behind + 50)), Spot(_anchor(behind + 60))),
        named={X.key: named},
    )


_cases = st.builds(Case, _pages(), _rules)


def page_of(words: list[int], kind: dict[int, BlockKind] | None = None) -> Page:
    kinds = kind or {}
    blocks = tuple(
        Block(kinds.get(i, BlockKind.PARAGRAPH), n, 6 * n, PerDevice(4.0 * n, 2.0 * n), 0, "p", "A text.")
        for i, n in enumerate(words)
    )
    return Page(blocks=blocks, gaps=tuple(Gap(_anchor(100 * i + 100, i)) for i in range(len(blocks) + 1)))


def rules_of(*slots: Slot, gap: float = 100, share: float = 0.9, media: float = 0, most: int = 8) -> Policy:
    distance = Distance(gap, "words")
    limits = Limits(PerDevice(share, share), DistancePerDevice(distance, distance), most)
    return Policy("s", None, None, limits, KeepClear(NO_DISTANCE, Distance(media, "words"), NO_DISTANCE), slots)


def mid(name: str = "mid", most: int = 8, priority: int = 0, sizes: SizeMap = BOTH) -> Slot:
    return Slot(name, MidArticle(), sizes, ByPage(), priority=priority, max=most)


def gaps(case: Case) -> list[int]:
    return [p.anchor.gap for p in plan(case.page, case.policy).placements]


# --- the best there is ----------------------------------------------------------------------------


def best_of_all(case: Case) -> list[Put]:
    """By looking at each set there is, where they are not too many for this example of a property."""
    sets = list(islice(case.every_set(), MAX_SETS + 1))
    if len(sets) > MAX_SETS:
        reject()
    return max(sets, key=case.objective)


def check_best(case: Case) -> None:
    made = plan(case.page, case.policy)
    check_plan(case.page, case.policy, made)
    found, best = case.puts_of(made), best_of_all(case)
    assert case.allowed(found)
    assert case.objective(found) == case.objective(best), f"{made.placements}\nbetter: {best}"


@examples(150)
@given(_cases)
def test_no_other_set_is_better(case: Case) -> None:
    check_best(case)


def with_counts(case: Case, inside: Counts, each: Counts) -> Case:
    """With other numbers of slots on phones than on desktops."""
    limits = replace(case.policy.limits, in_article=max(inside), in_article_on=inside)
    slots = tuple(replace(slot, max=max(each), max_on=each) for slot in case.policy.slots)
    return Case(case.page, replace(case.policy, limits=limits, slots=slots))


@examples(150)
@given(
    _cases,
    st.builds(Counts, st.integers(0, 3), st.integers(0, 3)),
    st.builds(Counts, st.integers(1, 3), st.integers(1, 3)),
)
def test_no_other_set_is_better_where_devices_show_different_numbers(case: Case, inside: Counts, each: Counts) -> None:
    check_best(with_counts(case, inside, each))


# --- never worse than one slot after the other ----------------------------------------------------


@examples(80)
@given(st.data(), strict_policies())
def test_a_set_is_never_worth_less_than_slots_placed_one_by_one(data: st.DataObject, policy: Policy) -> None:
    policy = replace(policy, slots=tuple(replace(slot, instead_of="") for slot in policy.slots))
    page = data.draw(measured_pages(policy))
    case = Case(page, for_page(page, policy)[0])  # without the slots whose conditions the page doesn't meet
    one_by_one = case.one_by_one()
    event(f"{len(one_by_one)} placed")
    assert case.objective(case.puts_of(plan(case.page, policy))) >= case.objective(one_by_one)


@examples(60)
@given(_cases)
def test_the_bounded_search_is_never_worth_less_than_one_by_one_either(case: Case) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adproxy.plan.search.MAX_KEPT", 1)
        patch.setattr("adproxy.plan.search._LEAST_KEPT", 1)
        made = plan(case.page, case.policy)
    check_plan(case.page, case.policy, made)
    contenders = sorted(case.contenders(), key=lambda c: -c.slot.priority)
    greedy: list[Put] = []
    for contender in contenders:
        greedy = case.with_slot(greedy, contender)
    assert case.objective(case.puts_of(made))[0] >= case.objective(greedy)[0]


# --- parts and search agree -----------------------------------------------------------------------


@examples(150)
@given(
    st.lists(_block, min_size=2, max_size=40),
    st.builds(
        Slot,
        st.just("mid"),
        st.sampled_from([MidArticle(), MidArticle(), MidArticle(at=0.3), MidArticle(every=Distance(90, "words"))]),
        st.sampled_from([BOTH, UNEQUAL, PHONE]),
        st.just(ByPage()),
        max=st.sampled_from([1, 2, 4, 8]),
    ),
    st.sets(st.sampled_from([FixedPlace.BELOW_HEADLINE, FixedPlace.END_OF_ARTICLE])),
    st.sampled_from([(60, 0.9), (100, 0.3), (150, 0.2), (100, 0.15)]),
    st.one_of(st.none(), st.builds(Counts, st.integers(0, 4), st.integers(0, 4))),
)
def test_what_is_solved_in_parts_is_as_good_as_what_is_searched(
    blocks: list[Block], slot: Slot, others: set[FixedPlace], limits: tuple[int, float], counts: Counts | None
) -> None:
    gap, share = limits
    singles = [
        Slot(place.value, place, SMALL, ByPage(), priority=-1) for place in sorted(others, key=lambda p: p.value)
    ]
    page = replace(
        page_of([]),
        blocks=tuple(blocks),
        gaps=tuple(Gap(_anchor(100 * i + 100, i)) for i in range(len(blocks) + 1)),
        below_headline=Spot(_anchor(20)),
        end_of_article=Spot(_anchor(100_000)),
    )
    case = Case(page, rules_of(slot, *singles, gap=gap, share=share, media=30))
    if counts is not None:
        limits_too = replace(case.policy.limits, in_article=max(counts), in_article_on=counts)
        case = Case(page, replace(case.policy, limits=limits_too))
    in_parts = case.puts_of(plan(page, case.policy))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("adproxy.plan.choose"), "_falls_apart", lambda _: False)
        searched = case.puts_of(plan(page, case.policy))
    event(f"{len(in_parts)} placed")
    assert case.objective(in_parts) == case.objective(searched)


# --- the gap between slots may grow ---------------------------------------------------------------


@examples(60)
@given(_cases, st.sampled_from([20.0, 45.0]))
def test_no_other_set_is_better_where_each_gap_is_wider_than_the_one_before(case: Case, grows: float) -> None:
    assume(case.policy.limits.gap.phone.unit == case.policy.limits.gap.desktop.unit == "words")
    limits = replace(case.policy.limits, gap_grows=Distance(grows, "words"))
    growing = Case(case.page, replace(case.policy, limits=limits))
    found = growing.puts_of(plan(growing.page, growing.policy))
    assert growing.allowed(found)
    assert growing.objective(found) == growing.objective(best_of_all(growing))


# --- what should hold whatever the page -----------------------------------------------------------


@examples(100)
@given(_cases)
def test_without_an_ad_of_its_own_a_page_has_room_for_no_less(case: Case) -> None:
    slots = tuple(slot for slot in case.policy.slots if slot.place == MidArticle())
    assume(slots and any(block.kind is BlockKind.AD for block in case.page.blocks))
    first = next(i for i, block in enumerate(case.page.blocks) if block.kind is BlockKind.AD)
    left = (*case.page.blocks[:first], *case.page.blocks[first + 1 :])
    without = replace(case.page, blocks=left, gaps=case.page.gaps[: len(left) + 1])
    rules = replace(case.policy, slots=slots)
    before, after = Case(case.page, rules), Case(without, rules)
    value = before.objective(before.puts_of(plan(case.page, rules)))[0]
    assert after.objective(after.puts_of(plan(without, rules)))[0] >= value


@examples(100)
@given(_cases)
def test_every_place_that_is_not_taken_says_why(case: Case) -> None:
    made = plan(case.page, case.policy)
    taken = {(p.slot, p.anchor.offset, device) for p in made.placements for device in p.devices}
    for contender in case.contenders():
        name = contender.slot.name
        if not isinstance(contender.slot.place, MidArticle):
            continue
        for anchor in contender.anchors:
            refused = [r for r in made.refusals if r.slot == name and r.anchor == anchor]
            missing = [d for d in contender.devices if (name, anchor.offset, d) not in taken]
            assert bool(refused) == bool(missing)
            for refusal in refused:
                assert refusal.reason is not Reason.DENSITY or refusal.device in missing


# --- what an editor sees --------------------------------------------------------------------------


def test_a_slot_does_not_take_the_place_that_leaves_room_for_fewer() -> None:
    # first come, first served would take gap 2 for the slot in the middle, and no two others would fit beside it
    case = Case(page_of([100, 100, 100, 100]), rules_of(mid("b", 2), gap=200))
    assert gaps(case) == [1, 3]


def test_a_slot_of_higher_priority_is_not_given_up_for_many_others() -> None:
    tall = Slot("tall", FixedPlace.END_OF_ARTICLE, BOTH, ByPage(), priority=1)
    page = replace(page_of([100] * 8), end_of_article=Spot(_anchor(5000)))
    placed = [p.slot for p in plan(page, rules_of(mid(sizes=SMALL), tall, share=0.1)).placements]
    assert "tall" in placed


def test_a_big_slot_of_the_same_priority_makes_way_for_more_small_ones() -> None:
    tall = Slot("tall", FixedPlace.END_OF_ARTICLE, BOTH, ByPage())
    page = replace(page_of([100] * 10), end_of_article=Spot(_anchor(5000)))
    rules = rules_of(tall, mid("small", sizes=SMALL), share=0.07)
    assert [p.slot for p in plan(page, rules).placements if "phone" in p.devices] == ["small", "small"]


def test_each_slot_stands_in_the_middle_of_its_share_of_the_text() -> None:
    assert gaps(Case(page_of([50] * 12), rules_of(mid(most=1)))) == [6]
    assert gaps(Case(page_of([50] * 12), rules_of(mid(most=2)))) == [3, 9]
    assert gaps(Case(page_of([50] * 12), rules_of(mid(most=3)))) == [2, 6, 10]


def test_the_pages_own_ad_is_a_neighbour() -> None:
    own = {6: BlockKind.AD}
    assert gaps(Case(page_of([50] * 6 + [0] + [50] * 6, own), rules_of(mid(most=2)))) in ([2, 11], [3, 10])
    assert gaps(Case(page_of([0] + [50] * 9, {0: BlockKind.AD}), rules_of(mid(most=1)))) == [7]


def test_a_slot_at_the_end_is_a_neighbour_too() -> None:
    end = Slot("end", FixedPlace.END_OF_ARTICLE, BOTH, ByPage())
    page = replace(page_of([50] * 9), end_of_article=Spot(_anchor(5000)))
    assert [p.anchor.gap for p in plan(page, rules_of(mid(most=1), end)).placements] == [3, -1]


def test_where_two_places_are_as_even_the_one_farther_from_a_picture_is_taken() -> None:
    around = page_of([300, 20, 30, 20, 300, 0], {5: BlockKind.MEDIA})
    near = page_of([0, 300, 20, 30, 20, 300], {0: BlockKind.MEDIA})
    assert gaps(Case(around, rules_of(mid(most=1), gap=1000, media=300))) == [1]
    assert gaps(Case(near, rules_of(mid(most=1), gap=1000, media=300))) == [5]


def test_what_fits_some_of_the_places_on_a_device_is_spread_there() -> None:
    page = page_of([100] * 16)
    limits = Limits(PerDevice(0.9, 0.16), DistancePerDevice(Distance(200, "words"), Distance(200, "words")), 4)
    made = plan(page, replace(rules_of(mid(most=4)), limits=limits))
    assert ["desktop" in p.devices for p in made.placements] == [True, False, True, False]
    assert made.density.desktop <= 0.16


# --- the checks can fail --------------------------------------------------------------------------


def _first_come_first_served(state: State, contenders: Sequence[Contender]) -> Chosen:
    chosen = Chosen(state)
    chosen.fill(contenders)
    return chosen


def _keeps_no_stretch(self: Spread, n: int, clearance: object, *, headline: bool, end: bool) -> list[int]:
    return self.earliest(n)


def _dominates_by_value_alone(better: Any, partial: Any, gap: int) -> bool:
    return bool(better.value >= partial.value)


def _nothing_is_near(self: Gaps, gap: int) -> float:
    return 1.0


EVEN = Case(page_of([50] * 7), rules_of(mid(most=2)))
HALFWAY = Slot("halfway", MidArticle(at=0.5), BOTH, ByPage())
BROKEN: dict[str, tuple[object, str, object, Case]] = {
    "slots one by one": (import_module("adproxy.plan"), "choose", _first_come_first_served, EVEN),
    "no evenness": (Spread, "even", _keeps_no_stretch, EVEN),
    "partial plans dropped for their value alone": (
        import_module("adproxy.plan.search"), "_dominates", _dominates_by_value_alone,
        Case(page_of([100] * 6), rules_of(HALFWAY, mid(most=1), gap=200)),
    ),
    "no clearance": (
        Gaps, "clearance", _nothing_is_near,
        Case(page_of([0, 300, 20, 30, 20, 300], {0: BlockKind.MEDIA}), rules_of(mid(most=1), gap=1000, media=300)),
    ),
}  # fmt: skip


@pytest.mark.source
@pytest.mark.parametrize("name", BROKEN)
def test_the_comparison_with_all_sets_catches_a_worse_planner(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, function, broken, case = BROKEN[name]
    check_best(case)
    monkeypatch.setattr(owner, function, broken)
    with pytest.raises(AssertionError):
        check_best(case)
