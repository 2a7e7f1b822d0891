"""What a browser shows of one page: the article's layout, and the density of advertising beside the estimated one.

The page is fetched once and decided as the middleware would; the browser is handed the bytes that a reader would get,
with one attribute more on each block of the article, so that boxes and blocks can be told to belong together.

Two densities are named, for people compare them with two tools:

- of the main content, as the Better Ads Standards define it (betterads.org, "mobile ad density higher than 30 %"): the
  heights of the ads in the article over the article's height, from its first block to its last, ads included;
- Lighthouse's (the audit "viewport-ad-density" of googleads/publisher-ads-lighthouse-plugin): the heights of all ads
  along the vertical line that meets most of them, over the distance from the top of the page to the middle of the
  lowest ad, plus one screen.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from adproxy.account import Work
from adproxy.errors import PageError
from adproxy.model import DESKTOP_WIDTH, DEVICES, PHONE_WIDTH, BlockKind, Device, Edge, Insertion, Page, Plan, Skip
from adproxy.page.heights import WIDE, WIDE_RUN
from adproxy.page.read import read
from adproxy.page_source import Fetched
from adproxy.plan.contender import is_counted
from adproxy.plan.density import SCREENS, lighthouse_density, main_content_density
from adproxy.plan.ruler import is_media
from adproxy.rewrite import Rewritten, wanted_by
from adproxy.rules.ruleset import Layout, LayoutPerDevice, Policy
from adproxy.splice import splice

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route
    from playwright.sync_api import Page as BrowserPage

LOAD_SECONDS = 30.0
"""Longest time for a page to load on a device; after it, what has come by then is measured."""
SETTLE_SECONDS = 0.3
"""After the page's own scripts had their first go."""
MIN_PARAGRAPH_WORDS = 12
"""Shorter paragraphs fill no line, so they say little about a column."""

_WIDTHS: Mapping[Device, int] = {"phone": PHONE_WIDTH, "desktop": DESKTOP_WIDTH}
FIGURES = ("column", "font", "line", "margin", "character")
"""Of a layout, as the rules spell them."""
_MARK = "data-adproxy-block"
_TAG = re.compile(rb"<[A-Za-z][^\s/>]*")
# What describes the body as it was sent, and is no longer true of the one that the browser is handed.
_OF_THE_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding", "content-type", "connection"})

_READ = r"""
([mark, textBlocks, adBlocks, counted, wideRun, wideWidth]) => {
  const box = e => { const r = e.getBoundingClientRect(); return {
    left: r.left, right: r.right, top: r.top + scrollY, bottom: r.bottom + scrollY, height: r.height}; };
  const seen = e => { const b = box(e); return b.height > 0 && b.right > b.left; };
  const median = list => list.sort((a, b) => a - b)[list.length >> 1];
  const at = i => document.querySelector(`[${mark}="${i}"]`);
  const slots = [...document.querySelectorAll('[data-adproxy-slot]')];
  const inMain = slots.filter((slot, i) => counted[i] && seen(slot)).map(box);
  const blocks = [...document.querySelectorAll(`[${mark}]`)].filter(seen);
  if (!blocks.length) return null;
  const own = adBlocks.map(at).filter(e => e && seen(e)).map(box);
  const edges = [...blocks.map(box), ...inMain];
  const main = Math.max(...edges.map(b => b.bottom)) - Math.min(...edges.map(b => b.top));
  const inside = [...inMain, ...own].reduce((sum, b) => sum + b.height, 0);

  const every = [...slots.filter(seen).map(box), ...own].sort((a, b) => a.top - b.top || a.bottom - b.bottom);
  let length = 0;
  for (const x of new Set(every.flatMap(b => [b.left, b.right]))) {
    let along = 0, reached = 0;
    for (const b of every.filter(b => b.left <= x && x <= b.right)) {
      along += Math.max(0, b.bottom - Math.max(reached, b.top));
      reached = Math.max(reached, b.bottom);
    }
    length = Math.max(length, along);
  }
  const lowest = every.length ? Math.max(...every.map(b => (b.top + b.bottom) / 2)) : 0;

  for (const slot of slots) slot.style.setProperty('display', 'none', 'important');
  const tops = blocks.map(e => [Number(e.getAttribute(mark)), box(e).top, box(e).bottom]);
  const lines = textBlocks.map(index => ({index, e: at(index)})).filter(p => p.e && seen(p.e));
  const pen = document.createElement('canvas').getContext('2d'), wide = new RegExp(wideRun, 'gu');
  let drawn = 0, characters = 0;
  const styled = lines.map(({e}) => {
    const style = getComputedStyle(e), px = name => parseFloat(style[name]) || 0;
    const text = e.textContent.replace(/\s+/g, ' ').trim();
    pen.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    drawn += pen.measureText(text).width;
    characters += text.length + (text.match(wide) || []).join('').length * (wideWidth - 1);
    const probe = e.cloneNode(false);
    probe.removeAttribute('id');
    probe.textContent = 'x';
    e.after(probe);
    const line = probe.getBoundingClientRect().height
      - px('paddingTop') - px('paddingBottom') - px('borderTopWidth') - px('borderBottomWidth');
    probe.remove();
    const sides = px('paddingLeft') + px('paddingRight') + px('borderLeftWidth') + px('borderRightWidth');
    return {column: e.getBoundingClientRect().width - sides, font: px('fontSize'), line};
  });
  const apart = lines.slice(1).map((p, i) => [lines[i], p])
    .filter(([a, b]) => b.index === a.index + 1 && b.e.previousElementSibling === a.e)
    .map(([a, b]) => box(b.e).top - box(a.e).bottom);
  const middle = name => median(styled.map(s => s[name]));
  return {
    main, inside, lighthouse: every.length ? Math.min(1, length / (lowest + innerHeight)) : 0, tops,
    layout: styled.length ? {column: middle('column'), font: middle('font'), line: middle('line'),
      margin: apart.length ? median(apart) : null, character: drawn / characters} : null,
  };
}
"""


