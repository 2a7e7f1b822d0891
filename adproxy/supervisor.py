"""Keeps the processes of one `adproxy serve` running, and ends them in order.

One thread, no event loop, no signal handlers: signals are blocked and waited for, so nothing happens between two lines
of it. All is imported before the first fork, so a successor serves well under a second after a death. The listening
sockets are held open by whoever forks, so nobody is turned away meanwhile: connections wait in the kernel's queue.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from adproxy.board import Board, RestartReason
from adproxy.logs import speak_as
from adproxy.quarantine import EXPIRY_SECONDS, Quarantine
from adproxy.switch import Switch

log = logging.getLogger(__name__)

OFF, ON = signal.SIGUSR1, signal.SIGUSR2
"""Throw the kill switch."""
SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, OFF, ON})
"""Blocked here, and in the children until they can deal with them."""
TICK_SECONDS = 0.5
STEADY_SECONDS = 10.0
"""Who lived so long is replaced at once; who dies sooner, again and again, waits longer each time."""
FIRST_DELAY_SECONDS = 0.25
MAX_DELAY_SECONDS = 5.0
GIVE_UP = 3
"""Deaths after which a start has failed, if no page worker ever served."""
PAUSE_SECONDS = 5.0
"""A supervisor that was not scheduled for so long (a suspended machine, a stopped job) blames nobody for silence."""
LAST_SECONDS = 5.0
"""What processes get beyond the time to drain before they are killed."""


@dataclass(slots=True)
class _Place:
    """One process that there is to be."""

    slot: int
    name: str
    pid: int = 0
    started: float = 0.0
    """By the monotonic clock, as all times here."""
    due: float = 0.0
    """When it is to be started, while there is none."""
    delay: float = 0.0
    hung: bool = False


class Supervisor:
    """`work` is what the process of a slot does; `drain_seconds` and `hang_seconds` as in the settings; `let_go` is
    called once when the end begins, to close what only the children may hold from then on; `switch` is what SIGUSR1
    turns off and SIGUSR2 on; `quarantine` is told of each page worker's death."""

    def __init__(
        self,
        board: Board,
        work: Callable[[int], None],
        *,
        drain_seconds: float,
        hang_seconds: float,
        let_go: Callable[[], None] = lambda: None,
        switch: Switch | None = None,
        quarantine: Quarantine | None = None,
    ) -> None:
        self._board = board
        self._work = work
        self._drain_seconds = drain_seconds
        self._hang_seconds = hang_seconds
        self._let_go = let_go
        self._switch = switch
        self._quarantine = quarantine
        self._pages = [_Place(slot, f"worker {slot}") for slot in range(board.workers)]
        self._office = _Place(board.office, "office")
        self._places = [*self._pages, self._office]
        self._ticked = self._awake_since = time.monotonic()
        self._served = False
        self._failures = 0

    def run(self) -> int:
        """Until SIGTERM or SIGINT, then the exit code: 0, or 1 where no page worker ever served."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the statuses with it
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        while True:
            for place in self._places:
                if not place.pid and time.monotonic() >= place.due:
                    self._start(place)
            told = signal.sigtimedwait(SIGNALS, TICK_SECONDS)
            self._reap(replace=True)
            if told is not None and told.si_signo in (signal.SIGTERM, signal.SIGINT):
                log.info("stopping; requests under way get %g s", self._drain_seconds)
                self._stop()
                return 0
            if told is not None and told.si_signo == signal.SIGHUP:
                log.info("told to look at the rules again")
                self._tell(self._places, signal.SIGHUP)
            if told is not None and told.si_signo in (OFF, ON):
                self._throw(told.si_signo == OFF)
            if self._failures >= GIVE_UP and not self._served:
                log.error("no worker could begin to serve; what ended them stands above")
                self._stop()
                return 1
            self._kill_the_hung()

    def _throw(self, off: bool) -> None:
        if self._switch is None:
            return
        if off:
            self._switch.turn_off()
            log.warning("switched off: every page passes as it came, until SIGUSR2")
            return
        self._switch.turn_on()
        if self._switch.is_off:
            log.warning("still switched off, because ADPROXY_OFF says so")
        else:
            log.warning("switched on")

    # --- starting -------------------------------------------------------------------------

    def _start(self, place: _Place) -> None:
        place.hung = False
        place.started = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            pid = os.fork()
        except OSError as error:
            log.error("%s can't be started: %s", place.name, error.strerror)
            self._wait_longer(place)
            return
        if pid == 0:
            self._be(place)
        place.pid = pid
        self._board.started(place.slot, pid)

    def _be(self, place: _Place) -> None:
        """In the child: work, and never come back."""
        code = 1
        try:
            speak_as(place.name)
            self._work(place.slot)
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        except BaseException:
            log.exception("failed")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    # --- ending ---------------------------------------------------------------------------

    def _reap(self, *, replace: bool) -> None:
        """Take note of all that have ended; as process 1 of a container that includes other people's children."""
        for pid, status in _ended():
            place = next((place for place in self._places if place.pid == pid), None)
            if place is None:
                continue
            if place is not self._office:
                self._hold_what_killed(place, status)
            place.pid = 0
            served = self._board.heartbeat(place.slot) > 0
            self._board.ended(place.slot)
            if not replace:
                continue
            reason, how = _cause(status, place.hung)
            self._board.replaced(place.slot, reason)
            if place is not self._office:
                self._served = self._served or served
                self._failures += 1
            lived = time.monotonic() - place.started
            if lived >= STEADY_SECONDS:
                place.delay = 0.0
                place.due = 0.0
                log.error("%s (process %d) %s after %.0f s; it is replaced", place.name, pid, how, lived)
            else:
                waits = place.delay
                self._wait_longer(place)
                log.error("%s (process %d) %s after %.1f s; it is replaced in %g s", place.name, pid, how, lived, waits)

    def _hold_what_killed(self, place: _Place, status: int) -> None:
        if self._quarantine is None:
            return
        code = os.waitstatus_to_exitcode(status)
        held = self._quarantine.died(place.slot, -code if code < 0 else None, hung=place.hung)
        for path in held:
            log.error(
                "%s (process %d) died on the page %r; it passes without slots for %g h, or until adproxy is restarted",
                place.name,
                place.pid,
                path,
                EXPIRY_SECONDS / 3600,
            )

    def _wait_longer(self, place: _Place) -> None:
        """The first successor comes at once, each further one after a longer wait."""
        place.due = time.monotonic() + place.delay
        place.delay = min(max(FIRST_DELAY_SECONDS, place.delay * 2), MAX_DELAY_SECONDS)

    def _kill_the_hung(self) -> None:
        now = time.monotonic()
        if now - self._ticked > PAUSE_SECONDS:
            self._awake_since = now
        self._ticked = now
        for place in self._places:
            seen = max(self._board.heartbeat(place.slot), place.started, self._awake_since)
            if place.pid and not place.hung and now - seen > self._hang_seconds:
                log.error("%s (process %d) showed no sign of life for %g s", place.name, place.pid, self._hang_seconds)
                place.hung = True
                self._tell([place], signal.SIGKILL)

    def _tell(self, places: list[_Place], number: signal.Signals) -> None:
        for place in places:
            if place.pid:  # not reaped, so the number is nobody else's yet
                os.kill(place.pid, number)

    def _stop(self) -> None:
        """Pages first, so that the office can be asked to the end."""
        self._let_go()
        patient = self._end(self._pages, self._drain_seconds + LAST_SECONDS, patient=True)
        self._end([self._office], LAST_SECONDS, patient=patient)

    def _end(self, places: list[_Place], seconds: float, *, patient: bool) -> bool:
        """Tell processes to end and wait; kill those that don't. Whoever asks a second time is not willing to wait:
        False then."""
        self._tell(places, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while any(place.pid for place in places):
            left = deadline - time.monotonic()
            if left <= 0 or not patient:
                for place in places:
                    if place.pid:
                        log.warning("%s (process %d) did not end in time and is killed", place.name, place.pid)
                self._tell(places, signal.SIGKILL)
                left = TICK_SECONDS
            told = signal.sigtimedwait(SIGNALS, min(left, TICK_SECONDS))
            if told is not None and told.si_signo in (signal.SIGTERM, signal.SIGINT):
                patient = False
            self._reap(replace=False)
        return patient


def _ended() -> Iterator[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def _cause(status: int, hung: bool) -> tuple[RestartReason, str]:
    code = os.waitstatus_to_exitcode(status)
    if hung:
        return RestartReason.HANG, "was killed because it hung"
    if code < 0:
        return RestartReason.SIGNAL, f"was killed by {signal.Signals(-code).name}"
    return RestartReason.EXIT, f"ended with exit code {code}"
