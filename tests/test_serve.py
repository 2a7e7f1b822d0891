"""`adproxy serve` with real processes: workers are killed, stopped and damaged under load, and readers don't notice."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from our_server import until
from serve_process import Load, Serve, under_load, upstream
from serve_process import serve as serve_and_count
from small_site import PAGE, RULES, with_slots

from adproxy.listening import listen
from adproxy.shared_metrics import SET_ASIDE

serve = functools.partial(serve_and_count, count="false")
"""So that pages can be compared byte for byte: what lets browsers report them differs with the day and the key."""
WHOLE = with_slots(PAGE)
BAD = RULES.replace("place: above-headline", "place: above-the-fold")
OTHER_RULES = RULES.replace("ad-top", "ad-other")
PROMISE = 10.0
"""Seconds to wait for what is promised within one or two: machines that test do other things as well."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with upstream() as url:
        yield url


def load(port: int, readers: int = 6) -> contextlib.AbstractContextManager[Load]:
    return under_load(port, lambda body: "" if body == WHOLE else "another page", readers)


def readers_of(pid: int) -> set[int]:
    """The ports of those who are connected to a process."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes |= set(re.findall(r"socket:\[(\d+)\]", str(descriptor.readlink())))
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return {int(line[2].split(":")[1], 16) for line in lines if line[9] in inodes}


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def settled(them: Serve) -> float:
    """The pages that were counted, once no count is under way: a page is counted a moment after it was sent."""
    counts = [-1.0]

    def stands() -> bool:
        time.sleep(0.5)
        counts.append(them.rewritten)
        return counts[-1] == counts[-2]

    until(stands, "the count stands")
    return counts[-1]


def kill_a_worker(them: Serve, slot: int) -> None:
    """Under load. Whoever was connected to another worker must not notice."""
    with load(them.site) as asking:
        counted = them.rewritten
        workers = them.pids()
        victim = workers[slot]
        os.kill(victim, signal.SIGSTOP)  # so that nobody connects to it while we look who has
        lost = readers_of(victim)
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in them.pids() and them.is_complete(), "a successor serves", PROMISE)
        answered = asking.answered
        until(lambda: asking.answered > answered + 50, "answers after it")
        assert set(workers) - {victim} <= set(them.pids())
        assert them.rewritten >= counted
    assert {port for port, _ in asking.failed} <= lost, asking.failed


def test_p27_a_worker_that_is_killed_is_replaced_and_costs_its_own_readers_alone(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "2") as them:
        for slot in (0, 1, 0):
            kill_a_worker(them, slot)
        exact = settled(them)
        for _ in range(20):
            assert them.ask() == (200, WHOLE)
        assert settled(them) == exact + 20
        assert them.metrics()["adproxy_worker_restarts_total", "signal"] == 3
        assert them.stop() == 0


def test_counts_are_exact_and_survive_a_restart_with_fewer_workers(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "3") as them:
        with load(them.site) as asking:
            pass
        assert asking.failed == []
        assert settled(them) == asking.answered
        placed = them.metrics()["adproxy_slot_placements_total", "small-site", "top"]
        assert placed == asking.answered
        assert them.stop() == 0
    with serve(url, tmp_path, "--workers", "1") as again:
        assert again.rewritten == asking.answered
        assert again.ask()[0] == 200
        assert settled(again) == asking.answered + 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_p13_told_to_stop_under_load_it_fails_no_request(url: str, tmp_path: Path, number: signal.Signals) -> None:
    with serve(url, tmp_path, "--workers", "2") as them:
        with load(them.site, readers=10) as asking:
            if number is signal.SIGINT:
                os.killpg(them.process.pid, number)  # as a terminal does it, to all of them
            else:
                them.process.send_signal(number)
            assert them.process.wait(40) == 0
        assert asking.failed == []
        assert "Traceback" not in them.said


def test_the_office_may_die_too(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "2") as them, load(them.site) as asking:
        workers, office = them.pids(), them.office_pid()
        os.kill(office, signal.SIGKILL)
        # its listening socket is held by its siblings' parent: a scrape waits for the successor
        assert them.metrics()["adproxy_workers_running",] == 2
        assert them.office_pid() != office
        assert them.pids() == workers
        mark = asking.answered
        until(lambda: asking.answered > mark + 50, "answers after it")
        assert asking.failed == []


def test_f11_f12_an_edit_reaches_every_worker_and_a_bad_one_none(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "3") as them:
        file = tmp_path / "rules.yaml"
        (before,) = [key[1] for key in them.metrics() if key[0] == "adproxy_rules_info"]
        file.write_text(OTHER_RULES, encoding="utf-8")
        until(lambda: ("adproxy_rules_info", before) not in them.metrics(), "the office has the new rules", PROMISE)
        until(lambda: them.metrics()["adproxy_workers_with_current_rules",] == 3, "the workers have them", PROMISE)
        assert {b"ad-other" in them.ask()[1] for _ in range(20)} == {True}
        file.write_text(BAD, encoding="utf-8")
        until(lambda: them.metrics()["adproxy_rules_last_reload_successful",] == 0, "it is told", PROMISE)
        assert "above-the-fold" in them.ask("/", port=them.office)[1].decode()
        assert {b"ad-other" in them.ask()[1] for _ in range(20)} == {True}
        assert them.metrics()["adproxy_workers_with_current_rules",] == 3
        assert them.said.count("found 'above-the-fold'") == 1, "one of them says it, not all"
        file.write_text(RULES, encoding="utf-8")
        them.process.send_signal(signal.SIGHUP)
        until(lambda: ("adproxy_rules_info", before) in them.metrics(), "the office has the first rules", PROMISE)
        until(lambda: them.metrics()["adproxy_workers_with_current_rules",] == 3, "the workers have them", PROMISE)
        assert them.ask()[1] == WHOLE


def test_a_worker_that_hangs_is_replaced(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "2", hang_seconds="5") as them:
        stopped, other = them.pids()
        os.kill(stopped, signal.SIGSTOP)
        until(lambda: them.metrics()["adproxy_worker_restarts_total", "hang"] == 1, "it is found out", 30)
        until(them.is_complete, "a successor serves", PROMISE)
        assert them.pids()[1] == other
        assert them.pids()[0] != stopped


@pytest.mark.parametrize("stopped", [False, True], ids=["all-well", "one-hangs"])
def test_f9_a_damaged_file_of_metrics_stops_nobody(url: str, tmp_path: Path, stopped: bool) -> None:
    with serve(url, tmp_path, "--workers", "2") as them:
        for _ in range(10):
            them.ask()
        assert them.stop() == 0
    metrics = tmp_path / "state" / "metrics"
    (metrics / "counter_0.db").write_bytes(b"\xff" * 5000)
    (metrics / "histogram_1.db").write_bytes(b"")
    with serve(url, tmp_path, "--workers", "2") as again:
        assert again.metrics()["adproxy_metrics_corrupt_files",] == 1
        assert (metrics / f"counter_0.db{SET_ASIDE}").exists()
        if stopped:  # damage while a worker counts there: its successor begins anew
            with (metrics / "counter_1.db").open("r+b") as file:
                file.write(b"\xff" * 64)
            assert again.metrics()["adproxy_metrics_corrupt_files",] == 2
            os.kill(again.pids()[1], signal.SIGKILL)
            until((metrics / f"counter_1.db{SET_ASIDE}").exists, "it is set aside", PROMISE)
            until(again.is_complete, "a successor serves", PROMISE)
        before = again.rewritten
        for _ in range(10):
            assert again.ask()[0] == 200
        assert settled(again) == before + 10


def test_without_their_supervisor_all_end(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "2") as them:
        children = them.children()
        assert len(children) == 3
        them.process.kill()
        until(lambda: all(has_ended(pid) for pid in children), "they end")
        with serve(url, tmp_path, "--workers", "1") as successor:  # and leave the state directory to the next one
            assert successor.ask() == (200, WHOLE)


# --- at the start -------------------------------------------------------------------------


def refused(*arguments: str, **environment: str) -> str:
    """What is said by an `adproxy serve` that can't begin."""
    done = subprocess.run(
        [sys.executable, "-m", "adproxy", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("ADPROXY_")}, **environment},
        check=False,
    )
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


