"""What browsers reported, as metrics: read from the event store at each scrape, zeros for all that the rules name.

The store is joint, so these counters are those of all processes of a machine, whichever of them is asked. Where the
store can't be read nothing is said of them, because a zero would be a lie that looks like a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from adproxy.event_store import DENSITY_BUCKETS, CounterKey, EventReader, StoreUnavailable
from adproxy.metrics import OTHER, RulesListener
from adproxy.model import DEVICES, EventKind, WithheldReason
from adproxy.rules.ruleset import RuleBook
from adproxy.traffic import InvalidReason

log = logging.getLogger(__name__)

MAX_ZEROS = 5_000
"""Of one metric, samples that say zero; of a thousand sites each has its series from its first event on."""
TRAFFIC = ("valid", "invalid")
_OF_SLOTS = {
    EventKind.REQUEST: ("adproxy_slot_requests_total", "Times that a browser asked for an ad for a slot."),
    EventKind.UNFILLED: ("adproxy_slot_unfilled_total", "Times that a browser asked for an ad and got none."),
    EventKind.RENDERED: (
        "adproxy_slot_impressions_total",
        "Impressions: a creative began to render in a browser that showed the page.",
    ),
    EventKind.VIEWABLE: (
        "adproxy_slot_viewable_impressions_total",
        "Impressions of which half (30 % of large ones) was in view for a second in a visible tab.",
    ),
    EventKind.CLICK: ("adproxy_slot_clicks_total", "Clicks on a slot's creative."),
}


class Funnel(RulesListener):
    """The counters of a store, with zeros for the rules that were announced last."""

    def __init__(self, reader: EventReader) -> None:
        self._reader = reader
        self._slots: Mapping[str, frozenset[str]] = {}

    def rules_loaded(self, book: RuleBook) -> None:
        """These rules are in force now."""
        self._slots = book.slots

    def collect(self) -> Iterator[Metric]:
        state = self._reader.state()  # makes the store, where it is not there yet
        try:
            counters = dict(self._reader.counters())
        except StoreUnavailable as problem:
            log.debug("the event store can't be read: %s", problem)
        else:
            yield from self._funnel(counters)
        yield GaugeMetricFamily(
            "adproxy_event_store_writable",
            "Whether the event store could be written at this scrape (1); where not (0), nothing is counted.",
            value=float(state.writable),
        )
        yield GaugeMetricFamily("adproxy_event_store_bytes", "Size of the event store on the disk.", value=state.size)
        yield GaugeMetricFamily(
            "adproxy_event_store_set_aside_files",
            "Event stores that were damaged and are kept beside the one in use.",
            value=state.set_aside,
        )

    def _funnel(self, counters: dict[CounterKey, float]) -> Iterator[Metric]:
        slots = {OTHER: {OTHER}, **{site: {OTHER, *names} for site, names in self._slots.items()}}
        yield _family(
            "adproxy_page_views_total",
            "Times that a browser showed a page with slots, however often a cache served it.",
            ("site", "traffic"),
            _with_zeros(counters, EventKind.PAGE_VIEW.value, (("", traffic, "") for traffic in TRAFFIC), slots),
            lambda key: (key.site, key.traffic),
        )
        for kind, (name, says) in _OF_SLOTS.items():
            yield _family(
                name,
                says,
                ("site", "slot", "traffic"),
                _with_zeros(counters, kind.value, ((None, traffic, "") for traffic in TRAFFIC), slots),
                lambda key: (key.site, key.slot, key.traffic),
            )
        yield _family(
            "adproxy_slot_withheld_total",
            "Slots that a browser left without an ad, by the reason for it.",
            ("site", "slot", "reason", "traffic"),
            _with_zeros(
                counters,
                EventKind.WITHHELD.value,
                ((None, traffic, reason.value) for reason in WithheldReason for traffic in TRAFFIC),
                slots,
            ),
            lambda key: (key.site, key.slot, key.reason, key.traffic),
        )
        yield _family(
            "adproxy_invalid_traffic_total",
            "Events that were counted as invalid traffic, by the first sign that gave their sender away.",
            ("site", "reason"),
            _with_zeros(counters, "invalid", (("", "invalid", reason.value) for reason in InvalidReason), slots),
            lambda key: (key.site, key.reason),
        )
        yield self._density(counters, slots)

    def _density(self, counters: dict[CounterKey, float], slots: Mapping[str, Iterable[str]]) -> Metric:
        family = HistogramMetricFamily(
            "adproxy_measured_ad_density_ratio",
            "Share of advertising in the height of the main content as browsers measured it, valid traffic alone.",
            labels=("site", "device"),
        )
        sites = {key.site for key in counters if key.name == EventKind.DENSITY.value}
        if len(slots) * len(DEVICES) * (len(DENSITY_BUCKETS) + 3) <= MAX_ZEROS:
            sites.update(slots)
        for site in sorted(sites):
            for device in DEVICES:
                key = CounterKey(EventKind.DENSITY.value, site, device, "valid", "")
                buckets: list[tuple[str, float]] = []
                seen = 0.0
                for index, bound in enumerate((*DENSITY_BUCKETS, float("inf"))):
                    seen += counters.get(key._replace(reason=str(index)), 0.0)
                    buckets.append(("+Inf" if bound == float("inf") else str(bound), seen))
                total = counters.get(key._replace(name="density_sum"), 0.0)
                family.add_metric((site, device), buckets, total)
        return family


def _with_zeros(
    counters: Mapping[CounterKey, float],
    name: str,
    kinds: Iterable[tuple[str | None, str, str]],
    slots: Mapping[str, Collection[str]],
) -> dict[CounterKey, float]:
    """The counters of one name, and zeros for each of `kinds` (slot, traffic, reason) in each site, unless these are
    too many; a slot of None stands for each of the site's."""
    own = {key: value for key, value in counters.items() if key.name == name}
    kinds = tuple(kinds)
    each = sum(which is None for which, _, _ in kinds)
    if each * sum(map(len, slots.values())) + (len(kinds) - each) * len(slots) > MAX_ZEROS:
        return own
    zeros = {
        CounterKey(name, site, slot, traffic, reason): 0.0
        for (which, traffic, reason) in kinds
        for site, names in slots.items()
        for slot in (sorted(names) if which is None else (which,))
    }
    return zeros | own


def _family(
    name: str,
    says: str,
    labels: tuple[str, ...],
    counters: Mapping[CounterKey, float],
    of: Callable[[CounterKey], Sequence[str]],
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, says, labels=labels)
    for key, value in counters.items():
        family.add_metric(of(key), value)
    return family
