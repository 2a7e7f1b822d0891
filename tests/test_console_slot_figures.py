"""A slot's counters from placed to clicked."""

from __future__ import annotations

from counted import SITE, Counted

from adproxy.console.readings import Readings
from adproxy.console.slot_figures import SlotFigures, missing, slot_figures, together
from adproxy.metrics import OTHER, Metrics


def counted() -> Readings:
    it = Counted()
    for traffic in ("valid", "valid", "valid", "valid", "invalid"):
        it.view(traffic)
    return Readings(it.metrics.families())


def test_each_slot_has_its_counters_of_valid_traffic() -> None:
    rows = {(row.site, row.slot): row for row in slot_figures(counted())}
    top, end = rows[SITE, "top"], rows[SITE, "end"]
    assert rows[OTHER, OTHER].is_idle
    assert top == SlotFigures(
        site=SITE, slot="top", placed=5, requested=4, unfilled=0, withheld=0, impressions=4, viewable=4, clicks=4
    )
    assert (end.requested, end.unfilled, end.withheld, end.impressions, end.clicks) == (8, 4, 4, 4, 0)


def test_rates_are_of_what_comes_before() -> None:
    row = SlotFigures(site="a", slot="b", requested=10, unfilled=2, impressions=5, viewable=4, clicks=1)
    assert (row.filled, row.fill_rate, row.viewability, row.click_rate) == (8, 0.8, 0.8, 0.2)


def test_what_is_not_counted_has_no_rate_and_is_named() -> None:
    alone = Readings(Metrics().families())
    assert missing(counted()) == []
    assert "adproxy_slot_placements_total" not in missing(alone)
    (other,) = slot_figures(alone)
    unknown = [metric for metric in missing(alone) if metric == "adproxy_slot_clicks_total"]
    assert (other.clicks is None) == bool(unknown)
    bare = SlotFigures(site="a", slot="b", placed=3)
    assert (bare.filled, bare.fill_rate, bare.viewability, bare.click_rate) == (None, None, None, None)


def test_several_slots_together_are_their_sums() -> None:
    one = SlotFigures(site="a", slot="b", placed=3, clicks=1)
    two = SlotFigures(site="a", slot="c", placed=4)
    assert together([one, two], "", "") == SlotFigures(site="", slot="", placed=7, clicks=1)
    assert together([], "", "") == SlotFigures(site="", slot="")
