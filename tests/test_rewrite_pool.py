"""Threads for large pages."""

import threading

import pytest

from adproxy.rewrite_pool import STACK_BYTES, RewritePool

DEADLINE = 10.0


def stack_size() -> int:
    """The size of stacks to come; asking the library for it resets it."""
    size = threading.stack_size()
    threading.stack_size(size)
    return size


def test_jobs_run_in_threads_of_the_pool_and_no_other_threads_change() -> None:
    pool = RewritePool(threads=2, max_pending=4)
    before = stack_size()
    try:
        job = pool.submit(lambda: threading.current_thread().name)
        assert job is not None
        assert job.result(DEADLINE).startswith("adproxy-rewrite")
        assert stack_size() == before
    finally:
        pool.close()


def test_f25_the_threads_have_a_stack_of_the_known_size(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    start = threading.Thread.start

    def seeing(thread: threading.Thread) -> None:
        if thread.name.startswith("adproxy-rewrite"):
            seen.append(stack_size())
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", seeing)
    pool = RewritePool(threads=2, max_pending=4)
    try:
        pool.submit(int)
    finally:
        pool.close()
    assert seen == [STACK_BYTES, STACK_BYTES]


def test_what_goes_beyond_the_bound_is_refused_until_a_job_is_done() -> None:
    pool = RewritePool(threads=1, max_pending=2)
    end = threading.Event()
    try:
        jobs = [pool.submit(lambda: end.wait(DEADLINE)) for _ in range(3)]
        assert [job is None for job in jobs] == [False, False, True]
        end.set()
        for job in jobs[:2]:
            assert job is not None
            job.result(DEADLINE)
        later = pool.submit(int)
        assert later is not None
        assert later.result(DEADLINE) == 0
    finally:
        end.set()
        pool.close()


def test_a_job_given_up_on_before_it_began_gives_its_room_back() -> None:
    pool = RewritePool(threads=1, max_pending=2)
    end = threading.Event()
    try:
        pool.submit(lambda: end.wait(DEADLINE))
        for _ in range(5):
            waiting = pool.submit(int)
            assert waiting is not None
            assert waiting.cancel()
    finally:
        end.set()
        pool.close()


def test_a_pool_that_was_closed_begins_again() -> None:
    pool = RewritePool(threads=1, max_pending=1)
    for _ in range(3):
        job = pool.submit(int)
        assert job is not None
        job.result(DEADLINE)
        pool.close()
    assert [
        thread for thread in threading.enumerate() if thread.name.startswith("adproxy-rewrite") and _lives(thread)
    ] == []


def _lives(thread: threading.Thread) -> bool:
    thread.join(DEADLINE)
    return thread.is_alive()
