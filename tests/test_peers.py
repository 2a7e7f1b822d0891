import ipaddress

import pytest

from adproxy.peers import Peers, parse

PEERS = Peers("10.0.0.0/8, ::1/128")


def told(*headers: tuple[bytes, bytes], peer: str | None = "10.0.0.1", host: str = "news.example") -> dict[str, str]:
    found = PEERS.forwarded(list(headers), peer, "http", host)
    assert len(dict(found)) == len(found), "a field of its own each"
    return {name.decode(): value.decode() for name, value in found}


def test_c12_a_stranger_is_not_believed() -> None:
    claims = [
        (b"X-Forwarded-For", b"1.2.3.4"),
        (b"x-forwarded-proto", b"https"),
        (b"X-Forwarded-Host", b"evil.example"),
        (b"Forwarded", b"for=1.2.3.4"),
        (b"X-Real-IP", b"1.2.3.4"),
        (b"x-kept", b"1"),
    ]
    assert told(*claims, peer="192.0.2.7") == {
        "x-kept": "1",
        "x-forwarded-for": "192.0.2.7",
        "x-real-ip": "192.0.2.7",
        "x-forwarded-proto": "http",
        "x-forwarded-host": "news.example",
    }


@pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.1"])
def test_c12_a_field_in_disguise_is_dropped(peer: str) -> None:
    """Behind CGI or WSGI an origin could not tell it from the one that we set."""
    claims = [(b"X_Forwarded_For", b"1.2.3.4"), (b"x-forwarded_proto", b"https"), (b"X_REAL_IP", b"x"), (b"a_b", b"1")]
    found = told(*claims, peer=peer)
    assert {name for name in found if "_" in name} == {"a_b"}
    assert found["x-forwarded-for"] == peer


def test_c12_a_trusted_peer_is() -> None:
    found = told(
        (b"X-Forwarded-For", b"1.2.3.4, 198.51.100.9"),
        (b"X-Forwarded-For", b"10.9.9.9"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Host", b"www.news.example"),
        (b"Forwarded", b"for=198.51.100.9"),
    )
    assert found["x-forwarded-for"] == "1.2.3.4, 198.51.100.9, 10.9.9.9, 10.0.0.1"
    assert found["x-real-ip"] == "198.51.100.9", "the rightmost one that no trusted peer has"
    assert found["x-forwarded-proto"] == "https"
    assert found["x-forwarded-host"] == "www.news.example"
    assert found["Forwarded"] == "for=198.51.100.9"


def test_c12_a_unix_socket_is_a_local_server() -> None:
    found = told((b"x-forwarded-for", b"198.51.100.9"), peer=None)
    assert found["x-forwarded-for"] == found["x-real-ip"] == "198.51.100.9"


def test_c12_an_unknown_hop_hides_the_reader() -> None:
    assert "x-real-ip" not in told((b"x-forwarded-for", b"1.2.3.4, unknown"))


@pytest.mark.parametrize(("name", "value"), [(b"x-forwarded-proto", b"gopher"), (b"x-forwarded-host", b"a b")])
def test_c12_nonsense_of_a_trusted_peer_is_replaced(name: bytes, value: bytes) -> None:
    found = told((name, value))
    assert (found["x-forwarded-proto"], found["x-forwarded-host"]) == ("http", "news.example")


def test_c12_trust_covers_ipv4_in_ipv6() -> None:
    assert PEERS.trust(ipaddress.ip_address("::ffff:10.1.2.3"))
    assert PEERS.trust(ipaddress.ip_address("::1"))
    assert not PEERS.trust(ipaddress.ip_address("::ffff:11.1.2.3"))
    assert not PEERS.trust(None)
    assert not Peers("").trust(ipaddress.ip_address("127.0.0.1"))


@pytest.mark.parametrize(
    ("element", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:443", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ('"[2001:db8::1]:4711"', "2001:db8::1"),
        (" 192.0.2.7 ", "192.0.2.7"),
    ],
)
def test_c12_spellings(element: str, address: str) -> None:
    assert parse(element) == ipaddress.ip_address(address)


@pytest.mark.parametrize(
    "element", ["", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "[::1", "a.example", "::1]", "999.1.1.1"]
)
def test_c12_what_is_no_address(element: str) -> None:
    assert parse(element) is None


@pytest.mark.parametrize(
    ("forwarded", "peer", "reader"),
    [
        ((), "192.0.2.7", "192.0.2.7"),
        ((b"1.2.3.4",), "192.0.2.7", "192.0.2.7"),
        ((b"1.2.3.4, 198.51.100.9", b"10.9.9.9"), "10.0.0.1", "198.51.100.9"),
        ((b"198.51.100.9",), None, "198.51.100.9"),
        ((), "10.0.0.1", "10.0.0.1"),
        ((), None, None),
        ((b"198.51.100.9, unknown",), "10.0.0.1", None),
        ((b"",), "10.0.0.1", "10.0.0.1"),
    ],
)
def test_c12_who_asks_is_whom_those_who_are_trusted_name(
    forwarded: tuple[bytes, ...], peer: str | None, reader: str | None
) -> None:
    headers = [(b"x-forwarded-for", value) for value in forwarded]
    found = PEERS.reader(headers, peer)
    assert (str(found) if found is not None else None) == reader
    # and nobody else once the answer stands in the fields that the gateway makes
    again = PEERS.reader(PEERS.forwarded(headers, peer, "http", "news.example"), peer)
    assert again == found


def test_who_is_a_front() -> None:
    assert [PEERS.is_front(peer) for peer in ("10.0.0.1", "::1", None, "192.0.2.7", "testclient")] == [
        True, True, True, False, False,
    ]  # fmt: skip
