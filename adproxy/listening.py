"""Sockets to listen on, opened with an error that says what to do, and the addresses to show for them."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import socket
import struct
import sys

from adproxy.errors import SettingsError

BACKLOG = 1024
"""So many connections wait while a worker is replaced."""
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it
# A packet filter of Linux (struct sock_filter: code, jt, jf, k) that sees what follows the IP header: of a TCP header
# byte 13 has the flags, and 2 of them is SYN. Packets with it are dropped, all others let through.
_NO_SYN = (
    (0x30, 0, 0, 13),  # load byte 13
    (0x54, 0, 0, 2),  # and 2
    (0x15, 0, 1, 2),  # if it is 2, go on, else skip one
    (0x06, 0, 0, 0),  # return 0 bytes of the packet
    (0x06, 0, 0, 0xFFFF_FFFF),  # return all of it
)


def listen(host: str, port: int, *, tries: int = 1) -> socket.socket:
    """A listening socket on `port` or, where that is taken, on the first free one of the `tries` from it on; 0 takes
    any free one. Raises `SettingsError` where none is free or the address is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + tries, 65536)):
        try:
            return socket.create_server((host, candidate), family=family, backlog=BACKLOG)
        except OSError as exc:
            # a port below 1024 may be refused as well; the next one is no better, so say so at once
            if exc.errno != errno.EADDRINUSE:
                raise SettingsError(f"can't listen on {host}, port {candidate}: {exc.strerror}") from exc
    if tries == 1:
        raise SettingsError(f"port {port} of {host} is taken by another program; stop that one, or name another port")
    raise SettingsError(f"found no free port from {port} on at {host}; expected one of {tries}: name another one")


def let_nobody_in(listener: socket.socket) -> None:
    """From now on no new connection gets into a listening socket's queue, in any process that has it; those that are
    in it can still be accepted.

    To close it is not enough: who gets into the queue between the last accept and the close is reset, though connected.
    Who knocks now knocks again a second later, when nobody listens. Does nothing where the system has no such filters.
    """
    if not sys.platform.startswith("linux"):
        return
    code = b"".join(struct.pack("=HBBI", *step) for step in _NO_SYN)
    held = ctypes.create_string_buffer(code, len(code))
    with contextlib.suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(_NO_SYN), ctypes.addressof(held))
        )


def address_of(listener: socket.socket) -> str:
    """`http://host:port` of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
