"""Scanners: requests with paths, hosts, agents, methods and bodies of their own, which must not become series.

python tests/scanners.py 100000      sends so many, says how many series appeared, and fails unless none did
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import string
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from small_site import book, page
from starlette.types import Message, Receive, Scope, Send
from wire import http_scope

from adproxy.metrics import Metrics
from adproxy.middleware import AdMiddleware
from adproxy.settings import Settings

PAGE = page(words=60, paragraphs=4)
PROBES = ("wp-login.php", ".env", "admin/config", "..%2f..%2fetc/passwd", "cgi-bin/test", "%00", "index.php?id=1'")
OWN = ("beacon", "click", "seen", "client.js", "slots-0123456789ab.css", "config/x.json", "healthz", "metrics", "")
METHODS = ("GET", "GET", "GET", "HEAD", "POST", "PUT", "PURGE", "X-SCAN")


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    """A page at every address, as sites without a 404 have it."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": PAGE})


class Scanner:
    def __init__(self, app: Callable[[Scope, Receive, Send], object], token: str) -> None:
        self._app = app
        self._token = token
        self._dice = random.Random(3)

    def _word(self, longest: int = 30) -> str:
        return "".join(
            self._dice.choices(string.ascii_letters + string.digits + "-_.%~", k=self._dice.randrange(1, longest))
        )

    def scope(self) -> tuple[Scope, bytes]:
        dice = self._dice
        path = "/_adproxy/" + dice.choice(OWN) if dice.random() < 0.5 else f"/{self._word()}/{dice.choice(PROBES)}"
        if dice.random() < 0.2:
            path += self._word()
        query = (
            f"t={dice.choice((self._token, self._word()))}&s={dice.choice(('top', self._word()))}&i={dice.randrange(3)}"
        )
        headers = [
            ("user-agent", dice.choice((self._word(200), f"Mozilla/5.0 ({self._word()})", "curl/8"))),
            (dice.choice(("referer", "x-forwarded-for", "x-site", self._word())), self._word()),
            ("content-type", dice.choice(("text/plain", self._word()))),
        ]
        method = "POST" if path.endswith("/beacon") and dice.random() < 0.7 else dice.choice(METHODS)
        scope = http_scope(path, *headers, method=method, query_string=query.encode())
        scope["headers"][0] = (b"host", f"{self._word()}.example".encode())
        scope["client"] = (f"{dice.randrange(1, 255)}.{dice.randrange(255)}.{dice.randrange(255)}.1", 9)
        kind = dice.choice(("page_view", "rendered", "withheld", self._word()))
        event = [kind, dice.choice(("top", self._word().lower())), dice.randrange(3)]
        said = {"v": 1, "t": dice.choice((self._token, self._word())), "n": self._word(23).ljust(22, "A"), "e": [event]}
        return scope, json.dumps(said).encode() if dice.random() < 0.8 else dice.randbytes(dice.randrange(3_000))

    async def ask(self) -> int:
        scope, body = self.scope()
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)  # type: ignore[misc]
        return int(sent[0]["status"])


def series(metrics: Metrics) -> set[str]:
    lines = metrics.exposition()[0].decode().splitlines()
    return {line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")}


async def scan(app: AdMiddleware, token: str, requests: int) -> dict[int, int]:
    """Send so many, a hundred at once; how often each status was answered."""
    scanner = Scanner(app, token)
    statuses: dict[int, int] = {}
    for start in range(0, requests, 100):
        for status in await asyncio.gather(*(scanner.ask() for _ in range(min(100, requests - start)))):
            statuses[status] = statuses.get(status, 0) + 1
    return statuses


def token_of(app: AdMiddleware) -> str:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(http_scope("/story"), receive, send))
    found = re.search(rb'data-adproxy-token="([^"]+)"', sent[1]["body"])
    assert found
    return found[1].decode()


def main(requests: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        metrics = Metrics()
        app = AdMiddleware(site, book(), settings=Settings(state_dir=Path(folder)), metrics=metrics)
        token = token_of(app)
        before = series(metrics)
        statuses = asyncio.run(scan(app, token, requests))
        new = series(metrics) - before
        app.close()
    print(f"{requests} requests of scanners, answered {dict(sorted(statuses.items()))}; {len(before)} series before")
    print(f"series growth {len(new)}")
    for name in sorted(new)[:10]:
        print(f"  {name}")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
