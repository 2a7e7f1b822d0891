"""What belongs to one connection and goes no further, and the traces that a gateway leaves (RFC 9110, 7.6).

``Via`` names us to the upstream; ``CDN-Loop`` (RFC 8586) tells us our own requests when they come back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from adproxy.eligibility import RawHeaders, said, split_list, values

HeaderList = list[tuple[bytes, bytes]]

NAME: Final = "adproxy"
MAX_VIAS: Final = 8
"""So often may a request have passed an adproxy: a chain is possible, a longer one is a loop that lost `CDN-Loop`."""

# Trailers are not passed on, so neither is what announces them.
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
# ``Connection: cookie`` would make us strip what the site or we rely on: such an option is not obeyed.
_ESSENTIAL: Final = frozenset(
    b"""accept accept-encoding accept-language authorization cache-control cdn-loop content-encoding content-length
    content-type cookie date etag expect expires forwarded host if-match if-modified-since if-none-match if-range
    if-unmodified-since last-modified location max-forwards origin range referer set-cookie user-agent vary via
    x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip content-security-policy""".split()
)


def end_to_end(headers: RawHeaders) -> HeaderList:
    """The fields that go further, names in lower case, values without the white space around them, which is none of
    theirs (RFC 9110, 5.5); order and duplicates kept."""
    kept: HeaderList = []
    named: set[bytes] = set()
    for name, value in headers:
        lower = name.lower()
        if lower not in _HOP_BY_HOP:
            kept.append((lower, value.strip(b" \t")))
        elif lower == b"connection":
            named.update(option.strip().lower() for option in value.split(b","))
    gone = named - _ESSENTIAL - _HOP_BY_HOP
    return [field for field in kept if field[0] not in gone] if gone else kept


_TRACES: Final = frozenset({b"cdn-loop", b"via"})


def is_loop(headers: RawHeaders, instance: str) -> bool:
    """Whether a request was sent by us. `instance`: what tells us from other adproxies in the same chain."""
    found = said(headers, _TRACES)
    if not found:
        return False
    for line in found.get(b"cdn-loop", ()):
        for element in split_list(line):
            cdn, _, parameters = element.partition(";")
            if cdn.strip().lower() == NAME and f"id={instance}" in parameters.replace(" ", "").split(";"):
                return True
    vias = [element for line in found.get(b"via", ()) for element in split_list(line)]
    return sum(re.match(rf"\S+[ \t]+{NAME}(?:\s|$)", via.strip()) is not None for via in vias) >= MAX_VIAS


@cache
def traces(http_version: str, instance: str) -> tuple[tuple[bytes, bytes], ...]:
    """The fields that are added to a request: the version that it came by, of the few that a server speaks, and who
    passes it on."""
    return (
        (b"via", f"{http_version} {NAME}".encode()),
        (b"cdn-loop", f"{NAME}; id={instance}".encode()),
    )


def max_forwards(headers: RawHeaders) -> int | None:
    """The request's ``Max-Forwards``; None where it has none that is a number."""
    found = values(headers, b"max-forwards")
    return int(found[0][:9]) if len(found) == 1 and found[0].isascii() and found[0].isdigit() else None


def counted_down(headers: Iterable[tuple[bytes, bytes]], left: int) -> HeaderList:
    """`headers` with one forward less."""
    return [(name, b"%d" % left if name.lower() == b"max-forwards" else value) for name, value in headers]
