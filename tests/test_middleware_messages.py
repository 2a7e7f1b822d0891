"""The middleware message by message: what is held, what streams, what happens when something goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_site import PAGE, PAGE_WITHOUT_PLACES, REVISION, RULES, book, page, with_slots
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from wire import DEADLINE, body_of, call, http_scope, serving

from adproxy import decision
from adproxy.codings import decode, encode
from adproxy.errors import SettingsError
from adproxy.metrics import Metrics
from adproxy.middleware import AdMiddleware
from adproxy.rules.ruleset import RuleBook
from adproxy.settings import Settings

HTML = (b"content-type", b"text/html; charset=utf-8")
VALIDATORS = [(b"etag", b'"v1"'), (b"last-modified", b"Thu, 01 Jan 2026 00:00:00 GMT")]
CACHEABLE = (b"cache-control", b"public, max-age=600")


def answering(*parts: bytes, headers: list[tuple[bytes, bytes]] | None = None, **start: Any) -> ASGIApp:
    """An application that sends these parts, the last one as the end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sent = [HTML, *VALIDATORS, CACHEABLE] if headers is None else headers
        await send({"type": "http.response.start", "status": 200, "headers": sent} | start)
        for index, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": index < len(parts)})

    return app


def ask(app: ASGIApp, scope: Scope | None = None, *, rules: RuleBook | None = None, **more: Any) -> list[Message]:
    """What the middleware sends for one request."""
    metrics = more.pop("metrics", None)
    middleware = AdMiddleware(app, rules or book(), settings=Settings(**more), metrics=metrics)
    try:
        return asyncio.run(call(middleware, scope or http_scope("/page")))
    finally:
        middleware.close()


def headers_of(messages: list[Message]) -> dict[bytes, bytes]:
    return dict(messages[0]["headers"])


def failed_open(messages: list[Message], body: bytes) -> bool:
    """The application's bytes, no validator, a short shared lifetime."""
    headers = headers_of(messages)
    assert body_of(messages) == body
    return not headers.keys() & {b"etag", b"last-modified"} and headers[b"cache-control"] == b"public, max-age=60"


# --- laws --------------------------------------------------------------------------------


def cut(body: bytes, seed: int) -> list[bytes]:
    """`body` in random pieces, some of them empty."""
    shaken = random.Random(seed)
    ends = sorted(shaken.randrange(len(body) + 1) for _ in range(shaken.randrange(12)))
    return [body[start:end] for start, end in zip([0, *ends], [*ends, len(body)], strict=True)]


def whole_answer_does_not_depend_on_chunks(wrap: Callable[[ASGIApp], ASGIApp], body: bytes, seed: int) -> bool:
    """Law 4 for one body and one way to cut it: the head and the bytes are those of the body in one piece."""

    async def answer(app: ASGIApp) -> tuple[Any, bytes]:
        messages = await call(wrap(app), http_scope("/page"))
        return messages[0]["headers"], body_of(messages)

    return asyncio.run(answer(answering(*cut(body, seed)))) == asyncio.run(answer(answering(body)))


MIDDLEWARE = AdMiddleware(answering(b""), book())


def wrapped(app: ASGIApp) -> ASGIApp:
    return AdMiddleware(app, book(), settings=MIDDLEWARE.settings, metrics=MIDDLEWARE.metrics)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from([PAGE, PAGE_WITHOUT_PLACES, b"{}", b""]), st.integers(0, 1 << 32))
def test_law_4_the_answer_does_not_depend_on_the_chunks(body: bytes, seed: int) -> None:
    assert whole_answer_does_not_depend_on_chunks(wrapped, body, seed)


def test_law_4_the_check_finds_a_rewrite_chunk_by_chunk() -> None:
    def broken(app: ASGIApp) -> ASGIApp:
        async def each_chunk_for_itself(scope: Scope, receive: Receive, send: Send) -> None:
            async def sending(message: Message) -> None:
                body = message.get("body", b"")
                await send({**message, "body": body.replace(b"<h1>", b"<div data-adproxy-slot></div><h1>")})

            await app(scope, receive, sending)

        return each_chunk_for_itself

    assert not all(whole_answer_does_not_depend_on_chunks(broken, PAGE, seed) for seed in range(400))


