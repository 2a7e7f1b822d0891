"""When how much of a page goes ahead of its body, and what its answer's head then says."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_site import PAGE, PAGE_WITHOUT_PLACES, book, with_slots
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from wire import DEADLINE, body_of, call, http_scope

from adproxy import headers
from adproxy.head_start import HeadStart, head_start
from adproxy.middleware import AdMiddleware
from adproxy.settings import Settings

HTML = (b"content-type", b"text/html; charset=utf-8")
LENGTH = (b"content-length", b"%d" % len(PAGE))
VALIDATORS = [(b"etag", b'"v1"'), (b"last-modified", b"Thu, 01 Jan 2026 00:00:00 GMT")]
CACHEABLE = (b"cache-control", b"public, max-age=600")
HEAD, BODY = PAGE[: PAGE.index(b"<body>")], PAGE[PAGE.index(b"<body>") :]
TITLE = HEAD.index(b"<title>")


# --- when ----------------------------------------------------------------------------------------


def test_after_a_quiet_time_which_begins_anew_with_each_byte() -> None:
    start = HeadStart(0, 2, now=10)
    assert start.due() is None, "nothing came that could go"
    start.came(11)
    assert start.due() == 13
    start.came(12.5)
    assert start.due() == 14.5
    assert start.take([HEAD], 14.5) == HEAD
    assert start.due() is None, "nothing has come since"


def test_by_a_time_whether_bytes_come_or_not() -> None:
    start = HeadStart(5, 0, now=10)
    for now in (11, 14, 14.9):
        start.came(now)
        assert start.due() == 15
    start.take([HEAD[:40]], 15)
    start.came(16)
    assert start.due() == 20


def test_whichever_is_first() -> None:
    start = HeadStart(5, 2, now=10)
    start.came(11)
    assert start.due() == 13
    start.came(14)
    assert start.due() == 15


def test_c15_the_head_goes_piece_by_piece_and_nothing_of_the_body() -> None:
    start = HeadStart(0, 1, now=0)
    pieces = [HEAD[:30], HEAD[30:70], HEAD[70:], BODY[:200], BODY[200:]]
    sent = []
    for now, _ in enumerate(pieces, 1):
        start.came(now)
        if start.due() is not None:
            sent.append(start.take(pieces[:now], now + 1))
    assert b"".join(sent) == HEAD
    assert len([piece for piece in sent if piece]) == 3
    assert start.size == len(HEAD)


def test_a_head_that_never_ends_is_looked_for_so_often_and_no_more() -> None:
    start = HeadStart(0, 1, now=0)
    chunks: list[bytes] = []
    looks = 0
    for now in range(1_000):
        chunks.append(b"<meta name=x>")
        start.came(now)
        if start.due() is not None:
            looks += 1
            start.take(chunks, now)
    assert 16 <= looks <= 100
    start.take([*chunks, b"<meta name=y>"], 1_000)  # one that was due before the last
    start.came(1_001)
    assert start.due() is None


@pytest.mark.parametrize(
    ("given", "plain", "ahead", "early"),
    [
        ([HTML], False, True, True),
        ([HTML, (b"cache-control", b"private, no-cache")], False, True, True),
        ([HTML, VALIDATORS[0]], False, False, True),
        ([HTML, VALIDATORS[1]], False, False, True),
        ([HTML, LENGTH], False, False, True),
        ([HTML, CACHEABLE], False, False, True),
        ([HTML, LENGTH, CACHEABLE, *VALIDATORS], True, True, True),
        ([HTML, (b"Content-Encoding", b"gzip")], False, False, False),
        ([HTML, (b"Content-Encoding", b"gzip")], True, False, False),
    ],
)
def test_which_pages_go_ahead(given: list[tuple[bytes, bytes]], plain: bool, ahead: bool, early: bool) -> None:
    assert (head_start(Settings(), given, 0, plain=plain) is not None) == ahead
    only_early = Settings(ahead_seconds=0, early_seconds=0.002)
    assert (head_start(only_early, given, 0, plain=plain) is not None) == early
    assert head_start(Settings(ahead_seconds=0), given, 0, plain=plain) is None


def test_nothing_that_an_answer_can_lose_is_lost_by_default() -> None:
    assert Settings().early_seconds == 0


# --- what is sent --------------------------------------------------------------------------------


def slowly(*pieces: bytes, fields: list[tuple[bytes, bytes]]) -> ASGIApp:
    """An application that pauses behind each piece of its page."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [HTML, *fields]})
        for index, piece in enumerate(pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": index < len(pieces)})
            await asyncio.sleep(0.02)

    return app


def ask(app: ASGIApp, **more: Any) -> list[Message]:
    middleware = AdMiddleware(app, book(), settings=Settings(count=False, **more))
    try:
        return asyncio.run(call(middleware, http_scope("/page")))
    finally:
        middleware.close()


FIELDS = [
    LENGTH,
    *VALIDATORS,
    CACHEABLE,
    (b"accept-ranges", b"bytes"),
    (b"set-cookie", b"a=1"),
    (b"set-cookie", b"b=2"),
]


def test_a_page_that_went_ahead_says_nothing_of_a_whole_that_nobody_knew() -> None:
    head, first, second, rest = ask(
        slowly(HEAD[:TITLE], HEAD[TITLE:] + BODY[:9], BODY[9:], fields=FIELDS), early_seconds=0.001
    )
    assert head["headers"] == [
        HTML,
        (b"cache-control", b"public, max-age=60"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]
    assert (first["body"], second["body"]) == (HEAD[:TITLE], HEAD[TITLE:])
    assert first["body"] + second["body"] + rest["body"] == with_slots()
    assert [message["more_body"] for message in (first, second)] == [True, True]


def test_an_empty_piece_is_no_piece_of_the_head() -> None:
    messages = ask(slowly(b"", HEAD, BODY, fields=FIELDS), early_seconds=0.001)
    assert [message["body"] for message in messages[1:]] == [HEAD, with_slots()[len(HEAD) :]]


def test_a_page_left_alone_that_went_ahead_has_its_bytes() -> None:
    page = PAGE_WITHOUT_PLACES
    cut = page.index(b"<body>") + 20
    amp = page.replace(b"<html", b"<html amp")
    for body in (page, amp):
        messages = ask(slowly(body[:cut], body[cut:], fields=FIELDS), early_seconds=0.001)
        assert len(messages) == 3
        assert body_of(messages) == body


def test_a_page_in_a_coding_never_goes_ahead() -> None:
    fields = [(b"content-encoding", b"br"), *VALIDATORS]
    messages = ask(slowly(HEAD, BODY, fields=fields), early_seconds=0.001, ahead_seconds=0.001)
    assert len(messages) == 2


def test_a_page_that_is_only_tried_goes_ahead_as_it_is() -> None:
    head, *parts = ask(slowly(HEAD, BODY, fields=FIELDS), early_seconds=0.001, dry_run=True)
    assert head["headers"] == [HTML, *FIELDS]
    assert [part["body"] for part in parts] == [HEAD, BODY]


def test_vary_and_tags_are_those_of_a_planned_page() -> None:
    more: dict[str, Any] = {"vary_everywhere": True, "cache_tags": "xkey"}
    ahead, whole = (ask(slowly(HEAD, BODY, fields=FIELDS), early_seconds=early, **more) for early in (0.001, 0))
    assert (len(ahead), len(whole)) == (3, 2)
    names = (b"vary", b"xkey")
    told, planned = ([(k, v) for k, v in messages[0]["headers"] if k in names] for messages in (ahead, whole))
    assert len(told) == len(planned)
    assert sorted(told) == sorted(planned)


def test_c15_a_page_too_slow_for_its_slots_goes_on_behind_its_head() -> None:
    messages = ask(slowly(HEAD, BODY[:5], BODY[5:], fields=FIELDS), early_seconds=0.001, buffer_seconds=0.03)
    assert body_of(messages) == PAGE
    assert messages[1]["body"] == HEAD
    assert messages[0]["headers"] == headers.sent_ahead([HTML, *FIELDS], headers._EPOCH)


@pytest.mark.parametrize("step", ["headers.sent_ahead", "head_start.before_body"])
def test_a_bug_on_the_way_ahead_costs_the_head_start_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError(step)

    app = slowly(HEAD, BODY, fields=FIELDS)
    expected = ask(app)
    monkeypatch.setattr(f"adproxy.{step}", broken)
    assert ask(app, early_seconds=0.001) == expected


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([PAGE, PAGE_WITHOUT_PLACES, b"{}"]), st.integers(0, 1 << 32))
def test_law_4_the_bytes_do_not_depend_on_what_went_ahead(body: bytes, seed: int) -> None:
    shaken = random.Random(seed)
    ends = sorted(shaken.randrange(min(300, len(body)) + 1) for _ in range(shaken.randrange(5)))
    pieces = [body[start:end] for start, end in zip([0, *ends], [*ends, len(body)], strict=True)]
    messages = ask(slowly(*pieces, fields=VALIDATORS), early_seconds=0.001)
    assert body_of(messages) == body_of(ask(slowly(body, fields=VALIDATORS)))
    assert len([message for message in messages if message["type"] == "http.response.start"]) == 1


def test_a_reader_who_leaves_ends_the_watch() -> None:
    timers: list[bool] = []

    async def run() -> None:
        async def left(message: Message) -> None:
            raise OSError("the reader left")

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [HTML]})
            await send({"type": "http.response.body", "body": HEAD, "more_body": True})
            await asyncio.sleep(0.02)
            await send({"type": "http.response.body", "body": BODY})

        middleware = AdMiddleware(app, book(), settings=Settings(count=False, early_seconds=0.001))
        with pytest.raises(OSError, match="left"):
            await asyncio.wait_for(middleware(http_scope("/page"), lambda: asyncio.sleep(0), left), DEADLINE)
        timers.append(len(asyncio.all_tasks()) == 1)

    asyncio.run(run())
    assert timers == [True]
