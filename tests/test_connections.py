"""One reader's connection, over real sockets: what is read, what is refused, and how long anything may take."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from our_server import Running, answer, lifespan, mirror, read_answer, read_body, running, to_the_end, until
from starlette.types import Message, Receive, Scope, Send
from wire import DEADLINE

from adproxy import connections

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SOON = 0.6
"""Seconds that stand for a deadline in these tests; they are looked at once a second."""


@pytest.fixture(scope="module")
def site() -> Iterator[Running]:
    with running(mirror) as server:
        yield server


def seen(server: Running, request: bytes) -> dict[str, Any]:
    with server.connect() as connection:
        connection.sendall(request)
        status, _, body = read_answer(connection)
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


def status_of(answer: bytes) -> int:
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    return int(answer.split(b" ")[1])


# --- targets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", ["/", "//evil/x", "/x?", "/x?a=b?c", "/%2F%2e//;", '/a\\[b]|{}^`"<>', "/é?ü=ö", "/?é", "*"]
)
def test_the_target_is_the_one_that_was_sent(site: Running, target: str) -> None:
    method = "OPTIONS" if target == "*" else "GET"
    found = seen(site, f"{method} {target} HTTP/1.1\r\nHost: a\r\nX: ü\r\n\r\n".encode())
    sent = target.encode().decode("latin-1")
    path, _, query = sent.partition("?")
    assert (found["target"], found["raw_path"], found["query"]) == (sent, path, query)
    assert found["headers"] == [["host", "a"], ["x", "ü".encode().decode("latin-1")]]


def test_the_path_is_decoded(site: Running) -> None:
    assert seen(site, "GET /%C3%A9/é HTTP/1.1\r\nHost: a\r\n\r\n".encode())["path"] == "/é/é"


def test_each_request_of_a_connection_has_its_own_target(site: Running) -> None:
    with site.connect() as connection:
        for target in ("/é", "/e", "/ü", "//x"):
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            found = json.loads(read_answer(connection)[2])
            assert found["target"] == target.encode().decode("latin-1")


@pytest.mark.parametrize("host", ["news.example:81", "news.example:99999"])
def test_a_whole_url_replaces_the_host(site: Running, host: str) -> None:
    """Whether a host is a good one is judged where all hosts are, behind this."""
    found = seen(site, f"GET http://{host}/x?y HTTP/1.1\r\nHost: other\r\nX: 1\r\n\r\n".encode())
    assert (found["target"], found["raw_path"], found["query"]) == ("/x?y", "/x", "y")
    assert found["headers"] == [["host", host], ["x", "1"]]


# --- what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "request_bytes"),
    [
        # by the parser
        (400, POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        (400, POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
        (400, POST + b"Content-Length: 3, 3\r\n\r\nabc"),
        (400, POST + b"Content-Length: +3\r\n\r\nabc"),
        (400, POST + b"Content-Length: -1\r\n\r\nabc"),
        (400, POST + b"Content-Length: 0x3\r\n\r\nabc"),
        (400, POST + b"Content-Length: \r\n\r\n"),
        (400, POST + b"Content-Length: 99999999999999999999\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
        (400, CHUNKED + b"0x1\r\na\r\n0\r\n\r\n"),
        (400, CHUNKED + b"1_0\r\na\r\n0\r\n\r\n"),
        (400, CHUNKED + b"1\na\r\n0\r\n\r\n"),
        (400, CHUNKED + b"1;a\rb\r\na\r\n0\r\n\r\n"),
        (400, CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n"),
        (400, b"GET / HTTP/1.1\nHost: a\n\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nXab\r\n\r\n"),
        (400, b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, b"GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xe9" * 200),
        # by ourselves
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        (400, b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (501, POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        (501, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (501, POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"),
        (501, POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (405, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        (505, b"GET /\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 300 + b"\r\n"),
    ],
)
def test_c6_a_request_that_could_be_read_in_two_ways_is_refused_and_the_connection_ends(
    site: Running, status: int, request_bytes: bytes
) -> None:
    got = site.exchange(request_bytes + GET)
    assert status_of(got) == status
    assert b"\r\nconnection: close\r\n" in got


def test_b13_trailers_are_no_headers(site: Running) -> None:
    found = seen(site, CHUNKED + b"1\r\na\r\n0\r\nX-Late: 1\r\nHost: evil\r\n\r\n")
    assert found["body"] == "a"
    assert found["headers"] == [["host", "a"], ["transfer-encoding", "chunked"]]


def test_c14_another_protocol_is_not_taken_and_what_follows_is_read_as_before(site: Running) -> None:
    offer = b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\n\r\n"
    got = site.exchange(offer + b"GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert got.count(b"HTTP/1.1 200") == 2
    assert got.count(b"HTTP/1.1 ") == 2


@pytest.mark.parametrize(
    "head",
    [
        b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"x" * 3000),
        b"GET / HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n" % (b"x" * 3000),
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 3000,  # and no end
    ],
)
def test_c17_a_long_head_is_refused(head: bytes) -> None:
    with running(mirror, max_head_bytes=2048) as server:
        assert status_of(server.exchange(head)) == 431
        assert seen(server, b"GET / HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n" % (b"x" * 1900))


def test_a_refusal_is_read_by_a_reader_who_still_sends() -> None:
    """A connection that is closed on unread bytes is reset, and the reset overtakes the answer."""
    with running(mirror, max_head_bytes=2048) as server, server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 4000)
        for _ in range(5):
            time.sleep(0.1)
            connection.sendall(b"x" * 1000)
        assert status_of(connection.recv(65536)) == 431


# --- answers under way --------------------------------------------------------------------


class Slow:
    """Answers `/slow` in two halves, the second when it is let go; `/wait` waits for its reader to leave."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.go: asyncio.Event | None = None
        self.begun = threading.Event()
        self.left = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self.loop, self.go = asyncio.get_running_loop(), asyncio.Event()
            await lifespan(receive, send)
        elif scope["path"] == "/slow":
            assert self.go is not None
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
            self.begun.set()
            await self.go.wait()
            await send({"type": "http.response.body", "body": b"two"})
        elif scope["path"] == "/wait":
            self.begun.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.set()
        else:
            body = await read_body(receive)
            self.left.set() if body is None else await answer(send, body)

    def let_go(self) -> None:
        assert self.loop is not None
        assert self.go is not None
        self.loop.call_soon_threadsafe(self.go.set)


