"""Where what browsers report is counted: the interface, and the words that both of its sides speak.

A store counts each event of a view once, for ever, whatever process or retry brings it, and says so only when that is
kept. What a store keeps: which events of which view were counted, until the view's token has expired; the counters that
Prometheus reads; and figures by article, slot and hour, for as long as they are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from adproxy.beacon import Event
from adproxy.model import EventKind
from adproxy.tokens import PageFacts
from adproxy.traffic import InvalidReason

SECONDS_AN_HOUR = 3_600
DENSITY_BUCKETS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.75, 1.0)
"""Upper bounds. The limits that rules commonly set (25 and 30 %) are among them."""
ROLLED_UP = (
    EventKind.PAGE_VIEW,
    EventKind.REQUEST,
    EventKind.UNFILLED,
    EventKind.WITHHELD,
    EventKind.RENDERED,
    EventKind.VIEWABLE,
    EventKind.CLICK,
)
"""The columns of the figures by article, slot and hour."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is to be counted of one request."""

    facts: PageFacts
    nonce: bytes | None
    """Of the view; None where the browser could mint none: then each report counts."""
    events: tuple[Event, ...]
    """Each about a placement that the page has, or about the page."""
    invalid: InvalidReason | None
    """Why it is no reader's."""
    hour: int
    """Hours from the Unix epoch to when it came."""
    known: frozenset[str] | None
    """Names of the slots that the loaded rules have for the site; None where they have no such site."""


class Outcome(NamedTuple):
    """What became of the events of one report."""

    counted: int
    duplicate: int
    """Were counted before."""
    out_of_order: int
    """Viewable, though never rendered."""
    foreign: int = 0
    """Of a nonce that another page's view has."""


class StoreProblem(str, Enum):
    """Why nothing can be counted at the moment. Closed: a metric's label."""

    FULL = "full"
    """The disk, or the room that the settings give."""
    IO = "io"
    BUSY = "busy"
    """Other processes kept it locked for too long."""
    CORRUPT = "corrupt"
    QUEUE = "queue"
    """More reports wait than there is room for."""
    TIMEOUT = "timeout"
    OTHER = "other"


class RejectReason(str, Enum):
    """Why a report, or an event of it, was not counted. Closed: a metric's label."""

    METHOD = "method"
    TOO_LARGE = "too_large"
    SLOW = "slow"
    """It did not arrive in time."""
    RATE_LIMIT = "rate_limit"
    MALFORMED = "malformed"
    CROSS_SITE = "cross_site"
    """A browser sent it from another site's page."""
    FORGED = "forged"
    EXPIRED = "expired"
    FOREIGN_SLOT = "foreign_slot"
    """Of a slot that was not on the page."""
    FOREIGN_NONCE = "foreign_nonce"
    """Its nonce belongs to a view of another page."""
    OUT_OF_ORDER = "out_of_order"
    """Viewable, though never rendered."""
    DUPLICATE = "duplicate"
    STORE = "store"
    """The event store could not be written; the browser was told to come again."""


class StoreUnavailable(Exception):
    """Nothing was counted; the same report may be sent again."""

    def __init__(self, problem: StoreProblem, detail: str = "") -> None:
        self.problem = problem
        super().__init__(f"{problem.value}: {detail}" if detail else problem.value)


class EventStore(Protocol):
    """Where reports go."""

    async def count(self, report: Report) -> Outcome:
        """Count a report; returns when that is kept. Raises `StoreUnavailable`."""

    def close(self) -> None:
        """Count what is waiting, for a few seconds at most, and let go."""


# --- what can be read ---------------------------------------------------------------------------


class CounterKey(NamedTuple):
    """One counter."""

    name: str
    """The value of an `EventKind`; ``density_sum``; or ``invalid``."""
    site: str
    slot: str
    """The device of a density; empty for what is about the page."""
    traffic: str
    """``valid`` or ``invalid``."""
    reason: str
    """Of what was withheld, or of invalid traffic; the bucket of a density, by its index."""


@dataclass(frozen=True, slots=True)
class StoreState:
    """How a store is, for an alarm."""

    writable: bool
    """A moment ago something could be written."""
    size: int
    """Bytes on the disk."""
    set_aside: int
    """Files that were damaged and are kept beside."""


class Figures(NamedTuple):
    """What was counted of one slot on one page in one hour."""

    hour: int
    """Hours from the Unix epoch."""
    site: str
    path: str
    slot: str
    """Empty for what is about the page."""
    traffic: str
    counts: tuple[int, ...]
    """In the order of `ROLLED_UP`."""


class EventReader(Protocol):
    """What can be asked of a store; each may raise `StoreUnavailable`."""

    def counters(self) -> Mapping[CounterKey, float]:
        """All counters."""

    def figures(self, since: int, until: int) -> Iterator[Figures]:
        """The figures of the hours from `since` to before `until`, oldest first."""

    def state(self) -> StoreState:
        """How it is; never raises."""
