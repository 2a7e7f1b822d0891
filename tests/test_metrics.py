"""Metrics: what is counted, under which labels, and within which bounds."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from adproxy.metrics import MAX_LIMITS, MAX_SERIES, OTHER, ErrorKind, Metrics
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

MODEST = PerDevice(phone=0.2, desktop=0.1)


def policy_of(site: str, *slots: str) -> Policy:
    sizes = SizeMap(((0, (Size(300, 250),)),))
    return Policy(
        site=site,
        article=None,
        sidebar=None,
        limits=Limits(),
        keep_clear=KeepClear(),
        slots=tuple(Slot(name, FixedPlace.ABOVE_HEADLINE, sizes, ByPage()) for name in slots),
        revision="0123456789ab",
    )


def book_of(*policies: Policy, revision: str = "0123456789ab") -> RuleBook:
    return RuleBook(
        rule_sets=tuple(
            RuleSet(policy.site, (), (PageRule("/**", policy, "site.yaml:3"),), "site.yaml") for policy in policies
        ),
        revision=revision,
    )


def plan_of(*slots: str, refusals: tuple[Refusal, ...] = (), density: PerDevice = MODEST) -> Plan:
    anchor = Anchor(10, Edge.BEFORE_START)
    placements = tuple(Placement(slot, anchor, n) for n, slot in enumerate(slots, start=1))
    return Plan(placements, refusals, density, PerDevice(2000, 1500))


def values(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Every sample of the text exposition: (name, label values by label name) to its value."""
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(metrics.exposition()[0].decode())
        for sample in family.samples
    }


def test_a_page_is_counted_by_site_outcome_and_reason() -> None:
    metrics = Metrics()
    metrics.rules_loaded(book_of(policy_of("news", "top")))
    metrics.page("news", "rewritten", None)
    metrics.page("news", "skipped", SkipReason.NOT_HTML)
    metrics.page("news", "failed_open", SkipReason.TIMEOUT)
    metrics.page("news", "failed_open", SkipReason.TIMEOUT)
    seen = values(metrics)
    assert seen["adproxy_pages_total", "rewritten", "none", "news"] == 1
    assert seen["adproxy_pages_total", "skipped", "not_html", "news"] == 1
    assert seen["adproxy_pages_total", "failed_open", "timeout", "news"] == 2


def test_what_the_rules_name_is_a_zero_before_its_first_event() -> None:
    metrics = Metrics()
    metrics.rules_loaded(book_of(policy_of("news", "top", "rail")))
    seen = values(metrics)
    assert seen["adproxy_slot_placements_total", "news", "rail"] == 0
    for reason in Reason:
        assert seen["adproxy_slot_refusals_total", reason.value, "news", "top"] == 0
    for skip in SkipReason:
        outcome = (
            "failed_open" if skip.value in ("timeout", "overload", "incomplete", "quarantined", "error") else "skipped"
        )
        assert seen["adproxy_pages_total", outcome, skip.value, "news"] == 0
    for kind in ErrorKind:
        assert seen["adproxy_errors_total", kind.value] == 0


def test_a_plan_counts_its_placements_refusals_and_density() -> None:
    metrics = Metrics()
    policy = policy_of("news", "top", "in-article")
    metrics.rules_loaded(book_of(policy))
    near = Refusal("in-article", Reason.NEAR_MEDIA, "40 words", "12 words")
    metrics.planned("news", policy, plan_of("top", "in-article", "in-article", refusals=(near, near)))
    seen = values(metrics)
    assert seen["adproxy_slot_placements_total", "news", "in-article"] == 2
    assert seen["adproxy_slot_placements_total", "news", "top"] == 1
    assert seen["adproxy_slot_refusals_total", "near_media", "news", "in-article"] == 2
    assert seen["adproxy_page_ad_density_ratio_sum", "phone", "news"] == pytest.approx(0.2)
    assert seen["adproxy_page_ad_density_ratio_sum", "desktop", "news"] == pytest.approx(0.1)


def test_a_page_at_exactly_the_limit_of_30_percent_is_not_over_it() -> None:
    metrics = Metrics()
    policy = policy_of("news", "top")
    metrics.planned("news", policy, plan_of("top", density=PerDevice(0.3, 0.25)))
    seen = values(metrics)
    assert seen["adproxy_page_ad_density_ratio_bucket", "phone", "0.3", "news"] == 1
    assert seen["adproxy_page_ad_density_ratio_bucket", "desktop", "0.25", "news"] == 1
    assert seen["adproxy_page_ad_density_ratio_bucket", "desktop", "0.2", "news"] == 0


