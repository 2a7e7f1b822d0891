"""All start tags of a page's bytes, found in one go: what guards the parser and what marks the page both read them.

The scan knows tags and quoted values, but not where it is: in a script it takes ``i<n;`` for a tag, and may swallow a
real tag with it. Nobody may conclude from it that something is a tag, or that nothing is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
_START_TAG = re.compile(rb"(<[a-zA-Z][^\t\n\f\r />]*+)(" + REST_OF_TAG + rb")")
_NAME = re.compile(rb"<[a-zA-Z][^\t\n\f\r />]*+")
_LESS_THAN = ord("<")  # a byte is found in bytes three times as fast by its number
_WHITE = b"\t\n\f\r "


@dataclass(frozen=True, slots=True)
class Scanned:
    """The bytes in pieces: text, `<name`, rest of the tag, text, … ; together they are the page."""

    pieces: list[bytes]
    names: list[bytes]
    """``<p``, as spelled."""
    rests: list[bytes]
    """Attributes, without the ``>``."""
    swallowing: list[bytes]
    """The rests that hold what looks like a start tag."""
    swallowed: list[bytes]
    """Its names, as spelled. What a real start tag begins with is either among these or among `names`: whatever it may
    be mistaken for, be it value, comment or script, ends before the tag begins, by one of the bytes that end a name."""
    spelled: frozenset[bytes]
    """Each of `names` and `swallowed` once."""
    is_clear: bool
    """True if nothing that was swallowed may end outside of what swallowed it: then each real start tag ends where the
    scan says, or lies whole within one that does. False only on pages that are made to be misread."""

    @property
    def kinds(self) -> frozenset[bytes]:
        """The names of all elements that the page may have, in lower case; but for those that the parser makes up."""
        return frozenset(name[1:].lower() for name in self.spelled)


def scan(html: bytes) -> Scanned:
    """Every start tag, and what looks like one. Linear in the bytes, whatever they are."""
    pieces = _START_TAG.split(html)
    names, rests = pieces[1::3], pieces[2::3]
    swallowing = [rest for rest in rests if _LESS_THAN in rest and _NAME.search(rest)]  # on most pages none
    swallowed = [name for rest in swallowing for name in _NAME.findall(rest)]
    is_clear = not any(map(_may_be_left, swallowing))
    return Scanned(pieces, names, rests, swallowing, swallowed, frozenset(names).union(swallowed), is_clear)


def _may_be_left(rest: bytes) -> bool:
    """True if a tag within the rest of another may go on behind it.

    Both end at the same ">" unless the inner one is within a quoted value there. Such a value begins at the last quote
    of its kind in the rest, and behind an "=".
    """
    return any(rest[: rest.rfind(quote)].rstrip(_WHITE).endswith(b"=") for quote in (b'"', b"'") if quote in rest)
