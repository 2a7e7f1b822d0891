"""Counting words in any script."""

from __future__ import annotations

import re

# Scripts that put no spaces between words, or few. Kana, Han, Hangul syllables (spaced, but long), and ideographs for
# compatibility: two of their characters count as one word.
_IDEOGRAPHS = re.compile(
    "[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003134f]+"
)
# Thai, Lao, Burmese, Khmer: letters, vowel signs and tone marks, four of which count as one word. Five sentences of
# Thai, 440 characters, had 122 words when they were parted by hand, and 103 in English.
_LETTERS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+")
# The bytes that such a character begins with in UTF-8, and some others: a text without them needs no closer look.
# Western punctuation (E2) is not among them.
_LEADS = bytes((0xE0, 0xE1, *range(0xE3, 0xEE), 0xEF, 0xF0))
# From its first letter or digit to its end: one match for each run of non-space that has any.
_WORD = re.compile(r"[^\W_]\S*")


def _unspaced_words(text: str) -> int | None:
    """Words of a text with characters of such scripts; None where it has none."""
    if text.isascii():
        return None
    encoded = text.encode("utf-8", "replace")  # a lone surrogate is no letter
    if len(encoded.translate(None, _LEADS)) == len(encoded):
        return None
    without, runs = _IDEOGRAPHS.subn(" ", text)
    rest, others = _LETTERS.subn(" ", without)
    if not runs and not others:
        return None
    ideographs = len(text) - len(without) + runs
    letters = len(without) - len(rest) + others
    return (ideographs + 1) // 2 + (letters + 3) // 4 + len(_WORD.findall(rest))


def count_words(text: str) -> int:
    """Words of a text: runs between white space; in scripts without spaces, every two characters are one word,
    or every four letters."""
    unspaced = _unspaced_words(text)
    return len(text.split()) if unspaced is None else unspaced


def fold(text: str) -> tuple[str, int]:
    """A text with its white space folded, and how many words it has."""
    text = text.strip()
    unspaced = _unspaced_words(text)
    if "  " not in text and text.isprintable():  # no other white space than the space is printable
        words = text.count(" ") + 1 if text else 0
    else:
        parts = text.split()
        text, words = " ".join(parts), len(parts)
    return text, words if unspaced is None else unspaced
