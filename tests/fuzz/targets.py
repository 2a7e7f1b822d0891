"""What is fuzzed, and what must hold for any bytes: each target takes an input and raises where that is not so.

What the code is meant to answer with (a problem in a rules file, a refusal, a skip) is no finding. Anything else that
is raised is one, and so is an invariant that does not hold.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h11
from oracles import Parse5, check_bytes, check_trees, parse5_directory
from our_server import answer, read_body
from soup import CREATIVES, ENCODINGS, EVERYWHERE, INERT, NOTHING_CLEAR, OPEN, TALKING, prose
from starlette.types import Receive, Scope, Send

from adproxy import headers as head
from adproxy import hops
from adproxy.beacon import MAX_EVENTS, MAX_NUMBER, parse
from adproxy.charset import sniff
from adproxy.codings import decode, encode
from adproxy.connections import ConnectionConfig, ConnectionState, ReaderConnection
from adproxy.csp import Csp
from adproxy.eligibility import CODINGS, RawHeaders, deciding_field, is_page_by_name, request_skip, response_skip
from adproxy.errors import RulesError
from adproxy.model import EventKind, Skip, SkipReason
from adproxy.own_paths import OwnPaths
from adproxy.peers import Peers
from adproxy.proxy_settings import ProxySettings
from adproxy.request_head import origin_form, refusal_of
from adproxy.rewrite import rewrite
from adproxy.rules import schema
from adproxy.rules.compile import check_paths, load_rules
from adproxy.rules.match import choose
from adproxy.rules.ruleset import FixedPlace, MidArticle, Place, Policy, RuleBook, SelectorPlace, SidebarPlace, Slot
from adproxy.target import host_of, is_served, problem_of
from adproxy.tokens import Keyring, PageFacts


class Broken(AssertionError):
    """An invariant does not hold."""


def expect(holds: object, what: str) -> None:
    if not holds:
        raise Broken(what)


@dataclass(frozen=True)
class Target:
    """`modules`: what of adproxy it is to cover. `words`: what its inputs are made of. `longest`: bytes of an input."""

    run: Callable[[bytes], None]
    modules: tuple[str, ...]
    words: Callable[[], list[str]]
    seeds: Callable[[], list[bytes]]
    longest: int


# --- the rewrite ----------------------------------------------------------------------------

_PLACES: tuple[Place, ...] = (
    MidArticle(),
    FixedPlace.ABOVE_HEADLINE,
    FixedPlace.BELOW_HEADLINE,
    FixedPlace.END_OF_ARTICLE,
    SidebarPlace("first"),
    SidebarPlace("last"),
    SelectorPlace("before", "p"),
    SelectorPlace("after", "*"),
    SelectorPlace("prepend", "div"),
    SelectorPlace("append", "section"),
)
_POLICIES_HEADERS: tuple[tuple[str, ...], ...] = (
    (),
    ("default-src 'self'",),
    ("script-src 'nonce-abc' 'strict-dynamic'; style-src 'nonce-abc'",),
    ("style-src 'none'", "img-src https:"),
)


@cache
def _policies() -> list[Policy]:
    preset = load_rules(_ROOT / "rules" / "news.yaml").rule_sets[0].pages[0].policy
    assert preset is not None

    def open_to(*places: Place, article: str | None = None) -> Policy:
        slots = tuple(
            Slot(f"s{i}", place, EVERYWHERE, CREATIVES[i % len(CREATIVES)], max=1000) for i, place in enumerate(places)
        )
        return Policy("site", article, None, OPEN, NOTHING_CLEAR, slots)

    return [
        preset,
        open_to(*_PLACES),
        open_to(*_PLACES, article="body"),
        *(open_to(place) for place in _PLACES),
        Policy("site", None, None, OPEN, NOTHING_CLEAR, (Slot("m", MidArticle(), EVERYWHERE, TALKING, max=9),)),
        Policy("site", "div", None, OPEN, NOTHING_CLEAR, (Slot("m", MidArticle(), EVERYWHERE, INERT, max=9),)),
    ]


_ROOT = Path(__file__).parent.parent.parent


@cache
def _parse5() -> Parse5 | None:
    directory = parse5_directory()
    return Parse5(directory) if directory is not None else None


def rewrite_page(data: bytes) -> None:
    """Three bytes choose the rules, the encoding and the policies; the rest is the page. Laws 1, 6, and for some 2."""
    rules, encodings, policies = (*data[:3], 0, 0, 0)[:3]
    html = data[3:]
    policy = _policies()[rules % len(_policies())]
    encoding = ENCODINGS[encodings % len(ENCODINGS)]
    sniff(html, "text/html")
    result = rewrite(html, policy, encoding=encoding, csp_headers=_POLICIES_HEADERS[policies % len(_POLICIES_HEADERS)])
    if isinstance(result, Skip):
        expect(not result.fail_open, f"the same page has the same outcome: {result}")
        return
    check_bytes(html, result.body, result.insertions)
    if not result.insertions:
        return
    again = rewrite(result.body, policy, encoding=encoding)
    expect(isinstance(again, Skip) and again.reason is SkipReason.ALREADY_REWRITTEN, f"rewritten twice: {again!r}")
    # asking another process takes longer than all the rest: one input in four is worth it
    if zlib.crc32(data) % 4 == 0 and (parser := _parse5()) is not None:
        for scripting in (True, False):
            check_trees(html, result.body, result.insertions, parser, scripting=scripting, encoding=encoding)


def _html_words() -> list[str]:
    names = "p div h1 h2 article main section table tr td b a i font li ul select option svg math template noscript"
    names += " script style title textarea form button body html head frameset pre br hr img nobr span x-y plaintext"
    tags = [word for name in names.split() for word in (f"<{name}>", f"</{name}>", f"<{name} ")]
    return [
        *tags,
        "<!--",
        "-->",
        "--!>",
        "<![CDATA[",
        "]]>",
        "<!DOCTYPE html>",
        "<?",
        "class=",
        "'",
        "/>",
        "\x00",
        "&lt;",
    ]


def _html_seeds() -> list[bytes]:
    paragraphs = "".join(f"<p>{prose(30, i)}.</p>" for i in range(4))
    shells = (
        "<!DOCTYPE html><html><head><title>T</title></head><body><main><h1>H</h1>{}</main></body></html>",
        "<article><header><h1><a href=x>H</a></h1></header>{}<aside class=sidebar><div>w</div></aside></article>",
        "<table><tr><td>{}</td></tr></table>",
        "<div>{}<noscript><img src=a></noscript><section><b>{}</section></div>",
    )
    seeds = [
        bytes([rule, 0, rule % 4]) + shell.replace("{}", paragraphs).encode()
        for rule in range(len(_policies()))
        for shell in shells
    ]
    pages = sorted((_ROOT / "tests" / "cases").glob("*/page.html"))
    return seeds + [bytes([i % 15, 0, 0]) + page.read_bytes()[:3000] for i, page in enumerate(pages)]


# --- rules files ----------------------------------------------------------------------------


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="adproxy-fuzz-"))


def load_a_file(data: bytes) -> None:
    """A rules file: it loads, or each of its problems has a place and words; a book that loaded can be asked."""
    file = _folder() / "any.yaml"
    file.write_bytes(data)
    problems = check_paths([file]).problems
    for problem in problems:
        expect(problem.line >= 1 and problem.column >= 1 and problem.found, f"a problem without a place: {problem!r}")
    try:
        book = load_rules(file)
    except RulesError as wrong:
        expect(wrong.problems, "an error without a problem")
        return
    for host, path in (("site.example", "/"), ("", "/2024/a/b"), ("a.b:80", "/x" * 500)):
        chosen = choose(book, host, path).policy
        if chosen is not None:
            expect(len(chosen.revision) == 12, f"the revision {chosen.revision!r}")
            rewrite(_ARTICLE, chosen)


_ARTICLE = b"<main><h1>H</h1>" + b"<p>one two three four five six seven eight.</p>" * 9 + b"</main>"


def _yaml_words() -> list[str]:
    keys = {key for model in schema.SECTIONS for key in schema.keys_of(model)}
    values = (
        "below-headline mid-article end-of-article true false 30% 300x250 1024 100|words 2|blocks /** none required"
    )
    return (
        sorted(f"{key}: " for key in keys)
        + [v.replace("|", " ") for v in values.split()]
        + ["- ", "{", "[", "&a", "*a", "!!"]
    )


def _yaml_seeds() -> list[bytes]:
    files = [*(_ROOT / "rules").glob("*.yaml"), *(_ROOT / "tests" / "cases_rules").rglob("*.yaml")]
    return [file.read_bytes()[:6000] for file in sorted(files)]


# --- heads, targets, bodies -----------------------------------------------------------------

_PEERS = Peers("127.0.0.0/8, 2001:db8::/32")
_OWN = OwnPaths("/_adproxy/", lambda: RuleBook(()), lambda: True)
_CONTROLS = frozenset(range(9)) | frozenset(range(10, 32)) | {127}


def _fields(block: bytes) -> list[tuple[bytes, bytes]]:
    parts = (line.partition(b":") for line in block.split(b"\r\n"))
    return [(name.lower(), value.strip(b" \t")) for name, colon, value in parts if colon]


def heads(data: bytes) -> None:
    """A request as it came over a connection, and behind it an answer: all that is decided on heads, and bodies
    behind codings."""
    connection(data)
    request, _, rest = data.partition(b"\r\n\r\n")
    line, _, block = request.partition(b"\r\n")
    method, _, target = line.partition(b" ")
    target = target.partition(b" ")[0]
    _request(method, target, _fields(block))
    said, _, body = rest.partition(b"\r\n\r\n")
    status, _, block = said.partition(b"\r\n")
    _answer(int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 200, _fields(block), body)


def _request(method: bytes, target: bytes, fields: list[tuple[bytes, bytes]]) -> None:
    refusal_of(method, "1.1", fields)
    path, named = origin_form(method, target)
    if problem_of(path) is None:
        expect(path.startswith(b"/") and not _CONTROLS & set(path) and b" " not in path, f"the target {path!r}")
    raw_path = path.partition(b"?")[0]
    if _OWN.covers(raw_path):
        expect(b"%" not in raw_path and b"/../" not in raw_path + b"/", f"our path {raw_path!r}")
        own = _OWN.answer("GET", raw_path, fields)
        expect(own.status in (200, 304, 404, 405), f"our answer {own.status}")
    host = host_of(fields, "1.1") if named is None else named.decode("latin-1")
    if host:
        is_served(host, ("*.site.example", "a:80"))
    gone_on = hops.end_to_end(fields)
    names = [name for name, _ in gone_on]
    expect(not {b"connection", b"transfer-encoding", b"te", b"upgrade"} & set(names), f"hop by hop: {names}")
    hops.is_loop(fields, "instance")
    hops.max_forwards(fields)
    for peer in ("127.0.0.1", "203.0.113.9", None):
        told = _PEERS.forwarded(gone_on, peer, "http", host or "")
        kinds = [name for name, _ in told]
        expect(kinds.count(b"x-forwarded-proto") == 1 and kinds.count(b"x-real-ip") <= 1, f"forwarded: {kinds}")
    verb = method.decode("latin-1")
    if request_skip(verb, fields) is not None:
        deciding_field(fields)
    forwarded = head.forward(fields, raw_path, "0123456789ab")
    kept = {name for name, _ in (fields if forwarded.headers is None else forwarded.headers)}
    expect(kept <= {name for name, _ in fields}, "a field was made up")
    head.forward_unsafe(fields)
    is_page_by_name(raw_path)


def _answer(status: int, fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    skip = response_skip(status, fields)
    planned = head.planned(fields, "0123456789ab", length=7, vary_everywhere=True)
    _no_strong_tag(planned)
    expect([v for n, v in planned if n == b"content-length"] == [b"7"], "one length, and the right one")
    _no_strong_tag(head.not_modified(fields, "0123456789ab"))
    expect(not _tags(head.failed_open(fields, head._EPOCH)), "failing open keeps no validator")
    expect(not _tags(head.head_of_page(fields)), "HEAD tells no validator")
    head.gives_nothing_up(fields)
    for tag in _tags(fields):
        mangled = head.mangle(tag, "0123456789ab")
        if mangled is not None:
            expect(head.demangle(mangled) == (tag.strip(), "0123456789ab"), f"the tag {tag!r} does not come back")
    csp = Csp.parse(tuple(v.decode("latin-1") for n, v in fields if n == b"content-security-policy"), ())
    csp.style(()), csp.script(("abc",)), csp.img("/a.png")
    content_type = next((v.decode("latin-1") for n, v in fields if n == b"content-type"), "")
    sniff(body, content_type)
    if skip is not None and skip.reason is SkipReason.CONTENT_CODING:
        return
    for coding in sorted(CODINGS):
        plain = decode(body, coding, 1 << 21)
        if isinstance(plain, bytes):
            expect(len(plain) <= 1 << 21, "the bound on a body")
            expect(decode(encode(plain, coding), coding, 1 << 21) == plain, f"{coding} gives its own back")


def _tags(headers: RawHeaders) -> list[bytes]:
    return [value for name, value in headers if name.lower() == b"etag"]


def _no_strong_tag(headers: RawHeaders) -> None:
    expect(all(tag.startswith(b"W/") for tag in _tags(headers)), f"a strong tag: {_tags(headers)}")


# --- what browsers report -------------------------------------------------------------------

_KEYS = Keyring("k" * 40, "o" * 40)
_TOKEN = _KEYS.sign(PageFacts("site", "/2024/a", "0123456789ab", 20_000, (("top", 1), ("in-article", 3))))


def beacon(data: bytes) -> None:
    """The body of a report, and the token in it: nothing but what we signed is believed."""
    said = parse(data)
    token = data.decode("latin-1") if said is None else said.token
    facts = _KEYS.read(token)
    expect(facts is None or token == _TOKEN, f"a token that we did not make is believed: {token!r}")
    if said is None:
        return
    expect(len(said.nonce) == 16 and 1 <= len(said.events) <= MAX_EVENTS, f"a report of another shape: {said!r}")
    for event in said.events:
        expect(0 <= event.share <= 1 and 0 <= event.n <= MAX_NUMBER and event.slot.isascii(), f"an event: {event!r}")
        if facts is not None:
            facts.place_of(event.slot, event.n)


def _beacon_words() -> list[str]:
    kinds = [f'"{kind.value}"' for kind in EventKind]
    return [*kinds, '{"v":1,"t":"', '"n":"', '"e":[[', "]]", '"w":true', "1e999", "NaN", "-0", "\\u0000", _TOKEN]


def _beacon_seeds() -> list[bytes]:
    nonce = "A" * 22
    events = [[kind.value, "top", 1] for kind in EventKind] + [[kind.value] for kind in EventKind]
    bodies = [json.dumps({"v": 1, "t": _TOKEN, "n": nonce, "e": [event]}).encode() for event in events]
    bodies += []
    for share in (0.3, 10**400):
        bodies.append(json.dumps({"v": 1, "t": "t", "n": nonce, "e": [["density", share, "phone"]]}).encode())
    return [*bodies, _TOKEN.encode(), json.dumps({"v": 1, "t": _TOKEN, "n": nonce, "e": events, "w": 1}).encode()]


# --- connections ----------------------------------------------------------------------------

Seen = tuple[str, bytes, tuple[tuple[bytes, bytes], ...], bytes]
"""Method, target, fields and body of a request."""


class _Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 9), "sockname": ("127.0.0.1", 80)})
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def write_eof(self) -> None:
        self.closed = True

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        raise _OpensWebSocket


class _OpensWebSocket(Exception):
    """From here on it is another protocol."""


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _config() -> ConnectionConfig:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        if body is not None:
            target = scope["extensions"]["adproxy.target"]["target"]
            scope["state"]["seen"].append((scope["method"], target, tuple(scope["headers"]), body))
            await answer(send, b"")

    config = ConnectionConfig(application, ProxySettings(upstream="http://127.0.0.1:9", max_head_bytes=4096))
    config.load()
    return config


def _requests(pieces: list[bytes]) -> tuple[list[Seen], bytes]:
    """The whole requests that are seen where a connection's bytes come in these pieces, and what was answered."""
    loop = _loop()
    wire = _Wire()
    seen: list[Seen] = []
    protocol = ReaderConnection(_config(), ConnectionState(), {"seen": seen}, loop)

    async def settle() -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    protocol.connection_made(wire)
    try:
        for piece in pieces:
            protocol.data_received(piece)
            loop.run_until_complete(settle())
        for _ in range(20):
            loop.run_until_complete(settle())
            if not protocol.pipeline:
                break
    except _OpensWebSocket:
        pass
    protocol.connection_lost(None)
    loop.run_until_complete(settle())
    for task in asyncio.all_tasks(loop):
        raise Broken(f"a task is left: {task!r}")
    return seen, wire.written


