"""Bodies are compared byte by byte, by Python and by compiled code alike, in whatever pieces they come."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from conftest import compiled_module
from hypothesis import given
from hypothesis import strategies as st

from adproxy import same
from adproxy.same import Matches, Spans

LARGE = bytes(i * 7 & 0xFF for i in range(20_000))
BODIES = st.one_of(st.binary(max_size=60), st.integers(0, len(LARGE)).map(lambda size: LARGE[:size]))


def native() -> ModuleType:
    return compiled_module("same_native")


class Both:
    """The matcher in Python and the compiled one, which agree."""

    def __init__(self, holder: bytes, spans: Spans) -> None:
        self._matchers: list[Matches] = [same.pure_matcher(holder, spans), native().Matcher(holder, spans)]

    def __call__(self, pieces: Sequence[bytes]) -> bool:
        one, other = (matches(pieces) for matches in self._matchers)
        assert one == other
        return one


def cut(body: bytes, at: Sequence[int]) -> list[bytes]:
    edges = sorted({0, len(body), *(min(edge, len(body)) for edge in at)})
    return [body[a:b] for a, b in pairwise(edges)]


CUTS = st.lists(st.one_of(st.integers(0, 60), st.integers(0, len(LARGE))), max_size=5)
BETWEEN = st.lists(st.binary(max_size=9), min_size=6, max_size=6)


def held(parts: Sequence[bytes], between: Sequence[bytes]) -> tuple[bytes, list[tuple[int, int]]]:
    """The parts of a body with other bytes around them, and where they are."""
    holder, spans = b"", []
    for part, other in zip(parts, between, strict=False):
        holder += other
        spans.append((len(holder), len(holder) + len(part)))
        holder += part
    return holder + between[-1], spans


@given(body=BODIES, parts=CUTS, between=BETWEEN, pieces=CUTS, at=st.integers(0), change=st.integers(1, 255))
def test_only_the_very_body_is_the_same(
    body: bytes, parts: list[int], between: list[bytes], pieces: list[int], at: int, change: int
) -> None:
    matches = Both(*held(cut(body, parts[:4]), between))
    assert matches(cut(body, pieces))
    assert matches([*cut(body, pieces), b""])
    assert matches([b"", *cut(body, pieces)])
    assert not matches([*cut(body, pieces), b"x"])
    assert not matches([b"x", *cut(body, pieces)])
    if body:
        at %= len(body)
        assert not matches(cut(body[:at] + bytes([body[at] ^ change]) + body[at + 1 :], pieces))
        assert not matches(cut(body[:-1], pieces))
        assert not matches([])


def test_a_change_of_any_byte_is_seen() -> None:
    body = LARGE[:9_000]
    matches = Both(b"<" + body[:100] + b"slot" + body[100:] + b">", [(1, 101), (105, 9_005)])
    assert matches([body])
    for at in range(len(body)):
        assert not matches([body[:at] + bytes([body[at] ^ 0x80]) + body[at + 1 :]])


def test_what_was_inserted_is_no_part_of_the_body() -> None:
    matches = Both(b"page slot page", [(0, 5), (9, 14)])
    assert matches([b"page  page"])
    assert not matches([b"page slot page"])


def test_empty_spans_are_passed_by() -> None:
    matches = Both(b"body", [(0, 0), (0, 2), (2, 2), (2, 4), (4, 4)])
    assert matches([b"body"])
    assert matches([b"b", b"ody"])
    nothing = Both(b"slot", [(0, 0)])
    assert nothing([])
    assert nothing([b""])
    assert not nothing([b"s"])


@pytest.mark.parametrize("spans", [[(0, 5)], [(-1, 2)], [(2, 1)], [(2, 3), (1, 4)]])
def test_spans_lie_in_the_bytes_and_ascend(spans: list[tuple[int, int]]) -> None:
    for make in (same.pure_matcher, native().Matcher):
        with pytest.raises(ValueError, match=r"of 4 bytes"):
            make(b"body", spans)


def test_the_compiled_one_takes_bytes_alone() -> None:
    matches = native().Matcher(b"body", [(0, 4)])
    for wrong in ([bytearray(b"body")], [None], ["body"]):
        with pytest.raises(TypeError):
            matches(wrong)
    with pytest.raises(TypeError):
        native().Matcher(None, [])


def test_the_compiled_module_is_made_from_this_source() -> None:
    source = Path(same.__file__).with_name("same_native.pyx")
    assert hashlib.sha256(source.read_bytes()).hexdigest() == native().SOURCE, "compile anew: make .venv/product"
