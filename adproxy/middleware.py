"""ASGI middleware: moves messages, and holds a page back until it is decided.

    app.add_middleware(AdMiddleware, rules="rules/")          Starlette, FastAPI
    application = AdMiddleware(get_asgi_application(), rules="rules/")          Django, or any other ASGI application

Only a complete HTML page that the rules cover is ever held; every other message passes the moment it comes. What a held
page waits for has a deadline (`Settings.buffer_seconds`, `Settings.rewrite_seconds`) and a bound
(`Settings.max_page_bytes`, `Settings.max_held_bytes`); beyond them, and where anything goes wrong, the reader gets the
application's bytes as they are.

Options live on the middleware and never change; what belongs to one response lives on an object made for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adproxy import headers as head
from adproxy.cache_tags import tagged
from adproxy.debug_links import is_good, taken_out
from adproxy.debug_view import DebugView, asked_anew
from adproxy.decision import Decided, decide, decoded
from adproxy.eligibility import RawHeaders, content_codings, deciding_field, request_skip, response_skip, said, values
from adproxy.errors import SettingsError
from adproxy.funnel import Funnel
from adproxy.head_start import HeadStart, head_start
from adproxy.impressions import PATHS, Impressions, events_in, impressions_in
from adproxy.known_pages import Known, KnownPages
from adproxy.live_rules import LiveRules
from adproxy.metrics import OTHER, Metrics
from adproxy.model import Plan, Skip, SkipReason
from adproxy.own_paths import Answer, OwnPaths
from adproxy.quarantine import Hands
from adproxy.rewrite_pool import RewritePool
from adproxy.rollout import takes_part
from adproxy.root_files import root_answer
from adproxy.rules.match import policy_for
from adproxy.rules.ruleset import Policy, RuleBook
from adproxy.settings import Settings
from adproxy.signing_keys import load_keys
from adproxy.state_dir import default_for_application, make_directory
from adproxy.switch import FIELD, Switch, load_secret
from adproxy.tokens import PageMarks, day_of
from adproxy.whole_page import WholePage

log = logging.getLogger(__name__)

_FILE_EXTENSIONS = ("http.response.pathsend", "http.response.zerocopysend")
"""Ways to send a file past us: not offered to the application where the file may be a page."""
_CODED_SHARE = 4
"""A compressed page counts as so many times its size when it is decided where to rewrite it."""
_INLINE_TAGS = 4_000
"""A page with more tags is rewritten in a thread, whatever its size: hostile ones of so many cost tens of milliseconds.
Of real pages half have fewer than 1,500, one in twenty more than 3,200."""
_OF_PAGES = frozenset({b"content-encoding", b"content-type", b"content-security-policy"})
"""What a page's outcome depends on of its answer's head."""
_MAX_LOGGED = 100
"""Kinds of failure that are logged with a traceback, each once; all of them are counted."""

_Result = TypeVar("_Result")


class AdMiddleware:
    """Places slots in the pages of an ASGI application."""

    def __init__(
        self,
        app: ASGIApp,
        rules: str | Path | LiveRules | RuleBook,
        *,
        settings: Settings | None = None,
        metrics: Metrics | None = None,
        impressions: Impressions | None = None,
        switch: Switch | None = None,
        hands: Hands | None = None,
    ) -> None:
        """`rules`: a file or directory, which is then watched while the application runs; or `LiveRules` that the
        caller starts and stops; or a fixed `RuleBook`. `settings`: from the environment where None is given.
        `metrics`: where to count; None counts for itself. `impressions`: where what browsers report is counted; None:
        in the state directory, which the settings name, or else the rules' path stands for. `switch`: by which all is
        turned off; None: one of this application's own. `hands`: where it is noted which pages are being
        read, so that those on which a process died are known; None where nobody watches. Raises `SettingsError`.
        """
        self.app = app
        self.settings = settings if settings is not None else Settings()
        self.metrics = metrics if metrics is not None else Metrics()
        self._owned: LiveRules | None = None
        if isinstance(rules, (str, Path)):
            rules = self._owned = LiveRules(rules, metrics=self.metrics)
        elif isinstance(rules, RuleBook):
            self.metrics.rules_loaded(rules)
        self._rules = rules
        self.switch = switch if switch is not None else _own_switch(self.settings, rules, self.metrics)
        self._own = OwnPaths(self.settings.prefix, self._book, self._ready, self.switch)
        self.impressions = impressions
        if impressions is None and self.settings.count:
            self.impressions = _own_impressions(self.settings, rules, self.metrics, self._book)
        self.hands = hands
        self.pool = RewritePool(self.settings.rewrite_threads, self.settings.max_pending)
        self.held = Held(self.settings.max_held_bytes)
        self.tag_fields = tuple(filter(None, self.settings.cache_tags.split(",")))
        self.pages = KnownPages(self.settings.cache_bytes, self.metrics, sent=not self.settings.dry_run)
        self._logged: set[tuple[type[BaseException], str, int]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def close(self) -> None:
        """Stop watching the rules, count what waits, and let the threads end. The lifespan's end calls it; a request
        that comes later begins again."""
        if self._owned is not None:
            self._owned.stop()
        self.pool.close()
        if self.impressions is not None:
            self.impressions.close()

    def _book(self) -> RuleBook:
        return self._rules.book if isinstance(self._rules, LiveRules) else self._rules

    def _ready(self) -> bool:
        return self._rules.status().loaded_at is not None if isinstance(self._rules, LiveRules) else True

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._owned is not None:
            self._owned.start()
        try:
            await self.app(scope, receive, send)
        finally:
            self.close()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._owned is not None:
            self._owned.start()  # does nothing where the lifespan has done it
        request = head.paired(scope["headers"])
        if request is not scope["headers"]:
            ours = {**scope, "headers": request}
            scope, send = ours, _sharing(ours, scope, send)
        method, raw_path = scope["method"], _raw_path(scope)
        if self._own.covers(raw_path):
            answer = await self._own_answer(raw_path, scope, receive)
            if answer is None:
                return  # nobody is there to be answered
        else:
            answer = root_answer(self._book(), method, raw_path, request)
        if answer is not None:
            await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
            await send({"type": "http.response.body", "body": answer.body})
            return
        path = raw_path.decode("utf-8", "replace")
        bare, said = taken_out(scope)
        if said is not None:
            scope, send = bare, _sharing(bare, scope, send)
            if method == "GET" and self._may_be_explained(said, path):
                await self._explain(scope, receive, send)
                return
        try:
            judgement = self._judge(method, raw_path, path, request)
        except Exception as problem:
            self.log_failure(path, problem)
            skip = Skip(SkipReason.ERROR, type(problem).__name__)
            judgement = _Judgement(None, skip, plain=self.settings.dry_run or self.switch.is_off)
        without = () if judgement.skip is not None else _FILE_EXTENSIONS
        child = _child(scope, judgement.headers, without)
        answer_with = _sharing(child, scope, send)
        if judgement.policy is not None and judgement.policy.visitors.ad_free_header and not judgement.plain:
            answer_with = _varying(answer_with, judgement.policy.visitors.ad_free_header)
        if judgement.policy is None or judgement.skip is not None:
            await self.app(child, receive, self._counting(answer_with, method, path, judgement))
            return
        exchange = _Exchange(self, scope, path, judgement.policy, answer_with, judgement)
        try:
            await self.app(child, receive, exchange.send)
        except Exception:
            await exchange.broken()
            raise
        finally:
            await exchange.end()

    def _may_be_explained(self, said: bytes, path: str) -> bool:
        if self.impressions is None or self.switch.is_off:
            return False
        return is_good(self.impressions.keys, said, path, time.time())

    async def _explain(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page as it is, with the account of its slots; nothing of it is counted."""
        book = self._book()
        policy = policy_for(
            book, next(iter(values(scope["headers"], b"host")), ""), _raw_path(scope).decode("utf-8", "replace")
        )
        if policy is not None:
            self._own.remember(policy)  # a style sheet of its own may be asked for
        view = DebugView(scope, send, book, self.settings, self.pool)
        child = _child(scope, asked_anew(scope["headers"]), _FILE_EXTENSIONS)
        await self.app(child, receive, view.send)

    async def _own_answer(self, raw_path: bytes, scope: Scope, receive: Receive) -> Answer | None:
        """The answer to a request for a path of ours; None where its sender left."""
        name = self._own.name_of(raw_path)
        if self.impressions is not None and name in PATHS:
            return await self.impressions.answer(name, scope, receive, self._own.policy)
        return self._own.answer(scope["method"], raw_path, scope["headers"], scope.get("query_string", b""))

    def _judge(self, method: str, raw_path: bytes, path: str, request: RawHeaders) -> _Judgement:
        book = self._book()
        policy = policy_for(book, next(iter(values(request, b"host")), ""), path)
        if policy is None:
            return _Judgement(None, Skip(SkipReason.PATH if book.rule_sets else SkipReason.NO_RULES))
        refused = request_skip(method, request)
        if refused is not None and refused.reason is SkipReason.METHOD:
            return _Judgement(policy, refused, headers=head.forward_unsafe(request))
        if self.switch.is_off:
            return _Judgement(policy, Skip(SkipReason.SWITCHED_OFF), plain=True)
        if self.switch.knows(request):
            kept = [line for line in request if line[0].lower() != FIELD.encode()]
            return _Judgement(policy, Skip(SkipReason.SWITCHED_OFF, FIELD), field=FIELD, headers=kept)
        if not takes_part(raw_path, self.settings.rollout_percent):
            return _Judgement(policy, Skip(SkipReason.ROLLOUT), plain=True)
        dry = self.settings.dry_run
        if refused is not None:
            return _Judgement(policy, refused, field=deciding_field(request), plain=dry)
        header = policy.visitors.ad_free_header
        if header and any(value not in ("", "0", "false") for value in values(request, header.encode())):
            return _Judgement(policy, Skip(SkipReason.AD_FREE, header), field=header, plain=dry)
        if dry:
            return _Judgement(policy, None, plain=True)
        self._own.remember(policy)
        variant, marks_for = policy.revision, None
        if self.impressions is not None:
            day = day_of(time.time())
            variant = self.impressions.variant(policy.revision, day)
            marks_for = self.impressions.marks_for(path, day)
        forwarded = head.forward(request, raw_path, variant)
        return _Judgement(
            policy,
            None,
            headers=forwarded.headers,
            validated=forwarded.validated,
            variant=variant,
            marks_for=marks_for,
        )

    def _counting(self, send: Send, method: str, path: str, judgement: _Judgement) -> Send:
        """A `send` that counts the answer if it is a page. Where it would have been rewritten but for a field of the
        request, that field is named in ``Vary``; nothing else changes, unless the page passes by accident."""
        skip = judgement.skip or Skip(SkipReason.PATH)
        site = judgement.policy.site if judgement.policy is not None else OTHER

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = _listed(message)
                headers = message["headers"]
                self.count(method, site, headers, skip)
                try:
                    touched = not judgement.plain and (judgement.field or skip.fail_open)
                    if touched and response_skip(message["status"], headers) is None:
                        headers = head.vary(headers, (judgement.field,)) if judgement.field else _open(headers)
                        message = {**message, "headers": headers}
                except Exception as problem:
                    self.log_failure(path, problem)
            await send(message)

        return counting

    def count(self, method: str, site: str, headers: RawHeaders, skip: Skip) -> None:
        """Count a page that was left alone. What is no HTML, or has no body, is no page."""
        if method != "HEAD" and any(
            "html" in content_type.lower() for content_type in values(headers, b"content-type")
        ):
            self.metrics.page(site, "failed_open" if skip.fail_open else "skipped", skip.reason)

    def log_failure(self, path: str, problem: Exception) -> None:
        """Log a failure with its traceback the first time that it happens at this line of the code."""
        trace = problem.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace is not None else ("", 0)
        kind = (type(problem), *where)
        if kind not in self._logged and len(self._logged) < _MAX_LOGGED:
            self._logged.add(kind)
            log.error(
                "rewriting %r failed, the page passes as it is; further ones like it are counted, not logged",
                path[:200],
                exc_info=problem,
            )


