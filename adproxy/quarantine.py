"""Pages on which a worker died pass untouched from then on: who has which page in hand, and what came of it.

Native code reads pages, and native code can crash. A page that did it once would do it again at each reader's request,
in one worker after the other. So a worker writes into shared memory which page it has in hand before anything native
sees it, and crosses it out afterwards. What is left there of a dead one is under suspicion: the supervisor, which is
told of each death, puts it on a list that all workers ask before they take a page in hand.

A page is known by its bytes as they came, and by its site and path, since real pages are other bytes each time (a
nonce, a time stamp). A crash is proof against the bytes; the path needs two of them, for one page of many with that
path may have been the accident. A worker that hung may have had other reasons, so hanging counts half. A worker killed
from outside (SIGKILL: an operator, the kernel when memory runs out) proves nothing, nor does one that ended by itself.

The list is bounded, each entry expires, and none outlives the supervisor: after an upgrade everything is tried again.
Keys are Python's own hashes, SipHash with a secret that the workers inherit when they are forked, 64 bits: nobody can
make two pages that share one.
"""

from __future__ import annotations

import math
import mmap
import signal
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from adproxy.model import Skip, SkipReason

MAX_IN_HAND = 65
"""Pages that one worker can have in hand at once: one on its loop, the others in its threads."""
MAX_SUSPECTS = 128
"""On the list; beyond, the one that would have expired first makes room."""
EXPIRY_SECONDS = 86_400.0
"""After the last death an entry stays so long; a page that is still poison costs one worker a day."""
CRASH, HANG = 2, 1
"""How much a death weighs."""
_ENOUGH_FOR_BYTES, _ENOUGH_FOR_PATH = CRASH, 2 * CRASH
_FAULTS = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP})
"""What a process brings upon itself."""

_IN_HAND = struct.Struct("=QQ240s")
"""Key of the bytes, key of the path, the path for people. All zeros: free."""
_SUSPECT = struct.Struct("=QQQd224s")
"""Key, weight of the deaths, weight that is enough, end by the monotonic clock, the path."""
_COUNT = struct.Struct("=Q")

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Suspect:
    """A page that passes untouched, or is on the way to it."""

    path: str
    by_bytes: bool
    """Known by its bytes, not by its path."""
    held: bool
    """It passes untouched."""
    until: float
    """Unix seconds."""


