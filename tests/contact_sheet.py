"""A contact sheet: pages in Chromium at the width of a phone or a desktop, slots marked in colour, many to a picture.

For looking at what rules do to a whole collection of pages, one page beside the other. It needs Chromium and
playwright, which the product does not: `adproxy explain --html` shows a single page to whoever runs adproxy.

    python tests/contact_sheet.py --rules rules/news.yaml --out sheets PAGES...        (files, or directories of them)

Writes `sheet-01.png` and so on, and `index.html` with all of them. Nothing is fetched: pages show as far as they are
complete in themselves, most without their styles, so that the order of things can be judged, not the looks.
"""

from __future__ import annotations

import argparse
import base64
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from playwright.sync_api import Browser, Error, Route, sync_playwright

from adproxy.account import Account, account_of, decide
from adproxy.errors import AdproxyError
from adproxy.marked_page import marked_page
from adproxy.model import DESKTOP_WIDTH, PHONE_WIDTH, Skip
from adproxy.page_source import read
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import RuleBook

CHROMIUM = "/usr/bin/chromium"
WIDTHS = {"phone": PHONE_WIDTH, "desktop": DESKTOP_WIDTH}
PAGE_SECONDS = 20.0
"""For one page to load and be pictured; over it the page is listed without a picture."""
THUMB = 230
"""Width of a thumbnail, CSS px."""
TALLEST = 1500
"""Of a thumbnail, CSS px; what lies below is cut off, and the caption says so."""
ROW = 6
MARGIN = 120
"""CSS px of the page shown over the first and under the last of what is marked."""

# From the first to the last of the article's marks and slots, over the whole width.
_MARKED = """() => {
  const ys = [...document.querySelectorAll('div[data-adproxy=explain], [data-adproxy-slot]')]
    .filter(e => e.getClientRects().length).map(e => e.getBoundingClientRect())
    .flatMap(r => [r.top + scrollY, r.bottom + scrollY]);
  const height = document.documentElement.scrollHeight;
  return ys.length ? [Math.min(...ys), Math.max(...ys), height] : [0, height, height];
}"""
# Loud enough to be seen on a thumbnail; the legend would cover the page. Icons and pictures that lack the page's styles
# would push the text off the sheet.
_LOUD = """
svg{max-width:24px!important;max-height:24px!important}
img,video{max-height:240px!important}
[data-adproxy-slot]>[data-adproxy=explain-slot]{outline:8px solid #d0006f!important;outline-offset:-8px!important}
[data-adproxy-slot]>[data-adproxy=explain-slot] b{font-size:44px!important;line-height:1.1!important}
[data-adproxy-slot]>[data-adproxy=explain-slot] span{display:none!important}
aside[data-adproxy=explain]{display:none!important}
"""


@dataclass(frozen=True)
class Tile:
    """One page of the sheet."""

    name: str
    caption: str
    picture: bytes
    """PNG; empty where there is none."""


