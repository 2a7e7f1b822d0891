"""Sockets to listen on, opened with an error that says what to do, and the addresses to show for them."""

from __future__ import annotations

import errno
import socket

from adproxy.errors import SettingsError

BACKLOG = 1024
"""So many connections wait while a worker is replaced."""


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


def address_of(listener: socket.socket) -> str:
    """`http://host:port` of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
