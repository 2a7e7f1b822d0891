"""What a proxy must not buffer, break or rewrite, judged from outside: with our own server and with another one."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import missing
from wire import free_port

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT.parent / "shared" / "bench"
SERVERS = {
    "uvicorn": ["-m", "uvicorn", "adproxy.asgi:app", "--no-access-log", "--no-proxy-headers", "--log-level=critical"],
    "granian": ["-m", "granian", "--interface=asgi", "--no-log", "adproxy.asgi:app"],
}


@contextlib.contextmanager
def running(port: int, *arguments: str, **environment: str) -> Iterator[None]:
    """A Python process that listens on a port, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, "it ended"
            assert time.monotonic() < end, "it did not start"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.corpus
@pytest.mark.parametrize("server", SERVERS)
def test_c14_c15_streams_pass(server: str) -> None:
    if not (BENCH / "stream_check.py").exists():
        missing("the shared folder is not beside the checkout")
    site, port = free_port(), free_port()
    with (
        running(site, str(BENCH / "stream_upstream.py"), str(site), "--minutes", "2"),
        running(
            port,
            *SERVERS[server],
            f"--port={port}",
            ADPROXY_UPSTREAM=f"http://127.0.0.1:{site}",
            ADPROXY_RULES=str(ROOT / "rules" / "news.yaml"),
        ),
    ):
        check = [sys.executable, str(BENCH / "stream_check.py"), f"http://127.0.0.1:{port}"]
        judged = subprocess.run(check, capture_output=True, text=True, timeout=100, check=False)
    lines = judged.stdout.splitlines()
    assert [line for line in lines if line.startswith("FAIL")] == []
    assert (judged.returncode, sum(line.startswith("ok") for line in lines)) == (0, 29), judged.stdout
