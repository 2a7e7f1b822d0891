"""Every metric that the server side counts, in one class with a registry of its own.

Label values come from loaded rules and closed enums, never from a request: a site or slot that no loaded rules name is
counted as ``_other``, and so is everything new once `MAX_SERIES` series exist. What the rules name exists as a zero
before its first event, because ``rate()`` can't see the step from absent to one.

Counters and histograms are the events; the state of the rules is told by a collector apart, since a sum over several
worker processes means something for the first and nothing for the second.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, cast

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from adproxy.event_store import RejectReason, StoreProblem
from adproxy.model import DEVICES, FAIL_OPEN, NOTHING, PerDevice, Plan, Reason, SkipReason
from adproxy.rules.ruleset import Policy, RuleBook

log = logging.getLogger(__name__)

MAX_SERIES = 10_000
"""Series with labels; 10,000 cost about 7 MB and 0.1 s of each scrape."""
MAX_LIMITS = 500
"""Sites whose density limits are told: two series each."""
OTHER = "_other"
"""Stands for a site or slot that no loaded rules name, and for what came after `MAX_SERIES`."""
NO_REASON = "none"
"""The reason label of a page that was rewritten."""

Outcome = Literal["rewritten", "skipped", "failed_open"]


class ErrorKind(str, Enum):
    """Whose fault an answer of 5xx was that adproxy made itself. Closed: a metric's label."""

    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_PROTOCOL = "upstream_protocol"
    OVERLOAD = "overload"
    EVENT_STORE = "event_store"
    """A report of a browser could not be kept."""
    INTERNAL = "internal"


class CacheResult(str, Enum):
    """What became of the look-up of a page. Closed: a metric's label."""

    HIT = "hit"
    """The same bytes were decided before."""
    NEAR = "near"
    """They differ from an earlier version in what no plan depends on."""
    MISS = "miss"


# the limits that rules commonly set (25 and 30 %) are bounds, so "pages over the limit" can be read off exactly
DENSITY_BUCKETS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
# a page seen before takes microseconds, a long one parsed on a slow core tens of milliseconds
SECONDS_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

_DENSITY_SERIES = len(DENSITY_BUCKETS) + 3  # the bucket of infinity, the sum and the count


@dataclass(slots=True)
class _Site:
    """The children of one site, found by plain dict look-ups."""

    name: str
    pages: dict[tuple[str, SkipReason | None], Counter] = field(default_factory=dict)
    with_slots: Counter | None = None
    placements: dict[str, Counter] = field(default_factory=dict)
    rehearsals: dict[str, Counter] = field(default_factory=dict)
    """Placements of a dry run."""
    refusals: dict[tuple[str, Reason], Counter] = field(default_factory=dict)
    density: tuple[Histogram, Histogram] | None = None
    """In the order of `DEVICES`."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What one planned page counts each time that it is sent: series, found once."""

    count: Callable[[], None]
    """The page was sent."""
    size: int
    """Bytes that it takes, about."""


def together(values: Sequence[tuple[Any, float]]) -> Callable[[], None]:
    """What adds amounts to some of the client library's values, in a call for all where their class knows how to
    (``together``): a page counts two dozen of them, and the library asks a lot of each."""
    if not values:
        return lambda: None
    make = getattr(type(values[0][0]), "together", None)
    if make is not None:
        return cast(Callable[[], None], make(values))
    each = [(value.inc, amount) for value, amount in values]

    def add() -> None:
        for inc, amount in each:
            inc(amount)

    return add


def _observed(histogram: Any, value: float) -> tuple[tuple[Any, float], ...]:
    """What a histogram adds up for a value."""
    bucket = histogram._buckets[bisect_left(histogram._upper_bounds, value)]
    return (histogram._sum, value), (bucket, 1)


def _stopwatch(histogram: Any) -> Callable[[float], None]:
    """A histogram's `observe`, for what is observed of every page; by the class of its values, if that knows how to
    (``watch``)."""
    make = getattr(type(histogram._sum), "watch", None)
    if make is not None:
        return cast(Callable[[float], None], make(histogram._upper_bounds, histogram._sum, histogram._buckets))
    bounds, total = histogram._upper_bounds, histogram._sum.inc
    buckets = [bucket.inc for bucket in histogram._buckets]

    def observe(value: float) -> None:
        total(value)
        buckets[bisect_left(bounds, value)](1)

    return observe


