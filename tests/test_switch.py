"""The kill switch: by whom it is thrown, who notices, and what a page is then."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_site import PAGE, RULES, book, load, with_slots
from starlette.types import Receive, Scope, Send
from wire import Response, Server, call, http_scope, serving

from adproxy.errors import SettingsError
from adproxy.metrics import Metrics
from adproxy.middleware import AdMiddleware
from adproxy.settings import Settings
from adproxy.switch import FIELD, MIN_SECRET, Switch, load_secret

SECRET = "0123456789abcdef" * 2
HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"etag", b'"v1"'),
    (b"last-modified", b"Thu, 01 Jan 2026 00:00:00 GMT"),
    (b"cache-control", b"public, max-age=600"),
    (b"accept-ranges", b"bytes"),
]
Ask = Callable[..., Response]


class Newspaper:
    """The same page at every address; remembers what it was asked."""

    def __init__(self) -> None:
        self.heads: list[list[tuple[bytes, bytes]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.heads.append(scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else PAGE})


def middleware(site: Newspaper, metrics: Metrics | None = None, rules: str = RULES, **options: Any) -> AdMiddleware:
    return AdMiddleware(site, load(rules), settings=Settings(count=False, **options), metrics=metrics)


def skipped(metrics: Metrics, reason: str) -> float | None:
    labels = {"site": "small-site", "outcome": "skipped", "reason": reason}
    return metrics.registry.get_sample_value("adproxy_pages_total", labels)


def switched_off(metrics: Metrics) -> float:
    (family,) = [family for family in metrics.families() if family.name == "adproxy_switched_off"]
    return family.samples[0].value


@pytest.fixture
def live() -> Iterator[tuple[Newspaper, Server, Metrics]]:
    site, metrics = Newspaper(), Metrics()
    with serving(middleware(site, metrics, switch_secret=SECRET), lifespan="off") as server:
        yield site, server, metrics


def is_plain(answer: Response) -> bool:
    """As the site sent it, head and body."""
    head = [header for header in answer.headers if header[0] != b"transfer-encoding"]
    return (answer.body, sorted(head)) == (PAGE, sorted(HEADERS))


# --- who throws it ------------------------------------------------------------------------


def test_who_knows_the_secret_switches_off_and_on_for_everybody(live: tuple[Newspaper, Server, Metrics]) -> None:
    _, server, metrics = live
    assert server.ask("/story").body == with_slots()
    assert switched_off(metrics) == 0
    assert server.ask("/_adproxy/switch/off", (FIELD, SECRET), method="POST").status == 200
    assert is_plain(server.ask("/story"))
    assert switched_off(metrics) == 1
    assert skipped(metrics, "switched_off") == 1
    assert server.ask("/_adproxy/switch/on", (FIELD, SECRET), method="POST").body == b"on\n"
    assert server.ask("/story").body == with_slots()


def test_nobody_else_finds_it(live: tuple[Newspaper, Server, Metrics]) -> None:
    _, server, _ = live
    for headers in ([], [(FIELD, "")], [(FIELD, SECRET[:-1])], [(FIELD, f"{SECRET}0")], [("x-secret", SECRET)]):
        assert server.ask("/_adproxy/switch/off", *headers, method="POST").status == 404
    assert server.ask("/_adproxy/switch/off", (FIELD, SECRET)).status == 405
    assert server.ask("/story").body == with_slots()


def test_without_a_secret_no_request_can_throw_it() -> None:
    with serving(middleware(Newspaper()), lifespan="off") as server:
        assert server.ask("/_adproxy/switch/off", (FIELD, ""), method="POST").status == 404
        assert server.ask("/story", (FIELD, "")).body == with_slots()


def test_a_setting_holds_whatever_else_is_said() -> None:
    with serving(middleware(Newspaper(), off=True, switch_secret=SECRET), lifespan="off") as server:
        assert is_plain(server.ask("/story"))
        assert server.ask("/_adproxy/switch/on", (FIELD, SECRET), method="POST").body.startswith(b"off")
        assert is_plain(server.ask("/story"))


def test_one_request_with_the_secret_gets_the_page_as_it_came(live: tuple[Newspaper, Server, Metrics]) -> None:
    site, server, metrics = live
    answer = server.ask("/story", (FIELD, SECRET))
    assert answer.body == PAGE
    assert answer.get("etag") == '"v1"'
    assert answer.get("vary") == FIELD  # or a cache would hand it to everybody
    assert skipped(metrics, "switched_off") == 1
    assert not [line for line in site.heads[-1] if SECRET.encode() in line[1]], "the secret goes no further"
    assert server.ask("/story").body == with_slots()


# --- what it does ---------------------------------------------------------------------------


def test_switched_off_is_a_plain_pipe_for_every_kind_of_request(live: tuple[Newspaper, Server, Metrics]) -> None:
    site, server, _ = live
    server.ask("/_adproxy/switch/off", (FIELD, SECRET), method="POST")
    sent = [("If-None-Match", '"v1"'), ("If-Modified-Since", "x"), ("Range", "bytes=0-1"), ("Sec-Fetch-Dest", "empty")]
    assert is_plain(server.ask("/story", *sent))
    assert {(name.lower().encode(), value.encode()) for name, value in sent} <= set(site.heads[-1])
    head = server.ask("/story", method="HEAD")
    assert sorted(header for header in head.headers if header[0] != b"transfer-encoding") == sorted(HEADERS)


def test_an_editor_can_save_a_page_that_had_slots_when_it_was_opened(live: tuple[Newspaper, Server, Metrics]) -> None:
    site, server, _ = live
    server.ask("/_adproxy/switch/off", (FIELD, SECRET), method="POST")
    server.ask("/story", ("If-Match", 'W/"v1;ap=0123456789ab"'), method="PUT", body=b"x")
    assert (b"if-match", b'"v1"') in site.heads[-1]


def test_pages_in_caches_are_told_too(live: tuple[Newspaper, Server, Metrics]) -> None:
    _, server, _ = live
    assert json.loads(server.ask("/_adproxy/config/small-site.json").body)["off"] is False
    assert server.ask("/_adproxy/readyz").body == b"ready\n"
    server.ask("/_adproxy/switch/off", (FIELD, SECRET), method="POST")
    assert json.loads(server.ask("/_adproxy/config/small-site.json").body)["off"] is True
    ready = server.ask("/_adproxy/readyz")
    assert (ready.status, b"switched off" in ready.body) == (200, True)
    assert server.ask("/_adproxy/client.js").status == 200


def test_rules_that_vary_by_reader_do_not_vary_while_it_is_off() -> None:
    varying = RULES.replace("pages:", "visitors: {ad_free: {header: X-Subscriber}}\npages:")
    with serving(middleware(Newspaper(), rules=varying), lifespan="off") as server:
        assert server.ask("/story").get("vary") == "x-subscriber"
    with serving(middleware(Newspaper(), rules=varying, off=True), lifespan="off") as server:
        assert is_plain(server.ask("/story", ("X-Subscriber", "1")))


def test_a_failure_of_ours_changes_nothing_while_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("adproxy.middleware.policy_for", fails)
    with serving(middleware(Newspaper(), off=True), lifespan="off") as server:
        assert is_plain(server.ask("/story"))


# --- where it is kept -------------------------------------------------------------------------


def test_it_outlives_the_process(tmp_path: Path) -> None:
    Switch(tmp_path).turn_off()
    again = Switch(tmp_path)
    assert again.is_off
    assert again.off_since is not None
    again.turn_on()
    assert not Switch(tmp_path).is_off


def _throw(directory: Path) -> None:
    Switch(directory).turn_off()


def test_another_process_throws_it_for_this_one(tmp_path: Path) -> None:
    ours = Switch(tmp_path)
    other = multiprocessing.get_context("spawn").Process(target=_throw, args=(tmp_path,))
    other.start()
    other.join(60)
    assert other.exitcode == 0
    assert ours.is_off


def test_off_twice_is_off_since_the_first_time() -> None:
    switch = Switch()
    switch.turn_off()
    since = switch.off_since
    switch.turn_off()
    assert switch.off_since == since


def test_where_it_can_not_be_kept_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"can't keep the switch in .*nowhere: No such file"):
        Switch(tmp_path / "nowhere")


def test_all_middlewares_of_an_application_have_one(tmp_path: Path) -> None:
    one, other = (
        AdMiddleware(
            Newspaper(), book(), settings=Settings(count=False, switch_secret=SECRET, state_dir=tmp_path / "state")
        )
        for _ in range(2)
    )
    scope = http_scope("/_adproxy/switch/off", (FIELD, SECRET), method="POST")
    assert asyncio.run(call(one, scope))[0]["status"] == 200
    assert other.switch.is_off


# --- the secret ---------------------------------------------------------------------------------


def test_the_secret_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    assert load_secret("", None) == ""
    assert load_secret("", file) == SECRET
    monkeypatch.setenv("ADPROXY_SWITCH_SECRET", SECRET)
    assert load_secret(Settings().switch_secret, file.with_name("none")) == SECRET
    assert SECRET not in repr(Settings())


@pytest.mark.parametrize("secret", ["x" * (MIN_SECRET - 1), "ü" * MIN_SECRET, f"{'x' * MIN_SECRET} y"])
def test_a_bad_secret_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"switch_secret: found .*; expected a secret of 32") as refused:
        load_secret(secret, None)
    assert secret not in str(refused.value)


def test_a_file_without_a_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"can't read the secret of the switch in .*: No such file"):
        load_secret("", tmp_path / "none")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SettingsError, match="empty: found nothing"):
        load_secret("", tmp_path / "empty")
