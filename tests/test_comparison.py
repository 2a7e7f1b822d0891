"""What a change of the rules does to pages, and how it is told."""

from __future__ import annotations

import json
import re
from itertools import combinations, product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adproxy import account
from adproxy.comparison import Comparison, Sample, _nearest, breaks, compare
from adproxy.comparison_markdown import MAX_CHARACTERS, markdown
from adproxy.comparison_text import told
from adproxy.rules.compile import load_rules

SENTENCE = "The council met again on Tuesday to speak about the harbour and the long road that leads to it. "
STORY = "<h1>The harbour</h1>" + "".join(f"<p>Paragraph {n}. {SENTENCE * 4}</p>\n" for n in range(1, 21))
PAGE = f"<!doctype html><html lang=en><title>Harbour</title><body><main><article>{STORY}</article></main></body></html>"
FULL_OF_ADS = PAGE.replace(
    "<p>Paragraph 2.", '<div class="ad-slot" style="height:6000px">Advertisement</div>' * 40 + "<p>Paragraph 2."
)
OLD = """\
version: 1
site: news
limits: {gap: 100 words, ad_share: 40%}
slots:
  middle: {place: mid-article, after: paragraph 5, sizes: {phone: [300x250]}}
  end: {place: end-of-article, sizes: {phone: [300x250]}}
"""


def compared(tmp_path: Path, new: str, *pages: str, old: str = OLD) -> Comparison:
    books = []
    for name, text in (("old", old), ("new", new)):
        file = tmp_path / name / "site.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        books.append(load_rules(file))
    samples = [Sample(f"{n}.html", f"http://news.example/{n}.html", page.encode()) for n, page in enumerate(pages, 1)]
    return compare(books[0], books[1], samples)


def test_the_same_rules_change_nothing(tmp_path: Path) -> None:
    comparison = compared(tmp_path, OLD, PAGE, FULL_OF_ADS)
    assert comparison["changed"] == 0
    assert [page["changes"] for page in comparison["pages"]] == [[], []]
    assert "**These rules change none of 2 pages.**" in markdown(comparison)


def test_the_same_rules_in_another_directory_change_nothing_on_pages_without_ads(tmp_path: Path) -> None:
    off = OLD + 'pages: [{path: "/**", ads: false}]\n'
    assert compared(tmp_path, off, PAGE, old=off)["changed"] == 0


def test_a_slot_that_stands_elsewhere_has_moved(tmp_path: Path) -> None:
    comparison = compared(tmp_path, OLD.replace("paragraph 5", "paragraph 12"), PAGE)
    ((change,),) = [page["changes"] for page in comparison["pages"]]
    assert (change["slot"], change["kind"]) == ("middle", "moved")
    assert change["before"] is not None
    assert change["after"] is not None
    assert (change["before"]["gap"], change["after"]["gap"]) == (5, 12)
    assert comparison["slots"][0] == {"slot": "middle", "before": 1, "after": 1, "gained": 0, "lost": 0, "moved": 1}


def test_slots_are_gained_and_lost_and_densities_follow(tmp_path: Path) -> None:
    new = OLD.replace("  end:", "  start: {place: above-headline, sizes: {phone: [300x250]}}\n  other:")
    comparison = compared(tmp_path, new.replace("place: end-of-article", "place: below-headline"), PAGE)
    kinds = {change["slot"]: change["kind"] for change in comparison["pages"][0]["changes"]}
    assert kinds == {"start": "gained", "other": "gained", "end": "lost"}
    assert [slot["slot"] for slot in comparison["slots"]] == ["middle", "start", "other", "end"]
    taller = compared(tmp_path, OLD.replace("300x250", "300x600"), PAGE)["pages"][0]
    assert (taller["changes"], taller["changed"]) == ([], True)
    before, after = taller["density"]["phone"]["before"], taller["density"]["phone"]["after"]
    assert before is not None
    assert after is not None
    assert before < after


def test_a_slot_that_stays_but_is_hidden_on_a_device_is_told(tmp_path: Path) -> None:
    comparison = compared(tmp_path, OLD.replace("phone: [300x250]}}\n  end", "desktop: [300x250]}}\n  end"), PAGE)
    ((change,),) = [page["changes"] for page in comparison["pages"]]
    assert change["kind"] == "devices"
    assert "phone and desktop -> desktop" in "\n".join(told(comparison))