class CacheState(Collector):
    """How much room what is remembered takes, asked at each scrape."""

    def __init__(self) -> None:
        self.size: Callable[[], int] = int

    def collect(self) -> Iterator[Metric]:
        yield cache_bytes(self.size())


def cache_bytes(size: int) -> Metric:
    """The gauge of what is remembered of pages."""
    return GaugeMetricFamily(
        "adproxy_page_cache_bytes", "Bytes that what is remembered of pages takes, in all processes.", value=size
    )


class RulesState(Collector):
    """The rules in force, told at each scrape; nothing is said before the first load."""

    def __init__(self) -> None:
        self.revision: str | None = None
        self._limits: tuple[tuple[str, PerDevice], ...] = ()
        self._loaded_at = 0.0
        self._successful: bool | None = None

    def rules_loaded(self, book: RuleBook) -> None:
        """The rules in force are now these."""
        self.revision = book.revision
        self._limits = tuple(density_limits(book).items())[:MAX_LIMITS]
        self._loaded_at = time.time()
        self._successful = True

    def rules_failed(self) -> None:
        """The last attempt to load the rules failed; those from before, if any, stay in force."""
        self._successful = False

    def collect(self) -> Iterator[Metric]:
        revision, loaded_at, successful = self.revision, self._loaded_at, self._successful
        if successful is not None:
            yield GaugeMetricFamily(
                "adproxy_rules_last_reload_successful",
                "Whether the last attempt to load the rules succeeded (1) or kept the rules from before it (0).",
                value=float(successful),
            )
        if revision is not None:
            yield InfoMetricFamily("adproxy_rules", "The revision of the rules in force.", value={"revision": revision})
            yield GaugeMetricFamily(
                "adproxy_rules_last_reload_timestamp_seconds",
                "Unix time at which the rules in force were loaded.",
                value=loaded_at,
            )
            limits = GaugeMetricFamily(
                "adproxy_page_ad_density_limit_ratio",
                "The largest share of advertising that the rules allow on any page of the site, by device.",
                labels=["site", "device"],
            )
            for site, shares in self._limits:
                for device in DEVICES:
                    limits.add_metric([site, device], shares.on(device))
            yield limits


def density_limits(book: RuleBook) -> dict[str, PerDevice]:
    """By site the largest share of advertising that its rules allow on any page; sites without ads have none."""
    found: dict[str, PerDevice] = {}
    for rule_set in book.rule_sets:
        for rule in rule_set.pages:
            if rule.policy is not None:
                share, known = rule.policy.limits.ad_share, found.get(rule_set.site, NOTHING)
                found[rule_set.site] = PerDevice(max(share.phone, known.phone), max(share.desktop, known.desktop))
    return found


class RulesListener(Collector, ABC):
    """A collector that has to know the rules in force."""

    @abstractmethod
    def rules_loaded(self, book: RuleBook) -> None:
        """These rules are in force now."""


class Exposition(ABC):
    """Metrics to be read: by Prometheus, and by people."""

    @abstractmethod
    def _collect(self) -> Iterable[Metric]:
        """All families with their samples."""

    def families(self) -> Iterator[Metric]:
        """All metrics with their samples, as a scrape sees them: without the client library's ``_created`` series,
        which would double the bill."""
        for family in self._collect():
            created = family.name + "_created"
            family.samples = [sample for sample in family.samples if sample.name != created]
            yield family

    def exposition(self, accept: str | None = None) -> tuple[bytes, str]:
        """The answer to a scrape: its body and its content type, in the format that the `Accept` header asks for."""
        try:
            encode, content_type = choose_encoder(accept or "")
        except (TypeError, ValueError):  # a version that is no version
            encode, content_type = choose_encoder("")
        return encode(_Registry(self)), content_type


class _Registry(Collector):
    """An exposition in the shape in which the client library's encoders take metrics."""

    def __init__(self, metrics: Exposition) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics.families()


