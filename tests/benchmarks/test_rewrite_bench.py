"""The benchmark runs, and what it writes can be compared. No time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).with_name("rewrite_bench.py")
TEXT = "<p>" + "The harbour was quiet, and nobody had seen the boat since the evening. " * 6 + "</p>"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCH), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_it_measures_three_small_pages_and_writes_figures_for_every_contender_and_part(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    for i in range(3):
        text = f"<!doctype html><body><article><h1>Boat {i}</h1>{TEXT * 12}</article>"
        (pages / f"{i}.html").write_text(text, "utf-8")
    file = tmp_path / "figures.json"
    done = run("--pages", str(pages), "--rounds", "2", "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "progress is for terminals alone"
    result = json.loads(file.read_text("utf-8"))
    assert result["rounds"] == 2
    assert result["pages"]["measured"] == result["pages"]["found"] == 3
    assert result["pages"]["with_slots"] == 3
    assert result["machine"]["versions"]["selectolax"]
    names = {*result["contenders"], *result["left_out"]}
    assert {"selectolax, bare parse", "adproxy, the whole rewrite", "lol-html, one insertion"} <= names
    assert {"lxml, insert and serialise", "BeautifulSoup, insert and serialise"} <= names
    parts = ["scan", "guard", "mark", "parse of the marked copy", "facts", "article and blocks", "places", "plan"]
    assert list(result["parts"]) == [*parts, "markup and splice"]
    for row in (*result["contenders"].values(), *result["parts"].values()):
        assert row["median_us"] > 0
        assert row["ratio_low"] <= row["ratio_high"]
    assert result["contenders"]["selectolax, bare parse"]["ratio"] == 1
    for name in result["contenders"]:
        assert name in done.stdout


def test_without_time_it_still_measures_one_page_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = run("--pages", str(_one_page(tmp_path)), "--seconds", "0.001", "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert json.loads(file.read_text("utf-8"))["pages"]["measured"] == 1


def test_a_folder_without_pages_is_a_misuse_that_says_so(tmp_path: Path) -> None:
    done = run("--pages", str(tmp_path))
    assert done.returncode == 2
    assert "no .html files" in done.stderr


def _one_page(folder: Path) -> Path:
    (folder / "a.html").write_text(f"<body><h1>A</h1>{TEXT * 9}", "utf-8")
    (folder / "b.html").write_text(f"<body><h1>B</h1>{TEXT * 9}", "utf-8")
    return folder
