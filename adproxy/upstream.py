"""The upstream client behind one small seam: requests go out, answers come back as they are.

Nothing is decoded, followed, remembered or repeated that the reader did not ask for: no redirects, no cookies, no
decompression; a request is sent once more only where it is idempotent, carried no body, and met a connection that the
upstream had closed meanwhile (RFC 9110, 9.2.2). All waiting has an end.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from adproxy.errors import SettingsError
from adproxy.hops import HeaderList, end_to_end
from adproxy.metrics import ErrorKind
from adproxy.proxy_settings import ProxySettings

# What aiohttp would add of its own where the reader sent none.
_NOTHING_OF_ITS_OWN = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
# Many sites send more cookies and policies than the 8 KiB that are aiohttp's default.
_MAX_FIELD_BYTES = 128 * 1024
_MAX_FIELDS = 1_000
# No server sends these on (RFC 9110, 5.5): without such a field the rest can pass.
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_MAX_KEPT_TARGET = 256
"""Bytes."""
_MAX_KEPT_URLS = 1_024
_CLOSE_SECONDS = 2.0
"""How long a closing handshake may take."""


class UpstreamError(Exception):
    """The upstream gave no answer, or broke it off; `kind` is counted and told to the reader."""

    def __init__(self, kind: ErrorKind, detail: str) -> None:
        super().__init__(f"{kind.value}: {detail}")
        self.kind = kind
        self.detail = detail


class Answer:
    """An upstream's answer, to be closed when no more of it is wanted."""

    __slots__ = ("_content", "_release", "headers", "status")

    def __init__(self, response: aiohttp.ClientResponse, release: Callable[[aiohttp.ClientResponse], None]) -> None:
        self.status = response.status
        self.headers: HeaderList = end_to_end(response.raw_headers)
        """End-to-end fields, in order, names in lower case."""
        if _CONTROLS.search(b"".join([value for _, value in self.headers])):
            self.headers = [field for field in self.headers if not _CONTROLS.search(field[1])]
        self._content = response.content
        self._release = partial(release, response)

    async def chunk(self) -> bytes:
        """What came of the body since the last call, encoded as it was sent; waits where nothing did, and is empty at
        the end. Raises `UpstreamError` where the body breaks off."""
        try:
            return await self._content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise _failure(problem) from problem

    @property
    def ended(self) -> bool:
        """Whether all of the body was given."""
        return self._content.at_eof()

    def close(self) -> None:
        """Let the connection go: to the pool if the answer is whole."""
        self._release()


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an upstream said instead of opening a WebSocket."""

    status: int
    headers: HeaderList


@dataclass(frozen=True, slots=True)
class Closed:
    """The end of a WebSocket as the upstream gave it."""

    code: int
    reason: str = ""


class Socket:
    """An open WebSocket to the upstream."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, headers: HeaderList) -> None:
        self._websocket = websocket
        self.protocol = websocket.protocol
        self.headers = headers
        """Of the handshake's answer, without those of the handshake itself."""

    async def receive(self) -> str | bytes | Closed:
        """The next message, or the end."""
        message = await self._websocket.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            data: str | bytes = message.data
            return data
        if message.type is aiohttp.WSMsgType.CLOSE:
            return Closed(message.data or 1005, message.extra or "")
        return Closed(self._websocket.close_code or 1006)

    async def send(self, data: str | bytes) -> None:
        """Pass a message on. Raises `UpstreamError` where the connection is gone."""
        try:
            if isinstance(data, str):
                await self._websocket.send_str(data)
            else:
                await self._websocket.send_bytes(data)
        except (ConnectionError, aiohttp.ClientError) as problem:
            raise UpstreamError(ErrorKind.UPSTREAM_PROTOCOL, str(problem)) from problem

    async def close(self, code: int, reason: str) -> None:
        await self._websocket.close(code=code, message=reason.encode())