HEADER = st.tuples(
    st.sampled_from([b"ETag", b"Cache-Control", b"Set-Cookie", b"Content-Length", b"X-A", b"vary", b"Content-Type"]),
    st.sampled_from([b"x", b'"x"', b"no-transform", b"max-age=5", b"text/html", b"application/json"]),
)
LEFT_ALONE = st.sampled_from(
    [b'{"a": 1}', b"<?xml version='1.0'?><html/>", b"<html amp><h1>x</h1></html>", with_slots(), b""]
)


@settings(deadline=None, max_examples=60)
@given(st.lists(HEADER, max_size=5), LEFT_ALONE, st.integers(0, 1 << 32))
def test_law_5_what_is_left_alone_is_identical(headers: list[tuple[bytes, bytes]], body: bytes, seed: int) -> None:
    app = answering(*cut(body, seed), headers=[HTML, *headers])
    before, after = (asyncio.run(call(each, http_scope("/page"))) for each in (app, wrapped(app)))
    assert after[0] == before[0]
    assert body_of(after) == body
    assert after[-1].get("more_body", False) is False


# --- what streams ------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", [b"text/event-stream", b"application/json", b"video/mp4", b"text/html"])
def test_c15_f4_only_a_page_waits_for_its_end(content_type: bytes) -> None:
    async def run() -> list[str]:
        events: list[str] = []
        gate, given = asyncio.Event(), asyncio.Event()

        async def stalling(scope: Scope, receive: Receive, send: Send) -> None:
            headers = [(b"content-type", content_type)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            events.append("head given")
            await send({"type": "http.response.body", "body": b"<p>", "more_body": True})
            events.append("chunk given")
            given.set()
            await gate.wait()
            await send({"type": "http.response.body", "body": b"</p>"})

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            events.append(message["type"].rpartition(".")[2])

        task = asyncio.create_task(wrapped(stalling)(http_scope("/page"), receive, send))
        await asyncio.wait_for(given.wait(), DEADLINE)
        gate.set()
        await asyncio.wait_for(task, DEADLINE)
        return events

    held = content_type == b"text/html"
    expected = ["head given", "chunk given", "start", "body"]
    assert asyncio.run(run()) == (expected if held else ["start", "head given", "body", "chunk given", "body"])


def test_c15_a_page_over_the_size_goes_on_with_what_was_seen_first_and_keeps_its_validators() -> None:
    parts = [b"<p>", b"a" * 600, b"b" * 600, b"c"]
    messages = ask(answering(*parts), max_page_bytes=1000)
    assert [message.get("body") for message in messages[1:]] == [b"<p>" + b"a" * 600 + b"b" * 600, b"c"]
    assert headers_of(messages)[b"etag"] == b'"v1"'


def test_c15_a_page_that_says_that_it_is_too_large_is_never_held() -> None:
    parts = [PAGE[:100], PAGE[100:], b""]
    app = answering(*parts, headers=[HTML, (b"content-length", b"%d" % len(PAGE))])
    assert [message.get("body") for message in ask(app, max_page_bytes=1000)[1:]] == parts


def test_c15_pages_may_be_allowed_to_be_as_large_as_those_of_sites_with_megabytes_of_data() -> None:
    data = b"<script type='application/json'>%s</script>" % (b'{"a":[1,2,3]},' * 250_000)
    page = PAGE.replace(b"</body>", data + b"</body>") if b"</body>" in PAGE else PAGE + data
    assert len(page) > 3 << 20
    assert body_of(ask(answering(page))) == page
    allowed = body_of(ask(answering(page), max_page_bytes=4 << 20))
    assert allowed != page
    assert b"data-adproxy-slot" in allowed


def test_c15_a_page_slower_than_the_deadline_goes_on_with_what_was_seen_first() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        released = scope["state"]["released"]
        await send({"type": "http.response.start", "status": 200, "headers": [HTML, *VALIDATORS, CACHEABLE]})
        await send({"type": "http.response.body", "body": b"<p>seen", "more_body": True})
        await asyncio.wait_for(released.wait(), DEADLINE)
        await send({"type": "http.response.body", "body": b" later", "more_body": True})
        await send({"type": "http.response.body", "body": b" end"})

    async def run() -> list[Message]:
        released = asyncio.Event()
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)
            await asyncio.sleep(0)  # a server may let others run here
            if message.get("body"):
                released.set()

        async def receive() -> Message:
            return {"type": "http.request"}

        middleware = AdMiddleware(slow, book(), settings=Settings(buffer_seconds=0.02))
        await middleware(http_scope("/page", state={"released": released}), receive, send)
        return sent

    messages = asyncio.run(run())
    assert [message.get("body") for message in messages[1:]] == [b"<p>seen", b" later", b" end"]
    assert failed_open(messages, b"<p>seen later end")


