"""One reading of all metrics, to be asked for sums.

A counter that is not there is told from one that stands at zero: sums of the former are None, and a page can say so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from prometheus_client.core import Metric


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram: how many observations lay at or under each bound, the last of which is infinity."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    """Cumulative, one for each bound."""

    @property
    def total(self) -> float:
        """Observations."""
        return self.counts[-1] if self.counts else 0.0

    def quantile(self, share: float) -> float | None:
        """The value that `share` (0 to 1) of the observations lie at or under, straight between two bounds, as
        Prometheus has it; infinity where it lies beyond the last finite bound; None without observations."""
        rank = share * self.total
        if not rank:
            return None
        below, before = 0.0, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if count >= rank:
                if math.isinf(bound):
                    return math.inf
                return below + (bound - below) * (rank - before) / (count - before)
            below, before = bound, count
        return None

    def over(self, limit: float) -> float | None:
        """The share of observations that lie over `limit`; None where it is no bound, or nothing was observed."""
        if limit not in self.bounds or not self.total:
            return None
        return 1 - self.counts[self.bounds.index(limit)] / self.total

    def columns(self) -> tuple[float, ...]:
        """Observations in each bucket alone."""
        return tuple(later - earlier for earlier, later in pairwise((0.0, *self.counts)))

    def since(self, earlier: Spread) -> Spread:
        """What was observed after `earlier`; all of it where that is of another shape, or the counts began anew."""
        if earlier.bounds != self.bounds or earlier.total > self.total:
            return self
        return Spread(self.bounds, tuple(now - then for now, then in zip(self.counts, earlier.counts, strict=True)))


NOTHING_SPREAD = Spread((), ())


class Readings:
    """All samples of one scrape. Names are those of the exposition: ``adproxy_pages_total``."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        self._families: set[str] = set()
        for family in families:
            self._families.add(family.name)
            for sample in family.samples:
                self._samples.setdefault(sample.name, []).append((sample.labels, sample.value))

    def __contains__(self, name: str) -> bool:
        return name in self._samples or name.removesuffix("_total") in self._families

    def sum(self, name: str, *, valid: bool = False, **wanted: str) -> float | None:
        """The sum over the series that `by` would take; None where there is no such metric."""
        return sum(value for _, value in self._series(name, valid, wanted)) if name in self else None

    def by(self, name: str, *keys: str, valid: bool = False, **wanted: str) -> dict[tuple[str, ...], float]:
        """Sums by the values of these labels, of the series that have all of `wanted`; with `valid` without those of
        invalid traffic."""
        found: dict[tuple[str, ...], float] = {}
        for labels, value in self._series(name, valid, wanted):
            key = tuple(labels.get(each, "") for each in keys)
            found[key] = found.get(key, 0.0) + value
        return found

    def _series(self, name: str, valid: bool, wanted: Mapping[str, str]) -> Iterator[tuple[dict[str, str], float]]:
        for labels, value in self._samples.get(name, ()):
            if wanted.items() <= labels.items() and not (valid and labels.get("traffic") == "invalid"):
                yield labels, value

    def spread(self, name: str, **wanted: str) -> Spread:
        """A histogram, added up over the series that have all these labels."""
        return self.spreads(name, **wanted).get((), NOTHING_SPREAD)

    def spreads(self, name: str, *keys: str, **wanted: str) -> dict[tuple[str, ...], Spread]:
        """The same by the values of `keys`."""
        found: dict[tuple[str, ...], dict[float, float]] = {}
        for labels, count in self.by(f"{name}_bucket", *keys, "le", valid=False, **wanted).items():
            found.setdefault(labels[:-1], {})[float(labels[-1])] = count
        made = {}
        for key, counts in found.items():
            bounds = sorted(counts)
            made[key] = Spread(tuple(bounds), tuple(counts[bound] for bound in bounds))
        return made


def share(part: float | None, whole: float | None) -> float | None:
    """`part` of `whole`; None where either is unknown or there is no whole."""
    return part / whole if part is not None and whole else None


def finite(value: float | None) -> float | None:
    """None for infinity, which no drawing can show."""
    return None if value is None or math.isinf(value) else value
