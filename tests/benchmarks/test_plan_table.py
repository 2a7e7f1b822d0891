"""The table is made, page by page, and says what it found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TABLE = Path(__file__).with_name("plan_table.py")
TEXT = "<p>" + "The harbour was quiet, and nobody had seen the boat since the evening. " * 5 + "</p>"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TABLE), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_page_on_which_a_set_is_more_even_is_listed(tmp_path: Path) -> None:
    (tmp_path / "boat.html").write_text(f"<!doctype html><article><h1>Boat</h1>{TEXT * 10}</article>", "utf-8")
    done = run(str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "boat.html" in done.stdout
    assert "1 pages; slots" in done.stdout
    assert "as much, more even 1" in done.stdout


def test_a_folder_without_pages_is_a_misuse_that_says_so(tmp_path: Path) -> None:
    done = run(str(tmp_path))
    assert done.returncode == 2
    assert "no .html files" in done.stderr
