"""Both roles on the wire: an application with the middleware in it, and the same one with the proxy in front of it,
beside the application alone, all behind real servers."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from our_server import running
from small_site import PAGE, PAGE_WITHOUT_PLACES, REVISION, RULES, book, load, policy, with_slots
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from wire import Response as Answer
from wire import Server, chunks, read_response, serving

from adproxy.codings import decode, encode
from adproxy.headers import mangle
from adproxy.metrics import Metrics
from adproxy.middleware import AdMiddleware
from adproxy.proxy import create_proxy
from adproxy.proxy_settings import ProxySettings
from adproxy.rules.ruleset import RuleBook

NAVIGATION = (("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("Sec-Fetch-Dest", "document"))
OUR_TAG = f'W/"v1;ap={REVISION}"'
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
CODINGS = ["gzip", "deflate", "br", "zstd"]
CSP = "default-src 'none'; style-src 'nonce-r4nd0m'"


def tagged(request: Request, body: bytes, **headers: str) -> Response:
    """As applications answer that know conditional requests."""
    if '"v1"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"etag": '"v1"', "vary": "Cookie", **headers})
    if "if-none-match" not in request.headers and request.headers.get("if-modified-since") == DATE:
        return Response(status_code=304, headers={"etag": '"v1"', "last-modified": DATE, **headers})
    return HTMLResponse(body, headers={"etag": '"v1"', "last-modified": DATE, **headers})


async def plain_page(request: Request) -> Response:
    return tagged(request, PAGE)


async def page_without_places(request: Request) -> Response:
    return tagged(request, PAGE_WITHOUT_PLACES, **{"repr-digest": "sha-256=:x:", "accept-ranges": "bytes"})


async def page_with(request: Request) -> Response:
    """Whatever header the query asks for, raw."""
    response = HTMLResponse(PAGE, headers={"etag": '"v1"', "last-modified": DATE})
    for name, value in request.query_params.multi_items():
        response.raw_headers.append((name.encode("latin-1"), value.encode("latin-1")))
    return response


async def coded(request: Request) -> Response:
    coding = request.path_params["coding"]
    return HTMLResponse(encode(PAGE, coding), headers={"content-encoding": coding, "etag": '"v1"'})


async def broken_gzip(request: Request) -> Response:
    body = {"short": gzip.compress(PAGE)[:-9], "garbage": gzip.compress(PAGE) + b"xyz", "no": PAGE}[
        request.path_params["how"]
    ]
    return HTMLResponse(body, headers={"content-encoding": "gzip", "etag": '"v1"', "cache-control": "max-age=9999"})


async def status(request: Request) -> Response:
    return HTMLResponse(PAGE, status_code=int(request.path_params["status"]), headers={"etag": '"v1"'})


OF_A_GATEWAY = ("connection", "content-length", "via", "cdn-loop", "x-real-ip", "x-request-id", "x-forwarded-")
"""Begins the names of what belongs to one connection, or is the gateway's own: tests/test_proxy.py looks at those."""


async def echo(request: Request) -> Response:
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    headers = "\n".join(f"{name}: {value}" for name, value in fields if not name.startswith(OF_A_GATEWAY))
    return PlainTextResponse(f"{request.method} {request.scope['raw_path']!r} {request.url.query!r}\n{headers}\n")


async def streamed(request: Request) -> Response:
    return StreamingResponse(chunks(*(PAGE[at : at + 700] for at in range(0, len(PAGE), 700))), media_type="text/html")


async def csp(request: Request) -> Response:
    return HTMLResponse(PAGE, headers={"content-security-policy": CSP})


async def fresh_nonce(request: Request) -> Response:
    """A policy that names a nonce of its own in each answer, as it should be."""
    nonce = request.query_params["nonce"]
    return HTMLResponse(PAGE, headers={"content-security-policy": f"style-src 'nonce-{nonce}'"})


async def latin(request: Request) -> Response:
    return Response(PAGE.decode().replace("utf-8", "x").encode("latin-1"), media_type="text/html; charset=iso-8859-1")


