"""Writes adproxy.json, the dashboard that Grafana loads:  python make_dashboard.py > adproxy.json

A dashboard's JSON says everything three times; here each panel is a line or two. Needs Python and nothing else.
"""

from __future__ import annotations

import json
import sys
from itertools import count
from typing import Any

Json = dict[str, Any]

PROMETHEUS: Json = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
"""Of Grafana's grid."""
BLUE, GREEN, ORANGE, RED, GREY = "blue", "green", "orange", "red", "#8e8e96"

SITE = 'site=~"$site"'
SLOT = 'site=~"$site", slot=~"$slot"'
VALID = 'traffic!="invalid"'
RATE = "[$__rate_interval]"

MEANINGS = """\
| here | what is counted | where | Ad Manager's word |
|---|---|---|---|
| **placed** | a slot was put on a page that was sent; a cache shows one page many times | adproxy | – |
| **page view** | a browser showed a page with slots, however often a cache served it | browser | – |
| **requested** | a browser asked for an ad for the slot | browser | *Ad requests*, for each slot |
| **unfilled** | asked, and no ad came | browser | *Unfilled impressions* |
| **filled** | requested less unfilled; **fill** is its share | browser | *Responses served*, *fill rate* |
| **impression** | a creative began to render | browser | *Impressions* (begin to render) |
| **viewable** | half of it (30 % of large ones) in view for one second | browser | *Active View viewable impressions* |
| **click** | a reader followed it | browser | *Clicks* |
| **withheld** | no ad was asked for: no consent, ad-free, paused | browser | – |

Figures here are without invalid traffic unless they say so. The ad server filters by lists of its own and counts at its
own end of the line, so the two never agree to the last one; a gap that *grows* is the news.
"""


# --- what panels are made of ----------------------------------------------------------------


class Grid:
    """Gives panels their ids and places: rows from top to bottom, panels from left to right."""

    def __init__(self) -> None:
        self.panels: list[Json] = []
        self._ids = count(1)
        self._x = self._y = self._height = 0

    def row(self, title: str) -> None:
        self._y += self._height
        self.panels.append(
            {
                "type": "row",
                "id": next(self._ids),
                "title": title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": self._y, "w": WIDTH, "h": 1},
                "panels": [],
            }
        )
        self._x, self._y, self._height = 0, self._y + 1, 0

    def add(self, panel: Json, width: int, height: int) -> None:
        if self._x + width > WIDTH:
            self._x, self._y, self._height = 0, self._y + self._height, 0
        place = {"x": self._x, "y": self._y, "w": width, "h": height}
        self.panels.append({"id": next(self._ids), **panel, "gridPos": place})
        self._x += width
        self._height = max(self._height, height)


def queries(*asked: tuple[str, str], table: bool = False) -> list[Json]:
    """Targets A, B, … from pairs of an expression and a legend; `table`: the values of now, as rows."""
    now: Json = {"format": "table", "instant": True, "range": False} if table else {"instant": False, "range": True}
    return [
        {"refId": chr(ord("A") + n), "datasource": PROMETHEUS, "expr": expression, "legendFormat": legend, **now}
        for n, (expression, legend) in enumerate(asked)
    ]


def named(name: str, **properties: Any) -> Json:
    """Properties of the field with that name."""
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()],
    }


def alike(pattern: str, **properties: Any) -> Json:
    """Properties of all fields whose names match."""
    return {**named(pattern, **properties), "matcher": {"id": "byRegexp", "options": pattern}}


def colour(name: str) -> Json:
    return {"mode": "fixed", "fixedColor": name}


def steps(*bounds: tuple[float | None, str]) -> Json:
    """Thresholds: a colour from each value on, the first from anywhere."""
    return {"mode": "absolute", "steps": [{"value": value, "color": name} for value, name in bounds]}


def panel(kind: str, title: str, about: str, targets: list[Json], unit: str, options: Json, **field: Any) -> Json:
    overrides = field.pop("overrides", [])
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": PROMETHEUS,
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit, **field}, "overrides": overrides},
        "options": options,
    }


