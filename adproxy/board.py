"""What the processes of one adproxy know of each other: a page of memory that all of them share.

It is made before the first fork. Each cell has one writer: a worker says that it is alive and which rules it has, the
supervisor all the rest. A cell is eight bytes, aligned, so that nobody reads half of a value. Times are those of the
system's monotonic clock, which is one for all processes, if nothing else is said.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

_CELLS = 8  # for each slot, some of them free
_HEARTBEAT, _PID, _SINCE, _RESTARTS, _REVISION, _REMEMBERED = range(6)
_KNOWN = 1 << 63  # tells a revision of zeros from none


class RestartReason(str, Enum):
    """Why a process was replaced. Closed: a metric's label."""

    EXIT = "exit"
    """It ended by itself."""
    SIGNAL = "signal"
    """It was killed, by the kernel, by a fault of its own or by somebody."""
    HANG = "hang"
    """It showed no sign of life, and the supervisor killed it."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One page worker, for people and probes."""

    slot: int
    pid: int
    """0: there is none at the moment."""
    since: float
    """Unix seconds at which it was started."""
    restarts: int
    ready: bool
    """It has shown a sign of life."""
    revision: str | None
    """Of the rules that it has; None before it loaded any."""
    remembered: int = 0
    """Bytes that what it remembers of pages takes."""


class Board:
    """`workers`: how many page workers there are to be. The office has a place as well, behind theirs."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.office = workers
        """The office's slot."""
        counters = len(RestartReason)
        self._memory = mmap.mmap(-1, ((workers + 1) * _CELLS + counters) * 8)
        self._numbers = memoryview(self._memory).cast("Q")
        self._times = memoryview(self._memory).cast("d")
        self._counters = (workers + 1) * _CELLS

    # --- a process about itself -----------------------------------------------------------

    def alive(self, slot: int) -> None:
        """The process in this slot is alive."""
        self._times[slot * _CELLS + _HEARTBEAT] = time.monotonic()

    def has_rules(self, slot: int, revision: str) -> None:
        """The process in this slot has these rules in force; `revision` is hexadecimal, or anything for none."""
        try:
            value = int(revision, 16) | _KNOWN
        except ValueError:
            value = 0
        self._numbers[slot * _CELLS + _REVISION] = value

    def remembers(self, slot: int, size: int) -> None:
        """The process in this slot remembers so many bytes of pages."""
        self._numbers[slot * _CELLS + _REMEMBERED] = size

    # --- the supervisor -------------------------------------------------------------------

    def started(self, slot: int, pid: int) -> None:
        """A process was started in this slot; it has yet to show a sign of life."""
        at = slot * _CELLS
        self._numbers[at + _PID] = pid
        self._times[at + _SINCE] = time.time()

    def ended(self, slot: int) -> None:
        """The process in this slot is no more."""
        at = slot * _CELLS
        self._numbers[at + _PID] = self._numbers[at + _REVISION] = self._numbers[at + _REMEMBERED] = 0
        self._times[at + _HEARTBEAT] = 0.0

    def replaced(self, slot: int, reason: RestartReason) -> None:
        """The process in this slot ended unasked."""
        self._numbers[slot * _CELLS + _RESTARTS] += 1
        if slot != self.office:
            self._numbers[self._counters + list(RestartReason).index(reason)] += 1

    def heartbeat(self, slot: int) -> float:
        """When the process in this slot last showed that it is alive; 0: it never did."""
        return self._times[slot * _CELLS + _HEARTBEAT]

    # --- everybody ------------------------------------------------------------------------

    def states(self) -> tuple[WorkerState, ...]:
        """The page workers by slot."""
        return tuple(self._state(slot) for slot in range(self.workers))

    def restarts(self) -> Iterable[tuple[RestartReason, int]]:
        """How many page workers were replaced since the start, by reason."""
        return [(reason, self._numbers[self._counters + index]) for index, reason in enumerate(RestartReason)]

    def _state(self, slot: int) -> WorkerState:
        at = slot * _CELLS
        revision = self._numbers[at + _REVISION]
        return WorkerState(
            slot=slot,
            pid=self._numbers[at + _PID],
            since=self._times[at + _SINCE],
            restarts=self._numbers[at + _RESTARTS],
            ready=self._times[at + _HEARTBEAT] > 0.0,
            revision=f"{revision & ~_KNOWN:012x}" if revision else None,
            remembered=self._numbers[at + _REMEMBERED],
        )