def test_c15_what_comes_during_a_late_release_is_sent_behind_it() -> None:
    async def run() -> list[Message]:
        releasing = asyncio.Event()
        sent: list[Message] = []

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [HTML]})
            await send({"type": "http.response.body", "body": b"<p>seen", "more_body": True})
            await asyncio.wait_for(releasing.wait(), DEADLINE)
            await send({"type": "http.response.body", "body": b" later"})

        async def slow_client(message: Message) -> None:
            releasing.set()
            for _ in range(10):
                await asyncio.sleep(0)
            sent.append(message)

        middleware = AdMiddleware(slow, book(), settings=Settings(buffer_seconds=0.02))
        await middleware(http_scope("/page"), lambda: asyncio.sleep(0), slow_client)
        return sent

    assert [message.get("body") for message in asyncio.run(run())] == [None, b"<p>seen", b" later"]


def test_c15_the_deadline_holds_for_a_head_without_a_body() -> None:
    async def stuck(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [HTML]})
        await asyncio.wait_for(scope["state"]["started"].wait(), DEADLINE)
        await send({"type": "http.response.body", "body": b"<p>"})

    async def run() -> list[Message]:
        started = asyncio.Event()
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)
            started.set()

        middleware = AdMiddleware(stuck, book(), settings=Settings(buffer_seconds=0.02))
        await middleware(http_scope("/page", state={"started": started}), lambda: asyncio.sleep(0), send)
        return sent

    assert [message["type"] for message in asyncio.run(run())] == ["http.response.start", "http.response.body"]


# --- failing open ------------------------------------------------------------------------


def counted(metrics: Metrics) -> dict[tuple[str, str], float]:
    return {
        (sample.labels["site"], sample.labels["reason"]): sample.value
        for family in metrics.families()
        for sample in family.samples
        if sample.name == "adproxy_pages_total" and sample.value
    }


def test_a7_a_bug_in_the_rewrite_gives_the_original_counted_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("adproxy.decision.plan_page", broken)
    metrics = Metrics()
    middleware = AdMiddleware(answering(PAGE), book(), metrics=metrics)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert failed_open(asyncio.run(call(middleware, http_scope("/page"))), PAGE)
    assert counted(metrics) == {("small-site", "error"): 3}
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


OF_THE_REQUEST = ["policy_for", "request_skip", "deciding_field", "response_skip", "head.forward"]
OF_THE_REQUEST += ["head.forward_unsafe", "head.vary"]
OF_THE_ANSWER = ["response_skip", "content_codings", "head.planned", "head.not_modified", "head.head_of_page", "said"]
OF_THE_ANSWER += ["head.failed_open", "head_start", "head.gives_nothing_up", "WholePage", "decide", "decoded"]
OF_THE_PAGE = ["sniff", "decode", "plan_page", "write_page", "encode"]


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize(
    "step",
    [
        *(f"middleware.{step}" for step in OF_THE_REQUEST),
        *(f"exchange.{step}" for step in OF_THE_ANSWER),
        *(f"decision.{step}" for step in OF_THE_PAGE),
    ],
)
def test_a7_law_7_a_bug_at_any_step_costs_the_slots_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, step: str, coding: str
) -> None:
    broken = 0

    def break_down(*_: Any, **__: Any) -> None:
        nonlocal broken
        broken += 1
        raise ZeroDivisionError(step)

    monkeypatch.setattr(f"adproxy.{step}", break_down)
    if step == "exchange.head.failed_open":
        monkeypatch.setattr("adproxy.decision.plan_page", break_down)
    body = encode(PAGE, coding) if coding else PAGE
    tag = f'W/"v1;ap={REVISION}"'
    requests = [
        ("GET", ("Accept", "text/html")),
        ("GET", ("Sec-Fetch-Dest", "empty")),
        ("GET", ("If-None-Match", tag)),
        ("HEAD", ("Accept", "text/html")),
        ("PUT", ("If-Match", tag)),
    ]
    headers = [HTML, *VALIDATORS, *([(b"content-encoding", coding.encode())] if coding else [])]
    for method, header in requests:
        status = 304 if header[0] == "If-None-Match" else 200
        before = broken
        messages = ask(answering(body, headers=headers, status=status), http_scope("/page", header, method=method))
        assert messages[0]["status"] == status
        assert len([message for message in messages if message["type"] == "http.response.start"]) == 1
        if broken > before:
            assert body_of(messages) == body
    only_of_coded = ("decision.decode", "decision.encode", "exchange.content_codings")
    assert broken or (step in only_of_coded and not coding)