def test_a_refusal_never_lands_in_the_middle_of_another_answer() -> None:
    app = Slow()
    with running(app) as server, server.connect() as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert app.begun.wait(DEADLINE)
        connection.sendall(b"GARBAGE\r\n\r\n")
        time.sleep(0.1)  # it is read now, or else too late to do harm
        app.let_go()
        got = to_the_end(connection)
        assert got.endswith(b"\r\n\r\nonetwo"), got
        assert got.count(b"HTTP/1.1") == 1


def test_a_body_that_breaks_the_rules_ends_its_own_request() -> None:
    app = Slow()
    with running(app) as server, server.connect() as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nx\r\n")
        assert read_answer(connection)[0] == 400
        assert app.left.wait(DEADLINE)


def test_a_reader_who_leaves_is_noticed_by_the_request_that_is_answered_not_by_the_one_sent_ahead() -> None:
    app = Slow()
    with running(app) as server:
        with server.connect() as connection:
            connection.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
            assert app.begun.wait(DEADLINE)
        assert app.left.wait(DEADLINE)


def test_requests_sent_ahead_are_answered_in_order() -> None:
    with running(Slow()) as server, server.connect() as connection:
        bodies = [b"%02d" % n for n in range(10)]
        connection.sendall(b"".join(POST + b"Content-Length: 2\r\n\r\n" + body for body in bodies))
        got = b""
        while got.count(b"HTTP/1.1 200") < 10 or not got.endswith(b"09"):
            got += connection.recv(65536)
        assert [part[:2] for part in got.split(b"\r\n\r\n")[1:]] == bodies


