"""All start tags of a page's bytes, found in one go: what guards the parser and what marks the page both ask them.

The scan knows tags and quoted values, but not where it is: in a script it takes ``i<n;`` for a tag, and may swallow a
real tag with it. Nobody may conclude from it that something is a tag, or that nothing is.

It is made by compiled code (`page/scan_native.pyx`, ten times as fast) where adproxy was installed with a compiler at
hand, else by `page.scan_pure`. Both say the same of every page.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from adproxy.page.bounds import Bounds, Problem
from adproxy.page.syntax import Stretch


class Scanned(Protocol):
    """What may be asked of a page's scan. Kinds are names in lower case out of `kinds.KNOWN`."""

    @property
    def html(self) -> bytes:
        """The page."""

    @property
    def tags(self) -> int:
        """How many start tags were found."""

    @property
    def swallowed(self) -> int:
        """How many more there seem to be within the attributes of others. What a real start tag begins with is either
        among these or among the found."""

    @property
    def is_clear(self) -> bool:
        """True if nothing that was swallowed may end outside of what swallowed it: then each real start tag ends where
        the scan says, or lies whole within one that does. False on few pages but those that are made to be misread."""

    @property
    def less_than(self) -> int:
        """How many ``<`` there are."""

    @property
    def behind_body(self) -> int:
        """Offset behind the first ``<body`` of the bytes, whatever it stands in; 0 where there is none."""

    def count(self, kinds: Collection[bytes]) -> int:
        """How many tags, the swallowed too, are of some kinds."""

    def count_swallowed(self, kinds: Collection[bytes]) -> int:
        """How many of the swallowed are."""

    def distinct(self, kinds: Collection[bytes]) -> int:
        """How many different tags of some kinds were found: as spelled, with their attributes."""

    def may_have_more_attributes(self, most: int) -> bool:
        """False if no tag, nor any within one, has more attributes than `most` (one more may pass)."""

    def comparisons_exceed(self, bound: int, most: int) -> bool:
        """Whether there are more pairs of attributes than `bound`, each of both on one tag. Tags of few bytes do not
        count, nor do attributes of a tag beyond the `most` that it may have."""

    def has_few_attributes(self, most: int) -> bool:
        """True if the whole page can be read as the parser reads it, with scripting and without, and no tag in it has
        more attributes than `most`."""

    def follow(self, bounds: Bounds) -> Problem | None:
        """The first bound that the page exceeds, found by following every tag."""

    def holds_adproxy(self) -> bool:
        """Whether ``adproxy`` is among the bytes, as our marks and an editor's comments have it."""

    def offset(self, number: str | None, name: str) -> int:
        """Where the tag with that number begins if that is its name; else, or if the scan is not clear, -1."""

    def bulk(self, least: int) -> list[Stretch]:
        """The texts of so many bytes at least, in their order, of what look like scripts and style sheets; without
        JSON-LD, and where there is no comment in one nor, as far as a glance tells, around it."""

    def marked(
        self, attribute: bytes, kinds: Collection[bytes], left_out: Sequence[Stretch] = (), *, idle: bool = True
    ) -> bytes:
        """A copy with `` attribute=number `` behind the name of each tag of some kinds; unchanged if the scan is not
        clear. The numbers count all tags, from 0.

        `left_out`: of `bulk`; each has `LEFT_OUT` in its place, and its tag is marked too. `idle`: False if attributes
        that nobody asks about (`page.asked`) may be missing, where the parser makes the same of the page without them:
        those with a value in double quotes, of what can't be anything but a tag that is not of formatting, or a text.
        """


def _best() -> tuple[Callable[[bytes], Scanned], bool]:
    if os.environ.get("ADPROXY_PURE_PYTHON") != "1":
        try:
            from adproxy.page import scan_native

            return scan_native.scan, True
        except ImportError:
            pass
    from adproxy.page import scan_pure

    return scan_pure.scan, False


scan, IS_COMPILED = _best()
"""Scans a page, in time that is linear in its bytes, whatever they are; and whether compiled code does it."""
