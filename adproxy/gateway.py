"""What stands at the public door: refuses what must not go further, readies what does, and answers for failures.

Requests are judged before anything else sees them (RFC 9112 and 9110: target, host, loops, methods that a gateway does
not forward). Their headers are made complete here, once: everything behind this, the rewriting too, works with what the
upstream will get. Where the upstream fails before its answer began, the reader gets a plain page that says so; later
the connection is broken off, for half a page must not look like a whole one.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from datetime import UTC, datetime
from email.utils import format_datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adproxy import hops
from adproxy.eligibility import RawHeaders
from adproxy.hops import HeaderList
from adproxy.logs import request_id
from adproxy.metrics import ErrorKind, Metrics
from adproxy.peers import Peers, parse
from adproxy.proxy_settings import ProxySettings
from adproxy.request_log import FIELD, RequestLog
from adproxy.target import host_of, is_served, problem_of, raw_target
from adproxy.upstream import UpstreamError

log = logging.getLogger(__name__)

_REPLACED = frozenset({b"expect", b"host", FIELD.encode()})
"""Of a request's head; what the upstream gets instead is made here."""
RETRY_SECONDS = 5
"""What a reader who is turned away is told to wait."""
# HTTP's name for each kind of failure (RFC 9209, 2.3), the status and the words.
_FAILURES = {
    ErrorKind.UPSTREAM_UNREACHABLE: (502, "destination_unavailable", "The site does not answer at the moment."),
    ErrorKind.UPSTREAM_TIMEOUT: (504, "http_response_timeout", "The site takes too long to answer at the moment."),
    ErrorKind.UPSTREAM_PROTOCOL: (502, "http_protocol_error", "The site broke off its answer."),
    ErrorKind.OVERLOAD: (503, "connection_limit_reached", "The site is too busy at the moment."),
    ErrorKind.INTERNAL: (500, "proxy_internal_error", "Something went wrong here."),
}


