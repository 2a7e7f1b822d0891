"""Request targets and hosts: which ones may go to the upstream, and the exact bytes that do.

A target is never taken apart and put together again: what a reader sent is what the upstream gets, or the request is
refused. So a path can't be read as another host's (``//evil/``), and no two readers of it can disagree.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from starlette.types import Scope

from adproxy.eligibility import RawHeaders, values

EXTENSION: Final = "adproxy.target"
"""Under this name our server hands the target on as it was sent; ASGI alone loses a trailing ``?``."""
MAX_BYTES: Final = 8 * 1024

# Printable ASCII without "#" (a fragment is never sent), and what UTF-8 is made of: some clients send it unescaped.
_PLAIN: Final = re.compile(rb"/[!-\"$-~\x80-\xff]*+")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::(\d{1,5})?)?")


def raw_target(scope: Scope) -> bytes:
    """The target as the reader sent it, as far as the server tells."""
    known = (scope.get("extensions") or {}).get(EXTENSION)
    if known:
        return bytes(known["target"])
    path = bytes(scope.get("raw_path") or quote(scope["path"]).encode())
    query = bytes(scope.get("query_string") or b"")
    return path + b"?" + query if query and b"?" not in path else path


def problem_of(target: bytes) -> tuple[int, str] | None:
    """The status and the reason with which a target is refused; None for one that may go upstream (RFC 9112, 3.2)."""
    if len(target) > MAX_BYTES:
        return 414, f"The address is {len(target)} bytes long; at most {MAX_BYTES} are served."
    if not _PLAIN.fullmatch(target):
        return 400, "The address is no path; expected one that begins with a slash and holds no spaces or controls."
    try:
        target.decode()
    except UnicodeDecodeError:
        return 400, "The address is neither ASCII nor UTF-8."
    return None


def host_of(headers: RawHeaders, http_version: str) -> str | None:
    """The one valid ``Host`` of a request; empty where HTTP/1.0 sent none; None: refuse it (RFC 9112, 3.2)."""
    hosts = values(headers, b"host")
    if not hosts and http_version == "1.0":
        return ""
    return hosts[0] if len(hosts) == 1 and is_authority(hosts[0]) else None


def is_authority(value: str) -> bool:
    """True for a host name or address with or without a port."""
    return _known_authority(value) if len(value) <= _MAX_NAME else _is_authority(value)


def _is_authority(value: str) -> bool:
    found = _AUTHORITY.fullmatch(value)
    if found is None or int(found[2] or 0) > 65_535:
        return False
    if found[1].startswith("["):
        try:
            ipaddress.IPv6Address(found[1][1:-1])
        except ValueError:
            return False
        return True
    return _NAME.fullmatch(found[1]) is not None


_known_authority: Final = lru_cache(1_024)(_is_authority)
_MAX_NAME: Final = 261
"""Characters of what is remembered: the longest name of DNS, with a port."""


def is_served(host: str, allowed: Sequence[str]) -> bool:
    """Whether a host is one of those that are served: all where none is named; ``*.`` stands for all below a name."""
    if not allowed:
        return True
    name = host.lower()
    bare = name.rpartition(":")[0] if re.search(r":\d*$", name) else name
    return any(
        bare.endswith(rule[1:]) if rule.startswith("*.") else (name if re.search(r":\d+$", rule) else bare) == rule
        for rule in map(str.lower, allowed)
    )
