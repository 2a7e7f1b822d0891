"""An ASGI application that is the upstream: requests go there, answers come back as they arrive.

Nothing is held here. A reader who leaves ends the request at the upstream too; an upstream that breaks off its answer
raises `UpstreamError`, and whoever stands around this application decides what the reader sees.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Message, Receive, Scope, Send

from adproxy.hops import HeaderList
from adproxy.metrics import ErrorKind
from adproxy.proxy_settings import ProxySettings
from adproxy.target import raw_target
from adproxy.upstream import Closed, Refusal, Socket, Upstream, UpstreamError

_RESERVED_CODES = frozenset({1004, 1005, 1006, 1015})
"""Closing codes that say how a connection ended and are never sent (RFC 6455, 7.4.1)."""


QUICK_SECONDS = 0.05
"""An answer that is whole by then was not worth watching."""


class Left(Exception):
    """The reader is gone: there is nobody to answer."""


class Relay:
    """Forwards what it is asked. Request headers must be ready to send: see `gateway`."""

    def __init__(self, upstream: Upstream, settings: ProxySettings) -> None:
        self._upstream = upstream
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._upstream.close()
        await send({"type": "lifespan.shutdown.complete"})

    # --- requests -------------------------------------------------------------------------

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive, self._settings)
        watch = _Watch(body)
        body.watch = watch
        try:
            await body.begin()
            await self._exchange(scope, body, send, watch)
        except asyncio.CancelledError:
            if (body.left or watch.late) and watch.task.uncancel() == 0:
                if watch.late and watch.waits_for_head:
                    seconds = self._settings.head_seconds
                    raise UpstreamError(ErrorKind.UPSTREAM_TIMEOUT, f"began no answer for {seconds:g} s") from None
                return
            raise
        except Left:
            return
        finally:
            watch.end()

    async def _exchange(self, scope: Scope, body: _Body, send: Send, watch: _Watch) -> None:
        chunks = None if body.whole else body.chunks()
        watch.waits_for_head = True
        watch.expect(self._settings.head_seconds)
        answer = await self._upstream.exchange(scope["method"], raw_target(scope), list(scope["headers"]), chunks)
        try:
            watch.waits_for_head = False
            watch.expect(None)
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            while not answer.ended:
                chunk = await answer.chunk()
                if answer.ended:
                    watch.end()  # from here on the answer is whole, whether its reader stays or not
                    await send({"type": "http.response.body", "body": chunk})
                    return
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            watch.end()
            await send({"type": "http.response.body", "body": b""})
        finally:
            answer.close()

    # --- WebSockets -----------------------------------------------------------------------

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        headers = [(name, value) for name, value in scope["headers"] if not name.lower().startswith(b"sec-websocket-")]
        protocols = tuple(scope.get("subprotocols") or ())
        try:
            async with self._upstream.websocket(raw_target(scope), headers, protocols) as opened:
                if isinstance(opened, Refusal):
                    await _refuse(scope, send, opened)
                    return
                await send({"type": "websocket.accept", "subprotocol": opened.protocol, "headers": opened.headers})
                await self._talk(opened, receive, send)
        except UpstreamError as failure:
            # before the accept this is an answer of 403, after it an abnormal end; both say that it is over
            await send({"type": "websocket.close", "code": 1011, "reason": failure.kind.value})
            raise

    async def _talk(self, upstream: Socket, receive: Receive, send: Send) -> None:
        """Pass messages both ways until one side ends it, or both are silent for too long."""
        idle = asyncio.timeout(self._settings.idle_seconds)

        def alive() -> None:
            idle.reschedule(asyncio.get_running_loop().time() + self._settings.idle_seconds)

        async def inwards() -> Closed:
            while True:
                message = await receive()
                alive()
                if message["type"] == "websocket.disconnect":
                    return Closed(message.get("code") or 1005, message.get("reason") or "")
                data = message.get("text")
                await upstream.send(data if data is not None else message["bytes"])

        async def outwards() -> Closed:
            while not isinstance(data := await upstream.receive(), Closed):
                alive()
                await send({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})
            return data

        tasks = [asyncio.create_task(inwards()), asyncio.create_task(outwards())]
        reader_left, upstream_left = tasks
        try:
            async with idle:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            await upstream.close(1001, "idle")
            await send({"type": "websocket.close", "code": 1001, "reason": "idle"})
            return
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if reader_left.done() and not reader_left.cancelled() and reader_left.exception() is None:
            end = reader_left.result()
            await upstream.close(_sendable(end.code, 1000), end.reason)
            return
        if not upstream_left.cancelled() and upstream_left.exception() is None:
            end = upstream_left.result()
            await send({"type": "websocket.close", "code": _sendable(end.code, 1011), "reason": end.reason})
            return
        problem = reader_left.exception() if not reader_left.cancelled() else upstream_left.exception()
        raise (
            problem if isinstance(problem, UpstreamError) else UpstreamError(ErrorKind.UPSTREAM_PROTOCOL, repr(problem))
        ) from problem


class _Watch:
    """Ends a request that waits for too long, or whose reader has left: its task is cancelled.

    A request that is answered quickly costs one timer. Only where it is not, somebody waits for its reader to leave.
    """

    def __init__(self, body: _Body) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        self.task: asyncio.Task[object] = task
        self.late = False
        """It has waited for too long."""
        self.waits_for_head = False
        """What it waits for is the upstream's answer to begin."""
        self._body = body
        self._loop = loop
        self._until: float | None = None
        self._timer: asyncio.TimerHandle | None = loop.call_later(QUICK_SECONDS, self._look)
        self._reader: asyncio.Task[None] | None = None

    def expect(self, seconds: float | None) -> None:
        """What is waited for next may take so long; None: as long as it likes."""
        if seconds is None:
            self._until = None
            return
        self._until = self._loop.time() + seconds
        if self._reader is not None and (self._timer is None or self._timer.when() > self._until):
            self._wake_at(self._until)

    def end(self) -> None:
        """Nothing is watched any more."""
        self._body.watch = None  # or the two would hold each other, and all of the request, until the collector comes
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reader is not None:
            self._reader.cancel()
        self._until = None

    def _wake_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._until is not None and self._loop.time() >= self._until:
            self.late = True
            self.task.cancel()
            return
        if self._reader is None:
            self._reader = self._loop.create_task(self._end_with_the_reader())
        if self._until is not None:
            self._wake_at(self._until)

    async def _end_with_the_reader(self) -> None:
        await self._body.until_left()
        self.task.cancel()


