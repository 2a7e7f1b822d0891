"""When something is worth a look, and when it is not."""

from __future__ import annotations

import math

import pytest
import yaml
from chain import DEPLOY
from counted import Counted
from prometheus_client.core import GaugeMetricFamily

from adproxy.board import WorkerState
from adproxy.console.density import densities
from adproxy.console.findings import FAILED_OPEN_SHARE, LEAST_RENDERED_SHARE, SLOW_SECONDS, findings
from adproxy.console.history import Sample, Window
from adproxy.console.readings import NOTHING_SPREAD, Readings, Spread
from adproxy.live_rules import LiveStatus

GOOD = LiveStatus("0123456789ab", 1_700_000_000.0, (), None)
QUICK = Spread((0.1, 0.25, 0.5, math.inf), (1000.0, 1000.0, 1000.0, 1000.0))
WELL: dict[str, float] = {
    **{"planned": 1000, "failed_open": 10, "with_slots": 990, "errors": 0},
    **{"views": 1000, "requests": 1000, "unfilled": 200, "impressions": 400, "viewable": 300},
}


def worker(*, ready: bool = True, revision: str = "0123456789ab") -> WorkerState:
    return WorkerState(0, 4711, 1_700_000_000.0, 0, ready, revision)


def told(
    first_byte: Spread = QUICK,
    status: LiveStatus | None = GOOD,
    states: tuple[WorkerState, ...] = (worker(), worker()),
    **sums: float,
) -> list[tuple[str, str]]:
    window = Window(Sample(0, {}, NOTHING_SPREAD), Sample(1, {**WELL, **sums}, first_byte))
    now = Readings(Counted().metrics.families())
    return [(finding.text, finding.level) for finding in findings(now, window, status, states, densities(now))]


def test_all_is_well_just_inside_of_every_bound() -> None:
    assert told() == []
    assert told(status=None, states=()) == []


@pytest.mark.parametrize(
    ("given", "text", "level"),
    [
        ({"states": (worker(ready=False),)}, "No worker is running: no page is served", "alarm"),
        ({"states": (worker(), worker(ready=False))}, "1 of 2 workers is missing", "alarm"),
        (
            {"status": LiveStatus("none", None, (), "bad")},
            "No rules in force: every page passes without ads",
            "alarm",
        ),
        (
            {"status": LiveStatus("0123456789ab", 1.0, (), "bad")},
            "The last edit of the rules was not taken",
            "alarm",
        ),
        ({"errors": 1}, "1 answer of 5xx of adproxy's own", "alarm"),
        ({"failed_open": 11}, "1.1\u00a0% of the pages lost their slots to an accident", "look"),
        ({"with_slots": 0}, "Pages are planned, and not one has a slot", "alarm"),
        ({"impressions": 399}, "Only 49.9\u00a0% of the ads that came were rendered", "look"),
        (
            {"first_byte": Spread(QUICK.bounds, (900.0, 940.0, 1000.0, 1000.0))},
            "One page in twenty waits 292\u00a0ms or longer for adproxy",
            "look",
        ),
        (
            {"states": (worker(), worker(revision="00000000000a"))},
            "Some workers have other rules than those in force",
            "look",
        ),
    ],
)
def test_each_trouble_is_told(given: dict[str, object], text: str, level: str) -> None:
    assert (text, level) in told(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("adproxy_event_store_writable", 0, "What browsers report can't be written: nothing is counted"),
        ("adproxy_event_store_set_aside_files", 1, "1 damaged file of the event store: counts are missing"),
        ("adproxy_metrics_corrupt_files", 2, "2 damaged files of metrics: counts are missing"),
    ],
)
def test_what_is_wrong_with_the_figures_themselves_is_told(metric: str, value: float, text: str) -> None:
    window = Window(Sample(0, {}, NOTHING_SPREAD), Sample(1, {}, NOTHING_SPREAD))
    for at, said in ((value, [text]), (1 - min(value, 1), [])):
        now = Readings([GaugeMetricFamily(metric, "State.", value=at)])
        assert [finding.text for finding in findings(now, window, GOOD, (worker(),), ())] == said


def test_a_share_of_a_handful_is_no_news() -> None:
    assert told(planned=99, failed_open=0, with_slots=0) == []
    assert told(requests=99, unfilled=0, impressions=0) == []


def test_the_bounds_are_those_of_the_alerts() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    asked = {rule["alert"]: rule["expr"].strip() for group in groups for rule in group["rules"]}
    assert asked["AdproxyFailsOpen"].endswith(f" > {FAILED_OPEN_SHARE}")
    assert asked["AdproxySlow"].endswith(f" > {SLOW_SECONDS}")
    assert f" < {LEAST_RENDERED_SHARE} " in asked["AdproxyFewRendered"].replace("\n", " ")


def test_alarms_come_first() -> None:
    assert [level for _, level in told(failed_open=100, errors=2)] == ["alarm", "look"]


def test_pages_over_the_limit_of_their_rules_are_told() -> None:
    counted = Counted()
    density = counted.metrics._density.labels("asia-news", "phone")
    for _ in range(10):
        density.observe(0.32)
    now = Readings(counted.metrics.families())
    window = Window(Sample(0, {}, NOTHING_SPREAD), Sample(1, {}, NOTHING_SPREAD))
    found = findings(now, window, GOOD, (worker(),), densities(now))
    assert [finding.text for finding in found] == ["Pages of asia-news carry more ads on phones than their rules allow"]
