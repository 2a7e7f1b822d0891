"""The event store as one SQLite file that all processes of a machine write to.

Which of a view's events were counted, the counters and the figures change in one transaction, so whoever is killed at
whatever moment leaves all of it or nothing. The file is in WAL mode: readers never wait. A power failure loses nothing
that was said to be kept where `sync` is "full"; with "normal" it may lose the last seconds, and damages nothing.

Who writes holds the lock on a file beside it. SQLite's own lock would do for that, but lets whoever comes next wait
longest, up to seconds when several processes are busy; the kernel's queue is fair, and a holder's end is its release.
A file that turns out to be damaged is set aside under the same lock, and a new one takes its place.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from adproxy.beacon import OF_PAGE, Event
from adproxy.event_store import (
    DENSITY_BUCKETS,
    ROLLED_UP,
    SECONDS_AN_HOUR,
    CounterKey,
    Figures,
    Outcome,
    Report,
    StoreProblem,
    StoreState,
    StoreUnavailable,
)
from adproxy.metrics import OTHER
from adproxy.model import EventKind
from adproxy.tokens import PageFacts, day_of

log = logging.getLogger(__name__)

FILE_NAME = "events.sqlite"
SET_ASIDE = ".corrupt"
"""Ends the names of damaged files, behind the time."""
MAX_SET_ASIDE = 3
"""Damaged files that are kept; the disk is not ours alone."""
BUSY_SECONDS = 2.0
"""How long one waits for those who write without asking for their turn: other programs."""
MAX_COUNTERS = 10_000
"""As many series can be; what is new beyond them is counted as ``_other``."""
MAX_ARTICLES_AN_HOUR = 20_000
"""Pages with figures of their own, for each process and hour; those beyond are counted together."""
MIN_ROOM = 65_536
"""Bytes that have to be left, or the next group of reports may not find room."""
CLEAN_SECONDS = 300.0
"""Between two times that what is too old is dropped."""
CLEAN_ROWS = 5_000
"""Dropped in one transaction, so that nobody waits long."""
_FORM = 1
_TABLES = """
CREATE TABLE views (
    nonce BLOB PRIMARY KEY, page INTEGER NOT NULL, day INTEGER NOT NULL, seen BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX views_by_day ON views (day);
CREATE TABLE counters (
    name TEXT NOT NULL, site TEXT NOT NULL, slot TEXT NOT NULL, traffic TEXT NOT NULL, reason TEXT NOT NULL,
    value REAL NOT NULL, hour INTEGER NOT NULL,
    PRIMARY KEY (name, site, slot, traffic, reason)) WITHOUT ROWID;
CREATE TABLE articles (
    id INTEGER PRIMARY KEY, site TEXT NOT NULL, path TEXT NOT NULL, last INTEGER NOT NULL, UNIQUE (site, path));
CREATE TABLE figures (
    hour INTEGER NOT NULL, article INTEGER NOT NULL, slot TEXT NOT NULL, traffic TEXT NOT NULL,
    page_view INTEGER NOT NULL, request INTEGER NOT NULL, unfilled INTEGER NOT NULL, withheld INTEGER NOT NULL,
    rendered INTEGER NOT NULL, viewable INTEGER NOT NULL, click INTEGER NOT NULL,
    PRIMARY KEY (hour, article, slot, traffic)) WITHOUT ROWID;
CREATE TABLE notes (name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID;
"""
_OLD_VIEWS = "DELETE FROM views WHERE nonce IN (SELECT nonce FROM views WHERE day < ? LIMIT ?)"
_OLD_FIGURES = (
    "DELETE FROM figures WHERE (hour, article, slot, traffic) IN "
    "(SELECT hour, article, slot, traffic FROM figures WHERE hour < ? LIMIT ?)"
)
_OLD_ARTICLES = "DELETE FROM articles WHERE id IN (SELECT id FROM articles WHERE last < ? LIMIT ?)"
_ABOUT_SLOTS = frozenset(kind.value for kind in EventKind if kind not in OF_PAGE)
_OF_PLACEMENT = tuple(kind for kind in EventKind if kind not in OF_PAGE)

Sync = Literal["full", "normal"]


@dataclass(slots=True)
class _View:
    """What was counted of a view, as it stands within one transaction."""

    page: int
    day: int
    seen: int
    """A bit for each event of the page and of each of its placements."""


@dataclass(slots=True)
class _Changes:
    """What one transaction is to write."""

    views: dict[bytes, _View] = field(default_factory=dict)
    counters: dict[CounterKey, float] = field(default_factory=dict)
    figures: dict[tuple[int, str, str, str, str], list[int]] = field(default_factory=dict)
    """Hour, site, path, slot, traffic."""


class SqliteEvents:
    """The file in a directory that exists. One thread writes (`count`, `clean`, `close`); any thread may read.

    `sync`: what an acknowledged event outlives, see above; `max_bytes`: of the file, beyond which nothing is counted
    until something expired.
    """

    def __init__(self, directory: Path, *, sync: Sync = "full", max_bytes: int = 1 << 31) -> None:
        self.path = directory / FILE_NAME
        self._sync = sync
        self._max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._known_counters: set[CounterKey] = set()
        self._articles: tuple[int, set[tuple[str, str]]] = (0, set())
        self._clean_at = 0.0
        self._asking = threading.Lock()

    # --- writing --------------------------------------------------------------------------

    def count(self, reports: Sequence[Report]) -> list[Outcome]:
        """Count reports in one transaction; what became of each. Raises `StoreUnavailable`: then none was counted."""
        with self._turn():
            try:
                return self._count(reports)
            except StoreUnavailable as unavailable:
                if unavailable.problem is not StoreProblem.CORRUPT:
                    raise
            self._set_aside()
            return self._count(reports)

    def _count(self, reports: Sequence[Report]) -> list[Outcome]:
        with self._transaction() as connection:
            changes = _Changes()
            outcomes = [self._weigh(connection, report, changes) for report in reports]
            self._write(connection, changes, reports[0].hour)
        return outcomes

    def _weigh(self, connection: sqlite3.Connection, report: Report, changes: _Changes) -> Outcome:
        """Decide what a report adds, and add it to the changes."""
        traffic = "valid" if report.invalid is None else "invalid"
        view = self._view(connection, report, changes) if report.nonce is not None else None
        if view is not None and view.page != _page_of(report.facts):
            return Outcome(0, 0, 0, foreign=len(report.events))
        counted = duplicate = out_of_order = 0
        # what was rendered in the same beacon comes before what was viewed, in whatever order they are told
        for event in sorted(report.events, key=lambda event: event.kind is EventKind.VIEWABLE):
            if view is not None:
                bit = _bit(report.facts, event)
                if view.seen & bit:
                    duplicate += 1
                    continue
                if event.kind is EventKind.VIEWABLE and not view.seen & _bit(
                    report.facts, Event(EventKind.RENDERED, event.slot, event.n)
                ):
                    out_of_order += 1
                    continue
                view.seen |= bit
            counted += 1
            self._add(report, event, traffic, changes)
        return Outcome(counted, duplicate, out_of_order)

    def _view(self, connection: sqlite3.Connection, report: Report, changes: _Changes) -> _View:
        nonce = report.nonce or b""
        view = changes.views.get(nonce)
        if view is None:
            row = connection.execute("SELECT page, day, seen FROM views WHERE nonce = ?", (nonce,)).fetchone()
            if row is not None:
                view = _View(row[0], row[1], int.from_bytes(row[2], "little"))
            else:
                view = _View(_page_of(report.facts), report.facts.day, 0)
            changes.views[nonce] = view
        return view

    def _add(self, report: Report, event: Event, traffic: str, changes: _Changes) -> None:
        facts = report.facts
        site = facts.site if report.known is not None else OTHER
        slot = event.slot if not event.slot or (report.known is not None and event.slot in report.known) else OTHER
        add = changes.counters
        if report.invalid is not None:
            _increase(add, self._room(CounterKey("invalid", site, "", traffic, report.invalid.value)))
        if event.kind is EventKind.DENSITY:
            if report.invalid is None:
                bucket = sum(event.share > bound for bound in DENSITY_BUCKETS)
                key = self._room(CounterKey(event.kind.value, site, event.device or "", traffic, str(bucket)))
                _increase(add, key)
                _increase(add, key._replace(name="density_sum", reason=""), event.share)
            return
        reason = event.reason.value if event.reason is not None else ""
        _increase(add, self._room(CounterKey(event.kind.value, site, slot, traffic, reason)))
        path = facts.path if self._has_figures(report.hour, facts.site, facts.path) else OTHER
        row = changes.figures.setdefault((report.hour, facts.site, path, event.slot, traffic), [0] * len(ROLLED_UP))
        row[ROLLED_UP.index(event.kind)] += 1

    def _room(self, key: CounterKey) -> CounterKey:
        """The key, or where there are as many counters as may be, the one for all others."""
        if key in self._known_counters:
            return key
        if len(self._known_counters) >= MAX_COUNTERS:
            return key._replace(site=OTHER, slot=OTHER if key.slot else "")
        self._known_counters.add(key)
        return key

    def _has_figures(self, hour: int, site: str, path: str) -> bool:
        if self._articles[0] != hour:
            self._articles = (hour, set())
        known = self._articles[1]
        if (site, path) in known or len(known) < MAX_ARTICLES_AN_HOUR:
            known.add((site, path))
            return True
        return False

    def _write(self, connection: sqlite3.Connection, changes: _Changes, hour: int) -> None:
        connection.executemany(
            "INSERT INTO views VALUES (?, ?, ?, ?) ON CONFLICT (nonce) DO UPDATE SET seen = excluded.seen",
            (
                (nonce, view.page, view.day, view.seen.to_bytes((view.seen.bit_length() + 7) // 8, "little"))
                for nonce, view in changes.views.items()
                if view.seen
            ),
        )
        connection.executemany(
            "INSERT INTO counters VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name, site, slot, traffic, reason) "
            "DO UPDATE SET value = value + excluded.value, hour = excluded.hour",
            ((*key, value, hour) for key, value in changes.counters.items()),
        )
        articles: dict[tuple[str, str], int] = {}
        for at, site, path, _, _ in changes.figures:
            articles[site, path] = max(at, articles.get((site, path), 0))
        connection.executemany(
            "INSERT INTO articles (site, path, last) VALUES (?, ?, ?) "
            "ON CONFLICT (site, path) DO UPDATE SET last = max(last, excluded.last)",
            ((*article, last) for article, last in articles.items()),
        )
        ids = {
            article: connection.execute("SELECT id FROM articles WHERE site = ? AND path = ?", article).fetchone()[0]
            for article in articles
        }
        columns = [kind.value for kind in ROLLED_UP]
        connection.executemany(
            f"INSERT INTO figures VALUES ({', '.join('?' * (4 + len(columns)))}) "
            "ON CONFLICT (hour, article, slot, traffic) DO UPDATE SET "
            + ", ".join(f"{name} = {name} + excluded.{name}" for name in columns),
            (
                (hour, ids[site, path], slot, traffic, *counts)
                for (hour, site, path, slot, traffic), counts in changes.figures.items()
            ),
        )

    # --- what is too old --------------------------------------------------------------------

    def clean(self, now: float, *, token_days: int, event_days: int, named: Mapping[str, frozenset[str]]) -> None:
        """Drop views whose tokens have expired, figures older than `event_days`, and counters that nothing was added to
        for as long and that the loaded rules don't name (`named`: slots by site). A few thousand rows at a time, so
        that nobody waits long; does nothing where all was done a moment ago. Raises `StoreUnavailable`."""
        if now < self._clean_at:
            return
        self._clean_at = now + CLEAN_SECONDS
        oldest = int(now // SECONDS_AN_HOUR) - 24 * event_days
        with self._turn():
            dropped = [
                # a token of tomorrow is believed, so one day more
                self._drop(_OLD_VIEWS, day_of(now) - token_days - 1),
                self._drop(_OLD_FIGURES, oldest),
                self._drop(_OLD_ARTICLES, oldest),
            ]
            with self._transaction() as connection:
                keys = connection.execute(
                    "SELECT name, site, slot, traffic, reason FROM counters WHERE hour < ?", (oldest,)
                ).fetchall()
                connection.executemany(
                    "DELETE FROM counters WHERE name = ? AND site = ? AND slot = ? AND traffic = ? AND reason = ?",
                    [key for key in keys if not _is_named(CounterKey(*key), named)],
                )
            self._close()  # so that the counters are learnt anew
        if CLEAN_ROWS in dropped:
            self._clean_at = now  # there is more

    def _drop(self, statement: str, bound: int) -> int:
        with self._transaction() as connection:
            return connection.execute(statement, (bound, CLEAN_ROWS)).rowcount

    # --- reading ----------------------------------------------------------------------------

    def counters(self) -> Mapping[CounterKey, float]:
        """All counters. Raises `StoreUnavailable`."""
        with self._reading() as connection:
            rows = connection.execute("SELECT name, site, slot, traffic, reason, value FROM counters").fetchall()
        return {CounterKey(*row[:5]): row[5] for row in rows}

    def figures(self, since: int, until: int) -> Iterator[Figures]:
        """The figures of the hours from `since` to before `until`, oldest first. Raises `StoreUnavailable`."""
        columns = ", ".join(kind.value for kind in ROLLED_UP)
        with self._reading() as connection:
            for row in connection.execute(
                f"SELECT hour, site, path, slot, traffic, {columns} FROM figures JOIN articles ON article = id "
                "WHERE hour >= ? AND hour < ? ORDER BY hour, site, path, slot, traffic",
                (since, until),
            ):
                hour, site, path, slot, traffic, *counts = row
                yield Figures(hour, site, path, slot, traffic, tuple(counts))

    def state(self) -> StoreState:
        """How the store is: something is written to see whether it can be, and there has to be room for more."""
        size = 0
        for file in (self.path, self.path.with_name(FILE_NAME + "-wal")):
            with contextlib.suppress(OSError):
                size += file.stat().st_size
        set_aside = sum(1 for _ in self.path.parent.glob(f"{FILE_NAME}.*{SET_ASIDE}"))
        if not self._asking.acquire(timeout=BUSY_SECONDS):  # who asked before still waits for an answer
            return StoreState(False, size, set_aside)
        try:
            with self._turn(), self._transaction() as connection:
                connection.execute("INSERT OR REPLACE INTO notes VALUES ('written', ?)", (time.time(),))
                used, free, page = (
                    connection.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in ("page_count", "freelist_count", "page_size")
                )
            disk = os.statvfs(self.path.parent)
            room = min(self._max_bytes - (used - free) * page, disk.f_bavail * disk.f_frsize)
        except (StoreUnavailable, OSError) as problem:
            log.debug("the event store can't be written: %s", problem)
            room = 0
        finally:
            self._asking.release()
        return StoreState(room >= MIN_ROOM, size, set_aside)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own, so that any thread may read."""
        if not self.path.exists():
            raise StoreUnavailable(StoreProblem.IO, f"there is no {self.path}")
        with _told(self.path):
            connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            with contextlib.closing(connection):
                connection.execute("PRAGMA query_only = 1")
                yield connection

    # --- the file ---------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the file."""
        self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _told(self.path):
            try:
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # a connection that met an error is not trusted any more; closing it rolls back
                self._close()
                raise

    def _open(self) -> sqlite3.Connection:
        """The connection for writing; a new one where the file was replaced."""
        try:
            inode = self.path.stat().st_ino
        except FileNotFoundError:
            inode = -1
        if self._connection is not None and inode == self._inode:
            return self._connection
        self._close()
        if inode == -1:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._connection, self._inode = connection, self.path.stat().st_ino
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._sync}")
        connection.execute("PRAGMA journal_size_limit = 16777216")
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute(f"PRAGMA max_page_count = {max(1, self._max_bytes // page_size)}")
        (form,) = connection.execute("PRAGMA user_version").fetchone()
        if form not in (0, _FORM):
            raise StoreUnavailable(StoreProblem.OTHER, f"{self.path} is of form {form}; expected {_FORM}")
        if form == 0:
            connection.execute("BEGIN IMMEDIATE")
            for statement in filter(str.strip, _TABLES.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_FORM}")
            connection.execute("COMMIT")
        self._known_counters = {
            CounterKey(*row) for row in connection.execute("SELECT name, site, slot, traffic, reason FROM counters")
        }
        return connection

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for one's turn to write. Others hold it for one transaction, or until they die."""
        with _told(self.path):
            descriptor = os.open(self.path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except BaseException:
                os.close(descriptor)
                raise
        try:
            yield
        finally:
            os.close(descriptor)

    def _set_aside(self) -> None:
        """Put the damaged file out of the way."""
        self._close()
        with _told(self.path):
            stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            aside = f"{FILE_NAME}.{stamp}{SET_ASIDE}"
            for ending in ("", "-wal", "-shm"):
                file = self.path.with_name(FILE_NAME + ending)
                if file.exists():
                    file.replace(self.path.with_name(aside + ending))
            for old in sorted(self.path.parent.glob(f"{FILE_NAME}.*{SET_ASIDE}"))[:-MAX_SET_ASIDE]:
                for ending in ("", "-wal", "-shm"):
                    old.with_name(old.name + ending).unlink(missing_ok=True)
            log.error("the event store %s is damaged; it is kept as %s, and counting starts anew", self.path, aside)


def _is_named(key: CounterKey, named: Mapping[str, frozenset[str]]) -> bool:
    slots = frozenset() if key.site == OTHER else named.get(key.site)
    return slots is not None and (key.name not in _ABOUT_SLOTS or key.slot == OTHER or key.slot in slots)


def _increase(counters: dict[CounterKey, float], key: CounterKey, by: float = 1.0) -> None:
    counters[key] = counters.get(key, 0.0) + by


def _page_of(facts: PageFacts) -> int:
    """What a view's nonce is bound to: the page that its first beacon came from."""
    said = repr((facts.site, facts.path, facts.slots)).encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=7).digest(), "big")


