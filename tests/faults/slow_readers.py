"""Readers who send or read slowly: each is closed by its deadline, and the others do not wait for them."""

from __future__ import annotations

import contextlib
import socket
import statistics
import threading
import time
from collections.abc import Iterator

from our_server import read_answer
from small_site import PAGE
from starlette.types import Receive, Scope, Send
from wire import DEADLINE

from faults.stage import Row, Stage, proxy, site

PATIENCE_SECONDS = 3.0
"""The proxy's deadlines here. They are looked at once a second, so an end comes up to a second later."""
LARGE = b"x" * (4 << 20)
"""More than the sockets between us hold."""
DRIP_SECONDS = 0.2
ADDRESS = "127.0.0.2"
"""Where the slow ones come from."""
MAX_RATIO = 2.0
"""So many times their latency without slow readers may honest ones wait."""


async def newspaper(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    kind, body = (b"text/plain", LARGE) if scope["path"] == "/large" else (b"text/html; charset=utf-8", PAGE)
    fields = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


BEGINNINGS = {
    "no byte": b"",
    "a head byte by byte": b"GET / HTTP/1.1\r\nHost: a\r\nX: ",
    "a body byte by byte": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
    "no reading": b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
}
_DRIPS = ("a head byte by byte",)
"""The others stand still: a body may be slow as long as it comes."""


class _Slow:
    """One reader of a kind. `closed` says when the server gave it up."""

    def __init__(self, port: int, kind: str) -> None:
        self.kind = kind
        self.connection = socket.create_connection(("127.0.0.1", port), DEADLINE, (ADDRESS, 0))
        self.port: int = self.connection.getsockname()[1]
        if kind == "no reading":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.connection.sendall(BEGINNINGS[kind])
        self.began = time.monotonic()
        self.closed: float | None = None

    def drip(self) -> None:
        if self.kind in _DRIPS:
            with contextlib.suppress(OSError):
                self.connection.send(b"x", socket.MSG_DONTWAIT)


def _connected(stage: Stage) -> set[int]:
    """The ports of readers whom the server has not given up. A reader who does not read could not see it himself."""

    async def ports() -> set[int]:
        return {each.transport.get_extra_info("peername")[1] for each in stage.server.server.server_state.connections}

    return stage.in_loop(ports)


def _latencies(port: int, seconds: float) -> list[float]:
    """Of honest readers, one after the other."""
    found: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
            began = time.monotonic()
            connection.sendall(b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_answer(connection)[0] == 200
            found.append(time.monotonic() - began)
    return found


@contextlib.contextmanager
def _besieged(stage: Stage, each: int) -> Iterator[list[_Slow]]:
    slow = [_Slow(stage.port, kind) for kind in BEGINNINGS for _ in range(each)]
    stop = threading.Event()

    def keep_at_it() -> None:
        while not stop.wait(DRIP_SECONDS):
            connected, now = _connected(stage), time.monotonic()
            for one in slow:
                one.drip()
                if one.closed is None and one.port not in connected:
                    one.closed = now

    thread = threading.Thread(target=keep_at_it)
    thread.start()
    try:
        yield slow
    finally:
        stop.set()
        thread.join(DEADLINE)
        for one in slow:
            one.connection.close()


def play(each: int, *, judge_times: bool) -> list[Row]:
    """So many readers of each slow kind. `judge_times`: whether honest readers' waiting is a breach; on a machine that
    does other things as well it says little."""
    rows = {kind: Row(f"slow readers: {kind}", each) for kind in BEGINNINGS}
    honest = Row("honest readers beside them")
    patience = {"request_head_seconds": PATIENCE_SECONDS, "idle_seconds": PATIENCE_SECONDS}
    # addresses of loopback stand for readers', so none of them is a trusted peer's
    with site(newspaper) as url, proxy(url, trusted_peers="", **patience) as stage:
        before = _latencies(stage.port, 1.0)
        with _besieged(stage, each) as slow:
            time.sleep(PATIENCE_SECONDS / 2)  # the long answers fill what there is between us
            during = _latencies(stage.port, PATIENCE_SECONDS / 2)
            end = time.monotonic() + DEADLINE
            while any(one.closed is None for one in slow) and time.monotonic() < end:
                time.sleep(0.05)
        for one in slow:
            rows[one.kind].expect(one.closed is not None, "held for ever")
        for kind, row in rows.items():
            longest = max((one.closed - one.began for one in slow if one.kind == kind and one.closed), default=0.0)
            row.note = f"closed after {longest:.1f} s at most, deadline {PATIENCE_SECONDS:g} s"
    honest.times = len(before) + len(during)
    ratio = statistics.median(during) / statistics.median(before)
    honest.note = f"median {ratio:.2f} of what it was"
    if judge_times:
        honest.expect(ratio <= MAX_RATIO, f"{ratio:.2f} times as slow")
    return [*rows.values(), honest]
