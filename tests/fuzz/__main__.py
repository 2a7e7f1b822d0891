"""Fuzzes each target for so many seconds, and says what came of it: exit code 1 where something was found.

    python -m fuzz --seconds 900 [--only TARGET …] [--keep]

A target starts from its seeds and the inputs that are kept. For most of its time it runs by the sources, which tell
what an input reaches; then what is compiled gets all inputs that reached something new, and others made of them.
`--keep`: put the small inputs that reach further into `corpus/`, for the next run and for the tests. What was found is
printed and lies in the folder that is named.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fuzz import kept
from fuzz.targets import TARGETS

WALL_SECONDS = 120
"""An input that takes longer is looked at again: on a busy machine it says little."""
CPU_SECONDS = 5
"""An input that takes more when it runs alone is a finding. The costliest honest page takes a tenth of a second."""
MEMORY_MIB = 2048
BY_SOURCES = 0.75
"""Of a target's time."""
GRACE_SECONDS = 180
"""For the start, the last input, and looking at what was covered."""
MAX_KEPT = 250
MAX_KEPT_BYTES = 1_000


@dataclass(frozen=True)
class Outcome:
    target: str
    executions: int
    inputs: int
    lines: str
    branches: str
    findings: list[Path]
    said: str


def _one(*arguments: str, seconds: float, by_sources: bool) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fuzz.one", *arguments]
    sources = "1" if by_sources else os.environ.get("ADPROXY_PURE_PYTHON", "")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "ADPROXY_PURE_PYTHON": sources}
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=seconds, env=environment, check=False
    )


def _share(done: int, of: int) -> str:
    return f"{100 * done / of:.1f} %" if of else "–"


def _is_one(name: str, file: Path) -> bool:
    """Whether what was found is found again by itself: it raises, crashes, or takes too much of the processor."""
    return any(
        _one("again", name, str(CPU_SECONDS), str(file), seconds=WALL_SECONDS * 2, by_sources=by_sources).returncode
        for by_sources in (False, True)
    )


def fuzz(name: str, seconds: int, folder: Path, *, runs: int = -1, seed: int = 0) -> Outcome:
    """Everything about one target lies in `folder` afterwards. `runs`: executions at most; `seed`: 0 is another each
    time."""
    target = TARGETS[name]
    corpus, seeds, found = folder / "corpus", folder / "seeds", folder / "found"
    for each in (corpus, found):
        each.mkdir(parents=True)
    kept.unpack(target.seeds() + kept.load(name), seeds)
    words = folder / "words"
    lines = ("".join(f"\\x{byte:02x}" for byte in word.encode("latin-1")) for word in target.words())
    words.write_text("".join(f'"{line}"\n' for line in lines), encoding="ascii")
    by_sources = max(1, round(seconds * BY_SOURCES))
    options = {
        "runs": runs,
        "seed": seed,
        "max_len": target.longest,
        "timeout": WALL_SECONDS,
        "report_slow_units": WALL_SECONDS,
        "rss_limit_mb": MEMORY_MIB,
        "dict": words,
        "artifact_prefix": f"{found}/",
        "print_final_stats": 1,
    }
    given = [f"-{option}={value}" for option, value in options.items()]
    runs_of = [
        _one("fuzz", name, *given, f"-max_total_time={part}", str(corpus), str(seeds),
             seconds=part + GRACE_SECONDS, by_sources=first)
        for first, part in ((True, by_sources), (False, max(1, seconds - by_sources)))
    ]  # fmt: skip
    counted = [re.search(r"stat::number_of_executed_units: (\d+)", run.stderr) for run in runs_of]
    findings = [file for file in sorted(found.iterdir()) if _is_one(name, file)]
    lines_covered = branches_covered = "–"
    if not findings:
        report = folder / "coverage.json"
        _one("cover", name, str(report), str(seeds), str(corpus), seconds=seconds + GRACE_SECONDS, by_sources=True)
        totals = json.loads(report.read_text())["totals"]
        lines_covered = _share(totals["covered_lines"], totals["num_statements"])
        branches_covered = _share(totals["covered_branches"], totals["num_branches"])
    failed = next((run for run in runs_of if run.returncode), runs_of[0])
    repeated = bool(findings) or (failed.returncode != 0 and not list(found.iterdir()))
    said = (failed.stdout + failed.stderr[-1500:]).strip() or f"ended with {failed.returncode}"
    return Outcome(
        name,
        sum(int(each[1]) for each in counted if each),
        len(list(corpus.iterdir())),
        lines_covered,
        branches_covered,
        findings,
        said if repeated else "",
    )


def _keep(name: str, folder: Path) -> int:
    """Keep small inputs that reached something new when they were found, of all lengths, beside those kept already."""
    small = sorted((file.read_bytes() for file in (folder / "corpus").iterdir()), key=len)
    small = [one for one in small if len(one) <= MAX_KEPT_BYTES]
    step = max(1, len(small) // MAX_KEPT)
    return kept.keep(name, small[::step] + kept.load(name))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--only", nargs="*", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--runs", type=int, default=-1, help="executions at most, the seeds' included (any number)")
    parser.add_argument("--seed", type=int, default=0, help="the same inputs each time (0: others)")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="adproxy-fuzz-"))
    print(f"{'target':10}{'executions':>12}{'inputs':>8}{'lines':>9}{'branches':>10}{'findings':>10}", flush=True)
    broken = []
    for name in arguments.only:
        outcome = fuzz(name, arguments.seconds, folder / name, runs=arguments.runs, seed=arguments.seed)
        print(
            f"{name:10}{outcome.executions:12,}{outcome.inputs:8,}{outcome.lines:>9}{outcome.branches:>10}"
            f"{len(outcome.findings):10}",
            flush=True,
        )
        if outcome.findings or outcome.said:
            broken.append(outcome)
        elif arguments.keep:
            print(f"{'':10}{_keep(name, folder / name)} small inputs are kept", flush=True)
    for outcome in broken:
        for file in outcome.findings:
            print(f"\n{outcome.target}: {file}\n{file.read_bytes()[:500]!r}")
        print(outcome.said)
    print("\n" + ("FOUND: " + ", ".join(one.target for one in broken) if broken else f"nothing found; {folder}"))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