@contextlib.contextmanager
def busy_pool(middleware: AdMiddleware) -> Iterator[None]:
    """All threads of the pool are at work until the block ends."""
    end = threading.Event()
    jobs = [middleware.pool.submit(lambda: end.wait(DEADLINE)) for _ in range(middleware.settings.rewrite_threads)]
    try:
        yield
    finally:
        end.set()
        for job in jobs:
            assert job is not None
            job.result(DEADLINE)
        middleware.close()


@pytest.mark.parametrize(("max_pending", "reason"), [(1, "overload"), (9, "timeout")])
def test_a7_a_rewrite_that_gets_no_thread_in_time_gives_the_original(max_pending: int, reason: str) -> None:
    metrics = Metrics()
    limits = Settings(inline_bytes=0, rewrite_threads=1, max_pending=max_pending, rewrite_seconds=0.05)
    middleware = AdMiddleware(answering(PAGE), book(), settings=limits, metrics=metrics)
    with busy_pool(middleware):
        assert failed_open(asyncio.run(call(middleware, http_scope("/page"))), PAGE)
    assert counted(metrics) == {("small-site", reason): 1}


def test_a7_pages_beyond_the_bytes_that_may_be_held_pass() -> None:
    assert failed_open(ask(answering(PAGE[:500], PAGE[500:]), max_held_bytes=600), PAGE)


def test_held_bytes_are_given_back_whatever_happens() -> None:
    well = answering(PAGE)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/fails":
            await well(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [HTML]})
        await send({"type": "http.response.body", "body": PAGE, "more_body": True})
        raise RuntimeError("the application's own bug")

    middleware = AdMiddleware(app, book(), settings=Settings(max_held_bytes=len(PAGE)))
    for _ in range(3):
        with pytest.raises(RuntimeError, match="own bug"):
            asyncio.run(call(middleware, http_scope("/fails")))
        assert body_of(asyncio.run(call(middleware, http_scope("/page")))) == with_slots()


def test_c8_a_page_whose_application_fails_midway_breaks_off_as_it_would_without_us() -> None:
    async def run() -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def fails(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [HTML]})
            await send({"type": "http.response.body", "body": PAGE[:100], "more_body": True})
            raise RuntimeError("midway")

        with pytest.raises(RuntimeError, match="midway"):
            await wrapped(fails)(http_scope("/page"), lambda: asyncio.sleep(0), send)
        return sent

    assert asyncio.run(run()) == [
        {"type": "http.response.start", "status": 200, "headers": [HTML]},
        {"type": "http.response.body", "body": PAGE[:100], "more_body": True},
    ]


def test_c8_nothing_is_sent_for_an_application_that_fails_before_a_body() -> None:
    async def run() -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def fails(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [HTML]})
            raise RuntimeError("at once")

        with pytest.raises(RuntimeError, match="at once"):
            await wrapped(fails)(http_scope("/page"), lambda: asyncio.sleep(0), send)
        return sent

    assert asyncio.run(run()) == [], "a server can still say 500"


def test_a_large_page_is_rewritten_in_a_thread_to_the_same_bytes() -> None:
    large = page(paragraphs=900)
    seen: set[str] = set()
    before = set(threading.enumerate())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(large)(scope, receive, send)
        seen.update(thread.name for thread in set(threading.enumerate()) - before)

    assert body_of(ask(app)) == with_slots(large)
    assert any(name.startswith("adproxy-rewrite") for name in seen)


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("what", ["tags", "bytes"])
def test_f25_a_page_with_very_many_tags_is_rewritten_in_a_thread_however_small(
    monkeypatch: pytest.MonkeyPatch, coding: str, what: str
) -> None:
    """On the loop it would hold up all other requests; compressed, it may be a few kilobytes."""
    filler = b"<wbr>" * 4_000 if what == "tags" else b"<!--" + b"x" * 300_000 + b"-->"
    html = PAGE.replace(b"</body>", filler + b"</body>")
    threads: list[str] = []
    real = decision.plan_page

    def seen(*given: Any, **named: Any) -> Any:
        threads.append(threading.current_thread().name)
        return real(*given, **named)

    monkeypatch.setattr(decision, "plan_page", seen)
    for sent, where in ((html, "adproxy-rewrite"), (PAGE, "MainThread")):
        headers = [HTML, *([(b"content-encoding", coding.encode())] if coding else [])]
        messages = ask(answering(encode(sent, coding) if coding else sent, headers=headers))
        body = body_of(messages)
        assert (decode(body, coding, 1 << 21) if coding else body) == with_slots(sent)
        assert threads.pop().startswith(where)


