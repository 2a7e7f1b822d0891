"""An ASGI application on sockets that are open already, until it is told to stop; then it drains.

Stopping takes no request down. First nobody new is let in; who has a connection already, be it only in the kernel's
queue, is answered. Each answer that begins from then on says that it is the connection's last. Connections without a
request are closed after a second without one, because a request may be on its way. What is left at the deadline is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from adproxy.connections import ConnectionConfig, ConnectionState, ReaderConnection, ReaderWebSocket
from adproxy.proxy_settings import ProxySettings

CLOSE_SECONDS = 2.0
"""How long the application may take to let go of what was cut, and then to shut down."""
_TICKS_PER_SECOND = 10  # of uvicorn's main loop


class Server(uvicorn.Server):
    """Serves until `should_exit` is set. Signals are the caller's."""

    def __init__(self, app: ASGIApp, settings: ProxySettings, beat: Callable[[], None] = lambda: None) -> None:
        """`beat` is called once a second while the event loop runs."""
        super().__init__(ConnectionConfig(app, settings))
        self.server_state: ConnectionState = ConnectionState()
        self.drain_seconds = settings.drain_seconds
        self._beat = beat

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_SECOND == 0:
            self._beat()
            self._check()
        return self.should_exit

    def _connections(self) -> list[ReaderConnection | ReaderWebSocket]:
        return cast("list[ReaderConnection | ReaderWebSocket]", list(self.server_state.connections))

    def _check(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in self._connections():
            connection.check(now)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.server_state.draining_since = loop.time()
        await self._stop_accepting(sockets or [])
        for connection in self._connections():
            connection.drain()
        end = loop.time() + self.drain_seconds
        while self.server_state.connections and loop.time() < end and not self.force_exit:
            await asyncio.sleep(1 / _TICKS_PER_SECOND)
            self._beat()
            self._check()
        for connection in self._connections():
            connection.cut()
        await self._end_tasks()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.lifespan.shutdown(), CLOSE_SECONDS)

    async def _stop_accepting(self, sockets: list[socket.socket]) -> None:
        """Close the listening sockets, but let in who is in their queues already."""
        loop = asyncio.get_running_loop()
        spares = [listener.dup() for listener in sockets]
        for server in self.servers:
            server.close()
        for listener in sockets:
            listener.close()
        await asyncio.sleep(0)  # the loop's own watch on them ends
        for spare in spares:
            with spare:
                spare.setblocking(False)
                with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
                    while True:
                        connection, _ = spare.accept()
                        connection.setblocking(False)
                        await loop.connect_accepted_socket(self._connection, connection)

    def _connection(self) -> asyncio.Protocol:
        config = cast(ConnectionConfig, self.config)
        return ReaderConnection(config, self.server_state, self.lifespan.state)

    async def _end_tasks(self) -> None:
        """What belongs to a connection ends with it; what does not end by itself is cancelled."""
        for ending in ("by themselves", "cancelled"):
            tasks = set(self.server_state.tasks)
            if not tasks:
                return
            if ending == "cancelled":
                for task in tasks:
                    task.cancel()
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
