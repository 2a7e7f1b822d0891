"""The middleware in the frameworks that people use, beside the middleware that they use."""

from __future__ import annotations

import asyncio
import secrets
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import HTMLResponse
from small_site import PAGE, book, with_slots
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Message
from starlette.websockets import WebSocket
from wire import body_of, call, http_scope, serving

from adproxy.codings import decode
from adproxy.metrics import Metrics
from adproxy.middleware import AdMiddleware

OURS = Middleware(AdMiddleware, rules=book())
GZIP = Middleware(GZipMiddleware)


async def endpoint(request: Request) -> Response:
    return HTMLResponse(PAGE)


async def events(request: Request) -> Response:
    return Response("data: <h1>\n\n", media_type="text/event-stream")


async def websocket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text() + "!")
    await socket.close()


@pytest.mark.parametrize("stack", [[OURS, GZIP], [GZIP, OURS], [GZIP, OURS, GZIP]])
def test_f4_compression_may_stand_inside_or_outside(stack: list[Middleware]) -> None:
    app = Starlette(routes=[Route("/page", endpoint), Route("/events", events)], middleware=stack)
    with serving(app) as server:
        answer = server.ask("/page", ("Accept-Encoding", "gzip"))
        assert answer.get("content-encoding") == "gzip"
        assert decode(answer.body, "gzip", 1 << 21) == with_slots()
        assert server.ask("/page").body == with_slots()
        assert server.ask("/events", ("Accept-Encoding", "gzip")).body == b"data: <h1>\n\n"


def test_files_of_starlette_get_slots_and_keep_their_304(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("static")
    (directory / "page.html").write_bytes(PAGE)
    app = Starlette(routes=[Mount("/static", StaticFiles(directory=directory))], middleware=[OURS])
    with serving(app) as server:
        answer = server.ask("/static/page.html")
        assert answer.body == with_slots()
        tag = answer.get("etag")
        assert tag is not None
        again = server.ask("/static/page.html", ("If-None-Match", tag))
        assert (again.status, again.get("etag"), again.get("last-modified")) == (304, tag, None)


def test_c14_websockets_work_through_the_middleware() -> None:
    app = Starlette(routes=[WebSocketRoute("/ws", websocket)], middleware=[OURS])
    incoming: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {**http_scope("/ws"), "type": "websocket", "scheme": "ws", "subprotocols": []}
    asyncio.run(app(scope, receive, send))
    assert [message.get("text", message["type"]) for message in sent] == [
        "websocket.accept",
        "hello!",
        "websocket.close",
    ]


def test_fastapi_with_lifespan_and_background_tasks() -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        seen.append("up")
        yield {"name": "state"}
        seen.append("down")

    app = FastAPI(lifespan=lifespan)
    app.add_middleware(AdMiddleware, rules=book())

    @app.get("/page", response_class=HTMLResponse)
    async def page(request: Request, background: BackgroundTasks) -> bytes:
        background.add_task(seen.append, "background")
        seen.append(request.state.name)
        return PAGE

    @app.get("/api")
    async def api() -> dict[str, str]:
        return {"a": "<h1>"}

    with serving(app) as server:
        assert server.ask("/page").body == with_slots()
        assert server.ask("/api").body == b'{"a":"<h1>"}'
    assert seen == ["up", "state", "background", "down"]


@pytest.fixture(scope="module")
def django_application() -> Any:
    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
    from django.middleware.csrf import get_token
    from django.urls import path

    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse(PAGE)

    def streamed(request: HttpRequest) -> StreamingHttpResponse:
        async def parts() -> AsyncIterator[bytes]:
            for at in range(0, len(PAGE), 1000):
                yield PAGE[at : at + 1000]

        return StreamingHttpResponse(parts())

    def personal(request: HttpRequest) -> HttpResponse:
        nonce = secrets.token_urlsafe(16)
        script = f'<script nonce="{nonce}">var page = {{"at": {time.time_ns()}}};</script>'
        form = (
            f'<form method="post"><input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}"></form>'
        )
        html = PAGE.decode().replace("</head>", f"{script}</head>").replace("</body>", f"{form}</body>")
        return HttpResponse(html, headers={"Content-Security-Policy": f"script-src 'nonce-{nonce}'; style-src 'self'"})

    middleware = [f"django.middleware.{name}" for name in ("gzip.GZipMiddleware", "http.ConditionalGetMiddleware")]
    urls = type(
        "urls", (), {"urlpatterns": [path("page", page), path("streamed", streamed), path("personal", personal)]}
    )
    if not settings.configured:
        settings.configure(ROOT_URLCONF=urls, ALLOWED_HOSTS=["*"], MIDDLEWARE=middleware, SECRET_KEY="test")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            django.setup()
    return AdMiddleware(get_asgi_application(), rules=book())


def test_django_pages_and_streams_get_slots_and_keep_their_304(django_application: Any) -> None:
    with serving(django_application) as server:
        assert server.ask("/streamed").body == with_slots()
        answer = server.ask("/page")
        assert answer.body == with_slots()
        tag = answer.get("etag")
        assert tag is not None
        again = server.ask("/page", ("If-None-Match", tag))
        assert (again.status, again.get("etag")) == (304, tag)


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_page_of_django_with_a_nonce_and_a_token_of_each_request_is_planned_once(
    django_application: Any, coding: str
) -> None:
    """Compressed, Django also pads it by chance."""
    metrics = Metrics()
    app = AdMiddleware(django_application.app, rules=book(), metrics=metrics)
    asked = 20
    with serving(app) as server:
        for _ in range(asked):
            answer = server.ask("/personal", *([("Accept-Encoding", coding)] if coding else []))
            body = decode(answer.body, coding, 1 << 21) if coding else answer.body
            assert isinstance(body, bytes)
            assert b'data-adproxy-slot="top"' in body
    found = {
        s.labels["result"]: s.value
        for family in metrics.families()
        for s in family.samples
        if s.name == "adproxy_page_cache_lookups_total"
    }
    assert found == {"hit": 0, "near": asked - 1, "miss": 1}


def test_several_of_the_applications_own_middlewares_in_a_row() -> None:
    app = Starlette(routes=[Route("/page", endpoint)], middleware=[GZIP, OURS, OURS, OURS])
    assert body_of(asyncio.run(call(app, http_scope("/page")))) == with_slots()