async def other_bodies(request: Request) -> Response:
    body, media_type = {
        "json": (b'{"a": "<h1>"}', "application/json"),
        "json-as-html": (b'{"a": "<h1>"}', "text/html"),
        "xhtml": (PAGE, "application/xhtml+xml"),
        "utf16": (PAGE.decode().encode("utf-16"), "text/html"),
        "jis": (PAGE, "text/html; charset=iso-2022-jp"),
        "amp": (PAGE.replace(b"<html ", b"<html amp "), "text/html"),
        "empty": (b"", "text/html"),
        "rewritten": (with_slots(), "text/html"),
    }[request.path_params["kind"]]
    return Response(body, media_type=media_type, headers={"etag": '"v1"', "last-modified": DATE, "x-a": "b"})


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Starlette:
    files: Path = tmp_path_factory.mktemp("files")
    (files / "page.html").write_bytes(PAGE)
    (files / "film.mp4").write_bytes(bytes(range(256)) * 40)

    async def file(request: Request) -> Response:
        return FileResponse(files / request.path_params["name"])

    return Starlette(
        routes=[
            Route("/page", plain_page, methods=["GET", "HEAD", "POST"]),
            Route("/off/page", plain_page),
            Route("/without-places", page_without_places),
            Route("/with", page_with),
            Route("/coded/{coding}", coded),
            Route("/broken/{how}", broken_gzip),
            Route("/status/{status}", status),
            Route("/files/{name}", file),
            Route("/streamed", streamed),
            Route("/csp", csp),
            Route("/fresh-nonce", fresh_nonce),
            Route("/latin", latin),
            Route("/other/{kind}", other_bodies),
            Route("/{rest:path}", echo, methods=["GET", "PUT", "PURGE"]),
        ]
    )


@pytest.fixture(scope="module")
def bare(app: Starlette) -> Iterator[Server]:
    with serving(app) as server:
        yield server


@contextlib.contextmanager
def in_role(role: str, app: ASGIApp, rules: RuleBook) -> Iterator[Server]:
    """The application with adproxy in it, or with adproxy in front of it."""
    if role == "middleware":
        with serving(AdMiddleware(app, rules), lifespan="auto") as server:
            yield server
        return
    with serving(app, lifespan="auto") as upstream:
        settings = ProxySettings(upstream=f"http://127.0.0.1:{upstream.port}")
        with running(create_proxy(settings, rules, Metrics())) as proxy:
            yield Server(proxy.port)


@pytest.fixture(scope="module", params=["middleware", "proxy"])
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def ours(role: str, app: Starlette) -> Iterator[Server]:
    with in_role(role, app, book()) as server:
        yield server


@pytest.fixture(scope="module")
def newer_rules(role: str, app: Starlette) -> Iterator[Server]:
    with in_role(role, app, load(RULES.replace("728x90", "970x250"))) as server:
        yield server


