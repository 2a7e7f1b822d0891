"""Who is asking: the address, scheme and host of a reader behind other servers (RFC 7239 and the X- fields before it).

What a request says of its way here is believed of trusted peers only; from anybody else it is replaced. The reader is
the rightmost address that is no trusted peer's: everything left of it could have been made up.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from adproxy.eligibility import RawHeaders, said, values
from adproxy.hops import HeaderList
from adproxy.target import is_authority

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_REMEMBERED: Final = 4_096
"""Addresses, and ways that requests came: to make an address takes longer than all else that is asked of it."""
_LONGEST: Final = 64
"""Characters of what is remembered; the longest address with brackets, quotes and port has 53."""
_LONGEST_STORY: Final = 512
"""The same of a whole way here and the host that was asked for."""

_REPLACED: Final = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip"})
_TOLD: Final = _REPLACED | {b"forwarded"}
"""Spelled with ``_`` in place of ``-`` they go from nobody: CGI and WSGI take both spellings for the same field."""
_ELEMENT: Final = re.compile(
    r"\"?(?:\[(?P<v6>[0-9A-Fa-f:.]+)\](?::\d+)?|(?P<v4>[0-9.]+)(?::\d+)?|(?P<bare>[0-9A-Fa-f:.]+))\"?"
)


class Peers:
    """The networks of the servers in front that are believed."""

    def __init__(self, networks: str) -> None:
        """`networks`: with commas between, as the setting has them."""
        self._networks = [ipaddress.ip_network(part.strip()) for part in networks.split(",") if part.strip()]
        self._judged: dict[Address, bool] = {}
        self._told = lru_cache(MAX_REMEMBERED)(self._tell)

    def trust(self, address: Address | None) -> bool:
        """Whether an address is a trusted peer's; an unknown one (None) is not."""
        if address is None:
            return False
        known = self._judged.get(address)
        if known is None:
            known = self._judge(address)
            if len(self._judged) >= MAX_REMEMBERED:
                self._judged.clear()
            self._judged[address] = known
        return known

    def _judge(self, address: Address) -> bool:
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)

    def forwarded(
        self, headers: RawHeaders, peer: str | None, scheme: str, host: str, *, trusted: bool | None = None
    ) -> HeaderList:
        """`headers` with the fields that tell the upstream who asks.

        `peer`: the address of the connection's other end; None for a Unix socket, which only a local server reaches.
        `scheme`, `host`: of the request as it came to us. `trusted`: `is_front` of the peer, where it is known already.
        """
        if trusted is None:
            trusted = self.is_front(peer)
        gone = _REPLACED if trusted else _TOLD
        kept = [
            (name, value)
            for name, value in headers
            if name.lower() not in gone and not (b"_" in name and name.lower().replace(b"_", b"-") in _TOLD)
        ]
        claims = said(headers, _REPLACED) if trusted else {}
        names = tuple(claims.get(b"x-forwarded-for", ()))
        if trusted and (protos := claims.get(b"x-forwarded-proto")):
            last = protos[-1].split(",")[-1].strip().lower()
            scheme = last if last in ("http", "https") else scheme
        if trusted and (hosts := claims.get(b"x-forwarded-host")):
            last = hosts[-1].split(",")[-1].strip()
            host = last if is_authority(last) else host
        short = sum(map(len, names)) + len(host) <= _LONGEST_STORY
        kept += self._told(peer, scheme, host, names) if short else self._tell(peer, scheme, host, names)
        return kept

    def _tell(
        self, peer: str | None, scheme: str, host: str, names: tuple[str, ...]
    ) -> tuple[tuple[bytes, bytes], ...]:
        """The fields themselves. `names`: lines of X-Forwarded-For that are believed."""
        hops = self._hops(names, peer)
        told: HeaderList = []
        if hops:
            told.append((b"x-forwarded-for", ", ".join(hops).encode("latin-1")))
        if (reader := self._reader(hops)) is not None:
            told.append((b"x-real-ip", str(reader).encode()))
        told.append((b"x-forwarded-proto", scheme.encode()))
        if host:
            told.append((b"x-forwarded-host", host.encode("latin-1")))
        return tuple(told)

    def is_front(self, peer: str | None) -> bool:
        """Whether the connection's other end is a trusted server; on a Unix socket (None) it always is."""
        return peer is None or self.trust(parse(peer))

    def reader(self, headers: RawHeaders, peer: str | None) -> Address | None:
        """Who asks, as far as those that are trusted know; a trusted peer's own address where they don't tell."""
        return self._reader(self._hops(values(headers, b"x-forwarded-for") if self.is_front(peer) else (), peer))

    def _hops(self, named: Iterable[str], peer: str | None) -> list[str]:
        """The addresses that the request came by, as far as they are believed. `named`: lines of X-Forwarded-For that
        are believed."""
        address = parse(peer) if peer is not None else None
        chain = [part for line in named for part in map(str.strip, line.split(",")) if part]
        return [*chain, *([str(address)] if address is not None else [])]

    def _reader(self, hops: list[str]) -> Address | None:
        """The rightmost address that is no trusted peer's; the leftmost one where all are; None where that place is
        taken by something that is no address (``unknown``)."""
        reader: Address | None = None
        for hop in reversed(hops):
            address = parse(hop)
            if address is None:
                return None
            reader = address
            if not self.trust(address):
                break
        return reader


def parse(element: str) -> Address | None:
    """An address as the fields spell it: with or without port, brackets or quotes; None for anything else."""
    return _parsed(element) if len(element) <= _LONGEST else _parse(element)


def _parse(element: str) -> Address | None:
    found = _ELEMENT.fullmatch(element.strip())
    if found is None:
        return None
    try:
        return ipaddress.ip_address(found["v6"] or found["v4"] or found["bare"])
    except ValueError:
        return None


_parsed: Final = lru_cache(MAX_REMEMBERED)(_parse)
