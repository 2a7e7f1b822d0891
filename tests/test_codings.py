"""Content codings within bounds."""

import gzip
import random
import tracemalloc
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from adproxy.codings import RATIO_FREE, decode, encode
from adproxy.model import Skip, SkipReason

CODINGS = ["gzip", "deflate", "br", "zstd"]
LIMIT = 1 << 21
PAGE = random.Random(7).randbytes(30_000).hex().encode()


def reason(outcome: bytes | Skip) -> SkipReason:
    assert isinstance(outcome, Skip)
    return outcome.reason


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize("coding", CODINGS)
@given(data=st.binary(max_size=2000))
def test_what_is_encoded_decodes_to_the_same_bytes(coding: str, data: bytes) -> None:
    assert decode(encode(data, coding), coding, LIMIT) == data


def test_law_4_gzip_says_no_time() -> None:
    assert encode(PAGE, "gzip")[4:8] == bytes(4)


@pytest.mark.parametrize("coding", CODINGS)
def test_law_4_equal_input_is_encoded_to_equal_bytes(coding: str) -> None:
    assert encode(PAGE, coding) == encode(PAGE, coding)
    assert len(encode(PAGE, coding)) < len(PAGE)


def test_b8_bodies_as_servers_make_them_decode() -> None:
    assert decode(gzip.compress(PAGE, 9), "x-gzip", LIMIT) == PAGE
    assert decode(raw_deflate(PAGE), "deflate", LIMIT) == PAGE
    assert decode(gzip.compress(PAGE[:9]) + gzip.compress(PAGE[9:]), "gzip", LIMIT) == PAGE
    streamed = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compressobj()
    assert decode(streamed.compress(PAGE) + streamed.flush(), "zstd", LIMIT) == PAGE
    two_frames = zstandard.compress(PAGE[:9]) + b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab" + zstandard.compress(PAGE[9:])
    assert decode(two_frames, "zstd", LIMIT) == PAGE


@pytest.mark.parametrize("coding", CODINGS)
def test_b9_every_truncation_is_refused(coding: str) -> None:
    whole = encode(PAGE[:400], coding)
    for size in range(len(whole)):
        assert reason(decode(whole[:size], coding, LIMIT)) is SkipReason.BAD_CODING


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("garbage", [b"\x00", b"garbage", b"\x1f\x8b"])
def test_b9_garbage_behind_the_end_is_refused(coding: str, garbage: bytes) -> None:
    assert reason(decode(encode(PAGE, coding) + garbage, coding, LIMIT)) is SkipReason.BAD_CODING


def test_b9_a_wrong_checksum_is_refused() -> None:
    checked = zstandard.ZstdCompressor(write_checksum=True).compress(PAGE)
    for coding, body, at in [
        ("gzip", gzip.compress(PAGE), -5),
        ("deflate", zlib.compress(PAGE), -1),
        ("zstd", checked, -1),
    ]:
        broken = bytearray(body)
        broken[at] ^= 1
        assert reason(decode(bytes(broken), coding, LIMIT)) is SkipReason.BAD_CODING


@pytest.mark.parametrize("coding", CODINGS)
@given(data=st.binary(max_size=300))
def test_b9_no_bytes_make_the_decoder_raise(coding: str, data: bytes) -> None:
    decode(data, coding, LIMIT)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_body_over_the_limit_is_too_large(coding: str) -> None:
    page = PAGE * 8
    assert reason(decode(encode(page, coding), coding, len(page) - 1)) is SkipReason.TOO_LARGE
    assert decode(encode(page, coding), coding, len(page)) == page


def bomb(coding: str, size: int) -> bytes:
    zeros = bytes(size)
    if coding == "zstd":
        return zstandard.ZstdCompressor(level=19).compress(zeros)
    return brotli.compress(zeros, quality=9) if coding == "br" else encode(zeros, coding)


@pytest.mark.parametrize("coding", CODINGS)
def test_f20_a_bomb_is_stopped_at_the_ratio_and_costs_no_more_memory_than_the_bound(coding: str) -> None:
    body = bomb(coding, 64 << 20)
    tracemalloc.start()
    try:
        outcome = decode(body, coding, 32 << 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reason(outcome) is SkipReason.BAD_CODING
    assert peak < max(RATIO_FREE, 100 * len(body)) + (1 << 20)


@pytest.mark.parametrize("coding", CODINGS)
def test_f20_the_ratio_is_free_below_a_mebibyte(coding: str) -> None:
    assert decode(bomb(coding, RATIO_FREE), coding, LIMIT) == bytes(RATIO_FREE)


def test_f20_a_zstd_window_beyond_the_standards_bound_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=24, compression_level=3)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    assert reason(decode(stream.compress(PAGE) + stream.flush(), "zstd", LIMIT)) is SkipReason.BAD_CODING


def test_b8_other_codings_are_not_ours() -> None:
    assert reason(decode(b"x", "compress", LIMIT)) is SkipReason.CONTENT_CODING
    with pytest.raises(ValueError, match="found coding 'compress'"):
        encode(b"x", "compress")