class _Body:
    """A request's body as it comes in, and the news that its reader has left."""

    def __init__(self, receive: Receive, settings: ProxySettings) -> None:
        self._receive = receive
        self._seconds = settings.idle_seconds
        self._head_seconds = settings.head_seconds
        self._first: Message = {}
        self.whole = False
        """Nothing more of the body will be read."""
        self._read_whole: asyncio.Event | None = None
        """Told then; None as long as nobody waits for it."""
        self.left = False
        self.watch: _Watch | None = None
        """Its deadline for the upstream's answer moves on while the body is on its way."""

    async def begin(self) -> None:
        """Wait for the first piece: only it tells whether there is a body, whatever the protocol. Raises `Left`; the
        watch ends the wait where nothing comes."""
        if self.watch is not None:
            self.watch.expect(self._seconds)
        self._first = self._heard(await self._receive())
        if not self._first.get("body") and not self._first.get("more_body"):
            self._end()

    def _end(self) -> None:
        self.whole = True
        if self._read_whole is not None:
            self._read_whole.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body. Raises `Left` where the reader leaves or goes silent before its end."""
        message = self._first
        try:
            while True:
                if chunk := message.get("body"):
                    self._later()
                    yield chunk
                if not message.get("more_body"):
                    return
                message = await self._next()
        finally:
            self._end()

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(self._seconds):
                return self._heard(await self._receive())
        except TimeoutError:
            self.left = True
            raise Left from None

    def _heard(self, message: Message) -> Message:
        if message["type"] == "http.disconnect":
            self.left = True
            raise Left
        return message

    def _later(self) -> None:
        if self.watch is not None and self.watch.waits_for_head:
            self.watch.expect(self._head_seconds)

    async def until_left(self) -> None:
        """Returns once the reader is gone."""
        if not self.whole:
            self._read_whole = asyncio.Event()
            await self._read_whole.wait()
        while not self.left:
            self.left = (await self._receive())["type"] == "http.disconnect"


async def _refuse(scope: Scope, send: Send, refusal: Refusal) -> None:
    """Tell the reader how the upstream refused, where the server can; otherwise it says 403."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return
    headers: HeaderList = [(name, value) for name, value in refusal.headers if name not in (b"content-length",)]
    headers.append((b"content-length", b"0"))
    await send({"type": "websocket.http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b""})


def _sendable(code: int, instead: int) -> int:
    return instead if code in _RESERVED_CODES or not 1000 <= code < 5000 else code