class Metrics(Exposition):
    """All metrics of one process. Safe to call from several threads; no method ever raises for what it is given."""

    def __init__(self, registry: CollectorRegistry | None = None, *, max_series: int = MAX_SERIES) -> None:
        """`registry`: where to register; None makes one of our own, so two instances never meet. `max_series`: how many
        series with labels may be made, `MAX_SERIES` at most; those of ``_other`` always are."""
        self.registry = registry if registry is not None else CollectorRegistry()
        self._max_series = MAX_SERIES
        self._pages = Counter(
            "adproxy_pages_total",
            "HTML pages that passed through, by what became of them and why.",
            ("site", "outcome", "reason"),
            registry=self.registry,
        )
        self._with_slots = Counter(
            "adproxy_pages_with_slots_total",
            "Pages that were sent with at least one slot.",
            ("site",),
            registry=self.registry,
        )
        self._placements = Counter(
            "adproxy_slot_placements_total",
            "Slots put on pages that were sent; a cache in front may show one page many times.",
            ("site", "slot"),
            registry=self.registry,
        )
        self._rehearsed = Counter(
            "adproxy_dry_run_slot_placements_total",
            "Slots that a dry run would have put on pages.",
            ("site", "slot"),
            registry=self.registry,
        )
        self._refusals = Counter(
            "adproxy_slot_refusals_total",
            "Slots and candidate positions that were refused, by the reason for it; a page has many candidates.",
            ("site", "slot", "reason"),
            registry=self.registry,
        )
        self._density = Histogram(
            "adproxy_page_ad_density_ratio",
            "Estimated share of advertising in the height of the main content of planned pages, by device.",
            ("site", "device"),
            buckets=DENSITY_BUCKETS,
            registry=self.registry,
        )
        self._rewrite = Histogram(
            "adproxy_rewrite_seconds",
            "Time from a page's complete body to the bytes that are sent.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._first_byte = Histogram(
            "adproxy_added_first_byte_seconds",
            "Time from the first byte that arrived to the first byte that was sent: what the reader waits for adproxy.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._cache = Counter(
            "adproxy_page_cache_lookups_total",
            "Pages that were looked for among those decided before, by what was found.",
            ("result",),
            registry=self.registry,
        )
        self._cache_evictions = Counter(
            "adproxy_page_cache_evictions_total",
            "Pages that were forgotten to make room for others.",
            registry=self.registry,
        )
        self._errors = Counter(
            "adproxy_errors_total",
            "Answers of 5xx that adproxy made itself, by kind.",
            ("kind",),
            registry=self.registry,
        )
        self._rejected = Counter(
            "adproxy_beacons_rejected_total",
            "Reports of browsers that were not counted, or not all of what they said, by why.",
            ("reason",),
            registry=self.registry,
        )
        self._store_errors = Counter(
            "adproxy_event_store_errors_total",
            "Reports that could not be counted because of the event store, by what was wrong with it.",
            ("kind",),
            registry=self.registry,
        )
        self._report = Histogram(
            "adproxy_report_seconds",
            "Time from a report's arrival until it was kept in the event store.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._state = RulesState()
        self._cache_state = CacheState()
        self.registry.register(self._cache_state)
        self.registry.register(self._state)
        self._funnel: RulesListener | None = None
        self._states: list[Collector] = []
        self._book: RuleBook | None = None

        self._lock = threading.Lock()  # around making series; counting takes only the client library's own locks
        self._series = 0
        self._said_full = False
        self._error_kinds: dict[str, Counter] = {
            kind: self._errors.labels(kind) for kind in (*(kind.value for kind in ErrorKind), OTHER)
        }
        looked_up: list[tuple[CacheResult, Any]] = [
            (result, self._cache.labels(result.value)) for result in CacheResult
        ]
        self._cache_results = {result: together([(child._value, 1)]) for result, child in looked_up}
        self._observe_rewrite, self._observe_first_byte = _stopwatch(self._rewrite), _stopwatch(self._first_byte)
        self._rejections = {reason: self._rejected.labels(reason.value) for reason in RejectReason}
        self._store_problems = {kind: self._store_errors.labels(kind.value) for kind in StoreProblem}
        self._sites: dict[str, _Site] = {}
        # made first, while there is room for certain
        self._other = _Site(OTHER)
        self._make(self._other, (OTHER,))
        self._max_series = min(max_series, MAX_SERIES)

    # --- events ---------------------------------------------------------------------------

    def page(self, site: str, outcome: Outcome, reason: SkipReason | None = None) -> None:
        """Count a page that passed; one that was rewritten (`reason` is None then) is counted by `planned`."""
        known = self._sites.get(site, self._other)
        child = known.pages.get((outcome, reason))
        if child is None:
            child = self._other.pages.get((outcome, reason)) or self._other.pages["failed_open", SkipReason.ERROR]
        child.inc()

    def planned(self, site: str, policy: Policy, plan: Plan, *, sent: bool = True) -> None:
        """Count a page that was rewritten: itself, its placements, refusals and density.

        `policy` is what it was planned by; its site and slots are loaded rules, so they may become labels even where
        no book was announced. `sent`: False in a dry run, where the placements are those that would have been, and the
        page is one that passed.
        """
        self.tally(policy, plan, site, sent=sent).count()

    def tally(self, policy: Policy, plan: Plan, site: str | None = None, *, sent: bool = True) -> Tally:
        """What `planned` counts, with its series found, for pages that are sent more than once. `site`: the policy's
        where None is given."""
        known = self._sites.get(policy.site if site is None else site)
        if known is None:
            known = self._learn(policy) if site in (None, policy.site) else self._other
        found: dict[Any, int] = {}

        def add(counter: Counter) -> None:
            found[counter] = found.get(counter, 0) + 1

        if sent:
            add(known.pages["rewritten", None])
        if sent and plan.placements and known.with_slots is not None:
            add(known.with_slots)
        for placement in plan.placements:
            add((self._placement if sent else self._rehearsal)(known, placement.slot))
        for refusal in plan.refusals:
            child = known.refusals.get((refusal.slot, refusal.reason))
            add(child if child is not None else self._refusal(known, refusal.slot, refusal.reason))
        values: list[tuple[Any, float]] = [(counter._value, amount) for counter, amount in found.items()]
        if known.density is not None:
            # a share of nothing says nothing
            for device, histogram in zip(DEVICES, known.density, strict=True):
                if plan.content.on(device) > 0:
                    values += _observed(histogram, plan.density.on(device))
        return Tally(together(values), 300 + 120 * len(values))

    def cache_counter(self, result: CacheResult) -> Callable[[], None]:
        """What counts the look-up of a page that ended in this way."""
        return self._cache_results[result]

    def cache_evicted(self, pages: int) -> None:
        """Count pages that were forgotten to make room."""
        self._cache_evictions.inc(pages)

    def observe_rewrite(self, seconds: float) -> None:
        """Time that one page's rewrite took."""
        self._observe_rewrite(seconds)

    def observe_added_first_byte(self, seconds: float) -> None:
        """Time by which the reader's first byte came later because of us."""
        self._observe_first_byte(seconds)

    def error(self, kind: str) -> None:
        """Count an answer of 5xx of our own; a kind outside of `ErrorKind` is counted as ``_other``."""
        self._error_kinds.get(kind, self._error_kinds[OTHER]).inc()

    def rejected(self, reason: RejectReason) -> None:
        """Count a report of a browser that was not counted, or not all of it."""
        self._rejections[reason].inc()

    def store_problem(self, problem: StoreProblem) -> None:
        """Count a report that the event store could not keep."""
        self._store_problems[problem].inc()

    def observe_report(self, seconds: float) -> None:
        """Time that it took to keep one report."""
        self._report.observe(seconds)

    # --- the rules ------------------------------------------------------------------------

    def show(self, state: Collector) -> None:
        """Tell what `state` collects along with the rest."""
        self._states.append(state)

    def show_funnel(self, funnel: RulesListener) -> None:
        """Tell what `funnel` collects along with the rest: the counters of the event store."""
        self._funnel = funnel
        if self._book is not None:
            funnel.rules_loaded(self._book)

    def cache_size(self) -> int:
        """Bytes that what is remembered of pages takes in this process."""
        return self._cache_state.size()

    def show_cache(self, size: Callable[[], int]) -> None:
        """Tell how many bytes `size` says that what is remembered of pages takes."""
        self._cache_state.size = size

    def rules_loaded(self, book: RuleBook) -> None:
        """The rules in force are now these: announce them, and make zeros for all that they name."""
        slots_of: dict[str, list[str]] = {}
        for rule_set in book.rule_sets:
            slots = slots_of.setdefault(rule_set.site, [])
            for rule in rule_set.pages:
                if rule.policy is not None:
                    slots.extend(slot.name for slot in rule.policy.slots)
        with self._lock:
            for name, slots in slots_of.items():
                self._learn_locked(name, slots)
            self._zero_refusals_locked(slots_of)
        self._state.rules_loaded(book)
        self._book = book
        if self._funnel is not None:
            self._funnel.rules_loaded(book)

    def rules_failed(self) -> None:
        """The last attempt to load the rules failed; those from before, if any, stay in force."""
        self._state.rules_failed()

    def _collect(self) -> Iterable[Metric]:
        yield from self.registry.collect()
        if self._funnel is not None:
            yield from self._funnel.collect()
        for state in self._states:
            yield from state.collect()

    # --- series ---------------------------------------------------------------------------

    def _learn(self, policy: Policy) -> _Site:
        with self._lock:
            return self._learn_locked(policy.site, [slot.name for slot in policy.slots])

    def _learn_locked(self, name: str, slots: Iterable[str]) -> _Site:
        known = self._sites.get(name)
        if known is None:
            fresh = _Site(name)
            if not self._make(fresh, ()):
                return self._other
            known = self._sites[name] = fresh
        self._make_placements(known, slots)
        return known

    def _make(self, site: _Site, slots: Iterable[str]) -> bool:
        """The series that every site has, all or none of them."""
        reasons: list[tuple[Outcome, SkipReason | None]] = [("rewritten", None)]
        reasons += [("failed_open" if reason in FAIL_OPEN else "skipped", reason) for reason in SkipReason]
        if not self._room(len(reasons) + 1 + len(DEVICES) * _DENSITY_SERIES):
            return False
        site.pages = {
            (outcome, reason): self._pages.labels(site.name, outcome, reason.value if reason else NO_REASON)
            for outcome, reason in reasons
        }
        site.with_slots = self._with_slots.labels(site.name)
        phone, desktop = (self._density.labels(site.name, device) for device in DEVICES)
        site.density = (phone, desktop)
        self._make_placements(site, slots)
        return True

    def _make_placements(self, site: _Site, slots: Iterable[str]) -> None:
        for slot in slots:
            if slot not in site.placements and self._room(1):
                site.placements[slot] = self._placements.labels(site.name, slot)

    def _zero_refusals_locked(self, slots_of: dict[str, list[str]]) -> None:
        """Zeros for every refusal that could happen, if they leave half of the room to what comes later; many sites
        with many slots get theirs as they happen instead."""
        wanted = [
            (site, slot, reason)
            for site, slots in ((self._sites.get(name), slots) for name, slots in slots_of.items())
            if site is not None
            for slot in dict.fromkeys(slots)
            if slot in site.placements
            for reason in Reason
            if (slot, reason) not in site.refusals
        ]
        if self._series + len(wanted) <= self._max_series // 2:
            for site, slot, reason in wanted:
                self._make_refusal(site, slot, reason)

    def _make_refusal(self, site: _Site, slot: str, reason: Reason) -> Counter | None:
        if not self._room(1):
            return None
        child = site.refusals[slot, reason] = self._refusals.labels(site.name, slot, reason.value)
        return child

    def _placement(self, site: _Site, slot: str) -> Counter:
        return site.placements.get(slot) or self._other.placements[OTHER]

    def _rehearsal(self, site: _Site, slot: str) -> Counter:
        """A placement of a dry run; at most as many series as there are of placements, made when they are needed."""
        with self._lock:
            child = site.rehearsals.get(slot)
            if child is None and slot in site.placements and self._room(1):
                child = site.rehearsals[slot] = self._rehearsed.labels(site.name, slot)
        return child if child is not None else self._rehearsed.labels(OTHER, OTHER)

    def _refusal(self, site: _Site, slot: str, reason: Reason) -> Counter:
        """A refusal's first time. In ``_other`` there are as many as there are reasons: they need no room."""
        with self._lock:
            child = site.refusals.get((slot, reason))
            if child is None and slot in site.placements:
                child = self._make_refusal(site, slot, reason)
            if child is None:
                child = self._other.refusals.get((OTHER, reason))
            if child is None:
                child = self._refusals.labels(OTHER, OTHER, reason.value)
                self._other.refusals[OTHER, reason] = child
            return child

    def _room(self, series: int) -> bool:
        if self._series + series <= self._max_series:
            self._series += series
            return True
        if not self._said_full:
            self._said_full = True
            log.warning("%d metric series exist; further sites and slots are counted as %s", self._series, OTHER)
        return False
