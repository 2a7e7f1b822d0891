"""The proxy over real sockets: a raw origin behind it sees the bytes, a raw client before it too."""

from __future__ import annotations

import contextlib
import gc
import gzip
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from our_server import until
from raw_origin import OK, RESET, Origin, origin
from small_site import PAGE, REVISION, book, with_slots
from wire import DEADLINE, Response, Server, read_response, serving

from adproxy.metrics import ErrorKind, Metrics
from adproxy.middleware import AdMiddleware
from adproxy.proxy import create_proxy
from adproxy.proxy_settings import ProxySettings
from adproxy.relay import _Body, _Watch

HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"


def whole(page: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join([HTML.rstrip(), *fields, b"Content-Length: %d" % len(page), b"", page])


@contextlib.contextmanager
def proxied(url: str, metrics: Metrics | None = None, **options: Any) -> Iterator[Server]:
    settings = ProxySettings(upstream=url, **options)
    app = create_proxy(settings, book(), metrics or Metrics())
    with serving(app, server_header=False, date_header=False, proxy_headers=False) as server:
        yield server


def errors(metrics: Metrics, kind: ErrorKind) -> float:
    value = metrics.registry.get_sample_value("adproxy_errors_total", {"kind": kind.value})
    assert value is not None
    return value


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[Origin, Server]]:
    with origin() as site, proxied(site.url) as server:
        yield site, server


# --- requests on their way ----------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/a//b/../c/./d", "/%2e%2e/%2F%00%5c", "//evil.example/x", "/a;b=c?d=%20&e", "/a?b?c=/..", "/a:80@b"]
)
def test_c11_the_target_arrives_as_it_was_sent(behind: tuple[Origin, Server], path: str) -> None:
    site, server = behind
    assert server.ask(path).status == 200
    assert site.head()[0] == f"GET {path} HTTP/1.1".encode()


def test_c1_c2_c3_c4_c12_a_request_head(behind: tuple[Origin, Server]) -> None:
    site, server = behind
    server.ask(
        "/x",
        ("X-A", "1"),
        ("Cookie", "a=b"),
        ("X-A", "2"),
        ("Keep-Alive", "5"),
        ("TE", "trailers"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("Via", "1.0 front"),
        ("User-Agent", "curl/8"),
        ("X-Words", "é"),
    )
    assert site.head() == [
        b"GET /x HTTP/1.1",
        b"host: site.example",
        b"x-a: 1",
        b"cookie: a=b",
        b"x-a: 2",
        b"via: 1.0 front",
        b"user-agent: curl/8",
        "x-words: é".encode(),  # sent as Latin-1, which is written as UTF-8
        b"x-forwarded-for: 192.0.2.1, 127.0.0.1",
        b"x-real-ip: 192.0.2.1",
        b"x-forwarded-proto: http",
        b"x-forwarded-host: site.example",
        site.head()[-3],
        b"via: 1.1 adproxy",
        site.head()[-1],
    ]
    assert re.fullmatch(rb"x-request-id: [0-9a-f]{32}", site.head()[-3])
    assert site.head()[-1].startswith(b"cdn-loop: adproxy; id=")


def test_nothing_is_added_that_the_reader_did_not_send(behind: tuple[Origin, Server]) -> None:
    site, server = behind
    server.ask("/bare", method="POST", body=b"x")
    names = {line.partition(b":")[0].lower() for line in site.head()[1:]}
    assert not names & {
        b"accept",
        b"accept-encoding",
        b"user-agent",
        b"content-type",
        b"connection",
        b"transfer-encoding",
    }


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_c17_methods_and_bodies_pass(behind: tuple[Origin, Server], method: str) -> None:
    site, server = behind
    assert server.ask("/m", method=method, body=b"payload").status == 200
    assert site.requests[-1].startswith(method.encode() + b" /m ")
    assert site.requests[-1].endswith(b"\r\n\r\npayload")
    assert site.field("content-length") == [b"7"]


def test_c7_a_chunked_body_is_framed_anew(behind: tuple[Origin, Server]) -> None:
    site, server = behind
    with server.connect() as connection:
        connection.sendall(
            b"POST /c HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"
        )
        assert read_response(connection).status == 200
    assert site.field("transfer-encoding") == [b"chunked"]
    assert b"ext=1" not in site.requests[-1]
    assert b"X-Trailer" not in site.requests[-1]


def test_c13_expect_is_answered_here_and_goes_no_further(behind: tuple[Origin, Server]) -> None:
    site, server = behind
    with server.connect() as connection:
        connection.sendall(
            b"POST /e HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\nExpect: 100-continue\r\n"
            b"Content-Length: 3\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abc")
        assert read_response(connection).status == 200
    assert site.field("expect") == []


# --- requests that go no further ------------------------------------------------------------


def raw(server: Server, data: bytes) -> Response:
    with server.connect() as connection:
        connection.sendall(data)
        return read_response(connection)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n", 405),
        (b"GET / HTTP/1.1\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n", 200),
        (b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: a\r\nVia: " + b", ".join([b"1.1 adproxy"] * 8) + b"\r\n", 508),
    ],
)
def test_c4_c5_c10_requests_that_end_here(behind: tuple[Origin, Server], head: bytes, status: int) -> None:
    site, server = behind
    before = len(site.requests)
    answer = raw(server, head + b"Connection: close\r\n\r\n")
    assert answer.status == status
    assert answer.get("cache-control") == "no-store"
    assert len(site.requests) == before


