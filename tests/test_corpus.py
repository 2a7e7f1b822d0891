"""Real pages: what the laws say of each of them and of a damaged copy, and where on news pages the slots lie.

The pages lie beside the checkout, in ../shared/corpus; they are other people's and not part of it.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from conftest import missing
from oracles import Html5lib, Parse5, Parser, check_bytes, check_trees
from scans import compiled, differences

from adproxy.charset import sniff
from adproxy.model import Skip, SkipReason
from adproxy.page import scan_pure
from adproxy.page.guard import hostile
from adproxy.page.marks import mark
from adproxy.page.read import compile_wanted, read
from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import Policy

pytestmark = pytest.mark.corpus

ROOT = Path(__file__).parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
BENCH = ROOT.parent / "shared" / "bench" / "placement_bench.py"
CHUNKS = 8
"""So many tests share the pages, for workers to take in turn."""

# What each may do to a page: real pages are broken in these ways.
MUTATIONS: tuple[Callable[[bytes], bytes], ...] = (
    lambda html: re.sub(rb"</p\s*>", b"", html, flags=re.I),
    lambda html: re.sub(rb"</(li|td|tr|dd|dt)\s*>", b"", html, flags=re.I),
    lambda html: re.sub(rb"</p\s*>", b"</p></b></span></p>", html, flags=re.I),
    lambda html: re.sub(rb"<(/?)(p|div|section|article|h2)\b", lambda m: m[0].upper(), html, flags=re.I),
    lambda html: re.sub(rb"<p([\s>])", rb"<!-- <p>no</p> > --><p\1", html, flags=re.I),
    lambda html: re.sub(rb"<(p|div)>", rb"<\1 / title='a>b<p>' x=</p>", html, flags=re.I),
    lambda html: html.replace(b"</p>", b"</p><script>'</p><p>';<!--<script>'</script>'</script>--></script>"),
    lambda html: re.sub(rb"<p([\s>])", rb"<i><p\1", html, count=40, flags=re.I),
    lambda html: re.sub(rb"(<body[^>]*>)", rb"\1<table><tr><td>", html, count=1, flags=re.I),
    lambda html: re.sub(rb"</p>", b"</p><noscript></div><b></noscript>", html, count=9, flags=re.I),
    lambda html: html.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    lambda html: re.sub(rb"<p>", b"<p>\0", html),
    lambda html: html[: len(html) * 3 // 5],
)  # fmt: skip


@cache
def pages() -> tuple[Path, ...]:
    """All pages of the corpus; the test that asks is skipped where there are none."""
    found = tuple(sorted(CORPUS.glob("*/pages/*.html")))
    if not found:
        missing(f"no pages in {CORPUS}")
    return found


@cache
def policy() -> Policy:
    found = load_rules(ROOT / "rules" / "news.yaml").rule_sets[0].pages[0].policy
    assert found is not None
    return found


def number(page: Path) -> int:
    """The same for a page wherever it lies: who looks at it, and how it is damaged."""
    return int(hashlib.sha256(page.name.encode()).hexdigest()[:8], 16)


def check(html: bytes, parser: Parser, *, scripting: bool) -> int:
    """Laws 1 and 2 for a page; how many insertions it got."""
    encoding = sniff(html, "text/html")
    assert encoding is not None
    result = rewrite(html, policy(), encoding=encoding)
    if isinstance(result, Skip):
        return 0
    check_bytes(html, result.body, result.insertions)
    if result.insertions:
        check_trees(html, result.body, result.insertions, parser, scripting=scripting, encoding=encoding)
    return len(result.insertions)


def test_the_guard_refuses_no_page() -> None:
    refused = {page.name: reason for page in pages() if (reason := hostile(page.read_bytes())) is not None}
    assert refused == {}


def test_the_compiled_scan_says_of_each_page_and_of_a_damaged_copy_what_the_one_in_python_says() -> None:
    native = compiled()
    for page in pages():
        html = page.read_bytes()
        for given in (html, MUTATIONS[number(page) % len(MUTATIONS)](html)):
            assert differences(given, native(given), scan_pure.scan(given)) == [], page.name


def test_each_page_and_a_damaged_copy_is_read_without_what_nobody_asks_about_as_it_is_with_it() -> None:
    wanted = compile_wanted(policy())
    whole = replace(wanted, whole=True, others=True)
    left_out = 0
    for page in pages():
        html = page.read_bytes()
        encoding = sniff(html, "text/html") or "utf-8"
        for given in (html, MUTATIONS[number(page) % len(MUTATIONS)](html)):
            left_out += bool(mark(given, whole=False).left_out)
            if hostile(given) is None:
                assert read(given, wanted, encoding) == read(given, whole, encoding), page.name
    assert left_out > 0


def test_only_pages_that_say_so_are_left_alone() -> None:
    found = {page.name: rewrite(page.read_bytes(), policy()) for page in pages()}
    skipped = {name: result.reason for name, result in found.items() if isinstance(result, Skip)}
    assert set(skipped.values()) <= {SkipReason.XHTML, SkipReason.AMP, SkipReason.HYDRATED}
    assert sum(isinstance(result, Rewritten) and bool(result.insertions) for result in found.values()) > len(found) / 2


@pytest.mark.parametrize("scripting", [True, False])
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_laws_1_and_2_hold_on_real_pages_by_parse5(parse5_parser: Parse5, chunk: int, scripting: bool) -> None:
    slots = sum(check(page.read_bytes(), parse5_parser, scripting=scripting) for page in pages()[chunk::CHUNKS])
    assert slots > 0


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_laws_1_and_2_hold_on_damaged_pages_by_parse5(parse5_parser: Parse5, chunk: int) -> None:
    slots = 0
    for page in pages()[chunk::CHUNKS]:
        damage = MUTATIONS[number(page) % len(MUTATIONS)]
        slots += check(damage(page.read_bytes()), parse5_parser, scripting=number(page) % 2 == 0)
    assert slots > 0


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_laws_1_and_2_hold_on_every_third_page_by_html5lib(html5lib_parser: Html5lib, chunk: int) -> None:
    for page in pages()[chunk::CHUNKS]:
        if number(page) % 3 == 0:
            html = page.read_bytes()
            damage = MUTATIONS[number(page) // 3 % len(MUTATIONS)]
            scripting = number(page) // 3 % 2 == 0
            check(html, html5lib_parser, scripting=scripting)
            check(damage(html), html5lib_parser, scripting=not scripting)


def test_slots_on_news_pages_lie_in_the_article_and_at_safe_places(tmp_path: Path) -> None:
    originals = CORPUS / "news" / "pages"
    if not originals.is_dir() or not BENCH.is_file():
        missing(f"no pages in {originals}, or no {BENCH}")
    for page in originals.glob("*.html"):
        html = page.read_bytes()
        result = rewrite(html, policy(), encoding=sniff(html, "text/html") or "utf-8")
        (tmp_path / page.name).write_bytes(result.body if isinstance(result, Rewritten) else html)
    report = tmp_path / "report.json"
    truth = CORPUS / "news" / "truth.json"
    judged = subprocess.run(
        [sys.executable, str(BENCH), "check", str(originals), str(tmp_path), "--truth", str(truth),
         "--mid", "^in-article", "--checks", "CD", "--fail-on", "A", "--json", str(report)],
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert report.is_file(), judged.stderr
    summary = json.loads(report.read_text("utf-8"))["summary"]
    told = judged.stdout
    assert summary["A_clean"] == summary["pages"] > 0, told
    assert summary["inside"] >= 0.99 * summary["mid"] > 0, told
    assert summary["recall_inside"] >= 0.95 * summary["long_pages"] > 0, told
    assert summary["D_clean"] >= 0.98 * summary["pages"], told
