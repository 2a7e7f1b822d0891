"""Whether the body that came is one that is remembered, byte by byte.

A page that was given slots is kept as it is sent; the bytes that came are in there, all of them and in their order,
with what was inserted between. So they need no room of their own, and what is compared is what will be sent. Compiled
code (`same_native.pyx`) does it where adproxy was installed with a compiler at hand.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

Spans = Sequence[tuple[int, int]]
"""Starts and ends, ascending."""
Matches = Callable[[Sequence[bytes]], bool]
"""Tells of a body, in the pieces it came in, whether it is the one that is remembered."""


def pure_matcher(holder: bytes, spans: Spans) -> Matches:
    """What knows the body that lies in some spans of `holder`. Raises ValueError for spans that are not in there."""
    done = 0
    for start, end in spans:
        if not done <= start <= end <= len(holder):
            raise ValueError(f"{start} to {end}, after {done}, of {len(holder)} bytes")
        done = end

    def matches(pieces: Sequence[bytes]) -> bool:
        body = memoryview(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        at = 0
        for start, end in spans:
            piece = body[at : at + end - start]
            if len(piece) < end - start or not holder.startswith(piece, start):
                return False
            at += end - start
        return at == len(body)

    return matches


def _best() -> tuple[Callable[[bytes, Spans], Matches], bool]:
    if os.environ.get("ADPROXY_PURE_PYTHON") != "1":
        try:
            from adproxy import same_native

            return same_native.Matcher, True
        except ImportError:
            pass
    return pure_matcher, False


matcher, IS_COMPILED = _best()
