"""Real processes on loopback: an origin, adproxy in front of it, and a server of deploy/ in front of both."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import small_site
from conftest import missing
from starlette.types import Message, Receive, Scope, Send
from wire import DEADLINE, Response, Server, free_port, read_response, request, serving

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
SLOT = b"<div data-adproxy-slot="
LATE_SECONDS = 2.0
"""The origin's late pages begin so long after they were asked for."""
HEAD_SECONDS = 1.0
"""adproxy waits so long for the origin in these tests."""


def program(name: str) -> str:
    """Where a program is; skips the test where it is not."""
    # Debian keeps servers where only root looks for them
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        missing(f"{name} is not installed: make test installs it where it may")
    assert found is not None
    return found


def adapted(text: str, replaced: dict[str, str]) -> str:
    """The file with other words in place of some; each must be there."""
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


class Process:
    """A program that listens on a port of loopback; can be ended, stopped for a while, and started again."""

    def __init__(
        self, command: Sequence[str | Path], port: int, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.port = port
        self.log = log
        # it ends with us, should we be ended before we can end it
        self._command = ["setpriv", "--pdeathsig", "TERM", *(str(part) for part in command)]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it listens."""
        with self.log.open("ab") as log:
            # a group of its own, so that its children end with it
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._environment, cwd=ROOT, start_new_session=True
            )
        end = time.monotonic() + DEADLINE
        while True:
            assert self._process.poll() is None, f"ended at once: {self.log.read_text(errors='replace')}"
            assert time.monotonic() < end, f"does not listen: {self.log.read_text(errors='replace')}"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)

    def tell(self, number: signal.Signals, *, all_of_it: bool = False) -> None:
        """Send a signal. `all_of_it`: to its children too."""
        assert self._process is not None
        (os.killpg if all_of_it else os.kill)(self._process.pid, number)

    def kill(self) -> None:
        """The way of a power cut: nothing in it gets to say good-bye."""
        if self._process is not None and self._process.poll() is None:
            self.tell(signal.SIGKILL, all_of_it=True)
            self._process.wait(DEADLINE)
            with contextlib.suppress(ProcessLookupError):
                end = time.monotonic() + DEADLINE
                while time.monotonic() < end:
                    os.killpg(self._process.pid, 0)  # somebody of it is still there
                    time.sleep(0.01)

    def end(self) -> None:
        """The polite way, and the other one where it does not help."""
        if self._process is None or self._process.poll() is not None:
            return
        self.tell(signal.SIGCONT, all_of_it=True)
        self.tell(signal.SIGTERM)
        try:
            self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def ask(
        self, path: str, *headers: tuple[str, str], method: str = "GET", body: bytes = b"", source: str = "127.0.0.1"
    ) -> Response:
        """One request on a connection of its own. `source`: the address of loopback that it comes from."""
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE, (source, 0)) as connection:
            connection.sendall(request(path, *headers, method=method, body=body))
            return read_response(connection, method)


class Adproxy(Process):
    """`adproxy serve` with one worker, its state and log in `directory`; further options, and settings by name."""

    def __init__(self, directory: Path, upstream: str, *options: str, **environment: str) -> None:
        port = free_port()
        command = [sys.executable, "-m", "adproxy.cli", "serve", "--upstream", upstream, *options]
        command += ["--port", str(port), "--office-port", "0", "--workers", "1"]
        command += ["--state-dir", str(directory / "state")]
        super().__init__(command, port, directory / "adproxy.log", environment)

    def start(self) -> None:
        """Returns once a worker answers; the socket listens before there is one."""
        super().start()
        assert self.ask("/_adproxy/healthz").status == 200


class Origin:
    """A small site that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        """How often, by method and path."""
        self.heads: dict[str, dict[str, str]] = {}
        """The last request's fields, by path."""
        self.targets: list[bytes] = []
        """Paths and queries as they were sent."""
        self.release = threading.Event()
        """What waits goes on: the second event, the answer to a POST."""
        self.page = small_site.PAGE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await _echo(receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        head = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        while (await receive()).get("more_body"):
            pass
        self.asked[f"{method} {path}"] += 1
        self.heads[path] = head
        self.targets.append(scope["raw_path"] + b"?" + scope["query_string"])
        if path.startswith("/late"):
            await asyncio.sleep(LATE_SECONDS)
        if path == "/waits":
            await asyncio.to_thread(self.release.wait, DEADLINE)
        if path == "/events":
            await self._events(send)
            return
        if path == "/broken":
            await _answer(send, 503, b"the origin's own words", ("content-type", "text/html"))
            return
        # /brief and what is below it: stored for a second; anything else for a minute
        lifetime = 1 if path.startswith("/brief") else 60
        fields = (("etag", '"v1"'), ("cache-control", f"public, max-age={lifetime}"))
        if head.get("if-none-match") == '"v1"':
            await _answer(send, 304, b"", *fields)
        else:
            await _answer(send, 200, self.page, ("content-type", "text/html; charset=utf-8"), *fields)

    async def _events(self, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: first\n\n", "more_body": True})
        await asyncio.to_thread(self.release.wait, DEADLINE)
        await send({"type": "http.response.body", "body": b"data: second\n\n"})


async def _answer(send: Send, status: int, body: bytes, *fields: tuple[str, str]) -> None:
    headers = [(name.encode(), value.encode()) for name, value in fields]
    if status != 304:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _echo(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message: Message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": f"echo {message.get('text')}"})


class Chain:
    """`front` is what readers talk to."""

    def __init__(self, origin: Origin, server: Server, adproxy: Process, front: Process, rules: Path) -> None:
        self.origin = origin
        self.server = server
        self.adproxy = adproxy
        self.front = front
        self.rules = rules


@contextlib.contextmanager
def origin_and_adproxy(directory: Path) -> Iterator[tuple[Origin, Server, Process, Path]]:
    """Both running, the rules in a file that may be edited."""
    rules = directory / "rules"
    rules.mkdir()
    (rules / "site.yaml").write_text(small_site.RULES, encoding="utf-8")
    origin = Origin()
    with serving(origin, lifespan="off") as server:
        adproxy = Adproxy(
            directory,
            f"http://127.0.0.1:{server.port}",
            "--rules",
            str(rules),
            ADPROXY_HEAD_SECONDS=str(HEAD_SECONDS),
            ADPROXY_CACHE_TAGS="Surrogate-Key",
        )
        try:
            adproxy.start()
            yield origin, server, adproxy, rules / "site.yaml"
        finally:
            origin.release.set()
            adproxy.end()


def eventually(happens: Callable[[], bool]) -> None:
    """Wait until it happens."""
    end = time.monotonic() + DEADLINE
    while not happens():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def events_from(front: Process, origin: Origin, pause: float = 0.0) -> None:
    """Ask for the origin's events: the first arrives before the second is made, which is `pause` seconds later."""
    with socket.create_connection(("127.0.0.1", front.port), DEADLINE) as connection:
        connection.sendall(request("/events", ("Accept", "text/event-stream")))
        received = b""

        def read_on(wanted: bytes) -> None:
            nonlocal received
            while wanted not in received:
                piece = connection.recv(65536)
                assert piece, f"the stream ended before {wanted!r}"
                received += piece

        read_on(b"data: first")
        time.sleep(pause)
        origin.release.set()
        read_on(b"data: second")
