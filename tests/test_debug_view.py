"""A live page with the account of its slots on it: for whoever has a good link, kept and counted by nobody."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from console_office import KEYS, RULES, answering, article, newspaper
from oracles import Html5lib, without_ours
from wire import Response, Server, serving

from adproxy.debug_links import debug_link
from adproxy.impressions import impressions_in
from adproxy.live_rules import LiveRules
from adproxy.metrics import Metrics
from adproxy.middleware import AdMiddleware
from adproxy.settings import Settings

PATH = "/2026/story-1"
NONCE = {"content-type": "text/html", "content-security-policy": "style-src 'nonce-abc'", "etag": '"x"'}
PAGES: dict[str, tuple[dict[str, str], bytes]] = {
    "/gzip": ({"content-type": "text/html", "content-encoding": "gzip", "etag": '"g"'}, gzip.compress(article())),
    "/strict": (NONCE, article()),
    "/linked": ({"content-type": "text/html", "content-security-policy": "style-src 'self'"}, article()),
    "/amp": ({"content-type": "text/html"}, b"<!doctype html><html amp><p>An AMP page"),
    "/data": ({"content-type": "application/json"}, b"{}"),
}


class Site:
    def __init__(self, server: Server, asked: list[dict[str, str]], metrics: Metrics) -> None:
        self.server = server
        self.asked = asked
        self.metrics = metrics

    def ask(self, path: str, *headers: tuple[str, str]) -> Response:
        return self.server.ask(path, *headers)

    def explained(self, path: str, *headers: tuple[str, str], ago: float = 0) -> Response:
        """By a link that was made a while ago."""
        parts = urlsplit(debug_link(KEYS, f"http://site.example{path}", time.time() - ago))
        return self.ask(f"{parts.path}?{parts.query}", *headers)

    def counted(self) -> list[str]:
        body, _ = self.metrics.exposition(None)
        lines = body.decode().splitlines()
        return [
            line for line in lines if line.startswith(("adproxy_pages", "adproxy_slot", "adproxy_rewrite_seconds_c"))
        ]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "site.yaml").write_text(RULES, encoding="utf-8")
    asked: list[dict[str, str]] = []
    metrics, live, settings = Metrics(), LiveRules(tmp_path / "site.yaml"), Settings(state_dir=tmp_path)

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        return (200, *PAGES[path]) if path in PAGES else newspaper(path)

    impressions = impressions_in(tmp_path, KEYS, settings, metrics, lambda: live.book)
    app = AdMiddleware(answering(answer, asked), live, settings=settings, metrics=metrics, impressions=impressions)
    with serving(app, lifespan="off", ws="none") as server:
        yield Site(server, asked, metrics)
    app.close()


def test_slots_and_refusals_are_drawn_where_the_slots_are(site: Site, html5lib_parser: Html5lib) -> None:
    always, explained = site.ask(PATH), site.explained(PATH)
    assert explained.body.count(b"<div data-adproxy-slot=") == always.body.count(b"<div data-adproxy-slot=") == 3
    assert explained.body.count(b'<div data-adproxy="explain"') > 3
    assert b"<script" not in explained.body, "no ad is asked for, and nothing is reported"
    original = article().decode()
    tree = html5lib_parser.tree(explained.body.decode(), scripting=True)
    assert without_ours(tree) == html5lib_parser.tree(original, scripting=True)


def test_nobody_may_keep_it_and_nothing_is_counted(site: Site) -> None:
    before = site.counted()
    answer = site.explained("/strict", ("If-None-Match", '"x"'), ("Range", "bytes=0-9"))
    assert answer.status == 200
    assert answer.get("cache-control") == "private, no-store"
    assert (answer.get("etag"), answer.get("referrer-policy")) == (None, "strict-origin")
    assert answer.get("content-security-policy") == "style-src 'nonce-abc'"
    assert b'<style data-adproxy="explain" nonce="abc">' in answer.body
    assert {"if-none-match", "range"} & site.asked[-1].keys() == set()
    assert site.counted() == before


def test_the_site_never_sees_the_parameter(site: Site) -> None:
    site.explained(f"{PATH}?page=2")
    site.ask(f"{PATH}?_adproxy=explain.1.2&page=2")
    site.explained(f"{PATH}?page=2", ago=3600)
    assert [(request["path"], request["query"]) for request in site.asked] == [(PATH, "page=2")] * 3


@pytest.mark.parametrize("query", ["_adproxy=explain", "_adproxy=explain.9999999999.AAAA", "_adproxy="])
def test_a_forged_link_shows_the_page_as_always(site: Site, query: str) -> None:
    always, forged = site.ask(PATH), site.ask(f"{PATH}?{query}")
    assert (forged.status, forged.headers, forged.body) == (always.status, always.headers, always.body)


def test_an_expired_link_and_one_for_another_page_show_the_page_as_always(site: Site) -> None:
    always = site.ask(PATH)
    assert site.explained(PATH, ago=901).body == always.body
    query = urlsplit(debug_link(KEYS, "http://site.example/2026/story-2", time.time())).query
    assert site.ask(f"{PATH}?{query}").body == always.body


def test_a_compressed_page_is_shown_as_text(site: Site) -> None:
    answer = site.explained("/gzip")
    assert answer.get("content-encoding") is None
    assert b"data-adproxy-slot" in answer.body


def test_a_policy_that_forbids_inline_styles_gets_them_linked(site: Site) -> None:
    body = site.explained("/linked").body.decode()
    _, _, rest = body.partition('<link data-adproxy="explain" rel="stylesheet" href="')
    sheet = site.ask(rest.partition('"')[0])
    assert (sheet.status, sheet.get("content-type")) == (200, "text/css; charset=utf-8")
    assert b"data-adproxy=explain" in sheet.body


def test_a_page_that_is_left_alone_says_why_and_what_is_no_page_passes(site: Site) -> None:
    alone = site.explained("/amp").body
    assert alone.startswith(PAGES["/amp"][1])
    assert b"leaves this page alone" in alone
    data = site.explained("/data")
    assert (data.body, data.get("cache-control")) == (b"{}", "private, no-store")
    about = site.explained("/about").body
    assert b"leaves this page alone" in about