def test_a_page_that_is_left_alone_now_loses_its_slots(tmp_path: Path) -> None:
    comparison = compared(tmp_path, OLD + 'pages: [{path: "/2.html"}]\n', PAGE, PAGE)
    first, second = comparison["pages"]
    assert first["before"] is None
    assert first["after"] is not None
    assert first["after"]["reason"] == "path"
    assert {change["kind"] for change in first["changes"]} == {"lost"}
    assert (second["changed"], comparison["changed"]) == (False, 1)
    assert first["density"]["phone"]["after"] is None
    assert any("planned -> left alone: path" in line for line in told(comparison))


def test_a_page_whose_own_ads_are_more_than_the_new_limit_breaks_it(tmp_path: Path) -> None:
    comparison = compared(tmp_path, OLD.replace("40%", "20%"), PAGE, FULL_OF_ADS)
    fine, full = comparison["pages"]
    assert fine["broken"] == []
    assert {broken["device"] for broken in full["broken"]} == {"phone", "desktop"}
    assert all(broken["actual"] > 0.2 for broken in full["broken"])
    assert breaks(comparison)
    assert not breaks(compared(tmp_path, OLD.replace("40%", "20%"), PAGE))
    text = "\n".join(told(comparison))
    assert "over the limit: limits.ad_share of 20% on phone on 1 page" in text
    assert ":x: 1 page over the limit on phone, such as 2.html." in markdown(comparison)


def test_a_bug_is_no_page_that_is_left_alone_by_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("in the planner")

    monkeypatch.setattr(account, "rewrite", broken)
    comparison = compared(tmp_path, OLD, PAGE)
    assert breaks(comparison)
    assert any("went wrong: ZeroDivisionError" in line for line in told(comparison))


def test_pages_that_nobody_could_read_are_named(tmp_path: Path) -> None:
    book = load_rules(tmp_path / "old.yaml") if (tmp_path / "old.yaml").write_text(OLD) else None
    assert book is not None
    comparison = compare(book, book, [], ["gone.html: found nothing"])
    assert breaks(comparison)
    assert "not read: gone.html: found nothing" in list(told(comparison))
    assert "- gone.html: found nothing" in markdown(comparison)


def test_markdown_fits_into_a_comment_however_many_pages_change(tmp_path: Path) -> None:
    comparison = compared(tmp_path, OLD.replace("paragraph 5", "paragraph 12"), PAGE)
    comparison["pages"] *= 5000
    text = markdown(comparison)
    assert len(text) <= MAX_CHARACTERS
    assert re.search(r"^\d+ more pages changed", text, re.MULTILINE)


def test_what_a_page_is_called_can_neither_break_a_table_nor_mention_anybody(tmp_path: Path) -> None:
    comparison = compared(tmp_path, OLD.replace("paragraph 5", "paragraph 12"), PAGE)
    comparison["pages"][0]["page"] = "a|b\n<img src=x>@everyone [x](http://evil.example)`"
    (row,) = [line for line in markdown(comparison).splitlines() if "moved: middle" in line]
    assert row.count("|") == 5
    assert not {"<img", "@", "](", "`"} & {part for part in ("<img", "@", "](", "`") if part in row}


def test_a_comparison_is_plain_json(tmp_path: Path) -> None:
    comparison = compared(tmp_path, OLD.replace("paragraph 5", "paragraph 12"), PAGE)
    assert json.loads(json.dumps(comparison)) == comparison


offsets = st.lists(st.integers(0, 60), unique=True, max_size=5).map(sorted)


@settings(deadline=None)
@given(offsets, offsets)
def test_what_moved_is_paired_with_the_shortest_ways_in_sum(a: list[int], b: list[int]) -> None:
    pairs = _nearest(a, b)
    few, many = sorted((a, b), key=len)
    ways = [sum(abs(x - y) for x, y in zip(few, chosen, strict=True)) for chosen in combinations(many, len(few))]
    assert sum(abs(a[i] - b[j]) for i, j in pairs) == min(ways)
    assert all(i < k and j < m for (i, j), (k, m) in product(pairs, pairs) if i < k or j < m)
