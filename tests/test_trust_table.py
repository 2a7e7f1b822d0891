"""deploy/TRUST.md names the tests of each promise, and every promise has one or says why not.

`python tests/test_trust_table.py --update` writes the names into the page.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "deploy" / "TRUST.md"
PROMISES = [
    f"{letter}{n}"
    for letter, last in (("A", 7), ("B", 17), ("C", 19), ("D", 18), ("F", 26))
    for n in range(1, last + 1)
]
_ROW = re.compile(r"^\| ([ABCDF]\d+) \| (.*?) \| (.*?) \|$", re.MULTILINE)
_WITHOUT = "no test: "
"""Begins the last column of a promise that no test can hold; the reason follows."""


def promises_of(test: str) -> list[str]:
    """The promises that a test's name begins with."""
    found = re.match(r"test_((?:[abcdf]\d+_)+)", test)
    return found[1].upper().rstrip("_").split("_") if found else []


def by_promise() -> dict[str, Counter[str]]:
    """For each promise how many tests hold it, by file."""
    found: dict[str, Counter[str]] = {promise: Counter() for promise in PROMISES}
    for file in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for promise in promises_of(node.name):
                    found[promise][str(file.relative_to(TESTS))] += 1
    return found


def filled(page: str) -> str:
    """The page with the tests as they are. A reason for having none stays while there is none."""
    tests = by_promise()

    def row(found: re.Match[str]) -> str:
        promise, words, before = found.groups()
        files = ", ".join(f"{name} ({n})" if n > 1 else name for name, n in sorted(tests[promise].items()))
        return f"| {promise} | {words} | {files or before} |"

    return _ROW.sub(row, page)


def test_the_page_lists_every_promise_once_in_order() -> None:
    assert [row[0] for row in _ROW.findall(PAGE.read_text(encoding="utf-8"))] == PROMISES


def test_the_page_names_the_tests_as_they_are() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == filled(page), "run: .venv/bin/python tests/test_trust_table.py --update"


def test_no_test_names_a_promise_that_there_is_not() -> None:
    assert set(by_promise()) == set(PROMISES)


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_has_a_test_or_says_why_not(promise: str) -> None:
    tests = {row[0]: row[2] for row in _ROW.findall(PAGE.read_text(encoding="utf-8"))}[promise]
    assert re.fullmatch(rf"test_.+|browser/.+|{_WITHOUT}.{{20,}}", tests), f"{promise}: {tests!r}"


if __name__ == "__main__" and sys.argv[1:] == ["--update"]:
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
