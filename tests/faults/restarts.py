"""`adproxy serve` under load, told to stop or given other rules: no request fails, and no page is of two minds."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from our_server import read_answer, until
from serve_process import SHUTDOWN, serve, upstream

from faults.stage import Row

GET = b"GET /story HTTP/1.1\r\nHost: site.example\r\n\r\n"
READERS = 6
WORKERS = "2"
_MARK = re.compile(rb'id="v(\d+)-(\w+)"')


def rules(version: int) -> str:
    """Two slots that carry the version of their rules."""
    slots = "".join(
        f'  {name}: {{place: {place}, sizes: {{phone: [320x50]}}, div: {{id: "v{version}-{name}"}}}}\n'
        for name, place in (("top", "above-headline"), ("end", "end-of-article"))
    )
    return f"version: 1\nsite: small-site\npages:\n  - {{path: '/**'}}\nlimits: {{ad_share: 100%}}\nslots:\n{slots}"


BAD = ("version: 1\nslots: [", "version: 1\nsite: s\nslots: {a: {place: nowhere}}\n", "", "\0")


@dataclass
class Readers:
    """Readers who ask all the time, each on a connection that it keeps while it can."""

    port: int
    stop: threading.Event = field(default_factory=threading.Event)
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    versions: set[bytes] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> None:
        while not self.stop.is_set():
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            except ConnectionRefusedError:
                return  # by a server that was told to end
            with connection:
                self._ask(connection)

    def _ask(self, connection: socket.socket) -> None:
        fields: dict[str, str] = {}
        while not self.stop.is_set() and fields.get("connection") != "close":
            try:
                connection.sendall(GET)
                status, fields, body = read_answer(connection)
            except (AssertionError, OSError) as problem:
                with self._lock:
                    self.failed.append(repr(problem))
                return
            marks = _MARK.findall(body)
            with self._lock:
                self.answered += 1
                self.versions |= {version for version, _ in marks}
                if status != 200:
                    self.failed.append(f"status {status}")
                if len({version for version, _ in marks}) != 1 or len(marks) != 2:
                    self.mixed.append(f"{marks}")


@contextlib.contextmanager
def reading(port: int) -> Iterator[Readers]:
    readers = Readers(port)
    with ThreadPoolExecutor(READERS) as pool:
        asking: list[Future[None]] = [pool.submit(readers.read) for _ in range(READERS)]
        try:
            until(lambda: readers.answered > 20, "answers")
            yield readers
        finally:
            readers.stop.set()
            for one in asking:
                one.result(60)


def _judge(row: Row, readers: Readers) -> None:
    row.breaches += readers.failed[:5] + readers.mixed[:5]
    row.note = f"{readers.answered:,} answers, {len(readers.failed)} failed"


def _stops(times: int) -> Row:
    row = Row("SIGTERM under load", times)
    answered = failed = 0
    with upstream() as url:
        for _ in range(times):
            with TemporaryDirectory() as folder, serve(url, Path(folder), "--workers", WORKERS, rules=rules(0)) as them:
                with reading(them.site) as readers:
                    them.process.send_signal(signal.SIGTERM)
                    row.expect(them.process.wait(SHUTDOWN) == 0, "another exit code than 0")
                _judge(row, readers)
                answered, failed = answered + readers.answered, failed + len(readers.failed)
    row.note = f"{answered:,} answers, {failed} failed"
    return row


def _written(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def _renamed(file: Path, text: str) -> None:
    other = file.with_suffix(".new")
    _written(other, text)
    other.rename(file)


def _halves(file: Path, text: str) -> None:
    _written(file, text[: len(text) // 2])
    time.sleep(0.01)
    _written(file, text)


WAYS: tuple[Callable[[Path, str], None], ...] = (_written, _renamed, _halves)


def _edits(seconds: int) -> Row:
    row = Row("rules edited once a second, half of them bad", seconds)
    with upstream() as url, TemporaryDirectory() as folder:
        file = Path(folder) / "rules.yaml"
        with serve(url, Path(folder), "--workers", WORKERS, rules=rules(0)) as them, reading(them.site) as readers:
            for number in range(1, seconds + 1):
                WAYS[number % len(WAYS)](file, BAD[number % len(BAD)] if number % 2 else rules(number))
                if number % 3 == 0:
                    them.process.send_signal(signal.SIGHUP)
                time.sleep(1)
            last = max(number for number in range(seconds + 1) if number % 2 == 0)
            _written(file, rules(last))
            until(lambda: str(last).encode() in readers.versions, "the last rules are in force")
    _judge(row, readers)
    row.note += f", {len(readers.versions)} versions of the rules seen"
    row.expect(len(readers.versions) > 1, "no edit was taken")
    return row


def play(stops: int, seconds: int) -> list[Row]:
    """So many stops under load, and so many seconds of edits."""
    return [_stops(stops), _edits(seconds)]
