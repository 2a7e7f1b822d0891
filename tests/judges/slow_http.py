"""slowhttptest: slow heads, slow bodies, slow reading. The site stays there, and all of them are given up."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from chain import Adproxy, Origin, program
from wire import serving

CONNECTIONS = 200
PATIENCE_SECONDS = 4
"""adproxy's deadlines here."""
SECONDS = 25
ATTACKS = {
    "slow heads": ["-H", "-i", "2"],
    "slow bodies": ["-B", "-i", "6", "-s", "100000"],
    "slow reading": ["-X", "-w", "10", "-y", "20", "-n", "5", "-z", "1", "-k", "3"],
}

SEES_NO_END = "slow reading"
"""Whoever leaves no room for an answer has none for its end: he is given up all the same (`make faults` looks)."""


def judge(tools: Path) -> tuple[str, list[str]]:
    """What was found in a line, and each attack that took the site away, or that was not given up."""
    said, breaches = [], []
    patience = {"ADPROXY_REQUEST_HEAD_SECONDS": str(PATIENCE_SECONDS), "ADPROXY_IDLE_SECONDS": str(PATIENCE_SECONDS)}
    with TemporaryDirectory() as folder, serving(Origin(), lifespan="off") as site:
        adproxy = Adproxy(Path(folder), f"http://127.0.0.1:{site.port}", "--rules", "rules/news.yaml", **patience)
        try:
            adproxy.start()
            for name, options in ATTACKS.items():
                url = f"http://127.0.0.1:{adproxy.port}/story"
                command = [program("slowhttptest"), *options, "-c", str(CONNECTIONS), "-r", "100", "-p", "3"]
                command += ["-l", str(SECONDS), "-u", url]
                done = subprocess.run(
                    command, cwd=folder, capture_output=True, text=True, timeout=SECONDS + 30, check=False
                )
                words = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
                end = (re.findall(r"Exit status:\s*(.+)", words) or ["nothing"])[-1].strip()
                available = re.findall(r"service available:\s*(\w+)", words)
                said.append(f"{name}: {end}")
                if not available or "NO" in available:
                    breaches.append(f"{name}: the site was away")
                if end != "No open connections left" and name != SEES_NO_END:
                    breaches.append(f"{name}: {end}")
        finally:
            adproxy.end()
    return f"{CONNECTIONS} connections each; " + "; ".join(said), breaches
