import pytest

from adproxy.hops import MAX_VIAS, counted_down, end_to_end, is_loop, max_forwards, traces


def test_c1_fields_of_one_connection_go_no_further() -> None:
    headers = [
        (b"Host", b"a"),
        (b"Connection", b"keep-alive, X-Mine , upgrade"),
        (b"connection", b"x-other"),
        *[
            (name, b"x")
            for name in (b"Keep-Alive", b"Proxy-Connection", b"TE", b"Transfer-Encoding", b"Upgrade", b"Trailer")
        ],
        (b"X-Mine", b"1"),
        (b"x-other", b"2"),
        (b"X-Kept", b"3"),
    ]
    assert end_to_end(headers) == [(b"host", b"a"), (b"x-kept", b"3")]


@pytest.mark.parametrize(
    "name", [b"Host", b"Content-Length", b"Cookie", b"Authorization", b"X-Forwarded-For", b"Set-Cookie", b"Via"]
)
def test_c1_connection_cannot_strip_what_others_rely_on(name: bytes) -> None:
    assert end_to_end([(b"Connection", b"close, " + name), (name, b"x")]) == [(name.lower(), b"x")]


def test_c7_white_space_around_a_value_is_none_of_it() -> None:
    """Some servers send it on, and the client towards the upstream refuses a length with a space behind it."""
    assert end_to_end([(b"Content-Length", b" 5\t "), (b"X-A", b"b c ")]) == [
        (b"content-length", b"5"),
        (b"x-a", b"b c"),
    ]


def test_c17_order_and_duplicates_stay() -> None:
    headers = [(b"set-cookie", b"a=1"), (b"link", b"<x>"), (b"set-cookie", b"b=2, c")]
    assert end_to_end(headers) == headers


def test_c4_a_request_of_our_own_is_known_at_once() -> None:
    sent = traces("1.1", "abc")
    assert sent == ((b"via", b"1.1 adproxy"), (b"cdn-loop", b"adproxy; id=abc"))
    assert is_loop(sent, "abc")
    assert is_loop([(b"CDN-Loop", b'other; x="a,b", adproxy;id=abc')], "abc")
    assert not is_loop(sent, "abcd"), "another adproxy in the chain is none of our business"
    assert not is_loop([(b"cdn-loop", b"other; id=abc")], "abc")


def test_c4_a_loop_that_lost_its_mark_ends_too() -> None:
    line = (b"via", b"1.1 adproxy")
    assert not is_loop([line] * (MAX_VIAS - 1), "x")
    assert is_loop([line] * MAX_VIAS, "x")
    assert is_loop([(b"via", b", ".join([b"1.1 adproxy"] * MAX_VIAS))], "x")
    assert not is_loop([(b"via", b", ".join([b"1.1 adproxy-other, 1.0 x"] * MAX_VIAS))], "x")


def test_c4_max_forwards() -> None:
    assert max_forwards([(b"Max-Forwards", b"3")]) == 3
    assert max_forwards([]) is None
    assert max_forwards([(b"max-forwards", b"x")]) is None
    assert counted_down([(b"max-forwards", b"3"), (b"a", b"b")], 2) == [(b"max-forwards", b"2"), (b"a", b"b")]
