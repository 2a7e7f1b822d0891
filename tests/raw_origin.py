"""An origin that answers scripted bytes and remembers the bytes that it was sent: what no framework would do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from wire import DEADLINE

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
RESET = b"<reset>"
"""In an answer's place: the connection is reset."""


@dataclass
class Origin:
    port: int
    requests: list[bytes] = field(default_factory=list)
    """Head and body of each, as they came."""
    connections: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    """Set once a client has closed a connection."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def head(self, index: int = -1) -> list[bytes]:
        """The lines of a request's head."""
        return self.requests[index].partition(b"\r\n\r\n")[0].split(b"\r\n")

    def field(self, name: str, index: int = -1) -> list[bytes]:
        """The values of a field of a request."""
        wanted = name.lower().encode()
        parts = (line.partition(b":") for line in self.head(index)[1:])
        return [value.strip() for key, _, value in parts if key.lower() == wanted]


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lower = head.lower()
    if b"\r\ntransfer-encoding: chunked" in lower:
        while not body.endswith(b"0\r\n\r\n"):
            piece = connection.recv(65536)
            if not piece:
                break
            body += piece
    elif b"\r\ncontent-length:" in lower:
        length = int(lower.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0])
        while len(body) < length and (piece := connection.recv(65536)):
            body += piece
    return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def origin(
    answer: bytes | Callable[[int, bytes, socket.socket], bytes] = OK, *, keep: bool = True, port: int = 0
) -> Iterator[Origin]:
    """`answer`: the bytes for every request, or what makes them from the request's number, bytes and connection; empty
    ones close the connection, `RESET` resets it. `keep`: whether connections stay open for more requests."""
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0.1)
    state = Origin(listener.getsockname()[1])
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        connection.settimeout(DEADLINE)
        with connection, contextlib.suppress(OSError):
            while True:
                data = _read_request(connection)
                if not data:
                    break
                state.requests.append(data)
                reply = answer if isinstance(answer, bytes) else answer(len(state.requests), data, connection)
                if reply == RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    break
                connection.sendall(reply)
                if not keep or not reply:
                    break
        state.ended.set()

    def accept() -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                state.connections += 1
                thread = threading.Thread(target=serve, args=(connection,), daemon=True)
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept, name="raw-origin")
    acceptor.start()
    try:
        yield state
    finally:
        stop.set()
        acceptor.join(DEADLINE)
        listener.close()
