"""The supervisor with processes that do what a test needs; real forks, in a program of their own."""

from __future__ import annotations

import contextlib
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

PROGRAM = """
import ctypes, logging, os, signal, sys, time
from adproxy import supervisor
from adproxy.board import Board
from adproxy.supervisor import SIGNALS, Supervisor

logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.INFO)
board = Board(2)

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def end_when_told(number=signal.SIGTERM):
    signal.sigwait({number})

def live(slot):
    say("begin", slot, os.getpid())
    while True:
        board.alive(slot)
        if signal.sigtimedwait(SIGNALS - {signal.SIGCHLD}, 0.1):
            break
    say("end", slot)

def work(slot):
    live(slot)

DRAIN, HANG = 2.0, 60.0
PREPARED
code = Supervisor(board, work, drain_seconds=DRAIN, hang_seconds=HANG, let_go=lambda: say("let go")).run()
say("restarts", *(state.restarts for state in board.states()))
sys.exit(code)
"""


class Supervised:
    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def said(self) -> str:
        return self._output.read_text()

    def pids(self, slot: int) -> list[int]:
        return [int(pid) for pid in re.findall(rf"^begin {slot} (\d+)$", self.said, re.MULTILINE)]

    def wait_for(self, pattern: str, times: int = 1) -> None:
        until(lambda: len(re.findall(pattern, self.said, re.MULTILINE)) >= times, f"{pattern!r} in:\n{self.said}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)


@contextlib.contextmanager
def supervised(folder: Path, prepared: str = "") -> Iterator[Supervised]:
    output = folder / "output"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.replace("PREPARED", prepared)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Supervised(process, output)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the session that was started for it, and nothing else
        process.wait(20)


def is_there(pid: int) -> bool:
    """A process that runs, or a zombie."""
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_begin_and_all_end_the_office_last(tmp_path: Path, number: signal.Signals) -> None:
    with supervised(tmp_path) as them:
        for slot in range(3):
            them.wait_for(rf"^begin {slot} ")
        assert them.stop(number) == 0
        ends = re.findall(r"^(let go|end \d)$", them.said, re.MULTILINE)
        assert ends[0] == "let go"
        assert set(ends[1:3]) == {"end 0", "end 1"}
        assert ends[3] == "end 2"
        assert "restarts 0 0" in them.said


def test_who_dies_is_replaced_and_nobody_else_is_touched(tmp_path: Path) -> None:
    with supervised(tmp_path) as them:
        for slot in range(3):
            them.wait_for(rf"^begin {slot} ")
        os.kill(them.pids(1)[0], signal.SIGSEGV)
        them.wait_for(r"^begin 1 ", times=2)
        os.kill(them.pids(2)[0], signal.SIGKILL)
        them.wait_for(r"^begin 2 ", times=2)
        assert "worker 1 (process" in them.said
        assert "was killed by SIGSEGV after" in them.said
        assert them.stop() == 0
        assert len(them.pids(0)) == 1
        assert "restarts 0 1" in them.said


def test_who_dies_again_and_again_waits_longer_each_time(tmp_path: Path) -> None:
    crash = """
def work(slot):
    if slot == 1:
        board.alive(slot)
        sys.exit(7)
    live(slot)
"""
    with supervised(tmp_path, crash) as them:
        them.wait_for("worker 1 .* ended with exit code 7", times=5)
        waits = [float(wait) for wait in re.findall(r"it is replaced in ([\d.]+) s", them.said)]
        assert waits[:5] == [0, 0.25, 0.5, 1, 2]
        assert them.stop() == 0


def test_a_failure_is_told_with_its_traceback(tmp_path: Path) -> None:
    fail = """
def work(slot):
    if slot == 0:
        raise ValueError("what went wrong")
    live(slot)
"""
    with supervised(tmp_path, fail) as them:
        them.wait_for("ValueError: what went wrong")
        them.wait_for("worker 0 .* ended with exit code 1")
        assert them.stop() == 0


def test_if_no_worker_ever_serves_there_is_no_point_in_going_on(tmp_path: Path) -> None:
    hopeless = """
def work(slot):
    if slot == board.office:
        live(slot)
    sys.exit(3)
"""
    with supervised(tmp_path, hopeless) as them:
        assert them.process.wait(20) == 1
        assert "no worker could begin to serve" in them.said
        assert "end 2" in them.said


def test_who_shows_no_sign_of_life_is_killed_and_replaced(tmp_path: Path) -> None:
    hang = """
DRAIN, HANG = 0.5, 1.0
supervisor.LAST_SECONDS = 0.5
def work(slot):
    if slot == 0:
        say("begin", slot, os.getpid())
        board.alive(slot)
        time.sleep(3600)
    live(slot)
"""
    with supervised(tmp_path, hang) as them:
        them.wait_for(r"worker 0 \(process \d+\) showed no sign of life for 1 s")
        them.wait_for(r"^begin 0 ", times=2)
        assert "was killed because it hung" in them.said
        assert len(them.pids(1)) == 1
        them.stop()


def test_nobody_is_blamed_for_the_time_that_the_supervisor_itself_was_stopped(tmp_path: Path) -> None:
    quick = "HANG = 3.0\nsupervisor.PAUSE_SECONDS = 1.0\n"
    with supervised(tmp_path, quick) as them:
        for slot in range(3):
            them.wait_for(rf"^begin {slot} ")
        everybody = [them.process.pid, *(them.pids(slot)[0] for slot in range(3))]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(4)
        os.kill(them.process.pid, signal.SIGCONT)
        time.sleep(1)  # it looks at heartbeats that are old by now
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)
        assert them.stop() == 0
        assert "no sign of life" not in them.said


