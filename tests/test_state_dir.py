"""The directory of what outlives adproxy."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from adproxy.errors import SettingsError
from adproxy.state_dir import default_for_application, default_path, take


def test_it_is_made_for_us_alone(tmp_path: Path) -> None:
    state = take(tmp_path / "a" / "b")
    with state.lock:
        for folder in (state.path, state.metrics):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_it_is_one_adproxys_at_a_time(tmp_path: Path) -> None:
    said = rf"{tmp_path} is in use by .*process {os.getpid()}\).*--state-dir"
    with take(tmp_path).lock, pytest.raises(SettingsError, match=said):
        take(tmp_path)
    take(tmp_path).lock.close()


def test_children_hold_it_too(tmp_path: Path) -> None:
    """A worker that is still draining counts there."""
    state = take(tmp_path)
    child = subprocess.Popen(["sleep", "60"], pass_fds=[state.lock.fileno()])
    try:
        state.lock.close()
        with pytest.raises(SettingsError, match="in use"):
            take(tmp_path)
    finally:
        child.kill()
        child.wait(20)
    take(tmp_path).lock.close()


def test_where_it_can_not_be_made_the_error_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"can't keep state in .*file/x: Not a directory; name another one"):
        take(tmp_path / "file" / "x")


def test_systemd_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/adproxy:/var/lib/other")
    assert default_path(80) == Path("/var/lib/adproxy")


def test_or_else_it_is_the_users_and_has_the_ports_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/a/state")
    assert default_path(8080) == Path("/home/a/state/adproxy/port-8080")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/b")
    assert default_path(8080) == Path("/home/b/.local/state/adproxy/port-8080")


def test_an_application_has_one_place_by_its_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    one = default_for_application(tmp_path / "rules")
    assert one == default_for_application(Path("rules"))
    assert one != default_for_application(Path("other"))
    assert one.parent == Path("/state/adproxy")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/shop:/var/lib/more")
    assert default_for_application(Path("rules")).parent == Path("/var/lib/shop/adproxy")
