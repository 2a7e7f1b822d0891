"""The rules in force: watched, reloaded whole, the last good ones kept.

What is watched is content, not events or times. A Kubernetes ConfigMap swaps a symlink two levels up, editors rename or
truncate and write, a network mount may not report anything and may keep the modification time: the hash of what a
reader would read tells all of them alike. Half a second of polling a handful of small files costs next to nothing.

A change is taken once two polls in a row saw the same, so a file that is being written is left to its writer.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from adproxy.errors import Problem, RulesError
from adproxy.rules.compile import load_rules
from adproxy.rules.public_files import public_name
from adproxy.rules.ruleset import RuleBook, SourceFile

log = logging.getLogger(__name__)

RETRY_POLLS = 2
"""While the rules are bad they are tried again every so many polls although nothing changed: what mends them may be a
file that no watch covers, such as one that `use` names and that did not exist yet."""
_IDLE_LOOKS = 50
"""After a look the watch rests at least so many times as long: a thousand files must not take more than 2 % of a core
from each process. Their edits are in force some seconds later than those of a few."""
_SETTLED_SECONDS = 2.0
"""A file that changed later than so long ago may do so again without its times telling: they are as coarse as a second
on some file systems."""
_MOST_LOGGED = 40
"""Lines of problems in one log record."""
STOP_SECONDS = 5.0
"""How long `stop` waits for a load that is under way."""

Fingerprint = dict[str, str]
"""What was seen at one poll: path to hash of the content, or to why there is none."""


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """What is in force, for people and probes."""

    revision: str
    loaded_at: float | None
    """Unix seconds at which the rules in force were loaded; None: there never were good ones."""
    files: tuple[SourceFile, ...]
    problem: str | None
    """Why the last attempt to load failed, a line for each problem; None where it succeeded."""
    problems: tuple[Problem, ...] = ()
    """The same with their places, where the files are what is wrong."""


class Listener(Protocol):
    """Who is told what becomes of each attempt to load; `Metrics` is one."""

    def rules_loaded(self, book: RuleBook) -> None:
        """These rules are in force now."""

    def rules_failed(self) -> None:
        """The rules could not be loaded; those from before, if any, stay in force."""


class LiveRules:
    """Rules that follow their files. `book` is the snapshot in force: read it once per page and keep what you read."""

    book: RuleBook

    def __init__(self, path: str | Path, *, metrics: Listener | None = None, poll_seconds: float = 0.5) -> None:
        """Loads at once. Rules that can't be loaded are no error here: `book` is then empty, so that every page passes
        as it is, the log and the metrics say so, and the watch goes on.

        `path`: a rules file or a directory of them; `poll_seconds`: between two looks at the files.
        """
        self.path = Path(path)
        """Where the rules come from."""
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._wake = threading.Event()
        self._stopped = False
        self._asked = False
        self._thread: threading.Thread | None = None
        self.book = RuleBook()
        self._status = LiveStatus(revision=self.book.revision, loaded_at=None, files=(), problem=None)
        self._contents = _Contents()
        self._looked_for = 0.0
        """Seconds of processor time that the last look took."""
        self._seen = self._loaded = self._look(())
        self._polls_since_load = 0
        self._load(self._seen, at_start=True)

    @property
    def problem(self) -> str | None:
        """Why the last attempt to load failed, with file, line and column; None where it succeeded."""
        return self._status.problem

    def status(self) -> LiveStatus:
        """One consistent view of what is in force."""
        return self._status

    def start(self) -> None:
        """Begin to watch, in a daemon thread; does nothing where the watch is on. A forked process, which inherits the
        object without its thread, calls it again."""
        if self._thread is None or not self._thread.is_alive():
            self._wake.clear()
            self._stopped = False
            self._thread = threading.Thread(target=self._watch, name="adproxy-live-rules", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the watch and wait for its thread, at most `STOP_SECONDS`. The rules stay in force."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopped = True
            self._wake.set()
            thread.join(STOP_SECONDS)
            if thread.is_alive():
                log.warning(
                    "the rules are still being loaded after %g s; their thread ends with the process", STOP_SECONDS
                )

    def reload(self) -> None:
        """Have the watch load the rules at once, whether they seem to have changed or not. Safe from any thread."""
        self._asked = True
        self._wake.set()

    # --- the watch ------------------------------------------------------------------------

    def _watch(self) -> None:
        while True:
            self._wake.wait(max(self._poll_seconds, self._looked_for * _IDLE_LOOKS))
            self._wake.clear()
            if self._stopped:
                return
            try:
                if self._asked:
                    self._asked = False
                    self._load(self._look(self._status.files))
                else:
                    self.poll()
            except Exception:
                # the watch must outlive anything that one look can meet, or the next edit would never be seen
                log.exception(
                    "looking at the rules in %s failed; the next look is in %g s", self.path, self._poll_seconds
                )

    def poll(self) -> None:
        """One look at the files, as the watch takes it; a change is in force after the second look that finds it."""
        self._polls_since_load += 1
        before, self._seen = self._seen, self._look(self._status.files)
        if self._seen != before:
            return  # still moving
        retry = self._status.problem is not None and self._polls_since_load >= RETRY_POLLS
        if self._seen != self._loaded or retry:
            self._load(self._seen)

    def _look(self, used: tuple[SourceFile, ...]) -> Fingerprint:
        """Hashes of the path's own files and of those that the rules in force were read from."""
        began = time.thread_time()
        own = _own_files(self.path)
        seen = self._contents.of({*own, *(source.path for source in used)})
        self._looked_for = time.thread_time() - began
        return seen

    def _load(self, seen: Fingerprint, *, at_start: bool = False) -> None:
        """Load what `seen` shows, and put it in force if it is good and did not change meanwhile."""
        self._polls_since_load = 0
        try:
            book = load_rules(self.path)
        except RulesError as problem:
            self._loaded = seen
            self._refuse(str(problem), problem.problems)
            return
        except Exception as bug:  # a bad edit may cost the reload, never the rules in force
            log.debug("loading %s failed", self.path, exc_info=True)
            self._loaded = seen
            self._refuse(f"{self.path}: {type(bug).__name__}: {bug}")
            return
        now = self._look(book.files)
        read = {source.path: source.sha256 for source in book.files}
        expected = {name: seen.get(name, read.get(name, content)) for name, content in now.items()}
        self._seen = now
        # what changed while it was read may be half of one edit and half of another: the next polls take it whole; but
        # a process that starts has nothing better to begin with
        if now == expected or at_start:
            self._loaded = expected
            self._accept(book)

    def _accept(self, book: RuleBook) -> None:
        was = self._status
        self.book = book
        self._status = LiveStatus(book.revision, time.time(), book.files, problem=None)
        if self._metrics is not None:
            self._metrics.rules_loaded(book)
        if was.problem is not None:
            log.warning("the rules in %s are good again: revision %s is in force", self.path, book.revision)
        elif was.revision != book.revision:
            files = "1 file" if len(book.files) == 1 else f"{len(book.files)} files"
            log.info("rules revision %s is in force, from %s in %s", book.revision, files, self.path)

    def _refuse(self, problem: str, problems: tuple[Problem, ...] = ()) -> None:
        was = self._status
        self._status = LiveStatus(was.revision, was.loaded_at, was.files, problem, problems)
        if self._metrics is not None:
            self._metrics.rules_failed()
        if problem == was.problem:
            return  # said already
        if was.loaded_at is None:
            log.error("no rules are in force, every page passes without ads, until this is mended:\n%s", _few(problem))
        else:
            log.error("the rules were not taken, revision %s stays in force:\n%s", was.revision, _few(problem))


