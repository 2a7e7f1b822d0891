"""The overview: what it says, of counters that are known."""

from __future__ import annotations

import re

from counted import Counted

from adproxy.board import WorkerState
from adproxy.console.history import History, sample_of
from adproxy.console.overview import overview
from adproxy.console.readings import Readings
from adproxy.live_rules import LiveStatus
from adproxy.model import Reason
from adproxy.refusals import REFUSALS

NOW = 1_700_000_000.0
RULES = LiveStatus("0123456789ab", NOW - 7300, (), None)
WORKERS = tuple(WorkerState(slot, 4711 + slot, NOW - 60, 0, True, "0123456789ab") for slot in range(2))


def text_of(page: str) -> str:
    """What a reader sees: no tags, white space folded."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).replace("\u00a0", " ").replace("&nbsp;", " ").split())


def drawn(counted: Counted, history: History | None = None) -> str:
    now = Readings(counted.metrics.families())
    return overview(now, history if history is not None else History(), RULES, WORKERS, NOW)


def views(count: int) -> Counted:
    counted = Counted()
    for _ in range(count):
        counted.view()
    return counted


def table_row(page: str, head: str) -> list[str]:
    """The cells of the first row with that head."""
    found = re.search(rf'<th scope="row">{head}.*?</tr>', page, re.DOTALL)
    assert found is not None, head
    return [text_of(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", found[0], re.DOTALL)]


def tile(page: str, title: str) -> str:
    (found,) = [each for each in re.findall(r'<li class="tile .*?</li>', page, re.DOTALL) if f">{title}</a>" in each]
    return text_of(found)


def test_it_says_that_all_is_well_and_the_six_figures_of_the_first_row() -> None:
    page = drawn(views(20))
    assert "<title>All is well – adproxy</title>" in page
    assert "100 % of 20 pages that should" in tile(page, "Pages with ads")
    assert "0 % 0 pages without slots no accident so far" in tile(page, "Failed open")
    assert "0 errors of adproxy's own" in text_of(tile(page, "Added to the first byte")).replace("&#39;", "'")
    assert "1,000 fill 66.7 % viewability 50 %" in tile(page, "Viewable ads per 1,000 views")
    assert "phone: 24.8 % of at most 30 % (asia-news)" in tile(page, "Ad density, 95 of 100 pages")
    assert "0123456789ab 2 of 2 workers have them in force for 2 hours" in tile(page, "Rules")


def test_it_follows_a_slot_from_placed_to_clicked() -> None:
    page = drawn(views(20))
    assert table_row(page, "end") == ["20", "40", "20 50 %", "20", "0 0 %", "0 0 %", "20"]
    assert table_row(page, "Filled")[1] == "66.7 % of those requested"
    assert table_row(page, "Viewable")[1] == "50 % of the impressions"


def test_it_tells_valid_from_invalid_traffic_and_why_things_were_turned_away() -> None:
    counted = views(3)
    counted.view("invalid")
    counted.trouble()
    page = drawn(counted)
    assert table_row(page, "Page views") == ["3", "1", "25 %"]
    assert table_row(page, "no consent") == ["4", "100 %"]
    assert table_row(page, "forged") == ["1", "100 %"]
    assert table_row(page, "near media") == ["4", "100 %"]
    assert table_row(page, "internal") == ["1", "100 %"]
    assert table_row(page, "timeout") == ["1", "100 %"]
    assert table_row(page, "csp") == ["1", "100 %"]
    assert "1 answer of 5xx" in page


def test_figures_on_top_are_of_the_last_hour_once_five_minutes_of_it_are_known() -> None:
    counted, history = views(20), History()
    history.add(sample_of(Readings(counted.metrics.families()), NOW - 290))
    counted.view()
    assert "of 21 pages" in tile(drawn(counted, history), "Pages with ads")
    history = History()
    history.add(sample_of(Readings(views(20).metrics.families()), NOW - 310))
    assert "of 1 page " in tile(drawn(counted, history), "Pages with ads")


def test_the_lines_have_a_table_behind_them() -> None:
    counted, history = Counted(), History()
    for age in range(1500, -1, -60):
        counted.view()
        history.add(sample_of(Readings(counted.metrics.families()), NOW - age))
    page = drawn(counted, history)
    assert "In the last hour between 100 % and 100 %." in tile(page, "Pages with ads")
    assert '<polyline points="' in page
    rows = re.findall(r'<tr><th scope="row"><time.*?</tr>', page.partition('id="hour"')[2], re.DOTALL)
    assert len(rows) == 5
    assert text_of(rows[1])[len("22:08 UTC ") :] == "5 100 % 0 0 975 µs 5 1,000 66.7 % 50 %"


def test_each_reason_for_a_refusal_has_its_meaning() -> None:
    assert set(REFUSALS) == {reason.value for reason in Reason}


def test_names_from_rules_are_text() -> None:
    counted = Counted()
    counted.request("<b>site</b>", "<i>slot")
    page = drawn(counted)
    assert "<b>" not in page
    assert "&lt;i&gt;slot" in page


def test_a_thousand_slots_are_a_page_still() -> None:
    counted = Counted()
    counted.request("large", *(f"slot-{n:04}" for n in range(1000)))
    page = drawn(counted)
    assert page.count('<th scope="row">slot-') < 101
    assert "further slots are in the" in page
