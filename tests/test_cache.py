from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adproxy.cache import ENTRY_BYTES, PageCache

ASKED = ("revision", "/story", "", "text/html")


def test_the_same_bytes_asked_for_in_the_same_way_are_found() -> None:
    cache: PageCache[str] = PageCache(1 << 20)
    cache.put(ASKED, b"<p>page" * 100, "outcome", 7)
    assert cache.get(ASKED, [b"<p>page" * 100]) == "outcome"
    assert (cache.figures.hits, cache.figures.misses) == (1, 0)


def test_asked_for_in_another_way_they_are_not() -> None:
    cache: PageCache[str] = PageCache(1 << 20)
    cache.put(ASKED, b"page", "outcome", 7)
    assert cache.get(("other revision", *ASKED[1:]), [b"page"]) is None


@given(body=st.binary(min_size=1, max_size=400), at=st.integers(min_value=0), change=st.integers(1, 255))
def test_any_other_byte_is_another_page(body: bytes, at: int, change: int) -> None:
    cache: PageCache[str] = PageCache(1 << 20)
    cache.put(ASKED, body, "outcome", 7)
    at %= len(body)
    other = body[:at] + bytes([body[at] ^ change]) + body[at + 1 :]
    assert cache.get(ASKED, [other]) is None
    assert cache.get(ASKED, [body + b"x"]) is None
    assert cache.get(ASKED, [body[:-1]]) is None


@given(
    body=st.binary(max_size=400),
    cuts=st.lists(st.integers(0, 400), max_size=6),
    at=st.integers(0),
    change=st.integers(1, 255),
)
def test_a_body_is_found_in_whatever_pieces_it_comes(body: bytes, cuts: list[int], at: int, change: int) -> None:
    def in_pieces(whole: bytes) -> list[bytes]:
        edges = sorted({0, len(whole), *(min(cut, len(whole)) for cut in cuts)})
        return [whole[a:b] for a, b in pairwise(edges)]

    cache: PageCache[str] = PageCache(1 << 20)
    cache.put(ASKED, body, "outcome", 7)
    assert cache.get(ASKED, in_pieces(body)) == "outcome"
    assert cache.get(ASKED, [*in_pieces(body), b""]) == "outcome"
    assert cache.get(ASKED, [*in_pieces(body), b"x"]) is None
    if body:
        at %= len(body)
        other = body[:at] + bytes([body[at] ^ change]) + body[at + 1 :]
        assert cache.get(ASKED, in_pieces(other)) is None
        assert cache.get(ASKED, in_pieces(body[:-1])) is None


def test_who_writes_a_page_that_looks_nearly_alike_poisons_nothing() -> None:
    cache: PageCache[str] = PageCache(1 << 20)
    page = bytearray(random.Random(1).randbytes(10_000))
    cache.put(ASKED, bytes(page), "the site's", 9)
    for at in range(len(page)):
        forged = bytes(page[:at]) + bytes([page[at] ^ 1]) + bytes(page[at + 1 :])
        assert cache.get(ASKED, [forged]) is None
        cache.put(ASKED, forged, "the author's", 9)
        assert cache.get(ASKED, [bytes(page)]) in (None, "the site's")
        cache.put(ASKED, bytes(page), "the site's", 9)


def test_it_never_holds_more_bytes_than_it_may() -> None:
    cache: PageCache[int] = PageCache(100_000)
    random_ = random.Random(2)
    for i in range(2_000):
        cache.put(ASKED, random_.randbytes(random_.randint(1, 4_000)), i, random_.randint(0, 4_000))
        assert cache.figures.bytes <= cache.max_bytes
    assert 0 < cache.figures.entries < 100
    assert cache.figures.evictions > 1_900


def test_what_is_asked_for_stays_under_churn() -> None:
    cache: PageCache[int] = PageCache(100_000)
    cache.put(ASKED, b"front page", -1, 1_000)
    for i in range(500):
        cache.put(ASKED, b"%d" % i * 300, i, 1_000)
        assert cache.get(ASKED, [b"front page"]) == -1
    assert cache.get(ASKED, [b"0" * 300]) is None


