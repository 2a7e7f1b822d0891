"""The kept inputs of `make fuzz` run with every test run, and a few seconds of fuzzing itself."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import missing
from fuzz import kept
from fuzz.targets import TARGETS, Broken, connection

SECONDS = 3


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_kept_inputs_break_nothing(target: str) -> None:
    inputs = TARGETS[target].seeds() + kept.load(target)
    assert len(inputs) > len(TARGETS[target].seeds()), "some are kept"
    for one in inputs:
        TARGETS[target].run(one)


def test_a_kept_input_is_a_line_that_gives_its_bytes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "FOLDER", tmp_path)
    inputs = [b"a\n\r\x00\xff'\"", b"", b"b" * 300]
    assert kept.keep("any", inputs) == 3
    assert sorted(kept.load("any")) == sorted(inputs)


@pytest.mark.parametrize("target", TARGETS)
def test_a_few_seconds_find_nothing(target: str, tmp_path: Path) -> None:
    if find_spec("atheris") is None:
        missing("atheris is not installed: it fuzzes")
    # the same inputs each time: what is new is looked for by `make fuzz`, and does not stop an unrelated change here
    run = [sys.executable, "-m", "fuzz", "--seconds", str(SECONDS), "--runs", "1500", "--seed", "1", "--only", target]
    said = subprocess.run(
        run, cwd=Path(__file__).parent, env={**os.environ, "PYTHONHASHSEED": "0", "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_broken_invariant_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.targets.problem_of", lambda target: None)
    with pytest.raises(Broken):
        TARGETS["heads"].run(b"GET no-path HTTP/1.1\r\nHost: a\r\n\r\n")
    monkeypatch.setattr("fuzz.targets._by_h11", lambda data: [(b"GET", b"/other", b"")])
    with pytest.raises(Broken):
        connection(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