def pages_in(sources: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for source in sources:
        found += sorted(source.glob("**/*.html")) if source.is_dir() else [source]
    return found


def tile(browser: Browser, file: Path, book: RuleBook, device: str) -> Tile:
    """A page with its slots, cut to its article; one that is left alone has no picture."""
    work = decide(read(file), f"http://localhost/{file.name}", book)
    account = account_of(file.name, work)
    if isinstance(work.result, Skip):
        return Tile(file.name, work.summary, b"")
    width = WIDTHS[device]
    context = browser.new_context(viewport={"width": width, "height": 900}, device_scale_factor=THUMB / width)
    context.set_default_timeout(PAGE_SECONDS * 1000)
    try:
        page = context.new_page()
        html = marked_page(work, account, "http://localhost/")

        def answer(route: Route) -> None:
            if route.request.is_navigation_request() and route.request.url == "http://localhost/":
                route.fulfill(body=html, content_type="text/html; charset=utf-8")
            else:
                route.abort()

        page.route("**/*", answer)
        page.goto("http://localhost/", wait_until="load")
        page.evaluate(
            "css => { const s = new CSSStyleSheet(); s.replaceSync(css); document.adoptedStyleSheets = [s]; }", _LOUD
        )
        top, bottom, height = page.evaluate(_MARKED)
        top, bottom = max(0, top - MARGIN), min(height, bottom + MARGIN)
        if bottom - top < MARGIN:
            return Tile(file.name, f"{told(account, device)}; nothing shows without its scripts", b"")
        shown = min(bottom - top, TALLEST * width / THUMB)
        picture = page.screenshot(
            full_page=True, clip={"x": 0, "y": top, "width": width, "height": max(1, shown)}, animations="disabled"
        )
    except Error as error:
        return Tile(file.name, f"no picture: {error.message.splitlines()[0]}", b"")
    finally:
        context.close()
    cut = "" if shown >= bottom - top else f"; {round(100 * shown / (bottom - top))} % shown"
    return Tile(file.name, told(account, device) + cut, picture)


def told(account: Account, device: str) -> str:
    """Words, slots and density of a page in a line."""
    words = account["article"]["words"] if account["article"] else 0
    problem = account["article"]["problem"] if account["article"] else None
    slots = ", ".join(f"{len(s['placements'])} {s['slot']}" for s in account["slots"] if s["placements"])
    share = next(density["share"] for name, density in account["density"].items() if name == device)
    return f"{words} words{f' ({problem})' if problem else ''}; {slots or 'no slots'}; {share:.0%} ads"


def grid(tiles: Sequence[Tile], first: int) -> str:
    """A sheet as HTML."""
    items = "".join(
        f"<figure><figcaption><b>{n}</b> {escape(t.name[:24])}<br>{escape(t.caption)}</figcaption>"
        + (f'<img alt="" src="data:image/png;base64,{base64.b64encode(t.picture).decode()}">' if t.picture else "")
        + "</figure>"
        for n, t in enumerate(tiles, first)
    )
    return (
        "<!doctype html><meta charset=utf-8><style>body{margin:8px;background:#ccc;display:flex;gap:8px;"
        f"align-items:flex-start;font:11px/1.3 system-ui,sans-serif}}figure{{margin:0;width:{THUMB}px;background:#fff}}"
        f"figcaption{{padding:4px;height:58px;overflow:hidden}}img{{display:block;width:{THUMB}px}}</style>{items}"
    )


def make(rules: Path, sources: Sequence[Path], out: Path, device: str) -> None:
    book = load_rules(rules)
    files = pages_in(sources)
    out.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        begun = time.monotonic()
        for first in range(0, len(files), ROW):
            tiles = [tile(browser, file, book, device) for file in files[first : first + ROW]]
            sheet = browser.new_page(viewport={"width": ROW * (THUMB + 8) + 8, "height": 200})
            sheet.set_default_timeout(PAGE_SECONDS * 1000)
            sheet.set_content(grid(tiles, first + 1))
            names.append(f"sheet-{len(names) + 1:02}.png")
            sheet.screenshot(path=out / names[-1], full_page=True)
            sheet.close()
            done = min(first + ROW, len(files))
            print(f"{done} of {len(files)} pages, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
        browser.close()
    (out / "index.html").write_text("<!doctype html>" + "".join(images(names)), encoding="utf-8")


def images(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield f'<p><img src="{name}" alt="{name}" style="max-width:100%">\n'


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGES", help="pages, or directories of them")
    parser.add_argument("--rules", required=True, type=Path, help="a rules file, or a directory of them")
    parser.add_argument("--out", required=True, type=Path, help="the directory that the sheets go to")
    parser.add_argument("--device", choices=sorted(WIDTHS), default="phone")
    options = parser.parse_args()
    try:
        make(options.rules, options.pages, options.out, options.device)
    except AdproxyError as error:
        sys.exit(str(error))
