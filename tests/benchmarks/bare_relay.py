"""The least that a proxy in Python does: the same server and client as adproxy's, and nothing in between.

python tests/benchmarks/bare_relay.py PORT UPSTREAM_PORT
"""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import uvicorn
import uvloop
from starlette.types import Receive, Scope, Send


class BareRelay:
    """Every request goes to the upstream as it is, every answer comes back as it is."""

    def __init__(self, upstream_port: int) -> None:
        self._base = f"http://127.0.0.1:{upstream_port}"
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=512)
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


def main() -> None:
    port, upstream_port = map(int, sys.argv[1:3])
    config = uvicorn.Config(
        BareRelay(upstream_port), host="127.0.0.1", port=port, http="httptools", lifespan="off", log_level="warning",
        access_log=False, server_header=False, date_header=False,
    )  # fmt: skip
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
