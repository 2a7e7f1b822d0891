"""A page on which a worker died: real workers, really killed by what they read."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from our_server import until
from serve_process import Serve, serve
from small_site import PAGE, page, with_slots
from starlette.types import Receive, Scope, Send
from wire import DEADLINE, serving

from adproxy import quarantine
from adproxy.model import Skip, SkipReason
from adproxy.quarantine import EXPIRY_SECONDS, MAX_IN_HAND, MAX_SUSPECTS, Quarantine

MARK = b"<!-- this kills -->"
POISON = PAGE.replace(b"<main>", b"<main>" + MARK)
LARGE_POISON = page(paragraphs=200).replace(b"<main>", b"<main>" + MARK)
DIES = f"""
import ctypes, time, adproxy.rewrite
scan = adproxy.rewrite.scan
def dies(html):
    if {MARK!r} in html:
        %s
    return scan(html)
adproxy.rewrite.scan = dies
from adproxy.cli import main
main()
"""
"""adproxy, but for a reader of pages that one mark makes crash."""
CRASHES = (sys.executable, "-c", DIES % "ctypes.string_at(0)")
HANGS = (sys.executable, "-c", DIES % "time.sleep(3600)")
BACK = 10.0
"""Seconds for what is promised within one: machines that test do other things as well."""


class Newspaper:
    """Poison at some addresses, the same page at the others."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        number = next(self._numbers)
        body = {
            "/poison": POISON,
            "/large": LARGE_POISON,
            "/changing": POISON.replace(b"<main>", b"<main><!-- %d -->" % number),
        }.get(scope["path"], PAGE)
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(body))]
        headers += [(b"etag", b'"v1"'), (b"cache-control", b"public, max-age=600")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(Newspaper(), lifespan="off", ws="none") as server:
        yield f"http://127.0.0.1:{server.port}"


def dies_at(them: Serve, path: str) -> bool:
    """Whether the worker that is asked for a page dies; it is replaced by the time that this returns."""
    before = them.metrics()["adproxy_worker_restarts_total", "signal"]
    with contextlib.suppress(ConnectionError, http.client.HTTPException):
        them.ask(path)
        return False
    until(lambda: them.metrics()["adproxy_worker_restarts_total", "signal"] > before, "its death is noticed")
    until(them.is_complete, "it is replaced", seconds=BACK)
    return True


def test_f25_p27_a_page_on_which_a_worker_died_passes_next_time(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "2", count="false", program=CRASHES) as them:
        assert them.ask("/story")[1] == with_slots()
        assert them.metrics()["adproxy_quarantined_pages",] == 0
        assert dies_at(them, "/poison")
        # whichever worker is asked
        for _ in range(20):
            assert them.ask("/poison") == (200, POISON)
        assert them.ask("/story")[1] == with_slots()
        assert them.is_complete()
        seen = them.metrics()
        assert seen["adproxy_quarantined_pages",] == 1
        assert seen["adproxy_pages_total", "failed_open", "quarantined", "small-site"] == 20
        assert seen["adproxy_worker_restarts_total", "signal"] == 1
        end = seen["adproxy_quarantine_end_timestamp_seconds",]
        assert 0 < end - time.time() <= EXPIRY_SECONDS
        assert "died on the page '/poison'; it passes without slots for 24 h" in them.said
        assert b"Workers died on pages: 1 page for a day without slots" in them.ask("/", port=them.office)[1]
        them.stop()


def test_f25_a_page_that_is_other_bytes_each_time_is_known_by_its_path_after_two_deaths(
    url: str, tmp_path: Path
) -> None:
    with serve(url, tmp_path, "--workers", "1", count="false", program=CRASHES) as them:
        assert dies_at(them, "/changing")
        assert dies_at(them, "/changing")
        for _ in range(5):
            assert MARK in them.ask("/changing")[1]
        assert them.ask("/story")[1] == with_slots()
        them.stop()


def test_f25_a_large_page_in_a_thread_too(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "1", count="false", inline_bytes="1000", program=CRASHES) as them:
        assert dies_at(them, "/large")
        assert them.ask("/large") == (200, LARGE_POISON)
        them.stop()


def test_a_page_at_which_a_worker_hung_twice_passes(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "1", count="false", hang_seconds="5", program=HANGS) as them:
        for deaths in (1.0, 2.0):

            def killed(so_often: float = deaths) -> bool:
                return them.metrics()["adproxy_worker_restarts_total", "hang"] == so_often

            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                them.ask("/poison")
            until(killed, "it is killed")
            until(them.is_complete, "it is replaced", seconds=BACK)
        assert them.ask("/poison") == (200, POISON)
        them.stop()


def test_a_worker_killed_from_outside_says_nothing_of_its_page(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "1", count="false", program=HANGS) as them:
        with ThreadPoolExecutor(1) as reader:
            asked = reader.submit(them.ask, "/poison")
            (pid,) = them.pids()
            until(lambda: Path(f"/proc/{pid}/wchan").exists() and not asked.done(), "it has the page in hand")
            time.sleep(0.5)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                asked.result(DEADLINE)
        until(them.is_complete, "it is replaced", seconds=BACK)
        assert them.metrics()["adproxy_quarantined_pages",] == 0
        them.stop()


# --- the memory, in one process ----------------------------------------------------------------


def dying(
    them: Quarantine, body: bytes, path: str = "/a", *, by: int | None = signal.SIGSEGV, hung: bool = False
) -> None:
    """A worker that is killed while it has this page in hand, and its successor."""
    them.hands(0).take(body, "site", path, lambda: them.died(0, by, hung=hung))


def passes(them: Quarantine, body: bytes, path: str = "/a") -> bool:
    outcome = them.hands(1).take(body, "site", path, lambda: "read")
    assert outcome == "read" or (isinstance(outcome, Skip) and outcome.reason is SkipReason.QUARANTINED)
    return outcome != "read"


def test_only_what_was_in_hand_is_suspected() -> None:
    them = Quarantine(2)
    assert not passes(them, b"before")
    dying(them, b"poison")
    assert passes(them, b"poison", "/elsewhere")
    assert not passes(them, b"before")
    assert not passes(them, b"other")
    assert [(suspect.path, suspect.by_bytes, suspect.held) for suspect in them.suspects()] == [
        ("/a", True, True),
        ("/a", False, False),
    ]


def test_a_path_is_suspected_on_its_own_site_alone() -> None:
    them = Quarantine(2)
    dying(them, b"one")
    dying(them, b"two")
    assert passes(them, b"three")
    assert not passes(them, b"three", "/b")
    assert them.hands(0).take(b"three", "other-site", "/a", lambda: 1) == 1


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, None])
def test_other_deaths_prove_nothing(by: int | None) -> None:
    them = Quarantine(2)
    for _ in range(5):
        dying(them, b"page", by=by)
    assert them.suspects() == ()


