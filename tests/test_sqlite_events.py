"""The event store's file: everything once, all or nothing, and no trouble without its name."""

from __future__ import annotations

import multiprocessing
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from reports import CLICK, DAY, FACTS, HOUR, RENDERED, REQUEST, VIEW, VIEWABLE, report

from adproxy import sqlite_events
from adproxy.beacon import Event
from adproxy.event_store import CounterKey, Figures, Outcome, StoreProblem, StoreUnavailable
from adproxy.model import EventKind, WithheldReason
from adproxy.sqlite_events import CLEAN_SECONDS, FILE_NAME, MAX_SET_ASIDE, SET_ASIDE, SqliteEvents
from adproxy.traffic import InvalidReason

NAMED = {"asia-news": frozenset({"top", "in-article"})}


@pytest.fixture
def store(tmp_path: Path) -> SqliteEvents:
    return SqliteEvents(tmp_path)


def total(store: SqliteEvents, kind: EventKind, **wanted: str) -> float:
    return sum(
        value
        for key, value in store.counters().items()
        if key.name == kind.value and all(getattr(key, name) == text for name, text in wanted.items())
    )


def test_each_event_of_a_view_counts_once_whoever_brings_it_again(tmp_path: Path) -> None:
    first, second = SqliteEvents(tmp_path), SqliteEvents(tmp_path)
    whole = report(1, VIEW, REQUEST, RENDERED, VIEWABLE, CLICK)
    assert first.count([whole]) == [Outcome(5, 0, 0)]
    for worker in (first, second, SqliteEvents(tmp_path)):
        assert worker.count([whole]) == [Outcome(0, 5, 0)]
    assert second.count([report(1, RENDERED, replace(RENDERED, n=3))]) == [Outcome(1, 1, 0)]
    assert [total(first, kind) for kind in (EventKind.PAGE_VIEW, EventKind.RENDERED, EventKind.CLICK)] == [1, 2, 1]


def test_the_same_report_twice_in_one_transaction_counts_once(store: SqliteEvents) -> None:
    assert store.count([report(1, VIEW), report(1, VIEW), report(2, VIEW)]) == [
        Outcome(1, 0, 0),
        Outcome(0, 1, 0),
        Outcome(1, 0, 0),
    ]
    assert total(store, EventKind.PAGE_VIEW) == 2


def test_an_event_twice_in_one_report_counts_once(store: SqliteEvents) -> None:
    assert store.count([report(1, VIEW, RENDERED, VIEW, RENDERED)]) == [Outcome(2, 2, 0)]


def test_reports_without_a_nonce_count_each_time(store: SqliteEvents) -> None:
    assert store.count([report(None, CLICK), report(None, CLICK)]) == [Outcome(1, 0, 0)] * 2
    assert total(store, EventKind.CLICK) == 2


def test_what_was_never_rendered_was_never_viewable(store: SqliteEvents) -> None:
    assert store.count([report(1, VIEWABLE)]) == [Outcome(0, 0, 1)]
    assert store.count([report(1, VIEWABLE, RENDERED)]) == [Outcome(2, 0, 0)]  # in whatever order they are told
    assert store.count([report(2, RENDERED), report(2, VIEWABLE)]) == [Outcome(1, 0, 0)] * 2
    assert store.count([report(2, replace(VIEWABLE, n=1))]) == [Outcome(0, 0, 1)]
    assert total(store, EventKind.VIEWABLE) == 2


def test_a_nonce_belongs_to_the_page_that_it_was_minted_on(store: SqliteEvents) -> None:
    store.count([report(1, VIEW)])
    for other in (
        replace(FACTS, path="/other"),
        replace(FACTS, site="other"),
        replace(FACTS, slots=(("in-article", 3),)),
    ):
        assert store.count([report(1, VIEW, RENDERED, facts=other)]) == [Outcome(0, 0, 0, foreign=2)]
    # the same page, made anew by a cache the day after
    assert store.count([report(1, VIEW, facts=replace(FACTS, day=DAY + 1))]) == [Outcome(0, 1, 0)]


