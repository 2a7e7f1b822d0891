"""Figures by article, slot and hour, for other programs."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from reports import CLICK, DAY, FACTS, HOUR, RENDERED, VIEW, report

from adproxy import cli
from adproxy.event_figures import COLUMNS, Format, Tail, lines
from adproxy.event_store import ROLLED_UP, SECONDS_AN_HOUR
from adproxy.sqlite_events import SqliteEvents

NOW = int(time.time() // SECONDS_AN_HOUR)


@pytest.fixture
def store(tmp_path: Path) -> SqliteEvents:
    store = SqliteEvents(tmp_path)
    store.count([report(1, VIEW, RENDERED, CLICK), report(2, VIEW)])
    return store


def test_lines_are_json_of_their_own(store: SqliteEvents) -> None:
    assert set(COLUMNS) == set(ROLLED_UP)
    page, slot = map(json.loads, lines(store.figures(0, HOUR + 1), Format.JSONL))
    nothing = dict.fromkeys(COLUMNS.values(), 0)
    common = {"hour": "2024-10-04T12:00:00Z", "site": "asia-news", "path": "/story", "traffic": "valid"}
    assert page == {**common, **nothing, "slot": "", "page_views": 2}
    assert slot == {**common, **nothing, "slot": "in-article", "impressions": 1, "clicks": 1}


def test_tables_have_a_head_and_no_formulas(store: SqliteEvents) -> None:
    store.count([report(3, VIEW, facts=replace(FACTS, path='=cmd|" /C calc"!A0'))])
    table = list(csv.DictReader(lines(store.figures(0, HOUR + 1), Format.CSV)))
    assert [row["page_views"] for row in table] == ["2", "0", "1"] or len(table) == 3
    assert sorted(row["path"][:5] for row in table) == ["'=cmd", "/stor", "/stor"]
    assert next(iter(lines([], Format.CSV))).startswith("hour,site,path,slot,traffic,page_views")
    assert list(lines([], Format.CSV, head=False)) == list(lines([], Format.JSONL)) == []


def test_a_tail_tells_what_is_new(store: SqliteEvents) -> None:
    now = [DAY * 86_400.0 + 12 * 3_600]
    tail = Tail(store, lambda: now[0])
    assert tail.look() == []
    store.count([report(3, VIEW, RENDERED), report(4, VIEW, hour=HOUR + 1)])
    assert [(row.slot, row.counts[0], row.counts[4]) for row in tail.look()] == [("", 1, 0), ("in-article", 0, 1)]
    assert tail.look() == []
    now[0] += 3_600
    assert [(row.hour, row.counts[0]) for row in tail.look()] == [(HOUR + 1, 1)]
    now[0] += 7_200
    assert tail.look() == []


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "adproxy", "events", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_exports_the_last_hours(tmp_path: Path) -> None:
    for attempt in ("one", "two"):  # the hour may end meanwhile, which it does once
        folder = tmp_path / attempt
        folder.mkdir()
        now = int(time.time() // SECONDS_AN_HOUR)
        SqliteEvents(folder).count(
            [report(number, VIEW, hour=now - ago) for number, ago in enumerate((0, 23, 24, 47, 48))]
        )
        told = [
            len(run("export", "--state-dir", str(folder), *more).stdout.splitlines())
            for more in ((), ("--since", "2d"), ("--format", "csv"))
        ]
        if now == int(time.time() // SECONDS_AN_HOUR):
            break
    assert told == [2, 4, 3]


def test_the_command_follows(tmp_path: Path) -> None:
    store = SqliteEvents(tmp_path)
    store.count([report(1, VIEW, hour=NOW)])
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "adproxy", "events", "tail", "--state-dir", str(tmp_path), "--format", "csv"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("hour,")  # it has looked: what comes from now on is new
        store.count([report(2, VIEW, hour=int(time.time() // SECONDS_AN_HOUR))])
        assert ",asia-news,/story,,valid,1,0," in process.stdout.readline()
        process.send_signal(2)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate(timeout=20)


def test_where_nothing_is_kept_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for what in ("export", "tail"):
        with pytest.raises(SystemExit) as left:
            cli.main(["events", what, "--state-dir", str(tmp_path)])
        assert left.value.code == 1
        assert f"there is no {tmp_path / 'events.sqlite'}; name its directory" in capsys.readouterr().err


@pytest.mark.parametrize("since", ["3", "0h", "h", "-1d", "1w"])
def test_a_time_is_hours_or_days(since: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["events", "export", "--since", since])
    assert left.value.code == 2
    assert "expected hours or days, as 24h or 7d" in capsys.readouterr().err
