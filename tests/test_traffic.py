"""Readers and others: told apart by what each says, and never by what it did not."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from adproxy.errors import SettingsError
from adproxy.traffic import AddressList, InvalidReason, TrafficJudge

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
BROWSERS = [
    FIREFOX,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36 "
    "Edg/128.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 "
    "Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 "
    "Chrome/121.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP2A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 "
    "Chrome/128.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "[FBAN/FBIOS;FBAV/470.0.0.30;FBDV/iPhone15,2]",
    "Mozilla/5.0 (Linux; U; Android 13; en-US) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/100.0 "
    "UCBrowser/13.4.0.1306 Mobile Safari/537.36",
    "Opera/9.80 (Android; Opera Mini/36.2/191.249; U; en) Presto/2.12.423 Version/12.16",
]


def judge(agent: str | None = FIREFOX, *more: tuple[bytes, bytes], **options: object) -> InvalidReason | None:
    headers = [*more, *([(b"User-Agent", agent.encode("latin-1"))] if agent is not None else [])]
    address = ipaddress.ip_address(str(options.pop("address", "203.0.113.9")))
    judging = TrafficJudge(options.pop("addresses", AddressList()), str(options.pop("header", "")))  # type: ignore[arg-type]
    return judging.judge(headers, address, **{"from_front": False, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("agent", BROWSERS)
def test_browsers_are_readers(agent: str) -> None:
    assert judge(agent) is None


def test_p17_crawlers_are_known_by_their_agents() -> None:
    agents = [agent for entry in CRAWLER_USER_AGENTS_DATA for agent in entry.get("instances", ())]
    missed = [agent for agent in agents if judge(agent.encode("latin-1", "replace").decode("latin-1")) is None]
    assert len(agents) > 2_000
    assert len(missed) <= len(agents) // 100, missed


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        (None, InvalidReason.NO_AGENT),
        ("  ", InvalidReason.NO_AGENT),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", InvalidReason.CRAWLER),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/128.0 Safari/537.36",
            InvalidReason.CRAWLER,
        ),
        ("curl/8.5.0", InvalidReason.CRAWLER),
        ("MyMonitor 3", InvalidReason.TOOL),
        ("x" * 100_000, InvalidReason.TOOL),
    ],
)
def test_others_are_known_by_theirs(agent: str | None, reason: InvalidReason) -> None:
    assert judge(agent) is reason


@pytest.mark.parametrize(
    "field",
    [
        (b"Sec-Purpose", b"prefetch;prerender"),
        (b"Purpose", b"prefetch"),
        (b"X-Moz", b"prefetch"),
        (b"X-Purpose", b"preview"),
    ],
)
def test_what_is_fetched_ahead_was_seen_by_nobody(field: tuple[bytes, bytes]) -> None:
    assert judge(FIREFOX, field) is InvalidReason.PREFETCH


def test_a_driven_browser_says_so() -> None:
    assert judge(webdriver=True) is InvalidReason.WEBDRIVER


def test_a_server_in_front_is_believed_if_it_is_one() -> None:
    mark = (b"x-invalid", b"datacentre")
    assert judge(FIREFOX, mark, header="X-Invalid", from_front=True) is InvalidReason.FRONT
    assert judge(FIREFOX, mark, header="X-Invalid") is None
    assert judge(FIREFOX, mark, from_front=True) is None
    for nothing in (b"0", b"", b"No", b"false"):
        assert judge(FIREFOX, (b"x-invalid", nothing), header="X-Invalid", from_front=True) is None


def test_addresses_of_a_list_are_no_readers(tmp_path: Path) -> None:
    listed = tmp_path / "addresses"
    listed.write_text(
        "# data centres\n192.0.2.0/24\n192.0.2.128/25\n\n198.51.100.7  # the monitoring\n2001:db8:1::/48\n"
    )
    addresses = AddressList.read(listed)
    for address in ("192.0.2.0", "192.0.2.255", "198.51.100.7", "2001:db8:1:2::3", "::ffff:192.0.2.9"):
        assert judge(addresses=addresses, address=address) is InvalidReason.ADDRESS, address
    for address in ("192.0.1.255", "192.0.3.0", "198.51.100.8", "198.51.100.6", "2001:db8:2::", "::1"):
        assert judge(addresses=addresses, address=address) is None, address


def test_a_wrong_line_of_the_list_is_named(tmp_path: Path) -> None:
    listed = tmp_path / "addresses"
    listed.write_text("192.0.2.0/24\nexample.org\n")
    with pytest.raises(SettingsError, match=r"addresses:2: found 'example.org'; expected a network"):
        AddressList.read(listed)
    with pytest.raises(SettingsError, match=r"can't read .*gone: No such file"):
        AddressList.read(tmp_path / "gone")
