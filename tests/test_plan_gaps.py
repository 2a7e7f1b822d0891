"""What keeps a gap of the article free: distances above and below, from every kind of content, and what waives them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adproxy.model import Anchor, Block, BlockFlag, BlockKind, Edge, Gap, Page, PerDevice, Reason
from adproxy.plan.gaps import Gaps, checks
from adproxy.plan.ruler import Ruler
from adproxy.rules.ruleset import NO_DISTANCE, Clearance, Distance, KeepClear, Sides

NOTHING = KeepClear(NO_DISTANCE, NO_DISTANCE, NO_DISTANCE)
P, HEADING = BlockKind.PARAGRAPH, BlockKind.HEADING


def words(n: int) -> Distance:
    return Distance(n, "words")


def page(*kinds: BlockKind) -> Page:
    """An article of blocks of 50 words, 300 characters and 200 px each."""
    blocks = tuple(Block(kind, 50, 300, PerDevice(200, 100), 0, "p", "A text.") for kind in kinds)
    return Page(blocks=blocks, gaps=tuple(Gap(Anchor(10 * i, Edge.BEFORE_START, i)) for i in range(len(blocks) + 1)))


def kept_free(of: Page, **keep: object) -> list[int]:
    """The gaps between blocks that a distance of the rules forbids."""
    return sorted(Gaps(of, Ruler(of), checks(replace(NOTHING, **keep))).too_near)  # type: ignore[arg-type]


KINDS = {
    "around_media": BlockKind.MEDIA,
    "around_captions": BlockKind.CAPTION,
    "around_existing_ads": BlockKind.AD,
    "around_asides": BlockKind.ASIDE,
    "around_lists": BlockKind.LIST,
    "around_tables": BlockKind.TABLE,
    "around_quotes": BlockKind.QUOTE,
    "around_code": BlockKind.CODE,
}


@pytest.mark.parametrize("key", KINDS)
def test_a_distance_holds_on_both_sides_or_on_the_one_that_is_stated(key: str) -> None:
    of = page(P, P, P, P, KINDS[key], P, P, P, P)
    # the gap right before and the one right behind may be forbidden whatever the rules say
    far = {2, 3, 6, 7}
    assert far & set(kept_free(of, **{key: words(101)})) == {2, 3, 6, 7}
    assert far & set(kept_free(of, **{key: Sides(above=words(101))})) == {6, 7}
    assert far & set(kept_free(of, **{key: Sides(below=words(51))})) == {3}
    assert kept_free(of, **{key: NO_DISTANCE}) == []
    assert kept_free(of, **{key: Sides(unless_heading=True)}) == []


def test_each_side_has_its_own_unit() -> None:
    of = page(P, P, P, P, BlockKind.QUOTE, P, P, P, P)
    mixed = Sides(above=Distance(2, "blocks"), below=Distance(201, "px"))
    assert kept_free(of, around_quotes=mixed) == [3, 4, 5, 6]
    assert kept_free(of, around_quotes=Sides(below=Distance(601, "characters"))) == [2, 3, 4]


def test_a_distance_is_waived_right_before_a_heading_where_the_rules_say_so() -> None:
    of = page(P, P, BlockKind.QUOTE, P, HEADING, P, P, P)
    strict, waived = Sides(above=words(201)), Sides(above=words(201), unless_heading=True)
    assert kept_free(of, around_quotes=strict) == [3, 4, 6, 7]
    assert kept_free(of, around_quotes=waived) == [3, 6, 7]


def test_what_is_beside_stays_forbidden_though_a_heading_waives_the_distance() -> None:
    of = page(P, P, BlockKind.MEDIA, HEADING, P, P)
    gaps = Gaps(of, Ruler(of), checks(replace(NOTHING, around_media=Sides(words(9), words(9), unless_heading=True))))
    assert gaps.beside[3][0] is Reason.NEAR_MEDIA


def test_a_heading_below_is_kept_clear_of_but_right_before_it_is_fine() -> None:
    of = page(P, P, P, P, HEADING, P, P)
    assert kept_free(of, before_heading=words(51)) == [3]
    assert kept_free(of, before_heading=words(101)) == [2, 3]
    assert kept_free(of, before_heading=Distance(1, "blocks")) == []


def test_before_a_heading_is_fine_but_not_where_a_foreign_box_comes_right_behind_it() -> None:
    def forbidden(*kinds: BlockKind) -> dict[int, Reason]:
        of = page(*kinds)
        return {gap: verdict[0] for gap, verdict in Gaps(of, Ruler(of), checks(NOTHING)).beside.items()}

    assert 2 not in forbidden(P, P, HEADING, P, BlockKind.ASIDE, P)
    assert forbidden(P, P, HEADING, BlockKind.ASIDE, P, P)[2] is Reason.NEAR_ASIDE
    assert 2 not in forbidden(P, P, HEADING)


def test_a_heading_of_one_word_does_not_part_a_slot_from_a_picture() -> None:
    of = page(P, P, HEADING, BlockKind.MEDIA, P, P)
    brief = replace(of, blocks=tuple(replace(b, words=1) if b.kind is HEADING else b for b in of.blocks))
    assert 2 not in Gaps(of, Ruler(of), checks(NOTHING)).beside
    assert Gaps(brief, Ruler(brief), checks(NOTHING)).beside[2][0] is Reason.NEAR_MEDIA


@pytest.mark.parametrize(("above", "below", "forbidden"), [(1, 2, True), (2, 2, True), (3, 1, False), (2, 40, False)])
def test_lines_of_a_word_or_two_are_not_parted(above: int, below: int, forbidden: bool) -> None:
    of = page(P, P, P, P)
    counts = (50, above, below, 50)
    chart = replace(of, blocks=tuple(replace(b, words=n) for b, n in zip(of.blocks, counts, strict=True)))
    found = Gaps(chart, Ruler(chart), checks(NOTHING)).beside
    assert (2 in found) is forbidden
    assert not forbidden or found[2][0] is Reason.SPLITS_GROUP


def test_between_two_posts_there_is_a_place_whoever_signs_the_one_and_heads_the_other() -> None:
    aside = BlockKind.ASIDE
    of = page(P, aside, aside, P)
    posts = replace(of, blocks=tuple(replace(b, flags=BlockFlag.ENDS_POST * (i == 1)) for i, b in enumerate(of.blocks)))
    assert set(Gaps(of, Ruler(of), checks(NOTHING)).beside) == {1, 2, 3}
    assert set(Gaps(posts, Ruler(posts), checks(NOTHING)).beside) == {1, 3}


def test_code_and_the_text_about_it_are_not_parted() -> None:
    of = page(P, BlockKind.CODE, P, P, BlockKind.CODE, HEADING, P)
    found = Gaps(of, Ruler(of), checks(NOTHING)).beside
    assert found[2][0] is Reason.SPLITS_GROUP
    assert not {3, 5} & set(found), "between two texts, and before a heading, there is a place"


def test_the_rules_own_selectors_have_sides_too() -> None:
    of = page(*[P] * 7)
    blocks = tuple(replace(b, avoided=(0,)) if i == 3 else b for i, b in enumerate(of.blocks))
    around: tuple[tuple[str, Clearance], ...] = ((".x", Sides(below=words(51))),)
    assert kept_free(replace(of, blocks=blocks), around=around) == [2, 3]


@pytest.mark.parametrize(
    ("keep", "reason", "required", "found"),
    [
        ({"around_quotes": Sides(above=words(60))}, Reason.NEAR_AVOIDED, "60 words from a quotation", "50 words"),
        ({"around_quotes": Sides(below=words(70))}, Reason.NEAR_AVOIDED, "70 words from a quotation", "50 words"),
        ({"before_heading": words(120)}, Reason.NEAR_AVOIDED, "120 words before a heading", "100 words"),
    ],
)  # fmt: skip
def test_a_refusal_says_from_what_how_far_and_how_near(
    keep: dict[str, object], reason: Reason, required: str, found: str
) -> None:
    of = page(P, P, BlockKind.QUOTE, P, P, P, HEADING, P)
    verdicts = Gaps(of, Ruler(of), checks(replace(NOTHING, **keep))).too_near.values()  # type: ignore[arg-type]
    assert (reason, required, found) in verdicts
