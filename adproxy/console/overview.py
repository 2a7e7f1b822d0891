"""The overview: how things stand, told from the live counters of this adproxy with nothing else at hand.

It answers in the order in which people ask: is anything wrong, do readers get ads, what becomes of them, why not more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adproxy.board import WorkerState
from adproxy.console import charts
from adproxy.console.density import Density, densities
from adproxy.console.findings import FAILED_OPEN_SHARE, SLOW_SECONDS, Level, findings
from adproxy.console.history import HOUR, History, Sample, Window, sample_of
from adproxy.console.pages import age, counted, number, page, percent, seconds, words
from adproxy.console.readings import NOTHING_SPREAD, Readings, Spread, finite, share
from adproxy.console.slot_figures import STAGES, SlotFigures, missing, slot_figures, together
from adproxy.live_rules import LiveStatus
from adproxy.metrics import OTHER
from adproxy.model import DEVICES
from adproxy.refusals import REFUSALS

MAX_ROWS = 100
"""Of a table by slot or site: what is beyond is in the metrics."""
MAX_DRAWINGS = 6
"""Of density: a site has two."""
TABLE_SECONDS = 300.0
"""What a row of the last hour's table stands for."""
SHORTEST_WINDOW = 300.0
"""Seconds; below, the figures on top are those since the counters began."""

