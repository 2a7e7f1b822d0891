"""Measuring a page, as far as that goes without a browser: its marks, and what to do where there is none."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from adproxy.errors import PageError
from adproxy.measure import browser_of, counted_of, marked
from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.compile import load_rules
from adproxy.rules.merge import presets_folder
from adproxy.rules.ruleset import Policy
from adproxy.splice import unsplice

TEXT = "The harbour was quiet, and nobody had seen the boat since the evening before the gale. " * 5
PARAGRAPH = f"<p>{TEXT}</p>"
PAGE = (
    f"<!doctype html><body><article><h1>Boat</h1><P class=x>{TEXT}</P>{PARAGRAPH}<h2>Head</h2>{PARAGRAPH * 2}"
    f"<table><tr><td>1</table>{PARAGRAPH * 6}</article>"
).encode()


@pytest.fixture
def policy() -> Policy:
    made = load_rules(presets_folder() / "news.yaml").rule_sets[0].pages[0].policy
    assert made is not None
    return made


@pytest.fixture
def result(policy: Policy) -> Rewritten:
    made = rewrite(PAGE, policy)
    assert isinstance(made, Rewritten)
    return made


def test_each_block_that_a_gap_lies_right_before_carries_its_index(result: Rewritten) -> None:
    text = marked(PAGE, result).decode()
    found = [(tag.lower(), int(index)) for tag, index in re.findall(r'<(\w+) data-adproxy-block="(\d+)"', text)]
    # a table has no place before it: its gap lies behind the paragraph
    assert found == [(block.tag, i) for i, block in enumerate(result.page.blocks) if block.tag != "table"]
    assert '<P data-adproxy-block="0" class=x>' in text


def test_the_marks_change_nothing_else(result: Rewritten) -> None:
    text = re.sub(rb' data-adproxy-block="\d+"', b"", marked(PAGE, result))
    assert text == result.body
    assert unsplice(text, result.insertions) == PAGE


def test_slots_outside_of_the_article_are_no_part_of_its_density(result: Rewritten, policy: Policy) -> None:
    names = [placement.slot for placement in result.plan.placements]
    assert {"billboard", "in-article"} <= set(names)
    counted = counted_of(policy, result.plan, "phone")
    assert counted == [name in ("in-article", "end") for name in names]


def test_without_playwright_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    expected = "found no playwright; expected it and a browser: pip install playwright"
    with pytest.raises(PageError, match=expected), browser_of(None):
        pass


def test_a_browser_that_does_not_start_is_told_of_with_what_to_do(tmp_path: Path) -> None:
    expected = "found no browser that starts .*--browser"
    with pytest.raises(PageError, match=expected), browser_of(tmp_path / "no-such-browser"):
        pass
