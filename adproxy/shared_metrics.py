"""The metrics of several processes as one: each worker counts in files of its own, the office adds them up.

A worker's files belong to its slot, not to its process: the next process in the slot counts on where the last one
ended, so counters never go backwards while the state directory lives, and there are two files a slot, whatever happens.
Files of slots that a later, smaller number of workers leaves empty are counted still.

Their size is bounded by the number of series: a process makes at most `MAX_SERIES`, and fewer where its files hold many
already (`MAX_ENTRIES`). What no rules name any more is dropped when adproxy starts, before anybody counts, once there
is much of it (`tidy`): a series that vanishes is an event that Prometheus knows, one that shrinks is not.

The format of the files is prometheus_client's. Each is checked as a whole before the library reads it, because the
library trusts what it finds. A damaged file costs its own counts and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import values
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from adproxy.board import Board
from adproxy.cells import adder, watch
from adproxy.metrics import MAX_SERIES, OTHER, Exposition, Metrics, RulesListener, RulesState, cache_bytes
from adproxy.rules.ruleset import RuleBook

log = logging.getLogger(__name__)

KINDS = ("counter", "histogram")
"""Of metric: one file each."""
FILE_BYTES = 4 * 1024 * 1024
"""What each file gets on the disk before it is used: room for `MAX_SERIES` series of about 300 bytes. A write to where
the disk has no room would kill the worker, and there is no better time to find out than before."""
MAX_ENTRIES = 4 * MAX_SERIES
"""In one file; a process that finds nearly as many makes no new series of its own."""
TIDY_ENTRIES = 2 * MAX_SERIES
"""Beyond so many in one file, what no rules name any more is dropped when adproxy starts."""
SET_ASIDE = ".corrupt"
"""Ends the name of a damaged file; the next one of the same slot takes its place."""


class Damaged(Exception):
    """A file is not what the client library writes."""


# --- files ----------------------------------------------------------------------------------


def _files(directory: Path) -> list[Path]:
    return sorted(file for kind in KINDS for file in directory.glob(f"{kind}_*.db"))


def entries(file: Path) -> list[tuple[str, float]]:
    """The keys of a file, in JSON, with their values. Raises `Damaged`, or `OSError` where it can't be read."""
    with file.open("rb") as opened:
        data = opened.read(8)
        if not data:
            return []  # made a moment ago
        end = int.from_bytes(data[:4], "little")
        data += opened.read(max(0, end - len(data)))
    if end > len(data):
        raise Damaged(f"says that it is {end} bytes long, and is {len(data)}")
    found: list[tuple[str, float]] = []
    at = 8
    while at < end:
        length = int.from_bytes(data[at : at + 4], "little")
        value_at = at + 4 + length + (8 - (length + 4) % 8)
        if value_at + 16 > end:
            raise Damaged(f"an entry at {at} reaches beyond the end at {end}")
        (value,) = struct.unpack_from("=d", data, value_at)
        if not math.isfinite(value) or value < 0:
            raise Damaged(f"found {value} at {value_at}; a counter never is")
        found.append((_checked(data[at + 4 : at + 4 + length], at), value))
        at = value_at + 16
    return found


def _checked(key: bytes, at: int) -> str:
    try:
        text = key.decode()
        metric, name, labels, documentation = json.loads(text)
    except ValueError as error:
        raise Damaged(f"the entry at {at} has no readable name") from error
    if not isinstance(labels, dict) or not all(
        isinstance(part, str) for part in (metric, name, documentation, *labels.values())
    ):
        raise Damaged(f"the entry at {at} has a name of another kind")
    return text


def _set_aside(file: Path, damage: Exception) -> None:
    aside = file.with_name(file.name + SET_ASIDE)
    log.error("the metrics in %s can't be read and start anew; they are kept as %s: %s", file, aside.name, damage)
    file.replace(aside)


# --- before anybody counts --------------------------------------------------------------------


def tidy(directory: Path, book: RuleBook) -> None:
    """Ready the files of former runs: damaged ones are set aside, and where one has grown large, series of sites and
    slots that `book` does not name are dropped from all. Raises `OSError`."""
    contents: dict[Path, list[tuple[str, float]]] = {}
    for file in _files(directory):
        try:
            contents[file] = entries(file)
        except Damaged as damage:
            _set_aside(file, damage)
    if not book.rule_sets or max(map(len, contents.values()), default=0) <= TIDY_ENTRIES:
        return
    named = {OTHER: {OTHER}, **{site: {OTHER, *slots} for site, slots in book.slots.items()}}
    dropped = 0
    for file, found in contents.items():
        kept = [(key, value) for key, value in found if _is_named(json.loads(key)[2], named)]
        dropped += len(found) - len(kept)
        fresh = file.with_name(file.name + ".new")
        fresh.unlink(missing_ok=True)
        store = MmapedDict(str(fresh))  # type: ignore[no-untyped-call]
        for key, value in kept:
            store.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
        store.close()  # type: ignore[no-untyped-call]
        fresh.replace(file)
    log.info("dropped %d series that the rules don't name any more", dropped)


