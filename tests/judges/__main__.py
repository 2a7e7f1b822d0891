"""Runs every judge, or those that are named: exit code 1 where one has found something.

    python -m judges TOOLS [cache-tests redbot slowhttptest varnishtest]

TOOLS: the folder in which `tests/setup.sh judges` has put them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from judges import cache_tests, redbot, slow_http, varnishtest

JUDGES = {
    "varnishtest": varnishtest.judge,
    "slowhttptest": slow_http.judge,
    "redbot": redbot.judge,
    "cache-tests": cache_tests.judge,
}


def main(tools: Path, names: list[str]) -> int:
    unknown = [name for name in names if name not in JUDGES]
    if unknown:
        print(f"no judge is called {' or '.join(unknown)}: there are {', '.join(JUDGES)}", file=sys.stderr)
        return 2
    failed = False
    for name in names or JUDGES:
        said, breaches = JUDGES[name](tools)
        failed = failed or bool(breaches)
        print(f"{name:14} {'FAILED' if breaches else 'ok':8} {said}", flush=True)
        for breach in breaches:
            print(f"    {breach}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
