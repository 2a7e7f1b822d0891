"""How much of a page is advertising, beside what the rules allow."""

from __future__ import annotations

import pytest
from counted import SITE, Counted

from adproxy.console.density import densities
from adproxy.console.readings import Readings


def test_each_device_has_its_figures_and_its_limit() -> None:
    counted = Counted()
    for _ in range(10):
        counted.view()
    phone, desktop = densities(Readings(counted.metrics.families()))
    assert (phone.site, phone.device, phone.pages, phone.limit) == (SITE, "phone", 10, 0.3)
    assert phone.median == pytest.approx(0.225)
    assert phone.p95 == pytest.approx(0.2475)
    assert phone.over == 0
    assert not phone.is_over
    assert (desktop.device, desktop.limit) == ("desktop", 0.25)
    assert [column.name for column in phone.columns][:3] == ["none", "0 to 5 %", "5 to 10 %"]
    assert next(column.name for column in phone.columns if column.over) == "30 to 35 %"
    assert next(column.name for column in desktop.columns if column.over) == "25 to 30 %"


def test_a_site_without_pages_is_told_with_its_limit_and_others_are_not() -> None:
    found = densities(Readings(Counted().metrics.families()))
    assert {(each.site, each.device, each.pages, each.median) for each in found} == {
        (SITE, "phone", 0, None),
        (SITE, "desktop", 0, None),
    }