@dataclass(frozen=True, slots=True)
class _Judgement:
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


class _Exchange:
    """One answer to a GET or HEAD that may be a page: its buffer and how far it is."""

    def __init__(
        self, middleware: AdMiddleware, scope: Scope, path: str, policy: Policy, send: Send, judgement: _Judgement
    ) -> None:
        self._middleware = middleware
        self._settings = middleware.settings
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
                await self._begin(_listed(message))
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
            if self._start is not None and not self._passing and not self._swallowing and self._chunks:
                await self._release(self._start, Skip(SkipReason.INCOMPLETE, "the application failed"), True)

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
        try:
            passing = self._head_to_pass(start)
            ahead = None
            if passing is None:
                plain = self._judgement.plain
                ahead = head_start(self._settings, start["headers"], time.perf_counter(), plain=plain)
        except Exception as problem:
            self._middleware.log_failure(self._path, problem)
            self._since = time.perf_counter()
            await self._release(start, Skip(SkipReason.ERROR, type(problem).__name__), None)
            return
        if passing is not None:
            await self._pass(passing)
            return
        self._start, self._since, self._ahead = start, time.perf_counter(), ahead
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
            self._middleware.count(self._method, self._policy.site, headers, skip)
            return start
        return None

    def _tagged(self, headers: head.HeaderList) -> head.HeaderList:
        fields = self._middleware.tag_fields
        return tagged(headers, fields, self._policy.site, self._policy.revision) if fields else headers

    async def _pass(self, start: Message) -> None:
        self._passing = True
        await self._send(start)

    async def _body(self, start: Message, chunk: bytes, more: bool) -> None:
        if chunk:
            fits = self._middleware.held.take(len(chunk))
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
            self._middleware.log_failure(self._path, problem)
            return Skip(SkipReason.ERROR, type(problem).__name__)
        finally:
            self._middleware.metrics.observe_rewrite(time.perf_counter() - began)

    async def _rewrite(self, whole: WholePage) -> Known | Skip:
        pages = self._middleware.pages
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
        job = self._middleware.pool.submit(partial(self._in_hand, whole, work))
        if job is None:
            return Skip(SkipReason.OVERLOAD, "max_pending")
        decided = await asyncio.wait_for(asyncio.wrap_future(job), self._settings.rewrite_seconds)
        return decided if isinstance(decided, Skip) else pages.remember(whole, decided)

    def _in_hand(self, whole: WholePage, work: Callable[[], _Result]) -> _Result | Skip:
        """What some work on the page comes to, during which it is known that this process has the page in hand; or a
        Skip, which may be another one tomorrow, where the page is in quarantine."""
        hands = self._middleware.hands
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
            start = {**start, "headers": _open(start["headers"])}
        self._passing = True
        self._stop()
        self._forget()
        self._middleware.count(self._method, self._policy.site, start["headers"], skip)
        await self._first(start)
        body = self._rest(body)
        if body or more is not None:
            await self._send({"type": "http.response.body", "body": body, "more_body": more is not False})

    async def _first(self, start: Message) -> None:
        if self._ahead is None or not self._ahead.size:
            await self._sent_first(start)

    async def _sent_first(self, start: Message) -> None:
        self._middleware.metrics.observe_added_first_byte(time.perf_counter() - self._since)
        await self._send(start)

    def _rest(self, body: bytes) -> bytes:
        return body[self._ahead.size :] if self._ahead is not None else body

    def _stop(self) -> None:
        for timer in (self._timer, self._ahead_timer):
            if timer is not None:
                timer.cancel()

    def _forget(self) -> None:
        self._middleware.held.give(self._size)
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
            if self._start is None or self._passing or self._swallowing:
                return
            started = ahead.size > 0
            try:
                start = self._start if started else self._head_ahead(self._start)
                ready = ahead.take(self._chunks, time.perf_counter())
            except Exception as problem:
                self._middleware.log_failure(self._path, problem)
                return  # nothing went ahead: the page is decided as any other
            if not ready:
                return
            if not started:
                await self._sent_first(start)
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
            if self._start is not None and not self._passing and not self._swallowing:
                await self._release(self._start, Skip(SkipReason.TIMEOUT, "buffer_seconds"), None)