def lines(
    title: str, about: str, unit: str, *asked: tuple[str, str], stacked: bool = False, bars: bool = False, **field: Any
) -> Json:
    """Figures over time."""
    drawn: Json = {
        "drawStyle": "bars" if bars else "line",
        "lineWidth": 0 if bars else 2,
        "fillOpacity": 80 if bars else 25 if stacked else 0,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    options: Json = {
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return panel("timeseries", title, about, queries(*asked), unit, options, min=0, custom=drawn, **field)


def stat(title: str, about: str, unit: str, *asked: tuple[str, str], **field: Any) -> Json:
    """The latest figures, large."""
    options: Json = {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
        "orientation": "horizontal",
        "textMode": "value_and_name",
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
    }
    return panel("stat", title, about, queries(*asked), unit, options, **field)


def table(title: str, about: str, join: list[Json], *asked: tuple[str, str], **field: Any) -> Json:
    """Figures of now, or of the time that is looked at, in rows."""
    made = panel("table", title, about, queries(*asked, table=True), "short", {"showHeader": True}, **field)
    return {**made, "transformations": join}


def dashed() -> Json:
    return {"dash": [8, 6], "fill": "dash"}


# --- the panels -----------------------------------------------------------------------------


def grid() -> list[Json]:
    made = Grid()
    made.row("At a glance")
    first_row(made)
    made.row("From placed to clicked")
    funnel(made)
    made.row("Why not more")
    reasons(made)
    made.row("How much of a page is advertising")
    density(made)
    made.row("What readers wait for, and what goes wrong")
    latency(made)
    return made.panels


def eligible(more: str = "", offset: str = "") -> str:
    return f'sum(rate(adproxy_pages_total{{outcome=~"rewritten|failed_open", {SITE}{more}}}{RATE}{offset}))'


def with_slots(offset: str = "") -> str:
    return f"sum(rate(adproxy_pages_with_slots_total{{{SITE}}}{RATE}{offset})) / ({eligible(offset=offset)} > 0)"


def of_slots(metric: str, labels: str = SLOT) -> str:
    return f"sum(rate(adproxy_{metric}_total{{{VALID}, {labels}}}{RATE}))"


def first_row(made: Grid) -> None:
    made.add(
        stat(
            "Eligible pages with ads",
            "Of the pages that were to have slots, how many got at least one; now, and at this time a week ago.",
            "percentunit",
            (with_slots(), "now"),
            (with_slots(" offset 1w"), "a week ago"),
            max=1, min=0, decimals=1, color=colour(BLUE), overrides=[named("a week ago", color=colour(GREY))],
        ), 4, 7,
    )  # fmt: skip
    made.add(
        lines(
            "Failed open, by reason",
            "Pages that lost their slots to an accident of the moment. Readers got the origin's page.",
            "short",
            (f'sum by (reason) (increase(adproxy_pages_total{{outcome="failed_open", {SITE}}}{RATE}))', "{{reason}}"),
            stacked=True, bars=True,
        ), 4, 7,
    )  # fmt: skip
    made.add(
        stat(
            "Own errors, and what is added to the first byte",
            "Answers of 5xx of adproxy's own a second, and how much later the first byte came for 5 of 100 pages.",
            "s",
            (f"sum(rate(adproxy_errors_total{RATE}))", "own errors"),
            (
                f"histogram_quantile(0.95, sum by (le) (rate(adproxy_added_first_byte_seconds_bucket{RATE})))",
                "added, p95",
            ),
            thresholds=steps((None, GREEN), (0.1, ORANGE), (0.25, RED)),
            color={"mode": "thresholds"},
            overrides=[named("own errors", unit="reqps", thresholds=steps((None, GREEN), (0.001, RED)))],
        ), 4, 7,
    )  # fmt: skip
    made.add(
        stat(
            "Viewable impressions per 1,000 page views",
            "Valid traffic. With fill (of requests, how many an ad came of) and viewability (of impressions, how many "
            "were in view).",
            "percentunit",
            (
                f"1000 * {of_slots('slot_viewable_impressions')} / ({of_slots('page_views', SITE)} > 0)",
                "per 1,000 views",
            ),
            (f"1 - {of_slots('slot_unfilled')} / ({of_slots('slot_requests')} > 0)", "fill"),
            (f"{of_slots('slot_viewable_impressions')} / ({of_slots('slot_impressions')} > 0)", "viewability"),
            min=0, color=colour(BLUE), decimals=1, overrides=[named("per 1,000 views", unit="short", decimals=0)],
        ), 4, 7,
    )  # fmt: skip
    made.add(
        lines(
            "Ad density, p95 against the limit",
            "What 95 of 100 planned pages stay under, by device, and the largest share that the rules allow (dashed).",
            "percentunit",
            (f"max by (device) (site_device:adproxy_page_ad_density:p95_rate5m{{{SITE}}})", "{{device}}"),
            (f"max by (device) (adproxy_page_ad_density_limit_ratio{{{SITE}}})", "{{device}} limit"),
            overrides=[
                alike("^phone", color=colour(BLUE)),
                alike("^desktop", color=colour(ORANGE)),
                alike(" limit$", custom__lineStyle=dashed()),
            ],
        ), 4, 7,
    )  # fmt: skip
    rules = [
        {"id": "joinByField", "options": {"byField": "instance", "mode": "outer"}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {
                    "Time": True, "Time 1": True, "Time 2": True, "Time 3": True, "Time 4": True, "Value #A": True,
                    "__name__": True, "job": True,
                },
                "renameByName": {
                    "Value #B": "workers with them", "Value #C": "in force for", "Value #D": "last edit",
                },
            },
        },
    ]  # fmt: skip
    taken = {"0": {"text": "not taken", "color": RED}, "1": {"text": "taken", "color": GREEN}}
    verdict = [{"type": "value", "options": taken}]
    made.add(
        table(
            "Rules: revision, who runs it, age, last edit",
            "By adproxy. An edit with a mistake is not taken: the office's page says where it is.",
            rules,
            ("max by (instance, revision) (adproxy_rules_info)", ""),
            ("min by (instance) (adproxy_workers_with_current_rules / adproxy_workers_wanted)", ""),
            ("time() - max by (instance) (adproxy_rules_last_reload_timestamp_seconds)", ""),
            ("min by (instance) (adproxy_rules_last_reload_successful)", ""),
            overrides=[
                named("workers with them", unit="percentunit"),
                named("in force for", unit="s"),
                named("last edit", mappings=verdict, custom__cellOptions={"type": "color-text"}),
            ],
        ), 4, 7,
    )  # fmt: skip


STAGES = (
    ("placed", "adproxy_slot_placements_total"),
    ("requested", "adproxy_slot_requests_total"),
    ("filled", ""),
    ("impressions", "adproxy_slot_impressions_total"),
    ("viewable", "adproxy_slot_viewable_impressions_total"),
    ("clicks", "adproxy_slot_clicks_total"),
)


def stage(metric: str, by: str, over: str) -> str:
    """One stage of the funnel; filled is what was requested without what was unfilled."""
    if metric:
        return f"sum{by} ({over.replace('METRIC', metric)})"
    requested, unfilled = (stage(f"adproxy_slot_{name}_total", by, over) for name in ("requests", "unfilled"))
    return f"{requested} - {unfilled}"


def funnel(made: Grid) -> None:
    per_second = f"rate(METRIC{{{VALID}, {SLOT}}}{RATE})"
    made.add(
        lines(
            "The funnel",
            "A second. Placed is counted where pages are made, the rest in browsers: behind a cache more is requested "
            "than was placed.",
            "ops",
            *((stage(metric, "", per_second), name) for name, metric in STAGES),
        ), 10, 10,
    )  # fmt: skip
    in_all = f"increase(METRIC{{{VALID}, {SLOT}}}[$__range])"
    by_slot = [
        *((stage(metric, " by (site, slot)", in_all), "") for _, metric in STAGES),
        *(
            (f"avg by (site, slot) (avg_over_time(site_slot:adproxy_slot_{rate}:ratio_rate5m{{{SLOT}}}[$__range]))", "")
            for rate in ("fill", "viewability")
        ),
    ]
    names = [name for name, _ in STAGES] + ["fill", "viewability"]
    shown = [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {"Time": True},
                "renameByName": {f"Value #{chr(ord('A') + n)}": name for n, name in enumerate(names)},
            },
        },
    ]
    made.add(
        table(
            "By site and slot",
            "In the time that is looked at. Fill and viewability are averages of five-minute figures.",
            shown, *by_slot, decimals=0,
            overrides=[alike("^(fill|viewability)$", unit="percentunit", decimals=1)],
        ), 14, 10,
    )  # fmt: skip
    made.add(
        lines(
            "Fill by slot", "Of requests, how many an ad came of.", "percentunit",
            (f"site_slot:adproxy_slot_fill:ratio_rate5m{{{SLOT}}}", "{{site}} {{slot}}"), max=1,
        ), 8, 8,
    )  # fmt: skip
    made.add(
        lines(
            "Rendered by slot", "Of the ads that came, how many began to render. Low: something hides or breaks them.",
            "percentunit", (f"site_slot:adproxy_slot_rendered:ratio_rate5m{{{SLOT}}}", "{{site}} {{slot}}"),
        ), 8, 8,
    )  # fmt: skip
    made.add(
        lines(
            "Viewability by slot", "Of impressions, how many were in view for a second.", "percentunit",
            (f"site_slot:adproxy_slot_viewability:ratio_rate5m{{{SLOT}}}", "{{site}} {{slot}}"), max=1,
        ), 8, 8,
    )  # fmt: skip
    made.add(
        {
            "type": "text",
            "title": "What each counter means, beside Ad Manager's words",
            "datasource": PROMETHEUS,
            "options": {"mode": "markdown", "content": MEANINGS},
        }, 12, 11,
    )  # fmt: skip
    made.add(
        lines(
            "Invalid traffic",
            "Share of page views by crawlers and the like: counted apart, in none of the figures above.",
            "percentunit", (f"site:adproxy_page_views_invalid:ratio_rate5m{{{SITE}}}", "{{site}}"), max=1,
        ), 6, 11,
    )  # fmt: skip
    made.add(
        lines(
            "Why it is invalid", "Events, by the first sign that gave their sender away.", "ops",
            by_reason("invalid_traffic", SITE), stacked=True,
        ), 6, 11,
    )  # fmt: skip


