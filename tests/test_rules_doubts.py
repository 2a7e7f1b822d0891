"""Doubts about rules: each is told with its place, and nothing that can be meant is doubted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adproxy.rules.compile import check_paths
from adproxy.rules.globs import compile_glob, covers

HEAD = "version: 1\nsite: s\n"
PHONE = "sizes: {phone: [300x250]}"


def warned(tmp_path: Path, text: str) -> list[str]:
    """The warnings about a file, as line:column and the rest, and no problem."""
    file = tmp_path / "site.yaml"
    file.write_text(text if text.startswith("version") else HEAD + text, "utf-8")
    checked = check_paths([file])
    assert checked.problems == ()
    return [str(warning).removeprefix(f"{file}:") for warning in checked.warnings]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("limits: {in_article: 0}\nslots: {a: {place: mid-article, SIZES}}", "3:10", "no slot allowed in the article"),
        ("slots: {a: {place: above-headline, sizes: {tablet: [728x90], desktop: []}}}", "3:36", "neither on a phone"),
        ("when: {words: {at_most: 500}}\nslots: {a: {place: mid-article, article_min: 501 words, SIZES}}",
         "4:33", "never"),
        ("slots: {a: {place: mid-article, first_after: 200 words, before_end: 101 words, SIZES, "
         "when: {words: {at_most: 300}}}}", "3:33", "never"),
        ("slots: {a: {place: mid-article, every: 250 words, before_end: 60 words, SIZES, "
         "when: {words: {at_most: 300}}}}", "3:33", "never"),
        ("when: {words: {at_most: 300}}\nslots: {a: {place: end-of-article, SIZES, when: {words: {at_least: 400}}}}",
         "4:63", "never"),
        ("slots: {a: {place: mid-article, SIZES}, b: {place: mid-article, instead_of: a, SIZES}}", "3:85", "as tall"),
        ("slots: {a: {place: mid-article, article_min: 300 words, SIZES}, "
         "b: {place: mid-article, instead_of: a, sizes: {phone: [320x50]}, when: {words: {at_most: 200}}}}",
         "3:109", "'a' in articles of 300 words at least, 'b' of 200 at most"),
        ("slots: {a: {place: mid-article, SIZES, when: {words: {at_most: 200}}}, "
         "b: {place: mid-article, instead_of: a, sizes: {phone: [320x50]}, article_min: 201 words}}",
         "3:116", "'b' in articles of 201 words at least, 'a' of 200 at most"),
        ("markers: off\nslots: {a: {place: mid-article, after: paragraph 2, max: 3, SIZES}}", "4:53", "stands once"),
        ("markers: off\nslots: {a: {place: {sidebar: first}, max: 2, SIZES}}", "4:38", "stands once"),
        ("slots: {a: {place: end-of-article, sizes: {phone: [300x250, 375x100]}}}", "3:61", "375x100 of 'a', wider"),
        ("slots: {a: {place: end-of-article, sizes: {tablet: [970x250]}}}", "3:53", "begin at 768 px"),
        ("layout: {phone: {column: 310px}}\nslots: {a: {place: end-of-article, sizes: {phone: [320x50]}}}",
         "4:52", "column of 310 px"),
        ("slots: {a: {place: end-of-article, creative: {image: {src: /a, link: /b, alt: c, size: 400x90}}}}",
         "3:88", "400x90"),
        ("article: body main .story\nslots: {}", "3:1", "2 times"),
        ("slots: {a: {place: {before: 'main:has(p) .x'}, SIZES}}", "3:13", "2 times"),
        ("keep_clear: {around: {'.a .b .c': 1 block}}", "3:23", "2 times"),
        ("when: {has_not: .a .b .c}", "3:8", "2 times"),
        ("visitors: {ad_free: {header: X-Subscriber}}\npages: [{path: [/a/**, /b/**]}, {path: /c, ads: false}]",
         "3:22", "the request's header 'x-subscriber': /a/**, /b/**; expected 'cookie'"),
        ("slots: {a: {place: end-of-article, creative: {iframe: {src: /a, size: 400x90}}}}", "3:71", "400x90"),
        ("hosts: [a.example, b.example, A.example]", "3:31", "the host 'a.example' again"),
        ("pages: [{path: /news/**}, {path: /news/sport/*}]", "3:34", "'/news/**'"),
        ("pages: [{path: [/x/*.html, /x/a?.html]}]", "3:28", "'/x/*.html'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told_with_its_place(tmp_path: Path, text: str, place: str, said: str) -> None:
    (warning,) = warned(tmp_path, text.replace("SIZES", PHONE))
    assert warning.startswith(f"{place}: warning: found ")
    assert said in warning


@pytest.mark.parametrize(
    "text",
    [
        "slots: {a: {place: mid-article, after: paragraph 2, max: 3, SIZES}}",  # for marks
        "slots: {a: {place: mid-article, first_after: 900 blocks, SIZES, when: {words: {at_most: 300}}}}",
        "pages: [{path: /a/**, limits: {in_article: 0}}, {path: /**}]\nslots: {a: {place: mid-article, SIZES}}",
        "limits: {in_article: 0}\nslots: {a: {place: end-of-article, SIZES}}",
        "slots: {a: {place: end-of-article, sizes: {phone: [336x280, 320x50], desktop: [970x250]}}}",
        "slots: {a: {place: mid-article, SIZES}, b: {place: end-of-article, instead_of: a, SIZES}}",
        "slots: {a: {place: mid-article, first_after: 99 words, SIZES}, b: {place: mid-article, instead_of: a, SIZES}}",
        "slots: {a: {place: mid-article, SIZES}, b: {place: mid-article, priority: 1, instead_of: a, SIZES}}",
        "slots: {a: {place: mid-article, sizes: {phone: [300x250]}}, "
        "b: {place: mid-article, instead_of: a, sizes: {phone: [320x100], desktop: [728x90]}}}",
        "article: main .story > p",
        "visitors: {ad_free: {cookie: subscriber}}",
        "pages: [{path: /news/sport/*}, {path: /news/**}]",
        "hosts: [a.example, '*.a.example']",
    ],
)
def test_what_can_be_meant_is_not_doubted(tmp_path: Path, text: str) -> None:
    assert warned(tmp_path, text.replace("SIZES", PHONE)) == []


def test_a_part_that_is_checked_alone_says_which_key_values_it_counts_on(tmp_path: Path) -> None:
    part = tmp_path / "part.yaml"
    part.write_text("version: 1\nslots: {a: {ad_unit: '{section}/x'}}\n")
    (warning,) = check_paths([part]).warnings
    assert "the name '{section}'" in str(warning)
    (tmp_path / "site.yaml").write_text(
        HEAD
        + f"use: ./part.yaml\nads: {{key_values: {{section: news}}}}\nslots: {{a: {{place: mid-article, {PHONE}}}}}\n"
    )
    assert check_paths([tmp_path]).warnings == ()


def test_a_part_that_nothing_in_the_directory_uses_has_no_effect(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(HEAD)
    (tmp_path / "part.yaml").write_text("version: 1\nlimits: {in_article: 2}\n")
    (warning,) = check_paths([tmp_path]).warnings
    assert str(warning).startswith(f"{tmp_path / 'part.yaml'}:1:1: warning: found a part that no file beside it uses")


def test_files_of_one_directory_that_claim_the_same_are_doubted_when_each_is_checked_alone(tmp_path: Path) -> None:
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for file in files:
        file.write_text(f"version: 1\nsite: {file.stem}\nhosts: [www.example]\n")
    (warning,) = check_paths(files).warnings
    assert "the host 'www.example' again" in warning.found


segments = st.text("ab*?", min_size=0, max_size=4).filter(lambda s: "**" not in s)
globs = st.lists(st.one_of(segments, st.just("**")), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
paths = st.lists(st.text("abc", max_size=3), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@settings(deadline=None)
@given(globs, globs, st.lists(paths, max_size=30))
def test_a_glob_that_covers_another_matches_all_that_the_other_does(a: str, b: str, tried: list[str]) -> None:
    assert covers(a, a)
    assert covers("/**", b)
    if covers(a, b):
        first, second = compile_glob(a), compile_glob(b)
        assert [path for path in tried if second.match(path) and not first.match(path)] == []


@pytest.mark.parametrize(
    ("glob", "other", "expected"),
    [
        ("/a/**", "/a", True),
        ("/a/**", "/a/*/c", True),
        ("/a/*", "/a/**", False),
        ("/*.html", "/a*.html", True),
        ("/a*.html", "/*.html", False),
        ("/a?", "/ab", True),
        ("/a?", "/a*", False),
        ("/a%3F", "/ab", False),
        ("/caf\u00e9", "/caf%C3%A9", True),
        ("/**/amp", "/x/**/amp", True),
        ("/x/**/amp", "/**/amp", False),
    ],
)
def test_which_globs_cover_which(glob: str, other: str, expected: bool) -> None:
    assert covers(glob, other) is expected
