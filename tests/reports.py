"""Reports for tests of what counts them."""

from __future__ import annotations

from adproxy.beacon import Event
from adproxy.event_store import Report
from adproxy.model import EventKind
from adproxy.tokens import PageFacts
from adproxy.traffic import InvalidReason

DAY = 20_000
HOUR = DAY * 24 + 12
FACTS = PageFacts("asia-news", "/story", "0123456789ab", DAY, (("top", 1), ("in-article", 3)))
VIEW, REQUEST, RENDERED, VIEWABLE, CLICK = (
    Event(EventKind.PAGE_VIEW),
    *(
        Event(kind, "in-article", 2)
        for kind in (EventKind.REQUEST, EventKind.RENDERED, EventKind.VIEWABLE, EventKind.CLICK)
    ),
)


def nonce(number: int) -> bytes:
    return number.to_bytes(16, "big")


def report(
    number: int | None,
    *events: Event,
    facts: PageFacts = FACTS,
    invalid: InvalidReason | None = None,
    hour: int = HOUR,
    known: frozenset[str] | None = frozenset({"top", "in-article"}),
) -> Report:
    """What a view with that nonce reports; None: a browser that could mint none."""
    return Report(facts, nonce(number) if number is not None else None, events, invalid, hour, known)
