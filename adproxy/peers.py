"""Who is asking: the address, scheme and host of a reader behind other servers (RFC 7239 and the X- fields before it).

What a request says of its way here is believed of trusted peers only; from anybody else it is replaced. The reader is
the rightmost address that is no trusted peer's: everything left of it could have been made up.
"""

from __future__ import annotations

import ipaddress
import re

from adproxy.eligibility import RawHeaders, values
from adproxy.hops import HeaderList
from adproxy.target import is_authority

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REPLACED = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip"})
_TOLD = _REPLACED | {b"forwarded"}
"""Spelled with ``_`` in place of ``-`` they go from nobody: CGI and WSGI take both spellings for the same field."""
_ELEMENT = re.compile(
    r"\"?(?:\[(?P<v6>[0-9A-Fa-f:.]+)\](?::\d+)?|(?P<v4>[0-9.]+)(?::\d+)?|(?P<bare>[0-9A-Fa-f:.]+))\"?"
)


class Peers:
    """The networks of the servers in front that are believed."""

    def __init__(self, networks: str) -> None:
        """`networks`: with commas between, as the setting has them."""
        self._networks = [ipaddress.ip_network(part.strip()) for part in networks.split(",") if part.strip()]

    def trust(self, address: Address | None) -> bool:
        """Whether an address is a trusted peer's; an unknown one (None) is not."""
        if address is None:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)

    def forwarded(self, headers: RawHeaders, peer: str | None, scheme: str, host: str) -> HeaderList:
        """`headers` with the fields that tell the upstream who asks.

        `peer`: the address of the connection's other end; None for a Unix socket, which only a local server reaches.
        `scheme`, `host`: of the request as it came to us.
        """
        trusted = self.is_front(peer)
        hops = self._hops(headers, peer)
        protos = values(headers, b"x-forwarded-proto")
        hosts = values(headers, b"x-forwarded-host")
        if trusted and protos and (last := protos[-1].split(",")[-1].strip().lower()) in ("http", "https"):
            scheme = last
        if trusted and hosts and is_authority(last := hosts[-1].split(",")[-1].strip()):
            host = last
        kept = [
            (name, value)
            for name, value in headers
            if name.lower() not in _REPLACED
            and (trusted or name.lower() != b"forwarded")
            and not (b"_" in name and name.lower().replace(b"_", b"-") in _TOLD)
        ]
        if hops:
            kept.append((b"x-forwarded-for", ", ".join(hops).encode("latin-1")))
        if (reader := self._reader(hops)) is not None:
            kept.append((b"x-real-ip", str(reader).encode()))
        kept.append((b"x-forwarded-proto", scheme.encode()))
        if host:
            kept.append((b"x-forwarded-host", host.encode("latin-1")))
        return kept

    def is_front(self, peer: str | None) -> bool:
        """Whether the connection's other end is a trusted server; on a Unix socket (None) it always is."""
        return peer is None or self.trust(parse(peer))

    def reader(self, headers: RawHeaders, peer: str | None) -> Address | None:
        """Who asks, as far as those that are trusted know; a trusted peer's own address where they don't tell."""
        return self._reader(self._hops(headers, peer))

    def _hops(self, headers: RawHeaders, peer: str | None) -> list[str]:
        """The addresses that the request came by, as far as they are believed."""
        address = parse(peer) if peer is not None else None
        named = [part.strip() for line in values(headers, b"x-forwarded-for") for part in line.split(",")]
        chain = [part for part in named if part] if self.is_front(peer) else []
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
    found = _ELEMENT.fullmatch(element.strip())
    if found is None:
        return None
    try:
        return ipaddress.ip_address(found["v6"] or found["v4"] or found["bare"])
    except ValueError:
        return None
