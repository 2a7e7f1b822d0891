"""The keys that page tokens are signed with: given by the operator, or made once and kept.

Whoever makes pages and whoever counts what browsers say of them need the same keys: all processes of one adproxy, and
all machines that serve one site.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from adproxy.errors import SettingsError
from adproxy.tokens import MIN_KEY, Keyring

FILE_NAME = "signing-keys"
_HOW = "expected one or two keys of 32 characters or more, as `openssl rand -hex 32` prints them: the current one first"


def load_keys(given: str, file: Path | None, state_dir: Path) -> Keyring:
    """The keys in force: `given` (with a comma between), or those of `file` (one a line), or else those kept in
    `state_dir`, made now if there are none. Raises `SettingsError`, which never shows a key."""
    if (keys := given_keys(given, file)) is not None:
        return keys
    kept = state_dir / FILE_NAME
    try:
        with contextlib.suppress(FileExistsError):
            make_secret(kept)
    except OSError as error:
        raise SettingsError(f"can't keep signing keys in {state_dir}: {error.strerror}") from error
    return _keyring(_lines(kept), str(kept))


def given_keys(given: str, file: Path | None) -> Keyring | None:
    """The keys that an operator gave, in a setting or a file; None where there are none. Raises `SettingsError`."""
    if given:
        return _keyring(given.split(","), "signing_keys")
    return _keyring(_lines(file), str(file)) if file is not None else None


def make_secret(kept: Path) -> None:
    """A file with a new secret, whole from the moment that it is there, and for its owner alone; raises
    `FileExistsError` where somebody else was first, and `OSError` where it can't be written."""
    if kept.exists():
        return
    descriptor, name = tempfile.mkstemp(prefix=f"{kept.name}.", dir=kept.parent)  # nobody else may read it
    fresh = Path(name)
    try:
        os.write(descriptor, f"{secrets.token_urlsafe(MIN_KEY)}\n".encode())
        os.fsync(descriptor)
        os.link(fresh, kept)
    finally:
        os.close(descriptor)
        fresh.unlink()


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"can't read the signing keys in {file}: {reason}; {_HOW}") from error


def _keyring(keys: list[str], where: str) -> Keyring:
    live = [key.strip() for key in keys if key.strip()]
    if not 1 <= len(live) <= 2:
        raise SettingsError(f"{where}: found {len(live)} keys; {_HOW}")
    try:
        return Keyring(*live)
    except ValueError as error:
        raise SettingsError(f"{where}: {error}; {_HOW}") from error
