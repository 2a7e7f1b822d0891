"""What a request's head must not say (RFC 9112), and which host and target it asks for.

The parser in front of this, llhttp, refuses most of what could make two servers see different requests in the same
bytes: a `Content-Length` that is doubled, signed or stands beside `Transfer-Encoding`, bare line feeds, folded lines,
space before a colon, control characters. Here stands the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Fields = list[tuple[bytes, bytes]]
"""Names in lower case, values as sent, in their order."""

MAX_FIELDS = 256
"""Browsers send about 20, chains of proxies a few more."""

_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?#@]+)((?:[/?][^#]*)?)")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a request that can't be taken; the connection is closed behind it."""

    status: int
    words: str


def refusal_of(method: bytes, version: str, fields: Fields) -> Refusal | None:
    """Why a request must be refused; None for one that may be served."""
    if version not in ("1.0", "1.1"):
        return Refusal(505, "This server speaks HTTP/1.1.")
    if method == b"CONNECT":
        return Refusal(405, "This server is no forward proxy.")
    if len(fields) > MAX_FIELDS:
        return Refusal(431, f"The request has {len(fields)} header fields; at most {MAX_FIELDS} are read.")
    names = [name for name, _ in fields]
    if names.count(b"host") > 1:
        return Refusal(400, "The request names its host more than once.")
    if b"transfer-encoding" not in names:
        return None
    codings = [value.strip(b" \t").lower() for name, value in fields if name == b"transfer-encoding"]
    if version == "1.0":
        return Refusal(400, "A request of HTTP/1.0 can't have a Transfer-Encoding.")
    if codings != [b"chunked"]:
        return Refusal(501, "The only Transfer-Encoding known here is chunked.")
    return None


def origin_form(method: bytes, target: bytes) -> tuple[bytes, bytes | None]:
    """The path and query that a target asks for, and the host that it names itself.

    A target that names none, as nearly all do, comes back as it is, with None. A whole URL is what clients of forward
    proxies send; every server must take it, and believe it rather than ``Host`` (RFC 9112, 3.2.2).
    """
    if target.startswith(b"/") or (found := _ABSOLUTE.fullmatch(target)) is None:
        return target, None
    host, rest = found[1], found[2]
    if rest.startswith(b"/"):
        return rest, host
    if method == b"OPTIONS" and not rest:
        return b"*", host
    return b"/" + rest, host


def with_host(fields: Fields, host: bytes) -> None:
    """Make `host` the one that the fields name."""
    for index, (name, _) in enumerate(fields):
        if name == b"host":
            fields[index] = (b"host", host)
            return
    fields.insert(0, (b"host", host))