def test_a_page_without_main_content_has_no_density() -> None:
    metrics = Metrics()
    policy = policy_of("news", "top")
    metrics.planned("news", policy, Plan())
    assert values(metrics)["adproxy_page_ad_density_ratio_count", "phone", "news"] == 0


def test_durations_are_observed() -> None:
    metrics = Metrics()
    metrics.observe_rewrite(0.0004)
    metrics.observe_added_first_byte(0.003)
    seen = values(metrics)
    assert seen["adproxy_rewrite_seconds_sum",] == pytest.approx(0.0004)
    assert seen["adproxy_rewrite_seconds_bucket", "0.0005"] == 1
    assert seen["adproxy_added_first_byte_seconds_bucket", "0.0025"] == 0
    assert seen["adproxy_added_first_byte_seconds_bucket", "0.005"] == 1


def test_f10_names_from_outside_of_the_rules_never_become_labels() -> None:
    metrics = Metrics()
    policy = policy_of("news", "top")
    metrics.rules_loaded(book_of(policy))
    before = len(values(metrics))
    for n in range(50):
        metrics.page(f"host-{n}.example", "skipped", SkipReason.PATH)
        metrics.planned(f"host-{n}.example", policy, plan_of("top"))
        metrics.planned("news", policy, plan_of(f"slot-{n}"))
        metrics.error(f"kind-{n}")
    seen = values(metrics)
    assert len(seen) == before
    assert seen["adproxy_pages_total", "skipped", "path", OTHER] == 50
    assert seen["adproxy_slot_placements_total", OTHER, OTHER] == 100
    assert seen["adproxy_errors_total", OTHER] == 50


def test_a_refusal_of_an_unknown_slot_is_counted_as_other() -> None:
    metrics = Metrics()
    policy = policy_of("news", "top")
    metrics.rules_loaded(book_of(policy))
    for n in range(3):
        refusal = Refusal(f"slot-{n}", Reason.DENSITY, "30 %", "31 %")
        metrics.planned("news", policy, plan_of(refusals=(refusal,)))
    assert values(metrics)["adproxy_slot_refusals_total", "density", OTHER, OTHER] == 3


def test_f10_the_number_of_series_has_a_bound_however_many_sites_the_rules_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    sites = [policy_of(f"site-{n}", "top", "rail") for n in range(600)]
    metrics.rules_loaded(book_of(*sites))
    refusal = Refusal("top", Reason.DENSITY, "30 %", "31 %")
    for policy in sites:
        metrics.planned(policy.site, policy, plan_of("top", refusals=(refusal,)))
    seen = values(metrics)
    limits = [key for key in seen if key[0] == "adproxy_page_ad_density_limit_ratio"]
    assert len(limits) == 2 * MAX_LIMITS
    labelled = [key for key in seen if len(key) > 2 and key not in limits]
    assert MAX_SERIES * 0.9 < len(labelled) <= MAX_SERIES + 2 * len(Reason)
    assert seen["adproxy_pages_total", "rewritten", "none", OTHER] > 0
    pages = sum(value for key, value in seen.items() if key[:3] == ("adproxy_pages_total", "rewritten", "none"))
    placements = sum(value for key, value in seen.items() if key[0] == "adproxy_slot_placements_total")
    refusals = sum(value for key, value in seen.items() if key[0] == "adproxy_slot_refusals_total")
    assert (pages, placements, refusals) == (600, 600, 600)
    assert sum("are counted as _other" in record.message for record in caplog.records) == 1


def test_many_reloads_with_ever_new_names_stay_within_the_bound() -> None:
    metrics = Metrics()
    for n in range(150):
        metrics.rules_loaded(book_of(policy_of("news", *(f"slot-{n}-{m}" for m in range(80))), revision=f"r{n}"))
    labelled = [key for key in values(metrics) if len(key) > 2]
    assert len(labelled) <= MAX_SERIES + 2 * len(Reason)


def test_counters_keep_their_values_over_a_reload() -> None:
    metrics = Metrics()
    policy = policy_of("news", "top")
    metrics.rules_loaded(book_of(policy))
    metrics.planned("news", policy, plan_of("top"))
    metrics.rules_loaded(book_of(policy_of("news", "rail"), revision="ba9876543210"))
    seen = values(metrics)
    assert seen["adproxy_slot_placements_total", "news", "top"] == 1
    assert seen["adproxy_slot_placements_total", "news", "rail"] == 0