def untouched(bare: Server, ours: Server, path: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
    """The answer, after the check that it is the application's own to the last byte."""
    expected, answer = bare.ask(path, *headers, method=method), ours.ask(path, *headers, method=method)
    assert answer == expected
    return answer


def test_f3_a_page_carries_its_slots_and_says_its_length(ours: Server) -> None:
    answer = ours.ask("/page", *NAVIGATION)
    assert (answer.status, answer.body) == (200, with_slots())
    assert answer.get("content-length") == str(len(with_slots()))


def test_a5_b1_a_page_keeps_status_200_with_our_weak_tag_and_no_date(ours: Server) -> None:
    answer = ours.ask("/page")
    assert (answer.status, answer.get("etag"), answer.get("last-modified")) == (200, OUR_TAG, None)


@pytest.mark.parametrize(
    "line", ["no-transform", "public%2C%20NO-TRANSFORM", "private%3D%22a%2Cb%22%2C%20no-transform"]
)
def test_a1_no_transform_passes(bare: Server, ours: Server, line: str) -> None:
    untouched(bare, ours, f"/with?Cache-Control={line}")
    untouched(bare, ours, f"/with?cache-control=public&Cache-Control={line}")


def test_a2_no_transform_of_the_request_passes_and_caches_are_told(bare: Server, ours: Server) -> None:
    expected, answer = (server.ask("/page", ("Cache-Control", "no-transform")) for server in (bare, ours))
    assert answer.body == expected.body == PAGE
    assert answer.headers == [*expected.headers, (b"vary", b"cache-control")]


@pytest.mark.parametrize("status", [201, 203, 404, 410, 500, 503])
def test_a3_other_statuses_pass(bare: Server, ours: Server, status: int) -> None:
    assert untouched(bare, ours, f"/status/{status}").status == status


def test_a3_the_answer_to_a_post_passes(bare: Server, ours: Server) -> None:
    assert untouched(bare, ours, "/page", method="POST").body == PAGE


def test_a4_an_attachment_passes(bare: Server, ours: Server) -> None:
    untouched(bare, ours, "/with?content-disposition=attachment")


@pytest.mark.parametrize("kind", ["json", "json-as-html", "xhtml", "utf16", "jis", "amp", "empty", "rewritten"])
def test_a6_d1_d7_d8_d17_what_is_left_alone_keeps_its_bytes_and_headers(bare: Server, ours: Server, kind: str) -> None:
    untouched(bare, ours, f"/other/{kind}")


def test_a6_a_page_with_no_place_keeps_its_bytes_under_our_tag(bare: Server, ours: Server) -> None:
    expected, answer = bare.ask("/without-places"), ours.ask("/without-places")
    assert answer.body == expected.body
    assert answer.get("etag") == OUR_TAG
    gone = {name for name, _ in expected.headers} - {name for name, _ in answer.headers}
    assert gone == {b"last-modified", b"accept-ranges"}
    assert answer.get("repr-digest") == "sha-256=:x:"


def test_b2_b3_a_current_tag_of_ours_is_answered_304_with_our_tag(ours: Server) -> None:
    answer = ours.ask("/page", ("If-None-Match", f'"other", {OUR_TAG}'))
    assert (answer.status, answer.body, answer.get("etag")) == (304, b"", OUR_TAG)
    assert answer.get("vary") == "Cookie"
    assert answer.get("content-length") in (None, "0")


def test_b4_after_a_rules_change_the_old_tag_is_answered_200(newer_rules: Server) -> None:
    for condition in [("If-None-Match", OUR_TAG), ("If-Modified-Since", DATE)]:
        answer = newer_rules.ask("/page", condition)
        assert answer.status == 200
        assert answer.get("etag") != OUR_TAG


def test_b4_a_dropped_tag_leaves_no_date_to_be_answered_by(ours: Server) -> None:
    assert ours.ask("/page", ("If-None-Match", '"v1"'), ("If-Modified-Since", DATE)).status == 200


def test_a7_a_raw_tag_of_the_application_is_answered_200_with_slots(ours: Server) -> None:
    assert ours.ask("/page", ("If-None-Match", '"v1"')).body == with_slots()


def test_b6_a_star_and_a_malformed_tag_reach_a_decision(ours: Server) -> None:
    assert ours.ask("/page", ("If-None-Match", '"v1')).status == 200
    assert "if-none-match: *" in ours.ask("/echo", ("If-None-Match", "*")).body.decode()


def test_b5_if_match_of_another_method_names_the_applications_tag(ours: Server) -> None:
    assert 'if-match: "v1"' in ours.ask("/echo", ("If-Match", OUR_TAG), method="PUT").body.decode()


def test_b7_head_tells_no_length_and_no_validator(ours: Server) -> None:
    answer = ours.ask("/page", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    for name in ("content-length", "etag", "last-modified"):
        assert answer.get(name) is None


def test_b7_head_of_what_is_no_page_is_untouched(bare: Server, ours: Server) -> None:
    assert untouched(bare, ours, "/files/film.mp4", method="HEAD").get("content-length") == "10240"


@pytest.mark.parametrize("coding", CODINGS)
def test_b8_a_coded_page_is_sent_in_the_same_coding(ours: Server, coding: str) -> None:
    answer = ours.ask(f"/coded/{coding}", ("Accept-Encoding", coding))
    assert answer.get("content-encoding") == coding
    assert decode(answer.body, coding, 1 << 21) == with_slots()
    assert answer.get("etag") == OUR_TAG


@pytest.mark.parametrize("codings", ["gzip%2C%20br", "compress"])
def test_b8_stacked_and_unknown_codings_pass(bare: Server, ours: Server, codings: str) -> None:
    untouched(bare, ours, f"/with?content-encoding={codings}")


@pytest.mark.parametrize("how", ["short", "garbage", "no"])
def test_b9_a_broken_body_passes_raw_with_its_validators(bare: Server, ours: Server, how: str) -> None:
    assert untouched(bare, ours, f"/broken/{how}").get("etag") == '"v1"'


@pytest.mark.parametrize(
    "header",
    [
        ("HX-Request", "true"),
        ("Turbo-Frame", "f"),
        ("X-PJAX", "true"),
        ("X-Requested-With", "XMLHttpRequest"),
        ("Sec-Fetch-Dest", "empty"),
        ("Sec-Purpose", "prefetch"),
        ("Purpose", "prefetch"),
        ("Accept", "application/json"),
    ],
)
def test_d6_b10_f24_fragments_pass_and_caches_are_told(bare: Server, ours: Server, header: tuple[str, str]) -> None:
    expected, answer = bare.ask("/page", header), ours.ask("/page", header)
    assert answer.body == expected.body == PAGE
    assert answer.headers == [*expected.headers, (b"vary", header[0].lower().encode())]


@pytest.fixture(scope="module")
def for_some(app: Starlette) -> Iterator[Server]:
    """With rules by which the server in front says who sees no ads."""
    with serving(AdMiddleware(app, load(RULES + "visitors: {ad_free: {header: X-Subscriber}}\n"))) as server:
        yield server


def test_b10_who_sees_no_ads_by_a_header_gets_the_page_as_it_is_and_caches_are_told(
    bare: Server, for_some: Server
) -> None:
    expected, answer = (server.ask("/page", ("X-Subscriber", "1")) for server in (bare, for_some))
    assert answer.body == expected.body == PAGE
    assert answer.headers == [*expected.headers, (b"vary", b"x-subscriber")]


@pytest.mark.parametrize("header", [(), (("X-Subscriber", "0"),), (("X-Subscriber", "false"),)])
def test_b10_the_others_get_slots_and_caches_are_told_too(
    for_some: Server, header: tuple[tuple[str, str], ...]
) -> None:
    answer = for_some.ask("/page", *header)
    assert b"data-adproxy-slot" in answer.body
    assert answer.get("vary") == "x-subscriber"
    again = for_some.ask("/page", ("If-None-Match", answer.get("etag") or ""), *header)
    assert again.status == 304
    assert "x-subscriber" in [value.decode() for name, value in again.headers if name == b"vary"]
    assert for_some.ask("/other/json", *header).get("vary") is None


def test_d6_b10_what_would_pass_anyway_is_not_told(bare: Server, ours: Server) -> None:
    untouched(bare, ours, "/status/404", ("HX-Request", "true"))
    untouched(bare, ours, "/other/json", ("Sec-Fetch-Dest", "empty"))


def test_b11_a_range_of_a_page_gives_the_whole_page(ours: Server) -> None:
    for name in ("If-Range", "X-Nothing"):
        answer = ours.ask("/files/page.html", *NAVIGATION, ("Range", "bytes=0-99"), (name, '"x"'))
        assert (answer.status, answer.body, answer.get("accept-ranges")) == (200, with_slots(), None)
    assert ours.ask("/files/page.html", ("Range", "bytes=0-99")).status == 200


@pytest.mark.parametrize("headers", [NAVIGATION, (("Sec-Fetch-Dest", "video"), ("Accept", "*/*")), ()])
def test_b11_a_range_of_a_film_is_served(bare: Server, ours: Server, headers: tuple[tuple[str, str], ...]) -> None:
    answer = untouched(bare, ours, "/files/film.mp4", *headers, ("Range", "bytes=10-19"))
    assert (answer.status, answer.body) == (206, bytes(range(10, 20)))


def test_b12_b14_digests_go_and_all_else_stays(bare: Server, ours: Server) -> None:
    path = (
        "/with?Set-Cookie=a%3D1&Content-MD5=x&set-cookie=b%3D2&Repr-Digest=y&X-Odd=1&x-odd=2&cache-control=s-maxage%3D9"
    )
    expected, answer = bare.ask(path), ours.ask(path)
    ours_or_gone = {b"content-length", b"etag", b"last-modified", b"content-md5", b"repr-digest"}
    assert [header for header in answer.headers if header[0].lower() not in ours_or_gone] == [
        header for header in expected.headers if header[0].lower() not in ours_or_gone
    ]
    assert answer.get("repr-digest") is None
    assert answer.get("content-md5") is None


@pytest.mark.parametrize("target", ["/a%2Fb/%2e%2e/%C3%A9?x=%20;y", "/a//b;c?", "/%00", "/[x]|"])
def test_c11_targets_reach_the_application_as_sent(bare: Server, ours: Server, target: str) -> None:
    assert untouched(bare, ours, target).status == 200


def test_c17_any_method_and_header_reaches_the_application(bare: Server, ours: Server) -> None:
    headers = (
        ("X-Any", "1"),
        ("x-any", "2"),
        ("Range", "bytes=0-1"),
        ("Accept-Encoding", "dcb"),
        ("If-None-Match", '"v"'),
    )
    untouched(bare, ours, "/echo", *headers, method="PURGE")


def test_pages_that_the_rules_leave_out_are_untouched_conditions_and_all(bare: Server, ours: Server) -> None:
    untouched(bare, ours, "/off/page")
    untouched(bare, ours, "/off/page", ("If-None-Match", OUR_TAG))
    untouched(bare, ours, "/off/page", ("HX-Request", "true"))
    assert untouched(bare, ours, "/off/page", ("If-None-Match", '"v1"')).status == 304
    untouched(bare, ours, "/off/page", ("Range", "bytes=0-9"), method="HEAD")


def test_d1_a_splice_is_right_in_another_encoding(ours: Server) -> None:
    html = PAGE.decode().replace("utf-8", "x").encode("latin-1")
    assert ours.ask("/latin").body == with_slots(html, encoding="cp1252")


def test_d9_the_answers_own_nonce_is_used_and_its_policy_kept(ours: Server) -> None:
    answer = ours.ask("/csp")
    assert b'nonce="r4nd0m"' in answer.body
    assert answer.get("content-security-policy") == CSP


def test_d10_each_answer_has_its_own_nonce_and_no_others(ours: Server) -> None:
    for nonce in ("first", "second", "first"):
        body = ours.ask(f"/fresh-nonce?nonce={nonce}").body
        assert body.count(b'nonce="%s"' % nonce.encode()) == body.count(b"nonce=") >= 1


READERS: list[tuple[tuple[str, str], ...]] = [
    (),
    (("Cookie", "session=1; consent=yes"), ("User-Agent", "Mozilla/5.0 (iPhone)"), ("Accept-Language", "de")),
    (("X-Forwarded-For", "198.51.100.7"), ("Referer", "https://elsewhere.example/"), ("DNT", "1")),
]


def test_b10_b15_all_readers_get_the_same_bytes_and_the_lifetime_stays_the_applications(ours: Server) -> None:
    path = "/with?cache-control=public%2C%20s-maxage%3D600"
    first, *others = [ours.ask(path, *reader) for reader in READERS]
    assert all(other == first for other in others)
    assert (first.body, first.get("cache-control"), first.get("vary")) == (with_slots(), "public, s-maxage=600", None)


@pytest.mark.parametrize(
    "lifetime", ["private", "no-store", "must-understand, no-store", "max-age=0, stale-if-error=9"]
)
def test_b14_d13_a_lifetime_passes_as_it_is(ours: Server, lifetime: str) -> None:
    answer = ours.ask(
        f"/with?cache-control={lifetime.replace(',', '%2C').replace(' ', '%20')}&Age=7&Surrogate-Control=x"
    )
    assert (answer.get("cache-control"), answer.get("age"), answer.get("surrogate-control")) == (lifetime, "7", "x")


def test_b16_no_warning_is_made_and_the_applications_passes(ours: Server) -> None:
    assert ours.ask("/page").get("warning") is None
    assert ours.ask("/with?Warning=199%20-%20%22x%22").get("warning") == '199 - "x"'


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-URL", "Forwarded", "Origin"])
def test_f19_nothing_that_a_request_says_is_reflected_in_a_page(ours: Server, name: str) -> None:
    evil = "host=evil.example" if name == "Forwarded" else "evil.example"
    assert ours.ask("/page?evil.example", (name, evil)).body == with_slots()


def test_f26_the_rules_are_chosen_by_the_path_that_was_sent_whatever_the_host_says(role: str, ours: Server) -> None:
    for host in (b"site.example/off/page?", b"site.example/off/#", b"a@b/off/"):
        with ours.connect() as connection:
            connection.sendall(b"GET /page HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host)
            answer = read_response(connection)
        assert answer.status == 400 if role == "proxy" else answer.body == with_slots()


def test_law_4_a_streamed_page_is_the_same_page(ours: Server) -> None:
    answer = ours.ask("/streamed")
    assert answer.body == with_slots()
    assert answer.get("content-length") == str(len(with_slots()))


def test_d17_two_of_us_in_a_chain_place_slots_once(app: Starlette) -> None:
    with serving(AdMiddleware(AdMiddleware(app, book()), book())) as server:
        answer = server.ask("/page")
        assert (answer.body, answer.get("etag")) == (with_slots(), OUR_TAG)


def test_f3_a_length_in_any_spelling_is_replaced() -> None:
    async def shouting(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"Content-Type", b"Text/HTML"), (b"Content-LENGTH", b"%d" % len(PAGE)), (b"ETAG", b'"v1"')]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE})

    with serving(AdMiddleware(shouting, book()), lifespan="off") as server:
        answer = server.ask("/")
        assert (answer.body, answer.get("etag")) == (with_slots(), OUR_TAG)


def test_b1_the_tag_of_a_page_gives_the_applications_back() -> None:
    assert mangle(b'"v1"', policy().revision) == OUR_TAG.encode()


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_both_parsers_of_the_server_give_the_same(app: ASGIApp, http: str) -> None:
    with serving(AdMiddleware(app, book()), http=http) as server:
        assert server.ask("/page").body == with_slots()
        assert server.ask("/page", method="HEAD").get("content-length") is None
