"""deploy/varnish/adproxy.vcl as it stands, but for ports and waiting times: Varnish, adproxy, an origin."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import small_site
from chain import DEPLOY, SLOT, Chain, Process, adapted, events_from, eventually, origin_and_adproxy, program
from websockets.sync.client import connect
from wire import DEADLINE, Response, free_port

VCL = DEPLOY / "varnish" / "adproxy.vcl"
# what a test would wait for too long
SHORTER = {
    ".interval = 1s;": ".interval = 200ms;",
    "beresp.ttl > 10s": "beresp.ttl > 1s",
    "set beresp.ttl = 10s;": "set beresp.ttl = 1s;",
}
TWO_SLOTS = (
    small_site.RULES
    + """  end:
    place: end-of-article
    sizes: {phone: [300x250]}
    div: {id: "ad-end"}
"""
)


@contextlib.contextmanager
def running(tmp_path: Path, shorter: dict[str, str]) -> Iterator[Chain]:
    with (
        tempfile.TemporaryDirectory(prefix="adproxy-varnish-") as directory,
        origin_and_adproxy(tmp_path) as (origin, server, adproxy, rules),
    ):
        ports = {'.port = "8080";': f'.port = "{adproxy.port}";', '.port = "8000";': f'.port = "{server.port}";'}
        vcl = Path(directory, "adproxy.vcl")
        vcl.write_text(adapted(VCL.read_text(encoding="utf-8"), ports | shorter), encoding="utf-8")
        port = free_port()
        # -j none: no other users to become; they could not read what belongs to the test
        command = [program("varnishd"), "-F", "-j", "none", "-n", directory, "-f", vcl]
        command += ["-a", f"127.0.0.1:{port}", "-s", "malloc,32M", "-T", "none"]
        front = Process([*command], port, tmp_path / "varnish.log")
        try:
            front.start()
            yield Chain(origin, server, adproxy, front, rules)
        finally:
            front.end()


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain in which nothing is killed."""
    with running(tmp_path_factory.mktemp("varnish"), SHORTER) as chain:
        yield chain


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """A chain of the test's own."""
    with running(tmp_path, SHORTER) as chain:
        yield chain


def edit_rules(chain: Chain, text: str) -> None:
    """Returns once adproxy works by the new rules."""
    before = chain.adproxy.ask("/rules-changed").get("etag")
    chain.rules.write_text(text, encoding="utf-8")
    eventually(lambda: chain.adproxy.ask("/rules-changed").get("etag") != before)


def drop(chain: Chain, method: str = "BAN", path: str = "/", source: str = "127.0.0.1") -> int:
    return chain.front.ask(path, method=method, source=source).status


def slots(answer: Response) -> int:
    return answer.body.count(SLOT)


# --- while adproxy works --------------------------------------------------------------------


def test_a_page_is_stored_with_its_slots(steady: Chain) -> None:
    first, second = steady.front.ask("/stored"), steady.front.ask("/stored")
    assert slots(first) == slots(second) == 1
    assert (first.get("x-cache"), second.get("x-cache")) == ("miss", "hit 1")
    assert steady.origin.asked["GET /stored"] == 1


def test_a_reader_who_has_the_page_is_told_so_by_its_tag(steady: Chain) -> None:
    tag = steady.front.ask("/known").get("etag")
    assert tag is not None
    assert tag.startswith('W/"v1;ap=')
    answer = steady.front.ask("/known", ("If-None-Match", tag))
    assert (answer.status, answer.get("etag")) == (304, tag)
    assert steady.front.ask("/known", ("If-None-Match", 'W/"v1;ap=000000000000"')).status == 200


def test_pieces_that_scripts_fetch_are_not_mixed_up_with_pages(steady: Chain) -> None:
    assert slots(steady.front.ask("/mixed")) == 1
    assert slots(steady.front.ask("/mixed", ("HX-Request", "true"))) == 0
    assert slots(steady.front.ask("/mixed", ("Sec-Fetch-Dest", "empty"))) == 0
    assert slots(steady.front.ask("/mixed", ("Sec-Fetch-Dest", "document"))) == 1


@pytest.mark.parametrize("path", ["/a%2Fb//c;d/../e%20f?g=%26&h=a+b", "/late/a%2Fb//c?g=%26"])
def test_an_address_arrives_as_the_reader_sent_it(steady: Chain, path: str) -> None:
    steady.front.ask(path)
    # the late one is given up by adproxy and asked for again at the origin
    asked = [target for target in steady.origin.targets if target.startswith(path[:6].encode())]
    assert asked == [path.encode()] * (2 if path.startswith("/late") else 1)


def test_a_websocket_goes_through(steady: Chain) -> None:
    with connect(f"ws://127.0.0.1:{steady.front.port}/socket", open_timeout=DEADLINE) as socket:
        socket.send("hello")
        assert socket.recv(DEADLINE) == "echo hello"


def test_events_come_as_they_happen(steady: Chain) -> None:
    for _ in range(2):  # each reader has a stream of their own, none is stored
        events_from(steady.front, steady.origin)
    assert steady.origin.asked["GET /events"] == 2


def test_the_origins_own_failure_passes_as_it_is_and_is_asked_for_once(steady: Chain) -> None:
    answer = steady.front.ask("/broken")
    assert (answer.status, answer.body) == (503, b"the origin's own words")
    assert steady.origin.asked["GET /broken"] == 1


