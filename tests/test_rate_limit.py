"""The rate limit: machines are stopped, crowds are not, and it never grows."""

from __future__ import annotations

import ipaddress

from adproxy.peers import Address
from adproxy.rate_limit import RateLimit


def ip(text: str) -> Address:
    return ipaddress.ip_address(text)


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    limit = RateLimit(2, 10)
    assert [limit.take(ip("192.0.2.1"), 0.0) for _ in range(10)] == [0] * 10
    assert limit.take(ip("192.0.2.1"), 0.0) == 0.5
    assert limit.take(ip("192.0.2.1"), 0.25) == 0.25
    assert limit.take(ip("192.0.2.1"), 0.5) == 0
    assert limit.take(ip("192.0.2.1"), 0.5) == 0.5
    assert [limit.take(ip("192.0.2.1"), 100.0) for _ in range(11)] == [0] * 10 + [0.5]


def test_a_block_shares_its_limit_and_others_have_their_own() -> None:
    limit = RateLimit(1, 1)
    assert limit.take(ip("192.0.2.1"), 0.0) == 0
    for same in ("192.0.2.254", "::ffff:192.0.2.3"):
        assert limit.take(ip(same), 0.0) > 0
    assert limit.take(ip("192.0.3.1"), 0.0) == 0
    assert limit.take(ip("2001:db8::1"), 0.0) == 0
    assert limit.take(ip("2001:db8::ffff:1"), 0.0) > 0
    assert limit.take(ip("2001:db8:0:1::1"), 0.0) == 0


def test_who_is_turned_away_pays_nothing_for_it() -> None:
    limit = RateLimit(1, 1)
    assert limit.take(ip("192.0.2.1"), 0.0) == 0
    for tenth in range(1, 10):
        assert limit.take(ip("192.0.2.1"), tenth / 10) > 0
    assert limit.take(ip("192.0.2.1"), 1.001) == 0


def test_a_flood_of_addresses_takes_no_more_room_than_there_is() -> None:
    limit = RateLimit(1, 1, max_blocks=100)
    for number in range(10_000):
        limit.take(ipaddress.ip_address(number << 8), 0.0)
        limit.take(ip("203.0.113.1"), 0.0)
    assert len(limit) == 100
    assert limit.take(ip("203.0.113.1"), 0.0) > 0  # who keeps asking is not forgotten
