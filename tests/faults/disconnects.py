"""Readers who leave at random points: nothing of them is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time

from small_site import PAGE, page, with_slots
from starlette.types import Receive, Scope, Send
from wire import DEADLINE

from faults.stage import Row, Stage, proxy, site

LARGE = page(paragraphs=900)
AT_ONCE = 32
KEEPALIVE_SECONDS = 0.5
"""Of idle connections to the origin, so that they need not be waited for."""


async def newspaper(scope: Scope, receive: Receive, send: Send) -> None:
    """Pages small and large, in one piece, in many, without end, and the reading of bodies."""
    path = scope["path"]
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        if not message.get("more_body"):
            break
    kind = b"text/plain" if path == "/stream" else b"text/html; charset=utf-8"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    if path in ("/slow", "/stream"):
        for at in range(0, len(PAGE), 500):
            await send({"type": "http.response.body", "body": PAGE[at : at + 500], "more_body": True})
            await asyncio.sleep(0.002)
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": LARGE if path == "/large" else PAGE})


def _request(shaken: random.Random) -> bytes:
    path = shaken.choices(["/page", "/slow", "/stream", "/large", "/_adproxy/client.js"], [6, 6, 3, 1, 1])[0]
    if shaken.random() < 0.2:
        body = shaken.randbytes(shaken.randrange(5000))
        return b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)
    return b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode()


async def _leave(port: int, shaken: random.Random) -> None:
    """Send a request, or part of it; read for a while, or not; leave, politely or not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = _request(shaken) * shaken.choice((1, 1, 1, 3))
    sent = shaken.choice((len(request), len(request), shaken.randrange(len(request))))
    with contextlib.suppress(ConnectionError):
        writer.write(request[:sent])
        if shaken.random() < 0.7:
            await asyncio.sleep(shaken.random() * 0.02)
        if shaken.random() < 0.5:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(shaken.randrange(1, 20_000)), 0.02)
    if shaken.random() < 0.5:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def _storm(port: int, times: int, seed: int) -> None:
    async def one_after_another(number: int) -> None:
        shaken = random.Random(seed * 1000 + number)
        for _ in range(times // AT_ONCE + 1):
            await _leave(port, shaken)

    await asyncio.gather(*(one_after_another(number) for number in range(AT_ONCE)))


def _settled(stage: Stage, before: dict[str, int]) -> tuple[dict[str, int], float]:
    """What is left once nothing changes any more, at most `DEADLINE` later; and how long that took."""
    began = time.monotonic()
    while (left := stage.left()) != before and time.monotonic() - began < DEADLINE:
        time.sleep(0.05)
    return left, time.monotonic() - began


def play(times: int, seed: int = 1) -> list[Row]:
    """So many readers leave. Nothing may be left of them, and the next reader gets a page."""
    row = Row("readers leave at random points", times)
    with site(newspaper) as url, proxy(url, upstream_keepalive_seconds=KEEPALIVE_SECONDS) as stage:
        # what is opened once, threads and their pipes among it, is opened now
        asyncio.run(_storm(stage.port, AT_ONCE * 4, seed + 1))
        time.sleep(KEEPALIVE_SECONDS * 4)
        before = stage.left()
        began = time.monotonic()
        asyncio.run(_storm(stage.port, times, seed))
        took = time.monotonic() - began
        left, after = _settled(stage, before)
        for what, count in left.items():
            row.expect(count <= before[what], f"{count} {what}, {before[what]} before")
        answer = stage.server.exchange(b"GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        row.expect(answer.endswith(with_slots()), "the next reader gets no page with slots")
        row.note = f"{times / took:,.0f} a second; nothing left {after:.1f} s later"
    return [row]
