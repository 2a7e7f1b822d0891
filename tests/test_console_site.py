"""Pages of the site: asked of what stands behind adproxy, within bounds, and of nobody else."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from console_office import answering, newspaper

from adproxy.console import site as module
from adproxy.console.site import Site, page_address
from adproxy.errors import PageError
from adproxy.page_source import Fetched

HOME = "http://site.example"
HTML = {"content-type": "text/html"}


def fetch(site: Site, url: str) -> Fetched:
    return asyncio.run(site.fetch(url))


def test_a_page_comes_with_its_head_whatever_host_it_is_asked_by() -> None:
    asked: list[dict[str, str]] = []
    fetched = fetch(Site(answering(newspaper, asked), HOME), "https://www.elsewhere.example/2026/story-1?page=2")
    assert (fetched.status, fetched.url) == (200, "https://www.elsewhere.example/2026/story-1?page=2")
    assert fetched.body.startswith(b"<!doctype html>")
    assert (asked[0]["host"], asked[0]["path"], asked[0]["query"]) == (
        "www.elsewhere.example",
        "/2026/story-1",
        "page=2",
    )
    assert "cookie" not in asked[0]


def test_what_is_compressed_is_unpacked() -> None:
    packed = {**HTML, "content-encoding": "gzip"}
    site = Site(answering(lambda path: (200, packed, gzip.compress(b"<p>Here"))), HOME)
    assert fetch(site, f"{HOME}/").body == b"<p>Here"


def test_redirects_are_followed_within_the_host_and_nowhere_else() -> None:
    goals = {"/a": "/b", "/b": "https://site.example/2026/story-1", "/out": "https://other.example/", "/loop": "/loop"}

    def answer(path: str) -> tuple[int, dict[str, str], bytes]:
        return (302, {"location": goals[path]}, b"") if path in goals else newspaper(path)

    site = Site(answering(answer), HOME)
    assert fetch(site, f"{HOME}/a").url == "https://site.example/2026/story-1"
    with pytest.raises(PageError, match="another host"):
        fetch(site, f"{HOME}/out")
    with pytest.raises(PageError, match="from page to page"):
        fetch(site, f"{HOME}/loop")


def test_more_than_fits_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with pytest.raises(PageError, match="more than 1000 bytes"):
        fetch(Site(answering(lambda path: (200, HTML, b"x" * 1001)), HOME), f"{HOME}/")


def test_what_never_comes_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_SECONDS", 0.05)
    ended = []

    async def silent(scope, receive, send):  # type: ignore[no-untyped-def]
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(PageError, match="took longer than"):
        fetch(Site(silent, HOME), f"{HOME}/")
    assert ended == [True]


def test_an_answer_that_breaks_off_is_none() -> None:
    async def half(scope, receive, send):  # type: ignore[no-untyped-def]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<p>Half", "more_body": True})

    async def failing(scope, receive, send):  # type: ignore[no-untyped-def]
        raise ZeroDivisionError

    with pytest.raises(PageError, match="broke off"):
        fetch(Site(half, HOME), f"{HOME}/")
    with pytest.raises(PageError, match="the site failed: ZeroDivisionError"):
        fetch(Site(failing, HOME), f"{HOME}/")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/news/story", f"{HOME}/news/story"),
        (" www.site.example/a?b=c#d ", "http://www.site.example/a?b=c"),
        ("https://site.example", "https://site.example/"),
        ("//site.example/a", "http://site.example/a"),
    ],
)
def test_an_address_is_what_somebody_means_by_it(written: str, meant: str) -> None:
    assert page_address(written, HOME) == meant


@pytest.mark.parametrize(
    "written", ["", "ftp://site.example/", "http://user@site.example/", "http://[::1/", "file:///etc"]
)
def test_what_is_no_address_is_told(written: str) -> None:
    with pytest.raises(PageError, match="expected the address of a page"):
        page_address(written, HOME)
