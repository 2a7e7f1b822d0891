"""A percentage of pages by their paths, and the dry run: how adproxy is brought in step by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_site import PAGE, RULES, with_slots
from test_switch import HEADERS, Newspaper, is_plain, middleware, skipped
from wire import serving

from adproxy.metrics import Metrics
from adproxy.rollout import takes_part

PATHS = [f"/2026/03/{number}/story".encode() for number in range(4000)]


@pytest.mark.parametrize("percent", [1.0, 10.0, 50.0, 99.0])
def test_about_as_many_take_part_as_are_wanted(percent: float) -> None:
    share = sum(takes_part(path, percent) for path in PATHS) / len(PATHS)
    assert abs(share - percent / 100) < 0.03


@given(st.binary(), st.floats(0, 100), st.floats(0, 100))
def test_who_takes_part_still_does_when_there_are_more(path: bytes, one: float, other: float) -> None:
    fewer, more = sorted((one, other))
    assert takes_part(path, more) >= takes_part(path, fewer)
    assert takes_part(path, 100)
    assert not takes_part(path, 0)


def test_the_choice_is_the_same_on_every_machine_for_ever() -> None:
    assert [number for number in range(40) if takes_part(b"/%d" % number, 30)] == CHOSEN


CHOSEN = [1, 5, 9, 10, 11, 15, 20, 23, 24, 25, 28, 30, 32, 33, 35]


def test_pages_that_take_no_part_pass_as_they_came_whatever_the_query() -> None:
    metrics = Metrics()
    inside = next(path for path in PATHS if takes_part(path, 50)).decode()
    outside = next(path for path in PATHS if not takes_part(path, 50)).decode()
    with serving(middleware(Newspaper(), metrics, rollout_percent=50), lifespan="off") as server:
        for query in ("", "?a=1", "?a=2"):
            assert server.ask(inside + query).body == with_slots()
            assert is_plain(server.ask(outside + query, ("Sec-Fetch-Dest", "empty")))
    assert skipped(metrics, "rollout") == 3


# --- the dry run ----------------------------------------------------------------------------


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"site": "small-site", **labels})


def test_a_dry_run_plans_and_counts_and_sends_the_page_as_it_came() -> None:
    metrics, site = Metrics(), Newspaper()
    with serving(middleware(site, metrics, dry_run=True), lifespan="off") as server:
        assert is_plain(server.ask("/story"))
        assert is_plain(server.ask("/story", ("If-None-Match", '"v0"'), ("Range", "bytes=0-1")))
        assert {(b"if-none-match", b'"v0"'), (b"range", b"bytes=0-1")} <= set(site.heads[-1])
        head = server.ask("/story", method="HEAD")
        assert sorted(header for header in head.headers if header[0] != b"transfer-encoding") == sorted(HEADERS)
        assert is_plain(server.ask("/story", ("Sec-Fetch-Dest", "empty")))
    assert skipped(metrics, "dry_run") == 2
    assert value(metrics, "adproxy_dry_run_slot_placements_total", slot="top") == 2
    assert value(metrics, "adproxy_page_ad_density_ratio_count", device="phone") == 2
    # nothing of it was sent
    assert value(metrics, "adproxy_slot_placements_total", slot="top") == 0
    assert value(metrics, "adproxy_pages_with_slots_total") == 0


def test_a_dry_run_that_fails_leaves_the_head_as_it_came_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    metrics = Metrics()
    monkeypatch.setattr("adproxy.decision.plan_page", fails)
    with serving(middleware(Newspaper(), metrics, dry_run=True), lifespan="off") as server:
        assert is_plain(server.ask("/story"))
    assert value(metrics, "adproxy_pages_total", outcome="failed_open", reason="error") == 1


def test_a_dry_run_does_not_vary_by_reader() -> None:
    varying = "visitors: {ad_free: {header: X-Subscriber}}\npages:"
    rules = RULES.replace("pages:", varying)
    with serving(middleware(Newspaper(), rules=rules, dry_run=True), lifespan="off") as server:
        assert is_plain(server.ask("/story"))
        assert is_plain(server.ask("/story", ("X-Subscriber", "1")))


def test_what_is_switched_off_is_not_planned_either() -> None:
    metrics = Metrics()
    with serving(middleware(Newspaper(), metrics, dry_run=True, off=True), lifespan="off") as server:
        assert server.ask("/story").body == PAGE
    assert skipped(metrics, "switched_off") == 1
