"""The metrics of several processes as one. Each worker is a process of its own, because the client library is told once
for a whole process where to count."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from small_site import load

from adproxy import shared_metrics
from adproxy.board import Board, RestartReason
from adproxy.metrics import MAX_SERIES, OTHER, Metrics
from adproxy.rules.ruleset import RuleBook
from adproxy.shared_metrics import SET_ASIDE, Damaged, SharedMetrics, entries, tidy

WORKER = """
import os, signal, sys
from pathlib import Path
from small_site import load
from adproxy.metrics import Metrics
from adproxy.model import SkipReason
from adproxy.shared_metrics import worker_metrics

directory, slot = Path(sys.argv[1]), int(sys.argv[2])
def count(pages):
    for _ in range(pages):
        metrics.page("small-site", "rewritten")
        metrics.observe_rewrite(0.0002)
        metrics.observe_rewrite(3.0)
PREPARED
metrics = worker_metrics(directory, slot)
metrics.rules_loaded(load())
DONE
"""


def work(folder: Path, slot: int, done: str, prepared: str = "", code: int = 0) -> str:
    program = WORKER.replace("PREPARED", prepared).replace("DONE", done)
    ended = subprocess.run(
        [sys.executable, "-c", program, str(folder), str(slot)],
        cwd=Path(__file__).parent,
        env={"PYTHONPATH": str(Path(__file__).parent.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    return ended.stdout + ended.stderr


def values(metrics: SharedMetrics | Metrics) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(metrics.exposition()[0].decode())
        for sample in family.samples
    }


def shared(folder: Path, workers: int = 2) -> SharedMetrics:
    return SharedMetrics(folder, Board(workers))


REWRITTEN = ("adproxy_pages_total", "rewritten", "none", "small-site")


def test_the_workers_counts_are_added_up(tmp_path: Path) -> None:
    work(tmp_path, 0, "count(3)")
    work(tmp_path, 1, "count(4); metrics.page('small-site', 'skipped', SkipReason.PATH)")
    seen = values(shared(tmp_path))
    assert seen[REWRITTEN] == 7
    assert seen["adproxy_pages_total", "skipped", "path", "small-site"] == 1
    assert seen["adproxy_rewrite_seconds_bucket", "0.0001"] == 0
    assert seen["adproxy_rewrite_seconds_bucket", "0.00025"] == 7
    assert seen["adproxy_rewrite_seconds_bucket", "1.0"] == 7
    assert seen["adproxy_rewrite_seconds_bucket", "+Inf"] == 14
    assert seen["adproxy_rewrite_seconds_count",] == 14
    assert seen["adproxy_rewrite_seconds_sum",] == pytest.approx(7 * 3.0002)


def test_they_are_the_series_that_one_process_has(tmp_path: Path) -> None:
    work(tmp_path, 0, "count(1)")
    alone = Metrics()
    alone.rules_loaded(load())
    together = shared(tmp_path)
    together.rules_loaded(load())
    only_together = {key for key in values(together) if key not in values(alone)}
    assert {key[0] for key in only_together} == {
        "adproxy_workers_wanted",
        "adproxy_workers_running",
        "adproxy_workers_with_current_rules",
        "adproxy_worker_restarts_total",
        "adproxy_metrics_corrupt_files",
    }
    assert set(values(alone)) <= set(values(together))
    assert not any("_created" in key[0] for key in values(together))


def test_f9_a_worker_that_is_killed_loses_nothing_and_its_successor_counts_on(tmp_path: Path) -> None:
    kill = "count({}); os.kill(os.getpid(), signal.SIGKILL)"
    work(tmp_path, 0, "count(5)")
    for times in (3, 4):
        work(tmp_path, 0, kill.format(times), code=-9)
    assert values(shared(tmp_path))[REWRITTEN] == 12
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_slot_counted_is_still_counted_when_there_are_fewer_workers(tmp_path: Path) -> None:
    for slot in range(3):
        work(tmp_path, slot, "count(2)")
    assert values(shared(tmp_path, workers=1))[REWRITTEN] == 6


def test_a_process_that_is_no_worker_counts_for_itself(tmp_path: Path) -> None:
    program = """
