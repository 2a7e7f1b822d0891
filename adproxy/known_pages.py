"""What is known of pages that were decided before: of exact bytes the outcome, of changed ones the plan.

For one thread: the event loop's. Three quarters of the room are for outcomes, the rest for the last version of each
page whose bytes differ at each request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adproxy.cache import Kept, PageCache
from adproxy.decision import Decided, Version
from adproxy.metrics import CacheResult, Metrics, Tally
from adproxy.model import Skip
from adproxy.whole_page import WholePage

_OUTCOMES: Final = 0.75
"""Their share of the room."""


@dataclass(frozen=True, slots=True)
class Known:
    """A page that was planned, ready to be sent."""

    body: bytes | None
    """None where it stays as it came."""
    tally: Tally
    """What is counted when it is sent."""


class KnownPages:
    """`max_bytes`: of all that is remembered; 0: nothing is. `sent`: False in a dry run."""

    def __init__(self, max_bytes: int, metrics: Metrics, *, sent: bool = True) -> None:
        self._metrics = metrics
        self._sent = sent
        self._outcomes: PageCache[Known | Skip] = PageCache(int(max_bytes * _OUTCOMES))
        self._versions: Kept[Version] = Kept(max_bytes - int(max_bytes * _OUTCOMES))
        self._on = max_bytes > 0
        self._count_hit, self._count_near, self._count_miss = map(
            metrics.cache_counter, (CacheResult.HIT, CacheResult.NEAR, CacheResult.MISS)
        )
        if self._on:
            metrics.show_cache(lambda: self.bytes)

    @property
    def bytes(self) -> int:
        """What is remembered, in bytes."""
        return self._outcomes.figures.bytes + self._versions.figures.bytes

    def find(self, page: WholePage) -> Known | Skip | None:
        """The outcome of this very page; None where it has to be decided."""
        asked = page.asked() if self._on else None
        found = self._outcomes.get(asked, page.pieces) if asked is not None else None
        if found is not None:
            self._count_hit()
        return found

    def earlier(self, page: WholePage) -> Version | None:
        """An earlier version of the page, whose plan may be its own."""
        if not self._on:
            return None
        entry = self._versions.find(page.kind())
        if entry is None:
            return None
        entry.used = True
        return entry.value

    def remember(self, page: WholePage, decided: Decided) -> Known | Skip:
        """What `decided` says of the page, kept for the next time if the same bytes may come again."""
        outcome: Known | Skip
        size, holder = 0, None
        if isinstance(decided.outcome, Skip):
            outcome = decided.outcome
        else:
            body = decided.outcome.body
            outcome = Known(body, self._metrics.tally(page.policy, decided.outcome.plan, sent=self._sent))
            size = len(body or b"") + outcome.tally.size
            if body is not None and decided.outcome.spans:
                holder = body, decided.outcome.spans
        asked = page.asked() if self._on else None
        if asked is None:
            return outcome
        if decided.carried:
            self._count_near()
        else:
            self._count_miss()
        evicted = self._outcomes.figures.evictions + self._versions.figures.evictions
        if decided.version is not None:
            self._versions.put(page.kind(), decided.version, decided.version.size)
        if not decided.carried:
            self._outcomes.put(asked, page.body, outcome, size, holder)
        evicted = self._outcomes.figures.evictions + self._versions.figures.evictions - evicted
        if evicted:
            self._metrics.cache_evicted(evicted)
        return outcome