def test_the_state_of_the_rules_is_absent_before_and_right_after_each_load() -> None:
    metrics = Metrics()
    assert not any(key[0].startswith("adproxy_rules") for key in values(metrics))
    metrics.rules_failed()
    seen = values(metrics)
    assert seen["adproxy_rules_last_reload_successful",] == 0
    assert ("adproxy_rules_last_reload_timestamp_seconds",) not in seen
    metrics.rules_loaded(book_of(policy_of("news"), revision="aaaaaaaaaaaa"))
    metrics.rules_loaded(book_of(policy_of("news"), revision="bbbbbbbbbbbb"))
    loaded = values(metrics)
    assert ("adproxy_rules_info", "aaaaaaaaaaaa") not in loaded
    assert loaded["adproxy_rules_info", "bbbbbbbbbbbb"] == 1
    assert loaded["adproxy_rules_last_reload_successful",] == 1
    metrics.rules_failed()
    failed = values(metrics)
    assert failed["adproxy_rules_info", "bbbbbbbbbbbb"] == 1
    assert failed["adproxy_rules_last_reload_successful",] == 0
    stamp = ("adproxy_rules_last_reload_timestamp_seconds",)
    assert failed[stamp] == loaded[stamp] > 0


def test_two_instances_do_not_meet_and_a_registry_can_be_given() -> None:
    registry = CollectorRegistry()
    ours, other = Metrics(registry), Metrics()
    ours.error("internal")
    assert registry.get_sample_value("adproxy_errors_total", {"kind": "internal"}) == 1
    assert values(other)["adproxy_errors_total", "internal"] == 0


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0"),
        ("application/openmetrics-text;version=banana", "text/plain; version=0.0.4"),
    ],
)
def test_the_accept_header_chooses_the_format(accept: str | None, content_type: str) -> None:
    body, found = Metrics().exposition(accept)
    assert found.startswith(content_type)
    assert body.endswith(b"# EOF\n") == content_type.startswith("application/openmetrics")
    assert b"_created" not in body


def test_nothing_is_lost_when_several_threads_count_the_first_events() -> None:
    metrics = Metrics()
    policy = policy_of("news", "top")
    refusal = Refusal("top", Reason.DENSITY, "30 %", "31 %")
    gate = threading.Barrier(4)

    def count() -> None:
        gate.wait(10)
        for _ in range(500):
            metrics.planned("news", policy, plan_of("top", refusals=(refusal,)))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    seen = values(metrics)
    assert seen["adproxy_slot_placements_total", "news", "top"] == 2000
    assert seen["adproxy_slot_refusals_total", "density", "news", "top"] == 2000


def test_an_outcome_that_contradicts_its_reason_is_still_counted_once() -> None:
    metrics = Metrics()
    metrics.rules_loaded(book_of(policy_of("news", "top")))
    metrics.page("news", "skipped", SkipReason.TIMEOUT)
    assert sum(value for key, value in values(metrics).items() if key[0] == "adproxy_pages_total") == 1


def test_pages_with_slots_are_pages_however_many_slots_they_have() -> None:
    metrics = Metrics()
    policy = policy_of("news", "top", "rail")
    metrics.rules_loaded(book_of(policy))
    metrics.planned("news", policy, plan_of("top", "rail"))
    metrics.planned("news", policy, plan_of())
    metrics.planned("elsewhere", policy, plan_of("top"))
    assert values(metrics)["adproxy_pages_with_slots_total", "news"] == 1
    assert values(metrics)["adproxy_pages_with_slots_total", OTHER] == 1


def test_the_limits_told_of_a_site_are_the_largest_of_its_pages() -> None:
    strict, loose = policy_of("news", "top"), replace(policy_of("news", "top"), limits=Limits(PerDevice(0.4, 0.2)))
    metrics = Metrics()
    assert not any("limit" in key[0] for key in values(metrics))
    metrics.rules_loaded(book_of(strict, loose))
    seen = values(metrics)
    assert seen["adproxy_page_ad_density_limit_ratio", "phone", "news"] == 0.4
    assert seen["adproxy_page_ad_density_limit_ratio", "desktop", "news"] == 0.25


def test_every_help_text_is_a_sentence() -> None:
    metrics = Metrics()
    metrics.rules_loaded(book_of(policy_of("news", "top")))
    texts = [family.documentation for family in metrics.families()]
    assert len(texts) == 19
    assert all(text[0].isupper() and text.endswith(".") for text in texts)
