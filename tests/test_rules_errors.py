"""Each wrong file in ``cases_rules`` says what is wrong with it: file, line, column, found, expected, hint.

A case is ``NAME.yaml`` with ``NAME.txt`` beside it, or a folder with ``expected.txt`` where it takes several files.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from adproxy.errors import RulesError
from adproxy.rules.compile import check_paths, load_rules

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
    assert caught.value.problems == check_paths([case])


def test_problems_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("version: 1\nsite: a b\nslots:\n  b: yes\n  a: {place: x}\nlimits: {gap: 3}\nbogus: 1\n")
    lines = [problem.line for problem in check_paths([file])]
    assert lines == [2, 4, 5, 6, 7]


def test_a_file_that_does_not_exist_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    (problem,) = check_paths([tmp_path / "none.yaml"])
    assert problem.found.startswith("no such file")
    with pytest.raises(RulesError):
        load_rules(tmp_path / "none.yaml")


def test_a_part_without_site_is_checked_as_a_part(tmp_path: Path) -> None:
    part = tmp_path / "part.yaml"
    part.write_text('version: 1\nslots:\n  a: {max: 2, ad_unit: "{section}/x"}\n')
    assert check_paths([part]) == ()
    with pytest.raises(RulesError, match="no 'place' in 'a'"):
        load_rules(part)


def test_a_problem_of_a_file_that_two_others_use_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "_part.yaml").write_text("version: 1\nlimits: {gap: 3}\n")
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"version: 1\nsite: {name}\nhosts: {name}.example\nuse: ./_part.yaml\n")
    with pytest.raises(RulesError) as caught:
        load_rules(tmp_path)
    assert len(caught.value.problems) == 1
