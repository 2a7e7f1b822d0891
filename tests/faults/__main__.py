"""Makes trouble of every kind and says what came of it: exit code 1 where a promise was broken.

    python -m faults --length 1.0

At full length (1.0) 100,000 readers leave at random points, and rules are edited for ten minutes; it takes about half
an hour. A hundredth of it takes a minute.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterable

from faults import disconnects, hostile_pages, overload, restarts, slow_readers, upstream_faults
from faults.stage import Row

SHOWN = 5
"""Breaches of each kind that are printed."""


def rows(length: float) -> Iterable[list[Row]]:
    """The whole play, part by part."""
    yield disconnects.play(max(200, round(100_000 * length)))
    yield upstream_faults.play(max(1, round(20 * length)))
    yield slow_readers.play(max(10, round(250 * length)), judge_times=True)
    yield hostile_pages.play(max(1, round(5 * length)), judge_times=True)
    yield overload.play(max(1, round(20 * length)), judge_times=True)
    yield restarts.play(max(1, round(100 * length)), max(6, round(600 * length)))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--length", type=float, default=0.01, help="of the full length (0.01)")
    length = parser.parse_args().length
    logging.disable(logging.CRITICAL)  # trouble is meant
    print(f"{'trouble':48}{'times':>9}{'breaches':>10}  note")
    broken = 0
    began = time.monotonic()
    for part in rows(length):
        for row in part:
            broken += len(row.breaches)
            print(f"{row.trouble:48}{row.times:9,}{len(row.breaches):10}  {row.note}", flush=True)
            for breach in row.breaches[:SHOWN]:
                print(f"    {breach}", flush=True)
    took = time.monotonic() - began
    print(f"\n{'BROKEN' if broken else 'every promise was kept'} ({took:.0f} s)")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
