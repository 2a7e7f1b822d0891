"""The answers to what browsers report: beacons, clicks, and the picture that stands in where there are no scripts.

    POST beacon             204: counted, or never countable, and nobody is told which; 503 and 429: come again
    GET click?t=&s=&i=      a redirect to the address that the rules give for that slot; anything else is 404
    GET seen?t=&s=&i=       a picture of one pixel

What may be counted is decided by the page's token alone, so labels come from it and from the loaded rules. An address
is looked at for the rate limit and the kind of traffic, and forgotten.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, quote, urljoin

from starlette.types import Message, Receive, Scope

from adproxy.beacon import MAX_BYTES, OF_PAGE, Event, nonce_of, parse, placement_of
from adproxy.eligibility import RawHeaders, values
from adproxy.event_store import (
    SECONDS_AN_HOUR,
    EventStore,
    Outcome,
    RejectReason,
    Report,
    StoreUnavailable,
)
from adproxy.event_writer import EventWriter
from adproxy.metrics import ErrorKind, Metrics
from adproxy.model import EventKind, Plan
from adproxy.own_paths import Answer
from adproxy.peers import Address, Peers
from adproxy.rate_limit import RateLimit
from adproxy.rules.ruleset import HtmlCreative, ImageCreative, Policy, RuleBook, Slot
from adproxy.settings import Settings
from adproxy.sqlite_events import SqliteEvents
from adproxy.tokens import Keyring, PageFacts, PageMarks, day_of, facts_of, is_alive
from adproxy.traffic import AddressList, InvalidReason, TrafficJudge

PATHS = frozenset({"beacon", "click", "seen"})
"""What is answered here, below our prefix."""
BODY_SECONDS = 10.0
"""How long a beacon may take to arrive."""
CLICK_SECONDS = 1.0
"""How long a reader waits for a click to be counted: the page behind it matters more."""
RETRY_SECONDS = 3
"""What a browser is told to wait where the store can't be written."""
MAX_QUERY = 2_048
_TYPES = ("text/plain", "application/json")
_GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_HEADERS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class Impressions:
    """Makes the marks of pages, and counts what comes back. `book`: the rules in force, asked for each report."""

    def __init__(
        self, keys: Keyring, store: EventStore, settings: Settings, metrics: Metrics, book: Callable[[], RuleBook]
    ) -> None:
        """Raises `SettingsError` where the list of addresses can't be read."""
        self.keys = keys
        self._store = store
        self._settings = settings
        self._metrics = metrics
        self._book = book
        self._peers = Peers(settings.trusted_peers)
        self._limit = RateLimit(settings.beacon_rate, settings.beacon_burst)
        listed = AddressList.read(settings.invalid_addresses) if settings.invalid_addresses else AddressList()
        self._judge = TrafficJudge(listed, settings.invalid_header)

    def close(self) -> None:
        """Count what waits, and let go."""
        self._store.close()

    # --- pages ------------------------------------------------------------------------------

    def marks_for(self, path: str, day: int) -> Callable[[Policy, Plan], PageMarks]:
        """What makes the marks of a page that is asked for by `path` on a day."""

        def make(policy: Policy, plan: Plan) -> PageMarks:
            return PageMarks(self.keys.sign(facts_of(policy, plan, path, day)), self._settings.prefix)

        return make

    def variant(self, revision: str, day: int) -> str:
        """What a planned page's tag depends on, its marks included."""
        return self.keys.variant(revision, day)

    # --- reports ----------------------------------------------------------------------------

    async def answer(
        self, name: str, scope: Scope, receive: Receive, policy: Callable[[str], Policy | None]
    ) -> Answer | None:
        """The answer to a request for one of `PATHS`; None where its sender has left. `policy`: by its revision, as
        long as it is remembered."""
        if name == "beacon":
            return await self._beacon(scope, receive)
        if scope["method"] not in ("GET", "HEAD"):
            return _refusal(405, b"GET, HEAD")
        asked = self._asked(scope["query_string"], policy)
        if asked is None:
            return _refusal(404)
        facts, slot, n, nonce = asked
        kind = EventKind.CLICK if name == "click" else EventKind.RENDERED
        if name == "click":
            target = _target_of(slot, facts.path)
            done = Answer(302, ((b"location", target), (b"referrer-policy", _REFERRER), *_EMPTY), b"")
        else:
            target = _GIF if isinstance(slot.creative, (ImageCreative, HtmlCreative)) else b""
            done = Answer(
                200, ((b"content-type", b"image/gif"), (b"content-length", b"%d" % len(_GIF)), *_HEADERS), _GIF
            )
        if not target:
            return _refusal(404)
        if scope["method"] == "GET":
            await self._count_quietly(scope, facts, Event(kind, slot.name, n), nonce)
        return done

    async def _beacon(self, scope: Scope, receive: Receive) -> Answer | None:
        began = time.perf_counter()
        headers: RawHeaders = scope["headers"]
        if scope["method"] != "POST":
            self._metrics.rejected(RejectReason.METHOD)
            return _refusal(405, b"POST")
        if wait := self._over_the_limit(scope):
            self._metrics.rejected(RejectReason.RATE_LIMIT)
            return _refusal(429, retry=math.ceil(wait))
        try:
            body = await asyncio.wait_for(_body(receive), BODY_SECONDS)
        except TimeoutError:
            self._metrics.rejected(RejectReason.SLOW)
            return _refusal(408)
        if body is None:
            return None
        if len(body) > MAX_BYTES:
            self._metrics.rejected(RejectReason.TOO_LARGE)
            return _refusal(413)
        beacon = parse(body) if _is_text(headers) else None
        if beacon is None:
            return self._not_counted(RejectReason.MALFORMED)
        report = self._report(headers, scope, beacon.token, beacon.nonce, beacon.events, webdriver=beacon.webdriver)
        if isinstance(report, RejectReason):
            return self._not_counted(report)
        try:
            self._tell(await self._store.count(report))
        except StoreUnavailable as unavailable:
            self._metrics.rejected(RejectReason.STORE)
            self._metrics.store_problem(unavailable.problem)
            self._metrics.error(ErrorKind.EVENT_STORE)
            return _refusal(503, retry=RETRY_SECONDS)
        self._metrics.observe_report(time.perf_counter() - began)
        return Answer(204, _HEADERS, b"")

    def _not_counted(self, reason: RejectReason) -> Answer:
        self._metrics.rejected(reason)
        return Answer(204, _HEADERS, b"")

    def _report(
        self,
        headers: RawHeaders,
        scope: Scope,
        token: str | PageFacts,
        nonce: bytes | None,
        events: tuple[Event, ...],
        *,
        webdriver: bool = False,
    ) -> Report | RejectReason:
        """What is to be counted, or why nothing is."""
        if "cross-site" in values(headers, b"sec-fetch-site"):
            return RejectReason.CROSS_SITE
        facts = self.keys.read(token) if isinstance(token, str) else token
        if facts is None:
            return RejectReason.FORGED
        now = time.time()
        if not is_alive(facts, day_of(now), self._settings.token_days):
            return RejectReason.EXPIRED
        real = tuple(event for event in events if event.kind in OF_PAGE or facts.place_of(event.slot, event.n) >= 0)
        if not real:
            return RejectReason.FOREIGN_SLOT
        if len(real) < len(events):
            self._metrics.rejected(RejectReason.FOREIGN_SLOT)
        return Report(
            facts=facts,
            nonce=nonce,
            events=real,
            invalid=self._invalid(headers, scope, webdriver),
            hour=int(now // SECONDS_AN_HOUR),
            known=self._book().slots.get(facts.site),
        )

    def _invalid(self, headers: RawHeaders, scope: Scope, webdriver: bool) -> InvalidReason | None:
        peer = _peer(scope)
        return self._judge.judge(
            headers,
            self._peers.reader(headers, peer),
            from_front=self._peers.is_front(peer),
            webdriver=webdriver,
        )

    def _over_the_limit(self, scope: Scope) -> float:
        """Seconds for which the sender has to wait; 0 for none."""
        address: Address | None = self._peers.reader(scope["headers"], _peer(scope))
        if address is None or self._peers.trust(address):
            return 0.0  # a server in front that doesn't tell its readers apart: all of them would share one limit
        return self._limit.take(address, time.monotonic())

    def _tell(self, outcome: Outcome) -> None:
        for reason, count in (
            (RejectReason.DUPLICATE, outcome.duplicate),
            (RejectReason.OUT_OF_ORDER, outcome.out_of_order),
            (RejectReason.FOREIGN_NONCE, outcome.foreign),
        ):
            if count:
                self._metrics.rejected(reason)

    # --- clicks and pictures ------------------------------------------------------------------

    def _asked(
        self, query: bytes, policy: Callable[[str], Policy | None]
    ) -> tuple[PageFacts, Slot, int, bytes | None] | None:
        """What a link or a picture of ours names: the page, the slot as the rules have it, which of its placements, and
        the view's nonce; None for what is none of ours, or of a slot that no rules have any more."""
        if len(query) > MAX_QUERY:
            return None
        try:
            pairs = parse_qsl(query.decode("ascii"), strict_parsing=True, max_num_fields=4)
        except ValueError:
            return None
        given = dict(pairs)
        number = given.get("i", "")
        placement = placement_of(given.get("s"), int(number) if number.isdecimal() and len(number) < 4 else None)
        if placement is None or len(given) < len(pairs):
            return None
        facts = self.keys.read(given.get("t", ""))
        if facts is None or facts.place_of(*placement) < 0:
            return None
        slot = self._slot(facts, placement[0], policy)
        return (facts, slot, placement[1], nonce_of(given.get("n"))) if slot is not None else None

    def _slot(self, facts: PageFacts, name: str, policy: Callable[[str], Policy | None]) -> Slot | None:
        """As the page's own rules have it, or where those are forgotten the ones in force."""
        own = policy(facts.revision)
        loaded = (rule.policy for rules in self._book().rule_sets if rules.site == facts.site for rule in rules.pages)
        policies = [own, *loaded]
        slots = (slot for one in policies if one is not None and one.site == facts.site for slot in one.slots)
        return next((slot for slot in slots if slot.name == name), None)

    async def _count_quietly(self, scope: Scope, facts: PageFacts, event: Event, nonce: bytes | None) -> None:
        """Count what the reader is answered the same whether it is counted or not."""
        if self._over_the_limit(scope):
            self._metrics.rejected(RejectReason.RATE_LIMIT)
            return
        report = self._report(scope["headers"], scope, facts, nonce, (event,))
        if isinstance(report, RejectReason):
            self._metrics.rejected(report)
            return
        try:
            self._tell(await asyncio.wait_for(self._store.count(report), CLICK_SECONDS))
        except TimeoutError:
            self._metrics.rejected(RejectReason.STORE)
        except StoreUnavailable as unavailable:
            self._metrics.rejected(RejectReason.STORE)
            self._metrics.store_problem(unavailable.problem)


def impressions_in(
    directory: Path, keys: Keyring, settings: Settings, metrics: Metrics, book: Callable[[], RuleBook]
) -> Impressions:
    """Impressions that are counted in the event store of a directory that exists."""
    writer = EventWriter(
        events_in(directory, settings),
        token_days=settings.token_days,
        event_days=settings.events_days,
        named=lambda: book().slots,
    )
    return Impressions(keys, writer, settings, metrics, book)


def events_in(directory: Path, settings: Settings) -> SqliteEvents:
    """The event store of a directory that exists."""
    return SqliteEvents(directory, sync=settings.events_sync, max_bytes=settings.events_max_bytes)


_REFERRER = b"strict-origin-when-cross-origin"
_EMPTY = ((b"content-length", b"0"), *_HEADERS)


def _target_of(slot: Slot, page: str) -> bytes:
    """Where a slot's ad on a page leads, as it goes into a field; empty for nowhere. Rules hold no other addresses than
    http, https and those of the site; some are relative to the page."""
    link = slot.creative.link if isinstance(slot.creative, ImageCreative) else ""
    return quote(urljoin(page, link), safe=":/%#?=@[]!$&'()*+,;~").encode("ascii") if link else b""


def _refusal(status: int, allow: bytes = b"", retry: int = 0) -> Answer:
    more: list[tuple[bytes, bytes]] = []
    if allow:
        more.append((b"allow", allow))
    if retry:
        more.append((b"retry-after", b"%d" % retry))
    if status in (408, 413):
        more.append((b"connection", b"close"))  # what is left of the body is not read
    return Answer(status, (*_EMPTY, *more), b"")


def _is_text(headers: RawHeaders) -> bool:
    types = values(headers, b"content-type")
    return len(types) == 1 and types[0].partition(";")[0].strip().lower() in _TYPES


def _peer(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


async def _body(receive: Receive) -> bytes | None:
    """A request's body, or enough of it to see that it is too long; None where its sender left."""
    body = b""
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body = body + bytes(message.get("body", b""))
        if len(body) > MAX_BYTES or not message.get("more_body", False):
            return body
