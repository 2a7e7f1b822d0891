"""Group commits: one thread that counts all reports that wait, in one transaction, and then says so to each.

A commit costs the same for one report as for hundreds, so under load reports share it; when there is no load none of
them waits for company. What waits is bounded, and so is how long.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from adproxy.event_store import Outcome, Report, StoreProblem, StoreUnavailable
from adproxy.sqlite_events import SqliteEvents

log = logging.getLogger(__name__)

MAX_BATCH = 256
"""Reports in one transaction: others wait for it meanwhile."""
MAX_WAITING = 4_096
"""Reports; about 4 KB each. Beyond them the browser is told to come again."""
COUNT_SECONDS = 5.0
"""How long a browser waits for its report to be counted."""
IDLE_SECONDS = 60.0
"""Without a report, so often is looked whether there is something to clean up."""
CLOSE_SECONDS = 5.0
"""How long `close` waits for what is under way."""

_Waiting = tuple[Report, "Future[Outcome]"]


class EventWriter:
    """An `EventStore` over one `SqliteEvents`, which nobody else may write to. Its thread begins with the first report,
    so it may be made before a fork.

    `token_days`, `event_days`: how long things are kept; `named`: slots by site that the loaded rules name.
    """

    def __init__(
        self,
        events: SqliteEvents,
        *,
        token_days: int,
        event_days: int,
        named: Callable[[], Mapping[str, frozenset[str]]],
    ) -> None:
        self._events = events
        self._token_days = token_days
        self._event_days = event_days
        self._named = named
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(MAX_WAITING)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    async def count(self, report: Report) -> Outcome:
        """Count a report; returns when that is kept. Raises `StoreUnavailable`."""
        self._start()
        future: Future[Outcome] = Future()
        try:
            self._queue.put_nowait((report, future))
        except queue.Full:
            raise StoreUnavailable(StoreProblem.QUEUE, f"{MAX_WAITING} reports wait") from None
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), COUNT_SECONDS)
        except TimeoutError:
            raise StoreUnavailable(StoreProblem.TIMEOUT, f"not counted within {COUNT_SECONDS:g} s") from None

    def close(self) -> None:
        """Count what waits, and end the thread; `CLOSE_SECONDS` at most. A report that comes later begins again."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            try:
                self._queue.put(None, timeout=CLOSE_SECONDS)
            except queue.Full:
                log.warning("the event store is busy; its thread ends with the process")
                return
            thread.join(CLOSE_SECONDS)

    def _start(self) -> None:
        thread = self._thread
        if thread is None or not thread.is_alive():
            with self._starting:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="adproxy-events", daemon=True)
                    self._thread.start()

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while True:
                batch, more = self._next()
                if batch:
                    self._commit(batch)
                if not more:
                    return
                if self._queue.empty():
                    self._clean()
        finally:
            self._events.close()

    def _next(self) -> tuple[list[_Waiting], bool]:
        """What waits, once something does, and whether there will be more."""
        try:
            item = self._queue.get(timeout=IDLE_SECONDS)
        except queue.Empty:
            return [], True
        batch: list[_Waiting] = []
        while item is not None:
            if not item[1].cancelled():  # whoever gave up was not told that it was counted
                batch.append(item)
            if len(batch) >= MAX_BATCH:
                break
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
        return batch, item is not None

    def _commit(self, batch: list[_Waiting]) -> None:
        try:
            outcomes = self._events.count([report for report, _ in batch])
        except Exception as problem:
            if not isinstance(problem, StoreUnavailable):
                log.exception("counting failed")
                problem = StoreUnavailable(StoreProblem.OTHER, type(problem).__name__)
            for _, future in batch:
                _tell(future, problem)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            _tell(future, outcome)

    def _clean(self) -> None:
        try:
            self._events.clean(
                time.time(), token_days=self._token_days, event_days=self._event_days, named=self._named()
            )
        except StoreUnavailable as problem:
            log.debug("cleaning the event store up has to wait: %s", problem)
        except Exception:
            log.exception("cleaning the event store up failed")


def _tell(future: Future[Outcome], result: Outcome | StoreUnavailable) -> None:
    """Nobody listens any more where the browser left meanwhile."""
    if not future.set_running_or_notify_cancel():
        return
    if isinstance(result, StoreUnavailable):
        future.set_exception(result)
    else:
        future.set_result(result)
