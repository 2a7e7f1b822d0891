"""YAML as people mean it, and nothing that unfolds, hides or surprises."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adproxy.errors import RulesError
from adproxy.rules.strict_yaml import MAX_BYTES, PARSERS, Map, load, plain, read

CASES = Path(__file__).parent / "cases_rules"


def value_of(text: str) -> object:
    loaded = plain(load(f"a: {text}\n", "f.yaml"))
    assert isinstance(loaded, dict)
    return loaded["a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, word) for word in ("yes", "no", "on", "off", "y", "n", "Yes", "OFF")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        *((word, None) for word in ("null", "~", "")),
        ("012", 12),
        ("0o14", 12),
        ("0x1F", 31),
        ("-7", -7),
        ("12:30", "12:30"),
        ("1:2:3", "1:2:3"),
        ("2026-11-22", "2026-11-22"),
        ("1.10", 1.1),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("30%", "30%"),
        ('"012"', "012"),
        ("'null'", "null"),
        ("300x250", "300x250"),
        ("日本", "日本"),
    ],
)
def test_f13_values_have_the_meaning_of_yaml_1_2(text: str, value: object) -> None:
    found = value_of(text)
    assert (found, type(found)) == (value, type(value))


def test_f13_a_key_is_the_text_that_it_looks_like() -> None:
    assert plain(load("no: 1\n1: 2\nnull: 3\n", "f")) == {"no": 1, "1": 2, "null": 3}


def test_every_value_knows_its_place() -> None:
    top = load("a: 1\nb:\n  - x\n  - {c: 'y'}\n", "f.yaml")
    assert str(top.keys_at["b"]) == "f.yaml:2"
    items = top.entries["b"].items  # type: ignore[union-attr]
    assert [(item.at.line, item.at.column) for item in items] == [(3, 5), (4, 5)]
    inner = items[1]
    assert isinstance(inner, Map)
    assert (inner.keys_at["c"].column, inner.entries["c"].at.column) == (6, 9)


def test_line_ends_of_windows_and_a_byte_order_mark_change_nothing() -> None:
    assert load(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "f") == load("a: 1\nb: 2\n", "f")


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    "bomb",
    [
        "a: " + "[" * 5000,
        "a: " + "{a: " * 5000,
        "\n".join(" " * i + "a:" for i in range(1000)),
        "- " * 3000,
        "a: " + "9" * 100_000,
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        "? " * 2000,
        "a: " + "!" * 2000,
        "%TAG ! tag:x\n---\na: !x 1\n",
    ],
    ids=["flow lists", "flow maps", "block maps", "block lists", "number", "aliases", "keys", "tags", "directive"],
)
def test_f13_a_bomb_is_a_problem_and_costs_little(parser: object, bomb: str) -> None:
    started = time.process_time()
    _, problems = read(bomb, "f", parser)
    assert problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
    # far above what it takes, far below what a bomb that goes off would
    assert time.process_time() - started < 5


def test_a_file_over_the_bound_is_refused_unread() -> None:
    with pytest.raises(RulesError, match="more than 1,048,576 bytes"):
        load(b"#" * (MAX_BYTES + 1), "f")


def readable_cases() -> list[Path]:
    return [path for path in CASES.rglob("*.yaml") if path.name != "not_utf8.yaml"]


@pytest.mark.skipif(len(PARSERS) < 2, reason="PyYAML has no C parser here")
@pytest.mark.parametrize("path", readable_cases(), ids=lambda path: path.name)
def test_both_parsers_of_pyyaml_read_the_same(path: Path) -> None:
    in_c, in_python = (read(path.read_bytes(), "f", parser) for parser in PARSERS)
    assert in_c[0] == in_python[0]
    assert [(p.line, p.found) for p in in_c[1]] == [(p.line, p.found) for p in in_python[1]]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}#&*!|>'\"%@`,? \n\t0.~<=\\é"), max_size=40))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    document, problems = read(text, "f")
    assert (document is None) <= bool(problems)
    assert all(problem.line >= 1 and problem.column >= 1 and problem.expected for problem in problems)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    document, problems = read(raw, "f")
    assert document is not None or problems