class Upstream:
    """One upstream and its pool of connections; belongs to one event loop."""

    def __init__(self, settings: ProxySettings) -> None:
        """Raises `SettingsError` where the certificates can't be read."""
        parts = urlsplit(settings.upstream)
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port
        self.authority = parts.netloc
        """Host and port as the setting has them, for the ``Host`` field."""
        self._settings = settings
        self._tls = _tls(settings) if parts.scheme == "https" else None
        self._session: aiohttp.ClientSession | None = None
        self._busy = 0
        self._urls: dict[bytes, URL] = {}
        """Of targets that were asked for: making one takes as long as all the rest that is ours of a request."""

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            settings = self._settings
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=settings.upstream_connections,
                    keepalive_timeout=settings.upstream_keepalive_seconds,
                    force_close=settings.upstream_keepalive_seconds == 0,
                    ssl=self._tls if self._tls is not None else True,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=_NOTHING_OF_ITS_OWN,
                timeout=aiohttp.ClientTimeout(
                    # waiting for a connection is bounded by `_room`; both bodies by whoever reads them
                    total=None,
                    connect=settings.connect_seconds,
                    sock_connect=settings.connect_seconds,
                    sock_read=settings.idle_seconds,
                ),
                max_line_size=_MAX_FIELD_BYTES,
                max_field_size=_MAX_FIELD_BYTES,
                max_headers=_MAX_FIELDS,
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        """Close all connections; a later request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _url(self, target: bytes) -> URL:
        known = self._urls.get(target)
        if known is None:
            # The whole target is the path, taken as it is: scheme, host and port are fixed, whatever a reader sends.
            known = URL.build(scheme=self._scheme, host=self._host, port=self._port, path=target.decode(), encoded=True)
            if len(target) <= _MAX_KEPT_TARGET:
                if len(self._urls) >= _MAX_KEPT_URLS:
                    self._urls.clear()
                self._urls[target] = known
        return known

    async def exchange(
        self, method: str, target: bytes, headers: HeaderList, body: AsyncIterator[bytes] | None
    ) -> Answer:
        """Send a request and give its answer as soon as its head is there.

        `target`: checked by `target.problem_of`; `headers`: complete, ``Host`` included, framing left to the client
        (a ``Content-Length`` is kept). Raises `UpstreamError`; what `body` raises goes through as it is.
        """
        self._take()
        try:
            response = await self._open().request(
                method, self._url(target), headers=_fields(headers), data=body, allow_redirects=False
            )
        except BaseException as problem:
            self._busy -= 1
            if isinstance(problem, (aiohttp.ClientError, TimeoutError, OSError, ValueError)):
                raise _failure(problem) from problem
            raise
        if response.status == 101:
            self._end(response)
            raise UpstreamError(ErrorKind.UPSTREAM_PROTOCOL, "it changed to a protocol that nobody asked for")
        return Answer(response, self._end)

    def _end(self, response: aiohttp.ClientResponse) -> None:
        self._busy -= 1
        # a whole answer went back to the pool already; the connection of any other is of no more use
        response.close()

    @asynccontextmanager
    async def websocket(
        self, target: bytes, headers: HeaderList, protocols: tuple[str, ...]
    ) -> AsyncIterator[Socket | Refusal]:
        """Open a WebSocket, or say how the upstream refused it. Raises `UpstreamError`."""
        self._take()
        websocket: aiohttp.ClientWebSocketResponse | None = None
        try:
            try:
                websocket = await self._open().ws_connect(
                    self._url(target),
                    headers=_fields(headers),
                    protocols=protocols,
                    autoclose=False,
                    max_msg_size=self._settings.max_websocket_bytes,
                    timeout=aiohttp.ClientWSTimeout(ws_receive=None, ws_close=_CLOSE_SECONDS),
                )
            except aiohttp.WSServerHandshakeError as refused:
                if refused.status == 101:
                    raise UpstreamError(ErrorKind.UPSTREAM_PROTOCOL, refused.message) from refused
                raw = [
                    (name.encode(), value.encode("utf-8", "surrogateescape"))
                    for name, value in (refused.headers or {}).items()
                ]
                yield Refusal(refused.status, end_to_end(raw))
                return
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as problem:
                raise _failure(problem) from problem
            # the client has no public way to them, and sites set cookies there
            handshake = [
                (name, value)
                for name, value in end_to_end(websocket._response.raw_headers)
                if not name.startswith(b"sec-websocket-")
            ]
            yield Socket(websocket, handshake)
        finally:
            self._busy -= 1
            if websocket is not None and not websocket.closed:
                await websocket.close(code=1001)

    def _take(self) -> None:
        """Room for one more connection; where there is none, saying so at once is better than a queue."""
        if self._busy >= self._settings.upstream_connections:
            raise UpstreamError(ErrorKind.OVERLOAD, f"{self._busy} requests are at the upstream already")
        self._busy += 1


def _tls(settings: ProxySettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(settings.upstream_ca) if settings.upstream_ca else None)
    except OSError as problem:
        raise SettingsError(
            f"upstream_ca: found {settings.upstream_ca}, which can't be read; expected certificates in PEM: {problem}"
        ) from problem


def _fields(headers: HeaderList) -> CIMultiDict[str]:
    return CIMultiDict([(name.decode("latin-1"), _text(value)) for name, value in headers])


def _text(value: bytes) -> str:
    """A value as aiohttp takes it, which writes UTF-8: those bytes stay, others are read as Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _failure(problem: BaseException) -> UpstreamError:
    if isinstance(problem, aiohttp.ConnectionTimeoutError):
        kind = ErrorKind.UPSTREAM_UNREACHABLE
    elif isinstance(problem, TimeoutError):
        kind = ErrorKind.UPSTREAM_TIMEOUT
    elif isinstance(problem, aiohttp.ClientConnectorError):
        kind = ErrorKind.UPSTREAM_UNREACHABLE
    else:
        kind = ErrorKind.UPSTREAM_PROTOCOL
    return UpstreamError(kind, f"{type(problem).__name__}: {problem}")