def connection(data: bytes) -> None:
    """Requests don't depend on how their bytes were cut, and another hand's parser reads the same ones."""
    whole, answers = _requests([data])
    expect(len(whole) <= answers.count(b"HTTP/1.1 200"), "every request that was seen is answered")
    shaken = random.Random(len(data))
    cuts = sorted(shaken.randrange(len(data) + 1) for _ in range(5))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    cut, _ = _requests([piece for piece in pieces if piece])
    # what was sent ahead of something that breaks the rules may be refused with it, but is never read as another
    shorter = min(len(whole), len(cut))
    expect(whole[:shorter] == cut[:shorter], f"cut otherwise, read otherwise: {whole!r} {cut!r}")
    for ours, theirs in zip(whole, _by_h11(data), strict=False):
        if ours[1].startswith(b"/") and theirs[1].startswith(b"/"):
            expect((ours[0].encode(), ours[1], ours[3]) == theirs, f"read in two ways: {ours!r} {theirs!r}")


def _by_h11(data: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Methods, targets and bodies as h11 reads them, up to where it refuses."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 16)
    reader.receive_data(data)
    found: list[tuple[bytes, bytes, bytes]] = []
    current: tuple[bytes, bytes] | None = None
    body = b""
    try:
        while True:
            event = reader.next_event()
            if isinstance(event, h11.Request):
                current, body = (event.method, event.target), b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert current is not None
                found.append((*current, body))
                if reader.their_state is not h11.DONE:
                    break
                reader.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                reader.send(h11.EndOfMessage())
                reader.start_next_cycle()
            else:
                break
    except (h11.RemoteProtocolError, h11.LocalProtocolError):
        pass
    return found


def _head_words() -> list[str]:
    names = """Host Content-Length Transfer-Encoding Connection Expect Upgrade Cache-Control ETag If-None-Match If-Match
    If-Modified-Since Range If-Range Accept Sec-Fetch-Dest Sec-Purpose HX-Request X-Forwarded-For X-Forwarded-Proto
    X-Forwarded-Host Forwarded X-Real-IP Via CDN-Loop Max-Forwards TE Trailer Content-Type Content-Encoding Vary
    Content-Security-Policy Expires Last-Modified Content-Disposition X-Accel-Buffering Surrogate-Control""".split()
    values = """chunked gzip br deflate zstd text/html charset=utf-8 no-transform s-maxage=99 W/"v1" "v1" close
    keep-alive bytes=0-9 document empty prefetch attachment 127.0.0.1 for=unknown https HTTP/1.1 HTTP/1.0 GET POST
    http://a/ /_adproxy/healthz %2e%2e q=0 script-src 'nonce-abc' 'strict-dynamic' style-src""".split()
    return [f"{name}: " for name in names] + values + ["\r\n", "\r\n\r\n", "0\r\n\r\n", "\n", "\r", "\x00"]


def _head_seeds() -> list[bytes]:
    request = b"GET /2024/a?b=c HTTP/1.1\r\nHost: site.example\r\n%s\r\n\r\n"
    reply = b"200\r\nContent-Type: text/html; charset=utf-8\r\n%s\r\n\r\n<html><p>x"
    asked = [
        b"Accept: text/html, */*;q=0.8\r\nSec-Fetch-Dest: document",
        b'If-None-Match: W/"v1;ap=0123456789ab", "x"\r\nIf-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT',
        b"X-Forwarded-For: 192.0.2.1, [2001:db8::1]:80\r\nForwarded: for=_x\r\nX-Forwarded-Proto: https",
        b"Via: 1.1 adproxy, 1.0 x\r\nCDN-Loop: adproxy; id=instance\r\nMax-Forwards: 3",
        b"Connection: close, x-a\r\nX-A: 1\r\nTE: trailers\r\nUpgrade: h2c",
        b'Range: bytes=0-9\r\nIf-Range: "v1"\r\nIf-Match: *',
    ]
    said = [
        b'ETag: "v1"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nCache-Control: public, max-age=600',
        b"Expires: Thu, 01 Jan 2026 00:00:00 GMT\r\nSurrogate-Control: max-age=60+30\r\nX-Accel-Expires: 900",
        b"Content-Security-Policy: script-src 'nonce-abc' 'strict-dynamic'; img-src *.x.example:443\r\nVary: A, *",
        b'Cache-Control: private="a,b", no-transform\r\nContent-Encoding: gzip\r\nRepr-Digest: sha-256=:x:',
    ]
    bodies = [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"]
    bodies += [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n0\r\nX: 1\r\n\r\n"]
    coded = [
        request % b"A: b" + b"200\r\nContent-Encoding: x\r\n\r\n" + encode(b"<p>x" * 9, c) for c in sorted(CODINGS)
    ]
    return [request % one + reply % other for one in asked for other in said] + bodies + coded


# --------------------------------------------------------------------------------------------

TARGETS = {
    "beacon": Target(beacon, ("beacon.py", "tokens.py"), _beacon_words, _beacon_seeds, 2100),
    "rewrite": Target(
        rewrite_page,
        ("page/*", "plan/*", "markup.py", "splice.py", "rewrite.py", "charset.py", "csp.py"),
        _html_words,
        _html_seeds,
        4000,
    ),
    "rules": Target(load_a_file, ("rules/*",), _yaml_words, _yaml_seeds, 4000),
    "heads": Target(
        heads,
        (
            *("target.py", "request_head.py", "hops.py", "peers.py", "eligibility.py", "headers.py", "codings.py"),
            *("connections.py", "own_paths.py"),
        ),
        _head_words,
        _head_seeds,
        2000,
    ),
}