def _few(problem: str) -> str:
    """The first of many problems, as a log can take them."""
    lines = problem.splitlines()
    if len(lines) <= _MOST_LOGGED:
        return problem
    rest = len(lines) - _MOST_LOGGED
    return "\n".join([*lines[:_MOST_LOGGED], f"… and {rest} lines more: adproxy check shows all of them"])


def _own_files(path: Path) -> list[str]:
    """The files that a path stands for: the YAML files of a directory and those that are served from it, or else
    itself, be it there or not."""
    # by os, not by Path, whose objects take longer than to ask the system: there may be a thousand files
    folder = str(path / "x")[:-1]
    try:
        return [
            folder + name
            for name in os.listdir(path)  # noqa: PTH208
            if (name.endswith((".yaml", ".yml")) and not name.startswith(".")) or public_name(name)
        ]
    except OSError:
        return [str(path)]


class _Contents:
    """What files hold; read only where the file system says that they changed, or did so a moment ago."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}
        """By path: which file it was, how large and since when unchanged; and its content."""

    def of(self, names: Iterable[str]) -> Fingerprint:
        """By path the SHA-256 of a file's content in hex, symlinks followed, or a word on why it can't be read."""
        seen = {name: self._of(name) for name in names}
        for gone in self._known.keys() - seen.keys():
            del self._known[gone]
        return seen

    def _of(self, name: str) -> str:
        try:
            found = os.stat(name)  # noqa: PTH116  (as in `_own_files`)
            if not stat.S_ISREG(found.st_mode):
                return "not a file"  # opening a pipe would wait for its writer
            # nobody can write to a file, or put another in its place, and leave all of these as they are
            state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            known = self._known.get(name)
            if known is not None and known[0] == state:
                return known[1]
            with Path(name).open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            return type(error).__name__
        if time.time() - found.st_ctime > _SETTLED_SECONDS:
            self._known[name] = (state, content)
        return content