def test_c4_options_count_down(behind: tuple[Origin, Server]) -> None:
    site, server = behind
    server.ask("/", ("Max-Forwards", "3"), method="OPTIONS")
    assert site.field("max-forwards") == [b"2"]


def test_c4_a_loop_ends_after_one_round() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    settings = ProxySettings(upstream=f"http://127.0.0.1:{port}", port=port)
    app = create_proxy(settings, book(), Metrics())
    passed: list[str] = []

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            passed.append(scope["path"])
        await app(scope, receive, send)

    with serving(counting, proxy_headers=False) as server, forwarder(port, server.port):
        answer = server.ask("/again")
    assert answer.status == 508
    assert answer.get("proxy-status") == "adproxy; error=proxy_loop_detected"
    assert passed == ["/again"] * 2


@contextlib.contextmanager
def forwarder(port: int, to: int) -> Iterator[None]:
    """Hands what arrives at one port to another one: the loop's missing link."""

    def relay(_: int, request: bytes, __: socket.socket) -> bytes:
        with socket.create_connection(("127.0.0.1", to), timeout=DEADLINE) as onwards:
            onwards.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            answer = b""
            while piece := onwards.recv(65536):
                answer += piece
        return answer

    with origin(relay, keep=False, port=port):
        yield


def test_c10_hosts_that_are_not_served(behind: tuple[Origin, Server]) -> None:
    site, _ = behind
    with proxied(site.url, allowed_hosts="news.example,*.paper.example") as server:
        assert server.ask("/").status == 421
        assert raw(server, b"GET / HTTP/1.1\r\nHost: www.paper.example\r\nConnection: close\r\n\r\n").status == 200


def test_f18_our_own_paths_are_never_forwarded(behind: tuple[Origin, Server]) -> None:
    site, server = behind
    before = len(site.requests)
    assert server.ask("/_adproxy/healthz").body == b"ok\n"
    assert server.ask("/_adproxy/nothing").status == 404
    assert len(site.requests) == before


# --- answers ----------------------------------------------------------------------------------


def test_a_page_gets_its_slots_and_our_tag() -> None:
    with (
        origin(
            whole(PAGE, b'ETag: "v1"', b"Set-Cookie: a=1", b"Set-Cookie: b=2", b"Connection: x-y", b"X-Y: 1")
        ) as site,
        proxied(site.url) as server,
    ):
        answer = server.ask("/story", ("Accept", "text/html"))
    assert answer.body == with_slots()
    assert answer.headers == [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"etag", b'W/"v1;ap=%s"' % REVISION.encode()),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
        (b"content-length", b"%d" % len(with_slots())),
    ]


