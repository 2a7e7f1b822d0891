"""Try a change: the rules in force against a draft on recent pages, within bounds, and nothing is written."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_office import RULES, Office, answering, article, console, newspaper, text_of

from adproxy.console import trial as module

ONE = RULES.replace("max: 3", "max: 1")


@pytest.fixture
def asked() -> list[dict[str, str]]:
    return []


@pytest.fixture
def office(tmp_path: Path, asked: list[dict[str, str]]) -> Iterator[Office]:
    (tmp_path / "site.yaml").write_text(RULES, encoding="utf-8")
    with console(answering(newspaper, asked), tmp_path) as running:
        yield running


def tried(office: Office, **fields: str) -> str:
    """The result of a trial, as text."""
    begun = office.post("/try", {"rules": "site.yaml", "was": "site.yaml", "addresses": "", **fields})
    assert begun.status == 303, text_of(begun.body.decode())
    key = (begun.get("location") or "").removeprefix("try?trial=")
    end = time.monotonic() + 20
    while not json.loads(office.get(f"/try/progress/{key}").body)["over"]:
        assert time.monotonic() < end, "the trial came to no end"
        time.sleep(0.02)
    return text_of(office.get(f"/try?trial={key}").body.decode())


def test_pages_that_are_named_are_compared(office: Office, asked: list[dict[str, str]]) -> None:
    page = tried(office, text=ONE, addresses="/2026/story-1\nhttp://site.example/2026/story-2\n")
    assert "1 of 2 pages change" in page
    assert re.search(r"in-article 4 2 0 −2", page)
    assert "/2026/story-1 Density: phone" in page
    assert "1 page without a change /2026/story-2" in page
    assert [request["path"] for request in asked] == ["/2026/story-1", "/2026/story-2"]
    assert (office.live.path / "site.yaml").read_text() == RULES


def test_where_none_is_named_recent_pages_are_found_that_rules_are_for(office: Office) -> None:
    page = tried(office, text=ONE)
    assert "1 of 2 pages change" in page
    assert "/2026/story-1" in page
    assert "/about" not in page.partition("Change it further")[0]


def test_what_can_not_be_compared_is_named(office: Office) -> None:
    page = tried(office, text=ONE, addresses="/gone\n/2026/story-2")
    assert "Pages that could not be compared http://site.example/gone: answered 404; expected a page (200)" in page


def test_a_mistake_or_too_many_pages_start_nothing(office: Office, asked: list[dict[str, str]]) -> None:
    wrong = office.post("/try", {"rules": "site.yaml", "text": "slots: [", "addresses": "/2026/story-1"})
    assert wrong.status == 200
    assert b"1 problem" in wrong.body
    assert b"data-line=" in wrong.body
    many = office.post("/try", {"rules": "site.yaml", "text": ONE, "addresses": "/a\n" * (module.MAX_PAGES + 1)})
    assert "expected at most 40" in text_of(many.body.decode())
    assert asked == []


def test_another_file_brings_its_text(office: Office) -> None:
    answer = office.post("/try", {"rules": "preset:news", "was": "site.yaml", "text": ONE})
    assert "for news sites with articles" in text_of(answer.body.decode())


def test_a_trial_ends_at_its_bounds(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", len(article(12)) - 1)
    page = tried(office, text=ONE, addresses="/2026/story-1\n/2026/story-2")
    assert re.search(r"/2026/story-2: after \d+ bytes there was no room for more", page)
    monkeypatch.setattr(module, "TRIAL_SECONDS", -1.0)
    page = tried(office, text=ONE, addresses="/2026/story-1")
    assert "/2026/story-1: the time was over" in page


def test_a_site_without_articles_is_told(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(RULES.replace("/**", "/2026/**"), encoding="utf-8")
    html = {"content-type": "text/html"}
    with console(answering(lambda path: (200, html, b"<!doctype html><p>Here")), tmp_path) as office:
        page = tried(office, text=ONE.replace("/**", "/2026/**"))
    assert "Nothing could be compared" in page
    assert "found no page in its feeds, its site map or on its front page that rules are for" in page
