"""A slice of `make faults`: every kind of trouble, each a few times. Times are judged there and not here."""

from __future__ import annotations

import pytest
from faults import disconnects, hostile_pages, overload, restarts, slow_readers, upstream_faults
from faults.stage import Row


def check(rows: list[Row]) -> None:
    assert {row.trouble: row.breaches for row in rows if row.breaches} == {}


def test_f6_f7_f8_of_readers_who_leave_nothing_is_left() -> None:
    check(disconnects.play(300))


def test_a7_b9_c8_c18_f20_what_an_origin_can_do_wrong() -> None:
    check(upstream_faults.play(1))


def test_f21_slow_readers_are_given_up() -> None:
    check(slow_readers.play(5, judge_times=False))


def test_f25_hostile_pages_come_whole() -> None:
    check(hostile_pages.play(1, judge_times=False))


def test_a7_c18_under_overload_pages_lose_their_slots_before_readers_are_turned_away() -> None:
    check(overload.play(1, judge_times=False))


@pytest.mark.timeout(180)
def test_f5_f12_stops_and_edits_under_load_fail_nobody() -> None:
    check(restarts.play(stops=1, seconds=4))


def test_the_table_shows_a_promise_that_is_broken() -> None:
    row = Row("trouble")
    row.expect(False, "what went wrong")
    with pytest.raises(AssertionError, match="what went wrong"):
        check([row])


def test_a_reader_of_whom_something_is_left_is_noticed() -> None:
    def never_given_back(held: object, size: int) -> None:
        """Broken on purpose."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("adproxy.middleware.Held.give", never_given_back)
        patch.setattr(disconnects, "DEADLINE", 0.5)
        (row,) = disconnects.play(64)
    assert any("bytes held" in breach for breach in row.breaches)
