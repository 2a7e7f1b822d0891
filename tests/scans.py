"""Two scans of the same bytes, compared in all that may be asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from conftest import missing

from adproxy.page.bounds import Bounds
from adproxy.page.guard import BOUNDS, MAX_ATTRIBUTES, MAX_COMPARISONS, hostile
from adproxy.page.kinds import FORMATTING, KNOWN, MARKED
from adproxy.page.marks import mark
from adproxy.page.scan import Scanned

Scan = Callable[[bytes], Scanned]
# Which of them small pages exceed; the first that a page does hides the others.
_NARROW = (
    Bounds(attributes=3, comparisons=10**6, depth=40, reopened=60, templates=2, walked=900),
    Bounds(attributes=40, comparisons=700, depth=4, reopened=9, templates=9, walked=9_000),
    Bounds(attributes=200, comparisons=10**6, depth=200, reopened=10**6, templates=1, walked=60),
    Bounds(attributes=200, comparisons=10**6, depth=200, reopened=2, templates=90, walked=10**6),
    Bounds(attributes=200, comparisons=10**6, depth=9, reopened=10**6, templates=90, walked=10**6),
    Bounds(attributes=200, comparisons=40, depth=200, reopened=10**6, templates=90, walked=10**6),
    Bounds(attributes=200, comparisons=10**6, depth=0, reopened=10**6, templates=90, walked=10**6),
)
_NUMBERS = (None, "", "-1", "+1", " 1", "1_0", "²", "٣", "007", "99999999", "100000000")


def compiled() -> Scan:
    """The compiled scan; the test that asks is skipped where there is none."""
    try:
        from adproxy.page import scan_native
    except ImportError:
        missing("the scan is not compiled: a C compiler and Python's headers, then make .venv/product")
        pytest.fail("not reached")
    return scan_native.scan


def differences(html: bytes, one: Scanned, other: Scanned) -> list[str]:
    """What two scans of a page do not agree in."""
    return [name for name, mine, theirs in _answers(html, one, other) if mine != theirs]


def _answers(html: bytes, one: Scanned, other: Scanned) -> Iterator[tuple[str, object, object]]:
    def both(name: str, ask: Callable[[Scanned], object]) -> tuple[str, object, object]:
        return name, ask(one), ask(other)

    yield both("html", lambda scan: scan.html == html)
    yield both("tags", lambda scan: scan.tags)
    yield both("swallowed", lambda scan: scan.swallowed)
    yield both("is_clear", lambda scan: scan.is_clear)
    yield both("less_than", lambda scan: scan.less_than)
    yield both("behind_body", lambda scan: scan.behind_body)
    yield both("holds_adproxy", lambda scan: scan.holds_adproxy())
    yield both("count", lambda scan: [scan.count((kind,)) for kind in sorted(KNOWN)])
    yield both("count_swallowed", lambda scan: [scan.count_swallowed((kind,)) for kind in sorted(KNOWN)])
    yield both("distinct", lambda scan: (scan.distinct(FORMATTING), scan.distinct(KNOWN)))
    few = (0, 1, 2, 3, 5, 8, 60, MAX_ATTRIBUTES)
    yield both("may_have_more_attributes", lambda scan: [scan.may_have_more_attributes(most) for most in few])
    bounds = (0, 40, 300, 9_000, MAX_COMPARISONS)
    yield both("comparisons", lambda scan: [scan.comparisons_exceed(b, most) for b in bounds for most in (9, 60, 512)])
    # first of all tags and then of the marked ones: the numbers are those of all tags
    yield both("marked", lambda scan: (scan.marked(b"_m", KNOWN), scan.marked(b"_m", MARKED)))
    yield both("bulk", lambda scan: [scan.bulk(least) for least in (0, 1, 64)])
    yield both("left out", lambda scan: [scan.marked(b"_m", MARKED, scan.bulk(least)) for least in (0, 64)])
    yield both("idle", lambda scan: [scan.marked(b"_m", MARKED, scan.bulk(n), idle=False) for n in (0, 64)])
    numbers = [*_NUMBERS, *map(str, range(min(one.tags, 300) + 2)), str(one.tags - 1), str(one.tags)]
    yield both("offset", lambda scan: [_offset(scan, number, html) for number in numbers])
    yield both("has_few_attributes", lambda scan: [scan.has_few_attributes(most) for most in (0, 2, 9, MAX_ATTRIBUTES)])
    yield both("follow", lambda scan: [scan.follow(bounds) for bounds in (BOUNDS, *_NARROW)])
    yield both("guard", lambda scan: hostile(html, scan))
    yield both("mark", lambda scan: mark(html, scan).copy)


def _offset(scan: Scanned, number: str | None, html: bytes) -> tuple[str, int]:
    """By which of some names a tag is found, and where."""
    for name in ("p", "div", "h2", "table", "br", "b", "a", "script", "x-é", "x", ""):
        if (offset := scan.offset(number, name)) >= 0:
            return name, offset
    return "", -1
