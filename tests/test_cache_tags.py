"""Tags of planned pages: whose they are, where they stand, and where they do not."""

from __future__ import annotations

import pytest
from small_site import REVISION, book
from starlette.types import Receive, Scope, Send
from test_switch import Newspaper, middleware
from wire import Server, serving

from adproxy.cache_tags import tagged
from adproxy.errors import SettingsError
from adproxy.middleware import AdMiddleware
from adproxy.settings import Settings

SITE, RULES = "adproxy-site-small-site", f"adproxy-rules-{REVISION}"


def told(server: Server, path: str, *headers: tuple[str, str]) -> tuple[int, str | None, str | None]:
    answer = server.ask(path, *headers)
    return answer.status, answer.get("surrogate-key"), answer.get("cache-tag")


def test_planned_pages_say_their_site_and_revision_and_others_nothing() -> None:
    with serving(middleware(Newspaper(), cache_tags="Surrogate-Key, Cache-Tag"), lifespan="off") as server:
        assert told(server, "/story") == (200, f"{SITE} {RULES}", f"{SITE},{RULES}")
        assert told(server, "/off/story") == (200, None, None)
        assert told(server, "/story", ("Sec-Fetch-Dest", "empty")) == (200, None, None)
    with serving(middleware(Newspaper()), lifespan="off") as server:
        assert told(server, "/story") == (200, None, None)


def test_a_page_that_is_confirmed_says_the_same() -> None:
    async def confirming(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 304, "headers": [(b"etag", b'"v1"')]})
        await send({"type": "http.response.body", "body": b""})

    app = AdMiddleware(confirming, book(), settings=Settings(count=False, cache_tags="surrogate-key"))
    with serving(app, lifespan="off") as server:
        assert told(server, "/story", ("If-None-Match", f'W/"v1;ap={REVISION}"')) == (304, f"{SITE} {RULES}", None)
        assert told(server, "/story") == (304, None, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([(b"Surrogate-Key", b"front a b")], [(b"Surrogate-Key", b"front a b adproxy-site-s adproxy-rules-r")]),
        ([(b"surrogate-key", b"")], [(b"surrogate-key", b"adproxy-site-s adproxy-rules-r")]),
        ([(b"a", b"b")], [(b"a", b"b"), (b"surrogate-key", b"adproxy-site-s adproxy-rules-r")]),
    ],
)
def test_the_origins_own_tags_stay(before: list[tuple[bytes, bytes]], after: list[tuple[bytes, bytes]]) -> None:
    assert tagged(before, ["surrogate-key"], "s", "r") == after


def test_a_list_with_commas_stays_one() -> None:
    assert tagged([(b"Cache-Tag", b"a,b")], ["cache-tag"], "s", "r") == [
        (b"Cache-Tag", b"a,b,adproxy-site-s,adproxy-rules-r")
    ]


def test_a_field_that_no_cache_reads_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"cache_tags: found 'X-Tag'; expected otherwise: .*surrogate-key, xkey"):
        Settings(cache_tags="X-Tag")