def by_reason(metric: str, labels: str) -> tuple[str, str]:
    return (f"sum by (reason) (rate(adproxy_{metric}_total{{{labels}}}{RATE}))", "{{reason}}")


def reasons(made: Grid) -> None:
    made.add(
        lines(
            "Why slots were refused",
            "Places that a slot could have had, a second: a page has many. adproxy explain tells each.",
            "ops", by_reason("slot_refusals", SLOT), stacked=True,
        ), 12, 9,
    )  # fmt: skip
    made.add(
        lines(
            "Why pages were left alone", "By choice: the same page would be left alone again.", "reqps",
            by_reason("pages", f'outcome="skipped", {SITE}'), stacked=True,
        ), 12, 9,
    )  # fmt: skip
    made.add(
        lines(
            "Why ads were withheld", "Slots that a browser left without asking for an ad.", "ops",
            by_reason("slot_withheld", f"{VALID}, {SLOT}"), stacked=True,
        ), 12, 8,
    )  # fmt: skip
    made.add(
        lines(
            "Reports of browsers that were not counted",
            "Some duplicates are normal: a browser that got no answer asks again.", "ops",
            by_reason("beacons_rejected", ""), stacked=True,
        ), 12, 8,
    )  # fmt: skip


def density(made: Grid) -> None:
    buckets = f"sum by (le) (increase(adproxy_page_ad_density_ratio_bucket{{device='DEVICE', {SITE}}}{RATE}))"
    for device in ("phone", "desktop"):
        made.add(
            panel(
                "heatmap",
                f"Density on {device}s, estimated",
                "How many planned pages carry how much advertising, the page's own ads included.",
                [{**query, "format": "heatmap"} for query in queries((buckets.replace("DEVICE", device), "{{le}}"))],
                "short",
                {
                    "calculate": False,
                    "color": {"mode": "scheme", "scheme": "Blues", "steps": 32, "fill": BLUE, "exponent": 0.5},
                    "yAxis": {"axisPlacement": "left", "unit": "percentunit"},
                    "cellGap": 1,
                    "legend": {"show": True},
                    "tooltip": {"mode": "single", "yHistogram": True},
                },
            ), 8, 8,
        )  # fmt: skip
    made.add(
        lines(
            "Pages over their limit", "Share of planned pages with more advertising than the rules allow.",
            "percentunit",
            (f"site_device:adproxy_page_ad_density_breaches:ratio_rate5m{{{SITE}}}", "{{site}} {{device}}"), max=1,
        ), 8, 8,
    )  # fmt: skip
    p95 = f"histogram_quantile(0.95, sum by (device, le) (rate(adproxy_%s_ad_density_ratio_bucket{{{SITE}}}{RATE})))"
    made.add(
        lines(
            "Density, estimated against measured",
            "What 95 of 100 pages stay under: as estimated when they were planned, and as browsers measured it.",
            "percentunit",
            (p95 % "page", "{{device}} estimated"),
            (p95 % "measured", "{{device}} measured"),
            overrides=[alike("measured$", custom__lineStyle=dashed())],
        ), 24, 7,
    )  # fmt: skip


