"""What the faults are played on: an origin, the proxy in front of it in this process, and the rows of the table."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from our_server import Running, running, until
from small_site import book
from starlette.types import Receive, Scope, Send
from wire import DEADLINE, serving

from adproxy.gateway import Gateway
from adproxy.metrics import Metrics
from adproxy.middleware import AdMiddleware
from adproxy.proxy import create_proxy
from adproxy.proxy_settings import ProxySettings
from adproxy.relay import Relay

T = TypeVar("T")


@dataclass
class Row:
    """One line of the table: a kind of trouble, how often it was made, and what went wrong."""

    trouble: str
    times: int = 0
    breaches: list[str] = field(default_factory=list)
    note: str = ""

    def expect(self, holds: object, what: str) -> None:
        """Note a breach where a promise does not hold."""
        if not holds:
            self.breaches.append(what)


@dataclass(frozen=True)
class Stage:
    """A proxy that runs in a thread of this process."""

    server: Running
    metrics: Metrics
    gateway: Gateway
    loop: asyncio.AbstractEventLoop

    @property
    def port(self) -> int:
        return self.server.port

    def in_loop(self, do: Callable[[], Awaitable[T]]) -> T:
        """Run something in the proxy's own loop."""

        async def run() -> T:
            return await do()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(DEADLINE)

    def left(self) -> dict[str, int]:
        """What is under way: tasks, requests at the upstream, bytes held, readers' connections, descriptors."""
        middleware = cast(AdMiddleware, self.gateway._app)
        relay = cast(Relay, middleware.app)

        async def tasks() -> int:
            return len(asyncio.all_tasks())

        return {
            "tasks": self.in_loop(tasks),
            "requests": self.gateway._requests,
            "requests upstream": relay._upstream._busy,
            "bytes held": middleware.settings.max_held_bytes - middleware.held._room,
            "readers": len(self.server.server.server_state.connections),
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        }


@contextlib.contextmanager
def proxy(url: str, **options: Any) -> Iterator[Stage]:
    """The proxy in front of `url`."""
    metrics = Metrics()
    settings = ProxySettings(upstream=url, **options)
    gateway = cast(Gateway, create_proxy(settings, book(), metrics))
    loops: list[asyncio.AbstractEventLoop] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            loops.append(asyncio.get_running_loop())
        await gateway(scope, receive, send)

    with running(app, **{name: value for name, value in options.items() if name in _OF_CONNECTIONS}) as server:
        until(lambda: bool(loops), "it runs")
        yield Stage(server, metrics, gateway, loops[0])


_OF_CONNECTIONS = {"request_head_seconds", "idle_seconds", "keepalive_seconds", "max_head_bytes", "drain_seconds"}


@contextlib.contextmanager
def site(app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> Iterator[str]:
    """An application as the origin."""
    with serving(app, lifespan="off", ws="none", timeout_keep_alive=60) as server:
        yield f"http://127.0.0.1:{server.port}"
