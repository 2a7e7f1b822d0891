"""What a rewrite costs, beside other ways to change a page: python tests/benchmarks/rewrite_bench.py

One process, one thread. On every page the contenders take turns, so that a busy moment of the machine hits all of them
alike; of all rounds a contender's best time on a page counts. Times are CPU time of the thread, so that what else the
machine does costs little. Figures are given in microseconds and as ratios to a bare parse by selectolax of the same
bytes, with its spread over the pages (from the tenth part of them to the ninth).

The parts of a rewrite are its own functions, timed where the rewrite calls them.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from selectolax.lexbor import LexborHTMLParser

import adproxy.page.article
import adproxy.page.blocks
import adproxy.page.facts
import adproxy.page.places
import adproxy.page.read
import adproxy.page.sidebars
import adproxy.rewrite
from adproxy import charset
from adproxy.decision import decide
from adproxy.demo.content import load_articles
from adproxy.demo.pages import article_page
from adproxy.known_pages import KnownPages
from adproxy.memory import keep_freed_memory
from adproxy.metrics import Metrics
from adproxy.model import Skip
from adproxy.page.guard import MAX_BYTES
from adproxy.page.scan import IS_COMPILED
from adproxy.rewrite import Rewritten
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import Policy
from adproxy.shared_metrics import worker_metrics
from adproxy.whole_page import WholePage

CHECKOUT = Path(__file__).resolve().parents[2]
CORPUS = CHECKOUT.parent / "shared" / "corpus" / "news" / "pages"
RULES = CHECKOUT / "rules" / "news.yaml"
BASE = "selectolax, bare parse"
OURS = "adproxy, the whole rewrite"
WARM = "adproxy, seen before"
COMPARED = "its bytes compared, and no more"
"""What no cache can do without that believes no hash: the floor of `WARM`."""
LOL_HTML = "lol-html, one insertion"
RATIOS = {"warm_vs_lolhtml": (WARM, LOL_HTML), "cold_vs_parse": (OURS, BASE)}
"""Key of the report → whose time is divided by whose, page by page."""
# What the others insert: as long as a slot of ours without its style sheet.
SLOT = (
    '<div data-adproxy-slot="in-article" role="region" aria-label="Advertisement">'
    '<div data-adproxy="ad" id="ad-in-article-1" class="js-ad"></div></div>'
)
# They insert it before this paragraph, the first that is often in the article.
PARAGRAPH = 4
# Rounds at most, where neither --rounds nor the time ends it earlier.
MAX_ROUNDS = 1_000
# Too slow to take part in every round: it would eat the others' time.
_SELDOM = frozenset({"BeautifulSoup, insert and serialise"})
_SELDOM_ROUNDS = 5

Work = Callable[[bytes], object]


# --- pages ----------------------------------------------------------------------------------------


def corpus(folder: Path) -> list[bytes]:
    """The pages of a folder, in the order of their names, compressed ones left out."""
    return [file.read_bytes() for file in sorted(folder.iterdir()) if file.suffix in (".html", ".htm")]


def made_pages() -> list[bytes]:
    """The demo's articles, and generated pages with as much around the text as news sites have. Always the same."""
    articles = load_articles()
    demo = [article_page(article, articles).encode() for article in articles]
    return demo + [_generated(random.Random(seed)) for seed in range(10)]


def _generated(rng: random.Random) -> bytes:
    def words(n: int) -> str:
        return " ".join("".join(rng.choices("aeiourstlnmdhg", k=rng.randint(2, 9))) for _ in range(n))

    def links(n: int) -> str:
        return "".join(f'<li class="item"><a href="/{words(1)}/{i}" class="link">{words(5)}</a></li>' for i in range(n))

    def sentence() -> str:
        return f'{words(25).capitalize()}, <a href="/{words(1)}">{words(2)}</a> <em>{words(1)}</em>.'

    def teaser() -> str:
        return f'<div class="teaser"><a href="/{words(1)}"><h3>{words(7)}</h3></a><p>{words(11)}</p></div>'

    script = "".join(f'window.{words(1)}={{"{words(1)}":{rng.random()}}};' for _ in range(600))
    style = "".join(f".{words(1)}{{margin:{rng.randint(0, 40)}px auto;display:block}}" for _ in range(300))
    text = "".join(
        f"<p>{' '.join(sentence() for _ in range(rng.randint(1, 4)))}</p>\n"
        + (f"<h2>{words(4)}</h2>" if i % 5 == 4 else "")
        for i in range(rng.randint(15, 35))
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{words(8)}</title>'
        f"<style>{style}</style><script>{script}</script></head><body>"
        f'<header class="masthead"><nav><ul>{links(80)}</ul></nav></header><main><article><h1>{words(8)}</h1>{text}'
        f'</article><aside class="sidebar">{"".join(teaser() for _ in range(30))}</aside></main>'
        f"<footer><ul>{links(120)}</ul></footer></body></html>"
    ).encode()