# --- clients that leave ------------------------------------------------------------------


@pytest.mark.parametrize("step", range(4))
def test_f1_a_cancelled_request_leaves_no_task_and_no_bytes(step: int) -> None:
    """The application waits for ever before its first message, or after one, two, three of them."""
    messages: list[Message] = [
        {"type": "http.response.start", "status": 200, "headers": [HTML]},
        {"type": "http.response.body", "body": PAGE, "more_body": True},
        {"type": "http.response.body", "body": b""},
    ]

    async def run() -> None:
        waiting = asyncio.Event()
        cancelled = 0

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal cancelled
            for message in messages[:step]:
                await send(message)
            waiting.set()
            try:
                await asyncio.sleep(DEADLINE)
            except asyncio.CancelledError:
                cancelled += 1
                raise

        async def send(message: Message) -> None:
            await asyncio.sleep(0)

        middleware = AdMiddleware(app, book(), settings=Settings(max_held_bytes=len(PAGE)))
        for _ in range(10):
            waiting.clear()
            task = asyncio.create_task(middleware(http_scope("/page"), lambda: asyncio.sleep(0), send))
            await asyncio.wait_for(waiting.wait(), DEADLINE)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert middleware.held.take(len(PAGE))
            middleware.held.give(len(PAGE))
        assert cancelled == 10

    asyncio.run(run())


def test_f1_a_request_cancelled_while_its_page_is_rewritten_in_a_thread_is_gone() -> None:
    async def run() -> None:
        middleware = AdMiddleware(answering(PAGE), book(), settings=Settings(inline_bytes=0, rewrite_threads=1))
        with busy_pool(middleware):
            task = asyncio.create_task(call(middleware, http_scope("/page")))
            await asyncio.sleep(0.02)
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert middleware.held.take(middleware.settings.max_held_bytes)

    asyncio.run(run())


def test_f1_a_request_cancelled_during_a_late_release_leaves_no_task() -> None:
    async def run() -> None:
        releasing = asyncio.Event()

        async def stalls(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [HTML]})
            await asyncio.sleep(DEADLINE)

        async def never_read(message: Message) -> None:
            releasing.set()
            await asyncio.sleep(DEADLINE)

        limits = Settings(buffer_seconds=0.01, rewrite_seconds=0.1)
        middleware = AdMiddleware(stalls, book(), settings=limits)
        task = asyncio.create_task(middleware(http_scope("/page"), lambda: asyncio.sleep(0), never_read))
        await asyncio.wait_for(releasing.wait(), DEADLINE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_f1_a_client_that_left_during_a_late_release_is_no_error() -> None:
    async def run() -> None:
        async def stalls(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [HTML]})
            await asyncio.wait_for(scope["state"]["tried"].wait(), DEADLINE)

        tried = asyncio.Event()

        async def send(message: Message) -> None:
            tried.set()
            raise OSError("the client left")

        middleware = AdMiddleware(stalls, book(), settings=Settings(buffer_seconds=0.01))
        await middleware(http_scope("/page", state={"tried": tried}), lambda: asyncio.sleep(0), send)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())


