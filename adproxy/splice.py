"""Sorted offsets and a join: the only code that makes a page's new bytes. Nothing is ever serialised again."""

from __future__ import annotations

from collections.abc import Iterable

from adproxy.model import Insertion


def splice(html: bytes, insertions: Iterable[Insertion]) -> bytes:
    """The page with each insertion's markup put at its offset; at equal offsets in the order given.

    Raises ValueError for an offset outside of the page: a bug, never the page's fault.
    """
    page = memoryview(html)  # its slices are no copies: the join is the only one
    pieces: list[bytes | memoryview] = []
    done = 0
    for insertion in sorted(insertions, key=lambda i: i.offset):
        if not 0 <= insertion.offset <= len(html):
            raise ValueError(f"offset {insertion.offset} lies outside of a page of {len(html)} bytes")
        pieces += (page[done : insertion.offset], insertion.markup)
        done = insertion.offset
    pieces.append(page[done:])
    return b"".join(pieces)


def left_of_page(size: int, insertions: Iterable[Insertion]) -> tuple[tuple[int, int], ...]:
    """Where the bytes of a page of that size are after the splice: starts and ends, ascending, none of them empty."""
    spans = []
    done = inserted = 0
    for insertion in sorted(insertions, key=lambda i: i.offset):
        if insertion.offset > done:
            spans.append((done + inserted, insertion.offset + inserted))
        done = insertion.offset
        inserted += len(insertion.markup)
    if size > done:
        spans.append((done + inserted, size + inserted))
    return tuple(spans)


def unsplice(html: bytes, insertions: Iterable[Insertion]) -> bytes:
    """The inverse: the original, from a spliced page and the insertions that were made (their original offsets).

    Raises ValueError where the bytes at an insertion's place are not its markup.
    """
    pieces: list[bytes] = []
    at = done = 0
    for insertion in sorted(insertions, key=lambda i: i.offset):
        keep = insertion.offset - done
        pieces.append(html[at : at + keep])
        at += keep
        if html[at : at + len(insertion.markup)] != insertion.markup:
            raise ValueError(f"no such insertion at byte {at}")
        at += len(insertion.markup)
        done = insertion.offset
    pieces.append(html[at:])
    return b"".join(pieces)