def test_labels_are_names_of_the_loaded_rules(store: SqliteEvents) -> None:
    store.count([report(1, VIEW, RENDERED, known=frozenset({"top"})), report(2, VIEW, RENDERED, known=None)])
    assert set(store.counters()) == {
        CounterKey("page_view", "asia-news", "", "valid", ""),
        CounterKey("rendered", "asia-news", "_other", "valid", ""),
        CounterKey("page_view", "_other", "", "valid", ""),
        CounterKey("rendered", "_other", "_other", "valid", ""),
    }
    (page, slot) = store.figures(0, HOUR + 1)  # figures are for people, who want the name
    assert (page.site, page.path, page.slot, slot.slot) == ("asia-news", "/story", "", "in-article")


def test_invalid_traffic_is_counted_apart_with_its_reason(store: SqliteEvents) -> None:
    store.count([report(1, VIEW, RENDERED, invalid=InvalidReason.CRAWLER), report(2, VIEW)])
    assert (
        total(store, EventKind.PAGE_VIEW, traffic="invalid") == total(store, EventKind.PAGE_VIEW, traffic="valid") == 1
    )
    assert store.counters()[CounterKey("invalid", "asia-news", "", "invalid", "crawler")] == 2
    assert [row.traffic for row in store.figures(0, HOUR + 1)] == ["invalid", "valid", "invalid"]


def test_what_was_withheld_counts_once_and_by_its_reason(store: SqliteEvents) -> None:
    gpc, paused = (
        Event(EventKind.WITHHELD, "top", 1, reason=reason) for reason in (WithheldReason.GPC, WithheldReason.PAUSED)
    )
    assert store.count([report(1, gpc, paused)]) == [Outcome(1, 1, 0)]
    assert store.counters() == {CounterKey("withheld", "asia-news", "top", "valid", "gpc"): 1}


def test_density_is_put_into_buckets_once_a_view(store: SqliteEvents) -> None:
    shares = [Event(EventKind.DENSITY, share=share, device="phone") for share in (0.0, 0.3, 0.30001, 1.0)]
    store.count([report(number, share) for number, share in enumerate(shares)])
    store.count([report(0, shares[3]), report(9, shares[0], invalid=InvalidReason.TOOL)])
    density = {key.reason: value for key, value in store.counters().items() if key.name == "density"}
    assert density == {"0": 1, "6": 1, "7": 1, "11": 1}
    assert store.counters()[CounterKey("density_sum", "asia-news", "phone", "valid", "")] == pytest.approx(1.60001)


def test_figures_are_by_article_slot_and_hour(store: SqliteEvents) -> None:
    store.count([report(1, VIEW, RENDERED), report(2, VIEW), report(3, VIEW, hour=HOUR + 1)])
    store.count([report(2, RENDERED, CLICK), report(4, VIEW, facts=replace(FACTS, path="/other"))])
    assert list(store.figures(HOUR, HOUR + 1)) == [
        Figures(HOUR, "asia-news", "/other", "", "valid", (1, 0, 0, 0, 0, 0, 0)),
        Figures(HOUR, "asia-news", "/story", "", "valid", (2, 0, 0, 0, 0, 0, 0)),
        Figures(HOUR, "asia-news", "/story", "in-article", "valid", (0, 0, 0, 0, 2, 0, 1)),
    ]
    assert [row.hour for row in store.figures(HOUR + 1, HOUR + 9)] == [HOUR + 1]


# --- bounds ---------------------------------------------------------------------------------


def clean(store: SqliteEvents, day: int) -> None:
    store.clean(day * 86_400.0, token_days=7, event_days=35, named=NAMED)


def rows(store: SqliteEvents, table: str) -> int:
    with sqlite3.connect(store.path) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(count)


def test_views_are_forgotten_when_no_token_of_theirs_counts_any_more(store: SqliteEvents) -> None:
    store.count([report(1, VIEW), report(2, VIEW, facts=replace(FACTS, day=DAY + 1))])
    clean(store, DAY + 8)
    assert rows(store, "views") == 2
    clean(store, DAY + 9)
    assert rows(store, "views") == 1
    assert total(store, EventKind.PAGE_VIEW) == 2


