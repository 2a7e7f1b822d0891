"""The contact sheet: each page is on it, with its slots or with the reason why there is no picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import missing
from contact_sheet import CHROMIUM, ROW, make, pages_in, tile
from playwright.sync_api import sync_playwright

from adproxy.rules.compile import load_rules

pytestmark = pytest.mark.browser

TEXT = "<p>" + "The ferry left the harbour at seven and the town watched it go until the fog closed. " * 3 + "</p>\n"
PAGE = f"<!doctype html><title>T</title><main><article><h1>The ferry</h1>{TEXT * 9}</article></main>"
SLOT = "  in-article: {place: mid-article, first_after: 60 words, max: 1, sizes: {phone: [300x250]}}\n"
NONE = "  in-article: {place: mid-article, article_min: 9000 words, sizes: {phone: [300x250]}}\n"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    if not Path(CHROMIUM).exists():
        missing(f"found no {CHROMIUM}")
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "story.html").write_text(PAGE, encoding="utf-8")
    (folder / "amp.html").write_text("<html amp><p>Quick", encoding="utf-8")
    (folder / "blank.html").write_text(
        PAGE.replace("<main>", "<style>main{position:absolute;top:-99999px}</style><main>"), encoding="utf-8"
    )
    return folder


def rules(tmp_path: Path, slots: str) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text(f"version: 1\nsite: here\nslots:\n{slots}", encoding="utf-8")
    return file


def test_a_tile_shows_the_slots_and_says_what_they_are(pages: Path, tmp_path: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        with_slot = tile(browser, pages / "story.html", load_rules(rules(tmp_path, SLOT)), "phone")
        without = tile(browser, pages / "story.html", load_rules(rules(tmp_path, NONE)), "phone")
        amp = tile(browser, pages / "amp.html", load_rules(rules(tmp_path, SLOT)), "phone")
        blank = tile(browser, pages / "blank.html", load_rules(rules(tmp_path, SLOT)), "phone")
        browser.close()
    assert "; 1 in-article; " in with_slot.caption
    assert "; no slots; 0% ads" in without.caption
    assert with_slot.picture.startswith(b"\x89PNG")
    assert with_slot.picture != without.picture
    assert (amp.caption, amp.picture) == ("left alone: amp (an AMP page)", b"")
    assert blank.picture == b""


def test_there_is_a_sheet_for_each_row_of_pages_and_one_page_with_all(pages: Path, tmp_path: Path) -> None:
    for n in range(ROW - 1):
        (pages / f"{n}.html").write_bytes(b"<html amp><p>Quick")
    assert len(pages_in([pages])) == ROW + 2
    make(rules(tmp_path, SLOT), [pages], tmp_path / "out", "desktop")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["index.html", "sheet-01.png", "sheet-02.png"]
    assert (tmp_path / "out" / "index.html").read_text(encoding="utf-8").count("<img ") == 2
