"""Counting words in any script."""

from __future__ import annotations

import pytest

from adproxy.page.words import count_words


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
        ("ภาษาไทย", 4),
        ("안녕하세요", 3),
        ("iPhone は高い", 3),
        ("日本 2024 年", 3),
        ("naïve — café", 3),
        ("日本 — !", 1),
        ("𠀀𠀁", 1),
    ],
)
def test_words_are_counted_by_spaces_or_by_every_two_characters(text: str, words: int) -> None:
    assert count_words(text) == words


def test_a_text_has_at_least_the_words_of_its_first_part() -> None:
    assert count_words("a b " + "語" * 10) == 7
