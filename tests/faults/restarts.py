"""`adproxy serve` under load, told to stop or given other rules: no request fails, and no page is of two minds."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from our_server import until
from serve_process import SHUTDOWN, serve, under_load, upstream

from faults.stage import Row

WORKERS = "2"
_MARK = re.compile(rb'id="v(\d+)-(\w+)"')


def rules(version: int) -> str:
    """Two slots that carry the version of their rules."""
    slots = "".join(
        f'  {name}: {{place: {place}, sizes: {{phone: [320x50]}}, div: {{id: "v{version}-{name}"}}}}\n'
        for name, place in (("top", "above-headline"), ("end", "end-of-article"))
    )
    return f"version: 1\nsite: small-site\npages:\n  - {{path: '/**'}}\nlimits: {{ad_share: 100%}}\nslots:\n{slots}"


BAD = ("version: 1\nslots: [", "version: 1\nsite: s\nslots: {a: {place: nowhere}}\n", "", "\0")


class _OneMind:
    """Judges pages: both slots must be of the same rules."""

    def __init__(self) -> None:
        self.versions: set[bytes] = set()

    def __call__(self, body: bytes) -> str:
        marks = _MARK.findall(body)
        self.versions |= (found := {version for version, _ in marks})
        return "" if len(marks) == 2 and len(found) == 1 else f"slots of {marks}"


def _stops(times: int) -> Row:
    row = Row("SIGTERM under load", times)
    answered = failed = 0
    with upstream() as url:
        for _ in range(times):
            with TemporaryDirectory() as folder, serve(url, Path(folder), "--workers", WORKERS, rules=rules(0)) as them:
                with under_load(them.site, _OneMind()) as readers:
                    them.process.send_signal(signal.SIGTERM)
                    row.expect(them.process.wait(SHUTDOWN) == 0, "another exit code than 0")
                row.breaches += [wrong for _, wrong in readers.failed]
                answered, failed = answered + readers.answered, failed + len(readers.failed)
    row.note = f"{answered:,} answers, {failed} failed"
    return row


def _written(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def _renamed(file: Path, text: str) -> None:
    other = file.with_suffix(".new")
    _written(other, text)
    other.rename(file)


def _halves(file: Path, text: str) -> None:
    _written(file, text[: len(text) // 2])
    time.sleep(0.01)
    _written(file, text)


WAYS: tuple[Callable[[Path, str], None], ...] = (_written, _renamed, _halves)


def _edits(seconds: int) -> Row:
    row = Row("rules edited once a second, half of them bad", seconds)
    with upstream() as url, TemporaryDirectory() as folder:
        file, one_mind = Path(folder) / "rules.yaml", _OneMind()
        with (
            serve(url, Path(folder), "--workers", WORKERS, rules=rules(0), seconds=seconds + 100) as them,
            under_load(them.site, one_mind) as readers,
        ):
            for number in range(1, seconds + 1):
                WAYS[number % len(WAYS)](file, BAD[number % len(BAD)] if number % 2 else rules(number))
                if number % 3 == 0:
                    them.process.send_signal(signal.SIGHUP)
                time.sleep(1)
            last = max(number for number in range(seconds + 1) if number % 2 == 0)
            _written(file, rules(last))
            until(lambda: str(last).encode() in one_mind.versions, "the last rules are in force")
    row.breaches += [wrong for _, wrong in readers.failed]
    row.note = f"{readers.answered:,} answers, {len(readers.failed)} failed, {len(one_mind.versions)} rule sets seen"
    row.expect(len(one_mind.versions) > 1, "no edit was taken")
    return row


def play(stops: int, seconds: int) -> list[Row]:
    """So many stops under load, and so many seconds of edits."""
    return [_stops(stops), _edits(seconds)]
