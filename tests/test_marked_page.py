"""A page with its account marked on it: the page is all there, and what was put into it does nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from oracles import Html5lib, without_ours
from test_account import PAGE, RULES

from adproxy.account import Work, account_of, decide
from adproxy.marked_page import marked_page
from adproxy.model import Skip
from adproxy.rules.compile import load_rules

BASE = "http://here.example/news/story"


def work_on(tmp_path: Path, html: bytes = PAGE.encode()) -> Work:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES, encoding="utf-8")
    return decide(html, BASE, load_rules(file))


def marked(tmp_path: Path, html: bytes = PAGE.encode()) -> str:
    work = work_on(tmp_path, html)
    written = marked_page(work, account_of("page.html", work), BASE)
    assert written.startswith(b"\xef\xbb\xbf")
    return written.decode("utf-8-sig")


def test_without_what_is_ours_the_tree_is_the_page_s_own(tmp_path: Path, html5lib_parser: Html5lib) -> None:
    html = PAGE.replace("<body>", "<html lang=en><head class=a><link rel=icon href=a.png></head>\n<body class=b>")
    written = html5lib_parser.tree(marked(tmp_path, html.encode()), scripting=True)
    assert without_ours(written) == html5lib_parser.tree(html, scripting=True)


def test_each_slot_is_a_box_and_each_other_candidate_a_mark_that_explains_itself(tmp_path: Path) -> None:
    work = work_on(tmp_path)
    account = account_of("page.html", work)
    written = marked(tmp_path)
    placed = sum(len(slot["placements"]) for slot in account["slots"])
    assert written.count("<div data-adproxy-slot=") == placed > 1
    refused = [c for c in account["candidates"] if any(v["refusal"] for v in c["verdicts"]) and c["offset"] is not None]
    marks = re.findall(r'<summary aria-label="([^"]+)">', written)
    assert len(marks) == len(refused)
    assert all(spoken.startswith("No slot between blocks") for spoken in marks)
    assert "too near to a picture or video, needs text between slot and media" in marks[1]


def test_the_policy_that_forbids_scripts_comes_before_everything_but_the_doctype(tmp_path: Path) -> None:
    written = marked(tmp_path, b"<!-- saved -->\n" + PAGE.encode())
    assert re.match(
        r'<!-- saved -->\n<!doctype html><meta data-adproxy="explain" http-equiv="Content-Security-Policy"'
        r" content=\"script-src 'none'; [^\"]*frame-src 'none'",
        written,
    )
    assert marked(tmp_path, PAGE.removeprefix("<!doctype html>").encode()).startswith("<meta data-adproxy")


@pytest.mark.parametrize("refresh", ["http-equiv=refresh", 'HTTP-EQUIV = "Refresh"'])
def test_a_page_that_would_go_elsewhere_stays(tmp_path: Path, refresh: str) -> None:
    tag = f'<meta {refresh} content="0;url=/elsewhere">'
    written = marked(tmp_path, PAGE.replace("<title>", f"{tag}<title>").encode())
    assert tag not in written
    assert re.search(r"x-refresh", written, re.IGNORECASE)


@pytest.mark.parametrize(
    ("own", "base"),
    [
        ("", BASE),
        ('<base href="/archive/">', "http://here.example/archive/"),
        ("<base target=_top><base href=https://static.example/a/>", "https://static.example/a/"),
        ('<!-- <base href="/never/"> -->', BASE),
    ],
)
def test_what_the_page_names_loads_from_where_it_names_it(tmp_path: Path, own: str, base: str) -> None:
    written = marked(tmp_path, PAGE.replace("<title>", f"{own}<title>").encode())
    assert f'<base data-adproxy="explain" href="{base}" target="_blank">' in written


def test_a_page_in_any_encoding_keeps_its_letters(tmp_path: Path) -> None:
    html = PAGE.replace("<title>", "<meta charset=windows-1251><title>").replace("The town", "Город Ёлкино")
    assert "Город Ёлкино" in marked(tmp_path, html.encode("cp1251"))


def test_what_the_page_says_is_text_in_the_marks(tmp_path: Path) -> None:
    html = PAGE.replace("<h2>The town</h2>", "<h2>&lt;/div>&lt;img src=x onerror=alert(1)>\"'</h2>")
    written = marked(tmp_path, html.encode())
    assert "<img src=x" not in written
    assert "&lt;img src=x" in written


def test_a_page_that_is_left_alone_has_nothing_to_mark(tmp_path: Path) -> None:
    work = work_on(tmp_path, b"<html amp><p>An AMP page")
    assert isinstance(work.result, Skip)
    with pytest.raises(ValueError, match="left alone"):
        marked_page(work, account_of("page.html", work), BASE)