# --- contenders -----------------------------------------------------------------------------------


def _bare_parse(html: bytes) -> object:
    LexborHTMLParser(html)  # and its tree given back, as all the others give back theirs
    return None


def _selectolax_serialise(html: bytes) -> object:
    parser = LexborHTMLParser(html)
    paragraphs = parser.css("p")
    slot = LexborHTMLParser(SLOT).css_first("div")
    if len(paragraphs) >= PARAGRAPH and slot is not None:
        paragraphs[PARAGRAPH - 1].insert_before(slot)
    return parser.html


def _ours(policy: Policy, module: ModuleType = adproxy.rewrite) -> Callable[[bytes], Rewritten | Skip]:
    def rewrite(html: bytes) -> Rewritten | Skip:
        made: Rewritten | Skip = module.rewrite(html, policy, encoding=charset.sniff(html, "text/html") or "utf-8")
        return made

    return rewrite


def _seen_before(policy: Policy, pages: Sequence[bytes], metrics: Metrics) -> Work:
    """The whole way of a page that was sent before, from its bytes to those that are sent."""
    known = KnownPages(4 << 30, metrics)

    def whole(html: bytes) -> WholePage:
        return WholePage((html,), "", "text/html", (), policy, "/", b"", "/_adproxy/", MAX_BYTES, "", None)

    for html in pages:
        page = whole(bytes(memoryview(html)))  # a copy: bytes that are the same object would not be compared
        known.remember(page, decide(page))
    return lambda html: known.find(whole(html))


def _compared(pages: Sequence[bytes]) -> Work:
    kept = {id(html): bytes(memoryview(html)) for html in pages}
    return lambda html: html == kept[id(html)]


def _lolhtml() -> Work:
    import lolhtml

    class Insert:
        def __init__(self) -> None:
            self.seen = 0

        def element(self, element: Any) -> None:
            self.seen += 1
            if self.seen == PARAGRAPH:
                element.before(SLOT, lolhtml.ContentType.HTML)

    def rewrite(html: bytes) -> object:
        out: list[bytes] = []
        rewriter = lolhtml.HTMLRewriter(lambda chunk: out.append(bytes(chunk)))
        rewriter.on("p", Insert())
        rewriter.write(html)
        rewriter.end()
        return b"".join(out)

    return rewrite


def _lxml() -> Work:
    from lxml import html as lxml_html  # type: ignore[import-untyped, unused-ignore]

    def rewrite(html: bytes) -> object:
        root = lxml_html.document_fromstring(html)
        for i, paragraph in enumerate(root.iter("p"), 1):
            if i == PARAGRAPH:
                paragraph.addprevious(lxml_html.fragment_fromstring(SLOT))
                break
        return lxml_html.tostring(root, doctype="<!DOCTYPE html>")

    return rewrite


def _beautiful_soup() -> Work:
    from bs4 import BeautifulSoup

    def rewrite(html: bytes) -> object:
        soup = BeautifulSoup(html, "html.parser")
        paragraphs = soup.find_all("p", limit=PARAGRAPH)
        if len(paragraphs) == PARAGRAPH:
            paragraphs[-1].insert_before(BeautifulSoup(SLOT, "html.parser"))
        return str(soup).encode()

    return rewrite


# Name, what makes it, the package to install for it.
_OTHERS: tuple[tuple[str, Callable[[], Work], str], ...] = (
    ("lol-html, one insertion", _lolhtml, "python-lolhtml"),
    ("lxml, insert and serialise", _lxml, "lxml"),
    ("BeautifulSoup, insert and serialise", _beautiful_soup, "beautifulsoup4"),
)


def contenders(policy: Policy, pages: Sequence[bytes], metrics: Metrics) -> tuple[dict[str, Work], dict[str, str]]:
    """Name → work, the bare parse first; and name → why, for those that are missing here. `metrics`: where ours counts
    the pages that it knows."""
    found: dict[str, Work] = {
        BASE: _bare_parse,
        OURS: _ours(policy),
        WARM: _seen_before(policy, pages, metrics),
        "selectolax, insert and serialise": _selectolax_serialise,
        COMPARED: _compared(pages),
    }
    missing: dict[str, str] = {}
    for name, make, package in _OTHERS:
        try:
            found[name] = make()
        except ImportError:
            missing[name] = f"not installed: pip install {package}"
    return found, missing


# --- the parts of a rewrite -----------------------------------------------------------------------


def _by_its_source(module: ModuleType) -> ModuleType:
    """A module once more, in Python: what is compiled calls others where nothing can be put between."""
    name = module.__name__
    spec = spec_from_file_location(name, Path(str(module.__file__)).with_name(f"{name.rpartition('.')[2]}.py"))
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