def _own_impressions(
    settings: Settings, rules: LiveRules | RuleBook, metrics: Metrics, book: Callable[[], RuleBook]
) -> Impressions | None:
    """Where this middleware counts what browsers report, together with all processes of its application. None where
    nobody said where that is to be kept and there is no usual place for it: then nothing is counted, and the log says
    so, because each process would know its own pages only. Raises `SettingsError` where the settings can't be met."""
    try:
        directory = settings.state_dir
        if directory is None:
            if not isinstance(rules, LiveRules):
                log.info("what readers see is not counted: ADPROXY_STATE_DIR names no directory to count in")
                return None
            directory = default_for_application(rules.path)
        make_directory(directory)
        keys = load_keys(settings.signing_keys, settings.signing_keys_file, directory)
    except SettingsError as problem:
        if settings.state_dir is not None or settings.signing_keys or settings.signing_keys_file is not None:
            raise
        log.warning("what readers see is not counted: %s; name a directory in ADPROXY_STATE_DIR", problem)
        return None
    metrics.show_funnel(Funnel(events_in(directory, settings)))
    return impressions_in(directory, keys, settings, metrics, book)


def _own_switch(settings: Settings, rules: LiveRules | RuleBook, metrics: Metrics) -> Switch:
    """The switch of this middleware, one for all processes of its application. Raises `SettingsError`."""
    secret = load_secret(settings.switch_secret, settings.switch_secret_file)
    directory = None
    if secret:  # without one, nobody can throw it here
        directory = settings.state_dir
        if directory is None and isinstance(rules, LiveRules):
            directory = default_for_application(rules.path)
    if directory is not None:
        make_directory(directory)
    switch = Switch(directory, always_off=settings.off, secret=secret)
    metrics.show(switch)
    return switch


