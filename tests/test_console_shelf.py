"""What people look at is kept within bounds of number, bytes and time."""

from __future__ import annotations

import pytest

from adproxy.console import shelf as module
from adproxy.console.shelf import Shelf


def test_what_was_asked_for_longest_ago_makes_room() -> None:
    shelf: Shelf[str] = Shelf(most=2, max_bytes=100, seconds=60)
    first, second = shelf.put("first", 1), shelf.put("second", 1)
    assert shelf.get(first) == "first"
    third = shelf.put("third", 1)
    assert [shelf.get(key) for key in (first, second, third)] == ["first", None, "third"]


def test_bytes_are_bounded_and_the_newest_always_stays() -> None:
    shelf: Shelf[str] = Shelf(most=9, max_bytes=100, seconds=60)
    small, large = shelf.put("small", 60), shelf.put("large", 200)
    assert (shelf.get(small), shelf.get(large)) == (None, "large")


def test_nothing_is_kept_for_longer_than_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    shelf: Shelf[str] = Shelf(most=9, max_bytes=100, seconds=60)
    key = shelf.put("page", 1)
    now = 1050.0
    assert shelf.get(key) == "page"
    now = 1105.0
    assert shelf.get(key) == "page"
    now = 1166.0
    assert shelf.get(key) is None


def test_the_same_again_has_the_same_key_that_nobody_else_can_make() -> None:
    one, other = (Shelf[str](most=9, max_bytes=100, seconds=60) for _ in range(2))
    assert one.put("a", 1, b"same") == one.put("b", 1, b"same")
    assert one.put("a", 1, b"same") != other.put("a", 1, b"same")
    assert one.put("a", 1) != one.put("a", 1)
