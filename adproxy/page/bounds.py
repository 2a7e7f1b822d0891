"""How much of what hurts the parser a page may have, and which of it a page has too much of."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Bounds(NamedTuple):
    attributes: int
    """On one tag."""
    comparisons: int
    """Of attributes with each other."""
    depth: int
    """Of open elements, and of formatting left open."""
    reopened: int
    """Formatting elements that blocks would reopen, on the whole page."""
    templates: int
    walked: int
    """Open elements that tags walk, on the whole page."""


class Problem(NamedTuple):
    """The bound that a page exceeds, or what it has that can't be followed."""

    what: Literal[
        "attributes", "comparisons", "depth", "formatting", "reopened", "templates", "walked", "noscript", "svg"
    ]
    found: str = ""
    """The tag with the attributes; how many would be reopened."""