# These two call all the parts, and do little themselves.
_rewrite, _read = _by_its_source(adproxy.rewrite), _by_its_source(adproxy.page.read)
vars(_rewrite)["read"] = _read.read

_PARTS: tuple[tuple[str, ModuleType, tuple[str, ...]], ...] = (
    ("scan", _rewrite, ("scan",)),
    ("guard", _rewrite, ("hostile",)),
    ("mark", _read, ("mark",)),
    ("parse of the marked copy", _read, ("Tree",)),
    ("facts", adproxy.page.facts, ("read",)),
    ("article and blocks", adproxy.page.article, ("find",)),
    ("article and blocks", adproxy.page.blocks, ("outline",)),
    ("places", adproxy.page.places, ("headline", "above_headline", "end_of_article")),
    ("places", adproxy.page.sidebars, ("sidebar",)),
    ("plan", _rewrite, ("plan",)),
    ("markup and splice", _rewrite, ("render", "splice")),
)
PART_NAMES = tuple(dict.fromkeys(name for name, _, _ in _PARTS))


@contextmanager
def timed_parts(spent: dict[str, int]) -> Iterator[None]:
    """While it is open, the functions that a rewrite is made of add their nanoseconds to `spent`."""

    def timed(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            start = time.thread_time_ns()
            try:
                return function(*args, **kwargs)
            finally:
                spent[name] += time.thread_time_ns() - start

        return call

    originals = [(module, function, getattr(module, function)) for _, module, names in _PARTS for function in names]
    for name, module, functions in _PARTS:
        for function in functions:
            setattr(module, function, timed(name, getattr(module, function)))
    try:
        yield
    finally:
        for module, function, original in originals:
            setattr(module, function, original)


# --- measuring ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measured:
    best: dict[str, list[int]]
    """Of each contender and part, by page: the least nanoseconds of all rounds."""
    bare_rounds: list[int]
    """Nanoseconds of the bare parse of all pages, by complete round: they would be equal on a quiet machine."""

    @property
    def pages(self) -> int:
        """How many pages were measured: all, unless the time ended before."""
        return len(self.best[BASE])


def measure(
    pages: Sequence[bytes],
    works: dict[str, Work],
    in_parts: Work,
    *,
    rounds: int,
    seconds: float,
    tell: Callable[[str], None],
) -> Measured:
    """Let the contenders take turns on each page until the rounds or the seconds are over, and the parts of ours.

    At least one page is measured once; pages that the first round does not come to are left out.
    """
    best: dict[str, list[int]] = {name: [] for name in (*works, *PART_NAMES)}
    bare_rounds: list[int] = []
    deadline = time.monotonic() + seconds
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()  # what is alive now is not looked at again, whoever's turn it is
    gc.disable()
    try:
        for r in range(rounds):
            order = [pair for pair in works.items() if pair[0] not in _SELDOM or r % _SELDOM_ROUNDS == 0]
            bare = 0
            for p, html in enumerate(pages[: len(best[BASE]) or None] if r else pages):
                if time.monotonic() > deadline and (r or p):
                    break
                tell(f"round {r + 1}, page {p + 1} of {len(pages)}")
                shift = (p + r) % len(order)
                took = _one_page(html, order[shift:] + order[:shift], in_parts)
                bare += took[BASE]
                for name, spent in took.items():
                    if r:
                        best[name][p] = min(best[name][p], spent)
                    else:
                        best[name].append(spent)
            else:
                bare_rounds.append(bare)
            if time.monotonic() > deadline:
                break
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
        tell("")
    return Measured(best, bare_rounds)


def _one_page(html: bytes, order: Sequence[tuple[str, Work]], in_parts: Work) -> dict[str, int]:
    """Nanoseconds of each contender on one page, and of the parts of our rewrite."""
    took: dict[str, int] = {}
    for name, work in order:
        start = time.thread_time_ns()
        made = work(html)
        took[name] = time.thread_time_ns() - start
        del made
        gc.collect(0)  # each clears up after itself, outside of its time
    spent = dict.fromkeys(PART_NAMES, 0)
    with timed_parts(spent):
        in_parts(html)
    gc.collect(0)
    return took | spent


# --- what is told ---------------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """What it was measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = models[0] if models else cpu
    versions = {}
    for package in ("adproxy", "selectolax", "python-lolhtml", "lxml", "beautifulsoup4"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "compiled": IS_COMPILED,
        "versions": versions,
    }


def summary(best: dict[str, list[int]], names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Microseconds and ratios to the bare parse, by name."""
    base = best[BASE]
    result = {}
    for name in names:
        ratios = sorted(mine / bare for mine, bare in zip(best[name], base, strict=True))
        result[name] = {
            "median_us": statistics.median(best[name]) / 1000,
            "total_us": sum(best[name]) / 1000,
            "ratio": sum(best[name]) / sum(base),
            "ratio_low": ratios[len(ratios) // 10],
            "ratio_high": ratios[-1 - len(ratios) // 10],
        }
    return result


def ratios(best: dict[str, list[int]]) -> dict[str, dict[str, float]]:
    """Median, least and most of each ratio over the pages; without those whose contenders are not here."""
    made = {}
    for key, (one, other) in RATIOS.items():
        if one in best and other in best:
            found = [mine / theirs for mine, theirs in zip(best[one], best[other], strict=True)]
            made[key] = {"median": statistics.median(found), "min": min(found), "max": max(found)}
    return made


def _table(title: str, rows: dict[str, dict[str, float]]) -> list[str]:
    lines = [f"{title:<40}{'median us':>11}{'all, ms':>11}{'/ bare parse':>14}{'spread':>17}"]
    for name, row in rows.items():
        spread = f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}"
        total = row["total_us"] / 1000
        lines.append(f"{name:<40}{row['median_us']:>11,.0f}{total:>11,.1f}{row['ratio']:>14.2f}{spread:>17}")
    return lines


def report(result: dict[str, Any]) -> str:
    """The result for people."""
    about, pages = result["machine"], result["pages"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    kib = pages["median_bytes"] / 1024
    best, worst = result["bare_best_us"] / 1000, result["bare_worst_us"] / 1000
    lines = [
        f"{about['cpu']}, {about['cores']} cores, load {about['load']}; {about['system']}",
        f"Python {about['python']}; {versions}",
        f"{pages['measured']} of {pages['found']} pages from {pages['source']}, median {kib:.0f} KiB;"
        f" {pages['with_slots']} got {pages['slots']} slots, {pages['skipped']} were left alone",
        f"best of {result['rounds']} rounds, contenders alternating page by page, CPU time of one thread",
        f"bare parse of all pages: {best:.0f} to {worst:.0f} ms by round; memory {result['memory']}",
        f"pages are scanned by {'compiled code' if about['compiled'] else 'Python'}",
        "",
        *_table("contender", result["contenders"]),
        "",
        *_table("part of the rewrite", result["parts"]),
    ]
    lines += [f"left out: {name} ({why})" for name, why in result["left_out"].items()]
    return "\n".join(lines)


def _progress() -> Callable[[str], None]:
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=Path, metavar="DIR", help="measure these .html files (default: the news corpus"
                        " beside the checkout, else the demo's articles and generated pages)")  # fmt: skip
    parser.add_argument(
        "--rounds", type=int, default=MAX_ROUNDS, metavar="N", help="end after N rounds (default: by time)"
    )
    parser.add_argument("--seconds", type=float, default=30, help="end after so many seconds (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--mallopt", action="store_true", help="let glibc keep freed memory, as adproxy serve does")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be above 0")
    folder = options.pages or (CORPUS if CORPUS.is_dir() else None)
    if folder is not None and not folder.is_dir():
        parser.error(f"no such folder: {folder}")
    pages = corpus(folder) if folder else made_pages()
    if not pages:
        parser.error(f"no .html files in {folder}")
    memory = "as the allocator comes"
    if options.mallopt:
        memory = "kept (mallopt)" if keep_freed_memory() else "as the allocator comes (mallopt is glibc's)"

    policy = load_rules(RULES).rule_sets[0].pages[0].policy
    if policy is None:
        parser.error(f"{RULES} places no ads")
    with tempfile.TemporaryDirectory() as counts:
        works, left_out = contenders(policy, pages, worker_metrics(Path(counts), 0))  # as `adproxy serve` counts
        measured = measure(
            pages, works, _ours(policy, _rewrite), rounds=options.rounds, seconds=options.seconds, tell=_progress()
        )

    taken = pages[: measured.pages]
    outcomes = [_ours(policy)(page) for page in taken]
    slots = [len(o.insertions) for o in outcomes if not isinstance(o, Skip)]
    result = {
        "machine": machine(),
        "memory": memory,
        "pages": {
            "source": str(folder) if folder else "the demo and a generator",
            "found": len(pages),
            "measured": measured.pages,
            "median_bytes": statistics.median(map(len, taken)),
            "total_bytes": sum(map(len, taken)),
            "with_slots": sum(map(bool, slots)),
            "slots": sum(slots),
            "skipped": len(outcomes) - len(slots),
        },
        "rounds": len(measured.bare_rounds),
        "bare_best_us": min(measured.bare_rounds, default=sum(measured.best[BASE])) / 1000,
        "bare_worst_us": max(measured.bare_rounds, default=sum(measured.best[BASE])) / 1000,
        "contenders": summary(measured.best, list(works)),
        "parts": summary(measured.best, PART_NAMES),
        "left_out": left_out,
        "ratios": ratios(measured.best),
    }
    print(report(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
