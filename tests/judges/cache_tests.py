"""cache-tests: what a cache would see of an origin, with adproxy in front of it and without."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chain import Adproxy, Process, program
from wire import free_port

SECONDS = 420
"""For all of its tests: several wait for lifetimes to end."""

DROPPED = "a condition that names a page without slots is not passed on where the answer may be a page"
MEANT = {"conditional-etag-forward": DROPPED, "conditional-lm-stale": DROPPED}
"""Differences that are meant, each with its reason."""
NO_ANSWER = "FetchError"
"""The origin closes the connection, or sends another length than it says: directly there is no answer, and through any
gateway there is a 502. Such a test passes on neither way; it fails in other words."""


def _results(package: Path, base: str) -> dict[str, Any]:
    done = subprocess.run(
        [program("node"), "--no-warnings", "cli.mjs"],
        cwd=package,
        # no id means all of them
        env={**os.environ, "npm_config_base": base, "npm_config_id": "", "npm_package_config_id": ""},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    results: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return results


def _outcome(result: object) -> str:
    """Passed, or the kind of failure; what it says in words holds times and names made for the run."""
    return str(result[0]) if isinstance(result, list) else str(result)


def judge(tools: Path) -> tuple[str, list[str]]:
    """What was found in a line, and the differences that nobody meant."""
    package = tools / "node_modules" / "http-cache-tests"
    port = free_port()
    with TemporaryDirectory() as folder:
        environment = {
            "npm_config_protocol": "http",
            "npm_config_port": str(port),
            "npm_config_pidfile": f"{folder}/pid",
        }
        server = Process(
            [program("node"), package / "server" / "server.mjs"], port, Path(folder) / "server.log", environment
        )
        adproxy = Adproxy(Path(folder), f"http://127.0.0.1:{port}", "--rules", "rules/news.yaml")
        try:
            server.start()
            adproxy.start()
            direct = _results(package, f"http://127.0.0.1:{port}")
            through = _results(package, f"http://127.0.0.1:{adproxy.port}")
        finally:
            adproxy.end()
            server.kill()
    differing = [name for name in direct if _outcome(direct[name]) != _outcome(through.get(name))]
    # A test that passes on one way alone is no such case, whatever the failure is called.
    unanswered = [
        name for name in differing if _outcome(direct[name]) == NO_ANSWER and through.get(name) not in (True, None)
    ]
    meant = [name for name in differing if name in MEANT]
    said = f"{len(direct)} tests, {len(differing) - len(unanswered)} differ"
    said += "".join(f"; {name}: {MEANT[name]}" for name in meant)
    said += f"; {len(unanswered)} fail both ways, directly without an answer, through adproxy with a 502: "
    said += ", ".join(unanswered)
    return said, [
        f"{name}: {_outcome(direct[name])} directly, {through.get(name)} through adproxy"
        for name in differing
        if name not in (*meant, *unanswered)
    ]
