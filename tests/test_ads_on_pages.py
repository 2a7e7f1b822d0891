"""How well the advertising of real pages is told from what only looks so: precision and recall over a checked list.

`ads/elements.tsv` names elements of the corpus by tag, class, id and the start of a frame's address, and says of each
whether it is advertising. The verdicts began as those of the code that is judged here and were corrected by reading
them; doubtful ones were left out. So the figures flatter, and guard against steps back more than they measure. The
pages are other people's and not part of the checkout.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from conftest import missing
from selectolax.lexbor import LexborHTMLParser, LexborNode

from adproxy.page import ads
from adproxy.page.tree import visible_text
from adproxy.page.words import count_words

pytestmark = pytest.mark.corpus

CORPUS = Path(__file__).parent.parent.parent / "shared" / "corpus"
LIST = Path(__file__).parent / "ads" / "elements.tsv"
PRECISION, RECALL = 0.97, 0.95
"""Floors; a figure below one of them is a step back."""


@cache
def rows() -> tuple[dict[str, str], ...]:
    with LIST.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def pages() -> Iterator[tuple[str, list[LexborNode], list[dict[str, str]]]]:
    """Each page with its elements and what is said of some of them."""
    if not CORPUS.is_dir():
        missing(f"no pages in {CORPUS}")
    for name in dict.fromkeys(row["page"] for row in rows()):
        corpus, _, file = name.partition("/")
        body = LexborHTMLParser((CORPUS / corpus / "pages" / file).read_bytes(), scripting=True).body
        assert body is not None
        yield name, body.css("*"), [row for row in rows() if row["page"] == name]


def is_meant(node: LexborNode, row: dict[str, str]) -> bool:
    attributes = node.attributes
    return (
        node.tag == row["tag"]
        and (attributes.get("class") or "").strip() == row["class"]
        and (attributes.get("id") or "").strip() == row["id"]
        and (attributes.get("src") or "").startswith(row["src"])
    )


def test_the_advertising_of_real_pages_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[tuple[str, str, bool]] = Counter()
    wrong: list[str] = []
    for name, nodes, said in pages():
        for row in said:
            node = next((n for n in nodes if is_meant(n, row)), None)
            assert node is not None, f"{name} has no {row}"
            found = ads.is_ad(row["tag"], node.attributes) and count_words(visible_text(node)) < ads.MAX_WORDS
            counts[name.partition("/")[0], row["what"], found] += 1
            if found != (row["what"] == "ad"):
                wrong.append(
                    f"{name[:24]:24} {row['what']:5} {row['tag']} .{row['class'][:60]} #{row['id'][:40]} {row['src']}"
                )
    lines = [f"{'':8} {'ads':>5} {'found':>6} {'others':>7} {'taken for ads':>14} {'precision':>10} {'recall':>7}"]
    figures = []
    for corpus in ("news", "mixed", "both"):
        of = {
            (what, found): sum(
                n for (c, w, f), n in counts.items() if (w, f) == (what, found) and corpus in (c, "both")
            )
            for what in ("ad", "other")
            for found in (True, False)
        }
        hits, missed, false = of["ad", True], of["ad", False], of["other", True]
        figures.append((hits / (hits + false), hits / (hits + missed)))
        lines.append(
            f"{corpus:8} {hits + missed:5} {hits:6} {false + of['other', False]:7} {false:14}"
            f" {figures[-1][0]:10.1%} {figures[-1][1]:7.1%}"
        )
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    precision, recall = figures[-1]
    assert precision >= PRECISION, "\n".join(wrong)
    assert recall >= RECALL, "\n".join(wrong)


def test_the_list_speaks_of_enough_pages() -> None:
    assert len({row["page"] for row in rows()}) >= 40
    assert {row["what"] for row in rows()} == {"ad", "other"}
