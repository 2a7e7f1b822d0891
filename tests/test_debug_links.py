"""Links to the account of a live page: ours alone to make, for one page, for a while; and never seen behind us."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from wire import http_scope

from adproxy.debug_links import LIFE_SECONDS, debug_link, is_good, taken_out
from adproxy.target import EXTENSION, raw_target
from adproxy.tokens import Keyring

KEYS = Keyring("k" * 40)
NOW = 1_764_118_100.5


def said_by(url: str) -> bytes:
    _, said = taken_out(http_scope("/a", query_string=urlsplit(url).query.encode()))
    assert said is not None
    return said


def test_a_link_is_good_for_its_page_until_its_end() -> None:
    link = debug_link(KEYS, "https://news.example/2024/story?page=2", NOW)
    assert link.startswith("https://news.example/2024/story?page=2&_adproxy=explain.1764119000.")
    said = said_by(link)
    assert is_good(KEYS, said, "/2024/story", NOW)
    assert is_good(Keyring("n" * 40, "k" * 40), said, "/2024/story", NOW), "keys can be exchanged meanwhile"
    assert not is_good(KEYS, said, "/2024/other", NOW)
    assert not is_good(KEYS, said, "/2024/story", NOW + LIFE_SECONDS + 1)
    assert not is_good(Keyring("x" * 40), said, "/2024/story", NOW)


@pytest.mark.parametrize(
    "forged", ["", "explain", "explain.9999999999.", "explain.9999999999.AAAA", "explain.x.y", "ä"]
)
def test_what_is_made_up_is_not_good(forged: str) -> None:
    assert not is_good(KEYS, forged.encode(), "/a", NOW)


def test_an_end_can_not_be_moved() -> None:
    verb, ends, seal = said_by(debug_link(KEYS, "http://a.example/a", NOW)).split(b".")
    assert not is_good(KEYS, b".".join((verb, b"%d" % (int(ends) + 60), seal)), "/a", NOW)


def test_a_path_is_sealed_as_browsers_spell_it() -> None:
    link = debug_link(KEYS, "http://a.example/größe/%41", NOW)
    assert urlsplit(link).path == "/gr%C3%B6%C3%9Fe/%41"
    assert is_good(KEYS, said_by(link), "/gr%C3%B6%C3%9Fe/%41", NOW)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (b"_adproxy=explain", b""),
        (b"a=1&_adproxy=x&b=%20", b"a=1&b=%20"),
        (b"%5Fadproxy=x&_adproxy=y&&c", b"&c"),
        (b"_adproxy", b""),
    ],
)
def test_the_parameter_is_taken_out_and_all_else_is_as_it_was(query: bytes, kept: bytes) -> None:
    target = b"/a%2Fb?" + query
    bare, said = taken_out(
        http_scope("/a/b", raw_path=b"/a%2Fb", query_string=query, extensions={EXTENSION: {"target": target}})
    )
    assert said is not None
    assert bare["query_string"] == kept
    assert raw_target(bare) == b"/a%2Fb" + (b"?" + kept if kept else b"")
    assert raw_target({**bare, "extensions": {}}) == raw_target(bare)


@pytest.mark.parametrize("query", [b"", b"adproxy=1", b"x_adproxy=1", b"q=_adproxy"])
def test_other_requests_are_not_touched(query: bytes) -> None:
    scope = http_scope("/a", query_string=query)
    assert taken_out(scope) == (scope, None)
    assert taken_out(scope)[0] is scope
