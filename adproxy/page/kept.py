"""Answers that are kept for the next time, within a bound."""

from __future__ import annotations

from typing import TypeVar

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


def keep(kept: dict[_Asked, _Answer], asked: _Asked, answer: _Answer, most: int) -> _Answer:
    """Keep an answer, and return it. All are forgotten where there are `most` already: what is bounded so is more than
    any site has, and who has more is not served by what was asked last either."""
    if len(kept) >= most:
        kept.clear()
    kept[asked] = answer
    return answer