@pytest.mark.parametrize(
    "ahead", [GET * 100, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"]
)
def test_what_is_sent_ahead_has_bounds(ahead: bytes) -> None:
    app = Slow()
    with running(app) as server, server.connect() as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" + ahead)
        assert app.begun.wait(DEADLINE)
        app.let_go()
        got = to_the_end(connection)
        assert got.count(b"HTTP/1.1") == 1
        assert got.endswith(b"onetwo")


def test_http_1_0_gets_no_chunks() -> None:
    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"one", b"", b"two"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    with running(streams) as server:
        old = server.exchange(b"GET / HTTP/1.0\r\n\r\n")
        assert old.endswith(b"\r\n\r\nonetwoend")
        assert b"transfer-encoding" not in old
        new = server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert new.endswith(b"3\r\none\r\n3\r\ntwo\r\n3\r\nend\r\n0\r\n\r\n")


def test_http_1_0_gets_a_body_of_known_length_as_it_is(site: Running) -> None:
    got = site.exchange(b"GET /old HTTP/1.0\r\n\r\n")
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head
    assert json.loads(body)["path"] == "/old"


# --- deadlines ----------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHos", b"\r\n"])
def test_f21_a_head_that_does_not_come_to_its_end_is_not_waited_for(sent: bytes) -> None:
    with running(mirror, request_head_seconds=SOON) as server:
        got = server.exchange(sent)
        assert (status_of(got) == 408) if sent else (got == b"")


def test_f21_a_head_that_comes_byte_by_byte_has_the_same_time() -> None:
    with running(mirror, request_head_seconds=SOON) as server, server.connect() as connection:
        connection.sendall(GET)
        read_answer(connection)
        connection.settimeout(0.1)
        end = time.monotonic() + DEADLINE
        got = b""
        for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000:
            assert time.monotonic() < end
            try:
                connection.sendall(bytes([byte]))
                got = connection.recv(4096)
                break
            except TimeoutError:
                continue
        assert status_of(got) == 408


def test_an_idle_connection_is_kept_for_its_time_and_no_longer() -> None:
    with running(mirror, request_head_seconds=SOON, keepalive_seconds=3) as server, server.connect() as connection:
        for _ in range(2):
            connection.sendall(GET)
            assert read_answer(connection)[0] == 200
            time.sleep(1.5)  # longer than a head may take
        assert connection.recv(1) == b""


def test_f21_a_body_that_goes_on_after_its_answer_is_not_read_for_ever() -> None:
    async def hasty(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        else:
            await answer(send, b"no", 413)

    with running(hasty, request_head_seconds=SOON) as server, server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 1000000\r\n\r\n")
        assert read_answer(connection)[0] == 413
        end = time.monotonic() + DEADLINE
        with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012 - either of many sends may meet the end
            while time.monotonic() < end:
                connection.sendall(b"x")
                time.sleep(0.05)


@pytest.mark.parametrize("close", [True, False], ids=["last-answer", "kept"])
def test_f21_a_reader_who_does_not_read_is_cut_off(close: bool) -> None:
    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        else:
            await answer(send, b"x" * 20_000_000)

    request = b"GET / HTTP/1.1\r\nHost: a\r\n" + (b"Connection: close\r\n" if close else b"") + b"\r\n"
    with running(large, idle_seconds=SOON, keepalive_seconds=1) as server:
        with server.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(request)
            until(lambda: bool(server.server.server_state.connections), "a connection")
            until(lambda: not server.server.server_state.connections, "the connection is given up")
        until(lambda: not server.server.server_state.tasks, "its request has ended")


def test_a_reader_who_reads_slowly_but_reads_is_served_to_the_end() -> None:
    size = 20_000_000  # more than the kernel takes at once

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        else:
            await answer(send, b"x" * size)

    with running(large, idle_seconds=SOON) as server, server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        got = 0
        while piece := connection.recv(60_000):
            got += len(piece)
            time.sleep(0.01)
        assert got > size


def test_f21_who_comes_on_top_of_too_many_is_told_so_and_those_who_are_there_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)
    with running(mirror) as server:
        first, *others = (server.connect() for _ in range(3))
        until(lambda: len(server.server.server_state.connections) == 3, "they are connected")
        assert status_of(server.exchange(b"")) == 503
        for connection in (first, *others):
            connection.sendall(GET)
            assert read_answer(connection)[0] == 200
        first.close()
        until(lambda: len(server.server.server_state.connections) == 2, "one has left")
        assert seen(server, GET)
        for connection in others:
            connection.close()


# --- WebSockets ---------------------------------------------------------------------------


async def socket_mirror(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    if scope["type"] == "http":
        await answer(send, b"plain")
        return
    assert (await receive())["type"] == "websocket.connect"
    if scope["path"] == "/denied":
        assert "websocket.http.response" in scope["extensions"]
        await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"content-length", b"2")]})
        await send({"type": "websocket.http.response.body", "body": b"no"})
        return
    await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[0]})
    while (message := await receive())["type"] == "websocket.receive":
        reply: Message = {"type": "websocket.send", "text": message["text"] + scope["raw_path"].decode("latin-1")}
        if message["text"] == "flood":
            reply["text"] = "x" * 10_000_000
        if message["text"] == "headers":
            reply["text"] = json.dumps([[n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]])
        await send(reply)


