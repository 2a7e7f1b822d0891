"""Group commits: acknowledged means kept, and what waits is bounded."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reports import FACTS, RENDERED, VIEW
from reports import report as old_report

from adproxy import event_writer
from adproxy.beacon import Event
from adproxy.event_store import Outcome, Report, StoreProblem, StoreUnavailable
from adproxy.event_writer import EventWriter
from adproxy.sqlite_events import SqliteEvents
from adproxy.tokens import day_of

TODAY = replace(FACTS, day=day_of(time.time()))


def report(number: int, *events: Event) -> Report:
    """Of a page that was made today."""
    return old_report(number, *events, facts=TODAY)


class Watched(SqliteEvents):
    """Notes how many reports each transaction had; each waits until it is let go."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.batches: list[int] = []
        self.go = threading.Event()
        self.go.set()

    def count(self, reports: Sequence[Report]) -> list[Outcome]:
        self.batches.append(len(reports))
        assert self.go.wait(20)
        return super().count(reports)


@contextmanager
def writing(directory: Path) -> Iterator[tuple[EventWriter, Watched]]:
    events = Watched(directory)
    writer = EventWriter(events, token_days=7, event_days=35, named=dict)
    try:
        yield writer, events
    finally:
        events.go.set()
        writer.close()


def kept(events: SqliteEvents) -> int:
    with sqlite3.connect(events.path) as connection:
        (count,) = connection.execute("SELECT count(*) FROM views").fetchone()
    connection.close()
    return int(count)


async def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


def test_what_was_acknowledged_is_kept(tmp_path: Path) -> None:
    async def work() -> None:
        for number in range(20):
            assert await writer.count(report(number, VIEW)) == Outcome(1, 0, 0)
            assert kept(events) == number + 1

    with writing(tmp_path) as (writer, events):
        run(work())


def test_nothing_is_acknowledged_before_it_is_kept(tmp_path: Path) -> None:
    async def work() -> None:
        events.go.clear()
        counting = asyncio.create_task(writer.count(report(1, VIEW)))
        await until(lambda: bool(events.batches))
        await asyncio.sleep(0.1)
        assert not counting.done()
        events.go.set()
        assert await counting == Outcome(1, 0, 0)

    with writing(tmp_path) as (writer, events):
        run(work())


def test_reports_that_wait_share_a_transaction(tmp_path: Path) -> None:
    async def work() -> None:
        events.go.clear()
        counting = [asyncio.create_task(writer.count(report(number % 90, VIEW, RENDERED))) for number in range(100)]
        await until(lambda: bool(events.batches))
        events.go.set()
        outcomes = await asyncio.gather(*counting)
        assert sum(outcome.counted for outcome in outcomes) == 180
        assert sum(outcome.duplicate for outcome in outcomes) == 20

    with writing(tmp_path) as (writer, events):
        run(work())
        assert sum(events.batches) == 100
        assert len(events.batches) <= 3
        assert kept(events) == 90


def test_more_than_may_wait_are_turned_away_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_writer, "MAX_WAITING", 5)

    async def work() -> None:
        events.go.clear()
        counting = [asyncio.create_task(writer.count(report(0, VIEW)))]
        await until(lambda: bool(events.batches))
        counting += [asyncio.create_task(writer.count(report(number, VIEW))) for number in range(1, 10)]
        await asyncio.sleep(0.1)
        turned_away = [one for one in counting if one.done()]
        assert len(turned_away) == 4
        for one in turned_away:
            with pytest.raises(StoreUnavailable) as problem:
                one.result()
            assert problem.value.problem is StoreProblem.QUEUE
        events.go.set()
        assert [await one for one in counting if one not in turned_away] == [Outcome(1, 0, 0)] * 6

    with writing(tmp_path) as (writer, events):
        run(work())
        assert kept(events) == 6


def test_nobody_waits_for_ever_and_what_was_given_up_is_not_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_writer, "COUNT_SECONDS", 0.1)

    async def work() -> None:
        events.go.clear()
        first = asyncio.create_task(writer.count(report(0, VIEW)))
        await until(lambda: bool(events.batches))
        with pytest.raises(StoreUnavailable) as problem:
            await writer.count(report(1, VIEW))
        assert problem.value.problem is StoreProblem.TIMEOUT
        with pytest.raises(StoreUnavailable):
            await first
        events.go.set()
        monkeypatch.setattr(event_writer, "COUNT_SECONDS", 20)
        # the first may be kept although its browser was told to come again; coming again it counts once
        assert await writer.count(report(0, VIEW)) in (Outcome(0, 1, 0), Outcome(1, 0, 0))

    with writing(tmp_path) as (writer, events):
        run(work())
        assert kept(events) == 1


def test_a_store_that_fails_says_so_to_each_and_goes_on(tmp_path: Path) -> None:
    async def work() -> None:
        for _ in range(2):
            answers = await asyncio.gather(
                *(writer.count(report(number, VIEW)) for number in range(5)), return_exceptions=True
            )
            assert [isinstance(answer, StoreUnavailable) for answer in answers] == [True] * 5
        (tmp_path / "later").mkdir()
        assert await writer.count(report(1, VIEW)) == Outcome(1, 0, 0)

    with writing(tmp_path / "later") as (writer, _):
        run(work())


def test_the_end_counts_what_waits_and_a_report_after_it_begins_again(tmp_path: Path) -> None:
    async def work() -> None:
        counting = [asyncio.create_task(writer.count(report(number, VIEW))) for number in range(50)]
        await asyncio.sleep(0)
        await asyncio.to_thread(writer.close)
        assert await asyncio.gather(*counting) == [Outcome(1, 0, 0)] * 50
        assert not [thread for thread in threading.enumerate() if thread.name == "adproxy-events"]
        assert await writer.count(report(50, VIEW)) == Outcome(1, 0, 0)

    with writing(tmp_path) as (writer, events):
        run(work())
        assert kept(events) == 51


def test_what_is_too_old_goes_while_reports_come(tmp_path: Path) -> None:
    async def work() -> None:
        await writer.count(old_report(1, VIEW))
        await writer.count(report(2, VIEW))
        await until(lambda: kept(events) == 1)

    with writing(tmp_path) as (writer, events):
        run(work())
