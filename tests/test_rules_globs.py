"""Path globs: what they match, and that no path makes them slow."""

from __future__ import annotations

import time
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adproxy.rules.globs import GlobError, compile_glob


def matches(glob: str, path: str) -> bool:
    return compile_glob(glob).match(path) is not None


@pytest.mark.parametrize(
    ("glob", "fits", "fails"),
    [
        ("/", ["/"], ["", "/a", "//"]),
        ("/about", ["/about"], ["/about/", "/about/x", "/about-us", "/About"]),
        ("/about/*", ["/about/", "/about/x"], ["/about", "/about/x/y"]),
        ("/about/**", ["/about", "/about/", "/about/x", "/about/x/y/"], ["/aboutx", "/x/about"]),
        ("/**", ["/", "/a", "/a/b.html", ""], []),
        ("/20*/**", ["/2024/x", "/20", "/2024"], ["/x/2024", "/19/20"]),
        ("/**/amp", ["/amp", "/a/amp", "/a/b/amp"], ["/a/amp/b", "/xamp"]),
        ("/a/**/b/**/c", ["/a/b/c", "/a/x/b/y/z/c", "/a/b/b/c/c"], ["/a/c", "/a/b", "/a/xb/c"]),
        ("/*.html", ["/a.html", "/.html"], ["/a.html5", "/a/b.html"]),
        ("/a?c", ["/abc", "/aéc"], ["/ac", "/a/c"]),
        ("/*a*b*", ["/ab", "/xaybz"], ["/ba", "/a/b"]),
        ("/caf%C3%A9", ["/café"], ["/caf%C3%A9"]),
        ("/100%25", ["/100%"], ["/100%25"]),
        ("/what%3F", ["/what?"], ["/whats"]),
        ("/a.b", ["/a.b"], ["/axb"]),
    ],
)
def test_a_glob_is_anchored_and_knows_segments(glob: str, fits: list[str], fails: list[str]) -> None:
    assert [path for path in fits if not matches(glob, path)] == []
    assert [path for path in fails if matches(glob, path)] == []


def naive(glob: str, path: str) -> bool:
    """By trying everything: slow, and plain to see."""
    patterns, segments = tuple(glob[1:].split("/")), tuple(path[1:].split("/")) if path else ()

    @cache
    def one(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(one(pattern[1:], text[i:]) for i in range(len(text) + 1))
        return bool(text) and pattern[0] in ("?", text[0]) and one(pattern[1:], text[1:])

    @cache
    def many(p: int, s: int) -> bool:
        if p == len(patterns):
            return s == len(segments)
        if patterns[p] == "**":
            return any(many(p + 1, i) for i in range(s, len(segments) + 1))
        return s < len(segments) and one(patterns[p], segments[s]) and many(p + 1, s + 1)

    return many(0, 0)


SEGMENT = st.one_of(
    st.just("**"),
    *(st.text(alphabet=letters, max_size=5).filter(lambda text: "**" not in text) for letters in ("ab*?", "a*")),
)


@settings(max_examples=500, deadline=None)
@given(
    glob=st.lists(SEGMENT, min_size=1, max_size=5).map(lambda segments: "/" + "/".join(segments)),
    path=st.lists(st.text(alphabet="aab\n", max_size=5), min_size=1, max_size=6).map(lambda s: "/" + "/".join(s)),
)
@example(glob="/*ab*b", path="/ab")
@example(glob="/*a*a", path="/aa")
@example(glob="/**/a/**/a", path="/a")
@example(glob="/**/a/b/**/b", path="/a/a/b/b")
def test_a_glob_matches_what_a_naive_matcher_does(glob: str, path: str) -> None:
    assert matches(glob, path) == naive(glob, path)


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("/*a*a*a*a*a*a*b", "/" + "a" * 8192),
        ("/*a?*a?*a?*a?*a?*b", "/" + "a" * 8192),
        ("/**/a/**/a/**/a/**/b", "/a" * 4096),
        ("/**/*a*a*a*b/**/*a*a*b/**/c", "/" + "a" * 30 + "/" + ("a" * 100 + "/") * 80),
        ("/**/*/**/*/**/*/**/b", "/a" * 4096),
    ],
)
def test_f14_no_path_of_8_kib_makes_a_glob_slow(glob: str, path: str) -> None:
    pattern = compile_glob(glob)
    started = time.process_time()
    assert pattern.match(path) is None
    # it takes about a millisecond; with backtracking it would take years
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "glob",
    [
        "",
        "a",
        "*",
        "/a**",
        "/**b/c",
        "/{a,b}",
        "/[ab]",
        "/a\\b",
        "/a#b",
        "/a?b=c",
        "https://x.example/",
        "/" + "a" * 300,
    ],
)
def test_a_glob_that_means_nothing_is_refused(glob: str) -> None:
    with pytest.raises(GlobError):
        compile_glob(glob)
