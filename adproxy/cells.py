"""Numbers in mapped memory that only grow: what a worker counts, each in eight bytes of a file.

A page counts two dozen of them. All are added to in one call, by compiled code (`cells_native.pyx`) where adproxy was
installed with a compiler at hand. Who reads the file meanwhile sees the old number or the new one.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence

Place = tuple["memoryview[float]", int]
"""Mapped memory as doubles, and the index of one of them."""
Adder = Callable[[Sequence["tuple[memoryview[float], int, float]"]], Callable[[], None]]
Watch = Callable[[Sequence[float], Place, Sequence[Place]], Callable[[float], None]]

_lock = threading.Lock()


def pure_adder(cells: Sequence[tuple[memoryview[float], int, float]]) -> Callable[[], None]:
    """What adds an amount to each of some numbers. `cells`: where they are, and how much. Raises IndexError."""
    for mapped, at, _ in cells:
        mapped[at]

    def add() -> None:
        with _lock:
            for mapped, at, amount in cells:
                mapped[at] += amount

    return add


def pure_watch(bounds: Sequence[float], total: Place, buckets: Sequence[Place]) -> Callable[[float], None]:
    """What counts a value: one more in the bucket of the first bound that is no smaller, and the value in the total.

    `bounds`: ascending, the last of them infinity; as many as buckets. Raises IndexError.
    """
    adders = [pure_adder([(*bucket, 1.0)]) for bucket in buckets]
    mapped, at = total

    def watch(value: float) -> None:
        with _lock:
            mapped[at] += value
        adders[bisect_left(bounds, value)]()

    return watch


def _best() -> tuple[Adder, Watch, bool]:
    if os.environ.get("ADPROXY_PURE_PYTHON") != "1":
        try:
            from adproxy import cells_native

            return cells_native.Adder, cells_native.Watch, True
        except ImportError:
            pass
    return pure_adder, pure_watch, False


adder, watch, IS_COMPILED = _best()
