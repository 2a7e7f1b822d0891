"""Numbers in mapped memory: compiled code adds what Python adds, and neither loses any."""

from __future__ import annotations

import hashlib
import mmap
import threading
import weakref
from math import inf
from pathlib import Path
from types import ModuleType

import pytest
from conftest import compiled_module
from hypothesis import given
from hypothesis import strategies as st

from adproxy import cells

BOUNDS = (0.001, 0.01, 0.25, 1.0, inf)
AMOUNTS = st.floats(0, 1e9)


def doubles(count: int = 32) -> memoryview[float]:
    return memoryview(mmap.mmap(-1, 8 * count)).cast("d")


def native() -> ModuleType:
    return compiled_module("cells_native")


@given(added=st.lists(st.tuples(st.integers(0, 31), AMOUNTS), max_size=12), times=st.integers(1, 3))
def test_all_are_added_to_in_a_call(added: list[tuple[int, float]], times: int) -> None:
    one, other = doubles(), doubles()
    slow = cells.pure_adder([(one, at, amount) for at, amount in added])
    quick = native().Adder([(other, at, amount) for at, amount in added])
    for _ in range(times):
        slow()
        quick()
    assert one.tolist() == other.tolist()
    assert sum(one) == pytest.approx(times * sum(amount for _, amount in added))


@given(values=st.lists(st.one_of(AMOUNTS, st.sampled_from(BOUNDS[:-1])), max_size=30))
def test_a_value_is_counted_in_the_first_bucket_that_it_fits(values: list[float]) -> None:
    one, other = doubles(), doubles()
    places = [2 + i for i in range(len(BOUNDS))]
    slow = cells.pure_watch(BOUNDS, (one, 0), [(one, at) for at in places])
    quick = native().Watch(BOUNDS, (other, 0), [(other, at) for at in places])
    for value in values:
        slow(value)
        quick(value)
    assert one.tolist() == other.tolist()
    below = [sum(one[2 : 3 + i]) for i in range(len(BOUNDS))]
    assert below == [sum(value <= bound for value in values) for bound in BOUNDS]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_place_beyond_the_memory_is_refused(compiled: bool) -> None:
    adder, watch = (native().Adder, native().Watch) if compiled else (cells.pure_adder, cells.pure_watch)
    memory = doubles(4)
    with pytest.raises(IndexError):
        adder([(memory, 0, 1.0), (memory, 4, 1.0)])
    with pytest.raises(IndexError):
        watch((inf,), (memory, 0), [(memory, 4)])


def test_buckets_without_bounds_are_refused() -> None:
    memory = doubles()
    with pytest.raises(ValueError, match="2 bounds of 1 buckets"):
        native().Watch((1.0, inf), (memory, 0), [(memory, 1)])


@pytest.mark.parametrize("compiled", [False, True])
def test_threads_lose_nothing(compiled: bool) -> None:
    memory = doubles()
    add = (native().Adder if compiled else cells.pure_adder)([(memory, at, 1.0) for at in range(8)])
    threads = [threading.Thread(target=lambda: [add() for _ in range(5_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert memory.tolist()[:8] == [20_000] * 8


def test_memory_lives_as_long_as_somebody_adds_to_it() -> None:
    memory = doubles()
    alive = weakref.ref(memory)
    add = native().Adder([(memory, 3, 2.0)])
    del memory
    add()
    kept = alive()
    assert kept is not None
    assert kept[3] == 2.0
    del kept, add
    assert alive() is None


def test_the_compiled_module_is_made_from_this_source() -> None:
    source = Path(cells.__file__).with_name("cells_native.pyx")
    assert hashlib.sha256(source.read_bytes()).hexdigest() == native().SOURCE, "compile anew: make .venv/product"
