"""Header lists of both directions."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adproxy.headers import (
    demangle,
    failed_open,
    forward,
    forward_unsafe,
    head_of_page,
    mangle,
    not_modified,
    planned,
    vary,
)

REVISION = "1f2e3d4c5b6a"
OLD = "000000000000"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAVIGATION = [(b"accept", b"text/html,*/*;q=0.8"), (b"sec-fetch-dest", b"document")]

opaque = st.binary(max_size=30).map(lambda data: bytes(byte for byte in data if byte == 0x21 or 0x23 <= byte != 0x7F))
tags = st.builds(lambda weak, text: (b"W/" if weak else b"") + b'"' + text + b'"', st.booleans(), opaque)
Headers = list[tuple[bytes, bytes]]


def forwarded(*headers: tuple[bytes, bytes], path: bytes = b"/a") -> Headers:
    given = [*NAVIGATION, *headers]
    changed = forward(given, path, REVISION).headers
    return (given if changed is None else changed)[len(NAVIGATION) :]


@given(tags)
def test_b2_our_tag_is_weak_and_gives_any_upstream_tag_back(tag: bytes) -> None:
    ours = mangle(tag, REVISION)
    assert ours is not None
    assert ours.startswith(b'W/"')
    assert demangle(ours) == (tag, REVISION)


@given(tags)
def test_b2_two_gateways_in_a_chain_take_their_own_tag_off_again(tag: bytes) -> None:
    inner = mangle(tag, OLD)
    assert inner is not None
    outer = mangle(inner, REVISION)
    assert outer is not None
    assert demangle(outer) == (inner, REVISION)


@given(st.lists(tags, max_size=4), st.lists(tags, max_size=4))
def test_b2_of_a_list_of_tags_the_current_ones_of_ours_go_on(ours: list[bytes], theirs: list[bytes]) -> None:
    mangled = [tag for tag in (mangle(tag, REVISION) for tag in ours) if tag]
    stale = [tag for tag in (mangle(tag, OLD) for tag in theirs) if tag]
    foreign = [tag for tag in theirs if demangle(tag) is None]
    line = b" , ".join([*foreign, *mangled, *stale])
    expected = [(b"If-None-Match", b", ".join(ours))] if ours else []
    assert forwarded((b"If-None-Match", line)) == expected


def test_b2_tags_on_several_lines_are_one_list() -> None:
    lines = [(b"if-none-match", mangle(tag, REVISION) or b"") for tag in (b'"a"', b'W/"b"')]
    assert forwarded(*lines) == [(b"if-none-match", b'"a", W/"b"')]


def test_b4_after_a_rules_change_no_condition_goes_on() -> None:
    stale = mangle(b'"x"', OLD) or b""
    date = (b"if-modified-since", b"Thu, 01 Jan 2026 00:00:00 GMT")
    assert forwarded((b"if-none-match", stale), date) == []
    assert forwarded(date) == []


def test_a7_a_raw_upstream_tag_is_dropped() -> None:
    assert forwarded((b"if-none-match", b'"x", W/"y"')) == []


def test_b6_a_star_goes_on_as_it_is() -> None:
    assert forwarded((b"if-none-match", b" * ")) == [(b"if-none-match", b"*")]
    assert forward([(b"if-none-match", b"*")], b"/", REVISION).validated


@pytest.mark.parametrize("line", [b"x", b'"unclosed', b'x"y"', b'"a" "b"', b"W/x", b'"x;ap=1f2e3d4c5b6a"', b",", b""])
def test_b6_malformed_tags_match_nothing(line: bytes) -> None:
    result = forward([(b"if-none-match", line)], b"/", REVISION)
    assert result.headers == []
    assert not result.validated


def test_b11_ranges_of_a_page_are_not_asked_for() -> None:
    assert forwarded((b"Range", b"bytes=0-9"), (b"If-Range", b'"x"')) == []


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ([(b"accept", b"*/*"), (b"sec-fetch-dest", b"video")], b"/watch"),
        (NAVIGATION, b"/report.pdf"),
        ([], b"/film.mp4"),
        ([(b"accept", b"application/octet-stream")], b"/download"),
    ],
)
def test_b11_ranges_of_files_are(headers: Headers, path: bytes) -> None:
    ranged = [*headers, (b"range", b"bytes=0-9"), (b"if-range", b'"x"')]
    assert forward(ranged, path, REVISION).headers == ranged


def test_c17_a_request_without_conditions_is_not_even_copied() -> None:
    assert forward([*NAVIGATION, (b"X-Any", b"1"), (b"x-any", b"2")], b"/", REVISION).headers is None


def test_b5_if_match_names_the_upstreams_state_again_whatever_the_rules_were() -> None:
    line = b'%s, "other"' % (mangle(b'"x"', OLD) or b"")
    assert forward_unsafe([(b"If-Match", line), (b"a", b"b")]) == [(b"If-Match", b'"x", "other"'), (b"a", b"b")]
    assert forward_unsafe([(b"If-Match", b'"x" , *odd')]) is None


UPSTREAM: Headers = [
    (b"Content-Type", b"text/html"),
    (b"Set-Cookie", b"a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT"),
    (b"ETag", b'"x"'),
    (b"Set-Cookie", b"b=2"),
    (b"Last-Modified", b"Thu, 01 Jan 2026 00:00:00 GMT"),
    (b"Content-Length", b"1000"),
    (b"Accept-Ranges", b"bytes"),
    (b"Repr-Digest", b"sha-256=:x:"),
    (b"Content-Digest", b"sha-256=:x:"),
    (b"Digest", b"x"),
    (b"Content-MD5", b"x"),
    (b"Signature", b"x"),
    (b"Signature-Input", b"x"),
    (b"Trailer", b"x"),
    (b"Cache-Control", b"public, s-maxage=3600"),
    (b"Expires", b"Thu, 01 Jan 2027 00:00:00 GMT"),
    (b"Age", b"3"),
    (b"Link", b"</a>; rel=preload"),
    (b"Vary", b"Accept-Encoding"),
    (b"Warning", b'214 x "y"'),
]


def test_b14_a_changed_page_keeps_all_else_in_order_with_duplicates() -> None:
    kept = [
        header for header in UPSTREAM if header[0] in (b"Content-Type", b"Set-Cookie", b"Cache-Control", b"Expires")
    ]
    answer = planned(UPSTREAM, REVISION, length=1234)
    assert [header for header in answer if header in UPSTREAM] == [
        header for header in UPSTREAM if header in kept or header[0] in (b"Age", b"Link", b"Vary", b"Warning")
    ]
    assert [header for header in answer if header not in UPSTREAM] == [
        (b"ETag", b'W/"x;ap=1f2e3d4c5b6a"'),
        (b"content-length", b"1234"),
    ]


def test_a6_an_unchanged_planned_page_keeps_what_describes_its_bytes() -> None:
    answer = planned(UPSTREAM, REVISION, length=None)
    gone = [header for header in UPSTREAM if header not in answer]
    assert [name for name, _ in gone] == [b"ETag", b"Last-Modified", b"Accept-Ranges"]


@pytest.mark.parametrize("tags", [[b"x"], [b'"a b"'], [b'"a"', b'"b"'], [b""], [b'w/"x"']])
def test_b1_invalid_or_several_tags_give_none(tags: list[bytes]) -> None:
    answer = planned([(b"etag", tag) for tag in tags], REVISION, length=None)
    assert answer == []


def test_b7_head_tells_neither_length_nor_validators() -> None:
    names = {name.lower() for name, _ in head_of_page(UPSTREAM)}
    assert not names & {b"content-length", b"etag", b"last-modified", b"accept-ranges", b"repr-digest"}
    assert {b"content-type", b"set-cookie", b"vary", b"age"} <= names


def test_b3_a_304_carries_our_tag_and_no_length_of_the_other_body() -> None:
    answer = not_modified([(b"etag", b'"x"'), (b"content-length", b"9"), (b"vary", b"a"), (b"date", b"d")], REVISION)
    assert answer == [(b"etag", b'W/"x;ap=1f2e3d4c5b6a"'), (b"vary", b"a"), (b"date", b"d")]


def test_a7_a_date_beyond_all_numbers_is_an_invalid_one() -> None:
    """Fuzzing found that such a date was an error, and that one of them was not caught."""
    expires = (b"Expires", b"Thu, 01 Jan 2026 00:00%s:00 GMT" % (b"9" * 90))
    assert failed_open([expires], NOW) == [expires]


def test_a7_failing_open_drops_validators_and_keeps_what_describes_the_bytes() -> None:
    answer = failed_open(UPSTREAM, NOW)
    gone = [name for name, value in UPSTREAM if (name, value) not in answer]
    assert gone == [b"ETag", b"Last-Modified", b"Cache-Control"]
    assert (b"Cache-Control", b"public, s-maxage=60") in answer


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"public, max-age=3600, s-maxage=86400", b"public, max-age=60, s-maxage=60"),
        (b"max-age=30", b"max-age=30"),
        (b"max-age=60, immutable", b"max-age=60"),
        (b"max-age=1, stale-while-revalidate=9999", b"max-age=1, stale-while-revalidate=60"),
        (b"max-age=abc", b"max-age=60"),
        (b"max-age=99999999999999999999", b"max-age=60"),
        (b'Max-Age="3600"', b"max-age=60"),
        (b"private, no-store", b"private, no-store"),
        (b"no-cache", b"no-cache"),
        (b'private="a, b", Max-Age=61', b'private="a, b", max-age=60'),
    ],
)
def test_a7_lifetimes_are_capped_and_never_lengthened(before: bytes, after: bytes) -> None:
    for name in (b"Cache-Control", b"CDN-Cache-Control", b"surrogate-control"):
        assert failed_open([(name, before)], NOW) == [(name, after)]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"expires", b"Fri, 02 Jan 2026 00:00:00 GMT")], [(b"cache-control", b"max-age=60")]),
        ([(b"expires", b"Thu, 01 Jan 2026 00:00:30 GMT")], None),
        ([(b"expires", b"0")], None),
        ([(b"cache-control", b"max-age=9"), (b"expires", b"Fri, 02 Jan 2026 00:00:00 GMT")], None),
        ([(b"date", b"Fri, 02 Jan 2026 00:00:00 GMT"), (b"expires", b"Fri, 02 Jan 2026 00:00:00 GMT")], None),
        ([(b"x-accel-expires", b"3600")], [(b"x-accel-expires", b"60")]),
        ([(b"x-accel-expires", b"@99")], [(b"x-accel-expires", b"60")]),
        ([(b"x-accel-expires", b"0")], None),
        ([], None),
    ],
)
def test_a7_other_lifetimes_are_capped_too(headers: Headers, expected: Headers | None) -> None:
    assert failed_open(headers, NOW) == (headers if expected is None else expected)


NAMES = [
    b"ETag",
    b"cache-control",
    b"Expires",
    b"date",
    b"vary",
    b"if-none-match",
    b"if-match",
    b"range",
    b"content-length",
]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=30)), max_size=5))
def test_no_header_makes_these_fail(headers: Headers) -> None:
    failed_open(headers, NOW)
    planned(headers, REVISION, length=3, vary_everywhere=True)
    not_modified(headers, REVISION)
    forward(headers, b"/", REVISION)
    forward_unsafe(headers)


def test_b10_vary_is_merged_and_a_star_is_kept() -> None:
    before = [(b"Vary", b"Accept-Encoding, HX-Request"), (b"vary", b"Cookie")]
    assert vary(before, ["hx-request", "accept"]) == [*before, (b"vary", b"accept")]
    assert vary(before, ["hx-request"]) == before
    assert vary([(b"vary", b"*")], ["accept"]) == [(b"vary", b"*")]


def test_b10_on_request_each_page_names_all_fields_that_may_decide() -> None:
    for answer in (
        planned([], REVISION, length=None, vary_everywhere=True),
        head_of_page([], vary_everywhere=True),
        not_modified([], REVISION, vary_everywhere=True),
    ):
        assert b"sec-fetch-dest" in dict(answer)[b"vary"]
        assert b"hx-request" in dict(answer)[b"vary"]
