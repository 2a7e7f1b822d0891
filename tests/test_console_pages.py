"""How figures and times are written, and that pages are made of what they are given."""

from __future__ import annotations

import math

import jinja2
import pytest

from adproxy.console.pages import PAGES, age, counted, number, page, percent, seconds, words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 %"),
        (0.0004, "< 0.1 %"),
        (0.123, "12.3 %"),
        (0.5, "50 %"),
        (0.9996, "> 99.9 %"),
        (1, "100 %"),
    ],
)
def test_shares_are_never_rounded_to_all_or_nothing(value: float | None, text: str) -> None:
    assert percent(value).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.00004, "40 µs"), (0.0021, "2.1 ms"), (0.25, "250 ms"), (1.5, "1,500 ms"), (math.inf, "over 1 s")],
)
def test_times_have_a_unit_that_suits_them(value: float | None, text: str) -> None:
    assert seconds(value).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (5, "less than a minute"),
        (60, "1 minute"),
        (7300, "2 hours"),
        (86_400 * 3, "3 days"),
        (-5, "less than a minute"),
    ],
)
def test_ages_are_in_the_largest_unit_that_says_enough(passed: float, text: str) -> None:
    assert age(1000.0, 1000.0 + passed) == text


def test_numbers_and_labels_are_written_for_people() -> None:
    assert (number(12345.0), number(None)) == ("12,345", "–")
    assert (counted(1, "page"), counted(0, "page"), counted(None, "page")) == ("1 page", "0 pages", "– pages")
    assert (words("too_near_slot"), words("_other")) == ("too near slot", "others")


def test_a_page_that_is_not_given_what_it_shows_is_not_made() -> None:
    with pytest.raises(jinja2.UndefinedError):
        page("overview.html", PAGES[0].name)
