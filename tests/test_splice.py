"""Sorted offsets and a join."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adproxy.model import Insertion
from adproxy.splice import left_of_page, splice, unsplice


def test_each_insertion_stands_at_its_offset_of_the_original() -> None:
    found = splice(b"abcd", [Insertion(3, b"<3>"), Insertion(0, b"<0>"), Insertion(4, b"<4>")])
    assert found == b"<0>abc<3>d<4>"


def test_at_equal_offsets_the_order_given_is_kept() -> None:
    assert splice(b"ab", [Insertion(1, b"x"), Insertion(1, b"y"), Insertion(0, b"z")]) == b"zaxyb"


def test_without_insertions_nothing_changes() -> None:
    assert splice(b"\xff\x00a", []) == b"\xff\x00a"
    assert splice(b"", [Insertion(0, b"x")]) == b"x"


@pytest.mark.parametrize("offset", [-1, 4])
def test_an_offset_outside_of_the_page_is_an_error(offset: int) -> None:
    with pytest.raises(ValueError, match="lies outside"):
        splice(b"abc", [Insertion(offset, b"x")])


@given(st.binary(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=9)), max_size=8))
def test_the_inverse_gives_the_original_back(html: bytes, wanted: list[tuple[int, bytes]]) -> None:
    insertions = [Insertion(min(offset, len(html)), markup) for offset, markup in wanted]
    spliced = splice(html, insertions)
    assert len(spliced) == len(html) + sum(len(markup) for _, markup in wanted)
    assert unsplice(spliced, insertions) == html
    spans = left_of_page(len(html), insertions)
    assert b"".join(spliced[start:end] for start, end in spans) == html
    assert all(start < end for start, end in spans)


def test_the_inverse_says_where_an_insertion_is_missing() -> None:
    with pytest.raises(ValueError, match="byte 1"):
        unsplice(b"aXb", [Insertion(1, b"Y")])
