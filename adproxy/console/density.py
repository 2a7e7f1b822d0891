"""How much of a page is advertising, by site and device, beside what the rules allow."""

from __future__ import annotations

from dataclasses import dataclass

from adproxy.console import charts
from adproxy.console.readings import Readings, Spread, finite

MAX_ROWS = 100
"""What is beyond is in the metrics."""


@dataclass(frozen=True, slots=True)
class Density:
    """How much advertising a site's pages carry on one device."""

    site: str
    device: str
    pages: float
    median: float | None
    p95: float | None
    limit: float | None
    over: float | None
    """The share of pages over the limit, where a bucket ends there."""
    columns: tuple[charts.Column, ...]

    @property
    def is_over(self) -> bool:
        """More than one page in twenty has more than its rules allow."""
        return self.p95 is not None and self.limit is not None and self.p95 > self.limit + 1e-9


def densities(now: Readings) -> list[Density]:
    """By site and device, those with pages first."""
    limits = now.by("adproxy_page_ad_density_limit_ratio", "site", "device")
    spreads = now.spreads("adproxy_page_ad_density_ratio", "site", "device")
    worth_a_row = [key for key, spread in spreads.items() if spread.total or key in limits]
    worth_a_row.sort(key=lambda key: (not spreads[key].total, key[0], key[1] != "phone"))
    return [
        _density(site, device, limits.get((site, device)), spreads[site, device])
        for site, device in worth_a_row[:MAX_ROWS]
    ]


def _density(site: str, device: str, limit: float | None, spread: Spread) -> Density:
    names = charts.range_names(spread.bounds, lambda bound: f"{100 * bound:.0f}", " %")
    starts = (-1.0, *spread.bounds[:-1])
    over_from = next((n for n, start in enumerate(starts) if limit is not None and start >= limit), None)
    return Density(
        site=site,
        device=device,
        pages=spread.total,
        median=finite(spread.quantile(0.5)),
        p95=finite(spread.quantile(0.95)),
        limit=limit,
        over=spread.over(limit) if limit is not None else None,
        columns=charts.columns(names, spread.columns(), over_from=over_from),
    )