def test_two_do_not_share_a_state_directory(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "1") as them:
        said = refused("--upstream", url, "--port", "0", "--office-port", "0", "--state-dir", str(tmp_path / "state"))
        assert f"{tmp_path / 'state'} is in use by another adproxy (process {them.process.pid})" in said
        assert "--state-dir" in said
        assert them.ask() == (200, WHOLE)


@pytest.mark.parametrize(("option", "other"), [("--port", "--office-port"), ("--office-port", "--port")])
def test_a_busy_port_is_no_matter_of_guessing(url: str, tmp_path: Path, option: str, other: str) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        said = refused("--upstream", url, option, str(port), other, "0", "--state-dir", str(tmp_path / "state"))
    assert f"port {port} of 127.0.0.1 is taken by another program" in said


def test_without_an_upstream_there_is_nothing_to_do() -> None:
    assert "upstream: found nothing; expected a value" in refused()
    assert "ADPROXY_UPSTREAM" in refused()


def test_an_option_wins_over_the_environment(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "1", workers="3", upstream="http://127.0.0.1:9") as them:
        assert len(them.pids()) == 1
        assert them.ask() == (200, WHOLE)


def test_certificates_that_can_not_be_read_are_told_before_anything_starts(tmp_path: Path) -> None:
    said = refused("--upstream", "https://a.example", "--port", "0", ADPROXY_UPSTREAM_CA=str(tmp_path / "none.pem"))
    assert "none.pem" in said


