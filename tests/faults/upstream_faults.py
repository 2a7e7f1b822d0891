"""An origin that fails in every way: its bytes pass where they can, and nothing broken looks whole."""

from __future__ import annotations

import contextlib
import gzip
import random
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

import zstandard
from our_server import to_the_end
from raw_origin import RESET, origin
from small_site import PAGE, with_slots

from faults.stage import Row, Stage, proxy

HEAD_SECONDS = 2.0
"""The proxy waits so long for the origin's head."""
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
_GZIPPED = gzip.compress(PAGE, mtime=0)
_WRONG_SUM = _GZIPPED[:-6] + b"xx" + _GZIPPED[-4:]
_TWO_FRAMES = b"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n<p>abcd\r\n0\r\n\r\n"
_CUT = b"Content-Encoding: gzip\r\nContent-Length: 9999\r\n\r\n" + _GZIPPED[:200]


def _framed(body: bytes, *fields: bytes) -> bytes:
    return HTML + b"".join(field + b"\r\n" for field in fields) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _chunked(body: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return HTML + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%s" % (len(body), body, end)


@dataclass(frozen=True)
class Fault:
    """`answer`: what the origin sends before it closes. The rest says what may come of it."""

    name: str
    answer: bytes | Callable[[socket.socket], bytes]
    whole: bytes | None = None
    """The reader gets this body, whole."""
    own: tuple[int, ...] = ()
    """There is nothing that could pass: the reader is told so with one of these."""
    broken: bool = False
    """The reader's answer breaks off as the origin's did, or never begins."""


def _silent(connection: socket.socket) -> bytes:
    connection.settimeout(HEAD_SECONDS * 4)
    with contextlib.suppress(TimeoutError):
        connection.recv(1)
    return b""


def _dripping(connection: socket.socket) -> bytes:
    whole = _framed(PAGE)
    for at in range(0, len(whole), 600):
        connection.sendall(whole[at : at + 600])
        time.sleep(0.01)
    return b""


def _zeros(size: int) -> Iterator[bytes]:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(size >> 20):
        yield squeeze.compress(bytes(1 << 20))
    yield squeeze.flush()


GZIP_BOMB = b"".join(_zeros(200 << 20))
ZSTD_BOMB = zstandard.compress(bytes(200 << 20), 19)


NO_TEXT = random.Random(1).randbytes(50_000)

FAULTS = [
    Fault("reset before the head", RESET, own=(502,)),
    Fault("closed before the head", b"", own=(502,)),
    Fault("no head within the deadline", _silent, own=(504,)),
    Fault("half a head", HTML[:30], own=(502,)),
    Fault("no HTTP", b"SSH-2.0-OpenSSH_9\r\n\r\n", own=(502,)),
    Fault("a page drop by drop", _dripping, whole=with_slots()),
    Fault("closed in the body, with a length", HTML + b"Content-Length: 99999\r\n\r\n" + PAGE, broken=True),
    Fault("closed in the body, with chunks", _chunked(PAGE, b""), broken=True),
    Fault("a chunk of nonsense", _chunked(PAGE, b"zz\r\n"), broken=True),
    Fault("closed in a compressed body", HTML + _CUT, broken=True),
    # what is too much could be another answer, and an origin that is out of step is not believed; the page alone may
    # have arrived before it
    Fault("a body longer than its length", _framed(PAGE) + b"and more", whole=with_slots(), own=(502,)),
    Fault("a body without any length", HTML + b"\r\n" + PAGE, whole=with_slots()),
    Fault("length and chunks", HTML + _TWO_FRAMES, own=(502,)),
    Fault("two lengths", HTML + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", own=(502,)),
    Fault("a length that is none", HTML + b"Content-Length: +5\r\n\r\nabcde", own=(502,)),
    Fault("gzip that is none", _framed(PAGE, b"Content-Encoding: gzip"), whole=PAGE),
    Fault("gzip cut short", _framed(_GZIPPED[:-8], b"Content-Encoding: gzip"), whole=_GZIPPED[:-8]),
    Fault("gzip with a wrong sum", _framed(_WRONG_SUM, b"Content-Encoding: gzip"), whole=_WRONG_SUM),
    Fault("a bomb of gzip", _framed(GZIP_BOMB, b"Content-Encoding: gzip"), whole=GZIP_BOMB),
    Fault("a bomb of zstd", _framed(ZSTD_BOMB, b"Content-Encoding: zstd"), whole=ZSTD_BOMB),
    Fault("an unknown coding", _framed(PAGE, b"Content-Encoding: x-new"), whole=PAGE),
    Fault("400 fields", _framed(PAGE, *(b"X-%d: y" % n for n in range(400))), whole=with_slots()),
    Fault("a field of 60 KiB", _framed(PAGE, b"X: " + b"y" * 60_000), whole=with_slots()),
    Fault("5,000 fields", _framed(PAGE, *(b"X-%d: y" % n for n in range(5_000))), own=(502,)),
    Fault("a field of 1 MiB", _framed(PAGE, b"X: " + b"y" * (1 << 20)), own=(502,)),
    Fault("a head without end", HTML + b"X: y\r\n" * 300_000, own=(502,)),
    Fault("a NUL in a field", _framed(PAGE, b"X: a\0b"), own=(502,)),
    Fault("a page that is no text", _framed(NO_TEXT), whole=NO_TEXT),
]


def _ask(stage: Stage, path: str) -> tuple[int, bytes, bytes | None]:
    """Status, head, and the body; None for one that broke off."""
    with stage.server.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        data = to_the_end(connection)
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return 0, head, None
    return int(head.split(b" ")[1]), head, _whole_body(head.lower(), body)


def _whole_body(head: bytes, body: bytes) -> bytes | None:
    if b"\r\ntransfer-encoding: chunked" in head:
        whole = b""
        while True:
            size, end, body = body.partition(b"\r\n")
            if not end or len(body) < int(size, 16) + 2:
                return None
            if size == b"0":
                return whole
            whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
    length = int(head.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0]) if b"\r\ncontent-length: " in head else 0
    return body if len(body) == length else None


def _judge(fault: Fault, stage: Stage, row: Row) -> None:
    status, head, body = _ask(stage, "/" + fault.name.replace(" ", "%20"))
    is_ours = b"\r\nproxy-status: adproxy" in head.lower()
    row.times += 1
    if fault.broken:
        row.expect(body is None or (is_ours and status in (502, 504)), f"{fault.name}: {status} looks whole")
    elif is_ours and fault.own:
        row.expect(status in fault.own, f"{fault.name}: {status}, not one of {fault.own}")
    else:
        row.expect(status == 200 and not is_ours, f"{fault.name}: {status} where the bytes could have passed")
        row.expect(body == fault.whole, f"{fault.name}: other bytes")


def _faults(times: int) -> Row:
    row = Row(f"{len(FAULTS)} faults of an origin")
    by_name = {fault.name: fault for fault in FAULTS}

    def answer(_: int, request: bytes, connection: socket.socket) -> bytes:
        said = by_name[unquote(request.split(b" ")[1].decode()[1:])].answer
        return said if isinstance(said, bytes) else said(connection)

    with origin(answer, keep=False) as upstream, proxy(upstream.url, head_seconds=HEAD_SECONDS) as stage:
        for _ in range(times):
            for fault in FAULTS:
                _judge(fault, stage, row)
    return row


def _statuses() -> Row:
    """All that three digits can say. 1xx are not answers, and 101 is one that nobody asked for."""
    row = Row("statuses 100 to 999")

    def answer(_: int, request: bytes, connection: socket.socket) -> bytes:
        status = int(request.split(b" ")[1][1:])
        first = b"HTTP/1.1 %d Said So\r\n" % status
        if status < 200:
            return first + b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfinal"
        return first + (b"\r\n" if status in (204, 304) else b"Content-Length: 4\r\n\r\nbody")

    with origin(answer, keep=False) as upstream, proxy(upstream.url) as stage:
        for status in range(100, 1000):
            found, head, body = _ask(stage, f"/{status}")
            row.times += 1
            ours = b"\r\nproxy-status: adproxy" in head.lower()
            if status == 101:
                row.expect(ours and found == 502, f"101 became {found}")
            elif status < 200:
                row.expect((found, body) == (200, b"final"), f"{status} became {found}")
            else:
                row.expect(found == status and not ours, f"{status} became {found}")
                row.expect(body == (b"" if status in (204, 304) else b"body"), f"{status}: another body")
    return row


def _refused() -> Row:
    row = Row("an origin that is not there", 3)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with proxy(f"http://127.0.0.1:{port}") as stage:
        for _ in range(row.times):
            status, head, _ = _ask(stage, "/")
            row.expect(status == 502 and b"destination_unavailable" in head, f"{status}")
    return row


def play(times: int) -> list[Row]:
    """Each fault so many times, and every status once."""
    return [_faults(times), _statuses(), _refused()]
