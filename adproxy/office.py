"""The second listener: metrics, health, and the console for people. Never on the public one.

It shows what ad operations and monitoring need and changes nothing, so it has no forms; who may reach it is decided by
the address that it is bound to (127.0.0.1 by default).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from adproxy.board import Board
from adproxy.console.history import History
from adproxy.console.overview import overview
from adproxy.console.pages import STATIC
from adproxy.console.readings import Readings
from adproxy.live_rules import LiveRules
from adproxy.metrics import Exposition
from adproxy.switch import Switch

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer of the office."""


def metrics_app(metrics: Exposition) -> ASGIApp:
    """An ASGI application that answers a scrape, on whatever path it is mounted; for users of the middleware."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"metrics_app answers http requests only, found {scope['type']!r}")
        request = Request(scope, receive)
        response: Response
        if request.method in ("GET", "HEAD"):
            response = await _scrape(metrics, request)
        else:
            response = PlainTextResponse("Only GET and HEAD.\n", 405, {**HEADERS, "Allow": "GET, HEAD"})
        await response(scope, receive, send)

    return app


def office_app(
    metrics: Exposition,
    live_rules: LiveRules | None = None,
    board: Board | None = None,
    switch: Switch | None = None,
) -> Starlette:
    """The second listener's application: `/metrics`, `/healthz`, `/readyz`, and `/` for people.

    While it runs (its lifespan) it keeps the last hour of a few sums, which it shows as lines.

    `live_rules`: whose state to show; None where the rules are fixed, so that there is nothing to wait for. `board`: on
    which page workers tell how they are; None where pages are served in this process. `switch`: whose state to show.
    """

    history = History()

    async def scrape(request: Request) -> Response:
        return await _scrape(metrics, request)

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=HEADERS)

    async def readyz(_: Request) -> Response:
        status = live_rules.status() if live_rules is not None else None
        workers = sum(state.ready for state in board.states()) if board is not None else None
        ready = (status is None or status.loaded_at is not None) and workers != 0
        answer: dict[str, object] = {
            "ready": ready,
            "revision": status.revision if status is not None else None,
            "problem": status.problem if status is not None else None,
        }
        if workers is not None:
            answer["workers"] = workers
        if switch is not None:
            answer["switched_off"] = switch.is_off
        return JSONResponse(answer, 200 if ready else 503, HEADERS)

    async def home(_: Request) -> Response:
        status = live_rules.status() if live_rules is not None else None
        states = board.states() if board is not None else ()

        def draw() -> str:
            return overview(Readings(metrics.families()), history, status, states, time.time())

        return HTMLResponse(await run_in_threadpool(draw), headers=HEADERS)

    async def static(request: Request) -> Response:
        body, media_type = STATIC.get(request.path_params["name"], (b"", ""))
        if not media_type:
            return PlainTextResponse("There is no such file.\n", 404, HEADERS)
        return Response(body, media_type=media_type, headers=HEADERS)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        keeping = asyncio.create_task(history.keep(metrics))
        try:
            yield
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping

    return Starlette(
        routes=[
            Route("/metrics", scrape),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/static/{name}", static),
            Route("/", home),
        ],
        lifespan=lifespan,
    )


async def _scrape(metrics: Exposition, request: Request) -> Response:
    # in a thread: thousands of series take tens of milliseconds, and the event loop may be serving pages
    body, content_type = await run_in_threadpool(metrics.exposition, request.headers.get("accept"))
    return Response(body, media_type=content_type, headers=HEADERS)
