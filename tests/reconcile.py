"""What was acknowledged, what the event store holds and what Prometheus says, while everything goes wrong.

    python tests/reconcile.py 3000                  thousands of views, and a table; fails unless the difference is 0
    python tests/reconcile.py 300 --broken memory   the same on a store that is broken on purpose: has to fail

A real `adproxy serve` with several workers; clients who play browsers, each with nonces that it knows, who send again
what was not answered, replay what was, forge tokens, and are crawlers at times; workers that are killed by SIGKILL at
random moments; rules that change under way, some to bad ones; and a real Prometheus where one is installed.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import itertools
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from mutations import mutated
from our_server import until
from serve_process import Serve, serve, upstream
from test_prometheus import prometheus_scraping, query

from adproxy.beacon import OF_PAGE
from adproxy.model import EventKind
from adproxy.sqlite_events import FILE_NAME

WORKERS = 3
CLIENTS = 12
VIEWS_A_PAGE = 5
"""A cache shows one page to so many readers."""
KILL_SECONDS = (0.2, 1.0)
"""Between two kills, at least and at most."""
FEWEST_KILLS = 5
"""A machine that is done with the views sooner goes on until so many workers were killed."""
RELOAD_SECONDS = 1.5
PATIENCE = 60.0
"""Seconds for which a client sends one beacon again and again."""
CHROMIUM = "/usr/bin/chromium"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
KINDS = tuple(kind for kind in EventKind if kind is not EventKind.DENSITY)
METRICS = {
    EventKind.PAGE_VIEW: "adproxy_page_views_total",
    EventKind.REQUEST: "adproxy_slot_requests_total",
    EventKind.UNFILLED: "adproxy_slot_unfilled_total",
    EventKind.WITHHELD: "adproxy_slot_withheld_total",
    EventKind.RENDERED: "adproxy_slot_impressions_total",
    EventKind.VIEWABLE: "adproxy_slot_viewable_impressions_total",
    EventKind.CLICK: "adproxy_slot_clicks_total",
}
RULES = """version: 1
site: small-site
slots:
  top:
    place: above-headline
    sizes: {phone: [320x50], desktop: [728x90]}
    div: {id: "ad-top"}
  in-article:
    place: mid-article
    first_after: 50 words
    max: 2
    sizes: {phone: [300x250]}
    div: {id: "ad-{n}"}
  end:
    place: end-of-article
    creative: {image: {src: /house.png, link: /subscribe, alt: Subscribe, size: 300x250}}
