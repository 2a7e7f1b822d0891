"""The least that a proxy in Python does: the same server as adproxy's, a client, and nothing in between.

python tests/benchmarks/bare_relay.py PORT UPSTREAM_PORT [--client aiohttp|pyreqwest] [--keep-memory]

adproxy's own client is aiohttp; the other is here to be measured beside it. `--keep-memory`: freed memory is kept, as
adproxy's own programs keep it.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

import aiohttp
import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from adproxy.memory import keep_freed_memory

if TYPE_CHECKING:
    from pyreqwest.client import Client

CONNECTIONS = 512


class BareRelay:
    """Every request goes to the upstream as it is, every answer comes back as it is."""

    def __init__(self, upstream_port: int) -> None:
        self._base = f"http://127.0.0.1:{upstream_port}"
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=CONNECTIONS)
            # with fields of the client's own the origin would answer otherwise, compressed where nobody asked for it
            nothing_added = ("Accept", "Accept-Encoding", "User-Agent")
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=False, skip_auto_headers=nothing_added
            )
        path = scope["raw_path"].decode("latin-1")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        async with self._session.get(self._base + path, headers=headers) as answer:
            head = [(name.lower(), value) for name, value in answer.raw_headers if name.lower() != b"transfer-encoding"]
            await send({"type": "http.response.start", "status": answer.status, "headers": head})
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


class RelayByReqwest:
    """The same with reqwest, an HTTP client in Rust: its tasks run on threads of its own, or on one."""

    def __init__(self, upstream_port: int) -> None:
        self._base = f"http://127.0.0.1:{upstream_port}"
        self._client: Client | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self._client is None:
            from pyreqwest.client import ClientBuilder

            builder = ClientBuilder().max_connections(CONNECTIONS).http1_only().follow_redirects(False)
            self._client = builder.gzip(False).brotli(False).zstd(False).deflate(False).build()
        path = scope["raw_path"].decode("latin-1")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        async with self._client.get(self._base + path).headers(headers).build_streamed() as answer:
            head = [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in answer.headers.items()
                if name != "transfer-encoding"
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": head})
            while chunk := await answer.body_reader.read_chunk():
                await send({"type": "http.response.body", "body": bytes(chunk), "more_body": True})
            await send({"type": "http.response.body", "body": b""})


RELAYS: dict[str, type[BareRelay | RelayByReqwest]] = {"aiohttp": BareRelay, "pyreqwest": RelayByReqwest}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("upstream_port", type=int)
    parser.add_argument("--client", choices=RELAYS, default="aiohttp")
    parser.add_argument("--keep-memory", action="store_true")
    options = parser.parse_args()
    if options.keep_memory:
        keep_freed_memory()
    app: ASGIApp = RELAYS[options.client](options.upstream_port)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=options.port, http="httptools", lifespan="off", log_level="warning",
        access_log=False, server_header=False, date_header=False,
    )  # fmt: skip
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
