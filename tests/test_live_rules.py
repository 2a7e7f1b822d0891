"""LiveRules: every way in which files change is seen, and a bad edit never takes good rules away."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from adproxy import live_rules
from adproxy.live_rules import LiveRules
from adproxy.metrics import Metrics
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import RuleBook

POLL_SECONDS = 0.05
BAD = "version: 1\nsite: news\nslots: [oops\n"


def rules(slot: str) -> str:
    return f"""\
version: 1
site: news
pages:
  - {{path: "/**"}}
slots:
  {slot}:
    place: above-headline
    sizes: {{phone: [320x50]}}
"""


def slots_in(book: RuleBook) -> set[str]:
    return {
        slot.name
        for rule_set in book.rule_sets
        for rule in rule_set.pages
        if rule.policy is not None
        for slot in rule.policy.slots
    }


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, f"not within 20 s: {what}"
        time.sleep(0.01)


def wait_for_slot(live: LiveRules, slot: str) -> None:
    wait_until(lambda: slots_in(live.book) == {slot}, f"slot {slot} in force")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "site.yaml").write_text(rules("first"))
    return folder


@pytest.fixture
def watch() -> Iterator[Callable[..., LiveRules]]:
    running: list[LiveRules] = []

    def start(path: Path, metrics: Metrics | None = None) -> LiveRules:
        live = LiveRules(path, metrics=metrics, poll_seconds=POLL_SECONDS)
        running.append(live)
        live.start()
        return live

    yield start
    for live in running:
        live.stop()


def files_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read from now on, as they are."""
    read: list[str] = []
    digest = hashlib.file_digest

    def told(file: BinaryIO, name: str) -> Any:
        read.append(Path(file.name).name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", told)
    return read


def gauge(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(name)


def test_good_rules_are_in_force_when_the_constructor_returns(folder: Path) -> None:
    metrics = Metrics()
    live = LiveRules(folder, metrics=metrics)
    status = live.status()
    assert slots_in(live.book) == {"first"}
    assert status.revision == live.book.revision
    assert status.loaded_at is not None
    assert status.files == live.book.files
    assert live.problem is None
    assert gauge(metrics, "adproxy_rules_last_reload_successful") == 1


@pytest.mark.parametrize("one_file", [False, True], ids=["directory", "file"])
def test_an_edit_in_place_is_taken(folder: Path, watch: Callable[..., LiveRules], one_file: bool) -> None:
    live = watch(folder / "site.yaml" if one_file else folder)
    before = live.book
    (folder / "site.yaml").write_text(rules("second"))
    wait_for_slot(live, "second")
    assert slots_in(before) == {"first"}
    assert live.status().revision == live.book.revision != before.revision


def test_f11_a_change_that_keeps_size_and_modification_time_is_taken(
    folder: Path, watch: Callable[..., LiveRules]
) -> None:
    file = folder / "site.yaml"
    live = watch(folder)
    stamp = file.stat()
    file.write_text(rules("third"))
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert file.stat().st_size == stamp.st_size
    wait_for_slot(live, "third")


def test_f11_of_files_that_lie_still_only_those_are_read_that_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_rules, "_SETTLED_SECONDS", -60.0)  # at once, and not after seconds
    for n in range(9):
        (folder / f"ads-{n}.txt").write_text("example.com, 1, DIRECT\n")
    live = LiveRules(folder)
    read = files_read(monkeypatch)
    live.poll()
    assert read == []
    time.sleep(0.02)  # longer than the clock of file systems stands still
    file = folder / "site.yaml"
    stamp = file.stat()
    file.write_text(rules("third"))
    os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    live.poll()
    assert read == ["site.yaml"]
    live.poll()
    assert slots_in(live.book) == {"third"}
    assert set(read) == {"site.yaml"}


def test_f11_a_file_that_changed_a_moment_ago_is_read_at_each_look(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveRules(folder)
    read = files_read(monkeypatch)
    live.poll()
    live.poll()
    assert read == ["site.yaml", "site.yaml"]


def test_of_very_many_problems_the_log_has_the_first(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for n in range(60):
        (folder / f"bad-{n}.yaml").write_text("oops: 1\n")
    with caplog.at_level(logging.ERROR):
        live = LiveRules(folder)
    assert live.problem is not None
    assert len(live.problem.splitlines()) >= 60
    assert len(caplog.text.splitlines()) < 50
    assert "adproxy check shows all of them" in caplog.text


def test_f11_a_rename_over_the_file_is_taken(folder: Path, watch: Callable[..., LiveRules]) -> None:
    live = watch(folder)
    (folder / ".site.yaml.swp").write_text(rules("second"))
    (folder / ".site.yaml.swp").replace(folder / "site.yaml")
    wait_for_slot(live, "second")


def test_f11_delete_and_create_is_taken_and_the_old_rules_hold_between(
    folder: Path, watch: Callable[..., LiveRules]
) -> None:
    live = watch(folder / "site.yaml")
    (folder / "site.yaml").unlink()
    wait_until(lambda: live.problem is not None, "a problem")
    assert slots_in(live.book) == {"first"}
    (folder / "site.yaml").write_text(rules("second"))
    wait_for_slot(live, "second")
    assert live.problem is None


def test_f11_the_symlink_swap_of_a_config_map_is_taken(tmp_path: Path, watch: Callable[..., LiveRules]) -> None:
    mount = tmp_path / "mount"

    def version(name: str, slot: str) -> None:
        (mount / name).mkdir(parents=True)
        (mount / name / "site.yaml").write_text(rules(slot))
        os.utime(mount / name / "site.yaml", ns=(0, 0))
        (mount / "..data_tmp").symlink_to(name)
        (mount / "..data_tmp").replace(mount / "..data")

    version("..2024_01", "first")
    (mount / "site.yaml").symlink_to("..data/site.yaml")
    live = watch(mount)
    assert slots_in(live.book) == {"first"}
    version("..2024_02", "second")
    shutil.rmtree(mount / "..2024_01")
    wait_for_slot(live, "second")
    assert live.problem is None


def test_a_file_that_comes_or_goes_in_the_directory_is_seen(folder: Path, watch: Callable[..., LiveRules]) -> None:
    live = watch(folder)
    (folder / "other.yaml").write_text(rules("second").replace("site: news", "site: other\nhosts: [other.example]"))
    wait_until(lambda: slots_in(live.book) == {"first", "second"}, "both files")
    (folder / "other.yaml").unlink()
    wait_for_slot(live, "first")


def test_a_file_that_is_reached_by_use_is_watched_too(tmp_path: Path, watch: Callable[..., LiveRules]) -> None:
    (tmp_path / "group.yaml").write_text(rules("first"))
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "site.yaml").write_text("version: 1\nsite: news\nuse: [../group.yaml]\n")
    live = watch(tmp_path / "sites")
    assert slots_in(live.book) == {"first"}
    (tmp_path / "group.yaml").write_text(rules("second"))
    wait_for_slot(live, "second")


def test_a_file_named_by_use_that_appears_later_mends_the_rules(
    tmp_path: Path, watch: Callable[..., LiveRules]
) -> None:
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "site.yaml").write_text("version: 1\nsite: news\nuse: [../group.yaml]\n")
    live = watch(tmp_path / "sites")
    assert live.problem is not None
    (tmp_path / "group.yaml").write_text(rules("first"))
    wait_for_slot(live, "first")
    assert live.problem is None


def test_f12_a_file_that_is_still_being_written_is_left_to_its_writer(folder: Path) -> None:
    live = LiveRules(folder)
    for half in ("half", "other-half"):
        (folder / "site.yaml").write_text(rules(half))
        live.poll()
        assert slots_in(live.book) == {"first"}
    (folder / "site.yaml").write_text(rules("whole"))
    live.poll()
    assert slots_in(live.book) == {"first"}
    live.poll()
    assert slots_in(live.book) == {"whole"}


def test_f12_rules_that_change_while_they_are_read_are_not_put_in_force(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveRules(folder)

    def load_then_edit(path: Path) -> RuleBook:
        book = load_rules(path)
        monkeypatch.setattr(live_rules, "load_rules", load_rules)
        (folder / "site.yaml").write_text(rules("third"))
        return book

    monkeypatch.setattr(live_rules, "load_rules", load_then_edit)
    (folder / "site.yaml").write_text(rules("second"))
    live.poll()
    live.poll()
    assert slots_in(live.book) == {"first"}
    live.poll()
    assert slots_in(live.book) == {"third"}


def test_rules_that_change_while_the_process_starts_are_taken_by_the_next_looks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_then_edit(path: Path) -> RuleBook:
        book = load_rules(path)
        monkeypatch.setattr(live_rules, "load_rules", load_rules)
        (folder / "site.yaml").write_text(rules("second"))
        return book

    monkeypatch.setattr(live_rules, "load_rules", load_then_edit)
    live = LiveRules(folder)
    assert slots_in(live.book) == {"first"}
    live.poll()
    assert slots_in(live.book) == {"second"}


def test_f12_a_bad_edit_keeps_the_last_good_rules_and_says_where_it_is_wrong_once(
    folder: Path, watch: Callable[..., LiveRules], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "adproxy.live_rules")
    metrics = Metrics()
    live = watch(folder, metrics)
    good = live.book
    (folder / "site.yaml").write_text(BAD)
    wait_until(lambda: live.problem is not None, "a problem")
    assert live.book is good
    assert live.status().revision == good.revision
    assert f"{folder / 'site.yaml'}:" in (live.problem or "")
    assert gauge(metrics, "adproxy_rules_last_reload_successful") == 0
    time.sleep(POLL_SECONDS * 8)  # several more attempts
    said = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 1
    assert "site.yaml:" in said[0].getMessage()
    (folder / "site.yaml").write_text(rules("second"))
    wait_for_slot(live, "second")
    assert live.problem is None
    assert gauge(metrics, "adproxy_rules_last_reload_successful") == 1
    assert any("good again" in record.getMessage() for record in caplog.records)


def test_f12_a_process_that_starts_on_bad_rules_passes_every_page_alarms_and_keeps_looking(
    folder: Path, watch: Callable[..., LiveRules], caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "site.yaml").write_text(BAD)
    metrics = Metrics()
    live = watch(folder, metrics)
    assert live.book == RuleBook()
    assert live.status().loaded_at is None
    assert gauge(metrics, "adproxy_rules_last_reload_successful") == 0
    assert any(record.levelno == logging.ERROR for record in caplog.records)
    (folder / "site.yaml").write_text(rules("second"))
    wait_for_slot(live, "second")
    assert live.status().loaded_at is not None


def test_a_path_that_does_not_exist_yet_is_a_problem_that_goes_away(
    tmp_path: Path, watch: Callable[..., LiveRules]
) -> None:
    live = watch(tmp_path / "later")
    assert "later" in (live.problem or "")
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "site.yaml").write_text(rules("first"))
    wait_for_slot(live, "first")


def test_a_bug_in_loading_costs_the_reload_and_not_the_rules(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveRules(folder)

    def broken(path: Path) -> RuleBook:
        raise RecursionError("too deep")

    monkeypatch.setattr(live_rules, "load_rules", broken)
    (folder / "site.yaml").write_text(rules("second"))
    live.poll()
    live.poll()
    assert slots_in(live.book) == {"first"}
    assert "too deep" in (live.problem or "")


def test_a_pipe_among_the_rules_does_not_stop_the_watch(folder: Path) -> None:
    live = LiveRules(folder / "site.yaml")
    (folder / "site.yaml").unlink()
    os.mkfifo(folder / "site.yaml")

    def look_twice() -> None:
        live.poll()
        live.poll()

    looked = threading.Thread(target=look_twice, daemon=True)
    looked.start()
    looked.join(10)
    assert not looked.is_alive()
    assert slots_in(live.book) == {"first"}
    assert live.problem is not None


def test_stop_ends_the_thread_and_start_begins_anew(folder: Path, watch: Callable[..., LiveRules]) -> None:
    live = watch(folder)
    live.start()  # a second start is none
    assert sum(thread.name == "adproxy-live-rules" for thread in threading.enumerate()) == 1
    live.stop()
    assert not any(thread.name == "adproxy-live-rules" for thread in threading.enumerate())
    (folder / "site.yaml").write_text(rules("second"))
    live.start()
    wait_for_slot(live, "second")


def test_a_reload_that_is_asked_for_does_not_wait_for_the_next_look(folder: Path) -> None:
    live = LiveRules(folder, poll_seconds=3600)
    live.start()
    try:
        (folder / "site.yaml").write_text(rules("second"))
        live.reload()
        wait_for_slot(live, "second")
        (folder / "site.yaml").write_text(BAD)
        live.reload()
        wait_until(lambda: live.problem is not None, "the mistake is told")
        assert slots_in(live.book) == {"second"}
    finally:
        live.stop()
