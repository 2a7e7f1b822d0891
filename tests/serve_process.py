"""`adproxy serve` as people run it, in front of a small site, and what a test wants to know of its processes."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from our_server import read_answer, until
from prometheus_client.parser import text_string_to_metric_families
from small_site import PAGE, RULES
from starlette.types import Receive, Scope, Send
from wire import DEADLINE, serving

SHUTDOWN = 40
"""Seconds after which a process that was told to end has failed."""


async def newspaper(scope: Scope, receive: Receive, send: Send) -> None:
    """The upstream: the same page at every address."""
    if scope["type"] != "http":
        return
    await receive()
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(PAGE))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


class Serve:
    """One `adproxy serve` that runs."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self._output = output
        self.site = self.office = 0
        """The ports."""

    @property
    def said(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")

    def wait_until_it_serves(self) -> None:
        def listening() -> bool:
            assert self.process.poll() is None, self.said
            found = re.findall(r"the (?:site|office) +http://127\.0\.0\.1:(\d+)/", self.said)
            if len(found) == 2:
                self.site, self.office = map(int, found)
            return len(found) == 2

        until(listening, "it says where it listens")
        until(
            lambda: self.metrics()["adproxy_workers_running",] == self.metrics()["adproxy_workers_wanted",], "workers"
        )

    def ask(self, path: str = "/story", *, port: int | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.site, timeout=DEADLINE)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def metrics(self) -> dict[tuple[str, ...], float]:
        status, text = self.ask("/metrics", port=self.office)
        assert status == 200
        return {
            (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
            for family in text_string_to_metric_families(text.decode())
            for sample in family.samples
        }

    @property
    def rewritten(self) -> float:
        """Pages that were rewritten, as the metrics have it."""
        return self.metrics().get(("adproxy_pages_total", "rewritten", "none", "small-site"), 0)

    def is_complete(self) -> bool:
        """As many workers serve as there should be."""
        seen = self.metrics()
        return seen["adproxy_workers_running",] == seen["adproxy_workers_wanted",]

    def pids(self) -> list[int]:
        """Of the page workers by slot; 0 where there is none."""
        page = self.ask("/", port=self.office)[1].decode()
        return [int(pid) for pid in re.findall(r'<tr><th scope="row">\d+</th><td>(\d+)<', page)]

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def office_pid(self) -> int:
        (pid,) = set(self.children()) - set(self.pids())
        return pid

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SHUTDOWN)


@contextlib.contextmanager
def upstream() -> Iterator[str]:
    with serving(newspaper, lifespan="off", ws="none") as server:
        yield f"http://127.0.0.1:{server.port}"


@contextlib.contextmanager
def serve(
    url: str,
    folder: Path,
    *options: str,
    rules: str | None = RULES,
    program: Sequence[str] = (sys.executable, "-m", "adproxy"),
    seconds: float = 100,
    **environment: str,
) -> Iterator[Serve]:
    """`folder`: where the rules (`rules.yaml`, unless `rules` is None) and the state go. `program`: what is started;
    `seconds`: after which it is killed. `environment`: settings."""
    command = [*program, "serve", "--upstream", url, "--port", "0", "--office-port", "0"]
    if rules is not None:
        (folder / "rules.yaml").write_text(rules, encoding="utf-8")
        command += ["--rules", str(folder / "rules.yaml")]
    command += ["--state-dir", str(folder / "state"), *options]
    output = folder / f"output-{len(list(folder.iterdir()))}"
    with output.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **{f"ADPROXY_{name.upper()}": value for name, value in environment.items()}},
        )
    killer = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
    killer.start()
    running = Serve(process, output)
    try:
        running.wait_until_it_serves()
        yield running
    finally:
        killer.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the session that was started for it, and nothing else
        process.wait(SHUTDOWN)


GET = b"GET /story HTTP/1.1\r\nHost: site.example\r\n\r\n"


@dataclass
class Load:
    """Readers who ask all the time, each on a connection that it keeps while it can."""

    port: int
    judge: Callable[[bytes], str]
    """What is wrong with a body; empty where nothing is."""
    stop: threading.Event = field(default_factory=threading.Event)
    answered: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)
    """Own port of the connection, and what happened."""
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
        own = connection.getsockname()[1]
        fields: dict[str, str] = {}
        while not self.stop.is_set() and fields.get("connection") != "close":
            try:
                connection.sendall(GET)
                status, fields, body = read_answer(connection)
                assert status == 200, status
            except (AssertionError, OSError) as problem:
                with self._lock:
                    self.failed.append((own, repr(problem)))
                return
            with self._lock:
                self.answered += 1
                if wrong := self.judge(body):
                    self.failed.append((own, wrong))


@contextlib.contextmanager
def under_load(port: int, judge: Callable[[bytes], str], readers: int = 6) -> Iterator[Load]:
    """So many readers ask until the block ends."""
    it = Load(port, judge)
    with ThreadPoolExecutor(readers) as pool:
        asking: list[Future[None]] = [pool.submit(it.read) for _ in range(readers)]
        try:
            until(lambda: it.answered > 50, "answers")
            yield it
        finally:
            it.stop.set()
            for one in asking:
                one.result(60)
