"""Our own server, in a thread of the tests: an application behind it, and clients that see every byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send
from wire import DEADLINE

from adproxy.listening import listen
from adproxy.proxy_settings import ProxySettings
from adproxy.server import Server


class Running:
    """A server that runs. `stop` tells it to; `wait` waits until it has."""

    def __init__(self, server: Server, listener: socket.socket, thread: threading.Thread) -> None:
        self.server = server
        self.port: int = listener.getsockname()[1]
        self._thread = thread

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)

    def exchange(self, data: bytes) -> bytes:
        """All that comes back for these bytes, until the server closes."""
        with self.connect() as connection:
            connection.sendall(data)
            return to_the_end(connection)

    def stop(self) -> None:
        self.server.should_exit = True

    def wait(self) -> None:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the server did not stop"


@contextlib.contextmanager
def running(app: ASGIApp, **options: Any) -> Iterator[Running]:
    settings = ProxySettings(**{"upstream": "http://127.0.0.1:9", "drain_seconds": 5.0, **options})
    listener = listen("127.0.0.1", 0)
    server = Server(app, settings)

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=run)
    with listener:
        it = Running(server, listener, thread)
        thread.start()
        try:
            yield it
        finally:
            it.stop()
            it.wait()


def until(true: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def to_the_end(connection: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            data += piece
    return data


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer from a connection that may stay open: status, header fields, body. The answer must be whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, f"the connection ended in a head: {data!r}"
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(fields["content-length"])
    while len(body) < length:
        piece = connection.recv(65536)
        assert piece, f"the connection ended after {len(body)} of {length} bytes"
        body += piece
    assert len(body) == length, "more than one answer"
    return int(first.split(" ")[1]), fields, body


async def lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def read_body(receive: Receive) -> bytes | None:
    """The whole body of a request; None where its sender left before the end."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def answer(send: Send, body: bytes, status: int = 200, *fields: tuple[bytes, bytes]) -> None:
    headers = [(b"content-length", b"%d" % len(body)), *fields]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def mirror(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with what it was asked, in JSON."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    body = await read_body(receive)
    seen = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode("latin-1"),
        "query": scope["query_string"].decode("latin-1"),
        "target": scope["extensions"]["adproxy.target"]["target"].decode("latin-1"),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": None if body is None else body.decode("latin-1"),
    }
    await answer(send, json.dumps(seen).encode())
