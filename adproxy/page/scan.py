"""All start tags of a page's bytes, found in one go: what guards the parser and what marks the page both read them.

The scan knows tags and quoted values, but not where it is: in a script it takes ``i<n;`` for a tag, and may swallow a
real tag with it. Nobody may conclude from it that something is a tag, or that nothing is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# The rest of a tag behind its name, attribute by attribute as the parser reads it (HTML 13.2.5.32 to 39): an "=" can
# begin a name, a quote within an unquoted value is part of it. What is misread here could hide tags. Linear, since
# nothing in it can give back what it took; ="…" comes first because nearly all attributes are written so.
_VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)?+"
ATTRIBUTE = (
    rb"[\t\n\f\r /]*+[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rb"(?:=\"[^\"]*+\"|[\t\n\f\r ]*+(?:=[\t\n\f\r ]*+" + _VALUE + rb")?+)"
)
REST_OF_TAG = rb"(?:" + ATTRIBUTE + rb")*+[\t\n\f\r /]*+"
_START_TAG = re.compile(rb"(<[a-zA-Z][^\t\n\f\r />]*+)(" + REST_OF_TAG + rb")")


@dataclass(frozen=True, slots=True)
class Scanned:
    """The bytes in pieces: text, `<name`, rest of the tag, text, … ; together they are the page."""

    pieces: list[bytes]

    @property
    def texts(self) -> list[bytes]:
        """What stands before each tag, and at last what stands behind all."""
        return self.pieces[0::3]

    @property
    def names(self) -> list[bytes]:
        """``<p``, as spelled."""
        return self.pieces[1::3]

    @property
    def rests(self) -> list[bytes]:
        """Attributes, without the ``>``."""
        return self.pieces[2::3]


def scan(html: bytes) -> Scanned:
    """Every start tag, and what looks like one. Linear in the bytes, whatever they are."""
    return Scanned(_START_TAG.split(html))
