"""Pages that were decided before: the same bytes, asked for in the same way, get the same answer at once.

A page is found by what its outcome depends on beside its bytes, and by their length, and is believed only if all its
bytes are the same. A hash of all bytes costs more than comparing them (for 110 KB, on an AMD EPYC core: BLAKE2b 135 us,
SHA-256 78 us, SipHash 45 us, comparing 4 us), and samples of them cost more than they tell: each lies where no
processor's cache has been. Pages of one length at one address make each other be forgotten, and nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from adproxy.same import Matches, Spans, matcher

_WAYS: Final = 4
"""So many bodies of one length are remembered of what is asked for in one way."""
ENTRY_BYTES: Final = 1_024
"""What an entry takes beside what is stored in it: its key, its place in the order, its head."""

_CHANCES: Final = 64
"""Entries that are spared at once for having been used: tens of thousands may have been, while a request waits."""

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


class Entry(Generic[_Value]):
    """A value that is kept."""

    def __init__(self, value: _Value, cost: int) -> None:
        self.value = value
        self.cost = cost
        """Bytes that it takes in all."""
        self.used = False
        """Whether it was asked for since it last came to the end of the line. Whoever uses it sets this: moving it to
        the front would touch its neighbours, which no processor's cache holds."""


class Kept(Generic[_Value]):
    """Values by key, at most `max_bytes` of them. Where there is no room the oldest goes, unless it was used: then it
    is new again (known as second chance, or clock)."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.figures = CacheFigures()
        self._entries: OrderedDict[Hashable, Entry[_Value]] = OrderedDict()

    def find(self, key: Hashable) -> Entry[_Value] | None:
        """What is kept by a key; None where there is nothing."""
        return self._entries.get(key)

    def put(self, key: Hashable, value: _Value, size: int) -> None:
        """Keep a value. `size`: bytes that it takes; what is larger than an eighth of the whole is not kept, since it
        would push out what many ask for."""
        cost = size + ENTRY_BYTES
        if cost > self.max_bytes // 8:
            return
        self.drop(key)
        figures = self.figures
        while figures.bytes + cost > self.max_bytes:
            self._make_room()
        self._entries[key] = Entry(value, cost)
        figures.entries += 1
        figures.bytes += cost

    def _make_room(self) -> None:
        """Forget one entry: the oldest that was not used, among so many as there is time to look at."""
        key = next(iter(self._entries))
        for _ in range(_CHANCES):
            oldest = self._entries[key]
            if not oldest.used:
                break
            oldest.used = False
            self._entries.move_to_end(key)
            key = next(iter(self._entries))
        self.drop(key)
        self.figures.evictions += 1

    def drop(self, key: Hashable) -> None:
        """Forget a key, if it is known."""
        gone = self._entries.pop(key, None)
        if gone is not None:
            self.figures.entries -= 1
            self.figures.bytes -= gone.cost

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.figures.entries = self.figures.bytes = 0


class PageCache(Generic[_Outcome]):
    """Outcomes by page, at most `max_bytes` of them with the pages themselves.

    For one thread: the event loop's. Nothing in it knows what a page or an outcome is.
    """

    def __init__(self, max_bytes: int) -> None:
        self._kept: Kept[tuple[Matches, _Outcome]] = Kept(max_bytes)
        self.max_bytes = max_bytes
        self.figures = self._kept.figures

    def get(self, asked: Hashable, pieces: Sequence[bytes]) -> _Outcome | None:
        """The outcome of a body, in as many pieces as it came in; None where it is not known. `asked`: all else that
        it depends on."""
        length = sum(map(len, pieces)) if len(pieces) != 1 else len(pieces[0])
        for way in range(_WAYS):
            entry = self._kept.find((asked, length, way))
            if entry is not None and entry.value[0](pieces):
                entry.used = True
                self.figures.hits += 1
                return entry.value[1]
        self.figures.misses += 1
        return None

    def put(
        self, asked: Hashable, body: bytes, outcome: _Outcome, size: int, holder: tuple[bytes, Spans] | None = None
    ) -> None:
        """Remember an outcome. `size`: bytes that it takes beside the body. `holder`: a part of the outcome in which
        the body lies, and the spans of it there; the body is kept itself where there is none."""
        if holder is None:
            holder = body, ((0, len(body)),)
            size += len(body)
        self._kept.put(self._place(asked, body), (matcher(*holder), outcome), size)

    def _place(self, asked: Hashable, body: bytes) -> Hashable:
        """The key for a body: where it is kept already, or else one that is free, or that nobody asked for since."""
        keys = [(asked, len(body), way) for way in range(_WAYS)]
        free = unused = None
        for key in reversed(keys):
            entry = self._kept.find(key)
            if entry is None:
                free = key
            elif entry.value[0]((body,)):
                return key
            elif not entry.used:
                unused = key
        return free or unused or keys[0]

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