def test_figures_and_what_no_rules_name_go_after_their_time(store: SqliteEvents) -> None:
    store.count(
        [
            report(1, VIEW, RENDERED),
            report(2, RENDERED, facts=replace(FACTS, site="gone"), known=frozenset({"in-article"})),
        ]
    )
    store.count([report(3, replace(RENDERED, slot="top", n=1), known=None)])
    clean(store, DAY + 35)
    assert rows(store, "figures") == 4
    clean(store, DAY + 36)
    assert (rows(store, "figures"), rows(store, "articles")) == (0, 0)
    assert {(key.site, key.slot) for key in store.counters()} == {
        ("asia-news", ""), ("asia-news", "in-article"), ("_other", "_other"),
    }  # fmt: skip


def test_a_great_many_old_rows_go_a_few_at_a_time(store: SqliteEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_events, "CLEAN_ROWS", 10)
    store.count([report(number, VIEW) for number in range(25)])
    for left in (15, 5, 0, 0):
        clean(store, DAY + 9)
        assert rows(store, "views") == left


def test_cleaning_up_is_done_now_and_then_alone(store: SqliteEvents) -> None:
    clean(store, DAY + 9)
    store.count([report(1, VIEW)])
    clean(store, DAY + 9)
    assert rows(store, "views") == 1
    store.clean((DAY + 9) * 86_400.0 + CLEAN_SECONDS, token_days=7, event_days=35, named=NAMED)
    assert rows(store, "views") == 0


def test_counters_beyond_the_bound_are_counted_together(store: SqliteEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_events, "MAX_COUNTERS", 20)
    for number in range(50):
        store.count([report(number, VIEW, facts=replace(FACTS, site=f"site-{number}"))])
    assert len(store.counters()) == 21
    assert total(store, EventKind.PAGE_VIEW) == 50
    assert total(store, EventKind.PAGE_VIEW, site="_other") == 30


def test_articles_beyond_the_bound_are_counted_together(store: SqliteEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_events, "MAX_ARTICLES_AN_HOUR", 3)
    store.count([report(number, VIEW, facts=replace(FACTS, path=f"/{number}")) for number in range(10)])
    assert {row.path: row.counts[0] for row in store.figures(0, HOUR + 1)} == {"/0": 1, "/1": 1, "/2": 1, "_other": 7}
    store.count([report(20, VIEW, facts=replace(FACTS, path="/0")), report(21, VIEW, hour=HOUR + 1)])
    assert [row.counts[0] for row in store.figures(0, HOUR + 9) if row.path == "/0"] == [2]
    assert [row.path for row in store.figures(HOUR + 1, HOUR + 9)] == ["/story"]


# --- trouble --------------------------------------------------------------------------------


def test_a_full_store_counts_nothing_and_says_so(tmp_path: Path) -> None:
    store = SqliteEvents(tmp_path, max_bytes=120_000)
    counted, problem = 0, None
    while problem is None and counted < 100_000:
        try:
            store.count([report(number, VIEW, RENDERED) for number in range(counted, counted + 100)])
            counted += 100
        except StoreUnavailable as unavailable:
            problem = unavailable.problem
    assert problem is StoreProblem.FULL
    assert counted > 0
    assert total(store, EventKind.PAGE_VIEW) == total(store, EventKind.RENDERED) == counted == rows(store, "views")
    assert not SqliteEvents(tmp_path, max_bytes=120_000).state().writable
    # when there is room again it goes on where it was, and what was refused counts now
    roomy = SqliteEvents(tmp_path)
    assert roomy.state().writable
    assert roomy.count([report(counted, VIEW)]) == [Outcome(1, 0, 0)]


def test_a_disk_that_takes_nothing_is_said(tmp_path: Path) -> None:
    store = SqliteEvents(tmp_path / "gone")
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as problem:
            store.count([report(1, VIEW)])
        assert problem.value.problem is StoreProblem.IO
    assert not store.state().writable
    with pytest.raises(StoreUnavailable):
        store.counters()
    (tmp_path / "gone").mkdir()
    assert store.count([report(1, VIEW)]) == [Outcome(1, 0, 0)]