MEANINGS = {
    "placed": "put on pages that were sent; a cache shows a page many times",
    "requested": "a browser asked for an ad",
    "filled": "an ad came",
    "impressions": "an ad began to render",
    "viewable": "half of it was in view for one second",
    "clicks": "a reader followed it",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the figures on top."""

    title: str
    value: str
    details: tuple[str, ...]
    level: Level
    section: str
    line: charts.Line | None = None
    course: str = ""
    """The line in words."""


@dataclass(frozen=True, slots=True)
class Speed:
    """A histogram of times."""

    title: str
    meaning: str
    spread: Spread
    columns: tuple[charts.Column, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A few minutes of the last hour, in the words of its table."""

    ends: float
    cells: tuple[str, ...]


def overview(
    now: Readings, history: History, status: LiveStatus | None, states: Sequence[WorkerState], at: float
) -> str:
    """The page as HTML. `status`: of the rules, None where they are fixed; `states`: of the page workers, none where
    pages are served in this process; `at`: Unix seconds."""
    window, since = _window(now, history, at)
    # what no rules name is worth a row only where there was any
    known = [row for row in slot_figures(now) if OTHER not in (row.site, row.slot) or not row.is_idle]
    rows = sorted(known, key=lambda row: (row.site == OTHER, row.site, row.slot == OTHER, row.is_idle))
    density = densities(now)
    found = findings(now, window, status, states, density)
    return page(
        "overview.html",
        "Overview",
        findings=found,
        since=since,
        at=at,
        tiles=_tiles(now, window, history.windows(at), status, states, density, at),
        stages=_stages(together(rows, "", "")),
        slots=rows[:MAX_ROWS],
        slots_left=max(0, len(rows) - MAX_ROWS),
        several_sites=len({row.site for row in rows if row.site != OTHER}) > 1,
        missing=missing(now),
        traffic=_traffic(now),
        withheld=_reasons(now, "adproxy_slot_withheld_total"),
        rejected=_reasons(now, "adproxy_beacons_rejected_total"),
        invalid=_reasons(now, "adproxy_invalid_traffic_total"),
        store=_store(now),
        refusals=_reasons(now, "adproxy_slot_refusals_total") or (),
        refused=_refused(now),
        meanings=REFUSALS,
        density=density,
        drawings=[each for each in density if each.pages][:MAX_DRAWINGS],
        speeds=_speeds(now),
        sites=_sites(now),
        skips=charts.bars(_named(now.by("adproxy_pages_total", "reason", outcome="skipped"))),
        fails=charts.bars(_named(now.by("adproxy_pages_total", "reason", outcome="failed_open"))),
        errors=charts.bars(_named(now.by("adproxy_errors_total", "kind"))),
        status=status,
        states=states,
        rules_age=age(status.loaded_at, at) if status is not None and status.loaded_at is not None else "",
        hour=_hour(history, at),
    )


def _window(now: Readings, history: History, at: float) -> tuple[Window, float | None]:
    """What the figures on top are made of, and since when (Unix seconds; None: since the counters began)."""
    later, oldest = sample_of(now, at), history.since()
    if oldest is not None and at - oldest.at >= SHORTEST_WINDOW:
        return Window(oldest, later), oldest.at
    return Window(Sample(at, {}, NOTHING_SPREAD), later), None


# --- the figures on top ---------------------------------------------------------------------


def _tiles(
    now: Readings,
    window: Window,
    minutes: Sequence[Window | None],
    status: LiveStatus | None,
    states: Sequence[WorkerState],
    density: Sequence[Density],
    at: float,
) -> list[Tile]:
    eligible, failed, errors = window.eligible, window.change("failed_open"), window.change("errors")
    failed_share, slow = window.failed_open, window.slow
    viewable = window.viewable_per_thousand
    fails = _named(now.by("adproxy_pages_total", "reason", outcome="failed_open"))
    return [
        _tile(
            "Pages with ads", "pages", lambda w: w.with_slots, percent, window, minutes,
            (f"of {counted(eligible, 'page')} that should",),
            "none" if not eligible else "good",
        ),
        _tile(
            "Failed open", "pages", lambda w: w.failed_open, percent, window, minutes,
            (
                f"{counted(failed, 'page')} without slots",
                "; ".join(f"{words(reason)} {number(count)}" for reason, count in fails.items() if count)
                or "no accident so far",
            ),
            "none" if failed_share is None else "look" if failed_share > FAILED_OPEN_SHARE else "good",
        ),
        _tile(
            "Added to the first byte", "speed", lambda w: w.slow, seconds, window, minutes,
            ("95 of 100 pages wait no longer", f"{counted(errors, 'error')} of adproxy's own"),
            "alarm" if errors else "none" if slow is None else "look" if slow > SLOW_SECONDS else "good",
        ),
        _tile(
            "Viewable ads per 1,000 views", "funnel", lambda w: w.viewable_per_thousand, number, window, minutes,
            (f"fill {percent(window.fill)}", f"viewability {percent(window.viewability)}"),
            "none" if viewable is None else "good",
        ),
        _density_tile(density),
        _rules_tile(status, states, at),
    ]  # fmt: skip


def _tile(
    title: str,
    section: str,
    figure: Callable[[Window], float | None],
    told: Callable[[float | None], str],
    window: Window,
    minutes: Sequence[Window | None],
    details: tuple[str, ...],
    level: Level,
) -> Tile:
    points = [None if minute is None else finite(figure(minute)) for minute in minutes]
    line = charts.line(points)
    course = f"In the last hour between {told(line.least)} and {told(line.most)}." if line is not None else ""
    return Tile(title, told(figure(window)), details, level, section, line, course)


def _density_tile(density: Sequence[Density]) -> Tile:
    """The worst site on each device, by how near it comes to its limit."""
    values, details, over = [], [], False
    for device in DEVICES:
        known = [each for each in density if each.device == device and each.p95 is not None]
        if not known:
            continue
        worst = max(known, key=lambda each: share(each.p95, each.limit) or 0)
        values.append(percent(worst.p95))
        details.append(f"{device}: {percent(worst.p95)} of at most {percent(worst.limit)} ({worst.site})")
        over = over or worst.is_over
    level: Level = "none" if not values else "look" if over else "good"
    value = " · ".join(values) or percent(None)
    return Tile("Ad density, 95 of 100 pages", value, tuple(details) or ("no page planned so far",), level, "density")


def _rules_tile(status: LiveStatus | None, states: Sequence[WorkerState], at: float) -> Tile:
    if status is None:
        return Tile("Rules", "fixed", ("given by the program",), "good", "rules")
    current = sum(state.ready and state.revision == status.revision for state in states)
    details = [f"{current} of {len(states)} workers have them"] if states else []
    if status.loaded_at is None:
        return Tile("Rules", "none", (*details, "every page passes without ads"), "alarm", "rules")
    details.append(f"in force for {age(status.loaded_at, at)}")
    if status.problem is not None:
        return Tile("Rules", status.revision, (*details, "the last edit was not taken"), "alarm", "rules")
    level: Level = "look" if current < len(states) else "good"
    return Tile("Rules", status.revision, (*details, "the last edit was taken"), level, "rules")


# --- what becomes of them -------------------------------------------------------------------


def _stages(whole: SlotFigures) -> list[dict[str, object]]:
    """The funnel of all slots together: each stage with its bar, and what part of the stage before it that is."""
    counts = [getattr(whole, stage) for stage in STAGES]
    most = max((count for count in counts if count), default=1.0)
    # what was placed is no whole: a cache shows it to many
    rates = (None, None, whole.fill_rate, share(whole.impressions, whole.filled), whole.viewability, whole.click_rate)
    of = ("", "", "of those requested", "of those filled", "of the impressions", "of the impressions")
    return [
        {
            "name": stage,
            "meaning": MEANINGS[stage],
            "count": count,
            "length": (count or 0.0) / most,
            "rate": rate,
            "of": whole_of,
        }
        for stage, count, rate, whole_of in zip(STAGES, counts, rates, of, strict=True)
    ]


def _traffic(now: Readings) -> list[dict[str, object]]:
    """Valid and invalid, for each of what browsers report."""
    rows: list[dict[str, object]] = []
    for name, metric in (
        ("page views", "adproxy_page_views_total"),
        ("impressions", "adproxy_slot_impressions_total"),
        ("viewable", "adproxy_slot_viewable_impressions_total"),
        ("clicks", "adproxy_slot_clicks_total"),
    ):
        valid, invalid = (now.sum(metric, traffic=traffic) for traffic in ("valid", "invalid"))
        whole = (valid or 0) + (invalid or 0)
        rows.append({"name": name, "valid": valid, "invalid": invalid, "share": share(invalid, whole)})
    return rows


def _store(now: Readings) -> dict[str, float] | None:
    """How the event store is; None where there is none."""
    writable = now.sum("adproxy_event_store_writable")
    if writable is None:
        return None
    size, aside = now.sum("adproxy_event_store_bytes"), now.sum("adproxy_event_store_set_aside_files")
    return {"writable": writable, "size": size or 0.0, "set_aside": aside or 0.0}


def _reasons(now: Readings, metric: str) -> tuple[charts.Bar, ...] | None:
    """A counter by its reasons; None where there is no such counter."""
    return charts.bars(_named(now.by(metric, "reason"))) if metric in now else None


def _named(counts: dict[tuple[str, ...], float]) -> dict[str, float]:
    return {name: count for (name,), count in counts.items()}


# --- why not more ---------------------------------------------------------------------------


def _refused(now: Readings) -> list[tuple[str, str, float, tuple[charts.Bar, ...]]]:
    """By slot: site, name, how often it was placed, and the commonest reasons why it was not."""
    placed = now.by("adproxy_slot_placements_total", "site", "slot")
    reasons: dict[tuple[str, str], dict[str, float]] = {}
    for (site, slot, reason), count in now.by("adproxy_slot_refusals_total", "site", "slot", "reason").items():
        if count:
            reasons.setdefault((site, slot), {})[reason] = count
    rows = [
        (site, slot, placed.get((site, slot), 0.0), charts.bars(counts)) for (site, slot), counts in reasons.items()
    ]
    return sorted(rows)[:MAX_ROWS]


def _speeds(now: Readings) -> list[Speed]:
    made = []
    for title, meaning, metric in (
        (
            "Added to the first byte",
            "from the first byte that arrived from the site to the first one that was sent",
            "adproxy_added_first_byte_seconds",
        ),
        ("A page's rewrite", "from the complete page to the bytes that are sent", "adproxy_rewrite_seconds"),
    ):
        spread = now.spread(metric)
        names = charts.range_names(spread.bounds, lambda bound: f"{1000 * bound:g}", " ms")
        made.append(Speed(title, meaning, spread, charts.columns(names, spread.columns())))
    return made


def _sites(now: Readings) -> list[tuple[str, tuple[float, ...]]]:
    """By site: pages rewritten, of them with slots, left alone, failed open; slots placed."""
    pages = now.by("adproxy_pages_total", "site", "outcome")
    with_slots = now.by("adproxy_pages_with_slots_total", "site")
    placements = now.by("adproxy_slot_placements_total", "site")
    rows: list[tuple[str, tuple[float, ...]]] = [
        (
            site,
            (
                pages.get((site, "rewritten"), 0.0),
                with_slots.get((site,), 0.0),
                pages.get((site, "skipped"), 0.0),
                pages.get((site, "failed_open"), 0.0),
                placements.get((site,), 0.0),
            ),
        )
        for site in sorted({site for site, _ in pages}, key=lambda site: (site == OTHER, site))
    ]
    return rows[:MAX_ROWS]


def _hour(history: History, at: float) -> list[Row]:
    """The last hour, newest first: the table behind the lines."""
    rows = []
    windows = history.windows(at, TABLE_SECONDS)
    for index, window in enumerate(windows):
        if window is None:
            continue
        ends = at - HOUR + (index + 1) * TABLE_SECONDS
        cells = (
            number(window.eligible),
            percent(window.with_slots),
            number(window.change("failed_open")),
            number(window.change("errors")),
            seconds(window.slow),
            number(window.change("views")),
            number(window.viewable_per_thousand),
            percent(window.fill),
            percent(window.viewability),
        )
        rows.append(Row(ends, cells))
    return rows[::-1]
