"""Real sockets for tests: an ASGI application behind uvicorn on loopback, and a client that sees the bytes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Scope

DEADLINE = 20.0
"""Seconds after which anything on a socket has failed."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Response:
    status: int
    headers: list[tuple[bytes, bytes]]
    """As on the wire, without ``date`` and the connection's own."""
    body: bytes
    """Without the chunked framing."""

    def get(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower().encode()]
        assert len(values) < 2, values
        return values[0].decode("latin-1") if values else None


class Server:
    """A running server: what it serves can be asked for over real sockets."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE)

    def ask(self, path: str, *headers: tuple[str, str], method: str = "GET", body: bytes = b"") -> Response:
        with self.connect() as connection:
            connection.sendall(request(path, *headers, method=method, body=body))
            return read_response(connection, method)


def request(path: str, *headers: tuple[str, str], method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: site.example", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def read_response(connection: socket.socket, method: str = "GET") -> Response:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    status_line, *lines = head.split(b"\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    names = [name.lower() for name, _ in headers]
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1, headers
    if b"transfer-encoding" in names and method != "HEAD":
        body = _dechunk(body)
    elif b"content-length" in names and method != "HEAD" and b" 304 " not in status_line:
        assert int(dict(zip(names, (value for _, value in headers), strict=True))[b"content-length"]) == len(body)
    kept = [header for header in headers if header[0].lower() not in (b"date", b"server", b"connection")]
    return Response(int(status_line.split(b" ")[1]), kept, body)


def _dechunk(data: bytes) -> bytes:
    whole = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return whole
        whole += data[:length]
        data = data[length + 2 :]


@contextlib.contextmanager
def serving(app: ASGIApp, **options: Any) -> Iterator[Server]:
    """The application on a free port of loopback, until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", **options))
    thread = threading.Thread(target=server.run, name="test-server")
    thread.start()
    try:
        end = time.monotonic() + DEADLINE
        while not server.started:
            assert thread.is_alive(), "the server ended"
            assert time.monotonic() < end, "the server did not start"
            time.sleep(0.005)
        yield Server(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(DEADLINE)
        assert not thread.is_alive(), "the server did not stop"


def http_scope(path: str = "/", *headers: tuple[str, str], method: str = "GET", **more: Any) -> Scope:
    """A scope as a server makes it, for tests that speak ASGI by hand."""
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (("host", "site.example"), *headers)]
    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method}
    scope |= {"scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": ""}
    return {**scope, "headers": raw, "server": ("site.example", 80), "client": ("127.0.0.1", 9), **more}


async def call(app: ASGIApp, scope: Scope) -> list[Message]:
    """All messages that an application sends for a request without a body."""
    sent: list[Message] = []

    async def receive() -> Message:
        if not sent:
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.sleep(DEADLINE)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await asyncio.wait_for(app(scope, receive, send), DEADLINE)
    return sent


def body_of(messages: Sequence[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in messages if message["type"] == "http.response.body")


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
