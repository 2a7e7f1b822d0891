"""Request heads that must not be served, and what whole URLs ask for."""

import pytest

from adproxy.request_head import MAX_FIELDS, Fields, origin_form, refusal_of, with_host

HOST = (b"host", b"a")


@pytest.mark.parametrize(
    ("method", "version", "fields"),
    [
        (b"GET", "1.1", [HOST]),
        (b"GET", "1.1", []),  # what a host must look like is asked behind this
        (b"POST", "1.1", [HOST, (b"transfer-encoding", b"chunked")]),
        (b"POST", "1.1", [HOST, (b"transfer-encoding", b"Chunked \t")]),
        (b"POST", "1.0", [(b"content-length", b"3")]),
        (b"GET", "1.1", [HOST, *[(b"x", b"y")] * (MAX_FIELDS - 1)]),
    ],
)
def test_what_may_be_served(method: bytes, version: str, fields: Fields) -> None:
    assert refusal_of(method, version, fields) is None


@pytest.mark.parametrize(
    ("status", "method", "version", "fields"),
    [
        (505, b"GET", "2.0", [HOST]),
        (505, b"GET", "0.9", []),
        (405, b"CONNECT", "1.1", [HOST]),
        (400, b"GET", "1.1", [HOST, HOST]),
        (400, b"POST", "1.0", [HOST, (b"transfer-encoding", b"chunked")]),
        (501, b"POST", "1.1", [HOST, (b"transfer-encoding", b"gzip, chunked")]),
        (501, b"POST", "1.1", [HOST, (b"transfer-encoding", b",chunked")]),
        (501, b"POST", "1.1", [HOST, (b"transfer-encoding", b"identity"), (b"transfer-encoding", b"chunked")]),
        (431, b"GET", "1.1", [HOST, *[(b"x", b"y")] * MAX_FIELDS]),
    ],
)
def test_what_is_refused(status: int, method: bytes, version: str, fields: Fields) -> None:
    refusal = refusal_of(method, version, fields)
    assert refusal is not None
    assert refusal.status == status


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/a?b", (b"/a?b", None)),
        (b"//h/a", (b"//h/a", None)),
        (b"http://h/a?b", (b"/a?b", b"h")),
        (b"HTTPS://h:8443/", (b"/", b"h:8443")),
        (b"http://h", (b"/", b"h")),
        (b"http://h?b", (b"/?b", b"h")),
        (b"http://u@h/a", (b"http://u@h/a", None)),
        (b"http:///a", (b"http:///a", None)),
        (b"http://h/a#f", (b"http://h/a#f", None)),
        (b"ftp://h/a", (b"ftp://h/a", None)),
        (b"*", (b"*", None)),
    ],
)
def test_a_target_names_a_path_and_perhaps_a_host(target: bytes, expected: tuple[bytes, bytes | None]) -> None:
    assert origin_form(b"GET", target) == expected


def test_options_of_a_whole_server() -> None:
    assert origin_form(b"OPTIONS", b"http://h") == (b"*", b"h")


def test_the_host_of_the_target_takes_the_place_of_the_field() -> None:
    fields: Fields = [(b"x", b"1"), (b"host", b"a"), (b"y", b"2")]
    with_host(fields, b"h:1")
    assert fields == [(b"x", b"1"), (b"host", b"h:1"), (b"y", b"2")]
    fields = [(b"x", b"1")]
    with_host(fields, b"h")
    assert fields == [(b"host", b"h"), (b"x", b"1")]