def test_f1_the_application_sees_the_client_leave_while_its_page_is_held() -> None:
    seen = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [HTML]})
        await send({"type": "http.response.body", "body": b"<p>", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        seen.set()

    with serving(AdMiddleware(app, book()), lifespan="off") as server:
        connection = server.connect()
        connection.sendall(b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n")
        connection.close()
        assert seen.wait(DEADLINE)


# --- what belongs to the application -----------------------------------------------------

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


def test_f1_context_variables_of_the_endpoint_are_seen_outside() -> None:
    async def endpoint(request: Request) -> Response:
        WHO.set("endpoint")
        return HTMLResponse(PAGE)

    async def run() -> str:
        middleware = wrapped(Starlette(routes=[Route("/page", endpoint)]))
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await middleware(http_scope("/page"), lambda: asyncio.sleep(0), send)
        assert body_of(sent) == with_slots()
        return WHO.get()

    assert asyncio.run(run()) == "endpoint"


def test_f1_background_tasks_run_after_the_page_was_sent() -> None:
    events: list[str] = []

    async def endpoint(request: Request) -> Response:
        return HTMLResponse(PAGE, background=BackgroundTask(events.append, "background"))

    async def run() -> None:
        async def send(message: Message) -> None:
            events.append(message["type"])

        await wrapped(Starlette(routes=[Route("/page", endpoint)]))(http_scope("/page"), lambda: asyncio.sleep(0), send)

    asyncio.run(run())
    assert events == ["http.response.start", "http.response.body", "background"]


def test_f2_c19_ways_to_send_files_past_us_are_not_offered_for_pages() -> None:
    offered: list[set[str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        offered.append(set(scope["extensions"]))
        await answering(PAGE)(scope, receive, send)

    extensions = {"http.response.pathsend": {}, "http.response.zerocopysend": {}, "http.response.debug": {}}
    for scope in (
        http_scope("/page", extensions=extensions),
        http_scope("/off/page", extensions=extensions),
        http_scope("/page", ("Sec-Fetch-Dest", "video"), extensions=extensions),
    ):
        ask(app, scope)
    assert offered == [{"http.response.debug"}, set(extensions), set(extensions)]
    assert len(extensions) == 3


def test_c19_a_file_sent_past_us_anyway_passes() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [HTML, *VALIDATORS]})
        await send({"type": "http.response.pathsend", "path": "/x"})

    assert [message["type"] for message in ask(app)] == ["http.response.start", "http.response.pathsend"]


async def with_trailers(body: bytes, send: Send) -> None:
    headers = [HTML, (b"trailer", b"x-sum")]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": True})
    await send({"type": "http.response.body", "body": body})
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]})


def test_b13_trailers_go_with_the_bytes_that_they_were_about() -> None:
    async def changed(scope: Scope, receive: Receive, send: Send) -> None:
        await with_trailers(PAGE, send)

    async def unchanged(scope: Scope, receive: Receive, send: Send) -> None:
        await with_trailers(PAGE_WITHOUT_PLACES, send)

    start, *rest = ask(changed)
    assert [message["type"] for message in rest] == ["http.response.body"]
    assert "trailers" not in start
    assert b"trailer" not in dict(start["headers"])
    start, *rest = ask(unchanged)
    assert [message["type"] for message in rest] == ["http.response.body", "http.response.trailers"]
    assert start["trailers"] is True


