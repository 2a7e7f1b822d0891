"""One answer that may be a page: held until it is decided, then sent with slots or as it came.

Only a complete HTML page that the rules cover is ever held; every other message passes the moment it comes. What a held
page waits for has a deadline (`Settings.buffer_seconds`, `Settings.rewrite_seconds`) and a bound
(`Settings.max_page_bytes`, `Settings.max_held_bytes`); beyond them, and where anything goes wrong, the reader gets the
application's bytes as they are.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from starlette.types import Message, Scope, Send

from adproxy import headers as head
from adproxy.cache_tags import tagged
from adproxy.decision import Decided, decide, decoded
from adproxy.eligibility import RawHeaders, content_codings, response_skip, said, values
from adproxy.failures import FailureLog
from adproxy.head_start import HeadStart, head_start
from adproxy.known_pages import Known, KnownPages
from adproxy.metrics import Metrics
from adproxy.model import Plan, Skip, SkipReason
from adproxy.quarantine import Hands
from adproxy.rewrite_pool import RewritePool
from adproxy.rules.ruleset import Policy
from adproxy.settings import Settings
from adproxy.tokens import PageMarks
from adproxy.whole_page import WholePage

log = logging.getLogger(__name__)

_CODED_SHARE = 4
"""A compressed page counts as so many times its size when it is decided where to rewrite it."""
_INLINE_TAGS = 4_000
"""A page with more tags is rewritten in a thread, whatever its size: hostile ones of so many cost tens of milliseconds.
Of real pages half have fewer than 1,500, one in twenty more than 3,200."""
_OF_PAGES = frozenset({b"content-encoding", b"content-type", b"content-security-policy"})
"""What a page's outcome depends on of its answer's head."""

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a request's head says of its answer."""

    policy: Policy | None
    skip: Skip | None
    """Why the answer passes as it is, whatever it is; None where it may be a page that is planned by `policy`."""
    field: str | None = None
    """The request's field that decided so."""
    plain: bool = False
    """The answer's head stays as it came, whatever becomes of the page: so it does for everybody who asks."""
    headers: head.HeaderList | None = None
    """The request's headers for the application; None for those that came."""
    validated: bool = False
    """Whether a 304 is about a page that we planned."""
    variant: str = ""
    """What a planned page's tag says: the rules' revision, and what its marks depend on."""
    marks_for: Callable[[Policy, Plan], PageMarks] | None = None
    """Makes the marks by which browsers report the page; None where nothing is counted."""


class Held:
    """How many bytes of pages are held at the moment, and whether more may be."""

    def __init__(self, bound: int) -> None:
        self._room = bound

    def take(self, size: int) -> bool:
        """Whether there was room for `size` bytes; then they are counted until `give` returns them."""
        if size > self._room:
            return False
        self._room -= size
        return True

    def give(self, size: int) -> None:
        self._room += size


@dataclass(frozen=True, slots=True)
class Means:
    """What the exchanges of one middleware share."""

    settings: Settings
    metrics: Metrics
    pages: KnownPages
    pool: RewritePool
    held: Held
    hands: Hands | None
    failures: FailureLog
    tag_fields: tuple[str, ...]
    """Fields in which planned pages name themselves to caches."""


