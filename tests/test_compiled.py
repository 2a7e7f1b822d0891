"""Python that mypyc compiled does what its source does."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from conftest import BY_SOURCES, missing

import adproxy.plan
from adproxy.cli import app

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "adproxy"


@pytest.fixture(autouse=True)
def compiled() -> None:
    if BY_SOURCES:
        if os.environ.get("ADPROXY_PURE_PYTHON") == "1":
            pytest.skip("sources were asked for")
        missing("nothing is compiled here: make .venv/product")


def by(sources: bool, *command: str) -> subprocess.Popen[str]:
    """A program of Python's that runs by the sources or by what is compiled, and with the same order of sets."""
    return subprocess.Popen(
        [sys.executable, *command],
        env=os.environ | {"ADPROXY_PURE_PYTHON": "1" if sources else "", "PYTHONHASHSEED": "0"},
        cwd=TESTS.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_was_made_from_the_sources_that_are_here() -> None:
    said = (PACKAGE / "compiled_from.txt").read_text().splitlines()
    made_from = {name: digest for digest, _, name in (line.partition("  ") for line in said)}
    assert len(made_from) > 20
    edited = [n for n, d in made_from.items() if hashlib.sha256((PACKAGE / n).read_bytes()).hexdigest() != d]
    assert not edited, "edited since they were compiled: make .venv/product"


def test_no_field_is_lent_out_by_what_compiles() -> None:
    """mypyc 2.4 takes no reference to what it reads of a `Final` field, keeps the object around it to the end of the
    expression, and lets it go earlier where a comprehension in there begins: what was read may be freed by then."""
    made_from = [line.split("  ")[1] for line in (PACKAGE / "compiled_from.txt").read_text().splitlines()]
    field = re.compile(r"^ +self\.\w+: Final|^    \w+: Final\b(?!.* = )", re.M)
    assert field.search("        self.x: Final = x")
    assert field.search("    x: Final[int]\n")
    assert [name for name in made_from if field.search((PACKAGE / name).read_text())] == []


def test_the_version_tells_where_the_planner_was_not_compiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said() -> str:
        with pytest.raises(typer.Exit):
            app._version(True)
        return capsys.readouterr().out

    assert said().endswith("(pages are scanned by compiled code)\n")
    monkeypatch.setattr(adproxy.plan, "__file__", "plan/__init__.py")
    assert said().endswith("(pages are scanned by compiled code, and judged by Python: mypyc refused the sources)\n")


def test_pages_and_decisions_are_those_of_the_sources() -> None:
    script = str(TESTS / "both_ways.py")
    runs = [by(True, script), by(False, script)]
    told = [run.communicate(timeout=100) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], [errors for _, errors in told]
    assert [errors for _, errors in told] == ["by sources\n", "by what is compiled\n"]
    (of_sources, _), (of_compiled, _) = told
    pairs = list(zip(of_sources.splitlines(), of_compiled.splitlines(), strict=True))
    assert len(pairs) > 100
    assert [theirs for theirs, ours in pairs if theirs != ours] == []


def test_checks_catch_rewriters_that_are_broken_in_their_sources() -> None:
    run = by(True, "-m", "pytest", "-m", "source", "-p", "no:cacheprovider", "-n", "0", str(TESTS))
    told, errors = run.communicate(timeout=110)
    assert run.returncode == 0, told + errors
    passed = re.search(r"(\d+) passed", told)
    assert passed is not None, told
    assert int(passed[1]) >= 8, told
    assert "skipped" not in told


def test_what_judges_heads_and_knows_pages_passes_its_tests_by_its_sources_too() -> None:
    tests = [
        f"test_{name}.py" for name in "cache eligibility headers hops known_pages peers rules_match target".split()
    ]
    run = by(True, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", *(str(TESTS / name) for name in tests))
    told, errors = run.communicate(timeout=110)
    assert run.returncode == 0, told + errors
