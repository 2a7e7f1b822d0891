"""Pages that were decided before: the same bytes, asked for in the same way, get the same answer at once.

A page is found by what its outcome depends on beside its bytes, their length and a few samples of them, and is believed
only if all its bytes are the same. Samples alone would let an author forge what readers of another page get; a hash of
all bytes costs more than comparing them (for 110 KB, on an AMD EPYC core: BLAKE2b 135 us, SHA-256 78 us, SipHash 45 us,
comparing 4 us). Who writes pages with the same samples makes them evict each other, and nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

_SAMPLES = 4
_SAMPLE_BYTES = 32
ENTRY_BYTES = 1_024
"""What an entry takes beside what is stored in it: its key, its place in the order, its head."""

_Outcome = TypeVar("_Outcome")


@dataclass(slots=True)
class CacheFigures:
    """What became of look-ups, since the cache was made, and how full it is."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    entries: int = 0
    bytes: int = 0


class PageCache(Generic[_Outcome]):
    """Outcomes by page, at most `max_bytes` of them; those that were not asked for longest go first.

    For one thread: the event loop's. Nothing in it knows what a page or an outcome is.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.figures = CacheFigures()
        self._entries: OrderedDict[Hashable, tuple[bytes, _Outcome, int]] = OrderedDict()

    def get(self, asked: Hashable, body: bytes) -> _Outcome | None:
        """The outcome of these bytes; None where it is not known. `asked`: all else that it depends on."""
        key = _key(asked, body)
        found = self._entries.get(key)
        if found is None or found[0] != body:
            self.figures.misses += 1
            return None
        self._entries.move_to_end(key)
        self.figures.hits += 1
        return found[1]

    def put(self, asked: Hashable, body: bytes, outcome: _Outcome, size: int) -> None:
        """Remember an outcome. `size`: bytes that it takes beside the body; what is larger than an eighth of the cache
        is not kept, since it would push out what many ask for."""
        cost = len(body) + size + ENTRY_BYTES
        if cost > self.max_bytes // 8:
            return
        key = _key(asked, body)
        self._drop(key)
        self._entries[key] = (body, outcome, cost)
        self.figures.entries += 1
        self.figures.bytes += cost
        while self.figures.bytes > self.max_bytes:
            self._drop(next(iter(self._entries)))
            self.figures.evictions += 1

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.figures.entries = self.figures.bytes = 0

    def _drop(self, key: Hashable) -> None:
        gone = self._entries.pop(key, None)
        if gone is not None:
            self.figures.entries -= 1
            self.figures.bytes -= gone[2]


def _key(asked: Hashable, body: bytes) -> Hashable:
    step = max(1, len(body) // _SAMPLES)
    return asked, len(body), *(body[at : at + _SAMPLE_BYTES] for at in range(step // 2, len(body), step)[:_SAMPLES])