class Quarantine(Collector):
    """The shared memory; made before the first fork. `workers`: slots of page workers. Also the metrics that tell of
    it."""

    def __init__(self, workers: int) -> None:
        self._list_at = workers * MAX_IN_HAND * _IN_HAND.size
        self._count_at = self._list_at + MAX_SUSPECTS * _SUSPECT.size
        self._memory = mmap.mmap(-1, self._count_at + _COUNT.size)

    # --- a worker -------------------------------------------------------------------------

    def hands(self, slot: int) -> Hands:
        """For the worker in a slot, once it is forked."""
        return Hands(self, self._memory, slot)

    def holds(self, *keys: int) -> bool:
        """Whether a page with one of these keys is to pass untouched."""
        if not _COUNT.unpack_from(self._memory, self._count_at)[0]:
            return False
        now = time.monotonic()
        return any(key in keys and weight >= enough and now < end for key, weight, enough, end, _ in self._entries())

    # --- the supervisor -------------------------------------------------------------------

    def died(self, slot: int, killed_by: int | None, *, hung: bool) -> tuple[str, ...]:
        """The worker in this slot is dead: clear its hands, and list what it leaves. `killed_by`: the signal, None
        where it ended by itself; `hung`: it was killed because it showed no sign of life. The paths of pages that pass
        untouched from now on."""
        weight = HANG if hung else CRASH if killed_by in _FAULTS else 0
        held: dict[str, None] = {}
        for at in _hands_of(slot):
            of_bytes, of_path, raw = _IN_HAND.unpack_from(self._memory, at)
            _IN_HAND.pack_into(self._memory, at, 0, 0, b"")
            if not of_bytes or not weight:
                continue
            path = raw.rstrip(b"\0")
            for key, enough in ((of_bytes, _ENOUGH_FOR_BYTES), (of_path, _ENOUGH_FOR_PATH)):
                if self._accuse(key, weight, enough, path):
                    held[path.decode("utf-8", "replace")] = None
        return tuple(held)

    def _accuse(self, key: int, weight: int, enough: int, path: bytes) -> bool:
        """Whether the page with this key passes untouched from now on."""
        now = time.monotonic()
        entries = list(self._entries())
        place = next((index for index, entry in enumerate(entries) if entry[0] == key), None)
        if place is None:
            place, before = min(range(MAX_SUSPECTS), key=lambda index: entries[index][3]), 0
        else:
            # what expired is forgiven
            before = entries[place][1] if now < entries[place][3] else 0
        entry = (key, before + weight, enough, now + EXPIRY_SECONDS, path)
        _SUSPECT.pack_into(self._memory, self._list_at + place * _SUSPECT.size, *entry)
        _COUNT.pack_into(self._memory, self._count_at, sum(entry[0] != 0 for entry in self._entries()))
        return before + weight >= enough

    # --- everybody ------------------------------------------------------------------------

    def suspects(self) -> tuple[Suspect, ...]:
        """The list as it is now, without what expired."""
        now, wall = time.monotonic(), time.time()
        return tuple(
            Suspect(
                path=path.rstrip(b"\0").decode("utf-8", "replace"),
                by_bytes=enough == _ENOUGH_FOR_BYTES,
                held=weight >= enough,
                until=wall + end - now,
            )
            for key, weight, enough, end, path in self._entries()
            if key and now < end
        )

    def collect(self) -> Iterator[Metric]:
        held = [suspect for suspect in self.suspects() if suspect.held]
        yield GaugeMetricFamily(
            "adproxy_quarantined_pages",
            "Pages that pass without slots because a worker died on them, by their bytes or their path.",
            value=len(held),
        )
        yield GaugeMetricFamily(
            "adproxy_quarantine_end_timestamp_seconds",
            "Unix time at which the first of those pages is tried again; infinite where there are none.",
            value=min((suspect.until for suspect in held), default=math.inf),
        )

    def _entries(self) -> Iterator[tuple[int, int, int, float, bytes]]:
        return _SUSPECT.iter_unpack(memoryview(self._memory)[self._list_at : self._count_at])


class Hands:
    """What one worker has in hand. Safe to use from its loop and its threads."""

    def __init__(self, quarantine: Quarantine, memory: mmap.mmap, slot: int) -> None:
        self._quarantine = quarantine
        self._memory = memory
        self._free = deque(_hands_of(slot))

    def take(self, body: bytes, site: str, path: str, work: Callable[[], _Result]) -> _Result | Skip:
        """What `work` makes of a page, which is in hand meanwhile; or a Skip where a worker died on it."""
        of_bytes, of_path = _key(body), _key((site, path))
        if self._quarantine.holds(of_bytes, of_path):
            return Skip(SkipReason.QUARANTINED, "a worker died on it")
        try:
            at = self._free.pop()
        except IndexError:
            return work()  # more threads than there can be: nothing that a page should suffer for
        try:
            _IN_HAND.pack_into(self._memory, at, of_bytes, of_path, path.encode("utf-8", "replace"))
            return work()
        finally:
            _IN_HAND.pack_into(self._memory, at, 0, 0, b"")
            self._free.append(at)


def _hands_of(slot: int) -> range:
    """Where a worker's pages stand in the memory."""
    size = MAX_IN_HAND * _IN_HAND.size
    return range(slot * size, (slot + 1) * size, _IN_HAND.size)


def _key(of: object) -> int:
    return hash(of) & 0xFFFF_FFFF_FFFF_FFFF or 1  # 0 is none
