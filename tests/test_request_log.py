"""Each request's name, on its way through the proxy, and which requests get a line."""

from __future__ import annotations

import logging
import re
import time

import pytest
from raw_origin import origin
from test_proxy import proxied
from wire import free_port

from adproxy.request_log import FIELD, RequestLog

MADE = re.compile(r"[0-9a-f]{32}")


def test_a_name_is_made_and_sent_on_in_place_of_what_a_stranger_says() -> None:
    with origin() as site, proxied(site.url, trusted_peers="192.0.2.0/24") as server:
        server.ask("/a", (FIELD, "made-up"), (FIELD, "twice"))
        (first,) = site.field(FIELD)
        server.ask("/a")
        (second,) = site.field(FIELD)
    assert MADE.fullmatch(first.decode())
    assert MADE.fullmatch(second.decode())
    assert first != second


@pytest.mark.parametrize(("given", "kept"), [("a-1/b:2", True), ("x" * 128, True), ("x" * 129, False), ("a b", False)])
def test_a_name_of_a_trusted_server_is_kept_if_it_can_stand_in_a_log(given: str, kept: bool) -> None:
    with origin() as site, proxied(site.url) as server:
        server.ask("/a", (FIELD, given))
        (sent,) = site.field(FIELD)
    assert (sent.decode() == given) is kept


def test_answers_of_ours_carry_it_and_the_origins_stay_as_they_are() -> None:
    with proxied(f"http://127.0.0.1:{free_port()}") as server:
        assert server.ask("/a", (FIELD, "front-7")).get(FIELD) == "front-7"
        assert server.ask("/a", (FIELD, "front-8"), method="TRACE").get(FIELD) == "front-8"
    with origin() as site, proxied(site.url) as server:
        assert server.ask("/off/a", (FIELD, "front-9")).get(FIELD) is None


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "adproxy.access"]


def test_a_share_of_the_requests_gets_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "adproxy.access")
    for share, least, most in ((0.0, 0, 0), (0.5, 350, 650), (1.0, 1000, 1000)):
        caplog.clear()
        log = RequestLog(share)
        for _ in range(1000):
            log.answered("GET", "/a", 200, time.perf_counter())
        assert least <= len(lines(caplog)) <= most


def test_failures_always_get_one_if_any_do(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "adproxy.access")
    RequestLog(1e-12).answered("GET", "/a\nb", 502, time.perf_counter())
    RequestLog(0.0).answered("GET", "/a", 502, time.perf_counter())
    (line,) = lines(caplog)
    assert line.startswith("GET '/a\\nb': 502 in ")
