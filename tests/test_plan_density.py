"""A finished plan's densities: what is counted, and what it is divided by."""

from __future__ import annotations

import pytest

from adproxy.model import Anchor, Block, BlockKind, Edge, Gap, Page, PerDevice, Placement, Plan
from adproxy.plan.density import SCREENS, lighthouse_density, main_content_density
from adproxy.rules.ruleset import (
    ByPage,
    FixedPlace,
    KeepClear,
    Limits,
    MidArticle,
    Place,
    Policy,
    SidebarPlace,
    Size,
    SizeMap,
    Slot,
)

TEXT = PerDevice(500, 300)
AD = PerDevice(274, 274)
PHONE, DESKTOP = SCREENS.phone, SCREENS.desktop


def slot(name: str, place: Place, height: int) -> Slot:
    return Slot(name, place, SizeMap(((0, (Size(300, height),)),)), ByPage(), label="")


SLOTS = (
    slot("top", FixedPlace.ABOVE_HEADLINE, 100),
    slot("mid", MidArticle(), 250),
    slot("end", FixedPlace.END_OF_ARTICLE, 200),
    slot("rail", SidebarPlace("first"), 600),
)
POLICY = Policy("s", None, None, Limits(), KeepClear(), SLOTS)


def page(*kinds: BlockKind) -> Page:
    blocks = tuple(
        Block(kind, 0 if kind is BlockKind.AD else 90, 500, AD if kind is BlockKind.AD else TEXT) for kind in kinds
    )
    gaps = tuple(Gap(Anchor(100 * (i + 1), Edge.BEFORE_START, i)) for i in range(len(blocks) + 1))
    return Page(blocks=blocks, gaps=gaps)


def at(name: str, gap: int = -1, offset: int = 0, *devices: str) -> Placement:
    on = devices or ("phone", "desktop")
    return Placement(name, Anchor(offset or 100 * (gap + 1), Edge.BEFORE_START, gap), 1, on)  # type: ignore[arg-type]


FOUR = page(*[BlockKind.PARAGRAPH] * 4)


def test_the_main_content_has_the_slots_in_and_after_the_article_and_no_others() -> None:
    plan = Plan((at("top", offset=50), at("mid", 2), at("end", offset=900), at("rail", offset=950)))
    found = main_content_density(FOUR, POLICY, plan)
    assert (found.phone, found.desktop) == pytest.approx((450 / 2450, 450 / 1650))


def test_a_slot_counts_on_its_devices_alone() -> None:
    found = main_content_density(FOUR, POLICY, Plan((at("mid", 2, 0, "phone"),)))
    assert (found.phone, found.desktop) == pytest.approx((250 / 2250, 0))
    assert lighthouse_density(FOUR, POLICY, Plan((at("mid", 2, 0, "phone"),))).desktop == 0


def test_lighthouse_divides_by_the_way_to_the_lowest_ads_middle_and_one_screen() -> None:
    found = lighthouse_density(FOUR, POLICY, Plan((at("mid", 2),)))
    expected = (250 / (1000 + 125 + PHONE), 250 / (600 + 125 + DESKTOP))
    assert (found.phone, found.desktop) == pytest.approx(expected)


def test_lighthouse_takes_the_column_with_most_advertising() -> None:
    alone = lighthouse_density(FOUR, POLICY, Plan((at("mid", 2),)))
    with_rail = lighthouse_density(FOUR, POLICY, Plan((at("mid", 2), at("rail", offset=950))))
    assert with_rail.desktop == pytest.approx(600 / (600 + 125 + DESKTOP))
    # phones have one column: the rail comes after the article
    assert with_rail.phone == pytest.approx(850 / (2000 + 250 + 300 + PHONE))
    assert alone.phone < with_rail.phone


def test_lighthouse_counts_ads_above_the_headline_and_the_pages_own() -> None:
    own = page(BlockKind.PARAGRAPH, BlockKind.AD, BlockKind.AD, BlockKind.PARAGRAPH)
    found = lighthouse_density(own, POLICY, Plan((at("top", offset=50),)))
    # two ads one behind the other are one to the reader
    assert found.phone == pytest.approx((100 + 274) / (100 + 500 + 137 + PHONE))
    assert main_content_density(own, POLICY, Plan()).phone == pytest.approx(274 / 1274)


def test_without_ads_there_is_no_density() -> None:
    assert lighthouse_density(FOUR, POLICY, Plan()) == main_content_density(FOUR, POLICY, Plan()) == PerDevice(0, 0)


def test_a_plan_without_main_content_is_no_denser_than_all() -> None:
    empty = Page()
    assert lighthouse_density(empty, POLICY, Plan((at("rail", offset=9),))).desktop <= 1
