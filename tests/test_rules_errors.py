"""Each wrong file in ``cases_rules`` says what is wrong with it: file, line, column, found, expected, hint.

A case is ``NAME.yaml`` with ``NAME.txt`` beside it, or a folder with ``expected.txt`` where it takes several files.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adproxy.errors import RulesError
from adproxy.rules import schema
from adproxy.rules.compile import check_paths, load_rules
from adproxy.rules.strict_yaml import load, plain

CASES = Path(__file__).parent / "cases_rules"
NAMES = sorted(path.name for path in CASES.iterdir() if path.suffix != ".txt")


def test_there_are_at_least_forty_cases() -> None:
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_file_says_what_is_wrong_and_where(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    case = Path(name)
    expected = (case / "expected.txt" if case.is_dir() else case.with_suffix(".txt")).read_text("utf-8")
    with pytest.raises(RulesError) as caught:
        load_rules(case)
    assert str(caught.value) + "\n" == expected
    assert caught.value.problems == check_paths([case]).problems


def test_problems_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("version: 1\nsite: a b\nslots:\n  b: yes\n  a: {place: x}\nlimits: {gap: 3}\nbogus: 1\n")
    lines = [problem.line for problem in check_paths([file]).problems]
    assert lines == [2, 4, 5, 6, 7]


def test_a_file_that_does_not_exist_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    (problem,) = check_paths([tmp_path / "none.yaml"]).problems
    assert problem.found.startswith("no such file")
    with pytest.raises(RulesError):
        load_rules(tmp_path / "none.yaml")


def test_a_part_without_site_is_checked_as_a_part(tmp_path: Path) -> None:
    part = tmp_path / "part.yaml"
    part.write_text('version: 1\nslots:\n  a: {max: 2, ad_unit: "{section}/x"}\n')
    assert check_paths([part]).problems == ()
    with pytest.raises(RulesError, match="no 'place' in 'a'"):
        load_rules(part)


def test_a_problem_of_a_file_that_two_others_use_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "_part.yaml").write_text("version: 1\nlimits: {gap: 3}\n")
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"version: 1\nsite: {name}\nhosts: {name}.example\nuse: ./_part.yaml\n")
    with pytest.raises(RulesError) as caught:
        load_rules(tmp_path)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("key", ["<ite", "<Div>", "[key]"])
def test_a_key_that_looks_like_a_mark_of_the_validation_is_a_key(tmp_path: Path, key: str) -> None:
    """Fuzzing found that such a key at the top of a file ended the check with an error of ours."""
    file = tmp_path / "site.yaml"
    file.write_text(f"version: 1\nsite: s\n'{key}': 1\nslots:\n  a: {{place: below-headline, '{key}': 2}}\n")
    problems = check_paths([file]).problems
    assert [(problem.line, problem.found) for problem in problems] == [
        (3, f"the unknown key '{key}'"),
        (5, f"the unknown key '{key}'"),
    ]


KEYS = sorted({key for model in schema.SECTIONS for key in schema.keys_of(model)} | {"phone", "desktop", "sidebar"})
EXAMPLES = [
    plain(load(f"a: {example}", "example"))["a"]  # type: ignore[index]
    for model in schema.SECTIONS
    for field in model.model_fields.values()
    for example in field.examples or []
]
LEAF = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(0, 1), st.sampled_from(["", "x", *EXAMPLES]))
VALUE = st.recursive(
    LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)),
    max_leaves=12,
)
SLOTS = st.dictionaries(
    st.sampled_from(["a", "b"]), st.dictionaries(st.sampled_from(schema.keys_of(schema.Slot)), VALUE, max_size=4)
)
TOP = st.dictionaries(st.sampled_from(schema.keys_of(schema.RulesFile)), VALUE, max_size=4)


@settings(max_examples=300, deadline=None)
@given(top=TOP, slots=SLOTS)
def test_any_tree_of_keys_and_values_loads_or_says_where_it_is_wrong(
    top: dict[str, object], slots: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(json.dumps({"version": 1, "slots": slots, **top}))  # JSON is YAML
    problems = check_paths([file]).problems
    assert all(problem.line >= 1 and problem.column >= 1 and problem.found for problem in problems)
    with contextlib.suppress(RulesError):
        load_rules(file)
