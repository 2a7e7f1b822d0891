"""deploy/nginx/adproxy-front.conf as it stands, but for ports and waiting times: nginx, adproxy, an origin."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from chain import DEPLOY, SLOT, Chain, Process, adapted, events_from, eventually, origin_and_adproxy, program
from websockets.sync.client import connect
from wire import DEADLINE, free_port

CONF = DEPLOY / "nginx" / "adproxy-front.conf"
# what a test would wait for too long, or could not tell apart
SHORTER = {"proxy_read_timeout 20s": "proxy_read_timeout 2s", "fail_timeout=5s": "fail_timeout=1s"}


def main_conf(front: Path, directory: Path) -> str:
    """What Debian's own nginx.conf says around an included file, as far as it matters."""
    temporary = "".join(
        f"{kind}_temp_path {directory}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # its workers read what belongs to the test
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""{user}
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 256; }}
http {{
{temporary}include {front};
}}
"""


class Front(Process):
    """nginx with the file of deploy/, changed where `change` says so."""

    def __init__(self, origin: int, adproxy: int, directory: Path) -> None:
        self.directory = directory
        self._ports = {
            "127.0.0.1:8000": f"127.0.0.1:{origin}",
            "127.0.0.1:8080": f"127.0.0.1:{adproxy}",
            "/run/adproxy-front.sock": f"{directory}/adproxy.sock",
            "/var/log/nginx/adproxy-failed.log": f"{directory}/failed.log",
        }
        port = free_port()
        self._ports["listen 80;"] = f"listen 127.0.0.1:{port};"
        self.change({})
        conf = directory / "nginx.conf"
        conf.write_text(main_conf(directory / "front.conf", directory), encoding="utf-8")
        # -e: where it says what it thinks before it has read which file to say it in
        super().__init__([program("nginx"), "-c", conf, "-p", directory, "-e", "stderr"], port, directory / "nginx.log")

    def change(self, replaced: dict[str, str]) -> None:
        text = adapted(CONF.read_text(encoding="utf-8"), self._ports | SHORTER | replaced)
        (self.directory / "front.conf").write_text(text, encoding="utf-8")

    def failed(self) -> str:
        return (self.directory / "failed.log").read_text(encoding="utf-8")


@contextlib.contextmanager
def running(tmp_path: Path) -> Iterator[Chain]:
    with (
        # short: the path of a socket may have 107 bytes
        tempfile.TemporaryDirectory(prefix="adproxy-nginx-") as directory,
        origin_and_adproxy(tmp_path) as (origin, server, adproxy, rules),
    ):
        front = Front(server.port, adproxy.port, Path(directory))
        try:
            front.start()
            yield Chain(origin, server, adproxy, front, rules)
        finally:
            front.end()


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain in which nothing is killed."""
    with running(tmp_path_factory.mktemp("nginx")) as chain:
        yield chain


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """A chain of the test's own."""
    with running(tmp_path) as chain:
        yield chain


# --- while adproxy works --------------------------------------------------------------------


def test_pages_come_with_slots_and_what_pages_ask_for_comes_too(steady: Chain) -> None:
    page = steady.front.ask("/story")
    assert page.status == 200
    assert SLOT in page.body
    assert b"googletag" in steady.front.ask("/_adproxy/client.js").body


def test_the_origin_learns_who_asks_and_nothing_that_a_reader_made_up(steady: Chain) -> None:
    claims = [(name, "203.0.113.66") for name in ("X-Forwarded-For", "X-Real-IP", "X-Forwarded-Host")]
    claims += [("Forwarded", "for=203.0.113.66"), ("X-Forwarded-Proto", "gopher")]
    assert steady.front.ask("/who", *claims, source="127.0.0.9").status == 200
    told = steady.origin.heads["/who"]
    assert "203.0.113.66" not in json.dumps(told)
    assert told["x-forwarded-for"].split(", ")[0] == "127.0.0.9"
    assert told["x-forwarded-proto"] == "http"
    assert told["host"] == told["x-forwarded-host"] == "site.example"


@pytest.mark.parametrize("path", ["/a%2Fb//c;d/../e%20f?g=%26&h=a+b", "/late/a%2Fb//c?g=%26"])
def test_an_address_arrives_as_the_reader_sent_it(steady: Chain, path: str) -> None:
    steady.front.ask(path)
    # the late one is given up by adproxy and asked for again at the origin
    asked = [target for target in steady.origin.targets if target.startswith(path[:6].encode())]
    assert asked == [path.encode()] * (2 if path.startswith("/late") else 1)


def test_a_websocket_goes_through(steady: Chain) -> None:
    with connect(f"ws://127.0.0.1:{steady.front.port}/socket", open_timeout=DEADLINE) as socket_:
        socket_.send("hello")
        assert socket_.recv(DEADLINE) == "echo hello"


def test_events_come_as_they_happen(steady: Chain) -> None:
    # a pause in which an answer to a page would have been given up
    events_from(steady.front, steady.origin, pause=2.5)


def test_the_origins_own_failure_passes_as_it_is_and_is_asked_for_once(steady: Chain) -> None:
    answer = steady.front.ask("/broken")
    assert (answer.status, answer.body) == (503, b"the origin's own words")
    assert steady.origin.asked["GET /broken"] == 1


def test_a_page_that_adproxy_gives_up_on_comes_from_the_origin(steady: Chain) -> None:
    page = steady.front.ask("/late")  # adproxy says 504
    assert page.status == 200
    assert SLOT not in page.body
    assert steady.origin.page == page.body
    assert '"GET /late HTTP/1.1"' in steady.front.failed()


def test_a_post_that_adproxy_gives_up_on_is_not_carried_out_again(steady: Chain) -> None:
    answer = steady.front.ask("/late-order", method="POST", body=b"one book")
    assert answer.status == 504
    assert steady.origin.asked["POST /late-order"] == 1


