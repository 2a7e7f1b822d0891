"""May this exchange be touched at all?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adproxy.eligibility import (
    DECIDING_FIELDS,
    accepts_html,
    deciding_field,
    may_be_page,
    request_skip,
    response_skip,
    split_list,
)
from adproxy.model import SkipReason

HTML = (b"content-type", b"text/html; charset=utf-8")
NAVIGATION = [
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"),
    (b"sec-fetch-dest", b"document"),
    (b"x-requested-with", b"com.example.webview"),
]


def reason_of_request(*headers: tuple[bytes, bytes], method: str = "GET") -> SkipReason | None:
    skip = request_skip(method, headers)
    return skip.reason if skip else None


def reason_of_response(*headers: tuple[bytes, bytes], status: int = 200) -> SkipReason | None:
    skip = response_skip(status, headers)
    return skip.reason if skip else None


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_navigation_is_eligible(method: str) -> None:
    assert request_skip(method, NAVIGATION) is None
    assert request_skip(method, []) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "PURGE", "get"])
def test_a3_other_methods_pass(method: str) -> None:
    assert reason_of_request(method=method) is SkipReason.METHOD


@pytest.mark.parametrize(
    "lines",
    [
        [b"no-transform"],
        [b"No-Transform"],
        [b"public, max-age=60 ,NO-TRANSFORM"],
        [b"public", b"max-age=1", b"no-transform"],
        [b'private="set-cookie, x-a", no-transform'],
        [b'private="a \\" b", no-transform, public'],
        [b"no-transform=1"],
        [b'private="unclosed, no-transform'],
    ],
)
def test_a1_no_transform_is_found_wherever_it_stands(lines: list[bytes]) -> None:
    headers = [(b"Cache-Control", line) for line in lines]
    assert reason_of_response(HTML, *headers) is SkipReason.NO_TRANSFORM
    assert reason_of_request(*headers) is SkipReason.NO_TRANSFORM


@pytest.mark.parametrize("line", [b'private="no-transform"', b"no-transformation", b"x-no-transform", b"public"])
def test_a1_what_only_looks_like_no_transform_is_none(line: bytes) -> None:
    assert reason_of_response(HTML, (b"cache-control", line)) is None


@pytest.mark.parametrize("status", [201, 203, 204, 205, 206, 301, 304, 404, 500, 503])
def test_a3_only_200_is_transformed(status: int) -> None:
    assert reason_of_response(HTML, status=status) is SkipReason.STATUS


@pytest.mark.parametrize("media", [b"text/html", b"TEXT/HTML", b"text/html;charset=x", b" text/html ; a=b"])
def test_a3_text_html_is_eligible_in_any_spelling(media: bytes) -> None:
    assert reason_of_response((b"Content-Type", media)) is None


@pytest.mark.parametrize("media", [b"text/htmlx", b"text/plain", b"application/json", b"text/event-stream", b""])
def test_a3_other_media_types_pass(media: bytes) -> None:
    assert reason_of_response((b"content-type", media)) is SkipReason.NOT_HTML


def test_a3_no_type_or_two_types_are_no_page() -> None:
    assert reason_of_response() is SkipReason.NOT_HTML
    assert reason_of_response(HTML, (b"content-type", b"text/plain")) is SkipReason.NOT_HTML


def test_d8_xhtml_passes() -> None:
    assert reason_of_response((b"content-type", b"application/xhtml+xml")) is SkipReason.XHTML


@pytest.mark.parametrize("value", [b"attachment", b'ATTACHMENT; filename="a.html"'])
def test_a4_attachments_pass(value: bytes) -> None:
    assert reason_of_response(HTML, (b"content-disposition", value)) is SkipReason.ATTACHMENT


def test_a4_inline_is_eligible() -> None:
    assert reason_of_response(HTML, (b"content-disposition", b'inline; filename="attachment"')) is None


@pytest.mark.parametrize("coding", [b"gzip", b"GZIP", b"x-gzip", b"deflate", b"br", b"zstd", b"identity", b""])
def test_b8_one_known_coding_is_eligible(coding: bytes) -> None:
    assert reason_of_response(HTML, (b"content-encoding", coding)) is None


@pytest.mark.parametrize("codings", [[b"gzip, br"], [b"gzip", b"gzip"], [b"compress"], [b"dcb"], [b"aes128gcm"]])
def test_b8_stacked_and_unknown_codings_pass(codings: list[bytes]) -> None:
    headers = [(b"content-encoding", coding) for coding in codings]
    assert reason_of_response(HTML, *headers) is SkipReason.CONTENT_CODING


def test_c15_an_answer_that_must_not_be_buffered_passes() -> None:
    assert reason_of_response(HTML, (b"X-Accel-Buffering", b"no")) is SkipReason.NO_TRANSFORM


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ((b"HX-Request", b"true"), "hx-request"),
        ((b"Turbo-Frame", b"comments"), "turbo-frame"),
        ((b"X-PJAX", b"true"), "x-pjax"),
        ((b"X-Requested-With", b"XMLHttpRequest"), "x-requested-with"),
        ((b"Sec-Fetch-Dest", b"empty"), "sec-fetch-dest"),
        ((b"Sec-Fetch-Dest", b"iframe"), "sec-fetch-dest"),
        ((b"Sec-Fetch-Dest", b"image"), "sec-fetch-dest"),
        ((b"Accept", b"application/json"), "accept"),
        ((b"Accept", b"image/avif, image/webp"), "accept"),
    ],
)
def test_d6_fragments_pass_and_the_deciding_field_is_named(header: tuple[bytes, bytes], field: str) -> None:
    assert reason_of_request(header) is SkipReason.FRAGMENT
    assert deciding_field([header]) == field


@pytest.mark.parametrize(
    "header", [(b"Purpose", b"prefetch"), (b"Sec-Purpose", b"prefetch"), (b"sec-purpose", b"prefetch;anonymous-ip")]
)
def test_d6_prefetches_pass(header: tuple[bytes, bytes]) -> None:
    assert reason_of_request(header) is SkipReason.PREFETCH


def test_d15_a_prerendered_page_is_the_readers_page() -> None:
    assert reason_of_request((b"sec-purpose", b"prefetch;prerender"), (b"purpose", b"prefetch")) is None


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html", True),
        ("*/*", True),
        ("text/*;q=0.5", True),
        ("TEXT/HTML;level=1", True),
        ("application/json, text/html;q=0.1", True),
        ("text/html;q=0, */*", False),
        ("application/xml, image/*", False),
        ("", True),
        (";", False),
        ("; ;, text/html", True),
    ],
)
def test_d6_accept_is_read_by_the_nearest_range(accept: str, expected: bool) -> None:
    assert accepts_html(accept) is expected


@given(
    st.lists(
        st.tuples(
            st.sampled_from([name.encode() for name in DECIDING_FIELDS]) | st.binary(max_size=8),
            st.binary(max_size=40) | st.text('abq=0.;,"\\\\ */', max_size=20).map(str.encode),
        ),
        max_size=6,
    )
)
def test_no_header_makes_the_questions_fail(headers: list[tuple[bytes, bytes]]) -> None:
    field = deciding_field(headers)
    assert field is None or field in DECIDING_FIELDS
    assert (request_skip("GET", headers) is None) == (field is None)
    response_skip(200, [HTML, *headers])


@pytest.mark.parametrize("path", [b"/", b"/a/b", b"/a.html", b"/2024/05/x.php", b"/wiki/Node.js", b"/v1.2", b"/.png"])
def test_paths_that_may_be_pages(path: bytes) -> None:
    assert may_be_page(path)


@pytest.mark.parametrize("path", [b"/a.pdf", b"/films/a.MP4", b"/x/y.tar.gz"])
def test_paths_that_are_files(path: bytes) -> None:
    assert not may_be_page(path)


def test_lists_are_split_outside_of_quoted_strings_only() -> None:
    assert list(split_list('a="x,\\",y", b ,, c')) == ['a="x,\\",y"', "b", "c"]
