"""The answers to beacons, clicks and pictures, over ASGI as any server would ask."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from small_site import PAGE, load
from starlette.types import Message, Receive, Scope, Send
from wire import body_of, call, http_scope

from adproxy import impressions
from adproxy.event_store import RejectReason, StoreProblem
from adproxy.metrics import Metrics
from adproxy.middleware import AdMiddleware
from adproxy.rules.ruleset import RuleBook
from adproxy.settings import Settings
from adproxy.signing_keys import load_keys
from adproxy.tokens import Keyring, PageFacts, PageMarks, day_of

RULES = """version: 1
site: small-site
slots:
  top:
    place: above-headline
    sizes: {phone: [320x50], desktop: [728x90]}
    div: {id: "ad-top"}
  end:
    place: end-of-article
    creative: {image: {src: /house.png, link: "https://shop.example/a?b=ü&c=%20", alt: Subscribe, size: 300x250}}
"""
NONCE = "AAECAwQFBgcICQoLDA0ODw"
BROWSER = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0")
TEXT = ("content-type", "text/plain;charset=UTF-8")


async def newspaper(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/html"), (b"etag", b'"x"')]
    if dict(scope["headers"]).get(b"if-none-match") == b'"x"':
        await send({"type": "http.response.start", "status": 304, "headers": [(b"etag", b'"x"')]})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


@dataclass
class Answered:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Site:
    """The middleware around a page, and the browsers that come."""

    def __init__(self, folder: Path, book: RuleBook, **settings: Any) -> None:
        self.metrics = Metrics()
        self.settings = Settings(state_dir=folder, **settings)
        self.middleware = AdMiddleware(newspaper, book, settings=self.settings, metrics=self.metrics)

    def get(self, path: str, *headers: tuple[str, str], **more: Any) -> Answered:
        path, _, query = path.partition("?")
        messages = asyncio.run(
            call(self.middleware, http_scope(path, *headers, **{"query_string": query.encode(), **more}))
        )
        return Answered(messages[0]["status"], dict(messages[0]["headers"]), body_of(messages))

    def token(self, path: str = "/story") -> str:
        found = re.search(rb'data-adproxy-token="([^"]+)"', self.get(path).body)
        assert found
        return found[1].decode()

    def post(self, body: bytes, *headers: tuple[str, str], pieces: int = 1, **more: Any) -> Answered:
        scope = http_scope("/_adproxy/beacon", *(headers or (BROWSER, TEXT)), method="POST", **more)
        size = -(-len(body) // pieces) or 1
        parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
        coming = [
            {"type": "http.request", "body": part, "more_body": number < len(parts)}
            for number, part in enumerate(parts, 1)
        ]
        sent: list[Message] = []

        async def receive() -> Message:
            if coming:
                return coming.pop(0)
            await asyncio.sleep(30)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(asyncio.wait_for(self.middleware(scope, receive, send), 20))
        return Answered(sent[0]["status"], dict(sent[0]["headers"]), body_of(sent))

    def report(self, *events: list[object], token: str | None = None, **more: Any) -> Answered:
        return self.post(said(token or self.token(), *events), **more)

    def figures(self) -> dict[str, float]:
        """All samples that are not zero, by name and labels."""
        lines = [line for line in self.metrics.exposition()[0].decode().splitlines() if not line.startswith("#")]
        samples = dict(line.rsplit(" ", 1) for line in lines)
        return {name: float(value) for name, value in samples.items() if float(value)}

    def counted(self, name: str) -> float:
        return sum(value for sample, value in self.figures().items() if sample.partition("{")[0] == f"adproxy_{name}")

    def rejected(self) -> dict[str, float]:
        return {
            found[1]: value
            for name, value in self.figures().items()
            if (found := re.fullmatch(r'adproxy_beacons_rejected_total\{reason="(.*)"\}', name))
        }


def said(token: str, *events: list[object], nonce: str = NONCE, **more: object) -> bytes:
    return json.dumps({"v": 1, "t": token, "n": nonce, "e": list(events) or [["page_view"]], **more}).encode()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, load(RULES))
    yield site
    site.middleware.close()


@pytest.fixture
def keys(site: Site, tmp_path: Path) -> Keyring:
    return load_keys("", None, tmp_path)


def facts(**changes: Any) -> PageFacts:
    given = {"site": "small-site", "path": "/story", "revision": "0" * 12, "day": day_of(time.time())}
    return PageFacts(**{**given, "slots": (("top", 1), ("end", 1)), **changes})


# --- beacons --------------------------------------------------------------------------------


def test_a_view_is_counted_once_and_nobody_is_told_more(site: Site) -> None:
    body = said(site.token(), ["page_view"], ["request", "top", 1], ["rendered", "top", 1], ["viewable", "top", 1])
    for _ in range(3):
        answer = site.post(body)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers == {b"cache-control": b"no-store", b"x-content-type-options": b"nosniff"}
    for name in (
        "page_views_total",
        "slot_requests_total",
        "slot_impressions_total",
        "slot_viewable_impressions_total",
    ):
        assert site.counted(name) == 1
    assert site.rejected() == {"duplicate": 2}


def test_labels_come_from_the_token(site: Site) -> None:
    site.report(["rendered", "end", 1], ["withheld", "top", 1, "gpc"])
    assert site.figures()['adproxy_slot_impressions_total{site="small-site",slot="end",traffic="valid"}'] == 1
    withheld = 'adproxy_slot_withheld_total{reason="gpc",site="small-site",slot="top",traffic="valid"}'
    assert site.figures()[withheld] == 1


def test_d16_forged_expired_and_foreign_are_answered_alike(site: Site, keys: Keyring) -> None:
    token = site.token()
    today = day_of(time.time())
    tried = {
        RejectReason.FORGED: said(Keyring("a key of somebody else, long enough too").sign(facts())),
        RejectReason.EXPIRED: said(keys.sign(facts(day=today - 8))),
        RejectReason.FOREIGN_SLOT: said(token, ["rendered", "top", 2]),
        RejectReason.MALFORMED: b"{}",
        RejectReason.OUT_OF_ORDER: said(token, ["viewable", "top", 1]),
    }
    good = site.post(said(keys.sign(facts(day=today - 7)), nonce="B" * 22))
    for reason, body in tried.items():
        assert site.post(body) == good
        assert site.rejected()[reason.value] == 1
    assert site.counted("page_views_total") == 1


def test_what_is_real_in_a_beacon_counts_beside_what_is_not(site: Site) -> None:
    site.report(["page_view"], ["rendered", "top", 9], ["rendered", "top", 1])
    assert site.counted("slot_impressions_total") == site.counted("page_views_total") == 1
    assert site.rejected() == {"foreign_slot": 1}


def test_a_nonce_that_another_page_has_counts_nothing(site: Site) -> None:
    site.report(["page_view"])
    site.report(["page_view"], token=site.token("/other"))
    assert site.counted("page_views_total") == 1
    assert site.rejected() == {"foreign_nonce": 1}


def test_a_slot_of_retired_rules_counts_while_it_is_loaded_and_then_as_other(tmp_path: Path) -> None:
    before = Site(tmp_path, load(RULES))
    token = before.token()
    after = Site(tmp_path, load(RULES.replace("end:", "after-text:").replace("728x90", "970x250")))
    assert after.report(["rendered", "top", 1], ["rendered", "end", 1], token=token).status == 204
    seen = [name for name in after.figures() if name.startswith("adproxy_slot_impressions_total")]
    assert [re.findall(r'slot="([^"]+)"', name)[0] for name in sorted(seen)] == ["_other", "top"]
    gone = Site(tmp_path, load(RULES.replace("small-site", "other-site")))
    gone.post(said(token, ["page_view"], nonce="C" * 22))
    assert gone.figures()['adproxy_page_views_total{site="_other",traffic="valid"}'] == 1
    for one in (before, after, gone):
        one.middleware.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "DELETE"])
def test_other_methods_are_405(site: Site, method: str) -> None:
    answer = site.get("/_adproxy/beacon", method=method)
    assert (answer.status, answer.headers[b"allow"], answer.headers[b"cache-control"]) == (405, b"POST", b"no-store")
    assert site.rejected() == {"method": 1}


@pytest.mark.parametrize(
    "path", ["/_adproxy/beacon/", "/_adproxy/beacon.gif", "/_adproxy/x/beacon", "/_adproxy/Beacon"]
)
def test_f19_the_path_is_exact(site: Site, path: str) -> None:
    answer = site.get(path, method="POST")
    assert (answer.status, answer.headers[b"cache-control"]) == (404, b"no-store")


@pytest.mark.parametrize("pieces", [1, 3, 2049])
def test_a_beacon_is_2048_bytes_at_most(site: Site, pieces: int) -> None:
    body = said(site.token())
    assert site.post(body + b" " * (2_048 - len(body)), pieces=pieces).status == 204
    assert site.post(body + b" " * (2_049 - len(body)), pieces=pieces).status == 413
    assert site.counted("page_views_total") == 1
    assert site.rejected() == {"too_large": 1}


def test_a_beacon_that_does_not_come_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impressions, "BODY_SECONDS", 0.05)
    scope = http_scope("/_adproxy/beacon", BROWSER, TEXT, method="POST")
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(20)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(asyncio.wait_for(site.middleware(scope, receive, send), 10))
    assert sent[0]["status"] == 408
    assert site.rejected() == {"slow": 1}


def test_a_sender_who_leaves_is_not_answered(site: Site) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(site.middleware(http_scope("/_adproxy/beacon", BROWSER, TEXT, method="POST"), receive, send))
    assert sent == []


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded", "text/html", "text/plainer"])
def test_what_a_form_could_send_is_none(site: Site, kind: str | None) -> None:
    headers = [BROWSER, *([("content-type", kind)] if kind else [])]
    assert site.post(said(site.token()), *headers).status == 204
    assert site.rejected() == {"malformed": 1}


def test_json_by_its_own_name_will_do(site: Site) -> None:
    site.post(said(site.token()), BROWSER, ("content-type", "application/json"))
    assert site.counted("page_views_total") == 1


def test_another_sites_page_can_not_report(site: Site) -> None:
    for where in ("cross-site", "same-origin"):
        site.post(said(site.token()), BROWSER, TEXT, ("sec-fetch-site", where))
    assert site.rejected() == {"cross_site": 1}
    assert site.counted("page_views_total") == 1


# --- traffic and limits ------------------------------------------------------------------------


def test_crawlers_and_driven_browsers_are_counted_apart(site: Site) -> None:
    token = site.token()
    site.post(said(token, nonce="A" * 22), ("user-agent", "Googlebot/2.1"), TEXT)
    site.post(said(token, ["page_view"], ["rendered", "top", 1], nonce="B" * 22, w=1))
    site.post(said(token, nonce="C" * 22))
    figures = site.figures()
    assert figures['adproxy_page_views_total{site="small-site",traffic="invalid"}'] == 2
    assert figures['adproxy_page_views_total{site="small-site",traffic="valid"}'] == 1
    assert figures['adproxy_invalid_traffic_total{reason="crawler",site="small-site"}'] == 1
    assert figures['adproxy_invalid_traffic_total{reason="webdriver",site="small-site"}'] == 2


def test_a_mark_of_a_front_and_a_list_of_addresses(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text("203.0.113.0/24\n")
    site = Site(tmp_path, load(RULES), invalid_header="X-Robot", invalid_addresses=listed)
    token, mark = site.token(), ("x-robot", "yes")
    from_outside = {"client": ("198.51.100.1", 9)}
    site.post(said(token, nonce="A" * 22), BROWSER, TEXT, mark)
    site.post(said(token, nonce="B" * 22), BROWSER, TEXT, mark, **from_outside)
    site.post(said(token, nonce="C" * 22), BROWSER, TEXT, ("x-forwarded-for", "203.0.113.7"))
    site.post(said(token, nonce="D" * 22), BROWSER, TEXT, ("x-forwarded-for", "203.0.113.7"), **from_outside)
    assert {name: value for name, value in site.figures().items() if "invalid_traffic" in name} == {
        'adproxy_invalid_traffic_total{reason="front",site="small-site"}': 1,
        'adproxy_invalid_traffic_total{reason="address",site="small-site"}': 1,
    }
    assert site.counted("page_views_total") == 4
    site.middleware.close()


def test_a_machine_is_told_to_wait_and_a_front_is_not(tmp_path: Path) -> None:
    site = Site(tmp_path, load(RULES), beacon_rate=0.1, beacon_burst=3)
    body = said(site.token())
    statuses = [site.post(body, client=("203.0.113.7", 9)).status for _ in range(5)]
    assert statuses == [204, 204, 204, 429, 429]
    answer = site.post(body, client=("203.0.113.99", 9))
    assert (answer.status, answer.headers[b"cache-control"]) == (429, b"no-store")
    assert 1 <= int(answer.headers[b"retry-after"]) <= 10
    assert site.rejected()["rate_limit"] == 3
    forwarded = [site.post(body, BROWSER, TEXT, ("x-forwarded-for", "203.0.113.1")).status for _ in range(2)]
    assert forwarded == [429, 429]  # the same block, through a front that says so
    assert [site.post(body).status for _ in range(9)] == [204] * 9  # and through one that does not
    site.middleware.close()


def test_a_store_that_can_not_be_written_asks_the_browser_to_come_again(site: Site, tmp_path: Path) -> None:
    token = site.token()
    hidden = tmp_path.with_name("hidden")
    tmp_path.rename(hidden)
    answer = site.post(said(token))
    assert (answer.status, answer.headers[b"retry-after"], answer.headers[b"cache-control"]) == (503, b"3", b"no-store")
    assert site.rejected() == {"store": 1}
    assert site.figures()[f'adproxy_event_store_errors_total{{kind="{StoreProblem.IO.value}"}}'] == 1
    assert "adproxy_event_store_writable" not in site.figures()  # 0
    hidden.rename(tmp_path)
    assert site.post(said(token)).status == 204
    assert site.figures()["adproxy_event_store_writable"] == site.counted("page_views_total") == 1


# --- clicks ---------------------------------------------------------------------------------


def click(token: str, slot: str = "end", n: object = 1, more: str = "") -> str:
    return f"/_adproxy/click?t={token}&s={slot}&i={n}{more}"


def test_a_click_leads_to_the_address_in_the_rules(site: Site) -> None:
    marks = PageMarks(site.token(), "/_adproxy/")
    answer = site.get(marks.click("end", 1), BROWSER)
    assert answer.status == 302
    assert answer.headers[b"location"] == b"https://shop.example/a?b=%C3%BC&c=%20"
    assert answer.headers[b"cache-control"] == b"no-store"
    assert answer.headers[b"referrer-policy"] == b"strict-origin-when-cross-origin"
    assert site.figures()['adproxy_slot_clicks_total{site="small-site",slot="end",traffic="valid"}'] == 1


def test_a_click_of_a_view_counts_once_with_or_without_its_beacon(site: Site) -> None:
    token = site.token()
    for _ in range(2):
        assert site.get(click(token, more=f"&n={NONCE}"), BROWSER).status == 302
    site.post(said(token, ["click", "end", 1]))
    assert site.counted("slot_clicks_total") == 1
    site.get(click(token), BROWSER)
    assert site.counted("slot_clicks_total") == 2


def test_f17_a_click_leads_nowhere_else(site: Site, keys: Keyring) -> None:
    token = site.token()
    evil = "https://evil.example/"
    for path in (
        click(token, "top"),
        click(token, n=2),
        click(token, n=0),
        click(token, n="1e0"),
        click(token, n="٣"),
        click(token, "nowhere"),
        click(token[:-1]),
        click("", more=f"&u={evil}"),
        click(token, more="&s=end"),
        f"/_adproxy/click?t={token}",
        "/_adproxy/click",
        f"/_adproxy/click?{evil}",
        f"/_adproxy/click?u={quote(evil)}",
        click(token, quote("//evil.example")),
        click(token, "end%0d%0aLocation:%20https://evil.example/"),
        click(keys.sign(facts(site="other-site"))),
        click(token, more="&" + "x" * 3_000),
    ):
        answer = site.get(path, BROWSER)
        assert answer.status == 404, path
        assert b"location" not in answer.headers
    assert site.get(click(token, more=f"&u={evil}"), BROWSER).headers[b"location"].startswith(b"https://shop.example/")
    assert site.counted("slot_clicks_total") == 1


def test_d16_a_click_on_an_old_page_arrives_uncounted(site: Site, keys: Keyring) -> None:
    answer = site.get(click(keys.sign(facts(day=day_of(time.time()) - 30))), BROWSER)
    assert (answer.status, answer.headers[b"location"][:20]) == (302, b"https://shop.example")
    assert site.counted("slot_clicks_total") == 0
    assert site.rejected() == {"expired": 1}


def test_a_click_arrives_though_nothing_can_be_counted(site: Site, tmp_path: Path) -> None:
    token = site.token()
    tmp_path.rename(tmp_path.with_name("hidden-too"))
    assert site.get(click(token), BROWSER).status == 302
    tmp_path.with_name("hidden-too").rename(tmp_path)
    assert site.rejected() == {"store": 1}


def test_an_address_that_is_relative_is_the_pages(tmp_path: Path) -> None:
    for link, target in (("/subscribe", b"/subscribe"), ("subscribe", b"/news/subscribe")):
        site = Site(tmp_path, load(RULES.replace('"https://shop.example/a?b=ü&c=%20"', link)))
        assert site.get(click(site.token("/news/story")), BROWSER).headers[b"location"] == target
        site.middleware.close()


def test_other_methods_click_nothing(site: Site) -> None:
    token = site.token()
    assert site.get(click(token), method="POST").status == 405
    assert site.get(click(token), BROWSER, method="HEAD").status == 302
    assert site.counted("slot_clicks_total") == 0


# --- pictures -------------------------------------------------------------------------------


def test_a_browser_without_scripts_counts_by_a_picture(site: Site) -> None:
    marks = PageMarks(site.token(), "/_adproxy/")
    for _ in range(2):
        answer = site.get(marks.seen("end", 1), BROWSER)
        assert (answer.status, answer.headers[b"content-type"], answer.headers[b"cache-control"]) == (
            200, b"image/gif", b"no-store",
        )  # fmt: skip
        assert answer.body.startswith(b"GIF89a")
        assert int(answer.headers[b"content-length"]) == len(answer.body)
    site.get(marks.seen("end", 1), ("user-agent", "curl/8"))
    figures = site.figures()
    assert figures['adproxy_slot_impressions_total{site="small-site",slot="end",traffic="valid"}'] == 2
    assert figures['adproxy_slot_impressions_total{site="small-site",slot="end",traffic="invalid"}'] == 1


def test_a_slot_that_the_page_fills_has_no_picture(site: Site) -> None:
    assert site.get(PageMarks(site.token(), "/_adproxy/").seen("top", 1), BROWSER).status == 404
    assert site.counted("slot_impressions_total") == 0


# --- pages ----------------------------------------------------------------------------------


def test_b2_the_tag_of_a_page_changes_with_its_token(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = site.get("/story").headers[b"etag"].decode()
    again = ("if-none-match", tag)
    answer = site.get("/story", again)
    assert (answer.status, answer.headers[b"etag"].decode()) == (304, tag)
    tomorrow = time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    answer = site.get("/story", again)
    assert answer.status == 200
    assert answer.headers[b"etag"].decode() != tag


def test_the_same_page_is_the_same_for_everybody(site: Site) -> None:
    assert site.get("/story", BROWSER).body == site.get("/story?query", ("cookie", "a=b"), client=("::1", 1)).body
    assert site.token("/story") != site.token("/other")


def test_without_counting_pages_carry_nothing_and_nobody_listens(tmp_path: Path) -> None:
    site = Site(tmp_path, load(RULES), count=False)
    assert b"token" not in site.get("/story").body
    assert site.post(b"{}").status == 404
    assert list(tmp_path.iterdir()) == []
    assert not [name for name in site.figures() if "page_views" in name or "event_store" in name]


def test_rules_that_come_from_nowhere_have_no_place_to_count_in(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        middleware = AdMiddleware(newspaper, load(RULES))
    assert middleware.impressions is None
    assert "ADPROXY_STATE_DIR names no directory" in caplog.text


def test_processes_of_one_application_count_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    sites = []
    for _ in range(2):
        site = object.__new__(Site)
        site.metrics = Metrics()
        site.middleware = AdMiddleware(newspaper, rules, metrics=site.metrics)
        sites.append(site)
    one, other = sites
    other.post(said(one.token(), ["page_view"], ["rendered", "top", 1]))
    one.post(said(other.token(), ["page_view"], ["rendered", "top", 1]))
    assert [site.counted("slot_impressions_total") for site in sites] == [1, 1]
    (kept,) = (tmp_path / "home" / "adproxy").iterdir()
    assert kept.name.startswith("app-")
    assert kept.stat().st_mode & 0o077 == 0
    for site in sites:
        site.middleware.close()


def test_a_place_that_was_named_and_can_not_be_had_is_an_error(tmp_path: Path) -> None:
    from adproxy.errors import SettingsError

    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="can't keep state in"):
        AdMiddleware(newspaper, load(RULES), settings=Settings(state_dir=tmp_path / "file" / "x"))
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
        middleware = AdMiddleware(newspaper, rules)  # the usual place: pages matter more
    assert middleware.impressions is None
    middleware.close()