class Exchange:
    """One answer to a GET or HEAD that may be a page: its buffer and how far it is."""

    def __init__(self, means: Means, scope: Scope, path: str, policy: Policy, send: Send, judgement: Judgement) -> None:
        self._means = means
        self._settings = means.settings
        self._method: str = scope["method"]
        self._path = path
        self._query: bytes = scope.get("query_string", b"")
        self._policy = policy
        self._send = send
        self._judgement = judgement
        self._start: Message | None = None
        """The answer's head while it is held."""
        self._chunks: list[bytes] = []
        self._size = 0
        self._since = 0.0
        """When the answer's head came."""
        self._ahead: HeadStart | None = None
        """How far the page went ahead; None where it does not."""
        self._passing = False
        self._swallowing = False
        """The page was sent changed: what may still come (trailers) was about the bytes that it replaced."""
        self._turn = asyncio.Lock()
        """The application's messages and the deadline take turns."""
        self._timer: asyncio.TimerHandle | None = None
        """Of the deadline."""
        self._ahead_timer: asyncio.TimerHandle | None = None
        self._late: list[asyncio.Task[None]] = []
        """What the timers began."""

    async def send(self, message: Message) -> None:
        """What the application calls."""
        if self._passing and not self._turn.locked():
            await self._send(message)
            return
        async with self._turn:
            kind = message["type"]
            if self._passing:
                await self._send(message)
            elif self._swallowing:
                return
            elif kind == "http.response.start":
                await self._begin(listed(message))
            elif self._start is None:
                await self._send(message)  # before the head: an early hint, what a test client asks for
            elif kind == "http.response.body":
                await self._body(self._start, message.get("body", b""), message.get("more_body", False))
            else:
                # a file sent in a way that was not offered: there are no bytes to look at
                await self._release(self._start, Skip(SkipReason.ERROR, kind), None)
                await self._send(message)

    async def broken(self) -> None:
        """The application failed: what it sent of a page goes out as it would have without us, so that whoever serves
        us can end the answer as the broken one that it is."""
        async with self._turn:
            start = self._held_start()
            if start is not None and self._chunks:
                await self._release(start, Skip(SkipReason.INCOMPLETE, "the application failed"), True)

    async def end(self) -> None:
        """The application has returned or failed: nothing may fire any more, and what is held is given back."""
        self._stop()
        self._forget()
        for late in self._late:
            if not late.done():
                late.cancel()
                await asyncio.wait([late], timeout=self._settings.rewrite_seconds)
            if late.done() and not late.cancelled() and (problem := late.exception()) is not None:
                # most likely the client left; the application's own next message met the same
                log.debug("sending a page before it was complete failed", exc_info=problem)

    async def _begin(self, start: Message) -> None:
        self._since = time.perf_counter()
        try:
            passing = self._head_to_pass(start)
            if passing is None:
                plain = self._judgement.plain
                self._ahead = head_start(self._settings, start["headers"], self._since, plain=plain)
        except Exception as problem:
            self._means.failures.note(self._path, problem)
            await self._release(start, Skip(SkipReason.ERROR, type(problem).__name__), None)
            return
        if passing is not None:
            await self._pass(passing)
            return
        self._start = start
        self._timer = asyncio.get_running_loop().call_later(self._settings.buffer_seconds, self._on_deadline)

    def _head_to_pass(self, start: Message) -> Message | None:
        """The head of an answer whose body is not touched; None for a page that is to be held."""
        headers, status = start["headers"], start["status"]
        everywhere = self._settings.vary_everywhere
        if status == 304 and self._judgement.validated:
            confirmed = head.not_modified(headers, self._judgement.variant, vary_everywhere=everywhere)
            return {**start, "headers": self._tagged(confirmed)}
        skip = response_skip(status, headers)
        if skip is None and self._method == "HEAD":
            return (
                start
                if self._judgement.plain
                else {**start, "headers": head.head_of_page(headers, vary_everywhere=everywhere)}
            )
        if skip is None and _content_length(headers) > self._settings.max_page_bytes:
            skip = Skip(SkipReason.TOO_LARGE, "Content-Length")
        if skip is not None:
            count_left_alone(self._means.metrics, self._method, self._policy.site, headers, skip)
            return start
        return None

    def _tagged(self, headers: head.HeaderList) -> head.HeaderList:
        fields = self._means.tag_fields
        return tagged(headers, fields, self._policy.site, self._policy.revision) if fields else headers

    async def _pass(self, start: Message) -> None:
        self._passing = True
        await self._send(start)

    async def _body(self, start: Message, chunk: bytes, more: bool) -> None:
        if chunk:
            fits = self._means.held.take(len(chunk))
            self._chunks.append(chunk)
            if not fits:
                await self._release(start, Skip(SkipReason.OVERLOAD, "max_held_bytes"), more)
                return
            self._size += len(chunk)
            if self._size > self._settings.max_page_bytes:
                await self._release(start, Skip(SkipReason.TOO_LARGE, f"{self._size} bytes"), more)
                return
        if more:
            if chunk and self._ahead is not None:
                self._ahead.came(time.perf_counter())
                if self._ahead_timer is None:
                    self._watch(self._ahead)
            return
        self._stop()
        outcome = await self._decide(start)
        if isinstance(outcome, Skip):
            await self._release(start, outcome, False)
        elif self._settings.dry_run:
            await self._release(start, Skip(SkipReason.DRY_RUN), False)
            outcome[0].tally.count()
        else:
            await self._planned(*outcome)

    async def _decide(self, start: Message) -> tuple[Known, Message] | Skip:
        """What became of the page, its head, and its body if that was changed. Whatever goes wrong here is a reason to
        pass the page as it is."""
        headers = start["headers"]
        began = time.perf_counter()
        try:
            told = said(headers, _OF_PAGES)
            whole = WholePage(
                pieces=tuple(self._chunks),
                coding=next(iter(content_codings(headers)), "") if b"content-encoding" in told else "",
                content_type=told[b"content-type"][0],
                csp=tuple(told.get(b"content-security-policy", ())),
                policy=self._policy,
                path=self._path,
                query=self._query,
                prefix=self._settings.prefix,
                limit=self._settings.max_page_bytes,
                variant=self._judgement.variant,
                marks_for=self._judgement.marks_for,
            )
            outcome = await self._rewrite(whole)
            if isinstance(outcome, Skip):
                return outcome
            changed = head.planned(
                headers,
                self._judgement.variant,
                length=None if outcome.body is None else len(outcome.body),
                vary_everywhere=self._settings.vary_everywhere,
            )
            return outcome, {**start, "headers": self._tagged(changed)}
        except TimeoutError:
            return Skip(SkipReason.TIMEOUT, "rewrite_seconds")
        except Exception as problem:
            self._means.failures.note(self._path, problem)
            return Skip(SkipReason.ERROR, type(problem).__name__)
        finally:
            self._means.metrics.observe_rewrite(time.perf_counter() - began)

    async def _rewrite(self, whole: WholePage) -> Known | Skip:
        pages = self._means.pages
        known = pages.find(whole)
        if known is not None:
            return known
        whole = whole.in_one_piece()
        earlier = pages.earlier(whole)
        inline, html = self._settings.inline_bytes, None
        if whole.size * (_CODED_SHARE if whole.coding else 1) <= inline:
            page = self._in_hand(whole, partial(decoded, whole))
            if isinstance(page, Skip):
                quarantined = page.reason is SkipReason.QUARANTINED
                return page if quarantined else pages.remember(whole, Decided(page))
            html = page
            if len(html) <= inline and html.count(b"<") <= _INLINE_TAGS:
                decided = self._in_hand(whole, partial(decide, whole, earlier, html))
                return decided if isinstance(decided, Skip) else pages.remember(whole, decided)
        work = partial(decide, whole, earlier, html)
        job = self._means.pool.submit(partial(self._in_hand, whole, work))
        if job is None:
            return Skip(SkipReason.OVERLOAD, "max_pending")
        decided = await asyncio.wait_for(asyncio.wrap_future(job), self._settings.rewrite_seconds)
        return decided if isinstance(decided, Skip) else pages.remember(whole, decided)

    def _in_hand(self, whole: WholePage, work: Callable[[], _Result]) -> _Result | Skip:
        """What some work on the page comes to, during which it is known that this process has the page in hand; or a
        Skip, which may be another one tomorrow, where the page is in quarantine."""
        hands = self._means.hands
        return work() if hands is None else hands.take(whole.body, self._policy.site, self._path, work)

    async def _planned(self, known: Known, start: Message) -> None:
        body = known.body
        if body is None:
            self._passing, body = True, b"".join(self._chunks)
        else:
            self._swallowing = True
            start.pop("trailers", None)
        self._forget()
        await self._first(start)
        await self._send({"type": "http.response.body", "body": self._rest(body)})
        known.tally.count()

    async def _release(self, start: Message, skip: Skip, more: bool | None) -> None:
        """Let the page go as it is: its head and what came of it so far. `more`: whether its body goes on; None where
        the next message says so."""
        body = b"".join(self._chunks)
        if skip.fail_open and not self._judgement.plain:
            start = {**start, "headers": opened(start["headers"])}
        self._passing = True
        self._stop()
        self._forget()
        count_left_alone(self._means.metrics, self._method, self._policy.site, start["headers"], skip)
        await self._first(start)
        body = self._rest(body)
        if body or more is not None:
            await self._send({"type": "http.response.body", "body": body, "more_body": more is not False})

    def _held_start(self) -> Message | None:
        """The answer's head, as long as the page is held."""
        return None if self._passing or self._swallowing else self._start

    async def _first(self, start: Message) -> None:
        if self._ahead is None or not self._ahead.size:
            await self._send_head(start)

    async def _send_head(self, start: Message) -> None:
        self._means.metrics.observe_added_first_byte(time.perf_counter() - self._since)
        await self._send(start)

    def _rest(self, body: bytes) -> bytes:
        return body[self._ahead.size :] if self._ahead is not None else body

    def _stop(self) -> None:
        for timer in (self._timer, self._ahead_timer):
            if timer is not None:
                timer.cancel()

    def _forget(self) -> None:
        self._means.held.give(self._size)
        self._size = 0
        self._chunks.clear()

    def _watch(self, ahead: HeadStart) -> None:
        """Look after the part of the page that can go ahead when it is due."""
        self._ahead_timer, due = None, ahead.due()
        if due is not None:
            wait = due - time.perf_counter()
            self._ahead_timer = asyncio.get_running_loop().call_later(max(0.0, wait), self._on_ahead, ahead)

    def _on_ahead(self, ahead: HeadStart) -> None:
        due = ahead.due()
        if due is None or due > time.perf_counter():
            self._watch(ahead)  # more came in the meantime
        else:
            self._ahead_timer = None
            self._late.append(asyncio.get_running_loop().create_task(self._send_ahead(ahead)))

    async def _send_ahead(self, ahead: HeadStart) -> None:
        """Send what came so far of a page up to where its body begins: nothing is ever inserted before that."""
        async with self._turn:
            start = self._held_start()
            if start is None:
                return
            started = ahead.size > 0
            try:
                if not started:
                    start = self._head_ahead(start)
                ready = ahead.take(self._chunks, time.perf_counter())
            except Exception as problem:
                self._means.failures.note(self._path, problem)
                return  # nothing went ahead: the page is decided as any other
            if not ready:
                return
            if not started:
                await self._send_head(start)
            await self._send({"type": "http.response.body", "body": ready, "more_body": True})

    def _head_ahead(self, start: Message) -> Message:
        """The head of a page that is sent before it is decided."""
        if self._judgement.plain:
            return start
        everywhere = self._settings.vary_everywhere
        return {
            **start,
            "headers": self._tagged(head.sent_ahead(start["headers"], datetime.now(UTC), vary_everywhere=everywhere)),
        }

    def _on_deadline(self) -> None:
        self._late.append(asyncio.get_running_loop().create_task(self._release_late()))

    async def _release_late(self) -> None:
        async with self._turn:
            start = self._held_start()
            if start is not None:
                await self._release(start, Skip(SkipReason.TIMEOUT, "buffer_seconds"), None)


def count_left_alone(metrics: Metrics, method: str, site: str, headers: RawHeaders, skip: Skip) -> None:
    """Count a page that was left alone. What is no HTML, or has no body, is no page."""
    if method != "HEAD" and any("html" in content_type.lower() for content_type in values(headers, b"content-type")):
        metrics.page(site, "failed_open" if skip.fail_open else "skipped", skip.reason)


def opened(headers: head.HeaderList) -> head.HeaderList:
    """The headers of a page that passes by accident; as they came if even they can't be read."""
    try:
        return head.failed_open(headers, datetime.now(UTC))
    except Exception:
        log.exception("the headers of a page that passes without slots could not be read")
        return headers


def listed(message: Message) -> Message:
    """A response's head with its headers as a list of tuples, whatever the application gives."""
    given = message.get("headers", ())
    headers = head.paired(given)
    return message if headers is given else {**message, "headers": headers}


def _content_length(headers: RawHeaders) -> int:
    lengths = values(headers, b"content-length")
    return int(lengths[0]) if len(lengths) == 1 and lengths[0].isdecimal() else 0
