"""A percentage of a site's pages: which of them take part.

By a hash of the path, so a page is in or out for everybody, on every machine and after every restart, and stays as
cacheable as it is. Who is in at 10 % is in at 20 % too.
"""

from __future__ import annotations

import hashlib


def takes_part(raw_path: bytes, percent: float) -> bool:
    """Whether the page at a path, as sent and without its query, is among the `percent` (0 to 100) that have slots."""
    if percent >= 100:
        return True
    number = int.from_bytes(hashlib.blake2b(raw_path, digest_size=8).digest(), "big")
    return number < percent / 100 * 2**64
