"""The kill switch: one word that all processes of one adproxy read at each request, and that outlives them.

Off, adproxy is a plain pipe: every page passes as it came, and what it answers itself tells browsers that nothing is to
be filled, on pages in caches too. It is thrown by a setting, by a signal to `adproxy serve`, or by a request that knows
the secret; any process can throw it, the others read it at their next request.

The word is eight bytes of a file in the state directory, mapped into memory: the Unix time at which it was switched
off, 0 while it is on. So a restart in the middle of an incident does not switch it on again.
"""

from __future__ import annotations

import hmac
import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from adproxy.eligibility import RawHeaders, values
from adproxy.errors import SettingsError

FILE_NAME = "switched-off"
FIELD = "x-adproxy-switch"
"""The request field that carries the secret."""
MIN_SECRET = 32
"""Characters. Whoever guesses it turns the advertising off, and there is no limit to guesses but this."""
_BYTES = 8


class Switch(Collector):
    """Whether adproxy is switched off; also the metric that says so."""

    def __init__(self, directory: Path | None = None, *, always_off: bool = False, secret: str = "") -> None:
        """`directory`: where the word is kept for all processes that name the same one; None keeps it in memory that
        only processes forked from this one share. `always_off`: by a setting, whatever the word says. `secret`: empty
        for none, so that no request can throw the switch. Raises `SettingsError` where the word can't be kept."""
        self._always_off = always_off
        self._secret = secret.encode()
        try:
            self._memory = _mapped(directory / FILE_NAME) if directory is not None else mmap.mmap(-1, _BYTES)
        except OSError as error:
            raise SettingsError(f"can't keep the switch in {directory}: {error.strerror}") from error
        self._word = memoryview(self._memory).cast("d")

    @property
    def is_off(self) -> bool:
        return self._always_off or self._word[0] != 0.0

    @property
    def off_since(self) -> float | None:
        """Unix seconds at which it was switched off; None where it is on, or off by a setting."""
        return self._word[0] or None

    def turn_off(self) -> None:
        """Every page passes as it came, from the next request of each process on."""
        if self._word[0] == 0.0:
            self._word[0] = time.time()

    def turn_on(self) -> None:
        """Back to work, unless a setting says otherwise."""
        self._word[0] = 0.0

    def knows(self, headers: RawHeaders) -> bool:
        """Whether the request comes from somebody who has the secret."""
        if not self._secret:
            return False
        return any(hmac.compare_digest(value.encode("latin-1"), self._secret) for value in values(headers, _FIELD))

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "adproxy_switched_off",
            "Whether adproxy is switched off (1), so that every page passes as it came, or at work (0).",
            value=float(self.is_off),
        )


_FIELD = FIELD.encode()


def load_secret(given: str, file: Path | None) -> str:
    """The secret in force: `given`, or else the file's only line; empty where there is neither. Raises
    `SettingsError`, which never shows it."""
    where, secret = "switch_secret", given
    if not given and file is not None:
        where = str(file)
        try:
            secret = file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no plain text"
            raise SettingsError(f"can't read the secret of the switch in {file}: {reason}") from error
        if not secret:
            raise SettingsError(f"{file}: found nothing; {_HOW}")
    if secret and (len(secret) < MIN_SECRET or not secret.isascii() or not secret.isprintable() or " " in secret):
        raise SettingsError(f"{where}: found {len(secret)} characters that can't be used; {_HOW}")
    return secret


_HOW = f"expected a secret of {MIN_SECRET} plain characters or more, as `openssl rand -hex 32` prints it"


def _mapped(file: Path) -> mmap.mmap:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_size < _BYTES:
            # written, not just extended: where the disk is full this fails now, and not at the moment of need
            os.pwrite(descriptor, bytes(_BYTES), 0)
        return mmap.mmap(descriptor, _BYTES)
    finally:
        os.close(descriptor)
