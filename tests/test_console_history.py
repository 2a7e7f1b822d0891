"""The last hour of a few sums, and what follows from them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable

import pytest
from counted import Counted
from prometheus_client.core import Metric

from adproxy.console.history import HOUR, SAMPLE_SECONDS, History, Sample, Window, sample_of
from adproxy.console.readings import NOTHING_SPREAD, Readings
from adproxy.metrics import Exposition

NOW = 1_700_000_000.0


def sample(at: float, **sums: float) -> Sample:
    return Sample(at, sums, NOTHING_SPREAD)


def window(**sums: float) -> Window:
    """In which the sums grew by so much from zero."""
    return Window(sample(NOW - 60, **dict.fromkeys(sums, 0.0)), sample(NOW, **sums))


def test_no_more_than_an_hour_is_kept() -> None:
    history = History()
    for n in range(2000):
        history.add(sample(NOW + n * SAMPLE_SECONDS, planned=n))
    oldest = history.since()
    assert oldest is not None
    assert oldest.at == NOW + 1999 * SAMPLE_SECONDS - HOUR


def test_the_hour_is_cut_into_minutes_with_gaps_where_nothing_was_kept() -> None:
    history = History()
    for age in (600, 590, 540, 530, 60, 5):
        history.add(sample(NOW - age, planned=1000 - age))
    grown = [None if each is None else each.change("planned") for each in history.windows(NOW)]
    assert len(grown) == 60
    assert [(n, change) for n, change in enumerate(grown) if change is not None] == [(50, 60), (51, 10), (59, 55)]


def test_a_counter_that_began_anew_grew_from_zero() -> None:
    assert Window(sample(0, errors=9), sample(1, errors=4)).change("errors") == 4
    assert Window(sample(0), sample(1, errors=4)).change("errors") == 4
    assert Window(sample(0, errors=4), sample(1)).change("errors") is None


def test_rates_follow_from_the_sums() -> None:
    it = window(
        planned=90, failed_open=10, with_slots=80, views=200, requests=400, unfilled=100, impressions=240, viewable=60
    )
    assert it.eligible == 100
    assert it.with_slots == 0.8
    assert it.failed_open == 0.1
    assert it.filled == 300
    assert it.fill == 0.75
    assert it.rendered == 0.8
    assert it.viewability == 0.25
    assert it.viewable_per_thousand == 300


def test_without_events_and_without_counters_nothing_is_claimed() -> None:
    nothing = window(planned=0, failed_open=0, with_slots=0)
    assert nothing.eligible == 0
    for rate in ("with_slots", "failed_open", "slow", "fill", "rendered", "viewability", "viewable_per_thousand"):
        assert getattr(nothing, rate) is None
    assert window(planned=4).eligible is None


def test_only_valid_traffic_is_in_the_sums() -> None:
    counted = Counted()
    for traffic in ("valid", "valid", "invalid"):
        counted.view(traffic)
    kept = sample_of(Readings(counted.metrics.families()), NOW)
    assert (kept.sums["planned"], kept.sums["with_slots"]) == (3, 3)
    assert (kept.sums["views"], kept.sums["requests"], kept.sums["unfilled"]) == (2, 6, 2)
    assert (kept.sums["impressions"], kept.sums["viewable"]) == (4, 2)
    assert kept.first_byte.total == 3


class Failing(Exposition):
    """Can't be read the first two times."""

    def __init__(self, whole: Exposition) -> None:
        self._whole = whole
        self._asked = 0

    def _collect(self) -> Iterable[Metric]:
        self._asked += 1
        if self._asked <= 2:
            raise OSError("no")
        return self._whole.families()


class Awaited(History):
    """Tells when it has a sample."""

    def __init__(self) -> None:
        super().__init__()
        self.has_one = asyncio.Event()

    def add(self, sample: Sample) -> None:
        super().add(sample)
        self.has_one.set()


class Costly(Exposition):
    """Takes some processor time to be read; says when it is."""

    def __init__(self, metrics: Exposition, seconds: float) -> None:
        self._metrics, self._seconds = metrics, seconds
        self.read: list[float] = []
        self.twice = threading.Event()

    def _collect(self) -> Iterable[Metric]:
        self.read.append(time.monotonic())
        if len(self.read) == 2:
            self.twice.set()
        end = time.thread_time() + self._seconds
        while time.thread_time() < end:
            pass
        return self._metrics.families()


def test_after_a_sample_that_took_long_none_is_taken_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adproxy.console.history.SAMPLE_SECONDS", 0.001)
    costly = Costly(Counted().metrics, 0.01)

    async def samples() -> None:
        keeping = asyncio.create_task(History().keep(costly))
        assert await asyncio.to_thread(costly.twice.wait, 20)
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping

    asyncio.run(samples())
    assert costly.read[1] - costly.read[0] >= 0.01 * 100


def test_metrics_that_cannot_be_read_are_said_once_and_read_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("adproxy.console.history.SAMPLE_SECONDS", 0.01)

    async def first_sample() -> Sample | None:
        history = Awaited()
        keeping = asyncio.create_task(history.keep(Failing(Counted().metrics)))
        await history.has_one.wait()
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        return history.since()

    kept = asyncio.run(asyncio.wait_for(first_sample(), 20))
    assert kept is not None
    assert kept.sums["planned"] == 0
    (said,) = [record.message for record in caplog.records]
    assert said == "the metrics could not be read; the console lacks what happens until they can"
