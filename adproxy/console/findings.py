"""When something is worth a look: what the overview says first.

The bounds are those of ``deploy/prometheus/alerts.yml``, by the figures of the last hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from adproxy.board import WorkerState
from adproxy.console.density import Density
from adproxy.console.history import Window
from adproxy.console.pages import counted, percent, seconds
from adproxy.console.readings import Readings
from adproxy.live_rules import LiveStatus

FAILED_OPEN_SHARE = 0.01
SLOW_SECONDS = 0.25
LEAST_RENDERED_SHARE = 0.5
ENOUGH = 100
"""Events that a share must rest on before it is called bad."""

Level = Literal["good", "look", "alarm", "none"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be."""

    text: str
    section: str
    """The id of the part of the page that says more."""
    level: Level


def findings(
    now: Readings,
    window: Window,
    status: LiveStatus | None,
    states: Sequence[WorkerState],
    density: Sequence[Density],
) -> list[Finding]:
    """The worst first."""
    found: list[Finding] = []
    running = sum(state.ready for state in states)
    if states and not running:
        found.append(Finding("No worker is running: no page is served", "workers", "alarm"))
    elif running < len(states):
        gone = len(states) - running
        text = f"{gone} of {len(states)} workers {'is' if gone == 1 else 'are'} missing"
        found.append(Finding(text, "workers", "alarm"))
    if status is not None and status.loaded_at is None:
        found.append(Finding("No rules in force: every page passes without ads", "rules", "alarm"))
    elif status is not None and status.problem is not None:
        found.append(Finding("The last edit of the rules was not taken", "rules", "alarm"))
    if now.sum("adproxy_switched_off"):
        found.append(Finding("adproxy is switched off: every page passes without ads", "pages", "alarm"))
    if now.sum("adproxy_event_store_writable") == 0:
        found.append(Finding("What browsers report can't be written: nothing is counted", "traffic", "alarm"))
    errors = window.change("errors")
    if errors:
        text = f"{counted(errors, 'answer')} of 5xx of adproxy's own"
        found.append(Finding(text, "pages", "alarm"))
    failed = window.failed_open
    if failed is not None and failed > FAILED_OPEN_SHARE:
        found.append(Finding(f"{percent(failed)} of the pages lost their slots to an accident", "pages", "look"))
    if (window.change("planned") or 0) >= ENOUGH and window.change("with_slots") == 0:
        found.append(Finding("Pages are planned, and not one has a slot", "refusals", "alarm"))
    rendered = window.rendered
    if (window.filled or 0) >= ENOUGH and rendered is not None and rendered < LEAST_RENDERED_SHARE:
        found.append(Finding(f"Only {percent(rendered)} of the ads that came were rendered", "funnel", "look"))
    quarantined = now.sum("adproxy_quarantined_pages")
    if quarantined:
        text = f"Workers died on pages: {counted(quarantined, 'page')} for a day without slots, named in the log"
        found.append(Finding(text, "workers", "look"))
    slow = window.slow
    if slow is not None and slow > SLOW_SECONDS:
        found.append(Finding(f"One page in twenty waits {seconds(slow)} or longer for adproxy", "speed", "look"))
    if status is not None and any(state.ready and state.revision != status.revision for state in states):
        found.append(Finding("Some workers have other rules than those in force", "workers", "look"))
    found += [
        Finding(f"Pages of {each.site} carry more ads on {each.device}s than their rules allow", "density", "look")
        for each in density
        if each.is_over
    ]
    for metric, what, section in (
        ("adproxy_metrics_corrupt_files", "of metrics", "pages"),
        ("adproxy_event_store_set_aside_files", "of the event store", "traffic"),
    ):
        damaged = now.sum(metric)
        if damaged:
            text = f"{counted(damaged, 'damaged file')} {what}: counts are missing"
            found.append(Finding(text, section, "look"))
    return sorted(found, key=lambda finding: finding.level != "alarm")
