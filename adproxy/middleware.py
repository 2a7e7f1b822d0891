"""ASGI middleware: judges requests, answers what is adproxy's own, and lets each answer that may be a page be held.

    app.add_middleware(AdMiddleware, rules="rules/")          Starlette, FastAPI
    application = AdMiddleware(get_asgi_application(), rules="rules/")          Django, or any other ASGI application

Options live on the middleware and never change; what belongs to one response lives on an object made for it
(`exchange.Exchange`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adproxy import headers as head
from adproxy.debug_links import is_good, taken_out
from adproxy.debug_view import DebugView, asked_anew
from adproxy.eligibility import RawHeaders, deciding_field, request_skip, response_skip, values
from adproxy.errors import SettingsError
from adproxy.exchange import Exchange, Held, Judgement, Means, count_left_alone, listed, opened
from adproxy.failures import FailureLog
from adproxy.funnel import Funnel
from adproxy.impressions import PATHS, Impressions, events_in, impressions_in
from adproxy.known_pages import KnownPages
from adproxy.live_rules import LiveRules
from adproxy.metrics import OTHER, Metrics
from adproxy.model import Skip, SkipReason
from adproxy.own_paths import Answer, OwnPaths
from adproxy.quarantine import Hands
from adproxy.rewrite_pool import RewritePool
from adproxy.rollout import takes_part
from adproxy.root_files import root_answer
from adproxy.rules.match import policy_for
from adproxy.rules.ruleset import RuleBook
from adproxy.settings import Settings
from adproxy.signing_keys import load_keys
from adproxy.state_dir import default_for_application, make_directory
from adproxy.switch import FIELD, Switch, load_secret
from adproxy.tokens import day_of

log = logging.getLogger(__name__)

_FILE_EXTENSIONS = ("http.response.pathsend", "http.response.zerocopysend")
"""Ways to send a file past us: not offered to the application where the file may be a page."""


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
        self.pool = RewritePool(self.settings.rewrite_threads, self.settings.max_pending)
        self.held = Held(self.settings.max_held_bytes)
        self._failures = FailureLog()
        self._means = Means(
            settings=self.settings,
            metrics=self.metrics,
            pages=KnownPages(self.settings.cache_bytes, self.metrics, sent=not self.settings.dry_run),
            pool=self.pool,
            held=self.held,
            hands=hands,
            failures=self._failures,
            tag_fields=tuple(filter(None, self.settings.cache_tags.split(","))),
        )

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
            self._failures.note(path, problem)
            skip = Skip(SkipReason.ERROR, type(problem).__name__)
            judgement = Judgement(None, skip, plain=self.settings.dry_run or self.switch.is_off)
        without = () if judgement.skip is not None else _FILE_EXTENSIONS
        child = _child(scope, judgement.headers, without)
        answer_with = _sharing(child, scope, send)
        if judgement.policy is not None and judgement.policy.visitors.ad_free_header and not judgement.plain:
            answer_with = _varying(answer_with, judgement.policy.visitors.ad_free_header)
        if judgement.policy is None or judgement.skip is not None:
            await self.app(child, receive, self._counting(answer_with, method, path, judgement))
            return
        exchange = Exchange(self._means, scope, path, judgement.policy, answer_with, judgement)
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

    def _judge(self, method: str, raw_path: bytes, path: str, request: RawHeaders) -> Judgement:
        book = self._book()
        policy = policy_for(book, next(iter(values(request, b"host")), ""), path)
        if policy is None:
            return Judgement(None, Skip(SkipReason.PATH if book.rule_sets else SkipReason.NO_RULES))
        refused = request_skip(method, request)
        if refused is not None and refused.reason is SkipReason.METHOD:
            return Judgement(policy, refused, headers=head.forward_unsafe(request))
        if self.switch.is_off:
            return Judgement(policy, Skip(SkipReason.SWITCHED_OFF), plain=True)
        if self.switch.knows(request):
            kept = [line for line in request if line[0].lower() != FIELD.encode()]
            return Judgement(policy, Skip(SkipReason.SWITCHED_OFF, FIELD), field=FIELD, headers=kept)
        if not takes_part(raw_path, self.settings.rollout_percent):
            return Judgement(policy, Skip(SkipReason.ROLLOUT), plain=True)
        dry = self.settings.dry_run
        if refused is not None:
            return Judgement(policy, refused, field=deciding_field(request), plain=dry)
        header = policy.visitors.ad_free_header
        if header and any(value not in ("", "0", "false") for value in values(request, header.encode())):
            return Judgement(policy, Skip(SkipReason.AD_FREE, header), field=header, plain=dry)
        if dry:
            return Judgement(policy, None, plain=True)
        self._own.remember(policy)
        variant, marks_for = policy.revision, None
        if self.impressions is not None:
            day = day_of(time.time())
            variant = self.impressions.variant(policy.revision, day)
            marks_for = self.impressions.marks_for(path, day)
        forwarded = head.forward(request, raw_path, variant)
        return Judgement(
            policy,
            None,
            headers=forwarded.headers,
            validated=forwarded.validated,
            variant=variant,
            marks_for=marks_for,
        )

    def _counting(self, send: Send, method: str, path: str, judgement: Judgement) -> Send:
        """A `send` that counts the answer if it is a page. Where it would have been rewritten but for a field of the
        request, that field is named in ``Vary``; nothing else changes, unless the page passes by accident."""
        skip = judgement.skip or Skip(SkipReason.PATH)
        site = judgement.policy.site if judgement.policy is not None else OTHER

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = listed(message)
                headers = message["headers"]
                count_left_alone(self.metrics, method, site, headers, skip)
                try:
                    touched = not judgement.plain and (judgement.field or skip.fail_open)
                    if touched and response_skip(message["status"], headers) is None:
                        headers = head.vary(headers, (judgement.field,)) if judgement.field else opened(headers)
                        message = {**message, "headers": headers}
                except Exception as problem:
                    self._failures.note(path, problem)
            await send(message)

        return counting


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
            message = listed(message)
            kinds = values(message["headers"], b"content-type")
            if message["status"] == 304 or any("html" in kind.lower() for kind in kinds):
                message = {**message, "headers": head.vary(message["headers"], (field,))}
        await send(message)

    return varying


def _raw_path(scope: Scope) -> bytes:
    """The path as it was sent, without the query; some servers don't hand it on, and then it is spelled anew."""
    raw = scope.get("raw_path")
    return bytes(raw).partition(b"?")[0] if raw else quote(scope["path"]).encode()
