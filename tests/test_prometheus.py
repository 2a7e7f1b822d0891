"""What Prometheus itself says of our metrics: promtool's lint, and a real server that scrapes a real listener."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from chain import DEPLOY
from counted import Counted
from serve_process import serve, upstream
from starlette.types import ASGIApp
from wire import free_port

from adproxy.beacon import Event
from adproxy.board import Board
from adproxy.event_store import Report
from adproxy.funnel import Funnel
from adproxy.metrics import Exposition, Metrics
from adproxy.model import EventKind
from adproxy.office import office_app
from adproxy.shared_metrics import SharedMetrics
from adproxy.sqlite_events import SqliteEvents
from adproxy.tokens import PageFacts
from adproxy.traffic import InvalidReason

pytestmark = pytest.mark.prometheus

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Everything is on this machine, whatever proxies the environment names."""


def binary(name: str) -> str:
    """Path of an installed program; skips where it is missing, but not in CI, which must not pass by lack of tools."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not installed (Debian: apt-get install prometheus)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def busy_metrics() -> Metrics:
    """Metrics in which every family has a sample."""
    counted = Counted()
    counted.view()
    counted.trouble()
    return counted.metrics


def counted_metrics(folder: Path) -> Metrics:
    """Metrics with the counters of an event store, before and after events."""
    metrics = busy_metrics()
    metrics.show_funnel(Funnel(SqliteEvents(folder)))
    facts = PageFacts("asia-news", "/story", "0123456789ab", 20_000, (("top", 1),))
    seen = [
        Event(EventKind.PAGE_VIEW),
        *(
            Event(kind, "top", 1)
            for kind in (EventKind.REQUEST, EventKind.RENDERED, EventKind.VIEWABLE, EventKind.CLICK)
        ),
        Event(EventKind.DENSITY, share=0.231, device="phone"),
    ]
    for number, invalid in enumerate((None, None, InvalidReason.CRAWLER)):
        report = Report(facts, bytes([number] * 16), tuple(seen), invalid, 480_000, frozenset({"top"}))
        SqliteEvents(folder).count([report])
    return metrics


@contextmanager
def listening(app: ASGIApp) -> Iterator[int]:
    """The application behind uvicorn on a free port of 127.0.0.1; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, ws="none", lifespan="off", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]  # it accepts from now on: early connections wait in the listener's queue
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
    assert not thread.is_alive()


@contextmanager
def prometheus_scraping(folder: Path, *targets: int, rules: tuple[Path, ...] = ()) -> Iterator[str]:
    """A Prometheus that scrapes these ports of 127.0.0.1, with its storage in `folder` and `rules` loaded; yields its
    base URL."""
    config = folder / "prometheus.yml"
    config.write_text(f"""\
global: {{scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}}
rule_files: {json.dumps([str(file) for file in rules])}
scrape_configs:
  - job_name: adproxy
    static_configs: [{{targets: {json.dumps([f"127.0.0.1:{target}" for target in targets])}}}]
""")
    # Prometheus can't be asked which port it was given, so one that was free a moment ago is named
    port = free_port()
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                binary("prometheus"),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 40
        while True:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"not ready within 40 s: {log.read_text()}"
            try:
                with DIRECT.open(f"{url}/-/ready", timeout=5):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def query(url: str, expression: str) -> list[tuple[dict[str, str], float]]:
    """An instant query: the labels and the value of each series."""
    address = f"{url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    with DIRECT.open(address, timeout=10) as response:
        answer = json.load(response)
    assert answer["status"] == "success"
    return [(series["metric"], float(series["value"][1])) for series in answer["data"]["result"]]


def query_until_found(url: str, expression: str) -> list[tuple[dict[str, str], float]]:
    deadline = time.monotonic() + 30
    while not (found := query(url, expression)):
        assert time.monotonic() < deadline, f"no answer within 30 s to {expression}"
        time.sleep(0.1)
    return found


