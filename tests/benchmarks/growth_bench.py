"""How cost grows: with a page's size, with its blocks, with the number of rule sets, with requests at once; and what a
reader waits for the first byte of a slow page: python tests/benchmarks/growth_bench.py

In process, by processor time of the thread, the best of a few tries; requests at once and first bytes over loopback,
from an origin that waits in the middle of its page.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from bench import Bar, picture
from rewrite_bench import RULES, machine
from serve_bench import _free_port, _running

from adproxy.decision import decide
from adproxy.known_pages import KnownPages
from adproxy.memory import keep_freed_memory
from adproxy.metrics import Metrics
from adproxy.rules.compile import load_rules
from adproxy.rules.match import choose
from adproxy.rules.ruleset import Policy
from adproxy.whole_page import WholePage

SIZES = (10, 30, 100, 300, 1_000, 2_000, 5_000)
"""Thousands of bytes; beyond 2 MiB pages are left alone."""
BLOCKS = (10, 30, 100, 300, 1_000, 3_000)
"""Paragraphs of a page that is always as large; of an article no more than 1,000 blocks are looked at."""
RULE_SETS = (1, 10, 100, 1_000)
AT_ONCE = (1, 10, 100, 1_000, 5_000)
TRIES = 5
PAUSE_SECONDS = 0.3
"""That the origin waits behind its page's head."""
_DEADLINE = 60.0
_WORDS = "The ferry to the island ran late again this morning, and nobody on the pier could say why it had. "


