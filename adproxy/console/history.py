"""The last hour of a few sums, kept in memory by the process that draws the console, so that rates can be shown.

A sample each ten seconds, an hour of them: some 360 rows of a dozen numbers, whatever the site does. A restart begins a
new hour; what must last longer is Prometheus's to keep.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from starlette.concurrency import run_in_threadpool

from adproxy.console.readings import Readings, Spread, share
from adproxy.metrics import Exposition

log = logging.getLogger(__name__)

SAMPLE_SECONDS = 10.0
_REST = 100
"""So many times as long as a sample took, none is taken: very many series must not take more than 1 % of a core."""
HOUR = 3600.0
POINT_SECONDS = 60.0
"""What one point of a line stands for."""

TRACKED: Mapping[str, Callable[[Readings], float | None]] = {
    "planned": lambda now: now.sum("adproxy_pages_total", outcome="rewritten"),
    "failed_open": lambda now: now.sum("adproxy_pages_total", outcome="failed_open"),
    "with_slots": lambda now: now.sum("adproxy_pages_with_slots_total"),
    "errors": lambda now: now.sum("adproxy_errors_total"),
    "views": lambda now: now.sum("adproxy_page_views_total", valid=True),
    "requests": lambda now: now.sum("adproxy_slot_requests_total", valid=True),
    "unfilled": lambda now: now.sum("adproxy_slot_unfilled_total", valid=True),
    "impressions": lambda now: now.sum("adproxy_slot_impressions_total", valid=True),
    "viewable": lambda now: now.sum("adproxy_slot_viewable_impressions_total", valid=True),
}
"""The sums that are kept, by the name that `Window.change` takes; what browsers report is that of valid traffic."""


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    """Unix seconds."""
    sums: Mapping[str, float]
    """By the names of `TRACKED`; metrics that are not there are missing."""
    first_byte: Spread
    """Seconds that readers waited for adproxy."""


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two samples."""

    earlier: Sample
    later: Sample

    def change(self, name: str) -> float | None:
        """By how much a sum grew; None where the metric is not there. A counter that began anew grew from zero."""
        if name not in self.later.sums:
            return None
        now, then = self.later.sums[name], self.earlier.sums.get(name, 0.0)
        return now - then if now >= then else now

    @property
    def first_byte(self) -> Spread:
        return self.later.first_byte.since(self.earlier.first_byte)

    # --- what follows from them; None where it is not counted, or there is nothing to divide by ---

    @property
    def eligible(self) -> float | None:
        """Pages that were to have slots."""
        return _plus(self.change("planned"), self.change("failed_open"))

    @property
    def with_slots(self) -> float | None:
        """The share of eligible pages that got a slot."""
        return share(self.change("with_slots"), self.eligible)

    @property
    def failed_open(self) -> float | None:
        """The share of eligible pages that passed without slots because something went wrong."""
        return share(self.change("failed_open"), self.eligible)

    @property
    def slow(self) -> float | None:
        """Seconds that 95 of 100 pages waited no longer than."""
        return self.first_byte.quantile(0.95)

    @property
    def filled(self) -> float | None:
        """Requests that an ad came of."""
        return _less(self.change("requests"), self.change("unfilled"))

    @property
    def fill(self) -> float | None:
        return share(self.filled, self.change("requests"))

    @property
    def rendered(self) -> float | None:
        """Impressions for each ad that came."""
        return share(self.change("impressions"), self.filled)

    @property
    def viewability(self) -> float | None:
        return share(self.change("viewable"), self.change("impressions"))

    @property
    def viewable_per_thousand(self) -> float | None:
        """Viewable impressions for each thousand page views."""
        each = share(self.change("viewable"), self.change("views"))
        return None if each is None else 1000 * each


def _plus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _less(whole: float | None, part: float | None) -> float | None:
    return None if whole is None or part is None else max(0.0, whole - part)


def sample_of(now: Readings, at: float) -> Sample:
    sums = {name: value for name, read in TRACKED.items() if (value := read(now)) is not None}
    return Sample(at, sums, now.spread("adproxy_added_first_byte_seconds"))


class History:
    """Samples of the last hour, oldest first."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=int(HOUR / SAMPLE_SECONDS) + 1)

    def add(self, sample: Sample) -> None:
        self._samples.append(sample)

    def since(self) -> Sample | None:
        """The oldest sample; None before the first."""
        return self._samples[0] if self._samples else None

    def windows(self, now: float, length: float = POINT_SECONDS) -> list[Window | None]:
        """The hour before `now` (Unix seconds), cut into windows of `length` seconds, oldest first; None where nothing
        was kept."""
        last_of: dict[int, Sample] = {}
        for sample in tuple(self._samples):
            last_of[int((now - sample.at) // length)] = sample
        ages = range(int(HOUR / length), -1, -1)
        samples = [last_of.get(age) for age in ages]
        return [Window(a, b) if a is not None and b is not None else None for a, b in pairwise(samples)]

    async def keep(self, metrics: Exposition) -> None:
        """Take samples until cancelled."""
        said, took = False, 0.0

        def read() -> Readings:
            nonlocal took
            began = time.thread_time()
            found = Readings(metrics.families())
            took = time.thread_time() - began
            return found

        while True:
            try:
                now = await run_in_threadpool(read)
                self.add(sample_of(now, time.time()))
                said = False
            except Exception:  # a figure less is no reason to stop: the next may be had again
                if not said:
                    log.exception("the metrics could not be read; the console lacks what happens until they can")
                said = True
            await asyncio.sleep(max(SAMPLE_SECONDS, took * _REST))
