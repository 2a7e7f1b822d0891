"""A tag behind its name, as regular expressions; and the text of a script or style sheet."""

from __future__ import annotations

import re
from itertools import islice

# The rest of a tag behind its name, attribute by attribute as the parser reads it (HTML 13.2.5.32 to 39): an "=" can
# begin a name, a quote within an unquoted value is part of it. What is misread here could hide tags. Linear, since
# nothing in it can give back what it took; first come attributes as nearly all are written.
_VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)?+"
ATTRIBUTE = (
    rb"[\t\n\f\r /]*+[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rb"(?:=\"[^\"]*+\"|[\t\n\f\r ]*+(?:=[\t\n\f\r ]*+" + _VALUE + rb")?+)"
)
_USUAL = rb"(?: [a-z-]++=\"[^\"]*+\")*+"
REST_OF_TAG = _USUAL + rb"(?:" + ATTRIBUTE + rb")*+[\t\n\f\r /]*+"
EACH_ATTRIBUTE = re.compile(ATTRIBUTE)
NOTABLE = 128
"""Bytes of attributes; those of shorter tags are compared in no time."""

Stretch = tuple[int, int, int]
"""The number of a start tag, and where the text behind it begins and ends."""
LEFT_OUT = b"&lt;"
"""What stands for a text that is left out: four characters where a script's text is what the parser reads, one where
it reads markup."""
MOST_WITHIN = 16
"""Of what seems to be tags within others, and could end behind them, so many are read to their ends; each may have to
be sought to the end of the page."""
MOST_READ_WITHIN = 256 * 1024
"""Bytes after which no further one is read."""
LOOKED_BACK = 512
"""Bytes before a script in which a comment is looked for that would be around it."""


def has_more_attributes(rest: bytes, most: int) -> bool:
    """True if the rest of a tag has more than `most` attributes and one; long tags are not counted to their end."""
    return sum(1 for _ in islice(EACH_ATTRIBUTE.finditer(rest), most + 2)) > most + 1
