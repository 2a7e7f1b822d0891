"""Numbers to the coordinates of drawings."""

from __future__ import annotations

import math

from adproxy.console.charts import LINE_HEIGHT, LINE_WIDTH, bars, columns, line, range_names


def test_a_line_runs_from_edge_to_edge_and_stands_on_its_floor() -> None:
    drawn = line([0, 5, 10])
    assert drawn is not None
    assert drawn.paths == ("0.0,45.0 120.0,24.0 240.0,3.0",)
    assert (drawn.least, drawn.most, drawn.last) == (0, 10, 10)
    assert (LINE_WIDTH, LINE_HEIGHT) == (240, 48)


def test_a_gap_interrupts_the_line_and_a_lone_point_is_a_dot() -> None:
    drawn = line([1, 1, None, 1, None])
    assert drawn is not None
    assert [len(path.split()) for path in drawn.paths] == [2]
    assert drawn.dots == ((180.0, 3.0),)
    assert drawn.last is None


def test_zeros_lie_on_the_floor_and_nothing_is_no_line() -> None:
    drawn = line([0, 0])
    assert drawn is not None
    assert drawn.paths == ("0.0,45.0 240.0,45.0",)
    assert line([None, None]) is None
    assert line([]) is None


def test_the_highest_column_fills_the_drawing_and_those_over_the_limit_are_marked() -> None:
    drawn = columns(["a", "b", "c"], [1, 4, 2], over_from=2)
    assert [(column.height, column.over) for column in drawn] == [(0.25, False), (1, False), (0.5, True)]
    assert [column.height for column in columns(["a"], [0])] == [0]


def test_bars_come_largest_first_and_without_zeros() -> None:
    drawn = bars({"few": 1, "none": 0, "many": 3, "also few": 1})
    assert [(bar.name, bar.length, bar.share) for bar in drawn] == [
        ("many", 1, 0.6),
        ("also few", 1 / 3, 0.2),
        ("few", 1 / 3, 0.2),
    ]
    assert bars({"none": 0}) == ()


def test_buckets_are_named_by_what_they_hold() -> None:
    assert range_names((0.0, 0.1, math.inf), lambda bound: f"{100 * bound:.0f}", " %") == [
        "none",
        "0 to 10 %",
        "over 10 %",
    ]
