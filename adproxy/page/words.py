"""Counting words in any script."""

from __future__ import annotations

import re

# Scripts that put no spaces between words: Thai, Lao, Burmese, Khmer, kana, Han, Hangul syllables (spaced, but long),
# with the compatibility ideographs. Two of their characters count as one word.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003134f]"
)


def count_words(text: str) -> int:
    """Words of a text: runs between white space; in scripts without spaces, every two characters are one word."""
    if text.isascii():
        return len(text.split())
    unspaced = len(_UNSPACED.findall(text))
    if not unspaced:
        return len(text.split())
    rest = _UNSPACED.sub(" ", text)
    return (unspaced + 1) // 2 + sum(1 for part in rest.split() if any(c.isalnum() for c in part))