@pytest.mark.parametrize(
    "metrics",
    [Metrics(), busy_metrics(), SharedMetrics(Path("/nowhere"), Board(2))],
    ids=["before-the-first-event", "busy", "of-workers"],
)
def test_promtool_has_nothing_to_say(metrics: Exposition) -> None:
    checked = subprocess.run(
        [binary("promtool"), "check", "metrics"],
        input=metrics.exposition()[0],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_promtool_has_nothing_to_say_of_what_browsers_report(tmp_path: Path) -> None:
    test_promtool_has_nothing_to_say(counted_metrics(tmp_path))


def test_a_real_prometheus_scrapes_the_office_and_answers_with_our_series(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    metrics = counted_metrics(tmp_path / "state")
    with listening(office_app(metrics)) as target, prometheus_scraping(tmp_path, target) as url:
        instance = f"127.0.0.1:{target}"
        placed = query_until_found(url, 'adproxy_slot_placements_total{site="asia-news", slot="top"}')
        assert placed == [
            (
                {
                    "__name__": "adproxy_slot_placements_total",
                    "instance": instance,
                    "job": "adproxy",
                    "site": "asia-news",
                    "slot": "top",
                },
                1.0,
            )
        ]
        assert query(url, "up") == [({"__name__": "up", "instance": instance, "job": "adproxy"}, 1.0)]
        assert query(url, 'sum(adproxy_pages_total{outcome="failed_open", reason="timeout"})') == [({}, 1.0)]
        assert query(url, 'sum(adproxy_slot_refusals_total{reason="near_media"})') == [({}, 1.0)]
        assert query(url, "sum by (revision) (adproxy_rules_info)") == [({"revision": "0123456789ab"}, 1.0)]
        # the share of pages at or under the limit of 30 % on phones, as an alert would ask for it
        share = 'adproxy_page_ad_density_ratio_bucket{device="phone", le="0.3", site="asia-news"}'
        assert [value for _, value in query(url, share)] == [1.0]
        # the funnel, as a panel would ask for it
        assert query(url, 'adproxy_page_views_total{site="asia-news", traffic="valid"}')[0][1] == 2.0
        viewability = (
            'sum(adproxy_slot_viewable_impressions_total{traffic="valid"})'
            ' / sum(adproxy_slot_impressions_total{traffic="valid"})'
        )
        assert query(url, viewability) == [({}, 1.0)]
        assert query(url, "sum by (reason) (adproxy_invalid_traffic_total) > 0") == [({"reason": "crawler"}, 6.0)]
        measured = 'adproxy_measured_ad_density_ratio_bucket{device="phone", le="0.25", site="asia-news"}'
        assert [value for _, value in query(url, measured)] == [2.0]
        assert query(url, "adproxy_event_store_writable")[0][1] == 1.0
        assert query(url, "scrape_samples_scraped > 10000") == []


def asked_by_the_dashboard() -> dict[str, str]:
    """Each query of the dashboard as Grafana would send it with everything chosen, to the title of its panel."""
    dashboard = json.loads((DEPLOY / "grafana" / "adproxy.json").read_text(encoding="utf-8"))
    found = {}
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            expression = re.sub(r"\$__(rate_interval|range)", "1m", target["expr"])
            found[re.sub(r"\$(site|slot)", ".*", expression)] = panel["title"]
    assert not any("$" in expression for expression in found)
    return found


def test_every_query_of_the_dashboard_is_answered(tmp_path: Path) -> None:
    """By a real Prometheus with the recording rules and the alerts, from a real adproxy with readers, and from counters
    of what browsers report."""
    counted = Counted()
    counted.trouble()
    over = threading.Event()
    files = (DEPLOY / "prometheus" / "rules.yml", DEPLOY / "prometheus" / "alerts.yml")
    with (
        upstream() as origin,
        serve(origin, tmp_path, "--workers", "1") as adproxy,
        listening(office_app(counted.metrics)) as office,
        prometheus_scraping(tmp_path, adproxy.office, office, rules=files) as url,
    ):

        def readers() -> None:
            while not over.wait(0.05):
                adproxy.ask()
                counted.view()
                counted.view("invalid")

        reading = threading.Thread(target=readers)
        reading.start()
        try:
            # a week ago there was nothing to ask
            wanted = {each: title for each, title in asked_by_the_dashboard().items() if " offset 1w" not in each}
            assert len(wanted) > 50
            deadline = time.monotonic() + 40
            answers: dict[str, list[float]] = {}
            while len(answers) < len(wanted) and time.monotonic() < deadline:
                for expression in wanted.keys() - answers.keys():
                    values = [value for _, value in query(url, expression)]
                    if not all(map(math.isnan, values)):  # of what was never observed there is no quantile
                        answers[expression] = values
                time.sleep(0.2)
            assert {title: expression for expression, title in wanted.items() if expression not in answers} == {}
            failed = query(url, "prometheus_rule_evaluation_failures_total > 0")
        finally:
            over.set()
            reading.join(20)
    assert failed == []
    assert not reading.is_alive()
