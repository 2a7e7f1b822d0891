"""Requests that two servers could read in two ways: what the upstream sees is what was answered, one for one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

import pytest
from our_server import Running, running, to_the_end
from raw_origin import Origin, origin
from small_site import book

from adproxy.metrics import Metrics
from adproxy.proxy import create_proxy
from adproxy.proxy_settings import ProxySettings

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\nX: "
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
LENGTHS = [
    *(b"Content-Length: %d" % len(SMUGGLED), b"Content-Length: 0", b"Content-Length: 5\r\nContent-Length: 0"),
    *(b"Content-Length: +5", b"Content-Length:  5 ", b"Content-Length: 0x5", b"Content-Length: 5,5"),
    *(b"Content-Length: 0, 5", b"Content-Length: 5\x0b", b"Content-Length : 5", b"Content_Length: 5", b""),
    *(b"Content-Length: 00000", b"Content-Length:", b"Content-Length: 5;x", b"X: y\r\n Content-Length: 5"),
]
CODINGS = [
    *(b"", b"Transfer-Encoding: chunked", b"Transfer-Encoding : chunked", b"Transfer-Encoding: xchunked"),
    *(b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity"),
    *(b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding: chunked\x00", b"Transfer-Encoding:\tchunked"),
    *(b"Transfer-Encoding: CHUNKED", b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"),
    *(b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked", b"Transfer\xadEncoding: chunked"),
    *(b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: chunked;q=1", b"Connection: Transfer-Encoding"),
]
CHUNKS = [
    *(
        b"0\r\n\r\n",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"3;a=b\r\nabc\r\n0\r\n\r\n",
        b"0_3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
    ),
    *(
        b"+3\r\nabc\r\n0\r\n\r\n",
        b" 3\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b"3\nabc\n0\n\n",
        b"3\rabc\r0\r\r",
    ),
    *(b"3;a\rb\r\nabc\r\n0\r\n\r\n", b"3;a\nb\r\nabc\r\n0\r\n\r\n", b"3\r\nabcX\r\n0\r\n\r\n", b"3\r\nabc0\r\n\r\n"),
    *(
        b"0\r\nX: y\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"0\r\nX\r\n\r\n",
        b"00000000000000000003\r\nabc\r\n0\r\n\r\n",
    ),
    *(b"10000000000000003\r\nabc\r\n0\r\n\r\n", b"-1\r\nabc\r\n0\r\n\r\n", b"\r\n0\r\n\r\n", b"3\r\nabc\r\n0\r\n"),
]
LINES = [
    *(b"GET /a HTTP/1.1", b"GET http://b/a HTTP/1.1", b"GET /a  HTTP/1.1", b"GET  /a HTTP/1.1", b"\r\nGET /a HTTP/1.1"),
    *(b"GET /a HTTP/1.0", b"GET /a HTTP/0.9", b"GET /a HTTP/1.2", b"GET /a HTTP/01.1", b"GET /a\x00 HTTP/1.1"),
    *(
        b"GET /a\tHTTP/1.1",
        b"GET /a HTTP/1.1 x",
        b"get /a HTTP/1.1",
        b"GET a HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET //b/a HTTP/1.1",
    ),
    *(
        b"GET /a#b HTTP/1.1",
        b"GET \\a HTTP/1.1",
        b"GET @b/a HTTP/1.1",
        b"GET http:/a HTTP/1.1",
        b"GET ftp://b/a HTTP/1.1",
    ),
]


def payloads() -> Iterator[bytes]:
    """Whole requests, each followed by another one, so that none waits for more."""
    for length, coding in product(LENGTHS, CODINGS):
        fields = [field for field in (b"POST /first HTTP/1.1", b"Host: a", length, coding) if field]
        yield b"\r\n".join(fields) + b"\r\n\r\n0\r\n\r\n" + SMUGGLED + LAST + LAST
    for chunks in CHUNKS:
        yield b"POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + LAST
    for line in LINES:
        yield line + b"\r\nHost: a\r\n\r\n" + LAST


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[Origin, Running]]:
    with origin() as site:
        app = create_proxy(ProxySettings(upstream=site.url), book(), Metrics())
        # what is left waiting for the rest of a body is given up soon
        with running(app, request_head_seconds=1.0, idle_seconds=1.0) as server:
            yield site, server


def test_c6_c7_f18_the_upstream_sees_exactly_the_requests_that_were_answered(behind: tuple[Origin, Running]) -> None:
    site, server = behind
    served = refused = 0
    for payload in payloads():
        before = len(site.requests)
        with server.connect() as connection:
            connection.sendall(payload)
            got = to_the_end(connection)
        ours = len(re.findall(rb"HTTP/1\.1 (?:400|405|408|413|414|431|501|505) ", got))
        passed = got.count(b"HTTP/1.1 200 ")
        asked = site.requests[before:]
        assert ours <= 1, "a connection ends with the first refusal"
        assert got.count(b"HTTP/1.1 ") == passed + ours, (payload, got)
        assert len(asked) == passed, (payload, asked, got)
        for request in asked:
            head = request.partition(b"\r\n\r\n")[0].lower()
            assert head.count(b"\r\nhost:") == 1
            assert head.count(b"\r\ncontent-length:") + head.count(b"\r\ntransfer-encoding:") <= 1, (payload, request)
            assert request.split(b" ")[1].startswith(b"/"), request
        served += passed
        refused += ours
    assert served > 30, "some are requests like any other"
    assert refused > 200, "most are refused"


def test_f18_the_second_listener_is_no_path_of_the_first(behind: tuple[Origin, Running]) -> None:
    site, server = behind
    for target in (
        b"/metrics",
        b"/_adproxy/metrics",
        b"/_adproxy/../metrics",
        b"http://127.0.0.1:8081/metrics",
        b"//127.0.0.1:8081/metrics",
    ):
        got = server.exchange(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target)
        assert b"adproxy_" not in got.replace(b"/_adproxy", b""), "no metric of ours"
    assert all(b"\r\nhost: " in request for request in site.requests)
