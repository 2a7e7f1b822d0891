"""The account as lines for a person."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from test_account import PAGE, RULES, account

from adproxy.explanation import COLUMNS, Ink, columns, fit, told, wrap


def lines(tmp_path: Path, html: str = PAGE, rules: str = RULES) -> list[str]:
    return list(told(account(tmp_path, html, rules)))


def test_the_article_is_an_outline_with_a_verdict_between_blocks(tmp_path: Path) -> None:
    text = lines(tmp_path)
    start = next(i for i, line in enumerate(text) if line.startswith("Article, block by block"))
    assert text[start + 2].split()[:3] == ["1", "paragraph", "44"]
    outline = text[start + 2 : text.index("Slots") - 1]
    rows = [line for line in outline if line[:5].strip().isdigit()]
    assert [int(row.split()[0]) for row in rows] == list(range(1, len(rows) + 1))
    for above, row in pairwise(outline):
        assert row not in rows or above not in rows, f"nothing is said between {above!r} and {row!r}"


def test_a_verdict_that_holds_for_every_slot_names_none_and_another_names_its_own(tmp_path: Path) -> None:
    text = lines(tmp_path)
    assert any(line.startswith("        - after_heading, needs") for line in text)
    assert any(line.startswith(("        - second: ", "        - first: ")) for line in text)
    assert any(line.startswith("        > first 1") for line in text)
    assert any(line.startswith("        > second") for line in text)


def test_a_verdict_names_the_block_that_is_to_blame(tmp_path: Path) -> None:
    text = " ".join(line.strip() for line in lines(tmp_path))
    assert "media directly beside it (block 3, media" in text
    assert "found “The town” (block 6)" in text


@pytest.mark.parametrize(
    "article", [PAGE, PAGE.replace("The ferry left", "渡船在七点钟离开港口全镇的人都看着它直到雾气")]
)
def test_no_line_is_wider_than_its_columns(tmp_path: Path, article: str) -> None:
    wide = [line for line in lines(tmp_path, article) if columns(line) > COLUMNS]
    assert wide == []


def test_colours_change_nothing_but_the_colour(tmp_path: Path) -> None:
    def paint(text: str, ink: Ink) -> str:
        return f"<{ink}>{text}</{ink}>"

    coloured = list(told(account(tmp_path), paint))
    bare = []
    for line in coloured:
        for ink in ("title", "placed", "refused", "faint"):
            line = line.replace(f"<{ink}>", "").replace(f"</{ink}>", "")  # noqa: PLW2901
        bare.append(line)
    assert bare == lines(tmp_path)
    assert coloured != bare


def test_what_the_page_says_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    text = "\n".join(lines(tmp_path, PAGE.replace("The town", "The \x1b]0;evil\x07\u009b31m town")))
    assert "evil" in text
    assert not {"\x1b", "\x07", "\x9b"} & set(text)


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [("short", 10, "short"), ("abcdef", 4, "abc…"), ("渡船離開", 5, "渡船…"), ("e\u0301e\u0301", 2, "e\u0301e\u0301")],
)
def test_a_text_is_cut_by_the_columns_that_it_takes(text: str, most: int, cut: str) -> None:
    assert fit(text, most) == cut
    assert columns(cut) <= most


def test_a_line_is_broken_at_blanks_and_a_long_word_stays_whole() -> None:
    address = "http://news.example/" + "a" * COLUMNS
    broken = wrap("   one " + "two " * 40 + address, "    ")
    assert broken[0].startswith("   one two")
    assert all(line.startswith("    two") or line == "    " + address for line in broken[1:])
    assert " ".join(line.strip() for line in broken) == "one " + "two " * 40 + address


def test_a_marker_for_a_slot_that_the_rules_do_not_have_is_told(tmp_path: Path) -> None:
    marks = '<!-- adproxy:slot in-artikel --><div data-ads-here="rail"></div>'
    text = " ".join(line.strip() for line in lines(tmp_path, PAGE.replace("<h2>", f"{marks}<h2>")))
    assert "A marker in the page names “in-artikel”, but no slot that markers may place has that name." in text
    assert "names “rail”" not in text
    forbidden = lines(tmp_path, PAGE.replace("<h2>", f"{marks}<h2>"), RULES + "markers: [first]\n")
    assert any("names “rail”" in line for line in forbidden)