def test_a_page_that_adproxy_gives_up_on_comes_from_the_origin(steady: Chain) -> None:
    page = steady.front.ask("/late")  # adproxy says 504
    assert (page.status, page.body) == (200, steady.origin.page)


def test_a_post_that_adproxy_gives_up_on_is_not_carried_out_again(steady: Chain) -> None:
    assert steady.front.ask("/late-order", method="POST", body=b"one book").status == 504
    assert steady.origin.asked["POST /late-order"] == 1


# --- after the rules changed ----------------------------------------------------------------


def test_new_rules_show_once_the_stored_pages_are_dropped_and_not_before(chain: Chain) -> None:
    assert slots(chain.front.ask("/story")) == 1
    edit_rules(chain, TWO_SLOTS)
    assert slots(chain.front.ask("/story")) == 1
    assert drop(chain) == 200
    assert slots(chain.front.ask("/story")) == 2


def test_one_address_can_be_dropped_alone(steady: Chain) -> None:
    for path in ("/one", "/other"):
        steady.front.ask(path)
    assert drop(steady, "PURGE", "/one") == 200
    assert steady.front.ask("/one").get("x-cache") == "miss"
    assert steady.front.ask("/other").get("x-cache") == "hit 1"


@pytest.mark.parametrize("method", ["BAN", "PURGE"])
def test_nobody_else_may_drop_stored_pages(steady: Chain, method: str) -> None:
    steady.front.ask("/kept")
    assert drop(steady, method, "/kept", source="127.0.0.2") == 403
    # a reader's request that a trusted server passes on
    assert steady.front.ask("/kept", ("X-Forwarded-For", "203.0.113.5"), method=method).status == 403
    assert str(steady.front.ask("/kept").get("x-cache")).startswith("hit")


def test_a_stale_page_is_confirmed_by_its_tag_until_the_rules_change(chain: Chain) -> None:
    first = chain.front.ask("/brief")
    assert slots(first) == 1

    def asked_with_the_origins_tag() -> bool:
        chain.front.ask("/brief")
        return chain.origin.heads["/brief"].get("if-none-match") == '"v1"'

    eventually(asked_with_the_origins_tag)
    confirmed = chain.front.ask("/brief")
    assert (confirmed.body, confirmed.get("etag")) == (first.body, first.get("etag"))
    edit_rules(chain, TWO_SLOTS)
    # the tag is that of older rules, so it confirms nothing: no BAN, and still no page lives beyond its lifetime
    eventually(lambda: slots(chain.front.ask("/brief")) == 2)
    renewed = chain.front.ask("/brief")
    assert renewed.get("etag") not in (None, first.get("etag"))
    chain.origin.heads["/brief"] = {}
    eventually(asked_with_the_origins_tag)
    assert slots(chain.front.ask("/brief")) == 2


# --- while adproxy does not work ------------------------------------------------------------


def test_stored_pages_outlive_adproxy_and_others_come_from_the_origin(chain: Chain) -> None:
    assert slots(chain.front.ask("/story")) == slots(chain.front.ask("/brief")) == 1
    chain.adproxy.kill()
    assert slots(chain.front.ask("/story")) == 1
    page = chain.front.ask("/never-asked-before")
    assert (page.status, page.body) == (200, chain.origin.page)
    # once it is known that adproxy is down, a POST gets through as well; before that it may have been carried out
    eventually(lambda: chain.front.ask("/order", method="POST", body=b"one book").status == 200)
    assert chain.origin.asked["POST /order"] == 1
    stale_after(chain, 2, lambda: slots(chain.front.ask("/brief")) == 1)
    chain.adproxy.start()
    eventually(lambda: slots(chain.front.ask("/never-asked-before")) == 1)


def stale_after(chain: Chain, age: int, holds: Callable[[], bool]) -> None:
    """It holds all the time, until the page is so many seconds old."""

    def old() -> bool:
        assert holds()
        return int(chain.front.ask("/brief").get("age") or 0) >= age

    eventually(old)


def test_where_the_grace_is_over_the_origins_new_page_is_better_than_an_old_one(tmp_path: Path) -> None:
    with running(tmp_path, SHORTER | {"set beresp.grace = 10m;": "set beresp.grace = 1s;"}) as chain:
        assert slots(chain.front.ask("/brief")) == 1
        chain.adproxy.kill()
        eventually(lambda: slots(chain.front.ask("/brief")) == 0)
        assert chain.front.ask("/brief").body == chain.origin.page


def test_pages_are_dropped_by_their_tag(steady: Chain) -> None:
    def drop_tag(tag: str) -> int:
        return steady.front.ask("/", ("X-Tag", tag), method="BAN").status

    def is_stored() -> bool:
        answer = steady.front.ask("/tagged")
        assert slots(answer) == 1
        assert answer.get("surrogate-key") is None
        return (answer.get("x-cache") or "").startswith("hit")

    revision = small_site.REVISION
    assert steady.adproxy.ask("/tagged").get("surrogate-key") == f"adproxy-site-small-site adproxy-rules-{revision}"
    is_stored()
    for other in ("adproxy-site-small", "site-small-site", "adproxy-rules-000000000000", "adproxy-site-small.site"):
        assert drop_tag(other) == 200
        assert is_stored()
    for tag in ("adproxy-site-small-site", f"adproxy-rules-{revision}"):
        assert drop_tag(tag) == 200
        assert not is_stored()
        assert is_stored()
    assert drop_tag(".*") == 400
    assert steady.front.ask("/", ("X-Tag", "adproxy-site-small-site"), method="BAN", source="127.0.0.2").status == 403