class Densities(NamedTuple):
    """By the two ways to divide, 0 to 1."""

    main_content: float
    lighthouse: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What one device shows of a page; CSS px."""

    main: float
    """Height of the main content, ads included."""
    ads: float
    """Of the ads in it, our slots and the page's own."""
    lighthouse: float
    """Lighthouse's density, 0 to 1."""
    layout: Layout | None
    """Of the article's text; None where it has no paragraph to tell it by."""
    edges: tuple[tuple[int, float, float], ...]
    """Blocks of the article by index with the top and bottom of their boxes, slots not displayed."""

    @property
    def densities(self) -> Densities:
        return Densities(self.ads / self.main if self.main > 0 else 0.0, self.lighthouse)


@dataclass(frozen=True, slots=True)
class Measured:
    """One page on both devices."""

    phone: Seen
    desktop: Seen

    def on(self, device: Device) -> Seen:
        return self.phone if device == "phone" else self.desktop

    @property
    def layout(self) -> LayoutPerDevice | None:
        """What to state in the rules; None where the page has no text to tell it by."""
        if self.phone.layout is None or self.desktop.layout is None:
            return None
        return LayoutPerDevice(self.phone.layout, self.desktop.layout)


@contextmanager
def browser_of(executable: Path | None) -> Iterator[Browser]:
    """A headless browser: the one named, else an installed Chromium or Chrome, else playwright's own.

    Raises `PageError` that says what to install.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ModuleNotFoundError as missing:
        raise PageError(
            "found no playwright; expected it and a browser: pip install playwright, then playwright install chromium"
        ) from missing
    found = executable or next(
        (Path(path) for name in ("chromium", "google-chrome", "chromium-browser") if (path := shutil.which(name))), None
    )
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=found,
                args=["--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"],
                chromium_sandbox=getattr(os, "geteuid", lambda: -1)() != 0,  # as root Chromium does not start with it
            )
        except Error as error:
            raise PageError(
                f"found no browser that starts ({error.message.splitlines()[0]}); expected Chromium: install it, name"
                " it with --browser, or run playwright install chromium"
            ) from error
        try:
            yield browser
        finally:
            browser.close()


def measure(browser: Browser, work: Work, fetched: Fetched) -> Measured:
    """Load a page with its slots on both devices. Raises `PageError` where there is no article to measure."""
    result = work.result
    if isinstance(result, Skip):
        raise PageError(f"{work.url}: left alone: {result.reason.value} ({result.detail}); expected a page with slots")
    if not result.page.blocks:
        raise PageError(f"{work.url}: found no article; expected one: see adproxy explain, and the rules' 'article'")
    body = marked(work.html, result)
    phone, desktop = (_seen(browser, device, work, fetched, body, result) for device in DEVICES)
    return Measured(phone, desktop)


def estimated(page: Page, policy: Policy, planned: Plan) -> dict[Device, Densities]:
    """What both densities of a plan are by the heights of a page's blocks."""
    of_main, of_lighthouse = main_content_density(page, policy, planned), lighthouse_density(page, policy, planned)
    return {device: Densities(of_main.on(device), of_lighthouse.on(device)) for device in DEVICES}


def marked(html: bytes, result: Rewritten) -> bytes:
    """The rewritten page, with the index of its block on each element that a gap's anchor stands right before."""
    marks = []
    for index, gap in enumerate(result.page.gaps[: len(result.page.blocks)]):
        anchor = gap.anchor
        if anchor is not None and anchor.edge is Edge.BEFORE_START and (tag := _TAG.match(html, anchor.offset)):
            marks.append(Insertion(tag.end(), f' {_MARK}="{index}"'.encode()))
    return splice(html, (*result.insertions, *marks))


