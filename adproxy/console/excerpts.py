"""A few lines of a file around one of them, for people who are to see what is meant."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from adproxy.errors import Problem
from adproxy.rules.strict_yaml import MAX_BYTES

AROUND = 3
"""Lines before and after."""
_MAX_LINE = 300
"""Characters of a line that are shown."""


class Line(NamedTuple):
    number: int
    text: str
    is_it: bool
    pointer: str | None
    """Blanks up to the column that is meant; None where none is."""


class Explained(NamedTuple):
    """A problem beside the lines where it is."""

    problem: Problem
    lines: tuple[Line, ...]


def excerpt(text: str, line: int, column: int = 0) -> tuple[Line, ...]:
    """The lines around one; empty where the text has no such line."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return ()
    first, last = max(1, line - AROUND), min(len(lines), line + AROUND)
    return tuple(
        Line(
            number,
            lines[number - 1].expandtabs(1)[:_MAX_LINE],
            number == line,
            " " * min(column - 1, _MAX_LINE) if number == line and column else None,
        )
        for number in range(first, last + 1)
    )


def text_of(file: str) -> str:
    """A file of the rules as it is now; empty where it can't be read."""
    try:
        with Path(file).open("rb") as opened:
            return opened.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def explained(problems: tuple[Problem, ...]) -> tuple[Explained, ...]:
    """Each with its lines, as they are on the disk now."""
    texts = {problem.file: text_of(problem.file) for problem in problems}
    return tuple(Explained(problem, excerpt(texts[problem.file], problem.line, problem.column)) for problem in problems)
