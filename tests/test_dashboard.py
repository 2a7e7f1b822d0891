"""Grafana's dashboard: it is what the generator makes, Grafana's own models know all of it, and every query parses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from chain import DEPLOY, ROOT
from conftest import missing

pytestmark = pytest.mark.prometheus

GRAFANA = DEPLOY / "grafana"
DASHBOARD = GRAFANA / "adproxy.json"
JUDGE = ROOT.parent / "shared" / "bench" / "check_dashboard.py"
DEADLINE = 100


def judged(file: Path) -> tuple[int, str]:
    """The exit code and the words of a check from outside of the project."""
    if not JUDGE.exists():
        missing(f"found no {JUDGE}")
    done = subprocess.run(
        [sys.executable, str(JUDGE), str(file)], capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_the_file_is_what_the_generator_makes() -> None:
    made = subprocess.run(
        [sys.executable, str(GRAFANA / "make_dashboard.py")],
        capture_output=True, encoding="utf-8", timeout=DEADLINE, check=True,
    ).stdout  # fmt: skip
    assert DASHBOARD.read_text(encoding="utf-8") == made, "run: python make_dashboard.py > adproxy.json"


def test_grafana_knows_every_key_and_every_query_parses() -> None:
    assert judged(DASHBOARD)[0] == 0, judged(DASHBOARD)[1]


@pytest.mark.parametrize(
    ("found", "put", "said"),
    [
        ('"schemaVersion": 41', '"schemaVersoin": 41', "schemaVersoin"),
        ("sum by (kind) (rate(", "sum by kind (rate(", "PromQL"),
        ('"title": "The funnel",', "", "without title"),
    ],
)
def test_a_mistake_in_it_is_noticed(tmp_path: Path, found: str, put: str, said: str) -> None:
    text = DASHBOARD.read_text(encoding="utf-8")
    assert found in text
    broken = tmp_path / "broken.json"
    broken.write_text(text.replace(found, put), encoding="utf-8")
    code, told = judged(broken)
    assert code == 1
    assert said in told


def test_every_panel_says_what_it_is_and_can_be_narrowed_to_a_site() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] not in ("row", "text")]
    assert [panel["title"] for panel in panels if not panel["description"]] == []
    assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource", "site", "slot"]
    of_all_sites = [
        panel["title"] for panel in panels if any('site=~"$site"' not in target["expr"] for target in panel["targets"])
    ]
    assert of_all_sites == [
        "Own errors, and what is added to the first byte",
        "Rules: revision, who runs it, age, last edit",
        "Reports of browsers that were not counted",
        "Added to the first byte",
        "A page's rewrite",
        "Errors of adproxy's own",
        "Workers",
        "The event store",
    ], "these count by process, not by site"
