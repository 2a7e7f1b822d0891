"""Counting words in any script: by compiled code (`page/words_native.pyx`) where adproxy was installed with a compiler
at hand, else in Python; a page's texts are read letter by letter, and nothing else about them takes as long."""

from __future__ import annotations

import os
from collections.abc import Callable

from adproxy.page import words_pure

Fold = Callable[[str], tuple[str, int]]
Count = Callable[[str], int]


def _best() -> tuple[Fold, Count, bool]:
    if os.environ.get("ADPROXY_PURE_PYTHON") != "1":
        try:
            from adproxy.page import words_native

            return words_native.fold, words_native.count_words, True
        except ImportError:
            pass
    return words_pure.fold, words_pure.count_words, False


fold, count_words, IS_COMPILED = _best()
"""A text with its white space folded, and how many words it has; how many words a text has."""
