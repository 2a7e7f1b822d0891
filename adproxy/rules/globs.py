"""Path globs to regular expressions that can't blow up.

    *    any characters within one segment, none included
    **   any number of whole segments, none included; stands alone between slashes
    ?    one character within a segment

A glob is anchored at both ends. Each ``*`` becomes an atomic group that takes the nearest place where the text behind
it fits: for globs the nearest is as good as any other, so nothing is ever tried twice, and a match takes time
proportional to the path's length times the glob's. A ``**`` does the same with whole segments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import unquote

MAX_LENGTH = 300
"""Characters of a glob."""

T = TypeVar("T")

_END_OF_SEGMENT = r"(?=/|\Z)"


class GlobError(ValueError):
    """A glob is wrong: `expected` and `hint` say how."""

    def __init__(self, expected: str, hint: str = "") -> None:
        super().__init__(f"{expected}. {hint}" if hint else expected)
        self.expected = expected
        self.hint = hint


def compile_glob(glob: str) -> re.Pattern[str]:
    """The regular expression to use with ``match`` on a percent-decoded path. Raises `GlobError`."""
    expected = "a path such as '/news/*' or '/live/**'"
    if "://" in glob:
        raise GlobError(expected, "Write the path only; hosts belong into 'hosts'")
    if not glob.startswith("/"):
        raise GlobError("a path that starts with '/'", f"Write '/{glob.lstrip('.')}'" if glob[:1].isalnum() else "")
    if len(glob) > MAX_LENGTH:
        raise GlobError(f"a path of at most {MAX_LENGTH} characters")
    if re.search(r"\?[\w.-]+=", glob):
        raise GlobError(expected, "A page is chosen by its path; what follows '?' in an address is no part of it")
    if "#" in glob:
        raise GlobError(expected, "What follows '#' in an address never reaches a server")
    for char in "[]{}\\":
        if char in glob:
            raise GlobError(f"a path without '{char}'", "Write several paths as a list; as itself it is a %-escape")
    if not glob.isprintable():
        raise GlobError("a path of visible characters")
    segments = glob[1:].split("/")
    if any("**" in segment and segment != "**" for segment in segments):
        raise GlobError("'**' alone between two slashes", "Write '*' within a segment")
    return re.compile(_expression(segments))


def _expression(segments: list[str]) -> str:
    runs: list[list[str]] = [[]]  # of ordinary segments, between the `**`s
    for segment in segments:
        if segment == "**":
            runs.append([])
        else:
            runs[-1].append(segment)
    first, *others = ("".join(_segment(s) for s in run) for run in runs)
    if not others:
        return rf"{first}\Z"
    middle = "".join(rf"(?>(?:/[^/]*+)*?{run})" for run in others[:-1] if run)
    return rf"{first}{middle}(?>(?:/[^/]*+)*?{others[-1]}\Z)"


def _segment(glob: str) -> str:
    """One segment with the slash before it."""
    first, *pieces = glob.split("*")
    if not pieces:
        return f"/{_piece(first)}{_END_OF_SEGMENT}"
    middle = "".join(f"(?>[^/]*?{_piece(piece)})" for piece in pieces[:-1] if piece)
    return f"/{_piece(first)}{middle}(?>[^/]*?{_piece(pieces[-1])}{_END_OF_SEGMENT})"


def _piece(text: str) -> str:
    """Text without `*`; the glob may be written as an address shows it, so its escapes are undone."""
    return "[^/]".join(re.escape(unquote(part)) for part in text.split("?"))


def covers(glob: str, other: str) -> bool:
    """Whether each path that `other` matches is matched by `glob` too. Both are valid; where it is False, the spelling
    alone does not tell."""
    return _covers(glob[1:].split("/"), other[1:].split("/"), "**", _segment_covers)


def _segment_covers(glob: str, other: str) -> bool:
    return _covers(_tokens(glob), _tokens(other), "*", lambda a, b: a in (b, "?"))


def _tokens(segment: str) -> list[str]:
    """Wildcards as themselves, each other character with an escape before it."""
    tokens: list[str] = []
    for piece in re.split(r"([*?])", segment):
        tokens += [piece] if piece in ("*", "?") else [f"\\{char}" for char in unquote(piece)]
    return tokens


def _covers(a: Sequence[T], b: Sequence[T], any_number: T, one: Callable[[T, T], bool]) -> bool:
    """Whether the pattern `a` takes all that `b` does. What stands for any number of parts takes any part of the other,
    wildcards included; any other part takes just one."""
    fits = [j == len(b) for j in range(len(b) + 1)]  # whether what is left of `a` takes b[j:]
    for part in reversed(a):
        longer = [False] * (len(b) + 1)
        for j in range(len(b), -1, -1):
            if part == any_number:
                longer[j] = fits[j] or (j < len(b) and longer[j + 1])
            else:
                longer[j] = j < len(b) and b[j] != any_number and one(part, b[j]) and fits[j + 1]
        fits = longer
    return fits[0]