def damage(file: Path, at: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(b"\xa5" * 4096)


@pytest.mark.parametrize("at", [0, 4096])
def test_a_damaged_file_is_set_aside_and_counting_goes_on(
    tmp_path: Path, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    before = SqliteEvents(tmp_path)
    before.count([report(number, VIEW) for number in range(500)])
    before.close()
    damage(before.path, at)
    store, other = SqliteEvents(tmp_path), SqliteEvents(tmp_path)
    assert store.count([report(1, VIEW)]) == [Outcome(1, 0, 0)]
    assert other.count([report(1, VIEW)]) == [Outcome(0, 1, 0)]
    assert total(store, EventKind.PAGE_VIEW) == 1
    assert store.state().set_aside == 1
    (aside,) = tmp_path.glob(f"*{SET_ASIDE}")
    assert aside.stat().st_size > 4096
    assert f"is damaged; it is kept as {aside.name}" in caplog.text


def test_a_worker_that_had_the_damaged_file_open_goes_on_in_the_new_one(tmp_path: Path) -> None:
    one, other = SqliteEvents(tmp_path), SqliteEvents(tmp_path)
    one.count([report(1, VIEW)])
    other.count([report(2, VIEW)])
    other.close()
    with sqlite3.connect(one.path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    damage(one.path, 0)
    assert other.count([report(3, VIEW)]) == [Outcome(1, 0, 0)]
    assert one.count([report(3, VIEW), report(4, VIEW)]) == [Outcome(0, 1, 0), Outcome(1, 0, 0)]
    assert total(one, EventKind.PAGE_VIEW) == 2


def test_only_so_many_damaged_files_are_kept(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{FILE_NAME}.20200101T00000{number}Z{SET_ASIDE}").write_bytes(b"old")
    (tmp_path / FILE_NAME).write_bytes(b"this is no database, and never was" * 200)
    store = SqliteEvents(tmp_path)
    assert store.count([report(1, VIEW)]) == [Outcome(1, 0, 0)]
    assert store.state().set_aside == MAX_SET_ASIDE


def test_a_file_that_somebody_removes_is_made_anew(store: SqliteEvents) -> None:
    store.count([report(1, VIEW)])
    for file in store.path.parent.glob(f"{FILE_NAME}*"):
        file.unlink()
    assert store.count([report(2, VIEW)]) == [Outcome(1, 0, 0)]
    assert total(SqliteEvents(store.path.parent), EventKind.PAGE_VIEW) == 1


def test_a_store_of_another_form_is_left_alone(store: SqliteEvents) -> None:
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(StoreUnavailable, match="is of form 9; expected 1"):
        store.count([report(1, VIEW)])
    assert store.state().set_aside == 0


def test_others_who_write_for_too_long_are_not_waited_for(store: SqliteEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_events, "BUSY_SECONDS", 0.05)
    store.state()
    store.close()
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable) as problem:
        store.count([report(1, VIEW)])
    assert problem.value.problem is StoreProblem.BUSY
    other.execute("ROLLBACK")
    other.close()
    assert store.count([report(1, VIEW)]) == [Outcome(1, 0, 0)]


def test_only_its_owner_may_read_it(store: SqliteEvents) -> None:
    store.count([report(1, VIEW)])
    files = list(store.path.parent.iterdir())
    assert len(files) >= 2
    assert [file.name for file in files if file.stat().st_mode & 0o077] == []


# --- processes ------------------------------------------------------------------------------


def bring(directory: Path, first: int) -> None:
    store = SqliteEvents(directory)
    for number in range(first, first + 300, 3):
        store.count([report(number + more, VIEW, RENDERED) for more in range(3)])


def test_processes_that_bring_the_same_at_the_same_time_count_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=bring, args=(tmp_path, 100 * number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    store = SqliteEvents(tmp_path)
    assert total(store, EventKind.PAGE_VIEW) == total(store, EventKind.RENDERED) == rows(store, "views") == 500
