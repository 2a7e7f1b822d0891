"""What adproxy answers itself, under its prefix."""

from __future__ import annotations

import asyncio
import json

import pytest
from small_site import REVISION, RULES, book, load, policy
from starlette.types import Receive, Scope, Send
from wire import body_of, call, http_scope

from adproxy.markup import stylesheet
from adproxy.middleware import AdMiddleware
from adproxy.own_paths import Answer, OwnPaths
from adproxy.scripts import CLIENT, VISITOR, BrowserScript
from adproxy.settings import Settings

OWN = OwnPaths("/_adproxy/", book, lambda: True)


def ask(name: str, *headers: tuple[bytes, bytes], method: str = "GET") -> Answer:
    path, _, query = name.partition("?")
    return OWN.answer(method, f"/_adproxy/{path}".encode(), headers, query.encode())


@pytest.mark.parametrize(
    "path", [b"/_adproxy/", b"/_adproxy/client.js", b"/_adproxy/a/b", b"/_adproxy//x", b"/_adproxy/...x"]
)
def test_f18_what_is_spelled_out_under_the_prefix_is_ours(path: bytes) -> None:
    assert OWN.covers(path)


@pytest.mark.parametrize(
    "path",
    [b"/_adproxy", b"/_adproxyx/", b"/x/_adproxy/", b"//_adproxy/x", b"/%5fadproxy/x", b"/_ADPROXY/x"],
)
def test_other_paths_are_the_applications(path: bytes) -> None:
    assert not OWN.covers(path)


@pytest.mark.parametrize("rest", [b"../x", b"a/./b", b"..", b"%2e%2e/x", b"..;/x", b"a\\..\\b", b"\xc3\xa9"])
def test_c11_f18_tricks_with_paths_are_the_applications(rest: bytes) -> None:
    assert not OWN.covers(b"/_adproxy/" + rest)


def test_f19_what_is_not_there_is_404_and_stays_in_no_cache() -> None:
    for name in ("", "x", "client.js/x", "healthz.css", "slots-.css", "slots-000000000000.css", "client.js.map"):
        answer = ask(name)
        assert answer.status == 404
        assert dict(answer.headers)[b"cache-control"] == b"no-store"


def test_the_script_is_the_packages_own_and_can_be_revalidated() -> None:
    answer = ask("client.js")
    headers = dict(answer.headers)
    assert answer.body == CLIENT.body
    assert headers[b"content-length"] == b"%d" % len(answer.body)
    assert headers[b"content-type"].startswith(b"text/javascript")
    for line in (headers[b"etag"], b'"x", W/' + headers[b"etag"], b"*"):
        again = ask("client.js", (b"If-None-Match", line))
        assert (again.status, again.body) == (304, b"")
        assert dict(again.headers)[b"etag"] == headers[b"etag"]
    assert ask("client.js", (b"If-None-Match", b'"x"')).status == 200


@pytest.mark.parametrize("script", [CLIENT, VISITOR], ids=lambda script: script.name)
def test_a_script_asked_for_by_its_version_may_be_kept_for_ever(script: BrowserScript) -> None:
    lifetimes = {
        query: dict(ask(f"{script.name}{query}").headers)[b"cache-control"]
        for query in ("", f"?v={script.version}", "?v=0", f"?v={script.version}&x=1")
    }
    assert [query for query, lifetime in lifetimes.items() if b"immutable" in lifetime] == [f"?v={script.version}"]


def test_browsers_are_told_what_is_paused() -> None:
    books = [book()]
    own = OwnPaths("/_adproxy/", lambda: books[0], lambda: True)

    def told(site: str = "small-site") -> dict[str, object]:
        answer = own.answer("GET", f"/_adproxy/config/{site}.json".encode(), [])
        assert answer.status == 200
        assert dict(answer.headers)[b"cache-control"] == b"public, max-age=5"
        return dict(json.loads(answer.body))

    assert told() == {"off": False, "paused": []}
    books[0] = load(RULES + "pause: [top]\n")
    assert told() == {"off": False, "paused": ["top"]}
    books[0] = load(RULES + "pause: true\n")
    assert told() == {"off": True, "paused": []}
    assert own.answer("GET", b"/_adproxy/config/other-site.json", []).status == 404


def test_the_style_sheet_of_the_rules_in_force_may_be_kept_for_ever() -> None:
    answer = ask(f"slots-{REVISION}.css")
    assert answer.body == stylesheet(policy())
    assert b"immutable" in dict(answer.headers)[b"cache-control"]
    assert dict(answer.headers)[b"content-type"].startswith(b"text/css")


def test_a_style_sheet_outlives_the_rules_while_it_is_remembered() -> None:
    books = [book()]
    own = OwnPaths("/_adproxy/", lambda: books[0], lambda: True)
    path = f"/_adproxy/slots-{REVISION}.css".encode()
    own.remember(policy())
    books[0] = load(RULES.replace("728x90", "970x250"))
    assert own.answer("GET", path, []).status == 200
    for width in range(300):
        own.remember(policy(load(RULES.replace("728x90", f"{500 + width}x90"))))
    assert own.answer("GET", path, []).status == 404


def test_head_tells_the_length_and_sends_nothing() -> None:
    answer = ask("client.js", method="HEAD")
    assert answer.body == b""
    assert dict(answer.headers) == dict(ask("client.js").headers)


def test_other_methods_are_405() -> None:
    answer = ask("client.js", method="POST")
    assert (answer.status, dict(answer.headers)[b"allow"]) == (405, b"GET, HEAD")


def test_readiness_is_whether_rules_were_ever_loaded() -> None:
    assert ask("healthz").status == ask("readyz").status == 200
    assert OwnPaths("/_adproxy/", book, lambda: False).answer("GET", b"/_adproxy/readyz", []).status == 503


async def marked(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the application"})


@pytest.mark.parametrize(
    ("path", "from_application"),
    [("/_adproxy/healthz", False), ("/_adproxy/x", False), ("/_adproxy/../x", True), ("/%5fadproxy/healthz", True)],
)
def test_f18_the_application_is_never_asked_for_our_paths(path: str, from_application: bool) -> None:
    messages = asyncio.run(call(AdMiddleware(marked, book()), http_scope(path)))
    assert (body_of(messages) == b"the application") is from_application


def test_the_prefix_is_a_setting() -> None:
    middleware = AdMiddleware(marked, book(), settings=Settings(prefix="/a/b/"))
    assert body_of(asyncio.run(call(middleware, http_scope("/a/b/healthz")))) == b"ok\n"
    assert body_of(asyncio.run(call(middleware, http_scope("/_adproxy/healthz")))) == b"the application"


@pytest.mark.parametrize(
    "name", ["", "click", "click?url=//evil.example", "client.js", "healthz", "//evil.example", "r/%0d%0aX:1"]
)
def test_f17_nothing_of_ours_sends_a_reader_elsewhere(name: str) -> None:
    answer = ask(name)
    assert not 300 <= answer.status < 304
    assert b"location" not in dict(answer.headers)
