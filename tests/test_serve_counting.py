"""`adproxy serve` counts what browsers report: with several workers, over restarts, and when the disk takes no more."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from our_server import until
from serve_process import Serve, serve, upstream
from wire import DEADLINE

VIEWS = ("adproxy_page_views_total", "small-site", "valid")
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with upstream() as url:
        yield url


def token_of(them: Serve) -> str:
    found = re.search(rb'data-adproxy-token="([^"]+)"', them.ask("/story")[1])
    assert found
    return found[1].decode()


def view(token: str, number: int) -> bytes:
    nonce = base64.urlsafe_b64encode(number.to_bytes(16, "big")).decode().rstrip("=")
    return json.dumps({"v": 1, "t": token, "n": nonce, "e": [["page_view"], ["rendered", "top", 1]]}).encode()


def post(them: Serve, body: bytes) -> tuple[int, dict[str, str]]:
    """On a connection of its own, so that any worker may get it."""
    connection = http.client.HTTPConnection("127.0.0.1", them.site, timeout=DEADLINE)
    try:
        connection.request("POST", "/_adproxy/beacon", body, {"Content-Type": "text/plain", "User-Agent": BROWSER})
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def test_workers_count_together_and_over_a_restart(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "3") as them:
        assert them.metrics()[VIEWS] == 0
        token = token_of(them)
        for number in (*range(20), *range(20)):
            assert post(them, view(token, number))[0] == 204
        assert them.metrics()[VIEWS] == 20
        them.stop()
    with serve(url, tmp_path, "--workers", "1") as again:
        assert again.metrics()[VIEWS] == 20
        for number in range(10, 30):
            assert post(again, view(token, number))[0] == 204
        assert again.metrics()[VIEWS] == 30
        assert again.metrics()["adproxy_beacons_rejected_total", "duplicate"] == 30
        state = tmp_path / "state"
        private = [state / name for name in ("signing-keys", "events.sqlite")]
        assert [stat.S_IMODE(file.stat().st_mode) for file in private] == [0o600, 0o600]


def test_a_disk_that_is_full_asks_browsers_to_come_again_and_alarms(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "2") as them:
        token = token_of(them)
        assert post(them, view(token, 0))[0] == 204
        # no file of these processes may grow: as on a full disk, a write fails
        processes = them.children()
        for pid in processes:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
        for number in range(1, 9):
            status, headers = post(them, view(token, number))
            assert (status, headers["retry-after"], headers["cache-control"]) == (503, "3", "no-store")
        seen = them.metrics()
        assert seen["adproxy_event_store_writable",] == 0
        assert seen.get(VIEWS, 1) == 1  # what it was, or nothing where it can't be read either: never a lower figure
        assert seen["adproxy_beacons_rejected_total", "store"] == 8
        assert sum(value for name, value in seen.items() if name[0] == "adproxy_event_store_errors_total") == 8
        assert them.ask("/story")[0] == 200  # pages don't need the disk
        for pid in processes:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for number in range(9):
            assert post(them, view(token, number))[0] == 204
        seen = them.metrics()
        assert (seen[VIEWS], seen["adproxy_event_store_writable",]) == (9, 1)
        assert them.children() == processes  # nobody died of it


def test_a_damaged_store_is_set_aside_and_counting_goes_on(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "2") as them:
        token = token_of(them)
        assert post(them, view(token, 0))[0] == 204
        them.stop()
    for file in (tmp_path / "state").glob("events.sqlite*"):
        file.write_bytes(os.urandom(20_000))
    with serve(url, tmp_path, "--workers", "2") as them:
        for number in range(5):
            assert post(them, view(token, number))[0] == 204
        assert them.metrics()[VIEWS] == 5
        assert them.metrics()["adproxy_event_store_set_aside_files",] == 1
        assert them.metrics()["adproxy_event_store_writable",] == 1
        assert "is damaged; it is kept as events.sqlite." in them.said


def test_keys_of_several_machines_are_exchanged_one_after_the_other(url: str, tmp_path: Path) -> None:
    keys, first, second = tmp_path / "keys", "1" * 40, "2" * 40
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    keys.write_text(f"{first}\n")
    with serve(url, tmp_path / "one", "--workers", "1", signing_keys_file=str(keys)) as them:
        token = token_of(them)
    with serve(url, tmp_path / "other", "--workers", "1", signing_keys=f"{second},{first}") as them:
        for number, one in enumerate((token, token_of(them))):
            post(them, view(one, number))
        assert them.metrics()[VIEWS] == 2
    with serve(url, tmp_path / "other", "--workers", "1", signing_keys=second) as them:
        post(them, view(token, 9))
        assert them.metrics()["adproxy_beacons_rejected_total", "forged"] == 1


def test_keys_that_are_too_short_end_the_start_unsaid(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "adproxy", "serve", "--upstream", "http://127.0.0.1:9"]
    run = subprocess.run(
        [*command, "--port", "0", "--office-port", "0"],
        env={**os.environ, "ADPROXY_SIGNING_KEYS": "hunter2", "ADPROXY_STATE_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert "signing_keys: the current key has 7 characters; expected at least 32" in run.stderr
    assert "hunter2" not in run.stderr + run.stdout


def test_a_worker_that_is_told_to_stop_counts_what_it_has(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "1") as them:
        token = token_of(them)
        for number in range(10):
            assert post(them, view(token, number))[0] == 204
        (worker,) = them.pids()
        os.kill(worker, 15)
        until(lambda: them.is_complete() and them.pids() != [worker], "another worker")
        assert them.metrics()[VIEWS] == 10