def latency(made: Grid) -> None:
    for title, about, metric in (
        ("Added to the first byte", "What a reader waits for adproxy, on top of the origin.", "added_first_byte"),
        ("A page's rewrite", "From the complete page to the bytes that are sent.", "rewrite"),
    ):
        of_buckets = f"sum by (le) (rate(adproxy_{metric}_seconds_bucket{RATE}))"
        quantiles = (
            (f"histogram_quantile({share}, {of_buckets})", name)
            for share, name in ((0.5, "half"), (0.95, "p95"), (0.99, "p99"))
        )
        made.add(lines(title, about, "s", *quantiles), 8, 8)
    made.add(
        lines(
            "Errors of adproxy's own", "Answers of 5xx that adproxy made itself.", "reqps",
            (f"sum by (kind) (rate(adproxy_errors_total{RATE}))", "{{kind}}"), stacked=True,
        ), 8, 8,
    )  # fmt: skip
    made.add(
        lines(
            "Pages by outcome", "What became of the pages that passed.", "reqps",
            (f"sum by (outcome) (rate(adproxy_pages_total{{{SITE}}}{RATE}))", "{{outcome}}"), stacked=True,
        ), 8, 8,
    )  # fmt: skip
    made.add(
        lines(
            "Workers", "Running, against those that there should be (dashed); and replaced.", "short",
            ("sum(adproxy_workers_running)", "running"),
            ("sum(adproxy_workers_wanted)", "wanted"),
            (f"sum by (reason) (increase(adproxy_worker_restarts_total{RATE}))", "replaced: {{reason}}"),
            overrides=[named("wanted", custom__lineStyle=dashed(), color=colour(GREY))],
        ), 8, 8,
    )  # fmt: skip
    made.add(
        lines(
            "The event store", "Its size, and reports that could not be kept.", "ops",
            (f"sum by (kind) (rate(adproxy_event_store_errors_total{RATE}))", "not kept: {{kind}}"),
            ("sum by (instance) (adproxy_event_store_bytes)", "{{instance}} size"),
            overrides=[alike(" size$", unit="bytes", custom__axisPlacement="right")],
        ), 8, 8,
    )  # fmt: skip


