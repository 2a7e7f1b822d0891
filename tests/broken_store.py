"""`adproxy` with an event store that is broken on purpose, to see that the reconciliation notices.

    python tests/broken_store.py ack-early|memory serve ...

`ack-early`: a report is acknowledged before it is committed. `memory`: which events of a view were counted is known to
the process alone that counted them.
"""

from __future__ import annotations

import sqlite3
import sys
import time

from adproxy import cli, event_writer, sqlite_events
from adproxy.event_store import Outcome, Report
from adproxy.event_writer import EventWriter
from adproxy.sqlite_events import SqliteEvents

LATE = 0.2
"""Seconds by which a commit follows its acknowledgement."""


def ack_early() -> None:
    async def count(self: EventWriter, report: Report) -> Outcome:
        self._start()
        self._queue.put_nowait((report, event_writer.Future()))
        return Outcome(len(report.events), 0, 0)

    commit = SqliteEvents.count

    def later(self: SqliteEvents, reports: list[Report]) -> list[Outcome]:
        time.sleep(LATE)
        return commit(self, reports)

    EventWriter.count = count  # type: ignore[method-assign]
    SqliteEvents.count = later  # type: ignore[method-assign,assignment]


def memory() -> None:
    known: dict[bytes, sqlite_events._View] = {}

    def view(
        self: SqliteEvents, connection: sqlite3.Connection, report: Report, changes: sqlite_events._Changes
    ) -> sqlite_events._View:
        assert report.nonce is not None
        fresh = sqlite_events._View(sqlite_events._page_of(report.facts), report.facts.day, 0)
        return changes.views.setdefault(report.nonce, known.setdefault(report.nonce, fresh))

    SqliteEvents._view = view  # type: ignore[method-assign]


if __name__ == "__main__":
    {"ack-early": ack_early, "memory": memory}[sys.argv[1]]()
    cli.main(sys.argv[2:])
