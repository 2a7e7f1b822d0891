"""Pages that are made to hurt: each comes whole, with slots or as it is, and the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import time

import bombs
from starlette.types import Receive, Scope, Send

from faults.stage import Row, proxy, site

PAGES = [html[: bombs.PAGE_BYTES] for _, html in bombs.bombs()]
SMALL = 256 << 10
"""Bytes: what is rewritten on the loop, if it has few tags."""
TICK_SECONDS = 0.002
MAX_PAUSE_SECONDS = 0.05
"""So long may the loop do nothing else."""


async def newspaper(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    _, number, size = scope["path"].split("/")
    html = PAGES[int(number)][: int(size)]
    fields = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(html))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": html})


class _Pauses:
    """The longest time that a loop let nobody else run, and the most that it worked at a stretch: on a machine that
    does other things as well the first says little."""

    def __init__(self) -> None:
        self.longest = self.work = 0.0
        self.stop = False

    async def watch(self) -> None:
        while not self.stop:
            began, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK_SECONDS)
            self.longest = max(self.longest, time.perf_counter() - began - TICK_SECONDS)
            self.work = max(self.work, time.thread_time() - worked)


def play(times: int, *, judge_times: bool) -> list[Row]:
    """Every page so many times, large and small. `judge_times`: whether a pause of the loop is a breach."""
    rows = []
    with site(newspaper) as url, proxy(url, rewrite_seconds=20) as stage:
        for name, size in (("up to 2 MiB", bombs.PAGE_BYTES), ("up to 256 KiB", SMALL)):
            row = Row(f"hostile pages {name}", len(PAGES) * times)
            pauses = _Pauses()
            watching = asyncio.run_coroutine_threadsafe(pauses.watch(), stage.loop)
            for number in list(range(len(PAGES))) * times:
                asked = b"GET /%d/%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % (number, size)
                head, _, body = stage.server.exchange(asked).partition(b"\r\n\r\n")
                html = PAGES[number][:size]
                row.expect(head.startswith(b"HTTP/1.1 200 "), f"{number}: {head[:30]!r}")
                row.expect(body == html or b"data-adproxy" in body, f"{number}: another body")
            pauses.stop = True
            watching.result(10)
            row.note = f"the loop paused for {1000 * pauses.longest:.0f} ms at most, worked {1000 * pauses.work:.0f} ms"
            if judge_times:
                row.expect(pauses.longest <= MAX_PAUSE_SECONDS, row.note)
            rows.append(row)
    return rows
