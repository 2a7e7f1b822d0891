"""One reader's connection: uvicorn's protocols, with bounds and with what a proxy must know exactly.

uvicorn parses (with llhttp) and speaks ASGI. What stands here is what it leaves out: the target as it was sent,
deadlines for readers who send or read too slowly, bounds on heads and on what is sent ahead, refusals that never land
in the middle of another answer, and an end that takes no request down with it. Deadlines are looked at once a second
from outside (`check`), so that a request costs no timer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from typing import Any
from urllib.parse import unquote

import httptools
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import Request

from adproxy.proxy_settings import ProxySettings
from adproxy.request_head import Fields, Refusal, origin_form, refusal_of, with_host
from adproxy.target import EXTENSION

MAX_CONNECTIONS = 10_000
"""Of one worker, idle ones included; who comes on top of them is told to try again."""
LINGER_SECONDS = 2.0
"""How long a reader who was refused may still send before the connection is cut: one that is closed on unread bytes is
reset, and takes the answer with it."""
IDLE_WHEN_DRAINING_SECONDS = 1.0
"""An idle connection is closed so long after the server was told to stop: a request may be on its way."""
MAX_PIPELINED = 16
"""Requests that may be sent ahead while one is being answered. Browsers send none."""
MIN_PROGRESS_BYTES = 4096
"""What must leave in `idle_seconds` at least, unless less is left: a reader who takes a byte a minute stands still."""
MAX_DENIAL_BYTES = 1_048_576
"""A longer answer in place of a WebSocket breaks off; uvicorn holds it whole."""
PING_SECONDS = 20.0
"""Readers of WebSockets are pinged so often, and must answer within as long."""

# An origin may answer with any three digits (RFC 9110, 15); uvicorn knows those up to 599, and fails at others.
STATUS_LINE.update({status: b"HTTP/1.1 %d \r\n" % status for status in range(600, 1000)})

# What the opening of a WebSocket is judged by. Compression is not offered: a small frame could become a large one.
_HANDSHAKE = frozenset(
    {b"host", b"upgrade", b"connection", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol"}
)


class ConnectionConfig(uvicorn.Config):
    """uvicorn's configuration, with the bounds of a connection."""

    def __init__(self, app: ASGIApp, settings: ProxySettings) -> None:
        super().__init__(
            app,
            http=ReaderConnection,
            ws=ReaderWebSocket,
            ws_max_size=settings.max_websocket_bytes,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PING_SECONDS,
            ws_per_message_deflate=False,
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            # the gateway knows whom to believe, and passes the upstream's own fields
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=math.ceil(settings.keepalive_seconds),
        )
        self.settings = settings


class ConnectionState(ServerState):
    """What the connections of one server share."""

    def __init__(self) -> None:
        super().__init__()
        self.draining_since: float | None = None
        """By the loop's clock; None until the server is told to stop."""


class _Refused(Exception):
    """Stops the parser."""