def test_b2_b3_a_page_is_validated_through_the_proxy() -> None:
    with origin(b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n\r\n') as site, proxied(site.url) as server:
        answer = server.ask("/story", ("If-None-Match", f'W/"v1;ap={REVISION}"'))
        assert site.field("if-none-match") == [b'"v1"']
    assert (answer.status, answer.get("etag")) == (304, f'W/"v1;ap={REVISION}"')


def test_a6_what_is_no_page_passes_byte_for_byte() -> None:
    packed = gzip.compress(b"{}" * 500, mtime=0)
    fields = [b"Content-Type: application/json", b"Content-Encoding: gzip", b'ETag: "x"', b"Last-Modified: yesterday"]
    with (
        origin(b"\r\n".join([b"HTTP/1.1 200 Fine", *fields, b"Content-Length: %d" % len(packed), b"", packed])) as site,
        proxied(site.url) as server,
    ):
        answer = server.ask("/data")
    assert answer.body == packed
    assert [b": ".join((name.title(), value)) for name, value in answer.headers[:3]] == [
        fields[0],
        fields[1],
        b'Etag: "x"',
    ]


@pytest.mark.parametrize("status", [204, 301, 304, 404, 418, 500, 503])
def test_a3_statuses_pass(status: int) -> None:
    body = b"" if status in (204, 304) else b"Content-Length: 0\r\n"
    said = b"HTTP/1.1 %d X\r\nLocation: http://elsewhere.example/\r\n%s\r\n" % (status, body)
    with origin(said) as site, proxied(site.url) as server:
        answer = server.ask("/s")
        assert (answer.status, answer.get("location")) == (status, "http://elsewhere.example/")
        assert len(site.requests) == 1, "redirects are the reader's"


def test_b7_head_keeps_what_get_would_say() -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 12345\r\n\r\n"
    with origin(said) as site, proxied(site.url) as server:
        assert server.ask("/a.png", method="HEAD").get("content-length") == "12345"


@pytest.mark.parametrize("value", [b"a\x01b", b"a\x7fb"])
def test_c9_a_field_that_cannot_be_sent_on_is_left_out(value: bytes) -> None:
    fields = [b"X-Odd: " + value, b"X-Words: \xe9\xff", b"Content-Length: 2", b"", b"ok"]
    with origin(b"\r\n".join([b"HTTP/1.1 200 OK", *fields])) as site, proxied(site.url) as server:
        answer = server.ask("/")
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers == [(b"x-words", b"\xe9\xff"), (b"content-length", b"2")]


# --- another host upstream ----------------------------------------------------------------------


def test_the_host_can_be_the_upstreams_own() -> None:
    def answer(_: int, request: bytes, __: socket.socket) -> bytes:
        return b"HTTP/1.1 302 Found\r\nLocation: http://origin.example/new?x\r\nContent-Length: 0\r\n\r\n"

    with origin(answer) as site, proxied(site.url, upstream_host="origin.example") as server:
        assert server.ask("/old").get("location") == "/new?x"
        assert site.field("host") == [b"origin.example"]
        assert site.field("x-forwarded-host") == [b"site.example"]


def test_a_redirect_to_a_host_of_a_longer_name_stays() -> None:
    for location in (b"http://origin.example.evil/", b"https://origin.example/", b"http://origin.example@evil/"):
        found = b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % location
        with origin(found) as site, proxied(site.url, upstream_host="origin.example") as server:
            assert server.ask("/old").get("location") == location.decode()


# --- failures -------------------------------------------------------------------------------------


def test_c18_nobody_there_gives_502() -> None:
    metrics = Metrics()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with proxied(f"http://127.0.0.1:{port}", metrics) as server:
        answer = server.ask("/")
    assert answer.status == 502
    assert answer.get("proxy-status") == "adproxy; error=destination_unavailable"
    assert answer.get("cache-control") == "no-store"
    assert b"does not answer" in answer.body
    assert errors(metrics, ErrorKind.UPSTREAM_UNREACHABLE) == 1


def test_c18_a_silent_upstream_gives_504() -> None:
    metrics = Metrics()

    def silent(_: int, __: bytes, connection: socket.socket) -> bytes:
        connection.recv(1)
        return b""

    with origin(silent) as site, proxied(site.url, metrics, head_seconds=0.2) as server:
        answer = server.ask("/")
        assert site.ended.wait(DEADLINE), "the connection to the upstream is closed"
    assert answer.status == 504
    assert errors(metrics, ErrorKind.UPSTREAM_TIMEOUT) == 1


@pytest.mark.parametrize("bad", [b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", RESET, b""])
def test_c16_nonsense_gives_502(bad: bytes) -> None:
    metrics = Metrics()
    with origin(bad) as site, proxied(site.url, metrics) as server:
        assert server.ask("/", method="POST", body=b"x").status == 502
        assert len(site.requests) == 1, "a POST is never repeated"
    assert errors(metrics, ErrorKind.UPSTREAM_PROTOCOL) == 1


def test_c16_a_get_is_repeated_once_on_a_connection_that_was_closed() -> None:
    with origin(lambda n, _, __: RESET if n == 2 else OK) as site, proxied(site.url) as server:
        assert [server.ask(f"/{n}").status for n in range(2)] == [200, 200]
        assert [request.split(b" ")[1] for request in site.requests] == [b"/0", b"/1", b"/1"]


@pytest.mark.parametrize("kind", [b"text/html", b"application/octet-stream"])
@pytest.mark.parametrize(
    "framing",
    [b"Content-Length: 100000\r\n\r\n" + PAGE, b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(PAGE), PAGE)],
)
def test_c8_half_an_answer_is_never_a_whole_one(kind: bytes, framing: bytes) -> None:
    metrics = Metrics()
    half = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s" % (kind, framing)
    with origin(half, keep=False) as site, proxied(site.url, metrics) as server, server.connect() as connection:
        connection.sendall(b"GET /half HTTP/1.1\r\nHost: site.example\r\n\r\n")
        data = b""
        while piece := connection.recv(65536):
            data += piece
    assert PAGE in data, "the origin's bytes, as they came"
    assert b"data-adproxy" not in data
    assert not data.endswith(b"0\r\n\r\n")
    assert b"content-length: 100000" in data or b"transfer-encoding: chunked" in data
    assert errors(metrics, ErrorKind.UPSTREAM_PROTOCOL) == 1


def test_f21_c18_too_many_requests_are_turned_away_at_once() -> None:
    metrics = Metrics()

    def slow(_: int, __: bytes, ___: socket.socket) -> bytes:
        time.sleep(0.3)
        return OK

    with origin(slow) as site, proxied(site.url, metrics, max_requests=1) as server, server.connect() as first:
        first.sendall(b"GET /a HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
        while not site.requests:
            time.sleep(0.005)
        answer = server.ask("/b")
        assert (answer.status, answer.get("retry-after")) == (503, "5")
        assert read_response(first).status == 200
    assert errors(metrics, ErrorKind.OVERLOAD) == 1


@pytest.mark.parametrize(
    ("trusted", "second", "status"),
    [
        ("127.0.0.0/8", "192.0.2.1", 503),
        ("127.0.0.0/8", "192.0.2.2", 200),
        ("127.0.0.0/8", "", 200),  # a server in front that does not say who asks
        ("127.0.0.0/8", "2001:db8::9", 200),
        ("", "192.0.2.2", 503),  # nobody in front is believed: both come from loopback
    ],
)
def test_f21_one_reader_can_not_take_all_there_is(trusted: str, second: str, status: int) -> None:
    def slow(_: int, request: bytes, ___: socket.socket) -> bytes:
        if b"/slow" in request:
            time.sleep(0.3)
        return OK

    options = {"max_requests_of_reader": 1, "trusted_peers": trusted}
    with origin(slow) as site, proxied(site.url, **options) as server, server.connect() as first:
        first.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n")
        while not site.requests:
            time.sleep(0.005)
        told = (("X-Forwarded-For", second),) if second else ()
        answer = server.ask("/b", *told)
        assert answer.status == status
        assert (answer.get("retry-after") is not None) == (status == 503)
        assert read_response(first).status == 200
        assert server.ask("/c", *told).status == 200, "what is done is not counted any more"


def test_f8_a_reader_who_leaves_ends_the_request_upstream() -> None:
    def slow(_: int, __: bytes, connection: socket.socket) -> bytes:
        connection.recv(1)  # until we are left
        return b""

    with origin(slow) as site, proxied(site.url) as server:
        with server.connect() as connection:
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: site.example\r\n\r\n")
            while not site.requests:
                time.sleep(0.005)
        assert site.ended.wait(DEADLINE)


def test_c7_half_a_request_is_never_a_whole_one() -> None:
    with origin() as site, proxied(site.url) as server:
        with server.connect() as connection:
            connection.sendall(b"POST /half HTTP/1.1\r\nHost: site.example\r\nContent-Length: 100\r\n\r\nonly this")
            while not site.connections:
                time.sleep(0.005)
        assert site.ended.wait(DEADLINE)
        assert all(len(request) < 400 for request in site.requests)
        assert server.ask("/next").status == 200
        assert site.connections == 2, "the connection of half a request is not used again"


def test_nothing_of_a_request_waits_for_the_garbage_collector() -> None:
    def kept() -> int:
        return sum(isinstance(thing, (_Body, _Watch)) for thing in gc.get_objects())

    with origin() as site, proxied(site.url) as server:
        assert server.ask("/first").status == 200
        gc.collect()
        gc.disable()
        try:
            before = kept()
            for _ in range(5):
                assert server.ask("/next").status == 200
            until(lambda: kept() <= before, "what belonged to the requests is gone")
        finally:
            gc.enable()


# --- slow pages -------------------------------------------------------------------------------------


def test_c15_a_slow_pages_head_goes_ahead_and_the_page_still_gets_its_slots() -> None:
    head, _, rest = PAGE.partition(b"<article>")
    released = []

    def slowly(_: int, __: bytes, connection: socket.socket) -> bytes:
        connection.sendall(HTML + b"Connection: close\r\n\r\n" + head)
        while not released:
            time.sleep(0.005)
        return b"<article>" + rest

    with (
        origin(slowly, keep=False) as site,
        proxied(site.url, ahead_seconds=0.05) as server,
        server.connect() as connection,
    ):
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
        first = connection.recv(65536)
        while b"</head>" not in first:
            first += connection.recv(65536)
        assert b"<body>" not in first
        released.append(True)
        data = first
        while piece := connection.recv(65536):
            data += piece
    page = b"".join(_unchunked(data.partition(b"\r\n\r\n")[2]))
    assert page == with_slots()


def _unchunked(data: bytes) -> Iterator[bytes]:
    while data:
        size, _, data = data.partition(b"\r\n")
        yield data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]


@pytest.mark.parametrize(
    "field", [b'ETag: "x"', b"Last-Modified: x", b"Content-Length: 5000", b"Cache-Control: s-maxage=600"]
)
def test_a_head_that_would_give_something_up_waits(field: bytes) -> None:
    def slowly(_: int, __: bytes, connection: socket.socket) -> bytes:
        connection.sendall(HTML + field + b"\r\nConnection: close\r\n\r\n" + PAGE[:200])
        time.sleep(0.3)
        return b""

    with (
        origin(slowly, keep=False) as site,
        proxied(site.url, ahead_seconds=0.02) as server,
        server.connect() as connection,
    ):
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n")
        connection.settimeout(0.15)
        with pytest.raises(TimeoutError):
            connection.recv(1)


# --- TLS --------------------------------------------------------------------------------------------


def test_the_upstreams_certificate_is_verified(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(
        [*make.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
        timeout=DEADLINE,
    )
    middleware = AdMiddleware(hello, book())
    with serving(middleware, ssl_keyfile=str(key), ssl_certfile=str(certificate)) as secure:
        url = f"https://localhost:{secure.port}"
        with proxied(url) as server:
            answer = server.ask("/")
            assert answer.status == 502, "signed by nobody that we know"
        with proxied(url, upstream_ca=certificate) as server:
            assert server.ask("/").body == f"localhost:{secure.port}".encode(), "https gets its own host by default"
        with proxied(f"https://127.0.0.1:{secure.port}", upstream_ca=certificate) as server:
            assert server.ask("/").status == 502, "another name than the certificate's"


async def hello(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return
    host = dict(scope["headers"])[b"host"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": host})
