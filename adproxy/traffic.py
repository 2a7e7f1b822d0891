"""Which reports are of readers, and which of crawlers and the like: those are counted apart, never dropped.

What gives a report away is looked for in this order, and the first sign found is the reason: a mark that a server in
front made; the sender's address; its agent; what it says of itself. Agents and addresses are looked at and forgotten:
they become neither labels nor log lines.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from pathlib import Path

from crawleruseragents import is_crawler

from adproxy.eligibility import RawHeaders, values
from adproxy.errors import SettingsError
from adproxy.peers import Address

MAX_AGENT = 512
"""Characters of an agent that are looked at; browsers say what they are in half of that."""
MAX_AGENTS = 10_000
"""Agents whose kind is remembered: looking one up among 1,500 patterns takes 0.1 ms."""
_BROWSERS = ("Mozilla/", "Opera/")
"""What every browser's agent begins with."""
_NO = frozenset({"", "0", "false", "no"})


class InvalidReason(str, Enum):
    """What gave a report away as none of a reader's. Closed: a metric's label."""

    FRONT = "front"
    """A server in front, which is trusted, marked it."""
    ADDRESS = "address"
    """Its sender's address is in the operator's list."""
    NO_AGENT = "no_agent"
    TOOL = "tool"
    """An agent that is no browser's."""
    CRAWLER = "crawler"
    PREFETCH = "prefetch"
    """Fetched before anybody asked to see it."""
    WEBDRIVER = "webdriver"
    """A program drives the browser."""


class AddressList:
    """Networks, as many as there may be, asked in logarithmic time."""

    def __init__(self, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()) -> None:
        listed = list(networks)
        v4 = ipaddress.collapse_addresses(n for n in listed if isinstance(n, ipaddress.IPv4Network))
        v6 = ipaddress.collapse_addresses(n for n in listed if isinstance(n, ipaddress.IPv6Network))
        self._ranges = {
            version: sorted((int(n.network_address), int(n.broadcast_address)) for n in of_version)
            for version, of_version in ((4, v4), (6, v6))
        }

    @classmethod
    def read(cls, path: Path) -> AddressList:
        """From a file: a network or an address a line, ``#`` begins a comment. Raises `SettingsError`."""
        networks = []
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            raise SettingsError(f"invalid_addresses: can't read {path}: {error.strerror}") from error
        for number, line in enumerate(lines, 1):
            text = line.partition("#")[0].strip()
            if text:
                try:
                    networks.append(ipaddress.ip_network(text, strict=False))
                except ValueError as error:
                    raise SettingsError(
                        f"{path}:{number}: found {text!r}; expected a network, as 192.0.2.0/24"
                    ) from error
        return cls(networks)

    def __contains__(self, address: Address) -> bool:
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        ranges, number = self._ranges[address.version], int(address)
        at = bisect_right(ranges, (number, 1 << 128)) - 1
        return at >= 0 and ranges[at][1] >= number


class TrafficJudge:
    """`addresses`: of senders that are no readers; `header`: the mark of a trusted server in front, or empty."""

    def __init__(self, addresses: AddressList, header: str) -> None:
        self._addresses = addresses
        self._header = header.lower().encode("latin-1")

    def judge(
        self, headers: RawHeaders, address: Address | None, *, from_front: bool, webdriver: bool = False
    ) -> InvalidReason | None:
        """Why a report is not a reader's; None where nothing says so.

        `headers`: of the request; `address`: its sender's, None where unknown; `from_front`: whether it came through a
        server whose word is taken; `webdriver`: what the report says of its browser.
        """
        if self._header and from_front and any(v.lower() not in _NO for v in values(headers, self._header)):
            return InvalidReason.FRONT
        if address is not None and address in self._addresses:
            return InvalidReason.ADDRESS
        agent = _judge_agent(" ".join(values(headers, b"user-agent")).strip()[:MAX_AGENT])
        if agent is not None:
            return agent
        for name in (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"):
            if any("prefetch" in value.lower() or "preview" in value.lower() for value in values(headers, name)):
                return InvalidReason.PREFETCH
        return InvalidReason.WEBDRIVER if webdriver else None


@lru_cache(MAX_AGENTS)
def _judge_agent(agent: str) -> InvalidReason | None:
    if not agent:
        return InvalidReason.NO_AGENT
    if is_crawler(agent):
        return InvalidReason.CRAWLER
    return None if agent.startswith(_BROWSERS) else InvalidReason.TOOL
