"""Errors that a person can act on.

    AdproxyError
    ├── RulesError        a rules file is wrong: carries one or more `Problem`s with file, line and column
    ├── PageError         a page given on the command line can't be read
    └── SettingsError     a setting or an option is wrong

Foreign errors are wrapped, ``from exc``. Normal outcomes (no room for a slot, a page left alone) are values.
"""

from __future__ import annotations

from dataclasses import dataclass


class AdproxyError(Exception):
    """The base of all errors that adproxy raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a rules file."""

    file: str
    line: int
    """From 1."""
    column: int
    """From 1."""
    found: str
    expected: str
    hint: str = ""
    """What to do, for example the nearest right word."""
    warning: bool = False
    """True where the rules can be used all the same, and only say what can't be meant."""

    def __str__(self) -> str:
        kind = "warning: " if self.warning else ""
        text = f"{self.file}:{self.line}:{self.column}: {kind}found {self.found}; expected {self.expected}"
        return f"{text}. {self.hint}" if self.hint else text


class RulesError(AdproxyError):
    """The rules can't be used. `problems` is never empty."""

    def __init__(self, problems: list[Problem] | tuple[Problem, ...]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class PageError(AdproxyError):
    """A page can't be read: what, where, what to do."""


class SettingsError(AdproxyError):
    """A setting is wrong: its name, what was found, what was expected."""
