"""How far estimated densities are from what Chromium shows: python tests/benchmarks/density_bench.py

A dozen themes from PyPI and npm show the same articles (density_pages.py); each page is planned with tight distances,
so that the limit of 30 % is what stops the plan, and is then opened on a phone and on a desktop. Twice: with the
heights that hold where rules state no layout, and with the layout that `adproxy measure` reads off one page of the
theme. Exit status 1: too many pages measure above what they were planned for (the bounds are in `judged`).

Tools are installed into --tools once (about 300 MB); nothing is fetched but packages, pages come from loopback.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

from density_pages import THEMES, Theme, install, stories

from adproxy.account import Work, decide
from adproxy.errors import PageError
from adproxy.measure import Measured, browser_of, estimated, measure
from adproxy.model import DEVICES, Device
from adproxy.page_source import Fetched, fetch
from adproxy.rewrite import Rewritten
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import LayoutPerDevice, RuleBook

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The preset, but for what would end a page's ads before the limit does.
RULES = """version: 1
site: density
use: [news]
limits: {ad_share: 30%, gap: 60 words, in_article: 50}
keep_clear: {around_media: 0 words}
slots:
  in-article: {max: 50, first_after: 40 words, before_end: 20 words}
"""
SETTLED_BY = "long"
"""The story that the layout is read off (the demo's longest where a theme lacks it)."""
LIMIT = 0.30
WRONG = 1.1 * LIMIT
"""A page planned within the limit is over it where it measures more than this."""
MEDIAN_ERROR = 0.15


@dataclass(frozen=True, slots=True)
class Finding:
    """One page on one device."""

    theme: str
    story: str
    device: Device
    stated: bool
    """With the theme's layout in the rules."""
    estimate: float
    lighthouse_estimate: float
    density: float
    lighthouse: float

    @property
    def error(self) -> float:
        return abs(self.estimate / self.density - 1) if self.density else abs(self.estimate)


@dataclass(frozen=True, slots=True)
class BlockFinding:
    """A block's height with the space below it, or that of several together where only those can be told apart."""

    theme: str
    story: str
    device: Device
    kind: str
    estimate: float
    height: float


@contextmanager
def served(root: Path) -> Iterator[str]:
    """A folder on a free port of loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def with_layout(book: RuleBook, layout: LayoutPerDevice) -> RuleBook:
    rule_sets = tuple(
        replace(
            rule_set,
            pages=tuple(
                replace(page, policy=replace(page.policy, layout=layout, revision="") if page.policy else None)
                for page in rule_set.pages
            ),
        )
        for rule_set in book.rule_sets
    )
    return replace(book, rule_sets=rule_sets)


def look(browser: Browser, fetched: Fetched, book: RuleBook) -> tuple[Work, Measured]:
    work = decide(fetched.body, fetched.url, book, fetched)
    return work, measure(browser, work, fetched)


def pages_of(theme: Theme, tools: Path, folder: Path) -> tuple[Path, list[Path]]:
    root = theme.build(tools, folder)
    names = {story.name for story in stories()}
    return root, sorted(file for file in root.rglob("*.html") if file.stem in names)


def findings_of(theme: str, story: str, stated: bool, work: Work, seen: Measured) -> Iterator[Finding]:
    policy, result = work.choice.policy, work.result
    assert policy is not None
    assert isinstance(result, Rewritten)
    guesses = estimated(result.page, policy, result.plan)
    for device in DEVICES:
        guess, real = guesses[device], seen.on(device).densities
        yield Finding(theme, story, device, stated, *guess, *real)


def block_findings_of(theme: str, story: str, work: Work, seen: Measured) -> Iterator[BlockFinding]:
    assert isinstance(work.result, Rewritten)
    blocks = work.result.page.blocks
    for device in DEVICES:
        for (a, top, _), (b, below, _) in pairwise(seen.on(device).edges):
            between = blocks[a:b]
            kind = between[0].kind.value if len(between) == 1 else "several"
            if between and below > top:
                yield BlockFinding(theme, story, device, kind, sum(x.heights.on(device) for x in between), below - top)


def run(theme: Theme, tools: Path, executable: Path | None, most: int) -> tuple[list[Finding], list[BlockFinding], str]:
    """All pages of a theme; the layout that was read off, as text."""
    findings: list[Finding] = []
    blocks: list[BlockFinding] = []
    with tempfile.TemporaryDirectory(prefix="adproxy-density-") as directory, browser_of(executable) as browser:
        root, files = pages_of(theme, tools, Path(directory))
        rules = Path(directory) / "rules.yaml"
        rules.write_text(RULES)
        book = load_rules(rules)
        files = files[:most]
        with served(root) as base:
            layout: LayoutPerDevice | None = None
            fetched = {file.stem: fetch(base + file.relative_to(root).as_posix()) for file in files}
            order = sorted(fetched, key=lambda name: (name not in (SETTLED_BY, "the-long-crossing"), name))
            for stated in (False, True):
                for done, name in enumerate(order, 1):
                    tell(f"{theme.name}: {'layout stated' if stated else 'no layout'}, {done} of {len(order)} pages")
                    try:
                        work, seen = look(browser, fetched[name], book)
                    except PageError as error:
                        print(f"\r{theme.name}, {name}: {error}")
                        continue
                    layout = layout or seen.layout
                    findings += findings_of(theme.name, name, stated, work, seen)
                    if not stated:
                        blocks += block_findings_of(theme.name, name, work, seen)
                if layout is None:
                    break
                book = with_layout(book, layout)
    tell("")
    return findings, blocks, str(layout)


def tell(progress: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress:<78}", end="\r", file=sys.stderr, flush=True)


# --- tables -------------------------------------------------------------------------------


def table(findings: Sequence[Finding]) -> Iterator[str]:
    """By theme, device and layout: medians, and the worst page."""
    yield (
        f"{'theme':<20} {'device':<8} {'layout':<8} {'pages':>5} {'estimated':>9} {'measured':>9} {'error':>7}"
        f" {'highest':>8} {'over':>5} {'Lighthouse est./meas.':>22}"
    )
    for stated in (False, True):
        chosen = [f for f in findings if f.stated is stated]
        for theme in [*dict.fromkeys(f.theme for f in chosen), "all"]:
            for device in DEVICES:
                of = [f for f in chosen if theme in (f.theme, "all") and f.device == device]
                if of:
                    yield _row(theme, device, stated, of)


def over(findings: Sequence[Finding]) -> list[Finding]:
    """Those planned within the limit that a browser shows above it by too much."""
    return [f for f in findings if f.estimate <= LIMIT + 1e-9 and f.density > WRONG]


def judged(findings: Sequence[Finding]) -> list[str]:
    """What is worse than promised: the median error, pages over the limit; none over it once the layout is stated."""
    wrong: list[str] = []
    for stated, allowed in ((False, 0.05), (True, 0.0)):
        chosen = [f for f in findings if f.stated is stated]
        if not chosen:
            continue
        error = statistics.median(f.error for f in chosen)
        if error > MEDIAN_ERROR:
            wrong.append(f"stated={stated}: median error {error:.1%}, expected at most {MEDIAN_ERROR:.0%}")
        share = len(over(chosen)) / len(chosen)
        if share > allowed:
            wrong.append(f"stated={stated}: {share:.1%} of the pages over the limit, expected at most {allowed:.0%}")
    return wrong


def _row(theme: str, device: Device, stated: bool, of: list[Finding]) -> str:
    def middle(values: Iterator[float]) -> float:
        return statistics.median(values)

    return (
        f"{theme:<20} {device:<8} {'stated' if stated else 'usual':<8} {len(of):>5}"
        f" {middle(f.estimate for f in of):>9.1%} {middle(f.density for f in of):>9.1%}"
        f" {middle(f.error for f in of):>7.1%} {max(f.density for f in of):>8.1%} {len(over(of)):>5}"
        f" {middle(f.lighthouse_estimate for f in of):>13.1%} {middle(f.lighthouse for f in of):>8.1%}"
    )


def kinds(blocks: Sequence[BlockFinding]) -> Iterator[str]:
    """By kind and device: estimate over measured, its median and the middle half."""
    yield f"{'kind':<12} {'device':<8} {'blocks':>6} {'estimated/measured: quarter, median, three quarters':>50}"
    for kind in sorted({b.kind for b in blocks}):
        for device in DEVICES:
            ratios = [b.estimate / b.height for b in blocks if b.kind == kind and b.device == device]
            if len(ratios) > 1:
                low, mid, high = statistics.quantiles(ratios, n=4)
                yield f"{kind:<12} {device:<8} {len(ratios):>6} {low:>20.2f} {mid:>14.2f} {high:>14.2f}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, default=Path(tempfile.gettempdir()) / "adproxy-density-tools")
    parser.add_argument("--theme", action="append", help="only those whose name holds this; may be repeated")
    parser.add_argument("--pages", type=int, default=100, help="at most so many of each theme")
    parser.add_argument("--browser", type=Path, help="a Chromium; default: the installed one")
    parser.add_argument("--json", type=Path, help="write all findings there")
    options = parser.parse_args(arguments)
    themes = [t for t in THEMES if not options.theme or any(part in t.name for part in options.theme)]
    if [theme.name for theme in themes] != ["demo"]:
        tell("installing the themes")
        install(options.tools)
    findings: list[Finding] = []
    blocks: list[BlockFinding] = []
    layouts: dict[str, str] = {}
    for theme in themes:
        some, more, layouts[theme.name] = run(theme, options.tools, options.browser, options.pages)
        findings += some
        blocks += more
        print(*list(table(some))[1:], sep="\n", flush=True)
    print("", *table(findings), "", *kinds(blocks), "", sep="\n")
    for name, layout in layouts.items():
        print(f"{name:<20} {layout}")
    for f in over(findings):
        layout = "stated" if f.stated else "usual"
        print(f"over: {f.theme}, {f.story}, {f.device}, {layout} layout: planned {f.estimate:.1%}, is {f.density:.1%}")
    if options.json:
        rows = {"pages": [_plain(f) for f in findings], "blocks": [_plain(b) for b in blocks]}
        options.json.write_text(json.dumps(rows, indent=1))
    wrong = judged(findings)
    print(*wrong, sep="\n")
    return 1 if wrong else 0


def _plain(found: Finding | BlockFinding) -> dict[str, object]:
    return {name: getattr(found, name) for name in found.__slots__}


if __name__ == "__main__":
    sys.exit(main())
