"""The page of memory that the processes of one adproxy share."""

from __future__ import annotations

import subprocess
import sys

import pytest

from adproxy.board import Board, RestartReason


def test_nothing_is_known_at_first() -> None:
    board = Board(2)
    assert [(state.slot, state.pid, state.ready, state.restarts, state.revision) for state in board.states()] == [
        (0, 0, False, 0, None),
        (1, 0, False, 0, None),
    ]
    assert dict(board.restarts()) == dict.fromkeys(RestartReason, 0)


def test_what_a_child_says_is_seen_by_its_parent() -> None:
    done = subprocess.run([sys.executable, "-c", FAMILY], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


FAMILY = """
import os, time
from adproxy.board import Board

board = Board(2)
child = os.fork()
if child == 0:
    board.alive(1)
    board.has_rules(1, "00ff00ff00ff")
    os._exit(0)
board.started(1, child)
os.waitpid(child, 0)
first, second = board.states()
assert (first.ready, first.pid, first.revision) == (False, 0, None), first
assert (second.ready, second.pid, second.revision) == (True, child, "00ff00ff00ff"), second
assert abs(second.since - time.time()) < 60
assert 0 < board.heartbeat(1) <= time.monotonic()
board.ended(1)
ended = board.states()[1]
assert (ended.ready, ended.pid, ended.revision) == (False, 0, None), ended
"""
"""In a program of its own: the tests' process has threads, and such a one should not fork."""


@pytest.mark.parametrize(
    ("said", "known"), [("000000000000", "000000000000"), ("ffffffffffff", "ffffffffffff"), ("none", None), ("", None)]
)
def test_a_revision_of_any_digits_is_told_from_none(said: str, known: str | None) -> None:
    board = Board(1)
    board.has_rules(0, said)
    assert board.states()[0].revision == known


def test_replaced_workers_are_counted_by_slot_and_by_reason_and_the_office_is_none_of_them() -> None:
    board = Board(2)
    board.replaced(0, RestartReason.HANG)
    board.replaced(1, RestartReason.SIGNAL)
    board.replaced(1, RestartReason.SIGNAL)
    board.replaced(board.office, RestartReason.EXIT)
    assert [state.restarts for state in board.states()] == [1, 2]
    assert dict(board.restarts()) == {RestartReason.EXIT: 0, RestartReason.SIGNAL: 2, RestartReason.HANG: 1}
