"""Metrics with something in every family, as after some hours of traffic: for what is drawn and asked of them."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from itertools import count
from pathlib import Path

from reports import report

from adproxy.beacon import Event
from adproxy.event_store import RejectReason, StoreProblem
from adproxy.funnel import Funnel
from adproxy.metrics import Metrics
from adproxy.model import (
    Anchor,
    Edge,
    EventKind,
    PerDevice,
    Placement,
    Plan,
    Reason,
    Refusal,
    SkipReason,
    WithheldReason,
)
from adproxy.rules.ruleset import (
    ByPage,
    FixedPlace,
    KeepClear,
    Limits,
    PageRule,
    Policy,
    RuleBook,
    RuleSet,
    Size,
    SizeMap,
    Slot,
)
from adproxy.sqlite_events import SqliteEvents
from adproxy.tokens import PageFacts
from adproxy.traffic import InvalidReason

SITE = "asia-news"
_SIZES = SizeMap(((0, (Size(300, 250),)),))
POLICY = Policy(
    site=SITE,
    article=None,
    sidebar=None,
    limits=Limits(),
    keep_clear=KeepClear(),
    slots=tuple(Slot(name, FixedPlace.ABOVE_HEADLINE, _SIZES, ByPage()) for name in ("top", "end")),
    revision="0123456789ab",
)
BOOK = RuleBook(
    rule_sets=(RuleSet(SITE, (), (PageRule("/**", POLICY, "site.yaml:3"),), "site.yaml"),), revision="0123456789ab"
)
PLAN = Plan(
    tuple(Placement(name, Anchor(10, Edge.BEFORE_START), 1) for name in ("top", "end")),
    (Refusal("end", Reason.NEAR_MEDIA, "40 words", "12 words"),),
    PerDevice(0.22, 0.12),
    PerDevice(2000, 1500),
)
SEEN = (
    Event(EventKind.PAGE_VIEW),
    *(Event(kind, "top", 1) for kind in (EventKind.REQUEST, EventKind.RENDERED, EventKind.VIEWABLE, EventKind.CLICK)),
    *(Event(EventKind.REQUEST, "end", n) for n in (1, 2)),
    Event(EventKind.RENDERED, "end", 1),
    Event(EventKind.UNFILLED, "end", 2),
    Event(EventKind.WITHHELD, "end", 3, reason=WithheldReason.NO_CONSENT),
    Event(EventKind.DENSITY, share=0.21, device="phone"),
)
"""What a reader's browser says of a page: its ad on top was seen and followed; at the end one ad was not in view, one
request came to nothing, and one ad was withheld."""


class Counted:
    """`metrics`: of the server's side, and of what browsers report from an event store of its own."""

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="adproxy-counted-")
        self._store = SqliteEvents(Path(folder), sync="normal")
        self._store.state()
        self._nonces = count(1)
        self.metrics = Metrics()
        self.metrics.show_funnel(Funnel(SqliteEvents(Path(folder))))
        self.metrics.rules_loaded(BOOK)
        # the store is there for as long as somebody may ask the metrics
        weakref.finalize(self.metrics, shutil.rmtree, folder, ignore_errors=True)

    def view(self, traffic: str = "valid") -> None:
        """A page passed, and its reader saw it."""
        metrics = self.metrics
        metrics.planned(SITE, POLICY, PLAN)
        metrics.observe_rewrite(0.0005)
        metrics.observe_added_first_byte(0.0007)
        self._count(SITE, {"top": 1, "end": 3}, SEEN, None if traffic == "valid" else InvalidReason.CRAWLER)

    def request(self, site: str, *slots: str) -> None:
        """A browser asked for an ad for each of these slots."""
        self._count(site, dict.fromkeys(slots, 1), tuple(Event(EventKind.REQUEST, slot, 1) for slot in slots), None)

    def trouble(self) -> None:
        """One of everything that goes wrong."""
        self.metrics.page(SITE, "failed_open", SkipReason.TIMEOUT)
        self.metrics.page(SITE, "skipped", SkipReason.CSP)
        self.metrics.error("internal")
        self.metrics.rejected(RejectReason.FORGED)
        self.metrics.store_problem(StoreProblem.BUSY)

    def _count(
        self, site: str, slots: dict[str, int], events: tuple[Event, ...], invalid: InvalidReason | None
    ) -> None:
        facts = PageFacts(site, "/story", "0123456789ab", 20_000, tuple(slots.items()))
        known = frozenset(slots)
        (outcome,) = self._store.count([report(next(self._nonces), *events, facts=facts, invalid=invalid, known=known)])
        assert outcome.counted == len(events)