def test_where_all_were_asked_for_the_oldest_goes() -> None:
    cache: PageCache[int] = PageCache(100_000)
    pages = [b"%02d" % i * 100 for i in range(60)]
    for i, page in enumerate(pages):
        cache.put(i, page, i, 1_000)
        for j, earlier in enumerate(pages[: i + 1]):
            cache.get(j, [earlier])
    kept = [cache.get(i, [page]) for i, page in enumerate(pages)]
    gone = kept.count(None)
    assert gone == cache.figures.evictions > 0
    assert kept == [*[None] * gone, *range(gone, 60)]


def test_however_many_were_asked_for_few_are_looked_at_to_make_room() -> None:
    cache: PageCache[int] = PageCache(1_000_000)
    pages = [b"%04d" % i * 100 for i in range(800)]
    kept = 0
    while not cache.figures.evictions:
        for i, page in enumerate(pages[:kept]):
            cache.get(i, [page])
        cache.put(kept, pages[kept], kept, 1_000)
        kept += 1
    assert kept > 300
    assert [i for i in range(kept) if cache.get(i, [pages[i]]) is None] == [64]


def test_one_large_page_does_not_push_out_the_others() -> None:
    cache: PageCache[str] = PageCache(80_000)
    cache.put(ASKED, b"small", "small", 10)
    cache.put(ASKED, b"large" * 2_000, "large", 10_000)
    assert cache.get(ASKED, [b"large" * 2_000]) is None
    assert cache.get(ASKED, [b"small"]) == "small"


def test_a_page_put_twice_counts_once() -> None:
    cache: PageCache[str] = PageCache(80_000)
    for outcome in ("first", "second"):
        cache.put(ASKED, b"page", outcome, 100)
    assert cache.get(ASKED, [b"page"]) == "second"
    assert (cache.figures.entries, cache.figures.bytes) == (1, 104 + ENTRY_BYTES)


def test_pages_of_one_length_at_one_address_are_told_apart() -> None:
    cache: PageCache[int] = PageCache(80_000)
    pages = [b"page %d" % i for i in range(4)]
    for _ in range(2):
        for i, page in enumerate(pages):
            cache.put(ASKED, page, i, 100)
    assert cache.figures.entries == 4
    assert [cache.get(ASKED, [page]) for page in pages] == [0, 1, 2, 3]


def test_of_too_many_of_them_those_that_are_asked_for_stay() -> None:
    cache: PageCache[int] = PageCache(80_000)
    for i in range(200):
        cache.put(ASKED, b"page %3d" % i, i, 100)
        for asked_for in (1, 2):
            if i >= asked_for:
                assert cache.get(ASKED, [b"page %3d" % asked_for]) == asked_for
    assert cache.figures.entries == 4


def test_a_body_that_lies_in_its_outcome_takes_no_room_of_its_own() -> None:
    cache: PageCache[bytes] = PageCache(80_000)
    page, sent = b"page " * 200, b"page " * 100 + b"<slot>" + b"page " * 100
    cache.put(ASKED, page, sent, len(sent), (sent, [(0, 500), (506, 1_006)]))
    assert cache.figures.bytes == 1_006 + ENTRY_BYTES
    assert cache.get(ASKED, [page]) == sent
    assert cache.get(ASKED, [page[:777], page[777:]]) == sent
    assert cache.get(ASKED, [sent]) is None
    assert cache.get(ASKED, [page[:900] + b"P" + page[901:]]) is None


def test_cleared_it_knows_nothing_and_holds_nothing() -> None:
    cache: PageCache[str] = PageCache(80_000)
    cache.put(ASKED, b"page", "outcome", 100)
    cache.clear()
    assert cache.get(ASKED, [b"page"]) is None
    assert (cache.figures.entries, cache.figures.bytes) == (0, 0)


def test_nothing_is_kept_where_there_is_no_room_at_all() -> None:
    cache: PageCache[str] = PageCache(0)
    cache.put(ASKED, b"page", "outcome", 0)
    assert cache.get(ASKED, [b"page"]) is None
