"""What a process does once it is forked. How it serves is in test_serve.py; this is how it ends alone."""

from __future__ import annotations

import subprocess
import sys

ORPHAN = """
import os, signal, threading, time
from adproxy import worker

class Server:
    drain_seconds = 3600.0

worker.ORPHAN_SECONDS = 0.3
lifeline, alive = os.pipe()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # nobody will hear it
threading.Thread(target=worker._outlive_nobody, args=(lifeline, Server()), daemon=True).start()
os.close(alive)
time.sleep(3600)
"""


def test_a_worker_that_hangs_does_not_outlive_its_supervisor() -> None:
    done = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