def test_who_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    stubborn = """
DRAIN = 0.5
supervisor.LAST_SECONDS = 0.5
def work(slot):
    say("begin", slot, os.getpid())
    board.alive(slot)
    if slot == 1:
        time.sleep(3600)
    end_when_told()
"""
    with supervised(tmp_path, stubborn) as them:
        for slot in range(3):
            them.wait_for(rf"^begin {slot} ")
        assert them.stop() == 0
        assert re.search(r"worker 1 \(process \d+\) did not end in time and is killed", them.said)
        assert not is_there(them.pids(1)[0])


def test_whoever_asks_twice_is_not_made_to_wait(tmp_path: Path) -> None:
    stubborn = """
DRAIN = 3600.0
def work(slot):
    say("begin", slot, os.getpid())
    board.alive(slot)
    time.sleep(3600)
"""
    with supervised(tmp_path, stubborn) as them:
        for slot in range(3):
            them.wait_for(rf"^begin {slot} ")
        them.process.send_signal(signal.SIGINT)
        them.wait_for("let go")
        assert them.stop(signal.SIGINT) == 0


def test_hangup_is_passed_on(tmp_path: Path) -> None:
    listening = """
def work(slot):
    say("begin", slot, os.getpid())
    board.alive(slot)
    end_when_told(signal.SIGHUP)
    say("told", slot)
    end_when_told()
"""
    with supervised(tmp_path, listening) as them:
        for slot in range(3):
            them.wait_for(rf"^begin {slot} ")
        them.process.send_signal(signal.SIGHUP)
        for slot in range(3):
            them.wait_for(rf"^told {slot}$")
        assert them.stop() == 0


def test_other_peoples_children_are_reaped_as_process_1_must(tmp_path: Path) -> None:
    leaving = """
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans come to us, as they do to process 1
def work(slot):
    if slot == 0 and os.fork() == 0:
        if os.fork() == 0:
            say("orphan", os.getpid())
            os._exit(0)
        os._exit(0)
    live(slot)
"""
    with supervised(tmp_path, leaving) as them:
        them.wait_for(r"^orphan \d+$")
        orphan = int(re.findall(r"^orphan (\d+)$", them.said, re.MULTILINE)[0])
        until(lambda: not is_there(orphan), "the orphan is reaped")
        assert them.stop() == 0