def test_b17_early_hints_are_forwarded_at_once() -> None:
    hint = {"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(hint)
        await answering(PAGE)(scope, receive, send)

    messages = ask(app)
    assert messages[0] == hint
    assert body_of(messages) == with_slots()


def test_headers_that_can_be_read_only_once_are_read_once() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": iter([[*HTML], [b"x-a", b"b"]])})
        await send({"type": "http.response.body", "body": PAGE})

    messages = ask(app)
    assert body_of(messages) == with_slots()
    assert headers_of(messages)[b"x-a"] == b"b"


@pytest.mark.parametrize("as_they_come", [lambda pairs: [[*pair] for pair in pairs], tuple, iter])
def test_headers_are_understood_in_whatever_a_server_or_an_application_gives_them(
    as_they_come: Callable[[list[tuple[bytes, bytes]]], Any],
) -> None:
    seen: list[tuple[bytes, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend((name, value) for name, value in scope["headers"])
        scope["path_params"] = {"seen": True}
        await send({"type": "http.response.start", "status": 200, "headers": as_they_come([HTML, (b"x-a", b"b")])})
        await send({"type": "http.response.body", "body": PAGE})

    scope = http_scope("/page", ("X-B", "c"))
    scope["headers"] = as_they_come(scope["headers"])
    messages = asyncio.run(call(wrapped(app), scope))
    assert body_of(messages) == with_slots()
    assert headers_of(messages)[b"x-a"] == b"b"
    assert (b"X-B", b"c") in seen
    assert scope["path_params"] == {"seen": True}


def test_what_the_router_writes_into_its_scope_is_seen_outside() -> None:
    async def endpoint(request: Request) -> Response:
        return HTMLResponse(PAGE)

    app = Starlette(routes=[Mount("/m", routes=[Route("/{name}", endpoint)])])
    for header in (("If-None-Match", '"x"'), ("X-A", "b"), ("Sec-Fetch-Dest", "empty")):
        scope = http_scope("/m/page", header)
        asyncio.run(call(wrapped(app), scope))
        assert scope["path_params"] == {"name": "page"}
        assert dict(scope["headers"])[header[0].encode()] == header[1].encode()


def test_c14_websockets_are_the_same_objects() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend((scope, receive, send))

    scope, receive, send = {"type": "websocket"}, object(), object()
    asyncio.run(wrapped(app)(scope, receive, send))  # type: ignore[arg-type]
    assert [id(each) for each in seen] == [id(scope), id(receive), id(send)]


def test_b10_on_request_every_page_varies() -> None:
    messages = ask(answering(PAGE), vary_everywhere=True)
    assert b"sec-fetch-dest" in headers_of(messages)[b"vary"]
    head = ask(answering(b""), http_scope("/page", method="HEAD"), vary_everywhere=True)
    assert headers_of(head)[b"vary"] == headers_of(messages)[b"vary"]


# --- rules and counters ------------------------------------------------------------------


def watchers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "adproxy-live-rules"]


def test_rules_from_a_path_are_watched_for_the_length_of_the_lifespan(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(RULES, encoding="utf-8")

    async def endpoint(request: Request) -> Response:
        return HTMLResponse(PAGE)

    app = Starlette(routes=[Route("/page", endpoint)])
    app.add_middleware(AdMiddleware, rules=tmp_path, settings=Settings(count=False))
    with serving(app) as server:
        assert server.ask("/page").body == with_slots()
        assert len(watchers()) == 1
    assert watchers() == []


def test_rules_that_can_not_be_loaded_make_a_plain_pipe(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("version: [", encoding="utf-8")
    middleware = AdMiddleware(answering(PAGE), tmp_path)
    try:
        messages = asyncio.run(call(middleware, http_scope("/page")))
        ready = asyncio.run(call(middleware, http_scope("/_adproxy/readyz")))
    finally:
        middleware.close()
    assert body_of(messages) == PAGE
    assert headers_of(messages)[b"etag"] == b'"v1"'
    assert ready[0]["status"] == 503


def test_a_wrong_setting_is_said_when_the_application_is_built() -> None:
    with pytest.raises(SettingsError, match="max_pending"):
        AdMiddleware(answering(PAGE), book(), settings=Settings(max_pending=0))


def test_every_page_is_counted_once_by_what_became_of_it() -> None:
    metrics = Metrics()
    ask(answering(PAGE), metrics=metrics)
    ask(answering(PAGE_WITHOUT_PLACES), metrics=metrics)
    ask(answering(b"{}"), metrics=metrics)
    ask(answering(PAGE), http_scope("/page", ("HX-Request", "true")), metrics=metrics)
    ask(answering(PAGE), http_scope("/page", method="POST"), metrics=metrics)
    ask(answering(PAGE), http_scope("/off/page"), metrics=metrics)
    ask(answering(b"{}", headers=[(b"content-type", b"application/json")]), metrics=metrics)
    ask(answering(b""), http_scope("/page", method="HEAD"), metrics=metrics)
    assert counted(metrics) == {
        ("small-site", "none"): 2,
        ("small-site", "not_markup"): 1,
        ("small-site", "fragment"): 1,
        ("small-site", "method"): 1,
        ("_other", "path"): 1,
    }
    placed = [s for f in metrics.families() for s in f.samples if s.name == "adproxy_slot_placements_total" and s.value]
    assert [(sample.labels["slot"], sample.value) for sample in placed] == [("top", 1)]


def test_streaming_responses_of_starlette_end_as_they_should() -> None:
    async def parts() -> Any:
        for at in range(0, len(PAGE), 999):
            yield PAGE[at : at + 999]

    async def endpoint(request: Request) -> Response:
        return StreamingResponse(parts(), media_type="text/html")

    messages = asyncio.run(call(wrapped(Starlette(routes=[Route("/page", endpoint)])), http_scope("/page")))
    assert body_of(messages) == with_slots()