def _open(headers: head.HeaderList) -> head.HeaderList:
    """The headers of a page that passes by accident; as they came if even they can't be read."""
    try:
        return head.failed_open(headers, datetime.now(UTC))
    except Exception:
        log.exception("the headers of a page that passes without slots could not be read")
        return headers


def _listed(message: Message) -> Message:
    """A response's head with its headers as a list of tuples, whatever the application gives."""
    given = message.get("headers", ())
    headers = head.paired(given)
    return message if headers is given else {**message, "headers": headers}


def _child(scope: Scope, headers: head.HeaderList | None, without: tuple[str, ...] = ()) -> Scope:
    """The scope as the application gets it: the same one where nothing has to change."""
    extensions = scope.get("extensions") or {}
    if headers is None and not any(name in extensions for name in without):
        return scope
    kept = {name: value for name, value in extensions.items() if name not in without}
    changed = {"headers": headers if headers is not None else scope["headers"]}
    return {**scope, **changed, **({"extensions": kept} if "extensions" in scope else {})}


def _sharing(child: Scope, scope: Scope, send: Send) -> Send:
    """A `send` behind which others read the scope: what the application wrote into its own (the matched route, its
    parameters) is in theirs by the time that the answer's head comes out."""
    if child is scope:
        return send

    async def sharing(message: Message) -> None:
        if message["type"] == "http.response.start":
            scope.update({key: value for key, value in child.items() if key not in ("headers", "extensions")})
        await send(message)

    return sharing


def _varying(send: Send, field: str) -> Send:
    """A `send` that names the field in ``Vary`` of what may be a page: another reader's would have other slots."""

    async def varying(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = _listed(message)
            kinds = values(message["headers"], b"content-type")
            if message["status"] == 304 or any("html" in kind.lower() for kind in kinds):
                message = {**message, "headers": head.vary(message["headers"], (field,))}
        await send(message)

    return varying


def _raw_path(scope: Scope) -> bytes:
    """The path as it was sent, without the query; some servers don't hand it on, and then it is spelled anew."""
    raw = scope.get("raw_path")
    return bytes(raw).partition(b"?")[0] if raw else quote(scope["path"]).encode()


def _content_length(headers: RawHeaders) -> int:
    lengths = values(headers, b"content-length")
    return int(lengths[0]) if len(lengths) == 1 and lengths[0].isdecimal() else 0