limits: {ad_share: {phone: 90%, desktop: 90%}}
"""
EDITS = (
    RULES.replace("320x50", "320x100"),
    RULES.replace("  end:", "  after-text:"),  # `end` is retired while pages that carry it are in caches
    RULES.replace("above-headline", "above-the-fold"),  # a mistake: not taken
    RULES,
)

Key = tuple[str, str, str, int]
"""One event: nonce, kind, slot, n."""


@dataclass
class Ledger:
    """What clients know: each event that was acknowledged, with the kind of its traffic."""

    acknowledged: dict[Key, str] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, kind: EventKind, traffic: str | None = None) -> int:
        return sum(
            key[1] == kind.value and (traffic is None or given == traffic) for key, given in self.acknowledged.items()
        )


class Client:
    """One that asks for pages and reports views, until there are enough."""

    def __init__(self, port: int, ledger: Ledger, todo: Iterator[int], seed: int) -> None:
        self._port = port
        self._ledger = ledger
        self._todo = todo
        self._dice = random.Random(seed)
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        try:
            self._report()
        finally:
            self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _report(self) -> None:
        page: tuple[str, list[tuple[str, int]]] | None = None
        while True:
            with self._ledger.lock:
                view = next(self._todo, None)
            if view is None:
                return
            if view % VIEWS_A_PAGE == 0:
                page = None
            deadline = time.monotonic() + PATIENCE
            while page is None:
                assert time.monotonic() < deadline, f"no page with slots for {PATIENCE:g} s"
                page = self._page(view)
            self._view(*page)

    def _page(self, view: int) -> tuple[str, list[tuple[str, int]]] | None:
        """A page's token and its slots."""
        answer = self._until_answered("GET", f"/story-{view % 50}", b"", {"User-Agent": BROWSER}, (200,))
        token = re.search(rb'data-adproxy-token="([^"]+)"', answer or b"")
        if answer is None or token is None:
            # a worker that starts while the rules have a mistake knows none, and its pages pass without slots
            self._ledger.sent["pages without slots"] += 1
            time.sleep(0.1)
            return None
        slots = Counter(name.decode() for name in re.findall(rb'<div data-adproxy-slot="([^"]+)"', answer))
        return token[1].decode(), [(name, n) for name, count in slots.items() for n in range(1, count + 1)]

    def _view(self, token: str, slots: list[tuple[str, int]]) -> None:
        dice = self._dice
        nonce = base64.urlsafe_b64encode(dice.randbytes(16)).decode().rstrip("=")
        crawler = dice.random() < 0.1
        agent = {"User-Agent": CRAWLER if crawler else BROWSER}
        beacons: list[list[list[object]]] = [[["page_view"]], [], [], []]
        for slot, n in slots:
            if dice.random() < 0.1:
                beacons[0].append(["withheld", slot, n, "no_consent"])
                continue
            beacons[0].append(["request", slot, n])
            if dice.random() < 0.2:
                beacons[1].append(["unfilled", slot, n])
                continue
            beacons[1].append(["rendered", slot, n])
            if dice.random() < 0.6:
                beacons[dice.choice((1, 2))].append(["viewable", slot, n])
            if dice.random() < 0.2:
                beacons[3].append(["click", slot, n])
        said = []
        for events in filter(None, beacons):
            body = self._body(token, nonce, events)
            self.acknowledged(body, agent, nonce, events, "invalid" if crawler else "valid")
            said.append(body)
        if dice.random() < 0.3:  # a replay: perhaps by another worker, perhaps all in one go
            self._send("replayed", dice.choice(said), agent)
        if dice.random() < 0.3:
            for _ in range(3):
                forged = next(mutated(token, 1, dice.randrange(1 << 30)))
                fresh = base64.urlsafe_b64encode(dice.randbytes(16)).decode().rstrip("=")
                self._send("forged", self._body(forged, fresh, [["page_view"], ["rendered", *slots[0]]]), agent)
        if dice.random() < 0.1:
            self._send("foreign", self._body(token, nonce, [["rendered", "top", 7], ["click", "nowhere", 1]]), agent)
        clicked = [event for event in beacons[3] if event[1] == "end"]
        if clicked and not crawler:  # the same click, by the link as well
            link = f"/_adproxy/click?t={token}&s=end&i={clicked[0][2]}&n={nonce}"
            self._until_answered("GET", link, b"", agent, (302, 404))
            self._ledger.sent["clicked by the link too"] += 1

    def _body(self, token: str, nonce: str, events: list[list[object]]) -> bytes:
        return json.dumps({"v": 1, "t": token, "n": nonce, "e": events}).encode()

    def acknowledged(
        self, body: bytes, agent: dict[str, str], nonce: str, events: list[list[object]], traffic: str
    ) -> None:
        """Send a beacon until it is acknowledged, and note what it said."""
        if self._send("beacons", body, agent):
            self.note(nonce, events, traffic)
        else:
            with self._ledger.lock:
                self._ledger.given_up.append(nonce)

    def note(self, nonce: str, events: list[list[object]], traffic: str) -> None:
        with self._ledger.lock:
            for kind, *rest in events:
                if kind != EventKind.DENSITY.value:
                    slot, n = (str(rest[0]), int(str(rest[1]))) if rest else ("", 0)
                    self._ledger.acknowledged.setdefault((nonce, str(kind), slot, n), traffic)

    def _send(self, what: str, body: bytes, agent: dict[str, str]) -> bool:
        self._ledger.sent[what] += 1
        headers = {**agent, "Content-Type": "text/plain;charset=UTF-8"}
        return self._until_answered("POST", "/_adproxy/beacon", body, headers, (204,)) is not None

    def _until_answered(
        self, method: str, path: str, body: bytes, headers: dict[str, str], wanted: tuple[int, ...]
    ) -> bytes | None:
        """Ask again and again, as a patient browser would; None where that was in vain."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                if self._connection is None:
                    self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
                self._connection.request(method, path, body, headers)
                answer = self._connection.getresponse()
                data = answer.read()
                if answer.status in wanted:
                    return data
                self._ledger.sent[f"answered {answer.status}"] += 1
            except (OSError, http.client.HTTPException):
                self._ledger.sent["cut off"] += 1
                if self._connection is not None:
                    self._connection.close()
                self._connection = None
            time.sleep(self._dice.uniform(0.01, 0.1))
        return None


def browse(port: int, ledger: Ledger, pages: int) -> None:
    """Real browsers read pages to their ends. What they sent and were not answered is sent again afterwards, as it was:
    by then it may be counted already, and must not be once more."""
    from playwright.sync_api import Request, sync_playwright

    sent: dict[str, bool] = {}

    def answered(request: Request) -> None:
        if request.url.endswith("/_adproxy/beacon") and request.post_data:
            answer = request.response()
            sent[request.post_data] = sent.get(request.post_data, False) or (
                answer is not None and answer.status == 204
            )

    def went(request: Request) -> None:
        if request.url.endswith("/_adproxy/beacon") and request.post_data:
            sent.setdefault(request.post_data, False)

    with sync_playwright() as playwright:
        # a browser that says that it is driven would be counted as invalid traffic, and rightly so
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-blink-features=AutomationControlled"]
        )
        for number in range(pages):
            context = chromium.new_context(user_agent=CHROME, viewport={"width": 390, "height": 844})
            context.on("request", went)
            context.on("requestfinished", answered)
            page = context.new_page()
            deadline, seen = time.monotonic() + PATIENCE, len(sent)
            while len(sent) == seen and time.monotonic() < deadline:  # a page may be cut off, or come without slots
                with contextlib.suppress(Exception):
                    page.goto(f"http://127.0.0.1:{port}/story-{number}", wait_until="load", timeout=10_000)
                    page.evaluate("scrollTo(0, document.body.scrollHeight)")
                    page.wait_for_timeout(2_500)
            while len(sent) > seen and time.monotonic() < deadline:  # until it has nothing more to say
                seen = len(sent)
                page.wait_for_timeout(3_000)
            context.close()
        chromium.close()
    patient = Client(port, ledger, iter(()), 0)
    for body, was_answered in sent.items():
        said = json.loads(body)
        if was_answered:
            patient.note(said["n"], said["e"], "valid")
        else:
            patient.acknowledged(body.encode(), {"User-Agent": CHROME}, said["n"], said["e"], "valid")
        ledger.sent["beacons of real browsers"] += 1
    patient.close()


def kill_workers(them: Serve, stop: threading.Event, killed: list[int]) -> None:
    """One at a time, at random moments."""
    dice = random.Random(7)
    office = them.office_pid()
    while not stop.wait(dice.uniform(*KILL_SECONDS)):
        workers = [pid for pid in them.children() if pid != office]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(dice.choice(workers), signal.SIGKILL)
                killed.append(1)


def wanted_views(views: int, killed: list[int]) -> Iterator[int]:
    """The numbers of the views: as many as were asked for, and more until enough workers were killed."""
    for view in itertools.count():
        if view >= views and len(killed) >= FEWEST_KILLS:
            return
        yield view


def edit_rules(file: Path, stop: threading.Event, edits: list[int]) -> None:
    while not stop.wait(RELOAD_SECONDS):
        fresh = file.with_name("rules.new")
        fresh.write_text(EDITS[len(edits) % len(EDITS)], encoding="utf-8")
        fresh.replace(file)
        edits.append(1)


def stored(database: Path) -> tuple[Counter[EventKind], Counter[tuple[EventKind, str]], Counter[EventKind]]:
    """What the event store holds: events of views, counters by traffic, figures of articles."""
    views: Counter[EventKind] = Counter()
    counters: Counter[tuple[EventKind, str]] = Counter()
    figures: Counter[EventKind] = Counter()
    of_placement = [kind for kind in EventKind if kind not in OF_PAGE]
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for (seen,) in connection.execute("SELECT seen FROM views"):
            bits = int.from_bytes(seen, "little")
            views[EventKind.PAGE_VIEW] += bits & 1
            for place in range(bits.bit_length()):
                if place >= 2 and bits >> place & 1:
                    views[of_placement[(place - 2) % len(of_placement)]] += 1
        for name, traffic, value in connection.execute("SELECT name, traffic, sum(value) FROM counters GROUP BY 1, 2"):
            if name in [kind.value for kind in KINDS]:
                counters[EventKind(name), traffic] += int(value)
        for kind in KINDS:
            (figures[kind],) = connection.execute(f"SELECT sum({kind.value}) FROM figures").fetchone()
    return views, counters, figures


def scraped(them: Serve) -> Counter[tuple[EventKind, str]]:
    """The sums of the metrics by traffic."""
    sums: Counter[tuple[EventKind, str]] = Counter()
    by_name = {name: kind for kind, name in METRICS.items()}
    for (name, *labels), value in them.metrics().items():
        if name in by_name:
            sums[by_name[name], labels[-1]] += int(value)
    return sums


def asked_prometheus(url: str, wanted: Counter[tuple[EventKind, str]]) -> Counter[tuple[EventKind, str]]:
    """The same sums as a Prometheus has them, once it has seen the last event."""
    found: Counter[tuple[EventKind, str]] = Counter()

    def seen() -> bool:
        found.clear()
        for kind, name in METRICS.items():
            for labels, value in query(url, f"sum by (traffic) ({name})"):
                found[kind, labels["traffic"]] = int(value)
        return +found == +wanted

    with contextlib.suppress(AssertionError):  # what it has then is in the table
        until(seen, "Prometheus has it all", 10)
    return found


def main(views: int, broken: str | None = None, *, pages: int = 0, seconds: float = 900) -> int:
    """`pages`: how many real browsers read beside the clients, one after the other."""
    ledger, killed, edits, stop = Ledger(), [0][:0], [0][:0], threading.Event()
    program = [sys.executable, "-m", "adproxy"]
    if broken:
        program = [sys.executable, str(Path(__file__).with_name("broken_store.py")), broken]
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="reconcile-")))
        url = running.enter_context(upstream())
        them = running.enter_context(
            serve(url, folder, "--workers", str(WORKERS), rules=RULES, program=program, seconds=seconds)
        )
        prometheus = None
        if shutil.which("prometheus"):
            (folder / "prometheus").mkdir()
            prometheus = running.enter_context(prometheus_scraping(folder / "prometheus", them.office))
        todo = wanted_views(views, killed)
        disturbers = [
            threading.Thread(target=kill_workers, args=(them, stop, killed)),
            threading.Thread(target=edit_rules, args=(folder / "rules.yaml", stop, edits)),
        ]
        for disturber in disturbers:
            disturber.start()
        began = time.monotonic()
        try:
            with ThreadPoolExecutor(CLIENTS + 1) as pool:
                asking = [pool.submit(Client(them.site, ledger, todo, seed).run) for seed in range(CLIENTS)]
                if pages and Path(CHROMIUM).exists():
                    asking.append(pool.submit(browse, them.site, ledger, pages))
                for client in asking:
                    client.result()
        finally:
            stop.set()
            for disturber in disturbers:
                disturber.join()
        took = time.monotonic() - began
        until(them.is_complete, "all workers are back", 30)
        by_view, counters, figures = stored(folder / "state" / FILE_NAME)
        metrics = scraped(them)
        asked = asked_prometheus(prometheus, metrics) if prometheus is not None else None
    print(
        f"at least {views} views in {took:.0f} s; {sum(killed)} workers killed, rules changed {sum(edits)} times; "
        + ", ".join(f"{count} {what}" for what, count in sorted(ledger.sent.items()))
    )
    columns = ["acknowledged", "in views", "in counters", "in figures", "metrics", *(["Prometheus"] if asked else [])]
    print(f"{'':22}" + "".join(f"{column:>14}" for column in columns) + f"{'difference':>14}")
    difference = len(ledger.given_up)
    for kind in KINDS:
        both = [sum(where[kind, traffic] for traffic in ("valid", "invalid")) for where in (counters, metrics)]
        row = [ledger.count(kind), by_view[kind], both[0], figures[kind], both[1]]
        if asked is not None:
            row.append(sum(asked[kind, traffic] for traffic in ("valid", "invalid")))
        difference += _print(kind.value, row)
        row = [ledger.count(kind, "invalid"), *(where[kind, "invalid"] for where in (counters, metrics))]
        if asked is not None:
            row.append(asked[kind, "invalid"])
        difference += _print("  of these invalid", row, blank=(1, 3))
    if ledger.given_up:
        print(f"{len(ledger.given_up)} beacons were never answered")
    print(f"difference {difference}")
    return 1 if difference else 0


def _print(name: str, row: list[int], blank: tuple[int, ...] = ()) -> int:
    """A line of the table; how much its figures differ."""
    cells = [f"{number:>14}" for number in row]
    for at in blank:
        cells.insert(at, " " * 14)
    difference = sum(abs(number - row[0]) for number in row[1:])
    print(f"{name:22}" + "".join(cells) + f"{difference:>14}")
    return difference


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("views", type=int)
    parser.add_argument("--broken", choices=("ack-early", "memory"), help="on a store that is broken in this way")
    parser.add_argument("--pages", type=int, default=3, help="pages for real browsers to read beside (default: 3)")
    given = parser.parse_args()
    sys.exit(main(given.views, given.broken, pages=given.pages))