def test_who_fails_has_nothing_in_hand_any_more() -> None:
    them = Quarantine(1)
    hands = them.hands(0)

    def fails() -> None:
        raise RuntimeError("a bug")

    for _ in range(3 * MAX_IN_HAND):
        with pytest.raises(RuntimeError, match="a bug"):
            hands.take(b"page", "site", "/a", fails)
    them.died(0, signal.SIGSEGV, hung=False)
    assert them.suspects() == ()


def test_all_that_are_in_hand_at_once_are_suspected_and_more_do_no_harm() -> None:
    them = Quarantine(1)
    hands = them.hands(0)
    together, died = threading.Barrier(MAX_IN_HAND + 6), threading.Event()

    def read() -> str:
        together.wait(DEADLINE)
        died.wait(DEADLINE)
        return "read"

    with ThreadPoolExecutor(MAX_IN_HAND + 5) as threads:
        pages = [
            threads.submit(hands.take, b"%d" % number, "site", f"/{number}", read) for number in range(MAX_IN_HAND + 5)
        ]
        together.wait(DEADLINE)
        them.died(0, signal.SIGSEGV, hung=False)
        died.set()
        assert {page.result(DEADLINE) for page in pages} == {"read"}
    assert sum(suspect.held for suspect in them.suspects()) == min(MAX_IN_HAND, MAX_SUSPECTS // 2)


def test_the_list_is_bounded_and_the_oldest_make_room() -> None:
    them = Quarantine(2)
    for number in range(MAX_SUSPECTS):
        dying(them, b"%d" % number, f"/{number}")
    assert len(them.suspects()) == MAX_SUSPECTS
    assert passes(them, b"%d" % (MAX_SUSPECTS - 1))
    assert not passes(them, b"0")


def test_what_expired_is_tried_again_and_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    them = Quarantine(2)
    dying(them, b"poison")
    dying(them, b"other bytes")
    assert passes(them, b"poison")
    now = time.monotonic
    monkeypatch.setattr(quarantine.time, "monotonic", lambda: now() + EXPIRY_SECONDS + 1)
    assert them.suspects() == ()
    assert not passes(them, b"poison")
    dying(them, b"poison")
    assert passes(them, b"poison", "/elsewhere")
    assert not passes(them, b"new bytes"), "the path's first deaths are long ago"


def test_long_paths_and_strange_ones_are_cut() -> None:
    them = Quarantine(1)
    dying(them, b"page", "/ü" + "x" * 5000)
    dying(them, b"other", "/\udcff\0")
    assert {len(suspect.path) for suspect in them.suspects()} == {223, 2}
