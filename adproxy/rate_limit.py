"""How many reports a block of addresses may send: a bucket of tokens each, and no more buckets than there is room for.

A block is what one network of readers usually has: a /24, or a /64. Many people share it, in an office or behind their
telephone company, so a bucket is large and fills fast; it is there to stop a machine, not a crowd.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from adproxy.peers import Address

MAX_BLOCKS = 50_000
"""About 10 MB. Beyond, the block that was silent for longest starts anew."""


class RateLimit:
    """`rate`: reports a second that a block may send in the long run; `burst`: how many at once."""

    def __init__(self, rate: float, burst: int, *, max_blocks: int = MAX_BLOCKS) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._max_blocks = max_blocks
        self._blocks: OrderedDict[tuple[int, int], tuple[float, float]] = OrderedDict()
        """What each has left, and when that was so; who was silent for longest comes first."""

    def __len__(self) -> int:
        return len(self._blocks)

    def take(self, address: Address, now: float) -> float:
        """Take one report of `address` at the time `now` (seconds of a clock that never goes back): 0 where it is
        within the limit, else the seconds after which the next one will be."""
        block = _block(address)
        left, since = self._blocks.pop(block, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._blocks[block] = (left if wait else left - 1, now)
        if len(self._blocks) > self._max_blocks:
            self._blocks.popitem(last=False)
        return wait


def _block(address: Address) -> tuple[int, int]:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return 6, int(address) >> 64
        address = address.ipv4_mapped
    return 4, int(address) >> 8