def page_of(size: int) -> bytes:
    """An article of about so many bytes, in paragraphs of 600."""
    paragraph = f"<p>{_WORDS * 6}</p>\n"
    head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Late</title></head><body>'
    text = paragraph * max(2, size // len(paragraph))
    return f"{head}<main><article><h1>Late</h1>\n{text}</article></main></body></html>".encode()


def page_in_blocks(blocks: int) -> bytes:
    """An article of about 300 KB in so many paragraphs."""
    text = (_WORDS * (300_000 // blocks // len(_WORDS) + 1))[: 300_000 // blocks]
    head = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Late</title></head><body>'
    return f"{head}<main><article><h1>Late</h1>\n{f'<p>{text}.</p>' * blocks}</article></main></body></html>".encode()


def _best(work: Callable[[], object]) -> float:
    """Microseconds."""
    found = []
    for _ in range(TRIES):
        began = time.thread_time_ns()
        work()
        found.append((time.thread_time_ns() - began) / 1e3)
    return min(found)


def by_size(policy: Policy) -> list[tuple[int, float, float]]:
    """Thousands of bytes, microseconds of a new page and of one that was sent before."""
    rows = []
    for size in SIZES:
        html = page_of(size * 1_000)
        page, again = (
            WholePage((body,), "", "text/html", (), policy, "/", b"", "/_adproxy/", 8_000_000, "", None)
            for body in (html, bytes(memoryview(html)))
        )
        known = KnownPages(1 << 30, Metrics())
        new = _best(partial(decide, page))
        known.remember(page, decide(page))
        assert known.find(again) is not None
        rows.append((size, new, _best(lambda known=known, again=again: known.find(again))))  # type: ignore[misc]
    return rows


def by_blocks(policy: Policy) -> list[tuple[int, float]]:
    """Paragraphs, microseconds of a new page."""
    rows = []
    for blocks in BLOCKS:
        html = page_in_blocks(blocks)
        page = WholePage((html,), "", "text/html", (), policy, "/", b"", "/_adproxy/", 8_000_000, "", None)
        rows.append((blocks, _best(partial(decide, page))))
    return rows


def by_rule_sets(brief: bool = False) -> list[tuple[int, float]]:
    """Rule sets, microseconds to find a page's."""
    rows = []
    for count in RULE_SETS[:2] if brief else RULE_SETS:
        with tempfile.TemporaryDirectory() as home:
            for i in range(count):
                text = f"version: 1\nsite: site-{i}\nuse: [news]\nhosts: [site-{i}.example]\n"
                Path(home, f"site-{i}.yaml").write_text(text, encoding="utf-8")
            book = load_rules(Path(home))
        host = f"site-{count - 1}.example"
        rows.append(
            (count, _best(lambda book=book, host=host: [choose(book, host, "/story") for _ in range(1_000)]) / 1e3)
        )  # type: ignore[misc]
    return rows


# --- over loopback -----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def slow_origin(html: bytes, *, validated: bool = False) -> AsyncIterator[int]:
    """The port of an origin that sends the page's head at once and its body after a pause; `validated`: with a length
    and a tag."""
    cut = html.index(b"<body>")
    more = b'Content-Length: %d\r\nETag: "1"\r\n' % len(html) if validated else b""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n%sConnection: close\r\n\r\n" % more

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + html[:cut])
            await writer.drain()
            await asyncio.sleep(PAUSE_SECONDS)
            writer.write(html[cut:])
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=8_192)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def ask(port: int) -> tuple[float, bytes]:
    """Milliseconds to the first byte of a page's body, and all that came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        began = time.perf_counter()
        writer.write(b"GET / HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        first = await reader.read(1)
        waited = (time.perf_counter() - began) * 1e3
        return waited, head + first + await reader.read()
    finally:
        writer.close()


@contextlib.contextmanager
def proxy(upstream: int, home: Path, **options: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A worker of adproxy with these settings in front of the origin: its port and its processes."""
    port = _free_port()
    command = [sys.executable, "-m", "adproxy", "serve", "--upstream", f"http://127.0.0.1:{upstream}", "--workers", "1"]
    command += [
        "--port",
        str(port),
        "--office-port",
        str(_free_port()),
        "--state-dir",
        str(home),
        "--rules",
        str(RULES),
    ]
    more = {**options, "ADPROXY_UPSTREAM_CONNECTIONS": "6000"}
    more |= {"ADPROXY_MAX_REQUESTS": "6000", "ADPROXY_MAX_REQUESTS_OF_READER": "6000"}
    with _running(command, port, 0, more) as process:
        yield port, process


def _memory(process: subprocess.Popen[bytes]) -> int:
    """Resident kilobytes of the page worker at its most."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    peaks = [
        int(line.split()[1])
        for child in children
        for line in Path(f"/proc/{child}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return max(peaks)


_WAITS: tuple[tuple[str, dict[str, str], bool], ...] = (
    ("nothing goes ahead", {"ADPROXY_AHEAD_SECONDS": "0"}, False),
    ("by default", {}, False),
    ("by default, with length and tag", {}, True),
    ("ADPROXY_EARLY_SECONDS=0.002, the same", {"ADPROXY_EARLY_SECONDS": "0.002"}, True),
)
"""Name, settings, and whether the origin's page has a length and a tag."""


async def first_bytes(brief: bool) -> list[tuple[str, float]]:
    """Who, and the median of milliseconds."""
    html = page_of(100_000)
    async with slow_origin(html) as origin:
        rows = [("the origin itself", statistics.median([(await ask(origin))[0] for _ in range(7)]))]
    for name, options, validated in () if brief else _WAITS:
        async with slow_origin(html, validated=validated) as origin:
            with tempfile.TemporaryDirectory() as home, proxy(origin, Path(home), **options) as (port, _):
                await asyncio.sleep(2)
                found = [await ask(port) for _ in range(7)]
        if not all(b"data-adproxy-slot" in body for _, body in found):
            raise SystemExit("growth_bench: a page came without its slots")
        rows.append((f"adproxy: {name}", statistics.median(waited for waited, _ in found)))
    return rows


async def at_once(most: int) -> list[tuple[int, float, int, float]]:
    """Requests at once, milliseconds until all are answered beyond the origin's pause, peak memory in KB, and by how
    much that is more for each of them."""
    rows = []
    async with slow_origin(page_of(100_000)) as origin:
        for count in (count for count in AT_ONCE if count <= most):
            with (
                tempfile.TemporaryDirectory() as home,
                proxy(origin, Path(home), ADPROXY_AHEAD_SECONDS="0") as (port, process),
            ):
                await asyncio.sleep(2)
                await ask(port)
                idle = _memory(process)
                began = time.perf_counter()
                found = await asyncio.wait_for(asyncio.gather(*(ask(port) for _ in range(count))), _DEADLINE)
                took = (time.perf_counter() - began - PAUSE_SECONDS) * 1e3
                if not all(b" 200 " in body[:20] for _, body in found):
                    raise SystemExit(f"growth_bench: not all of {count} requests got a page")
                peak = _memory(process)
                rows.append((count, took, peak, (peak - idle) / count))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--svg", type=Path, default=Path("growth.svg"), metavar="FILE", help="default: %(default)s")
    parser.add_argument("--at-once", type=int, default=AT_ONCE[-1], metavar="N", help="requests (default: %(default)s)")
    parser.add_argument("--brief", action="store_true", help="fewer rule sets and no waits: to see that it runs")
    options = parser.parse_args(arguments)
    keep_freed_memory()
    policy = load_rules(RULES).rule_sets[0].pages[0].policy
    if policy is None:
        parser.error(f"{RULES} places no ads")
    parts: list[tuple[str, list[Bar]]] = []

    def part(title: str, bars: list[Bar]) -> None:
        parts.append((title, bars))
        print(f"\n{title}", *(f"  {name:<44}{figure:>24}" for name, _, figure in bars), sep="\n", flush=True)

    sizes = by_size(policy)
    part("A new page, by its size", [(f"{s:,} KB", us, f"{us:,.0f} us, {us / s:.1f} a KB") for s, us, _ in sizes])
    part("Sent before, by its size", [(f"{s:,} KB", us, f"{us:,.0f} us, {us / s:.2f} a KB") for s, _, us in sizes])
    part(
        "A new page of 300 KB, by its paragraphs",
        [(f"{n:,} paragraphs", us, f"{us:,.0f} us, {us / n:.1f} each") for n, us in by_blocks(policy)],
    )
    part("To find a page's rules", [(f"{n:,} rule sets", us, f"{us:.2f} us") for n, us in by_rule_sets(options.brief)])
    waits = asyncio.run(first_bytes(options.brief))
    part(f"First byte of a page that pauses for {PAUSE_SECONDS:g} s", [(who, ms, f"{ms:.1f} ms") for who, ms in waits])
    crowds = asyncio.run(at_once(options.at_once))
    bars = [
        (f"{n:,} at once", ms / n, f"{ms / n:.2f} ms, {each:.0f} KB each, {kb / 1024:.0f} MiB")
        for n, ms, kb, each in crowds
    ]
    part("Requests at once, one worker", bars)
    about = machine()
    below = f"{about['cpu']}, {about['cores']} cores, load {os.getloadavg()[0]:.1f}; Python {about['python']}"
    options.svg.write_text(picture(parts, below), "utf-8")
    print(f"\n{below}\nthe picture: {options.svg}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