def _is_named(labels: dict[str, str], named: dict[str, set[str]]) -> bool:
    site, slot = labels.get("site", OTHER), labels.get("slot", OTHER)
    return site in named and slot in named[site]


# --- a worker -------------------------------------------------------------------------------


def worker_metrics(directory: Path, slot: int) -> Metrics:
    """The metrics of the worker in a slot, counted on from where its predecessor ended.

    For a process that serves nothing else: all metrics that the client library makes in it from now on are counted
    there. Where the files can't be had, the worker counts for itself alone, and says so: pages matter more.
    """
    held = 0
    try:
        for kind in KINDS:
            file = directory / f"{kind}_{slot}.db"
            with contextlib.suppress(FileNotFoundError):
                try:
                    held = max(held, len(entries(file)))
                except Damaged as damage:
                    _set_aside(file, damage)
            with file.open("ab") as allocated:
                os.posix_fallocate(allocated.fileno(), 0, max(FILE_BYTES, file.stat().st_size))
    except OSError as error:
        log.error("this worker's metrics are lost: %s can't be written: %s", directory, error.strerror)
        return Metrics()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    values.ValueClass = _cells(slot)
    return Metrics(max_series=MAX_ENTRIES - held)


def _cells(slot: int) -> type[Any]:
    """The library's values in files of a slot, but that counting writes eight bytes into the mapped file and does
    nothing else: a page counts two dozen of them each time that it is sent, and no fork is to be looked for. The mapped
    file alone knows how much it is, and no other process writes there."""
    base: Any = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]

    class Cell(base):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            # one store by the processor: who reads the file meanwhile sees the old value or the new one. Where the file
            # grows it is mapped anew, and the old mapping still shows the same pages.
            self._cells = memoryview(self._file._m).cast("d")
            self._at = self._file._positions[self._key] // 8
            self._add_one = adder([(self._cells, self._at, 1.0)])

        def inc(self, amount: float) -> None:
            add = self._add_one if amount == 1 else adder([(self._cells, self._at, amount)])
            add()

        def get(self) -> float:
            return float(self._cells[self._at])

        @staticmethod
        def together(values: Sequence[tuple[Any, float]]) -> Callable[[], None]:
            return adder([(cell._cells, cell._at, amount) for cell, amount in values])

        @staticmethod
        def watch(bounds: Sequence[float], total: Any, buckets: Sequence[Any]) -> Callable[[float], None]:
            places = [(bucket._cells, bucket._at) for bucket in buckets]
            return watch(bounds, (total._cells, total._at), places)

    return Cell


# --- the office -----------------------------------------------------------------------------


class SharedMetrics(Exposition):
    """What all workers counted, and how they are. `directory`: where their files are; `funnel`: what browsers reported,
    None where that is not counted; `states`: what the processes share besides."""

    def __init__(
        self, directory: Path, board: Board, funnel: RulesListener | None = None, states: Sequence[Collector] = ()
    ) -> None:
        self._directory = directory
        self._board = board
        self._funnel = funnel
        self._states = states
        self._rules = RulesState()

    def rules_loaded(self, book: RuleBook) -> None:
        """The office's own rules are now these; the workers watch the same files."""
        self._rules.rules_loaded(book)
        if self._funnel is not None:
            self._funnel.rules_loaded(book)

    def rules_failed(self) -> None:
        """The last attempt to load the rules failed."""
        self._rules.rules_failed()

    def _collect(self) -> Iterable[Metric]:
        sound = []
        corrupt = sum(1 for _ in self._directory.glob(f"*{SET_ASIDE}"))
        for file in _files(self._directory):
            try:
                if entries(file):  # the library stumbles over a file that was made a moment ago
                    sound.append(str(file))
            except (OSError, Damaged) as damage:
                corrupt += 1
                log.debug("not counted: %s: %s", file, damage)
        yield from MultiProcessCollector.merge(sound)  # type: ignore[no-untyped-call]
        if self._funnel is not None:
            yield from self._funnel.collect()
        yield from self._rules.collect()
        yield from workers_state(self._board, self._rules.revision)
        for state in self._states:
            yield from state.collect()
        yield GaugeMetricFamily(
            "adproxy_metrics_corrupt_files",
            "Files of metrics that are damaged and not counted, those that were set aside included.",
            value=corrupt,
        )


def workers_state(board: Board, revision: str | None) -> Iterator[Metric]:
    """The page workers as metrics; `revision`: of the rules that they should have."""
    states = board.states()
    yield GaugeMetricFamily("adproxy_workers_wanted", "Page workers that there should be.", value=board.workers)
    yield GaugeMetricFamily(
        "adproxy_workers_running",
        "Page workers that are running and have shown a sign of life.",
        value=sum(state.ready for state in states),
    )
    yield GaugeMetricFamily(
        "adproxy_workers_with_current_rules",
        "Page workers with the same rules in force as the office.",
        value=sum(state.ready and state.revision == revision for state in states),
    )
    yield cache_bytes(sum(state.remembered for state in states))
    restarts = CounterMetricFamily(
        "adproxy_worker_restarts_total",
        "Page workers that were replaced, by why the last one ended.",
        labels=["reason"],
    )
    for reason, count in board.restarts():
        restarts.add_metric([reason.value], count)
    yield restarts
