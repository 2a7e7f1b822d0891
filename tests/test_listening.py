"""Sockets to listen on."""

import socket
import sys

import pytest

from adproxy.errors import SettingsError
from adproxy.listening import address_of, let_nobody_in, listen


def test_any_free_port() -> None:
    with listen("127.0.0.1", 0) as one, listen("127.0.0.1", 0) as other:
        assert address_of(one).startswith("http://127.0.0.1:")
        assert address_of(one) != address_of(other)


def test_an_address_of_the_newer_kind() -> None:
    try:
        with listen("::1", 0) as listener:
            assert address_of(listener).startswith("http://[::1]:")
    except SettingsError as error:
        pytest.skip(f"this machine has no IPv6: {error}")


def test_a_busy_port_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"port {port} of 127\.0\.0\.1 is taken by another program; stop"):
            listen("127.0.0.1", port)


def test_a_busy_port_gives_way_to_the_next_where_that_is_wanted() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with listen("127.0.0.1", port, tries=20) as next_one:
            assert port < next_one.getsockname()[1] < port + 20


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_refused_in_words(host: str) -> None:
    with pytest.raises(SettingsError, match=rf"can't listen on {host}, port 0: "):
        listen(host, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="filters of packets are Linux's")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_listener_that_lets_nobody_in_keeps_who_waits_and_resets_nobody(host: str) -> None:
    with listen(host, 0) as listener:
        address = listener.getsockname()[:2]
        with socket.create_connection(address, timeout=5) as waiting:
            let_nobody_in(listener)
            with pytest.raises(TimeoutError):
                socket.create_connection(address, timeout=0.2)
            accepted, _ = listener.accept()
            with accepted:
                waiting.sendall(b"asked")
                assert accepted.recv(10) == b"asked"
                accepted.sendall(b"answered")
                assert waiting.recv(10) == b"answered"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
