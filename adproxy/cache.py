"""Pages that were decided before: the same bytes, asked for in the same way, get the same answer at once.

A page is found by what its outcome depends on beside its bytes, their length and a few samples of them, and is believed
only if all its bytes are the same. Samples alone would let an author forge what readers of another page get; a hash of
all bytes costs more than comparing them (for 110 KB, on an AMD EPYC core: BLAKE2b 135 us, SHA-256 78 us, SipHash 45 us,
comparing 4 us). Who writes pages with the same samples makes them evict each other, and nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

_SAMPLES: Final = 4
_SAMPLE_BYTES: Final = 32
ENTRY_BYTES: Final = 1_024
"""What an entry takes beside what is stored in it: its key, its place in the order, its head."""

_Value = TypeVar("_Value")
_Outcome = TypeVar("_Outcome")


@dataclass(slots=True)
class CacheFigures:
    """How full a cache is, and what became of it since it was made."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    entries: int = 0
    bytes: int = 0


class Kept(Generic[_Value]):
    """Values by key, at most `max_bytes` of them; those that were not asked for longest go first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.figures = CacheFigures()
        self._entries: OrderedDict[Hashable, tuple[_Value, int]] = OrderedDict()

    def find(self, key: Hashable) -> _Value | None:
        """The value of a key; None where there is none."""
        found = self._entries.get(key)
        return found[0] if found is not None else None

    def used(self, key: Hashable) -> None:
        """A key that there is was asked for."""
        self._entries.move_to_end(key)

    def put(self, key: Hashable, value: _Value, size: int) -> None:
        """Keep a value. `size`: bytes that it takes; what is larger than an eighth of the whole is not kept, since it
        would push out what many ask for."""
        cost = size + ENTRY_BYTES
        if cost > self.max_bytes // 8:
            return
        self.drop(key)
        self._entries[key] = (value, cost)
        figures = self.figures
        figures.entries += 1
        figures.bytes += cost
        while figures.bytes > self.max_bytes:
            self.drop(next(iter(self._entries)))
            figures.evictions += 1

    def drop(self, key: Hashable) -> None:
        """Forget a key, if it is known."""
        gone = self._entries.pop(key, None)
        if gone is not None:
            self.figures.entries -= 1
            self.figures.bytes -= gone[1]

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.figures.entries = self.figures.bytes = 0


class PageCache(Generic[_Outcome]):
    """Outcomes by page, at most `max_bytes` of them with the pages themselves.

    For one thread: the event loop's. Nothing in it knows what a page or an outcome is.
    """

    def __init__(self, max_bytes: int) -> None:
        self._kept: Kept[tuple[bytes, _Outcome]] = Kept(max_bytes)
        self.max_bytes = max_bytes
        self.figures = self._kept.figures

    def get(self, asked: Hashable, *pieces: bytes) -> _Outcome | None:
        """The outcome of a body, in as many pieces as it came in; None where it is not known. `asked`: all else that
        it depends on."""
        key = _key(asked, pieces)
        found = self._kept.find(key)
        if found is None or not _are(pieces, found[0]):
            self.figures.misses += 1
            return None
        self._kept.used(key)
        self.figures.hits += 1
        return found[1]

    def put(self, asked: Hashable, body: bytes, outcome: _Outcome, size: int) -> None:
        """Remember an outcome. `size`: bytes that it takes beside the body."""
        self._kept.put(_key(asked, (body,)), (body, outcome), len(body) + size)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()


def _key(asked: Hashable, pieces: Sequence[bytes]) -> Hashable:
    length = sum(map(len, pieces))
    step = max(1, length // _SAMPLES)
    samples = [_cut(pieces, at) for at in range(step // 2, length, step)[:_SAMPLES]]
    return asked, length, *samples


def _cut(pieces: Sequence[bytes], start: int) -> bytes:
    """A sample of what the pieces are together."""
    found = b""
    for piece in pieces:
        if start < len(piece):
            found += piece[start : start + _SAMPLE_BYTES - len(found)]
            if len(found) == _SAMPLE_BYTES:
                break
        start = max(0, start - len(piece))
    return found


def _are(pieces: Sequence[bytes], body: bytes) -> bool:
    """Whether the pieces are that body, which has their length: joining them would cost more than comparing."""
    at = 0
    for piece in pieces:
        if not body.startswith(piece, at):
            return False
        at += len(piece)
    return at == len(body)
