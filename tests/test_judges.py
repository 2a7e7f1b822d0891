"""The judge from outside that is small enough for every test run: varnishtest's scenarios, byte by byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from judges.varnishtest import SCENARIOS, play


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_b3_b7_b17_c1_c3_c6_c7_c8_c13_bytes_on_the_wire(scenario: Path, tmp_path: Path) -> None:
    assert play(scenario, tmp_path) == ""


def test_a_scenario_that_does_not_hold_fails(tmp_path: Path) -> None:
    (text,) = [path.read_text(encoding="utf-8") for path in SCENARIOS if path.stem == "half-a-stream"]
    wrong = tmp_path / "wrong.vtc"
    wrong.write_text(text.replace("resp.status == 200", "resp.status == 201"), encoding="utf-8")
    assert "EXPECT" in play(wrong, tmp_path)
