"""Estimated heights: numbers that follow from a layout and grow with what there is to see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adproxy.model import PerDevice
from adproxy.page.heights import AD, USUAL, heights_for, plus, width_of
from adproxy.page.words import fold
from adproxy.rules.ruleset import LAYOUT, Layout, LayoutPerDevice

WORD = 6
"""Characters of a word and its space."""


def test_more_text_is_never_lower_and_needs_more_room_on_phones() -> None:
    found = [USUAL.paragraph(width) for width in range(0, 2400, 41)]
    assert found == sorted(found, key=lambda height: height.phone)
    assert found == sorted(found, key=lambda height: height.desktop)
    assert found[0].phone < found[-1].phone
    assert found[0].desktop < found[-1].desktop
    assert all(height.phone >= height.desktop for height in found[10:])


def test_a_paragraph_of_the_guardians_gap_is_about_as_high_as_theirs() -> None:
    # 200 words of text are what 750 px of an article on a phone hold
    assert 650 < USUAL.paragraph(200 * WORD).phone < 850


def test_text_spread_over_items_needs_more_lines_than_in_one_paragraph() -> None:
    assert USUAL.items(60 * WORD, 10).phone > USUAL.paragraph(60 * WORD).phone


def test_a_list_without_items_counts_as_one() -> None:
    assert USUAL.items(60, 0) == USUAL.items(60, 1)


def test_a_picture_is_scaled_down_to_the_column_and_never_up() -> None:
    small, wide = USUAL.media(100, 50), USUAL.media(3580, 2000)
    margin = USUAL.media(100, 1).phone - 1
    assert small.phone == 50 + margin
    assert round(wide.phone - margin) == 200
    assert wide.desktop > wide.phone


def test_a_picture_without_figures_is_taken_for_a_common_one() -> None:
    assert USUAL.media(None, None) == USUAL.media(None, 400) == USUAL.media(0, 0)
    assert 180 < USUAL.media(None, None).phone < 260


def test_an_absurd_height_is_cut() -> None:
    assert USUAL.media(10, 99_999).phone < 2_100


def test_headings_tables_code_and_sums() -> None:
    assert USUAL.heading(100, "h2").phone > USUAL.heading(10, "h2").phone > USUAL.heading(10, "h4").phone
    assert USUAL.table(10, 0).phone > USUAL.table(0, 0).phone == USUAL.table(1, 0).phone
    assert USUAL.table(3, 2_000).phone > USUAL.table(3, 100).phone
    assert USUAL.code(20).phone > USUAL.code(2).phone
    assert plus(PerDevice(1, 2), PerDevice(3, 4)) == PerDevice(4, 6)


def test_an_ad_is_as_high_as_its_picture_else_its_text_else_a_common_one() -> None:
    assert USUAL.existing_ad(0, 0, (320, 50)) == USUAL.media(320, 50)
    assert USUAL.existing_ad(60, 10, None) == plus(USUAL.paragraph(60), USUAL.paragraph(0))
    assert USUAL.existing_ad(13, 1, (None, None)) == AD


@pytest.mark.parametrize(
    "changed",
    [
        replace(LAYOUT.desktop, column=480),
        replace(LAYOUT.desktop, font=22),
        replace(LAYOUT.desktop, line=34),
        replace(LAYOUT.desktop, margin=30),
    ],
)
def test_each_figure_of_a_layout_counts_and_on_its_device_alone(changed: Layout) -> None:
    other = heights_for(LayoutPerDevice(LAYOUT.phone, changed))
    assert other.paragraph(600).desktop > USUAL.paragraph(600).desktop
    assert other.paragraph(600).phone == USUAL.paragraph(600).phone


def test_an_absurdly_narrow_column_still_has_lines() -> None:
    narrow = Layout(column=1, font=80, line=90, margin=0)
    assert 0 < heights_for(LayoutPerDevice(narrow, narrow)).items(80, 2).phone < 80 * 90


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("The harbour is closed.", 22, 22),
        ("Der Hafen ist für größere Schiffe gesperrt.", 43, 43),
        ("Гавань закрыта до утра.", 23, 23),
        ("港口今天關閉，明天再開。", 24, 26),
        ("港は Patience 号のために閉鎖", 24, 36),
        ("ท่าเรือปิดแล้ว", 14, 14),
    ],
)
def test_a_text_is_as_wide_as_its_characters(text: str, least: int, most: int) -> None:
    folded, words = fold(text)
    assert least <= width_of(folded, words) <= most
