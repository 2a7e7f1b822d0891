"""A change of rules tried on recent pages of the site: found, fetched and planned twice, one after the other.

It runs beside everything else in a thread of its own, and tells how far it is. The number of pages, the time and the
bytes have their bounds; what could not be had within them is named.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field

from adproxy.account import choose_by_url
from adproxy.comparison import Comparison, Sample, compare
from adproxy.console.site import FETCH_SECONDS, Site, page_address
from adproxy.errors import PageError
from adproxy.page_source import Fetched
from adproxy.rules.ruleset import RuleBook
from adproxy.site_survey import Source, begin

MAX_PAGES = 40
"""Of one trial."""
FIND_PAGES = 20
"""That are looked for where nobody names any."""
LOOKED_THROUGH = 200
"""Addresses among which those are chosen that rules are for."""
TRIAL_SECONDS = 120.0
MAX_BYTES = 64 << 20
"""Of all pages together."""
_LOOK_UP = 0.25
"""Seconds after which a wait looks whether it is still wanted."""


@dataclass(slots=True)
class Trial:
    """One trial and how far it is. Written by its thread, read by whoever shows it."""

    name: str
    """Of the text that was edited."""
    text: str
    addresses: tuple[str, ...]
    """Those that were given; empty: to be found."""
    done: int = 0
    of: int = 0
    """Pages; 0 while they are looked for."""
    comparison: Comparison | None = None
    problem: str = ""
    """Why there is no comparison."""
    given_up: threading.Event = field(default_factory=threading.Event)

    @property
    def is_over(self) -> bool:
        return self.comparison is not None or bool(self.problem)


def run(trial: Trial, old: RuleBook, new: RuleBook, site: Site, home: str, loop: asyncio.AbstractEventLoop) -> None:
    """Carry a trial through, in a thread; never raises. `loop`: the one that the site belongs to; `home`: where pages
    are looked for."""
    ends = time.monotonic() + TRIAL_SECONDS

    def fetch(url: str) -> Fetched:
        return _wait_for(trial, site, url, loop, ends)

    try:
        addresses = list(trial.addresses) or _recent(home, fetch, (old, new))
        if not addresses:
            raise PageError(
                f"{home}: found no page in its feeds, its site map or on its front page that rules are for; name some"
            )
        trial.of = min(len(addresses), MAX_PAGES)
        unread: list[str] = []
        trial.comparison = compare(old, new, _samples(trial, addresses[:MAX_PAGES], home, fetch, ends, unread), unread)
    except PageError as error:
        trial.problem = str(error)
    except Exception as bug:  # whoever waits for it must be told
        trial.problem = f"The trial failed: {type(bug).__name__}: {bug}"


def _samples(
    trial: Trial, addresses: list[str], home: str, fetch: Source, ends: float, unread: list[str]
) -> Iterator[Sample]:
    size = 0
    for address in addresses:
        if time.monotonic() > ends or size > MAX_BYTES or trial.given_up.is_set():
            why = "the time was over" if time.monotonic() > ends else f"after {size} bytes there was no room for more"
            unread.append(f"{address}: {why}")
            continue
        try:
            fetched = fetch(page_address(address, home))
            if fetched.status != 200:
                raise PageError(f"{address}: answered {fetched.status}; expected a page (200)")
            size += len(fetched.body)
            yield Sample(_short(fetched.url), fetched.url, fetched.body, fetched)
        except PageError as error:
            unread.append(str(error))
        trial.done += 1


def _recent(home: str, fetch: Source, books: tuple[RuleBook, RuleBook]) -> list[str]:
    """Recent articles of the site that either rules are for, from its feeds, its site map and its front page."""
    found = begin(home if home.endswith("/") else f"{home}/", fetch, LOOKED_THROUGH).addresses
    covered = [url for url in found if any(choose_by_url(book, url).policy is not None for book in books)]
    return covered[:FIND_PAGES]


def _wait_for(trial: Trial, site: Site, url: str, loop: asyncio.AbstractEventLoop, ends: float) -> Fetched:
    answer = asyncio.run_coroutine_threadsafe(site.fetch(url), loop)
    latest = min(ends, time.monotonic() + FETCH_SECONDS)
    while True:
        try:
            return answer.result(_LOOK_UP)
        except NotYet:
            if time.monotonic() < latest and not trial.given_up.is_set():
                continue
            answer.cancel()
            raise PageError(f"{url}: did not come in time") from None
        except CancelledError:
            raise PageError(f"{url}: was given up") from None


def _short(url: str) -> str:
    """An address as it is shown: without scheme and host."""
    return "/" + url.split("://", 1)[-1].partition("/")[2]
