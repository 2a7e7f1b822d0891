"""How high blocks are likely to be, at the two widths that density is estimated at.

All follows from the article's layout: the column's width, the size of its type, the height of its lines, the space
between its paragraphs, as the rules state them or as most news sites have them (`rules.ruleset.LAYOUT`). The factors
below were fitted to what Chromium shows of the same articles in a dozen themes (tests/benchmarks/density_bench.py).
Where the middle of the themes leaves a choice, the lower height was taken: a page must not get more ads than it bears.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from adproxy.model import PerDevice
from adproxy.rules.ruleset import LAYOUT, Layout, LayoutPerDevice

_CHARACTER: Final = 0.48
"""Width of a character of European prose, spaces included, in parts of the type's size, in the middle of the faces that
pages are set in (Times is narrower, Verdana wider); the rules may state it."""
WIDE: Final = 1 / _CHARACTER
"""Of a Chinese or Japanese character, which is as wide as it is high, in those others."""
_RAGGED: Final = 2.5
"""Characters that a line is short of its width at the end: half a word."""
_LEAST_PER_LINE: Final = 8

_INDENT: Final = 2.0
"""Of lists and quotations, in type sizes."""
_ITEM: Final = 0.1
"""Between the items of a list, in lines."""
_HEADING_SIZES: Final = {"h1": 2.0, "h2": 1.5, "h3": 1.25}
_OTHER_HEADING: Final = 1.1
"""Type of headings in parts of the text's."""
_HEADING_LINE: Final = 1.25
"""Line of a heading in parts of its type's size."""
_HEADING_SPACE: Final = 1.5
"""Above and below a heading, in the space between paragraphs."""
_ROW: Final = 1.35
"""A table's row of one line, in lines of the text: the line and the padding."""
_CELL_LINE: Final = 0.9
"""Each further line in a row, in lines of the text."""
_CODE_LINE: Final = 0.65
"""A line of code in lines of the text."""
_CODE_PADDING: Final = 1.0
"""Around a listing, in type sizes."""
_MEDIA: Final = 0.6
"""A picture without figures: its height in widths of the column, between 16:9 and 3:2."""
_TALLEST: Final = 2000
"""CSS px: what says to be taller is cut."""
_LABEL_AND_SLOGAN: Final = 8
"""Words: an ad that has more of them is as high as its text."""
AD: Final = PerDevice(274, 274)
"""An ad of the page's own: the commonest size in articles, 300x250, with its label."""

_LAYOUTS_KEPT: Final = 64

# Ideographs, kana, Hangul and their punctuation; full-width forms.
WIDE_RUN: Final = re.compile(
    "[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff00-\uff60\U00020000-\U0003134f]+"
)


def width_of(text: str, words: int) -> int:
    """The length of a text as it is set, in characters of European prose.

    `words`: as `page.words` counts them, where two characters without spaces make one: in a text of wide characters
    words are short.
    """
    chars = len(text)
    if chars >= 4 * words or text.isascii():
        return chars
    wide = sum(map(len, WIDE_RUN.findall(text)))
    return chars + round(wide * (WIDE - 1))


def plus(a: PerDevice, b: PerDevice) -> PerDevice:
    return PerDevice(a.phone + b.phone, a.desktop + b.desktop)


class _Column:
    """Heights on one device, CSS px."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._character = layout.character or _CHARACTER * layout.font
        self._per_line = self._characters(layout.column)
        self._per_indented = self._characters(layout.column - _INDENT * layout.font)

    def _characters(self, width: float, size: float = 1.0) -> float:
        """In a line of that width, for type of so many times the text's size."""
        return max(_LEAST_PER_LINE, width / (self._character * size) - _RAGGED)

    def paragraph(self, width: int) -> float:
        return _lines(width, self._per_line) * self._layout.line + self._layout.margin

    def items(self, width: int, count: int) -> float:
        lines = count * _lines(width / count, self._per_indented)
        return (lines + (count - 1) * _ITEM) * self._layout.line + self._layout.margin

    def heading(self, width: int, tag: str) -> float:
        size = _HEADING_SIZES.get(tag, _OTHER_HEADING)
        lines = _lines(width, self._characters(self._layout.column, size))
        return lines * size * _HEADING_LINE * self._layout.font + _HEADING_SPACE * self._layout.margin

    def table(self, rows: int, width: int) -> float:
        further = max(0.0, width / self._per_line - rows)
        return (rows * _ROW + further * _CELL_LINE) * self._layout.line + self._layout.margin

    def code(self, lines: int) -> float:
        return lines * _CODE_LINE * self._layout.line + _CODE_PADDING * self._layout.font + self._layout.margin

    def media(self, width: int | None, height: int | None) -> float:
        column = self._layout.column
        if not width or not height:
            return _MEDIA * column + self._layout.margin
        return min(1.0, column / width) * min(height, _TALLEST) + self._layout.margin


def _lines(width: float, per_line: float) -> int:
    return max(1, -int(-width // per_line))


class Heights:
    """Heights of blocks in one layout. Widths of texts are those of `width_of`."""

    def __init__(self, layout: LayoutPerDevice) -> None:
        self._phone, self._desktop = _Column(layout.phone), _Column(layout.desktop)

    def paragraph(self, width: int) -> PerDevice:
        """A paragraph, or what stands alone in a line."""
        return PerDevice(self._phone.paragraph(width), self._desktop.paragraph(width))

    def items(self, width: int, count: int) -> PerDevice:
        """A list of so many items, or so many paragraphs of a quotation."""
        count = max(1, count)
        return PerDevice(self._phone.items(width, count), self._desktop.items(width, count))

    def heading(self, width: int, tag: str) -> PerDevice:
        """A heading of that tag."""
        return PerDevice(self._phone.heading(width, tag), self._desktop.heading(width, tag))

    def table(self, rows: int, width: int) -> PerDevice:
        """A table of so many rows."""
        rows = max(1, rows)
        return PerDevice(self._phone.table(rows, width), self._desktop.table(rows, width))

    def code(self, lines: int) -> PerDevice:
        """A listing of so many lines."""
        return PerDevice(self._phone.code(lines), self._desktop.code(lines))

    def media(self, width: int | None, height: int | None) -> PerDevice:
        """A picture or frame with those attributes, CSS px; scaled down to the column, never up."""
        return PerDevice(self._phone.media(width, height), self._desktop.media(width, height))

    def existing_ad(self, width: int, words: int, size: tuple[int | None, int | None] | None) -> PerDevice:
        """An ad of the page's own: by its picture or frame, else by its text, else the commonest size."""
        if size is not None and size[0] and size[1]:
            return self.media(*size)
        if words < _LABEL_AND_SLOGAN:
            return AD
        return plus(self.paragraph(width), self.paragraph(0))  # its text, and the label's line


@lru_cache(_LAYOUTS_KEPT)
def heights_for(layout: LayoutPerDevice) -> Heights:
    """Heights in a layout, the same object for the same layout."""
    return Heights(layout)


USUAL: Final = heights_for(LAYOUT)
"""Where the rules state no layout."""