import os, sys
import adproxy.serve
from adproxy.metrics import Metrics
from prometheus_client import values
metrics = Metrics()
metrics.page("x", "rewritten")
assert values.ValueClass is values.MutexValue
assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- the state of things ------------------------------------------------------------------


def test_the_state_of_the_workers(tmp_path: Path) -> None:
    board = Board(3)
    metrics = SharedMetrics(tmp_path, board)
    metrics.rules_loaded(load())
    revision = load().revision
    assert values(metrics)["adproxy_workers_running",] == 0
    for slot in range(3):
        board.alive(slot)
    board.has_rules(0, revision)
    board.has_rules(1, "000000000001")
    board.replaced(2, RestartReason.SIGNAL)
    seen = values(metrics)
    assert seen["adproxy_workers_wanted",] == 3
    assert seen["adproxy_workers_running",] == 3
    assert seen["adproxy_workers_with_current_rules",] == 1
    assert seen["adproxy_worker_restarts_total", "signal"] == 1
    assert seen["adproxy_worker_restarts_total", "hang"] == 0
    assert seen["adproxy_rules_info", revision] == 1
    metrics.rules_failed()
    assert values(metrics)["adproxy_rules_last_reload_successful",] == 0


# --- damage -------------------------------------------------------------------------------


def test_f9_a_damaged_file_costs_its_own_counts_and_nothing_else(tmp_path: Path) -> None:
    work(tmp_path, 0, "count(3)")
    work(tmp_path, 1, "count(4)")
    (tmp_path / "counter_0.db").write_bytes(b"no such file")
    seen = values(shared(tmp_path))
    assert seen[REWRITTEN] == 4
    assert seen["adproxy_rewrite_seconds_count",] == 14
    assert seen["adproxy_metrics_corrupt_files",] == 1

    assert "counter_0.db can't be read and start anew" in work(tmp_path, 0, "count(2)")
    seen = values(shared(tmp_path))
    assert seen[REWRITTEN] == 6
    assert seen["adproxy_metrics_corrupt_files",] == 1, "one that was set aside is told until somebody takes it away"
    (tmp_path / f"counter_0.db{SET_ASIDE}").unlink()
    assert values(shared(tmp_path))["adproxy_metrics_corrupt_files",] == 0


def test_any_damage_is_found_out_or_does_no_harm(tmp_path: Path) -> None:
    """The client library itself raises on some of these, and on others never comes back."""
    work(tmp_path, 0, "count(3)")
    file = tmp_path / "counter_0.db"
    whole = file.read_bytes()
    used = int.from_bytes(whole[:4], "little")
    rng = random.Random(1)
    found_out = 0
    for _ in range(300):
        data = bytearray(whole[: used + 64])
        kind = rng.randrange(3)
        if kind == 0:
            del data[rng.randrange(len(data)) :]
        elif kind == 1:
            at = rng.randrange(0, used - 4)
            data[at : at + 4] = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xec\xff\xff\xff", rng.randbytes(4)])
        else:
            at = rng.randrange(8, used)
            data[at : at + 16] = rng.randbytes(16)
        file.write_bytes(data)
        seen = values(shared(tmp_path))
        assert all(value >= 0 for value in seen.values())
        found_out += seen["adproxy_metrics_corrupt_files",] == 1
    assert found_out > 100


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_value_that_no_counter_has_is_damage(tmp_path: Path, value: float) -> None:
    work(tmp_path, 0, "count(3)")
    file = tmp_path / "counter_0.db"
    data = bytearray(file.read_bytes())
    length = int.from_bytes(data[8:12], "little")
    at = 12 + length + (8 - (length + 4) % 8)
    data[at : at + 8] = struct.pack("d", value)
    file.write_bytes(data)
    with pytest.raises(Damaged, match="a counter never is"):
        entries(file)


