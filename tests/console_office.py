"""The second listener for tests: around a site of its own, with rules in a folder, over real sockets."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from starlette.types import ASGIApp
from wire import Response, Server, read_response, serving

from adproxy.console.access import Access
from adproxy.console.site import Site
from adproxy.live_rules import LiveRules
from adproxy.metrics import Metrics
from adproxy.office import office_app
from adproxy.tokens import Keyring

RULES = """\
version: 1
site: here
pages:
  - {path: "/about", ads: false}
  - {path: "/**"}
limits: {gap: 100 words}
slots:
  in-article:
    place: mid-article
    first_after: 60 words
    max: 3
    sizes: {phone: [300x250]}
"""
KEYS = Keyring("k" * 40)
OURS = ("Sec-Fetch-Site", "same-origin")


class Office:
    """A console that runs."""

    def __init__(self, server: Server, live: LiveRules) -> None:
        self.server = server
        self.live = live
        self.address = f"http://127.0.0.1:{server.port}/"

    def get(self, path: str, *headers: tuple[str, str]) -> Response:
        return self._ask("GET", path, b"", headers)

    def post(self, path: str, fields: dict[str, str] | bytes, *headers: tuple[str, str]) -> Response:
        """As a page of the console posts it, unless `headers` say who else does."""
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        return self._ask("POST", path, body, headers or (OURS,))

    def _ask(self, method: str, path: str, body: bytes, headers: tuple[tuple[str, str], ...]) -> Response:
        named = {name.lower() for name, _ in headers}
        host = () if "host" in named else (("Host", f"127.0.0.1:{self.server.port}"),)
        lines = [f"{method} {path} HTTP/1.1", "Connection: close", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (*host, *headers)]
        with self.server.connect() as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            return read_response(connection, method)


@contextmanager
def console(
    site: ASGIApp, rules: Path, *, access: Access | None = None, home: str = "http://site.example"
) -> Iterator[Office]:
    """An office with its console. `rules`: a file or a folder; `site`: what stands behind."""
    live = LiveRules(rules)
    app = office_app(Metrics(), live, site=Site(site, home), access=access, keys=KEYS)
    with serving(app, lifespan="on", ws="none") as server:
        yield Office(server, live)


def field(page: str, name: str) -> str:
    """The value of a hidden field."""
    (found,) = re.findall(rf'<input type="hidden" name="{name}" value="([^"]*)"', page)
    return str(found)


def text_of(page: str) -> str:
    """What a reader sees: no tags, white space folded."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def article(paragraphs: int = 12) -> bytes:
    """A page with an article of that many paragraphs of 40 words."""
    text = f"<p>{'The ferry left the harbour at seven and the town watched. ' * 4}</p>\n" * paragraphs
    return (
        f"<!doctype html><html lang=en><title>The ferry</title><article><h1>The ferry</h1>\n{text}</article>".encode()
    )


AnswerWith = Callable[[str], tuple[int, dict[str, str], bytes]]


def answering(answer: AnswerWith, asked: list[dict[str, str]] | None = None) -> ASGIApp:
    """A site as a function of the path; `asked`: where the requests' headers go."""

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["type"] != "http":
            return
        if asked is not None:
            headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
            asked.append({**headers, "path": scope["path"], "query": scope["query_string"].decode()})
        status, headers, body = answer(scope["path"])
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    return app


def newspaper(path: str) -> tuple[int, dict[str, str], bytes]:
    """A small site: two stories, a site map, a page about it."""
    kind = {"content-type": "text/html; charset=utf-8"}
    if path == "/sitemap.xml":
        urls = "".join(f"<url><loc>http://site.example/2026/story-{n}</loc></url>" for n in (1, 2))
        return 200, {"content-type": "application/xml"}, f"<urlset>{urls}</urlset>".encode()
    if path.startswith("/2026/"):
        return 200, kind, article(12 if path.endswith("1") else 6)
    if path in ("/", "/about"):
        return 200, kind, b"<!doctype html><title>Here</title><p>A small site."
    return 404, kind, b"<!doctype html><title>Gone</title>"
