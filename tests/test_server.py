"""A server that is told to stop: whoever has a connection gets an answer, and nothing is waited for without end."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from our_server import Running, answer, lifespan, read_answer, read_body, running, to_the_end, until
from starlette.types import Receive, Scope, Send
from wire import DEADLINE

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Site:
    """Answers after `seconds`; `/never` never does. Remembers the end of its lifespan."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.begun = threading.Event()
        self.ended = threading.Event()
        self.left = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            self.left_before_the_end = self.left.is_set()
            self.ended.set()
            return
        self.begun.set()
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await receive()
            self.left.set()
            return
        await read_body(receive)
        if scope["path"] == "/never":
            try:
                await asyncio.sleep(3600)
            finally:
                self.left.set()
        await asyncio.sleep(self.seconds)
        await answer(send, b"x" * 1000)


def refuses(server: Running) -> bool:
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_p13_clients_who_ask_all_the_time_lose_no_request_when_the_server_stops() -> None:
    """Each asks on a connection that it keeps, until it is told that this was the last answer or is refused."""
    server_stops = threading.Event()

    def client(server: Running) -> int:
        answered = 0
        while True:
            try:
                connection = server.connect()
            except ConnectionRefusedError:
                assert server_stops.is_set()
                return answered
            with connection:
                fields: dict[str, str] = {}
                while fields.get("connection") != "close":
                    connection.sendall(GET)
                    status, fields, body = read_answer(connection)
                    assert (status, len(body)) == (200, 1000)
                    answered += 1

    app = Site(0.002)
    with running(app) as server, ThreadPoolExecutor(12) as pool:
        asking = [pool.submit(client, server) for _ in range(12)]
        until(lambda: server.server.server_state.total_requests > 200, "they are asking")
        server_stops.set()
        server.stop()
        answered = [one.result(DEADLINE) for one in asking]
        server.wait()
    assert min(answered) > 0
    assert app.ended.is_set()


def test_whoever_connected_before_the_stop_is_answered_even_if_nobody_had_let_him_in() -> None:
    """The event loop is kept busy, so that connections pile up in the kernel's queue until the server stops."""

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        else:
            if scope["path"] == "/block":
                blocked.set()
                time.sleep(0.5)  # noqa: ASYNC251 - it is the point
            await answer(send, b"hello")

    blocked = threading.Event()
    with running(busy) as server, server.connect() as first:
        first.sendall(GET.replace(b"/ ", b"/block ", 1))
        assert blocked.wait(DEADLINE)
        late = [server.connect() for _ in range(50)]
        server.stop()
        for connection in late:
            connection.sendall(GET)
        for connection in late:
            with connection:
                assert read_answer(connection)[2] == b"hello"
        server.wait()


def test_an_answer_that_begins_after_the_stop_says_that_it_is_the_last() -> None:
    app = Site(0.5)
    with running(app) as server, server.connect() as connection:
        connection.sendall(GET)
        assert app.begun.wait(DEADLINE)
        server.stop()
        status, fields, _ = read_answer(connection)
        assert (status, fields["connection"]) == (200, "close")


def test_an_answer_that_has_begun_is_finished_and_its_connection_is_of_use_a_little_longer() -> None:
    async def halves(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        begun.set()
        await asyncio.sleep(0.5)
        await send({"type": "http.response.body", "body": b"two"})

    begun = threading.Event()
    with running(halves) as server, server.connect() as connection:
        connection.sendall(GET)
        assert begun.wait(DEADLINE)
        server.stop()
        status, fields, body = read_answer(connection)
        assert (status, body) == (200, b"onetwo")
        assert "connection" not in fields  # it could not be known when the head was sent
        connection.sendall(GET)
        status, fields, body = read_answer(connection)
        assert (status, fields["connection"], body) == (200, "close", b"onetwo")
        assert to_the_end(connection) == b""


def test_an_idle_connection_takes_a_request_that_was_on_its_way_and_is_closed_soon_after() -> None:
    with running(Site(), drain_seconds=60) as server, server.connect() as idle, server.connect() as asking:
        for connection in (idle, asking):
            connection.sendall(GET)
            assert read_answer(connection)[0] == 200
        server.stop()
        until(lambda: refuses(server), "nobody is let in any more")
        time.sleep(0.4)
        asking.sendall(GET)
        status, fields, _ = read_answer(asking)
        assert (status, fields["connection"]) == (200, "close")
        assert idle.recv(1) == b""
        server.wait()  # long before the minute is over


def test_f5_what_does_not_end_in_time_is_cut_and_the_lifespan_ends_all_the_same() -> None:
    app = Site()
    with running(app, drain_seconds=0.5) as server, server.connect() as connection:
        connection.sendall(GET.replace(b"/ ", b"/never ", 1))
        assert app.begun.wait(DEADLINE)
        server.stop()
        server.wait()
        assert to_the_end(connection) == b""
    assert app.ended.is_set()
    assert app.left_before_the_end


def test_websockets_are_told_that_the_server_goes_and_no_new_ones_are_opened() -> None:
    opening = (
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    app = Site()
    with running(app, drain_seconds=60) as server, server.connect() as open_one, server.connect() as late:
        late.sendall(GET)
        assert read_answer(late)[0] == 200
        open_one.sendall(opening)
        assert open_one.recv(65536).startswith(b"HTTP/1.1 101")
        server.stop()
        closing = to_the_end(open_one)
        assert closing[:1] == b"\x88"
        assert int.from_bytes(closing[2:4], "big") == 1012
        late.sendall(opening)
        assert to_the_end(late).startswith(b"HTTP/1.1 503 ")
        server.wait()
    assert app.left.is_set()


def test_an_application_that_can_not_start_ends_the_server() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})

    async def start() -> None:
        from adproxy.listening import listen
        from adproxy.proxy_settings import ProxySettings
        from adproxy.server import Server

        with listen("127.0.0.1", 0) as listener:
            await Server(broken, ProxySettings(upstream="http://127.0.0.1:9")).serve(sockets=[listener])

    with pytest.raises(SystemExit) as end:
        asyncio.run(start())
    assert end.value.code == 3


def test_it_beats_while_it_runs_and_while_it_drains() -> None:
    app = Site()
    beats: list[float] = []
    with running(app, drain_seconds=2) as server:
        server.server._beat = lambda: beats.append(time.monotonic())
        with server.connect() as connection:
            connection.sendall(GET.replace(b"/ ", b"/never ", 1))
            until(lambda: len(beats) >= 2, "two beats")
            server.stop()
            before = len(beats)
            until(lambda: len(beats) >= before + 2, "two beats while it drains")
