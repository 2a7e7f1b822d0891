"""`adproxy measure` on the demo in a real browser, and how near the estimates come to what that shows."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import missing
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import density_bench as bench
from density_pages import THEMES

from adproxy import cli
from adproxy.errors import PageError
from adproxy.measure import browser_of
from adproxy.model import DEVICES
from adproxy.page_source import fetch
from adproxy.rules.compile import load_rules

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
STORIES = ("the-long-crossing", "die-kleine-werft", "will-it-sail")


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[str, dict[str, str]]]:
    """The demo's pages as the bench builds them: where they are served, and by story their addresses."""
    with tempfile.TemporaryDirectory() as directory:
        root, files = bench.pages_of(THEMES[0], Path(directory), Path(directory))
        with bench.served(root) as base:
            yield base, {file.stem: base + file.relative_to(root).as_posix() for file in files}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        missing(f"found no {CHROMIUM}")
    with browser_of(CHROMIUM) as chromium:
        yield chromium


def test_the_layout_it_prints_can_be_pasted_and_brings_the_estimate_to_what_is_measured(
    demo: tuple[str, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not CHROMIUM.exists():
        missing(f"found no {CHROMIUM}")
    with pytest.raises(SystemExit) as ended:
        cli.main(["measure", demo[1]["the-long-crossing"], "--browser", str(CHROMIUM)])
    printed = capsys.readouterr()
    assert (ended.value.code, printed.err) == (0, "")
    layout = re.search(r"^layout:\n(  \w+: \{.*\}\n){2}", printed.out, re.MULTILINE)
    assert layout is not None
    rules = tmp_path / "site.yaml"
    rules.write_text(f"version: 1\nsite: demo\nuse: [news]\n{layout[0]}")
    policy = load_rules(rules).rule_sets[0].pages[0].policy
    assert policy is not None
    # the demo's type is 18 px and 19 px; phones leave it 390 px less two margins of 16
    assert (policy.layout.phone.column, policy.layout.phone.font) == (358, 18)
    assert policy.layout.desktop.font == 19
    rows = re.findall(r"(phone|desktop) +([\d.]+)% +([\d.]+)% +([\d.]+)%", printed.out)
    assert [row[0] for row in rows] == [*DEVICES, *DEVICES]
    for _, measured, estimated, with_layout in rows[:2]:
        assert abs(float(with_layout) / float(measured) - 1) < 0.06
        assert abs(float(estimated) / float(measured) - 1) < 0.35
    assert "Better Ads" in printed.out
    assert "Lighthouse" in printed.out


def test_with_the_layout_stated_no_page_planned_within_the_limit_measures_above_it(
    browser: Browser, demo: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(bench.RULES)
    book = load_rules(rules)
    pages = [fetch(demo[1][story]) for story in STORIES]
    layout = bench.look(browser, pages[0], book)[1].layout
    assert layout is not None
    stated = bench.with_layout(book, layout)
    found = [
        finding
        for page, story in zip(pages, STORIES, strict=True)
        for finding in bench.findings_of("demo", story, True, *bench.look(browser, page, stated))
    ]
    assert len(found) == 2 * len(STORIES)
    assert bench.judged(found) == []
    assert max(finding.estimate for finding in found) > 0.25, "the limit was what stopped the plan"


def test_a_page_without_an_article_is_refused_by_name(
    browser: Browser, demo: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(bench.RULES)
    address = demo[0] + "frame.html"
    with pytest.raises(PageError, match=r"frame\.html: found no article; expected one"):
        bench.look(browser, fetch(address), load_rules(rules))