# --- the whole ------------------------------------------------------------------------------


def variable(name: str, label: str, metric: str) -> Json:
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": PROMETHEUS,
        "query": {"query": f"label_values({metric}, {name})", "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def dashboard() -> Json:
    return {
        "uid": "adproxy",
        "title": "adproxy",
        "description": "Ad slots from the page to the reader: placed, requested, filled, rendered, viewable, clicked.",
        "tags": ["adproxy", "advertising"],
        "schemaVersion": 41,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "annotations": {
            "list": [
                {
                    "name": "Rules changed",
                    "datasource": PROMETHEUS,
                    "enable": True,
                    "hide": False,
                    "iconColor": "purple",
                    "expr": "sum(changes(adproxy_rules_last_reload_timestamp_seconds[$__rate_interval])) > 0",
                }
            ]
        },
        "templating": {
            "list": [
                {
                    "type": "datasource",
                    "name": "datasource",
                    "label": "Prometheus",
                    "query": "prometheus",
                    "refresh": 1,
                    "current": {},
                },
                variable("site", "Site", "adproxy_pages_total"),
                variable("slot", "Slot", 'adproxy_slot_placements_total{site=~"$site"}'),
            ]
        },
        "panels": grid(),
    }


if __name__ == "__main__":
    json.dump(dashboard(), sys.stdout, indent=2, ensure_ascii=False)
    print()
