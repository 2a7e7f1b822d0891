"""Counting words in any script."""

from __future__ import annotations

import pytest

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
