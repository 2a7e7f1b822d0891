"""The second listener: metrics, health, and the console for people. Never on the public one.

Monitoring gets metrics, health and readiness from whoever can reach the address that this is bound to (127.0.0.1 by
default); the console is behind `console.access`. Nothing here changes anything on the server.
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
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from adproxy.board import Board
from adproxy.console.access import Access, Guard
from adproxy.console.history import History
from adproxy.console.login_pages import LoginPages
from adproxy.console.overview import overview
from adproxy.console.pages import HEADERS, STATIC
from adproxy.console.preview_pages import PreviewPages
from adproxy.console.readings import Readings
from adproxy.console.rules_pages import RulesPages
from adproxy.console.site import Site
from adproxy.console.trial_pages import TrialPages
from adproxy.console.workshop import Workshop
from adproxy.live_rules import LiveRules
from adproxy.metrics import Exposition
from adproxy.switch import Switch
from adproxy.tokens import Keyring


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
    *,
    site: Site | None = None,
    access: Access | None = None,
    keys: Keyring | None = None,
) -> Starlette:
    """The second listener's application: `/metrics`, `/healthz`, `/readyz`, and `/` for people.

    While it runs (its lifespan) it keeps the last hour of a few sums, which it shows as lines.

    `live_rules`: whose state to show; None where the rules are fixed, so that there is nothing to wait for. `board`: on
    which page workers tell how they are; None where pages are served in this process. `switch`: whose state to show.
    `site`: whose pages the console may fetch; None: none. `access`: who may use the console; None: whoever is on this
    machine. `keys`: those of the pages' middleware, for links that show an account on a live page; None: no such links.
    """

    history = History()
    access = access if access is not None else Access()
    workshop = Workshop(live_rules, site, keys)
    trials = TrialPages(workshop)

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
            trials.close()
            workshop.close()
            if site is not None:
                await site.close()

    console = Router(
        [
            Route("/", home),
            *PreviewPages(workshop).routes(),
            *RulesPages(workshop).routes(),
            *trials.routes(),
        ]
    )
    app = Starlette(
        routes=[
            Route("/metrics", scrape),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/static/{name}", static),
            *LoginPages(access).routes(),
        ],
        lifespan=lifespan,
    )
    app.router.default = Guard(console, access)
    return app


async def _scrape(metrics: Exposition, request: Request) -> Response:
    # in a thread: thousands of series take tens of milliseconds, and the event loop may be serving pages
    body, content_type = await run_in_threadpool(metrics.exposition, request.headers.get("accept"))
    return Response(body, media_type=content_type, headers=HEADERS)
