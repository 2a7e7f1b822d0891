"""What comes of many pages, a line each, to be compared with what comes of them elsewhere.

Usage: python both_ways.py   (with ADPROXY_PURE_PYTHON=1 by sources, without it by what is compiled, where it is)

The golden cases with their own rules; the demo's articles and the corpus, where it lies beside the checkout, with each
preset. A line says which page and preset, and has a digest of the body and of what is said about every decision.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from conftest import BY_SOURCES

from adproxy.account import account_of, decide
from adproxy.demo.content import load_articles
from adproxy.demo.pages import article_page
from adproxy.model import Skip
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import RuleBook

ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests" / "cases"
CORPUS = ROOT.parent / "shared" / "corpus"
PRESETS = ("news", "longform", "blog", "live-blog")


def pages() -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the pages for each preset."""
    articles = load_articles()
    for article in articles:
        yield f"demo, {article.path}", article_page(article, articles).encode()
    for file in sorted(CORPUS.glob("*/pages/*.html")):
        yield f"{file.parents[1].name}, {file.stem}", file.read_bytes()


def digest(name: str, html: bytes, book: RuleBook) -> str:
    """Of the body that comes of a page, and of all that `explain` says about it."""
    work = decide(html, "https://example.com/article", book)
    made = hashlib.sha256(json.dumps(account_of(name, work)).encode())
    if not isinstance(work.result, Skip):
        made.update(work.result.body)
    return made.hexdigest()


def main() -> None:
    print("by sources" if BY_SOURCES else "by what is compiled", file=sys.stderr)
    for case in sorted(page.parent for page in CASES.glob("*/page.html")):
        print(f"{case.name}: {digest(case.name, (case / 'page.html').read_bytes(), load_rules(case / 'rules.yaml'))}")
    everything = list(pages())
    for preset in PRESETS:
        book = load_rules(ROOT / "rules" / f"{preset}.yaml")
        for name, html in everything:
            print(f"{name} ({preset}): {digest(name, html, book)}")


if __name__ == "__main__":
    main()