def _bit(facts: PageFacts, event: Event) -> int:
    if event.kind is EventKind.PAGE_VIEW:
        return 1
    if event.kind is EventKind.DENSITY:
        return 2
    place = facts.place_of(event.slot, event.n)
    return 1 << (2 + place * len(_OF_PLACEMENT) + _OF_PLACEMENT.index(event.kind))


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the system, as `StoreUnavailable`."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        problem = _PROBLEMS.get(code, StoreProblem.OTHER)
        raise StoreUnavailable(problem, f"{path}: {error}") from error
    except OSError as error:
        raise StoreUnavailable(StoreProblem.IO, f"{path}: {error.strerror}") from error


_PROBLEMS = {
    sqlite3.SQLITE_FULL: StoreProblem.FULL,
    sqlite3.SQLITE_IOERR: StoreProblem.IO,
    sqlite3.SQLITE_CANTOPEN: StoreProblem.IO,
    sqlite3.SQLITE_READONLY: StoreProblem.IO,
    sqlite3.SQLITE_PERM: StoreProblem.IO,
    sqlite3.SQLITE_BUSY: StoreProblem.BUSY,
    sqlite3.SQLITE_LOCKED: StoreProblem.BUSY,
    sqlite3.SQLITE_CORRUPT: StoreProblem.CORRUPT,
    sqlite3.SQLITE_NOTADB: StoreProblem.CORRUPT,
}
