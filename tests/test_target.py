import pytest
from wire import http_scope

from adproxy.target import MAX_BYTES, host_of, is_authority, is_served, problem_of, raw_target

ODD = [
    "/",
    "/a?",
    "/a?b?c",
    "//evil.example/x",
    "/a//b/../c/./d",
    "/%2e%2e/%2F%00%5c",
    "/a;b=c",
    "/[x]|\\^`{}",
    "/é",
    "/a:80@b",
]


@pytest.mark.parametrize("target", ODD)
def test_c11_odd_paths_may_pass(target: str) -> None:
    assert problem_of(target.encode()) is None


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"*",
        b"a",
        b"http://x/",
        b"x:80",
        b"/a b",
        b"/a\tb",
        b"/a\x00b",
        b"/a\x7f",
        b"/a#b",
        b"/a\r\nX: y",
        b"/\xe9",
    ],
)
def test_c11_what_is_no_path_is_refused(target: bytes) -> None:
    found = problem_of(target)
    assert found is not None
    assert found[0] == 400


def test_f14_long_targets_are_refused() -> None:
    assert problem_of(b"/" + b"a" * (MAX_BYTES - 1)) is None
    found = problem_of(b"/" + b"a" * MAX_BYTES)
    assert found is not None
    assert found[0] == 414


def test_c11_the_exact_target_comes_from_the_server_that_knows_it() -> None:
    scope = http_scope("/a", extensions={"adproxy.target": {"target": b"/a?"}})
    assert raw_target(scope) == b"/a?"
    assert raw_target(http_scope("/a", query_string=b"b=%2F")) == b"/a?b=%2F"
    assert raw_target({**http_scope("/ä b"), "raw_path": None}) == b"/%C3%A4%20b"
    assert raw_target({**http_scope("/a"), "raw_path": b"/a?b", "query_string": b"b"}) == b"/a?b"


@pytest.mark.parametrize(
    "host", ["a", "news.example", "news.example:8080", "127.0.0.1:1", "[::1]", "[::1]:80", "a_b.example", "x:"]
)
def test_c10_hosts(host: str) -> None:
    assert is_authority(host)
    assert host_of([(b"Host", host.encode())], "1.1") == host


@pytest.mark.parametrize(
    "host", ["", "a b", "a/b", "a@b:80", "a,b", "a:b", "a:99999", "[::1", "[zz]", "[]", "a\x00", "é.example"]
)
def test_c10_what_is_no_host(host: str) -> None:
    assert not is_authority(host)
    assert host_of([(b"host", host.encode("latin-1"))], "1.1") is None


def test_c10_exactly_one_host() -> None:
    assert host_of([], "1.1") is None
    assert host_of([], "1.0") == ""
    assert host_of([(b"host", b"a"), (b"Host", b"a")], "1.1") is None


def test_c10_hosts_that_are_served() -> None:
    allowed = ("news.example", "*.paper.example", "other.example:8080")
    assert is_served("anything", ())
    for host in ("news.example", "NEWS.example:443", "www.paper.example", "other.example:8080"):
        assert is_served(host, allowed), host
    for host in ("paper.example", "evilpaper.example", "other.example", "other.example:80", "news.example.evil", ""):
        assert not is_served(host, allowed), host
