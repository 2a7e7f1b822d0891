"""What people are looking at, kept in memory for a while: a few things, within bounds of number, bytes and time."""

from __future__ import annotations

import hmac
import secrets
import time
from typing import Generic, NamedTuple, TypeVar

_Thing = TypeVar("_Thing")


class _Kept(NamedTuple):
    thing: object
    size: int
    since: float


class Shelf(Generic[_Thing]):
    """Belongs to one thread. What was asked for longest ago makes room."""

    def __init__(self, *, most: int, max_bytes: int, seconds: float) -> None:
        self._most = most
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._kept: dict[str, _Kept] = {}
        self._secret = secrets.token_bytes(32)

    def put(self, thing: _Thing, size: int, same: bytes | None = None) -> str:
        """Keep something of `size` bytes, and return the key to it, which nobody can guess. `same`: what the thing is
        made of; the same again has the same key."""
        key = secrets.token_urlsafe(16) if same is None else hmac.digest(self._secret, same, "sha256").hex()
        self._kept.pop(key, None)
        self._kept[key] = _Kept(thing, size, time.monotonic())
        while len(self._kept) > self._most or (self._bytes() > self._max_bytes and len(self._kept) > 1):
            del self._kept[next(iter(self._kept))]
        return key

    def get(self, key: str) -> _Thing | None:
        """What is kept under a key; None where it had to go."""
        now = time.monotonic()
        for old in [key for key, kept in self._kept.items() if now - kept.since > self._seconds]:
            del self._kept[old]
        kept = self._kept.pop(key, None)
        if kept is None:
            return None
        self._kept[key] = kept._replace(since=now)  # the last to go now
        return kept.thing  # type: ignore[return-value]

    def _bytes(self) -> int:
        return sum(kept.size for kept in self._kept.values())
