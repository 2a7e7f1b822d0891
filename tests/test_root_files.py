"""What adproxy answers itself at the root of a site, and what it leaves to the application."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send
from wire import body_of, call, http_scope

from adproxy.live_rules import LiveRules
from adproxy.middleware import AdMiddleware
from adproxy.root_files import root_answer
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import RuleBook

ADS = b"adsystem.example, 1234, DIRECT\n"
Headers = tuple[tuple[bytes, bytes], ...]
NEWS: Headers = ((b"host", b"news.example"),)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text("version: 1\nsite: news\nhosts: [news.example]\n")
    (tmp_path / "blog.yaml").write_text("version: 1\nsite: blog\nhosts: [blog.example]\n")
    (tmp_path / "ads.txt").write_bytes(ADS)
    (tmp_path / "blog.ads.txt").write_bytes(b"# the blog's\n")
    (tmp_path / "sellers.json").write_bytes(b"{}")
    return tmp_path


@pytest.fixture
def book(folder: Path) -> RuleBook:
    return load_rules(folder)


def test_a_file_is_served_with_its_type_and_can_be_revalidated(book: RuleBook) -> None:
    answer = root_answer(book, "GET", b"/ads.txt", NEWS)
    assert answer is not None
    headers = dict(answer.headers)
    assert (answer.status, answer.body) == (200, ADS)
    assert headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert headers[b"content-length"] == b"%d" % len(ADS)
    again = root_answer(book, "GET", b"/ads.txt", (*NEWS, (b"if-none-match", headers[b"etag"])))
    assert again is not None
    assert (again.status, again.body) == (304, b"")
    head = root_answer(book, "HEAD", b"/ads.txt", NEWS)
    assert head is not None
    assert (head.body, head.headers) == (b"", answer.headers)
    sellers = root_answer(book, "GET", b"/sellers.json", NEWS)
    assert sellers is not None
    assert dict(sellers.headers)[b"content-type"] == b"application/json"
    posted = root_answer(book, "POST", b"/ads.txt", NEWS)
    assert posted is not None
    assert posted.status == 405


def test_a_site_with_a_file_of_its_own_gets_that(book: RuleBook) -> None:
    answer = root_answer(book, "GET", b"/ads.txt", ((b"host", b"blog.example:8080"),))
    assert answer is not None
    assert answer.body == b"# the blog's\n"


@pytest.mark.parametrize(
    "path", [b"/app-ads.txt", b"/ads.txt/", b"//ads.txt", b"/a/ads.txt", b"/ADS.TXT", b"/ads%2etxt"]
)
def test_what_the_rules_do_not_have_is_the_applications(book: RuleBook, path: bytes) -> None:
    assert root_answer(book, "GET", path, NEWS) is None


def test_a_host_without_rules_keeps_its_own_file(book: RuleBook) -> None:
    assert root_answer(book, "GET", b"/ads.txt", ((b"host", b"other.example"),)) is None


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    """An application with an ads.txt of its own."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"the site's own"})


def asked(app: AdMiddleware, path: str) -> bytes:
    scope = {**http_scope(path), "headers": list(NEWS)}
    return body_of(asyncio.run(call(app, scope)))


def poll_twice(rules: LiveRules) -> None:
    """A change is taken once two looks in a row saw the same."""
    rules.poll()
    rules.poll()


def test_the_file_comes_and_goes_with_the_directory(folder: Path) -> None:
    rules = LiveRules(folder)
    app = AdMiddleware(site, rules)
    assert asked(app, "/ads.txt?x=1") == ADS
    assert asked(app, "/app-ads.txt") == b"the site's own"
    (folder / "app-ads.txt").write_bytes(b"# new\n")
    poll_twice(rules)
    assert asked(app, "/app-ads.txt") == b"# new\n"
    (folder / "ads.txt").unlink()
    poll_twice(rules)
    assert asked(app, "/ads.txt") == b"the site's own"
    app.close()
