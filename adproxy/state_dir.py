"""The directory in which a running adproxy keeps what outlives it; one running adproxy each."""

from __future__ import annotations

import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from adproxy.errors import SettingsError

_ADVICE = "name another one with --state-dir, or in ADPROXY_STATE_DIR"


@dataclass(frozen=True, slots=True)
class StateDir:
    """Ours until the process and all its children have ended."""

    path: Path
    metrics: Path
    lock: TextIO
    """Open as long as the directory is ours; forked children hold it too, for they still write there."""


def default_path(port: int) -> Path:
    """Where state is kept if nobody says otherwise: systemd's StateDirectory, or else the user's, by the port. Raises
    `SettingsError`."""
    given = os.environ.get("STATE_DIRECTORY")
    return Path(given.split(":")[0]) if given else _home() / f"port-{port}"


def default_for_application(rules: Path) -> Path:
    """The same for an application with the middleware, of which there may be several processes: by its rules."""
    given = os.environ.get("STATE_DIRECTORY")
    name = f"app-{hashlib.sha256(os.fsencode(rules.resolve())).hexdigest()[:12]}"
    return (Path(given.split(":")[0]) / "adproxy" if given else _home()) / name


def _home() -> Path:
    base = os.environ.get("XDG_STATE_HOME", "")
    try:
        # a relative one is to be ignored (XDG base directory specification)
        home = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError as unknown:
        raise SettingsError(f"found no home directory to keep state in; {_ADVICE}") from unknown
    return home / "adproxy"


def make_directory(path: Path) -> None:
    """Have the directory, for its owner alone. Raises `SettingsError`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"can't keep state in {path}: {error.strerror}") from error


def take(path: Path) -> StateDir:
    """Make the directory if need be, and take it. Raises `SettingsError` where that can't be, or it is another's."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        metrics = path / "metrics"
        metrics.mkdir(mode=0o700, exist_ok=True)
        lock = (path / "lock").open("a+", encoding="ascii")
    except OSError as error:
        raise SettingsError(f"can't keep state in {path}: {error.strerror}; {_ADVICE}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read(20).strip() or "unknown"
        lock.close()
        raise SettingsError(
            f"the state directory {path} is in use by another adproxy (process {holder}); stop that one, or {_ADVICE}"
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return StateDir(path, metrics, lock)
