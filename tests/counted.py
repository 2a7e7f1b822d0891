"""Metrics with something in every family, as after some hours of traffic: for what is drawn and asked of them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from adproxy.metrics import Metrics
from adproxy.model import Anchor, Edge, PerDevice, Placement, Plan, Reason, Refusal, SkipReason
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


class Counted:
    """`metrics`: of the server's side, and of what browsers report, under the names and labels that the README gives.
    `view` counts one page that passed and what its reader saw of it."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.metrics = Metrics(registry)
        self.metrics.rules_loaded(BOOK)
        of_slot = ("site", "slot", "traffic")

        def counter(name: str, *labels: str) -> Counter:
            return Counter(f"adproxy_{name}_total", "Counted.", labels, registry=registry)

        self.page_views = counter("page_views", "site", "traffic")
        self.requests = counter("slot_requests", *of_slot)
        self.unfilled = counter("slot_unfilled", *of_slot)
        self.withheld = counter("slot_withheld", "site", "slot", "reason", "traffic")
        self.impressions = counter("slot_impressions", *of_slot)
        self.viewable = counter("slot_viewable_impressions", *of_slot)
        self.clicks = counter("slot_clicks", *of_slot)
        self.rejected = counter("beacons_rejected", "reason")
        self.store_errors = counter("event_store_errors", "kind")
        self.measured = Histogram(
            "adproxy_measured_ad_density_ratio",
            "Measured.",
            ("site", "device"),
            buckets=(0.1, 0.2, 0.3, 0.4),
            registry=registry,
        )
        Gauge("adproxy_event_store_bytes", "Kept.", registry=registry).set(4096)

    def view(self, traffic: str = "valid") -> None:
        metrics = self.metrics
        metrics.page(SITE, "rewritten", None)
        plan = Plan(
            tuple(Placement(name, Anchor(10, Edge.BEFORE_START), 1) for name in ("top", "end")),
            (Refusal("end", Reason.NEAR_MEDIA, "40 words", "12 words"),),
            PerDevice(0.22, 0.12),
            PerDevice(2000, 1500),
        )
        metrics.planned(SITE, POLICY, plan)
        metrics.observe_rewrite(0.0005)
        metrics.observe_added_first_byte(0.0007)
        self.page_views.labels(SITE, traffic).inc()
        for counter in (self.requests, self.impressions, self.viewable, self.clicks):
            counter.labels(SITE, "top", traffic).inc()
        self.requests.labels(SITE, "end", traffic).inc(2)
        self.unfilled.labels(SITE, "end", traffic).inc()
        self.unfilled.labels(SITE, "top", traffic).inc(0)
        self.impressions.labels(SITE, "end", traffic).inc()
        self.viewable.labels(SITE, "end", traffic).inc(0)
        self.clicks.labels(SITE, "end", traffic).inc(0)
        self.withheld.labels(SITE, "end", "no_consent", traffic).inc()
        self.measured.labels(SITE, "phone").observe(0.21)

    def request(self, site: str, *slots: str) -> None:
        """A browser asked for an ad for each of these slots."""
        for slot in slots:
            self.requests.labels(site, slot, "valid").inc()

    def trouble(self) -> None:
        """One of everything that goes wrong."""
        self.metrics.page(SITE, "failed_open", SkipReason.TIMEOUT)
        self.metrics.page(SITE, "skipped", SkipReason.CSP)
        self.metrics.error("internal")
        self.rejected.labels("forged").inc()
        self.store_errors.labels("busy").inc()
