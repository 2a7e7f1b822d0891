"""From a slot that was placed to a click on its ad: the counters of one slot, and what can be said of them.

Placed is counted where pages are made, all that follows in browsers. A cache shows one page many times, so more may be
requested than was placed. Only valid traffic is in here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adproxy.console.readings import Readings, share

STAGES = ("placed", "requested", "filled", "impressions", "viewable", "clicks")
_METRICS = {
    "placed": "adproxy_slot_placements_total",
    "requested": "adproxy_slot_requests_total",
    "unfilled": "adproxy_slot_unfilled_total",
    "withheld": "adproxy_slot_withheld_total",
    "impressions": "adproxy_slot_impressions_total",
    "viewable": "adproxy_slot_viewable_impressions_total",
    "clicks": "adproxy_slot_clicks_total",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFigures:
    """The counters of one slot, or of several together. None: there is no such counter."""

    site: str
    slot: str
    placed: float | None = None
    requested: float | None = None
    unfilled: float | None = None
    withheld: float | None = None
    impressions: float | None = None
    viewable: float | None = None
    clicks: float | None = None

    @property
    def filled(self) -> float | None:
        """Requests that an ad came of."""
        if self.requested is None or self.unfilled is None:
            return None
        return max(0.0, self.requested - self.unfilled)

    @property
    def fill_rate(self) -> float | None:
        return share(self.filled, self.requested)

    @property
    def viewability(self) -> float | None:
        return share(self.viewable, self.impressions)

    @property
    def click_rate(self) -> float | None:
        """Clicks for each impression."""
        return share(self.clicks, self.impressions)

    @property
    def is_idle(self) -> bool:
        """Nothing was counted."""
        return not any((self.placed, self.requested, self.withheld, self.impressions, self.viewable, self.clicks))


def slot_figures(now: Readings) -> list[SlotFigures]:
    """One for each slot, by site and name."""
    counted = {field: now.by(metric, "site", "slot", valid=True) for field, metric in _METRICS.items()}
    keys = sorted({(site, slot) for counts in counted.values() for site, slot in counts})
    return [
        SlotFigures(
            site=site,
            slot=slot,
            **{
                field: counts.get((site, slot), 0.0) if _METRICS[field] in now else None
                for field, counts in counted.items()
            },
        )
        for site, slot in keys
    ]


def together(rows: Iterable[SlotFigures], site: str, slot: str) -> SlotFigures:
    """The sum of several."""
    rows = list(rows)
    sums: dict[str, float | None] = {}
    for field in _METRICS:
        values = [value for row in rows if (value := getattr(row, field)) is not None]
        sums[field] = sum(values) if values else None
    return SlotFigures(site=site, slot=slot, **sums)


def missing(now: Readings) -> list[str]:
    """Those of these metrics that are not there."""
    return [metric for metric in _METRICS.values() if metric not in now]