# --- while it does not ----------------------------------------------------------------------


def test_without_adproxy_pages_and_posts_go_to_the_origin_and_back_again(chain: Chain) -> None:
    assert SLOT in chain.front.ask("/story").body
    chain.adproxy.kill()
    page = chain.front.ask("/story")
    assert (page.status, page.body) == (200, chain.origin.page)
    # refused connections carried nothing out, so this is safe
    assert chain.front.ask("/order", method="POST", body=b"one book").status == 200
    assert chain.origin.asked["POST /order"] == 1
    chain.adproxy.start()
    eventually(lambda: SLOT in chain.front.ask("/story").body)


def test_a_post_under_way_when_adproxy_dies_is_not_sent_twice(chain: Chain) -> None:
    answers = []
    asking = threading.Thread(target=lambda: answers.append(chain.front.ask("/waits", method="POST", body=b"one book")))
    asking.start()
    eventually(lambda: chain.origin.asked["POST /waits"] == 1)
    chain.adproxy.kill()
    asking.join(DEADLINE)
    assert [answer.status for answer in answers] == [502]
    assert chain.origin.asked["POST /waits"] == 1


def test_a_page_under_way_when_adproxy_dies_comes_from_the_origin(chain: Chain) -> None:
    answers = []
    asking = threading.Thread(target=lambda: answers.append(chain.front.ask("/waits")))
    asking.start()
    eventually(lambda: chain.origin.asked["GET /waits"] == 1)
    # until all of it is gone may take longer on a busy machine than nginx waits for the origin
    killing = threading.Thread(target=chain.adproxy.kill)
    killing.start()
    eventually(lambda: chain.origin.asked["GET /waits"] == 2)
    chain.origin.release.set()
    for thread in (killing, asking):
        thread.join(DEADLINE)
    assert [(answer.status, answer.body) for answer in answers] == [(200, chain.origin.page)]


def test_where_adproxy_hangs_pages_come_from_the_origin_and_posts_fail_once(chain: Chain) -> None:
    chain.adproxy.tell(signal.SIGSTOP, all_of_it=True)
    page = chain.front.ask("/story")
    assert (page.status, page.body) == (200, chain.origin.page)
    assert chain.front.ask("/order", method="POST", body=b"one book").status == 504
    assert chain.origin.asked["POST /order"] == 0
    chain.adproxy.tell(signal.SIGCONT, all_of_it=True)
    eventually(lambda: SLOT in chain.front.ask("/story").body)
    assert chain.origin.asked["POST /order"] <= 1


def test_a_restart_loses_no_request_and_carries_none_out_twice(chain: Chain) -> None:
    over = threading.Event()
    statuses: list[tuple[str, int]] = []
    with_slots = threading.Event()

    def read_and_order() -> None:
        while not over.is_set():
            page = chain.front.ask("/story")
            statuses.append(("GET", page.status))
            if SLOT in page.body:
                with_slots.set()
            statuses.append(("POST", chain.front.ask("/order", method="POST", body=b"one book").status))

    readers = [threading.Thread(target=read_and_order) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        assert with_slots.wait(DEADLINE)
        chain.adproxy.end()
        count = len(statuses)
        eventually(lambda: len(statuses) > count + 20)
        chain.adproxy.start()
        with_slots.clear()
        assert with_slots.wait(DEADLINE)
    finally:
        over.set()
        for reader in readers:
            reader.join(DEADLINE)
    assert {status for _, status in statuses} == {200}
    assert chain.origin.asked["POST /order"] == sum(method == "POST" for method, _ in statuses)


# --- rolling out ----------------------------------------------------------------------------


def test_the_switch_takes_slots_away_and_leaves_what_open_pages_ask_for(chain: Chain) -> None:
    assert SLOT in chain.front.ask("/story").body
    assert isinstance(chain.front, Front)
    chain.front.change({"default             $side;": "default             without_ads;"})
    chain.front.tell(signal.SIGHUP)
    eventually(lambda: SLOT not in chain.front.ask("/story").body)
    assert b"googletag" in chain.front.ask("/_adproxy/client.js").body
    # h2c would open a way past everything that looks at requests
    chain.front.ask("/h2c", ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__"))
    assert "upgrade" not in chain.origin.heads["/h2c"]


def test_the_guides_signals_take_slots_away_and_bring_them_back(chain: Chain) -> None:
    assert SLOT in chain.front.ask("/story").body
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    command = re.search(r"^systemctl kill -s (\w+) --kill-whom=main adproxy$", guide, re.MULTILINE)
    assert command is not None
    chain.adproxy.tell(signal.Signals[f"SIG{command[1]}"])
    eventually(lambda: chain.front.ask("/story").body == chain.origin.page)
    chain.adproxy.tell(signal.SIGUSR2)
    eventually(lambda: SLOT in chain.front.ask("/story").body)


def test_a_share_of_readers_is_split_by_address(chain: Chain) -> None:
    assert isinstance(chain.front, Front)
    chain.front.end()
    chain.front.change({"100%    with_ads;": "50%     with_ads;"})
    chain.front.start()

    def sides() -> dict[str, bool]:
        readers = (f"127.0.0.{n}" for n in range(2, 34))
        return {reader: SLOT in chain.front.ask("/story", source=reader).body for reader in readers}

    first = sides()
    assert 4 < sum(first.values()) < 28
    assert sides() == first


def test_the_file_says_where_its_ports_are() -> None:
    text = CONF.read_text(encoding="utf-8")
    assert len(re.findall(r"server 127\.0\.0\.1:8080\b", text)) == 1
    assert len(re.findall(r"server 127\.0\.0\.1:8000\b", text)) == 2
