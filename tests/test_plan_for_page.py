"""Conditions: which slots a page gets by what it is and says; markers: where an editor wants them."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from adproxy.model import Anchor, Block, BlockKind, Edge, Facts, Gap, Page, PerDevice, Reason, Refusal, Spot
from adproxy.plan import plan
from adproxy.plan.for_page import for_page
from adproxy.rules import values
from adproxy.rules.ruleset import (
    ByPage,
    Distance,
    DistancePerDevice,
    FixedPlace,
    KeepClear,
    Limits,
    MidArticle,
    Policy,
    Said,
    SelectorPlace,
    Size,
    SizeMap,
    Slot,
    When,
)

MID = Slot("mid", MidArticle(), SizeMap(((0, (Size(300, 50),)),)), ByPage(), max=9)
BLOCKS = tuple(
    Block(BlockKind.PARAGRAPH, 100, 600, PerDevice(400, 200), text=f"Paragraph {i}.", tag="p") for i in range(10)
)
GAPS = tuple(Gap(Anchor(100 * i, Edge.BEFORE_START, i, True)) for i in range(11))
CLEAR = KeepClear(Distance(0, "words"), Distance(0, "words"), Distance(0, "words"))
OPEN = Limits(PerDevice(0.9, 0.9), DistancePerDevice(Distance(100, "words"), Distance(100, "words")), 50)


def page(lang: str = "", meta: dict[str, str] | None = None, **more: object) -> Page:
    json_ld = {key: str(value) for key, value in more.items()}
    facts = Facts(
        lang=lang,
        meta=MappingProxyType(meta or {}),
        json_ld=MappingProxyType(json_ld),
        matched=frozenset({".story"}),
    )
    return Page(blocks=BLOCKS, gaps=GAPS, facts=facts)


def policy(*slots: Slot, **more: object) -> Policy:
    return replace(Policy("s", None, None, OPEN, CLEAR, slots), **more)  # type: ignore[arg-type]


def refusal(of: Page, when: When) -> Refusal | None:
    """Of the slot as a whole, with its condition."""
    planned = plan(of, policy(replace(MID, when=when)))
    found = [r for r in planned.refusals if r.reason is Reason.CONDITION]
    assert bool(found) != bool(planned.placements)
    return found[0] if found else None


def said(value: object) -> Said:
    return values.parse_said(value)


@pytest.mark.parametrize(
    ("when", "of"),
    [
        (When(min_words=1000), page()),
        (When(max_words=1000), page()),
        (When(language=Said(("en",))), page("en")),
        (When(language=Said(("en",))), page("en-gb")),
        (When(language=Said(("zh-hant", "de"))), page("zh-hant-tw")),
        (When(language=Said(none_of=("en",))), page("enm")),
        (When(language=Said(none_of=("en",))), page("")),
        (When(json_ld=(("a", said(True)),)), page(a="true")),
        (When(json_ld=(("a", said(True)),)), page(a="True")),
        (When(json_ld=(("a", said(False)),)), page(a="http://schema.org/False")),
        (When(json_ld=(("a", said(["News", "Sport"])),)), page(a="sport")),
        (When(json_ld=(("a", said("Sport")),)), page(a="News,Sport")),
        (When(json_ld=(("a", said("washington, d.c.")),)), page(a="Washington,  D.C.")),
        (When(json_ld=(("a", said({"not": ["News", "Sport"]})),)), page(a="Newsletter")),
        (When(json_ld=(("a", said({"not": True})),)), page()),
        (When(json_ld=(("a", said({"since": "2026-01-31"})),)), page(a="2026-01-31T00:00:00+01:00")),
        (When(json_ld=(("a", said({"before": "2026-01-31"})),)), page(a="2026-01-30")),
        (When(json_ld=(("a", said({"since": "2026-01-01", "before": "2026-02-01"})),)), page(a="2026-01-15 10:00")),
        (When(meta=(("og:type", said("article")),)), page(meta={"og:type": "Article"})),
        (When(has=(".story",), has_not=(".sponsored",)), page()),
    ],
)
def test_a_page_that_meets_a_condition_gets_the_slot(when: When, of: Page) -> None:
    assert refusal(of, when) is None


@pytest.mark.parametrize(
    ("when", "of", "required", "actual"),
    [
        (When(min_words=1001), page(), "at least 1001 words in the article", "1000 words"),
        (When(max_words=999), page(), "at most 999 words in the article", "1000 words"),
        (When(language=Said(("en", "de"))), page("fr"), "language en or de", "“fr”"),
        (When(language=Said(("en-gb",))), page("en"), "language en-gb", "“en”"),
        (When(language=Said(("en",))), page(""), "language en", "none"),
        (When(language=Said(none_of=("en",))), page("en-us"), "language not en", "“en-us”"),
        (When(json_ld=(("a", said(True)),)), page(a="false"), "json_ld a true", "“false”"),
        (When(json_ld=(("a", said(True)),)), page(), "json_ld a true", "none"),
        (When(json_ld=(("a", said("News")),)), page(a="Newsletter"), "json_ld a news", "“Newsletter”"),
        (When(json_ld=(("a", said({"not": "Sport"})),)), page(a="News, Sport"), "json_ld a not sport", "“News, Sport”"),
        (
            When(json_ld=(("a", said({"since": "2026-02-01"})),)),
            page(a="2026-01-31T23:00"),
            "json_ld a of 2026-02-01 or later",
            "“2026-01-31T23:00”",
        ),
        (
            When(json_ld=(("a", said({"before": "2026-02-01"})),)),
            page(a="2026-02-01"),
            "json_ld a before 2026-02-01",
            "“2026-02-01”",
        ),
        (When(json_ld=(("a", said({"before": "2026-02-01"})),)), page(a="x"), "json_ld a before 2026-02-01", "“x”"),
        (When(json_ld=(("a", said({"since": "2026-02-01"})),)), page(), "json_ld a of 2026-02-01 or later", "none"),
        (When(meta=(("m", said({"not": "noindex"})),)), page(meta={"m": "noindex"}), "meta m not noindex", "“noindex”"),
        (When(has=(".story", ".x")), page(), "something that matches .x", "nothing does"),
        (When(has_not=(".story",)), page(), "nothing that matches .story", "something does"),
    ],
)  # fmt: skip
def test_a_refusal_says_which_condition_and_what_was_found(when: When, of: Page, required: str, actual: str) -> None:
    found = refusal(of, when)
    assert found is not None
    assert (found.slot, found.required, found.actual) == ("mid", required, actual)


def test_the_conditions_of_the_page_are_those_of_every_slot() -> None:
    end = replace(MID, name="end", place=FixedPlace.END_OF_ARTICLE)
    planned = plan(page("fr"), policy(MID, end, when=When(language=Said(("en",)))))
    assert planned.placements == ()
    assert [(r.slot, r.reason) for r in planned.refusals] == [("mid", Reason.CONDITION), ("end", Reason.CONDITION)]


def test_a_slot_that_is_not_for_the_page_leaves_its_room_to_the_others() -> None:
    first = replace(MID, name="first", priority=9, when=When(min_words=5000))
    assert {p.slot for p in plan(page(), policy(first, MID)).placements} == {"mid"}


def marked(*offsets: int | None, slot: str = "mid") -> Page:
    spots = tuple(
        Spot(None, Reason.NO_LEGAL_ANCHOR) if o is None else Spot(Anchor(o, Edge.BEFORE_START, settled=True))
        for o in offsets
    )
    return replace(page(), named=MappingProxyType({SelectorPlace("marked", slot).key: spots}))


def test_a_marked_slot_stands_at_its_marks_alone() -> None:
    assert [p.anchor.offset for p in plan(marked(300, 700), policy(MID)).placements] == [300, 700]
    assert [p.anchor.gap for p in plan(marked(300, 700), policy(MID)).placements] == [3, 7]


def test_marks_obey_the_limits_of_the_page() -> None:
    wide = DistancePerDevice(Distance(150, "words"), Distance(150, "words"))
    near = plan(marked(300, 400, 700), policy(MID, limits=replace(OPEN, gap=wide)))
    assert [p.anchor.offset for p in near.placements] == [300, 700]
    assert Reason.TOO_NEAR_SLOT in {r.reason for r in near.refusals}
    few = plan(marked(100, 300, 500, 700), policy(replace(MID, max=2)))
    assert len(few.placements) == 2
    narrow = plan(marked(300, 700), policy(MID, limits=replace(OPEN, in_article=1)))
    assert len(narrow.placements) == 1


def test_a_mark_without_a_legal_place_is_refused_and_the_slot_goes_nowhere_else() -> None:
    planned = plan(marked(None), policy(MID))
    assert planned.placements == ()
    assert [r.reason for r in planned.refusals] == [Reason.NO_LEGAL_ANCHOR]


def test_marks_of_one_slot_leave_the_others_where_they_are() -> None:
    other = replace(MID, name="other", max=1)
    planned = plan(marked(300), policy(MID, other))
    assert [p.slot for p in planned.placements].count("mid") == 1
    assert [p.slot for p in planned.placements].count("other") == 1


def test_a_policy_without_conditions_and_marks_is_used_as_it_is() -> None:
    rules = policy(MID)
    assert for_page(page(), rules)[0] is rules
