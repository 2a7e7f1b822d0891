"""One scrape to be asked for sums."""

from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram

from adproxy.console.readings import NOTHING_SPREAD, Readings, Spread, share

INF = math.inf
SPREAD = Spread((0.0, 0.1, 0.2, INF), (10.0, 50.0, 90.0, 100.0))


def readings() -> Readings:
    registry = CollectorRegistry()
    clicks = Counter("clicks_total", "Clicks.", ("site", "slot", "traffic"), registry=registry)
    for site, slot, traffic, count in (("a", "x", "valid", 3), ("a", "x", "invalid", 5), ("b", "x", "valid", 7)):
        clicks.labels(site, slot, traffic).inc(count)
    Counter("quiet_total", "Has no series.", ("site",), registry=registry)
    waits = Histogram("waits_seconds", "Waits.", ("site",), buckets=(0.1, 0.2), registry=registry)
    waits.labels("a").observe(0.05)
    waits.labels("b").observe(0.15)
    return Readings(registry.collect())


def test_sums_are_over_the_series_that_have_the_labels() -> None:
    now = readings()
    assert now.sum("clicks_total") == 15
    assert now.sum("clicks_total", site="a") == 8
    assert now.sum("clicks_total", site="a", valid=True) == 3
    assert now.by("clicks_total", "site", "slot") == {("a", "x"): 8, ("b", "x"): 7}
    assert now.by("clicks_total", "traffic", valid=True) == {("valid",): 10}


def test_what_is_not_counted_is_told_from_what_stands_at_zero() -> None:
    now = readings()
    assert now.sum("quiet_total") == 0
    assert now.sum("clicks_total", site="nobody") == 0
    assert now.sum("no_such_total") is None


def test_histograms_are_added_up() -> None:
    assert readings().spread("waits_seconds") == Spread((0.1, 0.2, INF), (1.0, 2.0, 2.0))
    assert readings().spread("waits_seconds", site="b").counts == (0.0, 1.0, 1.0)
    assert readings().spread("no_such_seconds") == NOTHING_SPREAD


@pytest.mark.parametrize(
    ("part", "value"), [(0.05, 0.0), (0.3, 0.05), (0.5, 0.1), (0.7, 0.15), (0.9, 0.2), (0.95, INF)]
)
def test_quantiles_lie_straight_between_two_bounds(part: float, value: float) -> None:
    assert SPREAD.quantile(part) == pytest.approx(value)


def test_nothing_observed_has_no_quantile_and_no_share_over_a_limit() -> None:
    assert NOTHING_SPREAD.quantile(0.5) is None
    assert Spread((0.1, INF), (0.0, 0.0)).over(0.1) is None


def test_the_share_over_a_limit_is_told_where_a_bucket_ends_there() -> None:
    assert SPREAD.over(0.2) == pytest.approx(0.1)
    assert SPREAD.over(0.15) is None


def test_columns_are_what_lies_between_two_bounds() -> None:
    assert SPREAD.columns() == (10, 40, 40, 10)


def test_what_came_since_is_all_of_it_where_counting_began_anew() -> None:
    earlier = Spread(SPREAD.bounds, (5.0, 20.0, 40.0, 40.0))
    assert SPREAD.since(earlier).counts == (5, 30, 50, 60)
    assert earlier.since(SPREAD) == earlier
    assert SPREAD.since(NOTHING_SPREAD) == SPREAD


def test_a_share_of_nothing_is_unknown() -> None:
    assert share(1, 4) == 0.25
    assert share(0, 4) == 0
    assert share(1, 0) is None
    assert share(None, 4) is None
    assert share(1, None) is None
