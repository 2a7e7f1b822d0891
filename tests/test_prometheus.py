"""What Prometheus itself says of our metrics: promtool's lint, and a real server that scrapes a real listener."""

from __future__ import annotations

import json
import os
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
from starlette.types import ASGIApp
from wire import free_port

from adproxy.board import Board
from adproxy.metrics import Exposition, Metrics
from adproxy.model import Anchor, Edge, PerDevice, Placement, Plan, Reason, Refusal, SkipReason
from adproxy.office import office_app
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
from adproxy.shared_metrics import SharedMetrics

pytestmark = pytest.mark.prometheus

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Everything is on this machine, whatever proxies the environment names."""

POLICY = Policy(
    site="asia-news",
    article=None,
    sidebar=None,
    limits=Limits(),
    keep_clear=KeepClear(),
    slots=(Slot("top", FixedPlace.ABOVE_HEADLINE, SizeMap(((0, (Size(300, 250),)),)), ByPage()),),
    revision="0123456789ab",
)
BOOK = RuleBook(
    rule_sets=(RuleSet("asia-news", (), (PageRule("/**", POLICY, "site.yaml:3"),), "site.yaml"),),
    revision="0123456789ab",
)


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
    metrics = Metrics()
    metrics.rules_loaded(BOOK)
    metrics.page("asia-news", "rewritten", None)
    metrics.page("asia-news", "failed_open", SkipReason.TIMEOUT)
    plan = Plan(
        (Placement("top", Anchor(10, Edge.BEFORE_START), 1),),
        (Refusal("top", Reason.NEAR_MEDIA, "40 words", "12 words"),),
        PerDevice(0.2, 0.1),
        PerDevice(2000, 1500),
    )
    metrics.planned("asia-news", POLICY, plan)
    metrics.observe_rewrite(0.0005)
    metrics.observe_added_first_byte(0.0007)
    metrics.error("internal")
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
def prometheus_scraping(target: int, folder: Path) -> Iterator[str]:
    """A Prometheus that scrapes 127.0.0.1:`target`, with its storage in `folder`; yields its base URL."""
    config = folder / "prometheus.yml"
    config.write_text(f"""\
global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}
scrape_configs:
  - job_name: adproxy
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
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


def test_a_real_prometheus_scrapes_the_office_and_answers_with_our_series(tmp_path: Path) -> None:
    with listening(office_app(busy_metrics())) as target, prometheus_scraping(target, tmp_path) as url:
        instance = f"127.0.0.1:{target}"
        placed = query_until_found(url, 'adproxy_slot_placements_total{site="asia-news"}')
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
        assert query(url, "scrape_samples_scraped > 10000") == []
