"""What a terminal gets and a pipe doesn't."""

from __future__ import annotations

import os
import sys

import pytest

from adproxy.cli import terminal


def drawn(monkeypatch: pytest.MonkeyPatch, items: list[str]) -> str:
    """What a terminal is sent while the items are worked on, if it draws at once."""
    monkeypatch.setattr(terminal, "_FIRST_SECONDS", 0.0)
    monkeypatch.setattr(terminal, "_SECONDS", 0.0)
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stderr, monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", stderr)
        assert list(terminal.progress(items, "pages")) == items
    sent = b""
    try:
        while piece := os.read(ours, 1 << 16):
            sent += piece
    except OSError:
        pass  # how Linux says that the other side has left
    finally:
        os.close(ours)
    return sent.decode()


def test_a_terminal_shows_how_far_the_work_is_and_the_bar_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    steps = drawn(monkeypatch, ["a", "b", "c", "d"]).split("\r\x1b[K")
    assert "[###############---------------] 2 of 4 pages" in steps
    assert steps[-1] == ""


def test_a_dumb_terminal_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert drawn(monkeypatch, ["a", "b"]) == ""


def test_a_file_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(terminal.progress([1, 2], "pages")) == [1, 2]
    assert capsys.readouterr().err == ""