OPENING = (
    "GET {target} HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
)


def opened(connection: socket.socket, target: str = "/", more: str = "") -> bytes:
    connection.sendall(OPENING.format(target=target, more=more).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        assert piece
        head += piece
    return head


def frame(text: bytes) -> bytes:
    """A masked frame of a client; the mask of zeros leaves the text as it is."""
    assert len(text) < 126
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


def read_frame(connection: socket.socket) -> tuple[int, bytes]:
    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = connection.recv(count - len(data))
            assert piece
            data += piece
        return data

    first, length = exactly(2)
    if length == 126:
        length = int.from_bytes(exactly(2), "big")
    elif length == 127:
        length = int.from_bytes(exactly(8), "big")
    return first & 0x0F, exactly(length)


@pytest.fixture(scope="module")
def sockets() -> Iterator[Running]:
    with running(socket_mirror, max_websocket_bytes=100) as server:
        yield server


def test_c14_a_websocket_has_the_exact_target_and_headers(sockets: Running) -> None:
    with sockets.connect() as connection:
        cookie = "c" * 9000
        head = opened(connection, "//é?x", f"Cookie: {cookie}\r\nX: ü\r\nSec-WebSocket-Protocol: b, a\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"sec-websocket-protocol: b\r\n" in head.lower()
        assert b"sec-websocket-extensions" not in head.lower()
        connection.sendall(frame(b"headers"))
        fields = json.loads(read_frame(connection)[1])
        assert ["cookie", cookie] in fields
        assert ["x", "ü".encode().decode("latin-1")] in fields
        assert fields[0] == ["host", "a"]
        connection.sendall(frame(b"hello"))
        assert read_frame(connection)[1].decode("utf-8").encode("latin-1") == "hello//é".encode()


def test_a_frame_behind_the_opening_is_not_lost(sockets: Running) -> None:
    with sockets.connect() as connection:
        connection.sendall(OPENING.format(target="/early", more="").encode() + frame(b"at once"))
        head = connection.recv(65536)
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        rest = head.partition(b"\r\n\r\n")[2]
        while len(rest) < 2 + len(b"at once/early"):
            rest += connection.recv(65536)
        assert rest[2:] == b"at once/early"


def test_a_websocket_that_is_denied_gets_the_answer_of_the_application(sockets: Running) -> None:
    with sockets.connect() as connection:
        head = opened(connection, "/denied")
        assert head.startswith(b"HTTP/1.1 401 ")
        assert to_the_end(connection).endswith(b"no") or head.endswith(b"no")


@pytest.mark.parametrize("opening", [b"POST / HTTP/1.1\r\nContent-Length: 0\r\n", b"GET / HTTP/1.0\r\n"])
def test_c14_what_opens_no_websocket_is_a_plain_request(sockets: Running, opening: bytes) -> None:
    fields = b"Host: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    with sockets.connect() as connection:
        connection.sendall(opening + fields)
        assert read_answer(connection)[2] == b"plain"


def test_a_message_that_is_too_long_closes_the_websocket(sockets: Running) -> None:
    with sockets.connect() as connection:
        opened(connection)
        connection.sendall(frame(b"x" * 101))
        code, data = read_frame(connection)
        assert (code, int.from_bytes(data[:2], "big")) == (8, 1009)


def test_f21_a_websocket_whose_reader_does_not_read_is_cut_off() -> None:
    with running(socket_mirror, idle_seconds=SOON) as server:
        with server.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            opened(connection)
            connection.sendall(frame(b"flood"))
            until(lambda: not server.server.server_state.connections, "the connection is given up")
        until(lambda: not server.server.server_state.tasks, "its task has ended")
