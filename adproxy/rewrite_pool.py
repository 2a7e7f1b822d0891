"""Threads for large pages: a fixed number, a bounded queue, and stacks of a known size.

The parser lets go of the interpreter's lock while it works, so a large page in a thread leaves the event loop free. Its
recursion needs stack; what a thread gets by default differs between systems (128 KiB with musl), so these say it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

STACK_BYTES = 8 << 20
START_SECONDS = 5.0
"""How long threads may take to start."""

_Result = TypeVar("_Result")
_stack_size = threading.Lock()
"""The size of stacks to come is one value for the whole process."""


class RewritePool:
    """Runs jobs in `threads` threads, at most `max_pending` of them accepted and not yet done."""

    def __init__(self, threads: int, max_pending: int) -> None:
        self._threads = threads
        self._room = threading.BoundedSemaphore(max_pending)
        self._starting = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def submit(self, job: Callable[[], _Result]) -> Future[_Result] | None:
        """Start a job, or answer None where there is no room. A job given up on keeps its room until it is done."""
        if not self._room.acquire(blocking=False):
            return None
        try:
            with self._starting:
                if self._executor is None:
                    self._executor = _start(self._threads)
                future = self._executor.submit(job)
        except BaseException:
            self._room.release()
            raise
        future.add_done_callback(lambda _: self._room.release())
        return future

    def close(self) -> None:
        """Forget jobs that did not begin, and let the threads end. A later `submit` starts new ones."""
        with self._starting:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)


def _start(threads: int) -> ThreadPoolExecutor:
    executor = ThreadPoolExecutor(threads, thread_name_prefix="adproxy-rewrite")
    # an executor makes a thread when a job finds none idle; jobs that wait for each other make all of them now
    together = threading.Barrier(threads + 1)
    with _stack_size:
        before = threading.stack_size(STACK_BYTES)
        try:
            for _ in range(threads):
                executor.submit(together.wait, START_SECONDS)
            together.wait(START_SECONDS)
        finally:
            threading.stack_size(before)
    return executor
