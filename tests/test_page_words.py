"""Counting words in any script."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adproxy.page import words_pure
from adproxy.page.words import count_words, fold


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        (" \t\n", 0),
        ("one", 1),
        (" one  two\nthree ", 3),
        ("don't re-use e.g. this", 4),
        ("naïve café", 2),
        ("Привет мир", 2),
        ("مرحبا بالعالم اليوم", 3),
        ("शुभ प्रभात", 2),
        ("日本", 1),
        ("日本語", 2),
        ("これは日本語です。", 4),
        ("ภาษาไทย", 2),
        ("ท่าเรือในตอนเช้าเงียบสงบ", 6),
        ("ภาษาไทย 2024 日本", 4),
        ("ພາສາລາວ", 2),
        ("안녕하세요", 3),
        ("iPhone は高い", 3),
        ("日本 2024 年", 3),
        ("naïve — café", 3),
        ("日本 — !", 1),
        ("𠀀𠀁", 1),
    ],
)
def test_words_are_counted_by_spaces_or_by_every_two_or_four_characters(text: str, words: int) -> None:
    assert count_words(text) == words


def test_a_text_has_at_least_the_words_of_its_first_part() -> None:
    assert count_words("a b " + "語" * 10) == 7


@pytest.mark.parametrize("space", [chr(i) for i in range(0x3001) if chr(i).isspace()], ids=lambda c: f"U+{ord(c):04X}")
@pytest.mark.parametrize("text", ["one{}two", "{0}one two{0}", "one {}two", "{}", "naïve — ca{}fé", "日本{}語 — one"])
def test_white_space_of_every_kind_is_folded(text: str, space: str) -> None:
    text = text.format(space)
    assert fold(text) == (" ".join(text.split()), count_words(text))


@pytest.mark.parametrize(
    "text", ["", "one two", "soft\u00adhyphen here", "zero\u200bwidth here", "\ud800 lone", "a\0b c"]
)
def test_what_is_no_white_space_stays(text: str) -> None:
    assert fold(text) == (text, count_words(text))


# --- compiled and not ---------------------------------------------------------------------------

LETTERS = " \t\n\r\x0b\x1c\x1f\x85\xa0\u2003\u3000\u200b\xadab.-_“”é€ж日本ไท😀𠀀"


def native() -> ModuleType:
    """The compiled module; skips the test where nothing could be compiled."""
    try:
        return importlib.import_module("adproxy.page.words_native")
    except ImportError:
        pytest.skip("adproxy was installed without a compiler")


@given(text=st.one_of(st.text(st.sampled_from(LETTERS), max_size=40), st.text(max_size=40)))
def test_the_compiled_count_is_that_in_python(text: str) -> None:
    compiled = native()
    folded = compiled.fold(text)
    assert folded == words_pure.fold(text)
    assert hash(folded[0]) == hash(words_pure.fold(text)[0]), "equal texts that are made otherwise"
    assert compiled.count_words(text) == words_pure.count_words(text)


@pytest.mark.parametrize("length", [1, 2, 70_000])
@pytest.mark.parametrize("letter", ["a", "é", "“", "😀", "日"])
def test_so_it_is_in_texts_of_any_width_and_length(letter: str, length: int) -> None:
    for text in (f"  {letter * 3}\n" * length, letter * length, f" {letter}" * length):
        assert native().fold(text) == words_pure.fold(text)
        assert native().count_words(text) == words_pure.count_words(text)


def test_nothing_but_texts_is_counted() -> None:
    for other in (None, b"one two", 12):
        with pytest.raises(TypeError):
            native().fold(other)
        with pytest.raises(TypeError):
            native().count_words(other)


def test_the_compiled_count_is_that_of_its_source() -> None:
    source = Path(words_pure.__file__).with_name("words_native.pyx")
    made_from = hashlib.sha256(source.read_bytes()).hexdigest()
    assert made_from == native().SOURCE, "the source was changed since it was compiled: make .venv/product"
