"""The site's own pages, asked for where adproxy gets them: of the application behind it, and of nobody else.

Whatever address somebody writes, the request goes to that one application; the address only says which page, and by
which name it is asked for. Redirects are followed within that name. All of it has an end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import unquote, urljoin, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope

from adproxy import __version__
from adproxy.codings import decode
from adproxy.eligibility import RawHeaders, content_codings, values
from adproxy.errors import PageError
from adproxy.hops import HeaderList
from adproxy.model import Skip
from adproxy.page_source import Fetched
from adproxy.target import is_authority, problem_of

FETCH_SECONDS = 20.0
"""For a page with all its redirects, waiting for a turn included."""
MAX_BYTES = 8 << 20
"""Of an answer, as it came and decoded: four times what adproxy would rewrite by default."""
AT_ONCE = 4
"""Requests of ours at the site."""
_REDIRECTS = 5
_REDIRECTED = frozenset({301, 302, 303, 307, 308})


class Site:
    """Belongs to one event loop."""

    def __init__(self, app: ASGIApp, home: str, close: Callable[[], Awaitable[None]] | None = None) -> None:
        """`app`: what stands behind adproxy; `home`: ``http://host:port`` by which readers here reach adproxy;
        `close`: lets go of what `app` holds."""
        self._app = app
        self.home = home
        self._close = close
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def close(self) -> None:
        if self._close is not None:
            await self._close()

    async def fetch(self, url: str) -> Fetched:
        """A page as a reader's first visit gets it, whatever its status is, decoded. Raises `PageError`."""
        try:
            async with asyncio.timeout(FETCH_SECONDS), self._turns:
                return await self._follow(url)
        except TimeoutError:
            raise PageError(f"{url}: took longer than {FETCH_SECONDS:g} seconds") from None

    async def _follow(self, url: str) -> Fetched:
        at = url
        for _ in range(_REDIRECTS + 1):
            status, headers, body = await self._ask(at)
            location = next(iter(values(headers, b"location")), "")
            if status not in _REDIRECTED or not location:
                return Fetched(at, status, tuple(headers), _decoded(at, headers, body))
            goal = _joined(at, location)
            if urlsplit(goal).netloc.lower() != urlsplit(at).netloc.lower():
                raise PageError(f"{at}: leads to {goal}, which is another host; only the site's own pages are fetched")
            at = goal
        raise PageError(f"{url}: leads from page to page, {_REDIRECTS} times and on")

    async def _ask(self, url: str) -> tuple[int, HeaderList, bytes]:
        """One answer, as it came."""
        scope = _scope(url)
        answer = _Answer()
        asked = False

        async def receive() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.Event().wait()  # a reader who stays; the end of the task ends it
            raise AssertionError

        task = asyncio.create_task(_run(self._app, scope, receive, answer))
        too_large = asyncio.create_task(answer.too_large.wait())
        try:
            await asyncio.wait({task, too_large}, return_when=asyncio.FIRST_COMPLETED)
            if answer.too_large.is_set():
                raise PageError(f"{url}: found more than {MAX_BYTES} bytes; expected a page")
            if (problem := task.exception()) is not None:
                raise PageError(f"{url}: the site failed: {type(problem).__name__}") from problem
        finally:
            task.cancel()
            too_large.cancel()
        if not answer.whole:
            raise PageError(f"{url}: the site broke off its answer")
        return answer.status, answer.headers, b"".join(answer.chunks)


class _Answer:
    def __init__(self) -> None:
        self.status = 0
        self.headers: HeaderList = []
        self.chunks: list[bytes] = []
        self.whole = False
        self.too_large = asyncio.Event()
        self._size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            chunk = message.get("body", b"")
            self._size += len(chunk)
            if self._size > MAX_BYTES:
                self.too_large.set()
                return
            self.chunks.append(chunk)
            self.whole = not message.get("more_body", False)


async def _run(app: ASGIApp, scope: Scope, receive: Receive, answer: _Answer) -> None:
    await app(scope, receive, answer.send)


def page_address(text: str, home: str) -> str:
    """The absolute address that somebody means by what they wrote: a path, a host with a path, a whole address. `home`
    is what a path is put behind. Raises `PageError`."""
    wanted = text.strip().partition("#")[0]
    if wanted.startswith("/") and not wanted.startswith("//"):
        wanted = home.rstrip("/") + wanted
    elif "://" not in wanted:
        wanted = f"{urlsplit(home).scheme}://{wanted.removeprefix('//')}"
    try:
        parts = urlsplit(wanted)
        usable = parts.scheme in ("http", "https") and is_authority(parts.netloc)
    except ValueError:
        usable = False
    if not usable:
        raise PageError(
            f"found {text.strip()[:100]!r}; expected the address of a page, as /news/story or {home}/news/story"
        )
    return wanted if parts.path else f"{wanted}/"


def _scope(url: str) -> Scope:
    parts = urlsplit(url)
    target = (parts.path or "/").encode() + (b"?" + parts.query.encode() if parts.query else b"")
    problem = problem_of(target)
    if problem is not None:
        raise PageError(f"{url[:200]}: {problem[1]}")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": parts.scheme,
        "path": unquote(parts.path or "/"),
        "raw_path": (parts.path or "/").encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [
            (b"host", parts.netloc.encode("ascii")),
            (b"user-agent", f"adproxy/{__version__} (console)".encode()),
            (b"accept", b"text/html,*/*;q=0.5"),
            (b"accept-encoding", b"gzip"),
            # where another adproxy stands behind this one, it lets the origin's page pass for this
            (b"cache-control", b"no-transform"),
        ],
        "client": ("127.0.0.1", 0),
        "server": (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)),
        "extensions": {},
    }


def _joined(base: str, location: str) -> str:
    try:
        goal = urljoin(base, location).partition("#")[0]
        urlsplit(goal)
    except ValueError:
        raise PageError(f"{base}: leads to {location[:100]!r}, which is no address") from None
    return goal


def _decoded(url: str, headers: RawHeaders, body: bytes) -> bytes:
    decoded: bytes | Skip = body
    for coding in reversed(content_codings(headers)):
        decoded = decode(decoded, coding, MAX_BYTES) if isinstance(decoded, bytes) else decoded
    if isinstance(decoded, Skip):
        raise PageError(f"{url}: its content coding can't be undone: {decoded.reason.value} ({decoded.detail})")
    return decoded


def status_of(fetched: Fetched) -> str:
    """``404 Not Found``."""
    try:
        return f"{fetched.status} {HTTPStatus(fetched.status).phrase}"
    except ValueError:
        return str(fetched.status)
