"""Estimated heights: numbers that grow with what there is to see."""

from __future__ import annotations

from adproxy.model import PerDevice
from adproxy.page import heights


def test_more_words_are_never_lower_and_need_more_room_on_phones() -> None:
    found = [heights.paragraph(words) for words in range(0, 400, 7)]
    assert found == sorted(found)
    assert found[0].phone < found[-1].phone
    assert found[0].desktop < found[-1].desktop
    assert all(height.phone >= height.desktop for height in found[10:])


def test_a_paragraph_of_the_guardians_gap_is_about_as_high_as_theirs() -> None:
    # 200 words of text are what 750 px of an article on a phone hold
    assert 650 < heights.paragraph(200).phone < 850


def test_words_spread_over_items_need_more_lines_than_in_one_paragraph() -> None:
    assert heights.items(60, 10).phone > heights.paragraph(60).phone


def test_a_list_without_items_counts_as_one() -> None:
    assert heights.items(10, 0) == heights.items(10, 1)


def test_a_picture_is_scaled_down_to_the_column_and_never_up() -> None:
    small, wide = heights.media(100, 50), heights.media(3580, 2000)
    margin = heights.media(100, 1).phone - 1
    assert small.phone == 50 + margin
    assert round(wide.phone - margin) == 200
    assert wide.desktop > wide.phone


def test_a_picture_without_figures_is_taken_for_a_common_one() -> None:
    assert heights.media(None, None) == heights.media(None, 400) == heights.media(0, 0)
    assert heights.media(None, None).phone > 200


def test_an_absurd_height_is_cut() -> None:
    assert heights.media(10, 99_999).phone < 2_100


def test_headings_tables_and_sums() -> None:
    assert heights.heading(20).phone > heights.heading(2).phone
    assert heights.table(10).phone > heights.table(0).phone == heights.table(1).phone
    assert heights.plus(PerDevice(1, 2), PerDevice(3, 4)) == PerDevice(4, 6)