def _seen(browser: Browser, device: Device, work: Work, fetched: Fetched, body: bytes, result: Rewritten) -> Seen:
    from playwright.sync_api import Error, TimeoutError

    policy = work.choice.policy
    assert policy is not None
    context = browser.new_context(
        viewport={"width": _WIDTHS[device], "height": round(SCREENS.on(device))},
        is_mobile=device == "phone",
        has_touch=device == "phone",
        service_workers="block",
    )
    try:
        page = context.new_page()
        page.set_default_timeout(LOAD_SECONDS * 1000)
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in fetched.headers
            if name.decode("latin-1").lower() not in _OF_THE_BODY
        }
        headers["content-type"] = f"text/html; charset={work.encoding}"

        def answer(route: Route) -> None:
            route.fulfill(status=200, headers=headers, body=body)

        page.route(lambda url: _same(url, work.url), answer, times=1)
        with suppress(TimeoutError):  # a slow picture somewhere: boxes are where they are
            page.goto(work.url, wait_until="load", timeout=LOAD_SECONDS * 1000)
        # a page whose scripts never end is noticed here: this wait has a deadline, evaluating has none
        page.locator("html").wait_for(state="attached")
        _scroll_through(page)
        page.wait_for_timeout(SETTLE_SECONDS * 1000)
        blocks = result.page.blocks
        text = [
            i
            for i, b in enumerate(blocks)
            if b.kind is BlockKind.PARAGRAPH and b.tag == "p" and b.words >= MIN_PARAGRAPH_WORDS and not is_media(b)
        ]
        ads = [i for i, b in enumerate(blocks) if b.kind is BlockKind.AD]
        counted = counted_of(policy, result.plan, device)
        found = page.evaluate(_READ, [_MARK, text, ads, counted, WIDE_RUN.pattern, WIDE])
    except Error as error:
        raise PageError(f"{work.url}: can't be shown on a {device}: {error.message.splitlines()[0]}") from error
    finally:
        context.close()
    if found is None:
        raise PageError(f"{work.url}: the browser shows nothing of the article; do the page's scripts replace it?")
    return _made(found, policy.layout.phone if device == "phone" else policy.layout.desktop)


def told(work: Work, measured: Measured) -> Iterator[str]:
    """For people: the layout as lines of a rules file, and both densities, measured and estimated."""
    result, policy = work.result, work.choice.policy
    assert isinstance(result, Rewritten)
    assert policy is not None
    yield f"Address   {work.url}"
    yield f"Rules     {work.choice.why}"
    layout = measured.layout
    yield ""
    if layout is None:
        yield "Layout    found no paragraph of several lines to read it off; try a longer article"
    else:
        yield "Layout, to paste into the rules:"
        yield "layout:"
        for device in DEVICES:
            on = layout.on(device)
            figures = ", ".join(f"{name}: {getattr(on, name):g}px" for name in FIGURES)
            yield f"  {device}: {{{figures}}}"
    guessed = estimated(result.page, policy, result.plan)
    better = _estimated_with(layout, work, policy, result.plan) if layout is not None else None
    yield ""
    yield f"{'Density':<35} measured  estimated  with this layout"
    for name in Densities._fields:
        for device in DEVICES:
            label = _NAMES[name] if device == DEVICES[0] else ""
            seen, guess = getattr(measured.on(device).densities, name), getattr(guessed[device], name)
            again = f"{getattr(better[device], name):.1%}" if better is not None else "-"
            yield f"  {label:<25} {device:<7} {seen:>9.1%} {guess:>10.1%} {again:>17}"
    yield ""
    yield "main content: the article from its first block to its last; ads in it over its height, ads included"
    yield "Lighthouse: all ads of the page over the distance from its top to the lowest ad's middle, plus one screen"


_NAMES = {"main_content": "main content (Better Ads)", "lighthouse": "Lighthouse"}


def _estimated_with(layout: LayoutPerDevice, work: Work, policy: Policy, planned: Plan) -> dict[Device, Densities]:
    """The same slots on the same page, had the rules stated that layout."""
    assert work.encoding is not None
    stated = replace(policy, layout=layout, revision="")
    return estimated(read(work.html, wanted_by(stated), work.encoding), stated, planned)


def _same(url: str, page: str) -> bool:
    return url.split("#", maxsplit=1)[0] == page.split("#", maxsplit=1)[0]


def _scroll_through(page: BrowserPage) -> None:
    """Once down and back, so that pictures load that wait to be seen."""
    page.evaluate(
        """async () => {
          for (let y = 0, i = 0; y < document.documentElement.scrollHeight && i < 60; y += innerHeight, i++) {
            scrollTo({top: y, behavior: 'instant'});
            await new Promise(done => setTimeout(done, 30));
          }
          scrollTo({top: 0, behavior: 'instant'});
        }"""
    )


def counted_of(policy: Policy, planned: Plan, device: Device) -> list[bool]:
    """For each slot of a page, in document order: is it part of the main content?"""
    places = {slot.name: slot.place for slot in policy.slots}
    return [device in p.devices and is_counted(p.anchor, places[p.slot]) for p in planned.placements]


def _made(found: dict[str, Any], usual: Layout) -> Seen:
    layout = None
    if read_off := found["layout"]:
        if read_off["margin"] is None:
            read_off["margin"] = usual.margin
        layout = Layout(**{name: round(max(0.0, px), 1) for name, px in read_off.items()})
    return Seen(
        main=found["main"],
        ads=found["inside"],
        lighthouse=found["lighthouse"],
        layout=layout,
        edges=tuple((int(index), top, bottom) for index, top, bottom in found["tops"]),
    )
