"""What browsers reported, as Prometheus reads it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from reports import RENDERED, VIEW, report
from small_site import book

from adproxy.beacon import Event
from adproxy.event_store import DENSITY_BUCKETS
from adproxy.funnel import MAX_ZEROS, Funnel
from adproxy.metrics import Metrics
from adproxy.model import EventKind
from adproxy.rules.compile import load_rules
from adproxy.sqlite_events import SqliteEvents
from adproxy.tokens import PageFacts

FACTS = PageFacts("small-site", "/story", "0" * 12, 20_000, (("top", 1), ("in-article", 3)))

FROM_STORE = (
    r"adproxy_(page_views|slot_(requests|unfilled|withheld|impressions|viewable|clicks)|invalid_traffic|measured"
    r"|event_store_(writable|bytes|set_aside))"
)


def metrics_of(folder: Path) -> Metrics:
    metrics = Metrics()
    metrics.show_funnel(Funnel(SqliteEvents(folder)))
    return metrics


def samples(metrics: Metrics) -> dict[str, float]:
    lines = [line for line in metrics.exposition()[0].decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def funnel(metrics: Metrics) -> dict[str, float]:
    """The samples that come from the event store."""
    return {name: value for name, value in samples(metrics).items() if re.match(FROM_STORE, name)}


def test_zeros_are_there_before_the_first_event(tmp_path: Path) -> None:
    metrics = metrics_of(tmp_path)
    metrics.rules_loaded(book())
    seen = funnel(metrics)
    assert {value for name, value in seen.items() if not name.startswith("adproxy_event_store")} == {0.0}
    for name in (
        'adproxy_page_views_total{site="small-site",traffic="valid"}',
        'adproxy_slot_impressions_total{site="small-site",slot="top",traffic="invalid"}',
        'adproxy_slot_viewable_impressions_total{site="_other",slot="_other",traffic="valid"}',
        'adproxy_slot_withheld_total{reason="no_consent",site="small-site",slot="top",traffic="valid"}',
        'adproxy_invalid_traffic_total{reason="crawler",site="small-site"}',
        'adproxy_measured_ad_density_ratio_count{device="phone",site="small-site"}',
    ):
        assert name in seen


def test_very_many_sites_have_no_zeros_but_all_that_was_counted(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    for n in range(300):
        (folder / f"{n}.yaml").write_text(f"version: 1\nsite: site-{n}\nuse: [news]\nhosts: [host-{n}.example]\n")
    metrics, store = metrics_of(tmp_path), SqliteEvents(tmp_path)
    metrics.show_funnel(Funnel(store))
    metrics.rules_loaded(load_rules(folder))
    store.count([report(1, VIEW, RENDERED), report(2, Event(EventKind.DENSITY, share=0.2, device="phone"))])
    by_metric = Counter(name.partition("{")[0] for name in funnel(metrics))
    assert max(by_metric.values()) <= MAX_ZEROS
    assert by_metric["adproxy_page_views_total"] > 600
    seen = funnel(metrics)
    assert seen['adproxy_page_views_total{site="asia-news",traffic="valid"}'] == 1
    impressions = {name: n for name, n in seen.items() if n and name.startswith("adproxy_slot_impressions_total")}
    assert list(impressions.values()) == [1]
    assert by_metric["adproxy_slot_withheld_total"] == 0
    assert seen['adproxy_measured_ad_density_ratio_count{device="phone",site="asia-news"}'] == 1


def test_no_series_appears_with_the_first_events(tmp_path: Path) -> None:
    metrics, store = metrics_of(tmp_path), SqliteEvents(tmp_path)
    metrics.rules_loaded(book())
    before = set(samples(metrics))
    top = Event(EventKind.RENDERED, "top", 1)
    known = frozenset({"top"})
    store.count([report(1, VIEW, top, RENDERED, facts=FACTS, known=known), report(2, VIEW, RENDERED, known=None)])
    assert set(samples(metrics)) == before
    seen = funnel(metrics)
    assert seen['adproxy_slot_impressions_total{site="small-site",slot="top",traffic="valid"}'] == 1
    assert seen['adproxy_slot_impressions_total{site="small-site",slot="_other",traffic="valid"}'] == 1
    assert seen['adproxy_slot_impressions_total{site="_other",slot="_other",traffic="valid"}'] == 1


def test_rules_that_were_loaded_before_are_known(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.rules_loaded(book())
    metrics.show_funnel(Funnel(SqliteEvents(tmp_path)))
    assert 'adproxy_page_views_total{site="small-site",traffic="valid"}' in funnel(metrics)


def test_counters_outlive_the_rules_that_named_them(tmp_path: Path) -> None:
    SqliteEvents(tmp_path).count([report(1, VIEW, RENDERED)])
    metrics = metrics_of(tmp_path)
    metrics.rules_loaded(book())
    assert funnel(metrics)['adproxy_page_views_total{site="asia-news",traffic="valid"}'] == 1


def test_density_is_a_histogram(tmp_path: Path) -> None:
    shares = [Event(EventKind.DENSITY, share=share, device="phone") for share in (0.0, 0.231, 0.3, 0.31, 1.0)]
    SqliteEvents(tmp_path).count([report(number, share) for number, share in enumerate(shares)])
    seen = funnel(metrics_of(tmp_path))
    buckets = [
        seen[f'adproxy_measured_ad_density_ratio_bucket{{device="phone",le="{bound}",site="asia-news"}}']
        for bound in (*DENSITY_BUCKETS, "+Inf")
    ]
    assert buckets == [1, 1, 1, 1, 1, 2, 3, 4, 4, 4, 4, 5, 5]
    assert seen['adproxy_measured_ad_density_ratio_count{device="phone",site="asia-news"}'] == 5
    assert seen['adproxy_measured_ad_density_ratio_sum{device="phone",site="asia-news"}'] == 1.841


def test_a_store_that_can_not_be_read_says_nothing_rather_than_zero(tmp_path: Path) -> None:
    metrics = metrics_of(tmp_path / "gone")
    metrics.rules_loaded(book())
    seen = funnel(metrics)
    assert seen["adproxy_event_store_writable"] == 0
    assert not [name for name in seen if not name.startswith("adproxy_event_store")]


def test_how_the_store_is(tmp_path: Path) -> None:
    SqliteEvents(tmp_path).count([report(1, VIEW)])
    (tmp_path / "events.sqlite.20260101T000000Z.corrupt").touch()
    seen = funnel(metrics_of(tmp_path))
    assert seen["adproxy_event_store_writable"] == 1
    assert seen["adproxy_event_store_bytes"] > 4096
    assert seen["adproxy_event_store_set_aside_files"] == 1


def test_every_help_text_is_a_sentence(tmp_path: Path) -> None:
    text = metrics_of(tmp_path).exposition()[0].decode()
    for family in text_string_to_metric_families(text):
        assert family.documentation.endswith("."), family.name
        assert family.documentation[0].isupper(), family.name
