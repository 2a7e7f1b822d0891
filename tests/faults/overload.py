"""More than can be served: first pages pass as they are, only then readers are turned away, and soon all is well."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from small_site import page, with_slots
from starlette.types import Receive, Scope, Send
from wire import DEADLINE

from faults.stage import Row, Stage, proxy, site

LARGE = page(paragraphs=300)
"""Rewritten in a thread."""
WHOLE = with_slots(LARGE)
MAX_REQUESTS = 40
RECOVERY_SECONDS = 1.0


async def newspaper(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await asyncio.sleep(0.05)  # so that those who come at once are there at once
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html; charset=utf-8")]}
    )
    await send({"type": "http.response.body", "body": LARGE})


async def _ask(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    data = await asyncio.wait_for(reader.read(-1), DEADLINE)
    writer.close()
    head, _, body = data.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 503 "):
        return "turned away" if b"\r\nretry-after:" in head else "turned away without a time"
    if not head.startswith(b"HTTP/1.1 200 "):
        return head[:20].decode("latin-1")
    if body == WHOLE:
        return "with slots"
    joined = b"".join(_unchunked(body)) if b"\r\ntransfer-encoding: chunked" in head else body
    return "as it is" if joined == LARGE else "other bytes"


def _unchunked(data: bytes) -> list[bytes]:
    found = []
    while data:
        size, _, data = data.partition(b"\r\n")
        found.append(data[: int(size, 16)])
        data = data[int(size, 16) + 2 :]
    return found


async def _at_once(port: int, readers: int) -> Counter[str]:
    return Counter(await asyncio.gather(*(_ask(port) for _ in range(readers))))


def _wave(stage: Stage, readers: int, allowed: set[str], needed: str, rounds: int) -> Row:
    row = Row(f"{readers} readers at once", readers * rounds)
    seen: Counter[str] = Counter()
    for _ in range(rounds):
        seen += asyncio.run(_at_once(stage.port, readers))
    row.expect(set(seen) <= allowed, f"{dict(seen)}")
    row.expect(seen[needed], f"nobody {needed}")
    row.note = ", ".join(f"{count} {what}" for what, count in sorted(seen.items()))
    return row


def play(rounds: int, *, judge_times: bool) -> list[Row]:
    """So many waves of each size. `judge_times`: whether a slow recovery is a breach."""
    recovery = Row("a reader right behind them", rounds)
    # what was sent before costs nothing, and would be no overload
    limits = {"rewrite_threads": 1, "max_pending": 2, "inline_bytes": 0, "cache_bytes": 0, "max_requests": MAX_REQUESTS}
    with site(newspaper) as url, proxy(url, **limits) as stage:
        rows = [
            _wave(stage, 2, {"with slots"}, "with slots", rounds),
            _wave(stage, MAX_REQUESTS - 10, {"with slots", "as it is"}, "as it is", rounds),
            _wave(stage, MAX_REQUESTS * 4, {"with slots", "as it is", "turned away"}, "turned away", rounds),
        ]
        longest = 0.0
        for _ in range(rounds):
            asyncio.run(_at_once(stage.port, MAX_REQUESTS * 4))
            began = time.monotonic()
            while (found := asyncio.run(_ask(stage.port))) != "with slots" and time.monotonic() < began + DEADLINE:
                time.sleep(0.01)
            longest = max(longest, time.monotonic() - began)
            recovery.expect(found == "with slots", found)
        if judge_times:
            recovery.expect(longest <= RECOVERY_SECONDS, f"only after {longest:.2f} s")
        recovery.note = f"a page with slots within {longest:.2f} s"
    return [*rows, recovery]
