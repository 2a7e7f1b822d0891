"""From a reader's browser to the dashboard: what Chromium reports of a real `adproxy serve` is what the panels show."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from conftest import missing
from playwright.sync_api import sync_playwright
from serve_process import serve
from test_counting_browser import CHROME, CHROMIUM, site
from test_prometheus import asked_by_the_dashboard, prometheus_scraping, query
from wire import serving

from chain import DEPLOY  # isort: skip

pytestmark = [pytest.mark.browser, pytest.mark.prometheus]

DEADLINE = 60.0
RULES = """version: 1
site: small-site
slots:
  end:
    place: end-of-article
    creative: {image: {src: /house.svg, link: /subscribe, alt: Subscribe, size: 300x250}}
"""
SEEN = ("viewable_impressions", "slot_impressions", "page_views", "measured_ad_density")
"""What no server knows: names of it are in the queries that are asked here."""


def test_the_dashboard_shows_what_a_real_browser_reported(tmp_path: Path) -> None:
    if not Path(CHROMIUM).exists():
        missing(f"found no {CHROMIUM}")
    recorded = (DEPLOY / "prometheus" / "rules.yml",)
    wanted = {
        expression: title
        for expression, title in asked_by_the_dashboard().items()
        if any(name in expression for name in SEEN)
        and " offset 1w" not in expression
        and "views_invalid" not in expression
    }
    assert len(wanted) > 5
    with (
        serving(site, lifespan="off") as origin,
        serve(f"http://127.0.0.1:{origin.port}", tmp_path, "--workers", "1", rules=RULES) as adproxy,
        prometheus_scraping(tmp_path, adproxy.office, rules=recorded) as url,
        sync_playwright() as playwright,
    ):
        # without the flag a browser says that it is driven, and is no reader
        flags = ["--no-sandbox", "--disable-blink-features=AutomationControlled"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = chromium.new_context(viewport={"width": 390, "height": 844}, user_agent=CHROME).new_page()
        views, shown = 0, dict.fromkeys(wanted, 0.0)
        deadline = time.monotonic() + DEADLINE
        while not all(shown.values()) and time.monotonic() < deadline:
            page.goto(f"http://127.0.0.1:{adproxy.site}/story-{views % 3}", wait_until="load")
            views += 1
            page.locator("[data-adproxy-slot]").scroll_into_view_if_needed()
            page.wait_for_timeout(2_000)  # long enough in view
            for expression in [asked for asked, value in shown.items() if not value]:
                values = [value for _, value in query(url, expression) if not math.isnan(value)]
                shown[expression] = max(values, default=0.0)
        page.goto("about:blank")  # what is still to be reported is sent now
        chromium.close()
        assert {wanted[expression]: expression for expression, value in shown.items() if not value} == {}
        total = 'sum(adproxy_page_views_total{site="small-site", traffic="valid"})'
        until = time.monotonic() + 10
        while (counted := query(url, total)) != [({}, float(views))]:
            assert time.monotonic() < until, f"{views} views, counted {counted}"
            time.sleep(0.2)
