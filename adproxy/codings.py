"""Content codings within bounds: gzip, deflate, br and zstd, decoded whole or not at all, encoded again the same way.

A few kilobytes can unfold to gigabytes, so every decoder here is asked for its output in pieces and stopped at the
bound. Whatever is not exactly one complete, correct body (truncated, garbage behind it, a wrong checksum) is refused
as a whole: the reader then gets the bytes as they came.
"""

from __future__ import annotations

import gzip
import zlib

import brotli
import zstandard

from adproxy.model import Skip, SkipReason

MAX_RATIO = 100
"""Honest pages stay under 30:1; what unfolds further beyond `RATIO_FREE` bytes is a bomb."""
RATIO_FREE = 1 << 20
"""Bytes of output that any body may unfold to, whatever its size."""

GZIP_LEVEL = 4
BROTLI_QUALITY = 3
ZSTD_LEVEL = 3
"""Levels where another step saves a few percent of the bytes and costs half as much time again: pages are encoded at
each request, unlike files."""

_ZSTD_WINDOW = 8 << 20
"""Bytes: the largest window that a zstd content coding may ask for (RFC 9659)."""
_PIECE = 1 << 16
"""Bytes of output asked for at a time."""


class _Bad(Exception):
    """The body is not what its coding says."""


class _TooMuch(Exception):
    """The output went over its bound."""


def decode(data: bytes, coding: str, limit: int) -> bytes | Skip:
    """The body behind a content coding (lower case, one of `eligibility.CODINGS`).

    `limit`: bytes that the output may have. Answers a `Skip` (``too_large``, ``bad_coding``) where the body can't be
    had whole within the limit; never raises for what is in the data.
    """
    bound = min(limit, max(RATIO_FREE, MAX_RATIO * len(data)))
    try:
        if coding in ("gzip", "x-gzip"):
            return _inflate(data, bound, wbits=31)
        if coding == "deflate":
            # the standard means zlib's format; some servers send the bare stream, and browsers take both
            bare = len(data) < 2 or data[0] & 0x0F != 8 or (data[0] << 8 | data[1]) % 31
            return _inflate(data, bound, wbits=-15 if bare else 15)
        if coding == "br":
            return _unbrotli(data, bound)
        if coding == "zstd":
            return _unzstd(data, bound)
    except _TooMuch:
        if bound == limit:
            return Skip(SkipReason.TOO_LARGE, f"more than {limit} bytes behind {coding}")
        return Skip(SkipReason.BAD_CODING, f"{len(data)} bytes of {coding} unfold to more than {bound}")
    except (_Bad, zlib.error, brotli.error, zstandard.ZstdError) as problem:
        return Skip(SkipReason.BAD_CODING, f"{coding}: {problem}")
    return Skip(SkipReason.CONTENT_CODING, coding)


def encode(data: bytes, coding: str) -> bytes:
    """`data` in a content coding that `decode` knows; equal input gives equal bytes. `ValueError` for any other."""
    if coding in ("gzip", "x-gzip"):
        return gzip.compress(data, GZIP_LEVEL, mtime=0)
    if coding == "deflate":
        return zlib.compress(data, GZIP_LEVEL)
    if coding == "br":
        return bytes(brotli.compress(data, mode=brotli.MODE_TEXT, quality=BROTLI_QUALITY))
    if coding == "zstd":
        return bytes(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(data))
    raise ValueError(f"found coding {coding!r}, expected gzip, deflate, br or zstd")


class _Output:
    """Pieces of output up to a bound."""

    def __init__(self, bound: int) -> None:
        self._pieces: list[bytes] = []
        self._room = bound

    def add(self, piece: bytes) -> None:
        self._room -= len(piece)
        if self._room < 0:
            raise _TooMuch
        self._pieces.append(piece)

    def whole(self) -> bytes:
        return b"".join(self._pieces)


def _inflate(data: bytes, bound: int, *, wbits: int) -> bytes:
    output = _Output(bound)
    while True:
        stream = zlib.decompressobj(wbits)
        while not stream.eof:
            piece = stream.decompress(data, _PIECE)
            data = stream.unconsumed_tail
            if not piece and not data and not stream.eof:
                raise _Bad("it ends early")
            output.add(piece)
        data = stream.unused_data
        if not data:
            return output.whole()
        if wbits != 31 or not data.startswith(b"\x1f\x8b"):
            raise _Bad(f"{len(data)} bytes of something else behind its end")
        # gzip alone may have several members one behind the other (RFC 1952, 2.2)


def _unbrotli(data: bytes, bound: int) -> bytes:
    output = _Output(bound)
    stream = brotli.Decompressor()
    while not stream.is_finished():
        piece = stream.process(data, output_buffer_limit=_PIECE)
        data = b""
        if not piece and not stream.is_finished():
            raise _Bad("it ends early")
        output.add(piece)
    return output.whole()


def _unzstd(data: bytes, bound: int) -> bytes:
    # the reader takes a truncated frame for a short one and says nothing
    _check_zstd_frames(data)
    output = _Output(bound)
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    with decompressor.stream_reader(data, read_across_frames=True) as reader:
        while piece := reader.read(_PIECE):
            output.add(piece)
    return output.whole()


def _check_zstd_frames(data: bytes) -> None:
    """Walk the blocks of each frame (RFC 8878, 3.1): the last must end where the data does."""
    position = 0
    while position < len(data) or position == 0:
        magic = int.from_bytes(data[position : position + 4], "little")
        if magic & 0xFFFFFFF0 == 0x184D2A50:  # a skippable frame: its size stands behind the magic number
            position += 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        else:
            head = data[position : position + 18]
            has_checksum = zstandard.get_frame_parameters(head).has_checksum
            position += zstandard.frame_header_size(head)
            last = False
            while not last:
                block = int.from_bytes(data[position : position + 3], "little")
                if position + 3 > len(data):
                    raise _Bad("it ends early")
                last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
                position += 3 + (1 if kind == 1 else size)  # kind 1: one byte, repeated
            position += 4 if has_checksum else 0
        if position > len(data):
            raise _Bad("it ends early")
