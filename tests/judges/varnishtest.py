"""varnishtest: scenarios byte by byte, in `scenarios/`. Its server is the origin, its client the reader."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from chain import Adproxy, program
from wire import free_port

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.vtc"))
SECONDS = 30


def play(scenario: Path, folder: Path) -> str:
    """What went wrong in one scenario; empty where nothing did."""
    port = free_port()
    adproxy = Adproxy(folder, f"http://127.0.0.1:{port}", "--rules", "rules/news.yaml", ADPROXY_HEAD_SECONDS="5")
    try:
        adproxy.start()
        # the origin listens once the scenario begins; adproxy connects when it is asked
        told = [f"-Dorigin=127.0.0.1:{port}", f"-Dadproxy=127.0.0.1:{adproxy.port}"]
        command = [program("varnishtest"), *told, str(scenario)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
        return "" if done.returncode == 0 else done.stdout[-3000:] or f"ended with {done.returncode}"
    finally:
        adproxy.end()


def judge(tools: Path) -> tuple[str, list[str]]:
    """What was found in a line, and the scenarios that failed."""
    breaches = []
    for scenario in SCENARIOS:
        with TemporaryDirectory() as folder:
            if wrong := play(scenario, Path(folder)):
                breaches.append(f"{scenario.stem}: {wrong}")
    return f"{len(SCENARIOS)} scenarios, {len(breaches)} failed", breaches