def test_a_file_that_was_made_a_moment_ago_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "counter_0.db").write_bytes(b"")
    (tmp_path / "counter_1.db").write_bytes(bytes(65536))
    assert values(shared(tmp_path))["adproxy_metrics_corrupt_files",] == 0


def test_a_disk_without_room_costs_the_metrics_not_the_worker(tmp_path: Path) -> None:
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    said = work(tmp_path, 0, "count(3); print(len(list(metrics.families())))", full)
    assert "this worker's metrics are lost" in said
    counted = len(list(Metrics().families())) + 4  # the rules' state
    assert f"{counted}\n" in said


# --- bounds -------------------------------------------------------------------------------


def many(folder: Path, slot: int, series: int) -> None:
    """Counts for that many slots of a site that rules named once."""
    work(folder, slot, f"metrics._placements.labels('old-site', 'top').inc({slot + 5})")
    program = (
        "from prometheus_client.mmap_dict import MmapedDict, mmap_key\n"
        f"store = MmapedDict(str(directory / 'counter_{slot}.db'))\n"
        f"for n in range({series}):\n"
        "    key = mmap_key('adproxy_slot_placements', 'adproxy_slot_placements_total', ['site', 'slot'],"
        " ['old-site', f'slot-{n}'], 'h')\n"
        "    store.write_value(key, 2.0, 0.0)\n"
        "store.close()"
    )
    work(folder, slot, "", program)


def test_what_no_rules_name_any_more_is_dropped_from_all_files_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(tmp_path, 0, "count(3)")
    work(tmp_path, 1, "count(4); metrics.page('unknown', 'rewritten')")
    many(tmp_path, 0, 500)
    old = ("adproxy_slot_placements_total", "old-site", "top")
    gone = ("adproxy_slot_placements_total", "small-site", "gone")
    work(
        tmp_path, 1, "[metrics._placements.labels(*of).inc(1) for of in (('old-site', 'top'), ('small-site', 'gone'))]"
    )
    before = values(shared(tmp_path))
    assert (before[old], before[gone]) == (6, 1)

    tidy(tmp_path, load())
    assert values(shared(tmp_path)) == before, "it is not that much yet"
    monkeypatch.setattr(shared_metrics, "TIDY_ENTRIES", 400)
    tidy(tmp_path, RuleBook())
    assert values(shared(tmp_path)) == before, "rules that could not be read name nothing"
    tidy(tmp_path, load())
    after = values(shared(tmp_path))
    assert {key: value for key, value in before.items() if "old-site" not in key and key != gone} == after
    assert after["adproxy_pages_total", "rewritten", "none", OTHER] == 1

    work(tmp_path, 0, "count(1)")  # the files are as good as before
    assert values(shared(tmp_path))[REWRITTEN] == 8
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "counter_0.db",
        "counter_1.db",
        "histogram_0.db",
        "histogram_1.db",
    ]


def test_a_damaged_file_is_set_aside_before_anybody_counts(tmp_path: Path) -> None:
    (tmp_path / "histogram_7.db").write_bytes(b"damaged, and longer than eight")
    tidy(tmp_path, load())
    assert [file.name for file in tmp_path.iterdir()] == ["histogram_7.db.corrupt"]


def test_a_worker_whose_files_are_nearly_full_makes_no_new_series(tmp_path: Path) -> None:
    many(tmp_path, 0, 4 * MAX_SERIES)
    said = work(tmp_path, 0, "count(2)")
    assert "are counted as _other" in said
    seen = values(shared(tmp_path))
    assert REWRITTEN in seen, "an earlier process made it"
    assert seen["adproxy_pages_total", "rewritten", "none", OTHER] == 2
