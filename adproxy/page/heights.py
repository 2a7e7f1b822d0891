"""How high blocks are likely to be, at the two widths that density is estimated at.

A theme's real figures differ; these are the middle of what news sites do: 17 px type in a column of 358 px (390 px less
two margins of 16) on phones, 18 px in a column of 680 px on desktops.
"""

from __future__ import annotations

from functools import lru_cache

from adproxy.model import PerDevice

# Words in a line, CSS px of a line, CSS px between blocks.
_WORDS_PER_LINE = PerDevice(6.8, 12.5)
_LINE = PerDevice(26, 29)
_MARGIN = PerDevice(17, 18)
_COLUMN = PerDevice(358, 680)
_HEADING_LINE = PerDevice(32, 36)
_HEADING_WORDS = PerDevice(5, 9)
_MEDIA = PerDevice(220, 400)
"""A 16:9 picture over the column's width, with a little for its caption."""
_TABLE_ROW = PerDevice(44, 40)
AD = PerDevice(274, 274)
"""An ad of the page's own: the commonest size in articles, 300x250, with its label."""

# Blocks are much alike: most heights were asked for before. So many are kept of each kind.
_KEPT = 1024

# More words than a label and a slogan: an ad that is text, as high as its text.
_AD_WORDS = 8


def existing_ad(words: int, size: tuple[int | None, int | None] | None) -> PerDevice:
    """An ad of the page's own: by its picture or frame, else by its text, else the commonest size."""
    if size is not None and size[0] and size[1]:
        return media(*size)
    return items(words, 1) if words >= _AD_WORDS else AD


def _lines(words: float, per_line: float) -> int:
    return max(1, -int(-words // per_line))


@lru_cache(maxsize=_KEPT)
def items(words: int, count: int) -> PerDevice:
    """A list of so many items, or so many paragraphs."""
    count = max(1, count)
    each = words / count
    return PerDevice(
        count * _lines(each, _WORDS_PER_LINE.phone) * _LINE.phone + _MARGIN.phone,
        count * _lines(each, _WORDS_PER_LINE.desktop) * _LINE.desktop + _MARGIN.desktop,
    )


def paragraph(words: int) -> PerDevice:
    return items(words, 1)


@lru_cache(maxsize=_KEPT)
def heading(words: int) -> PerDevice:
    return PerDevice(
        *(
            _lines(words, per_line) * line + 1.5 * margin
            for per_line, line, margin in zip(_HEADING_WORDS, _HEADING_LINE, _MARGIN, strict=True)
        )
    )


@lru_cache(maxsize=_KEPT)
def table(rows: int) -> PerDevice:
    return PerDevice(*(max(1, rows) * row + margin for row, margin in zip(_TABLE_ROW, _MARGIN, strict=True)))


@lru_cache(maxsize=_KEPT)
def media(width: int | None, height: int | None) -> PerDevice:
    """A picture or frame with those attributes, CSS px; scaled down to the column, never up."""
    if not width or not height:
        return PerDevice(*(m + margin for m, margin in zip(_MEDIA, _MARGIN, strict=True)))
    return PerDevice(
        *(
            min(1.0, column / width) * min(height, 2000) + margin
            for column, margin in zip(_COLUMN, _MARGIN, strict=True)
        )
    )


def plus(a: PerDevice, b: PerDevice) -> PerDevice:
    return PerDevice(a.phone + b.phone, a.desktop + b.desktop)