class _Trailers(list[tuple[bytes, bytes]]):
    """Fields that come behind a body, forgotten: uvicorn would put them among those of the head."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        pass


_TRAILERS = _Trailers()


@dataclass(slots=True)
class _Output:
    """Whether what is waiting to be read leaves."""

    left: int = 0
    since: float = 0.0

    def stands_still(self, transport: asyncio.Transport, now: float, seconds: float) -> bool:
        left = transport.get_write_buffer_size()
        # growth shows that there was room to write: nothing is written to a transport that is full
        if left == 0 or left > self.left or left <= self.left - MIN_PROGRESS_BYTES:
            self.left, self.since = left, now
            return False
        return now - self.since > seconds


class ReaderConnection(HttpToolsProtocol):
    """HTTP/1.0 and 1.1."""

    config: ConnectionConfig
    server_state: ConnectionState

    def __init__(
        self,
        config: ConnectionConfig,
        server_state: ConnectionState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.access_log = False  # uvicorn goes by the loggers' handlers, and its lines are for ASCII alone
        self._running: RequestResponseCycle | None = None
        """The request that is being answered. uvicorn's `cycle` is the one that was read last."""
        self._awaiting_head = True
        self._in_head = False
        """A head has begun: what comes next is not where it begins."""
        self._head_since: float | None = None
        self._head_bytes = 0
        self._spelled: bytes | None = None
        """The target of the next head where the parser was given another one."""
        self._websocket = False
        self._refusal: Refusal | None = None
        self._refused_at: float | None = None
        self._answered_at = 0.0
        self._output = _Output()

    @property
    def _busy(self) -> bool:
        running = self._running
        return running is not None and not running.response_complete and not running.disconnected

    # --- arriving -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_since = self._answered_at = self.loop.time()
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(Refusal(503, "Too many are connected at the moment."))

    def connection_lost(self, exc: Exception | None) -> None:
        # uvicorn tells the request that was read last; with several sent ahead, the one being answered is another
        self.pipeline.clear()
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused_at is not None or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        if self._awaiting_head:
            if self._head_since is None:
                self._head_since = self.loop.time()
            if not self._in_head and not data.isascii():
                data = self._readable(data)
            self._head_bytes += len(data)
        try:
            while data:
                try:
                    self.parser.feed_data(data)
                    break
                except httptools.HttpParserUpgrade as stop:
                    data = data[stop.args[0] :]
                    if self._websocket:
                        self._open_websocket(data)
                        return
                    # another protocol is offered, HTTP/2 say, and not taken: what follows is HTTP/1.1 as before
        except httptools.HttpParserError:
            self._refuse(self._refusal or Refusal(400, "The request breaks the rules of HTTP."))
            return
        if self._awaiting_head and self._head_bytes > self.config.settings.max_head_bytes:
            self._refuse(self._too_long())

    def _readable(self, data: bytes) -> bytes:
        """Some clients send UTF-8 in a target unescaped, and many servers take it. The parser would not: it is given a
        target of the same length."""
        line, end, rest = data.partition(b"\r\n")
        method, _, target_version = line.partition(b" ")
        target, _, version = target_version.rpartition(b" ")
        if not end or target.isascii():
            return data
        self._spelled = target
        readable = bytes(byte if byte < 0x80 else 0x78 for byte in target)
        return b"".join((method, b" ", readable, b" ", version, end, rest))

    def _too_long(self) -> Refusal:
        return Refusal(431, f"The request's head is longer than {self.config.settings.max_head_bytes} bytes.")

    # --- what the parser finds --------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        method, version = self.parser.get_method(), self.parser.get_http_version()
        settings, fields = self.config.settings, self.headers
        self._awaiting_head, self._in_head, self._head_since = False, False, None
        self._refusal = refusal_of(method, version, fields)
        if len(self.url) + sum(map(len, chain.from_iterable(fields))) > settings.max_head_bytes:
            self._refusal = self._too_long()
        self._websocket = self.parser.should_upgrade() and _opens_websocket(method, version, fields)
        if self._websocket and self.server_state.draining_since is not None:
            self._refusal = Refusal(503, "This server is being stopped.")
        if len(self.pipeline) >= MAX_PIPELINED or (self._websocket and self._busy):
            self._refusal = Refusal(400, "Too much was sent ahead of the answer.")
        if self._refusal is not None:
            raise _Refused
        target, host = origin_form(method, self._spelled if self._spelled is not None else self.url)
        self._spelled = None
        if host is not None:
            with_host(fields, host)
        # uvicorn takes a target apart with a parser of URLs, which forgets an empty query and fails at some hosts
        self.url = b"/"
        super().on_headers_complete()
        _set_target(self.scope, target)
        self.headers = _TRAILERS
        if not self._websocket and self.server_state.draining_since is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._awaiting_head, self._head_since, self._head_bytes = True, None, 0

    def _should_upgrade(self) -> bool:
        return self._websocket

    # --- answering ------------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        if cycle.scope["http_version"] == "1.0":
            app = _without_chunks(app, cycle)
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        self._answered_at = self.loop.time()
        super().on_response_complete()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what can't be taken, and read no more of it."""
        self._refused_at = self.loop.time()
        self._unset_keepalive_if_required()
        running = self._running
        if running is not None and not running.response_complete:
            self.pipeline.clear()
            if running is not self.cycle or not running.more_body:
                running.keep_alive = False  # an earlier request is being answered; the connection ends with it
                return
            # it is the body of this very request that can't be read
            running.disconnected = True
            running.message_event.set()
            if running.response_started:
                self.transport.abort()
                return
        body = f"{refusal.words}\n".encode()
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
            b"cache-control: no-store\r\nconnection: close\r\n\r\n%s"
            % (refusal.status, HTTPStatus(refusal.status).phrase.encode(), len(body), body)
        )
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _open_websocket(self, rest: bytes) -> None:
        self.connections.discard(self)
        socket = self.ws_protocol_class(config=self.config, server_state=self.server_state, app_state=self.app_state)  # type: ignore[call-arg,misc]
        assert isinstance(socket, ReaderWebSocket)
        socket.opened_by(self.scope)
        socket.connection_made(self.transport)
        self.transport.set_protocol(socket)
        socket.data_received(_handshake(self.scope["headers"]))
        if rest:
            socket.data_received(rest)

    # --- deadlines ------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """Ends what has waited for too long. `now`: by the loop's clock."""
        settings, transport = self.config.settings, self.transport
        if self._output.stands_still(transport, now, settings.idle_seconds):
            transport.abort()
        elif transport.is_closing() or self._busy:
            return
        elif self._refused_at is not None:
            if now - self._refused_at > LINGER_SECONDS:
                transport.close()
        elif self._awaiting_head:
            self._check_head(now)
        elif now - self._answered_at > settings.request_head_seconds:
            transport.close()  # answered before its body was read, and the body does not end

    def _check_head(self, now: float) -> None:
        draining = self.server_state.draining_since
        if self._head_since is not None and now - self._head_since > self.config.settings.request_head_seconds:
            if self._head_bytes:
                self._refuse(Refusal(408, "The request took too long to arrive."))
            else:
                self.transport.close()
        elif (
            draining is not None
            and not self._head_bytes
            and now - max(draining, self._answered_at) > IDLE_WHEN_DRAINING_SECONDS
        ):
            self.transport.close()

    def drain(self) -> None:
        """The server is told to stop: the next answer that begins is the connection's last."""
        if self._running is not None and not self._running.response_started:
            self._running.keep_alive = False

    def cut(self) -> None:
        """End it now, whatever is under way."""
        self.transport.abort()


class ReaderWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket, opened by a request that `ReaderConnection` has judged."""

    config: ConnectionConfig

    def opened_by(self, scope: Mapping[str, Any]) -> None:
        """The request's own scope: the library sees only what opens a WebSocket, and has bounds of its own on heads."""
        self._request = scope
        self._output = _Output()
        self._denial_bytes = 0

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["headers"] = self._request["headers"]
            _set_target(self.scope, self._request["extensions"][EXTENSION]["target"])

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.http.response.body":
            self._denial_bytes += len(message.get("body", b""))
            if self._denial_bytes > MAX_DENIAL_BYTES:
                self.transport.abort()
                return
        await super().send(message)

    def check(self, now: float) -> None:
        """Ends a connection whose reader stands still. `now`: by the loop's clock."""
        if self._output.stands_still(self.transport, now, self.config.settings.idle_seconds):
            self.transport.abort()

    def drain(self) -> None:
        """The server is told to stop: say goodbye (1012)."""
        self.shutdown()

    def cut(self) -> None:
        """End it now."""
        self.transport.abort()


def _opens_websocket(method: bytes, version: str, fields: Fields) -> bool:
    """Whether a request opens a WebSocket (RFC 6455, 4.2.1); what else is offered is for a reader to do without."""
    names = {name for name, _ in fields}
    return (
        method == b"GET"
        and version == "1.1"
        and (b"upgrade", b"websocket") in ((name, value.strip().lower()) for name, value in fields)
        and not names & {b"content-length", b"transfer-encoding"}
    )


def _handshake(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    lines = [b"%s: %s\r\n" % field for field in fields if field[0] in _HANDSHAKE]
    return b"GET / HTTP/1.1\r\n%s\r\n" % b"".join(lines)


def _set_target(scope: Any, target: bytes) -> None:
    raw_path, _, query = target.partition(b"?")
    scope["path"] = unquote(raw_path.decode("utf-8", "replace"))
    scope["raw_path"] = raw_path
    scope["query_string"] = query
    scope["extensions"] = {**scope.get("extensions", {}), EXTENSION: {"target": target}}


def _without_chunks(app: ASGIApp, cycle: RequestResponseCycle) -> ASGIApp:
    """HTTP/1.0 knows no chunks: a body of unknown length ends with the connection (RFC 9112, 6.3). uvicorn would send
    chunks all the same."""

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        unframed = False

        async def send_plain(message: Message) -> None:
            nonlocal unframed
            if message["type"] == "http.response.start":
                unframed = not any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
                if unframed:
                    cycle.chunked_encoding = False
            elif unframed and message["type"] == "http.response.body":
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, send_plain)

    return plain
