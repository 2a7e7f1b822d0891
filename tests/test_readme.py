"""What the README shows is what adproxy does."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from wire import body_of, call, http_scope

from adproxy.account import account_of, decide
from adproxy.board import Board
from adproxy.explanation import told
from adproxy.funnel import Funnel
from adproxy.metrics import Metrics
from adproxy.middleware import AdMiddleware
from adproxy.quarantine import Quarantine
from adproxy.rules.compile import load_rules
from adproxy.shared_metrics import SharedMetrics
from adproxy.sqlite_events import SqliteEvents
from adproxy.switch import Switch

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
STYLES = re.compile(r"(<style[^>]*>)[^<]*(</style>)")
DEADLINE = 60
"""Seconds after which a command has failed."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def between(mark: str) -> str:
    return README.split(f"<!-- {mark} -->")[1].split(f"<!-- /{mark} -->")[0].strip()


def produce(page: str, rules: str, folder: Path) -> tuple[str, list[str]]:
    """A page with its slots, the style sheet shortened, and the lines that explain them."""
    file = folder / "rules.yaml"
    file.write_text(rules, encoding="utf-8")
    work = decide(page.encode(), "http://harbour-news.example/page.html", load_rules(file))
    return STYLES.sub(r"\1…\2", work.body.decode()), list(told(account_of("page.html", work)))


def metrics_table(folder: Path) -> str:
    """All metrics as a Markdown table."""
    metrics = Metrics()
    (folder / "site.yaml").write_text("version: 1\nsite: site\nuse: [news]\n", encoding="utf-8")
    metrics.rules_loaded(load_rules(folder / "site.yaml"))
    metrics.show_funnel(Funnel(SqliteEvents(folder)))
    metrics.show(Switch())
    alone = list(metrics.families())
    of_workers = [
        family for family in SharedMetrics(folder, Board(1), states=[Quarantine(1)]).families() if family not in alone
    ]
    lines = ["| metric | labels | what it says |", "|---|---|---|"]
    for family in (*alone, *of_workers):
        name = family.name.removesuffix("_total") + {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = sorted({label for sample in family.samples for label in sample.labels if label != "le"})
        lines.append(f"| `{name}` | {', '.join(f'`{label}`' for label in labels)} | {family.documentation} |")
    return "\n".join(lines)


def test_the_page_after_is_what_comes_of_the_page_before(tmp_path: Path) -> None:
    before, after = blocks("html")
    assert produce(before, blocks("yaml")[0], tmp_path)[0] == after
    assert len(before.splitlines()) == 10


def test_the_explanation_is_the_one_that_is_given(tmp_path: Path) -> None:
    lines = produce(blocks("html")[0], blocks("yaml")[0], tmp_path)[1]
    (shown,) = blocks("text")
    assert lines[-len(shown.splitlines()) :] == shown.splitlines()


def test_each_rules_file_loads(tmp_path: Path) -> None:
    for number, text in enumerate(blocks("yaml")):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        assert load_rules(file).rule_sets
    assert blocks("yaml")


def test_the_middleware_of_each_framework_runs_as_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # where rules/ is
    plain, django, counting = blocks("python")
    assert asyncio.run(slots_of(plain)) == 1
    assert asyncio.run(slots_of(counting)) == 1
    # in a process of its own, because Django's settings are a process's
    configured = (
        "from django.conf import settings\n"
        f"settings.configure(ROOT_URLCONF='none', ALLOWED_HOSTS=['*'])\n{django}\nprint(type(application).__name__)"
    )
    run = subprocess.run(
        [sys.executable, "-c", configured], capture_output=True, text=True, timeout=DEADLINE, check=True
    )
    assert run.stdout.strip() == AdMiddleware.__name__


async def slots_of(snippet: str, path: str = "/story") -> int:
    """Run a snippet that makes an `app`, give it one page, and count the slots in it."""
    from fastapi.responses import HTMLResponse

    made: dict[str, Any] = {}
    exec(snippet, made)
    page = f"<!doctype html><title>T</title><body><main><article><h1>H</h1>{'<p>' + 'word ' * 60 + '</p>'}</article>"
    made["app"].add_api_route(path, lambda: HTMLResponse(page + "</main></body>"))
    try:
        body = body_of(await call(made["app"], http_scope(path)))
        if "metrics" in made:
            counted = body_of(await call(made["app"], http_scope("/internal/metrics/")))
            assert b'adproxy_pages_total{outcome="rewritten",reason="none",site="my-site"} 1.0' in counted
    finally:
        middleware = made["app"].middleware_stack
        while not isinstance(middleware, AdMiddleware):
            middleware = middleware.app
        middleware.close()
    return body.count(b"<div data-adproxy-slot=")


def test_the_commands_are_those_that_there_are() -> None:
    table = dict(re.findall(r"^\| `adproxy ([a-z]+)` \| (.*?) \|$", README, re.MULTILINE))
    shown = help_of()
    listed = re.findall(r"^  ([a-z]+)  +([A-Z].*)$", shown[shown.index("Commands:") :], re.MULTILINE)
    assert table == dict(listed)


def test_the_options_in_the_examples_exist() -> None:
    examples = [line.split() for block in blocks("sh") for line in block.splitlines() if line.startswith("adproxy ")]
    assert examples
    for _, command, *words in examples:
        known = help_of(command)
        for word in words:
            if word.startswith("--"):
                assert re.search(rf"^ +{word}\b", known, re.MULTILINE), f"{command} {word}"


def help_of(*command: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "adproxy.cli", *command, "--help"],
        capture_output=True, text=True, timeout=DEADLINE, check=True, env={"COLUMNS": "100"},
    )  # fmt: skip
    return run.stdout


def test_the_commands_for_make_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_metrics_are_shown_as_they_are(tmp_path: Path) -> None:
    assert between("metrics") == metrics_table(tmp_path)


def test_files_that_are_linked_exist() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text(encoding="utf-8")):
            assert target.startswith("https://") or (ROOT / target).exists(), f"{name}: {target}"