class Gateway:
    """Stands around the application that rewrites and forwards."""

    def __init__(self, app: ASGIApp, settings: ProxySettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._peers = Peers(settings.trusted_peers)
        self._allowed = tuple(name.strip() for name in settings.allowed_hosts.split(",") if name.strip())
        scheme, _, authority = settings.upstream.partition("://")
        wanted = settings.upstream_host
        if wanted == "auto":
            wanted = authority if scheme == "https" else "preserve"
        self._host = None if wanted == "preserve" else wanted
        """The `Host` that the upstream gets; None for the reader's."""
        self._authority = authority
        # Redirects to the upstream's own origin, where readers know it by another name.
        own = re.escape(f"{scheme}://{self._host}".encode()) + rb"(?=[/?#]|$)"
        self._own_origin = re.compile(own, re.I) if self._host is not None else None
        # The same for all workers and replicas that have the same upstream, so that any of them knows its own loop.
        self._instance = hashlib.sha256(f"{settings.upstream} {settings.port}".encode()).hexdigest()[:12]
        self._log = RequestLog(settings.access_log_share)
        self._requests = 0
        self._of_reader: dict[str | None, int] = {}
        """Those of each reader who has any: never more entries than requests."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        trusted = self._peers.is_front(client[0] if client else None)
        outer = request_id.set(self._log.name_of(scope["headers"], trusted=trusted))
        try:
            if scope["type"] == "http":
                await self._http(scope, receive, send, trusted)
            else:
                await self._websocket(scope, receive, send, trusted)
        finally:
            request_id.reset(outer)

    async def _http(self, scope: Scope, receive: Receive, send: Send, trusted: bool) -> None:
        answering, began = _Answering(send, self._own_origin), time.perf_counter()
        try:
            await self._answered(scope, receive, answering, trusted)
        finally:
            self._log.answered(scope["method"], scope["path"], answering.status, began)

    async def _answered(self, scope: Scope, receive: Receive, answering: _Answering, trusted: bool) -> None:
        send = answering.send
        host = host_of(scope["headers"], scope.get("http_version", "1.1"))
        refused = self._refusal(scope, host)
        if refused is not None:
            await _answer(send, scope["method"], *refused)
            return
        ready = self._ready(scope, host or "", trusted)
        reader = self._reader(ready)
        if self._of_reader.get(reader, 0) >= self._settings.max_requests_of_reader and reader is not None:
            self._metrics.error(ErrorKind.OVERLOAD)
            await _answer(send, scope["method"], 503, "There are too many requests from your address.", _busy())
            return
        self._requests += 1
        self._of_reader[reader] = self._of_reader.get(reader, 0) + 1
        try:
            await self._app({**scope, "headers": ready}, receive, answering.send)
        except UpstreamError as failure:
            await self._failed(scope, answering, failure.kind, failure.detail)
        except Exception:
            log.exception("answering %s %r failed", scope["method"], scope["path"][:200])
            await self._failed(scope, answering, ErrorKind.INTERNAL, "")
        finally:
            self._requests -= 1
            self._of_reader[reader] -= 1
            if not self._of_reader[reader]:
                del self._of_reader[reader]

    async def _websocket(self, scope: Scope, receive: Receive, send: Send, trusted: bool) -> None:
        host = host_of(scope["headers"], scope.get("http_version", "1.1"))
        if self._refusal({**scope, "method": "GET"}, host) is not None:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        self._requests += 1
        try:
            await self._app({**scope, "headers": self._ready(scope, host or "", trusted)}, receive, send)
        except UpstreamError as failure:
            self._metrics.error(failure.kind)
            log.warning("a WebSocket of %r ended: %s", scope["path"][:200], failure)
        finally:
            self._requests -= 1

    # --- requests -------------------------------------------------------------------------

    def _refusal(self, scope: Scope, host: str | None) -> tuple[int, str, HeaderList] | None:
        """Status, words and fields of the answer to a request that goes no further; None for one that does. `host`: as
        `host_of` finds it."""
        method, headers = scope["method"], scope["headers"]
        if method in ("TRACE", "CONNECT"):
            return 405, f"{method} is not served here.", []
        if method == "OPTIONS" and (scope.get("raw_path") == b"*" or hops.max_forwards(headers) == 0):
            return 200, "", []
        problem = problem_of(raw_target(scope))
        if problem is not None:
            return *problem, []
        if host is None:
            return 400, "The request names no host, or more than one.", []
        if not is_served(host, self._allowed):
            return 421, "This host is not served here.", []
        if hops.is_loop(headers, self._instance):
            return (
                508,
                "The request came back to where it was sent from.",
                [(b"proxy-status", _status("proxy_loop_detected"))],
            )
        if self._requests >= self._settings.max_requests:
            self._metrics.error(ErrorKind.OVERLOAD)
            return 503, _FAILURES[ErrorKind.OVERLOAD][2], _busy()
        return None

    def _ready(self, scope: Scope, host: str, trusted: bool) -> HeaderList:
        """The headers that the upstream gets. `trusted`: whether the peer's word is believed."""
        headers: RawHeaders = scope["headers"]
        version = scope.get("http_version", "1.1")
        client = scope.get("client")
        scheme = "https" if scope.get("scheme") in ("https", "wss") else "http"
        # the server has answered an Expect by the time that it hands a body on
        ready = [(name, value) for name, value in hops.end_to_end(headers) if name not in _REPLACED]
        ready = self._peers.forwarded(ready, client[0] if client else None, scheme, host, trusted=trusted)
        left = hops.max_forwards(headers) if scope.get("method") == "OPTIONS" else None
        if left is not None:
            ready = hops.counted_down(ready, left - 1)
        sent = self._host or host or self._authority
        named = (FIELD.encode(), request_id.get().encode("ascii"))
        return [(b"host", sent.encode("latin-1")), *ready, named, *hops.traces(version, self._instance)]

    def _reader(self, ready: HeaderList) -> str | None:
        """Whose request it is, for counting; None where only a trusted peer is known, behind whom may be anybody."""
        address = parse(next((value.decode("latin-1") for name, value in ready if name == b"x-real-ip"), ""))
        if address is None or self._peers.trust(address):
            return None
        # a household or a server has a /64 of IPv6 to itself, and all of its addresses
        return str(address) if address.version == 4 else address.exploded[:19]

    # --- failures -------------------------------------------------------------------------

    async def _failed(self, scope: Scope, answering: _Answering, kind: ErrorKind, detail: str) -> None:
        status, error, words = _FAILURES[kind]
        if detail:
            log.warning("%s %r: %s: %s", scope["method"], scope["path"][:200], kind.value, detail)
        self._metrics.error(kind)
        if answering.started:
            # Returning now, with the answer begun and not ended, makes the server close the connection.
            return
        more = _busy() if status == 503 else [(b"proxy-status", _status(error))]
        await _answer(answering.send, scope["method"], status, words, more)


class _Answering:
    """Knows whether an answer has begun, and keeps a reader within the proxy where the upstream has another host."""

    def __init__(self, send: Send, own_origin: re.Pattern[bytes] | None) -> None:
        self._send = send
        self._own_origin = own_origin
        self.status: int | None = None
        """Of the answer, once it has begun."""

    @property
    def started(self) -> bool:
        return self.status is not None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self._own_origin is not None:
                message = {**message, "headers": _stay(message["headers"], self._own_origin)}
        await self._send(message)


def _stay(headers: RawHeaders, own_origin: re.Pattern[bytes]) -> HeaderList:
    """Redirects to the upstream's own origin, made relative to it."""
    return [
        (name, value[found.end() :] or b"/" if name == b"location" and (found := own_origin.match(value)) else value)
        for name, value in headers
    ]


def _status(error: str) -> bytes:
    return f"{hops.NAME}; error={error}".encode()


def _busy() -> HeaderList:
    return [
        (b"retry-after", b"%d" % RETRY_SECONDS),
        (b"proxy-status", _status(_FAILURES[ErrorKind.OVERLOAD][1])),
    ]


async def _answer(send: Send, method: str, status: int, words: str, more: HeaderList) -> None:
    """A plain page of our own."""
    body = f"{words}\n".encode() if words else b""
    headers: HeaderList = [
        (b"date", format_datetime(datetime.now(UTC), usegmt=True).encode()),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (FIELD.encode(), request_id.get().encode("ascii")),
        *more,
    ]
    if status in (400, 414):
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