def test_without_rules_every_page_passes_as_it_is(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "1", rules=None) as them:
        assert "none: every page passes as it is" in them.said
        assert them.ask() == (200, PAGE)
        assert them.ask("/readyz", port=them.office)[0] == 200


def test_with_bad_rules_it_starts_as_a_plain_pipe_and_says_so(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "1", rules=BAD) as them:
        assert them.ask() == (200, PAGE)
        assert "found 'above-the-fold'" in them.said
        assert them.metrics()["adproxy_rules_last_reload_successful",] == 0
        assert them.ask("/readyz", port=them.office)[0] == 503


def test_where_serving_is_not_installed_it_says_what_to_install(tmp_path: Path) -> None:
    """A package of the same name that can't be imported stands in for one that is not there."""
    (tmp_path / "aiohttp.py").write_text("raise ModuleNotFoundError('no', name='aiohttp')\n")
    root = Path(__file__).parent.parent
    said = refused("--upstream", "http://127.0.0.1:9", PYTHONPATH=f"{tmp_path}:{root}")
    assert said == "found no aiohttp, which serving needs; expected: pip install 'adproxy[proxy]'\n"


def test_the_welcome_says_where_to_look(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, "--workers", "1") as them:
        assert f"adproxy in front of {url}\n" in them.said
        commands = re.findall(r"curl -si (\S+)", them.said)
        assert commands == [f"http://127.0.0.1:{them.site}/"]
        assert str(tmp_path / "rules.yaml") in them.said
        assert (tmp_path / "state" / "metrics").is_dir()


def test_one_signal_switches_all_workers_off_and_a_restart_does_not_switch_them_on(url: str, tmp_path: Path) -> None:
    def is_off() -> bool:
        return them.metrics()["adproxy_switched_off",] == 1

    with serve(url, tmp_path, "--workers", "2") as them:
        assert them.ask()[1] == WHOLE
        assert not is_off()
        # to every process of the service, as a service manager may send it
        for pid in (*them.children(), them.process.pid):
            os.kill(pid, signal.SIGUSR1)
        until(is_off, "it is off")
        assert {them.ask()[1] for _ in range(20)} == {PAGE}
        assert b'"switched_off":true' in them.ask("/readyz", port=them.office)[1]
        assert b"adproxy is switched off" in them.ask("/", port=them.office)[1]
        assert them.is_complete()
        them.stop()
    with serve(url, tmp_path, "--workers", "2") as them:
        assert "switched off, every page passes as it came: it was before" in them.said
        assert them.ask()[1] == PAGE
        them.process.send_signal(signal.SIGUSR2)
        until(lambda: not is_off(), "it is on")
        assert {them.ask()[1] for _ in range(20)} == {WHOLE}
        them.stop()
    with serve(url, tmp_path, "--workers", "1", off="true") as them:
        them.process.send_signal(signal.SIGUSR2)
        until(lambda: "still switched off, because ADPROXY_OFF says so" in them.said, "it says so")
        assert them.ask()[1] == PAGE


def test_readiness_never_asks_the_upstream_or_all_replicas_would_drop_out_with_it(tmp_path: Path) -> None:
    with serve("http://127.0.0.1:9", tmp_path, "--workers", "1") as them:
        assert them.ask()[0] == 502
        for port in (them.site, them.office):
            path = "/_adproxy/readyz" if port == them.site else "/readyz"
            assert them.ask(path, port=port)[0] == 200
        (tmp_path / "rules.yaml").write_text(BAD, encoding="utf-8")
        until(lambda: them.metrics()["adproxy_rules_last_reload_successful",] == 0, "the edit is refused")
        # the rules from before it are in force
        assert them.ask("/_adproxy/readyz")[0] == 200
        status, said = them.ask("/readyz", port=them.office)
        assert (status, b"above-the-fold" in said) == (200, True)
