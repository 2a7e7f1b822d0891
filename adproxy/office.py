"""The second listener: metrics, health and a page that says how things stand. Never on the public one.

It shows what ad operations and monitoring need and changes nothing, so it has no forms and no scripts; who may reach it
is decided by the address that it is bound to (127.0.0.1 by default).
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from adproxy import __version__
from adproxy.board import Board, WorkerState
from adproxy.live_rules import LiveRules, LiveStatus
from adproxy.metrics import Exposition, SiteTotals

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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


def office_app(metrics: Exposition, live_rules: LiveRules | None = None, board: Board | None = None) -> Starlette:
    """The second listener's application: `/metrics`, `/healthz`, `/readyz`, and `/` for people.

    `live_rules`: whose state to show; None where the rules are fixed, so that there is nothing to wait for. `board`: on
    which page workers tell how they are; None where pages are served in this process.
    """

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
        return JSONResponse(answer, 200 if ready else 503, HEADERS)

    async def overview(_: Request) -> Response:
        status = live_rules.status() if live_rules is not None else None
        states = board.states() if board is not None else ()
        page = _overview(status, states, await run_in_threadpool(metrics.totals))
        return HTMLResponse(page, headers=HEADERS)

    async def stylesheet(_: Request) -> Response:
        return Response(_STYLESHEET, media_type="text/css", headers=HEADERS)

    return Starlette(
        routes=[
            Route("/metrics", scrape),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/office.css", stylesheet),
            Route("/", overview),
        ]
    )


async def _scrape(metrics: Exposition, request: Request) -> Response:
    # in a thread: thousands of series take tens of milliseconds, and the event loop may be serving pages
    body, content_type = await run_in_threadpool(metrics.exposition, request.headers.get("accept"))
    return Response(body, media_type=content_type, headers=HEADERS)


def _overview(status: LiveStatus | None, states: tuple[WorkerState, ...], totals: tuple[SiteTotals, ...]) -> str:
    headline = _headline(status, states)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{headline} – adproxy</title>
<link rel="stylesheet" href="office.css">
</head>
<body>
<main>
<h1>{headline}</h1>
{_rules(status)}
{_workers(states, status)}
{_counters(totals, "Counted so far" if states else "Since this process started")}
<nav aria-label="For machines">
<a href="metrics">Metrics</a> <a href="readyz">Readiness</a> <a href="healthz">Health</a>
</nav>
</main>
<footer>adproxy {__version__}. Reload for newer figures.</footer>
</body>
</html>
"""


def _headline(status: LiveStatus | None, states: tuple[WorkerState, ...]) -> str:
    missing = sum(not state.ready for state in states)
    if missing and missing == len(states):
        return "No worker is running: no page is served"
    if missing:
        return f"{missing} of {len(states)} workers {'is' if missing == 1 else 'are'} missing"
    if status is None:
        return "Pages are served with fixed rules"
    if status.loaded_at is None:
        return "No rules are in force: every page passes without ads"
    if status.problem is not None:
        return "The last edit of the rules was not taken"
    return "All is well"


def _rules(status: LiveStatus | None) -> str:
    if status is None:
        return ""
    parts = ['<section aria-labelledby="rules">', '<h2 id="rules">Rules in force</h2>']
    if status.loaded_at is None:
        parts.append("<p>None yet.</p>")
    else:
        since = datetime.fromtimestamp(status.loaded_at, UTC)
        parts.append(
            f"<p>Revision <code>{escape(status.revision)}</code>, since "
            f'<time datetime="{since:%Y-%m-%dT%H:%M:%SZ}">{since:%Y-%m-%d %H:%M:%S} UTC</time>, '
            f"read from {len(status.files)} {'file' if len(status.files) == 1 else 'files'}.</p>"
        )
        if status.files:
            files = "".join(f"<li><code>{escape(source.path)}</code></li>" for source in status.files)
            parts.append(f"<details><summary>Files</summary><ul>{files}</ul></details>")
    if status.problem is not None:
        parts.append("<h3>What is wrong</h3>")
        parts.append(f'<pre class="problem">{escape(status.problem)}</pre>')
        kept = "The rules above stay in force" if status.loaded_at is not None else "Pages pass as they are"
        parts.append(f"<p>{kept} until the file is mended; it is looked at all the time.</p>")
    parts.append("</section>")
    return "\n".join(parts)


def _workers(states: tuple[WorkerState, ...], status: LiveStatus | None) -> str:
    if not states:
        return ""
    rows = "\n".join(_worker(state, status.revision if status is not None else None) for state in states)
    return f"""<section aria-labelledby="workers">
<h2 id="workers">Workers</h2>
<div class="wide" role="region" aria-labelledby="workers" tabindex="0">
<table>
<thead><tr><th scope="col">Worker</th><th scope="col">Process</th><th scope="col">Running since</th>
<th scope="col">Replaced</th><th scope="col">Rules</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
</section>"""


def _worker(state: WorkerState, revision: str | None) -> str:
    if not state.pid:
        process, since = "none", "–"
    else:
        started = datetime.fromtimestamp(state.since, UTC)
        process = str(state.pid) if state.ready else f"{state.pid}, starting"
        since = f'<time datetime="{started:%Y-%m-%dT%H:%M:%SZ}">{started:%m-%d %H:%M:%S}</time>'
    if state.revision is None:
        rules = "none"
    else:
        rules = f"<code>{state.revision}</code>{'' if state.revision == revision else ', not those above'}"
    times = f"{state.restarts} {'time' if state.restarts == 1 else 'times'}"
    return (
        f'<tr><th scope="row">{state.slot}</th><td>{process}</td><td>{since}</td><td>{times}</td><td>{rules}</td></tr>'
    )


def _counters(totals: tuple[SiteTotals, ...], heading: str) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(site.site)}</th><td>{site.rewritten}</td><td>{site.skipped}</td>'
        f"<td>{site.failed_open}</td><td>{site.placements}</td></tr>"
        for site in totals
    )
    return f"""<section aria-labelledby="counters">
<h2 id="counters">{heading}</h2>
<div class="wide" role="region" aria-labelledby="counters" tabindex="0">
<table>
<thead><tr><th scope="col">Site</th><th scope="col">Pages rewritten</th><th scope="col">Left alone</th>
<th scope="col">Failed open</th><th scope="col">Slots placed</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<p><code>_other</code> stands for pages of no known site. A slot that was placed is not an impression.</p>
</section>"""


_STYLESHEET = """:root { color-scheme: light dark; --ink: #1b1b1f; --paper: #fdfdfd; --line: #8a8a94; --alarm: #a3160f;
  --link: #0b4f9e }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf1; --paper: #17171b; --line: #7d7d88; --alarm: #ffaaa3; --link: #9ecbff }
}
body { margin: 0 auto; padding: 1rem; max-width: 48rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper) }
h1 { font-size: 1.5rem; line-height: 1.25 }
h2 { font-size: 1.2rem; margin-top: 2rem }
h3 { font-size: 1rem }
code, pre { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
.problem { white-space: pre-wrap; padding: .75rem; border: 2px solid var(--alarm); color: var(--alarm) }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { padding: .4rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  font-variant-numeric: tabular-nums }
th[scope=row], th:first-child { min-width: 5rem; text-align: left; overflow-wrap: anywhere }
a { color: var(--link); display: inline-block; padding: .5rem .75rem .5rem 0 }
summary { padding: .5rem 0; cursor: pointer }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px }
footer { margin-top: 2rem; font-size: .9rem }
"""
