"""What a terminal gets, and a pipe or a file doesn't: colours, and a bar while a long piece of work goes on."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, TextIO, TypeVar

import typer

from adproxy.explanation import Ink

T = TypeVar("T")

_COLOURS: dict[Ink, dict[str, Any]] = {
    "title": {"bold": True},
    "placed": {"fg": "green", "bold": True},
    "refused": {"fg": "red"},
    "faint": {"dim": True},
}
_BAR = 30
"""Columns of the bar itself."""
_FIRST_SECONDS = 0.5
"""Work that is done by then needs no bar."""
_SECONDS = 0.1
"""Between two drawings."""
_CLEAR = "\r\x1b[K"


def paint(text: str, ink: Ink) -> str:
    """A text for stdout in its colour, where stdout is a terminal and nobody asked for none."""
    if "NO_COLOR" in os.environ or not _obeys(sys.stdout):
        return text
    return typer.style(text, **_COLOURS[ink])


def progress(items: Sequence[T], noun: str) -> Iterator[T]:
    """The items, with a bar on stderr while they are worked on, if that is a terminal. `noun`: what they are, in the
    plural."""
    if not _obeys(sys.stderr):
        yield from items
        return
    drawn_at = time.monotonic() + _FIRST_SECONDS - _SECONDS
    for done, item in enumerate(items):
        if time.monotonic() - drawn_at >= _SECONDS:
            drawn_at = time.monotonic()
            filled = _BAR * done // len(items)
            bar = "#" * filled + "-" * (_BAR - filled)
            typer.echo(f"{_CLEAR}[{bar}] {done} of {len(items)} {noun}", nl=False, err=True)
        yield item
    clear()


def clear() -> None:
    """Take the bar away, so that a line can be written in its place."""
    if _obeys(sys.stderr):
        typer.echo(_CLEAR, nl=False, err=True)


def _obeys(stream: TextIO) -> bool:
    """Whether that is a terminal which understands more than text."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
