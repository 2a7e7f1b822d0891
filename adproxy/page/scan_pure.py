"""The scan in Python, for where nothing could be compiled; the compiled one is held to it.

Taken apart by one regular expression, the page is a list of pieces; what is asked later is counted from those.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from itertools import accumulate

from adproxy.page import follow_pure
from adproxy.page.asked import is_asked
from adproxy.page.bounds import Bounds, Problem
from adproxy.page.kinds import BULK, FOREIGN, FORMATTING, HIDING
from adproxy.page.syntax import (
    EACH_ATTRIBUTE,
    LEFT_OUT,
    LOOKED_BACK,
    MOST_READ_WITHIN,
    MOST_WITHIN,
    NOTABLE,
    REST_OF_TAG,
    Stretch,
    has_more_attributes,
)

_START_TAG = re.compile(rb"(<[a-zA-Z][^\t\n\f\r />]*+)(" + REST_OF_TAG + rb")")
_NAME = re.compile(rb"<[a-zA-Z][^\t\n\f\r />]*+")
_LESS_THAN = ord("<")  # a byte is found in bytes three times as fast by its number
_WHITE = b"\t\n\f\r "
# What a tag within another may have in front of each of its attributes.
_SEPARATORS = (b" ", b"\t", b"\n", b"\f", b"\r", b"/", b'"', b"'")
_ENDS = {kind: re.compile(rb"</" + kind + rb"(?=[\t\n\f\r />])", re.I) for kind in BULK | HIDING}
# An end tag with more than a name; what begins with "<!", is no comment, and ends behind another "<".
_LONG_END = re.compile(rb"</(?=([^\t\n\f\r />]*+[\t\n\f\r /]++)[^>])")
_LONG_DECLARATION = re.compile(rb"<!(?!--)[^<>]*+<")
_REST = re.compile(REST_OF_TAG)
_QUOTED = re.compile(rb"([\t\n\f\r /]*+)([a-zA-Z][^\t\n\f\r />=]*+)=\"[^\"<>&]*+\"")
_EQUALS = re.compile(rb"[\t\n\f\r ]*+=")
_BODY = re.compile(rb"<[bB][oO][dD][yY](?=[\t\n\f\r />])")


class Scanned:
    """See `page.scan.Scanned`."""

    def __init__(self, html: bytes) -> None:
        self.html = html
        # text, `<name`, rest of the tag, text, … ; together they are the page
        self._pieces = _START_TAG.split(html)
        self._names, self._rests = self._pieces[1::3], self._pieces[2::3]
        # on most pages none
        self._swallowing = [rest for rest in self._rests if _LESS_THAN in rest and _NAME.search(rest)]
        # What a real start tag begins with is either among these or among the names: whatever it may be mistaken for,
        # be it value, comment or script, ends before the tag begins, by one of the bytes that end a name.
        self._swallowed = [name for rest in self._swallowing for name in _NAME.findall(rest)]
        self.tags, self.swallowed = len(self._names), len(self._swallowed)
        self.is_clear = not any(map(_may_be_left, self._swallowing)) or self._ends_within()

    def _ends_within(self) -> bool:
        """True if all that was swallowed would end where what swallowed it does, or before."""
        looked_at = read = 0
        for begins, name, rest in zip(self._offsets, self._names, self._rests, strict=False):
            if _LESS_THAN not in rest or not _may_be_left(rest):
                continue
            start = begins + len(name)
            end = start + len(rest)
            for inner in _NAME.finditer(self.html, start, end):
                looked_at += 1
                if looked_at > MOST_WITHIN or read > MOST_READ_WITHIN:
                    return False
                found = _START_TAG.match(self.html, inner.start())
                if found is None or found.end() > end:
                    return False
                read += found.end() - inner.start()
        return True

    @cached_property
    def less_than(self) -> int:
        return self.html.count(b"<")

    @cached_property
    def behind_body(self) -> int:
        found = _BODY.search(self.html)
        return found.end() if found else 0

    @cached_property
    def _kinds(self) -> Counter[bytes]:
        return _by_kind(self._names)

    @cached_property
    def _swallowed_kinds(self) -> Counter[bytes]:
        return _by_kind(self._swallowed)

    @cached_property
    def _offsets(self) -> list[int]:
        # tag i begins where the first 3i + 1 pieces end
        return list(accumulate(map(len, self._pieces)))[0::3]

    def count(self, kinds: Collection[bytes]) -> int:
        return self.count_swallowed(kinds) + sum(n for kind, n in self._kinds.items() if kind in kinds)

    def count_swallowed(self, kinds: Collection[bytes]) -> int:
        return sum(n for kind, n in self._swallowed_kinds.items() if kind in kinds)

    def distinct(self, kinds: Collection[bytes]) -> int:
        spelled = {name for name in set(self._names) if name[1:].lower() in kinds}
        return len({(name, rest) for name, rest in zip(self._names, self._rests, strict=True) if name in spelled})

    def may_have_more_attributes(self, most: int) -> bool:
        long = 2 * most  # each attribute is at least a letter and a space
        if max(map(len, self._rests), default=0) <= long:
            return False
        return any(sum(map(rest.count, _SEPARATORS)) > most for rest in self._swallowing if len(rest) > long) or any(
            has_more_attributes(rest, most) for rest in self._rests if len(rest) > long
        )

    def comparisons_exceed(self, bound: int, most: int) -> bool:
        notable = [rest for rest in self._rests if len(rest) > NOTABLE]
        # at least two bytes each; nearly every page ends here
        if sum(min(len(rest) // 2, most) ** 2 for rest in notable) // 2 <= bound:
            return False
        return sum(min(len(EACH_ATTRIBUTE.findall(rest)), most) ** 2 for rest in notable) // 2 > bound

    def holds_adproxy(self) -> bool:
        return b"adproxy" in self.html

    def has_few_attributes(self, most: int) -> bool:
        return follow_pure.has_few_attributes(self.html, most)

    def follow(self, bounds: Bounds) -> Problem | None:
        return follow_pure.follow(self.html, bounds)

    def offset(self, number: str | None, name: str) -> int:
        # isascii: "²".isdigit() is true, and int() would raise
        if number is None or not self.is_clear or not (number.isascii() and number.isdigit() and len(number) < 9):
            return -1
        i = int(number)
        if i >= self.tags:
            return -1
        return self._offsets[i] if self._names[i][1:].lower() == name.encode() else -1

    @cached_property
    def _passed_by(self) -> list[tuple[bytes, int, int, int]]:
        """The elements whose text is of no interest, in their order and none within another: kind, number of the tag,
        where the text begins and ends; behind the page where it does not."""
        html, found, past = self.html, [], 0
        for number, (name, rest, begins) in enumerate(zip(self._names, self._rests, self._offsets, strict=False)):
            kind = name[1:].lower()
            start = begins + len(name) + len(rest) + 1
            if begins < past or kind not in _ENDS or html[start - 1 : start] != b">":
                continue
            end = _ENDS[kind].search(html, start)
            past = end.start() if end is not None else len(html) + 1
            found.append((kind, number, start, past))
        return found

    def bulk(self, least: int) -> list[Stretch]:
        html, found = self.html, []
        for kind, number, start, end in self._passed_by:
            rest, begins = self._rests[number], self._offsets[number]
            if end > len(html) or kind in HIDING or end - start < least or b"&" in rest or b"ld+json" in rest.lower():
                continue
            before = html[max(0, begins - LOOKED_BACK) : begins]
            if before.rfind(b"<!--") <= before.rfind(b"-->") and html.find(b"<!--", begins, end) < 0:
                found.append((number, start, end))
        return found

    def _shadows(self) -> list[tuple[int, int]]:
        """Where end tags and doctypes begin, and up to where what looks like a tag may be within them."""
        found: list[tuple[int, int]] = []
        for read, long in enumerate(_LONG_END.finditer(self.html)):
            if read == MOST_WITHIN:
                found.append((long.start(), len(self.html)))
                break
            rest = _REST.match(self.html, long.end(1))
            found.append((long.start(), rest.end() if rest is not None else len(self.html)))
        if (declared := _LONG_DECLARATION.search(self.html)) is not None:
            found.append((declared.start(), len(self.html)))
        return sorted(found)

    def _without_idle(self) -> list[bytes]:
        """The rests of all tags, without the attributes that nobody asks about."""
        shadows, texts = deque(self._shadows()), deque(self._passed_by)
        lean: list[bytes] = []
        past = shadow = 0
        for name, rest, begins in zip(self._names, self._rests, self._offsets, strict=False):
            kind = name[1:].lower()
            while shadows and shadows[0][0] < begins:
                shadow = max(shadow, shadows.popleft()[1])
            while texts and texts[0][2] <= begins:
                within, _, _, end = texts.popleft()
                past = past if within in FOREIGN else end
            is_read = begins >= shadow and begins >= past
            is_one = name.find(b"<", 1) < 0 and _LESS_THAN not in rest
            lean.append(EACH_ATTRIBUTE.sub(_if_asked, rest) if is_read and is_one and kind not in FORMATTING else rest)
        return lean

    def marked(
        self, attribute: bytes, kinds: Collection[bytes], left_out: Sequence[Stretch] = (), *, idle: bool = True
    ) -> bytes:
        if not self.is_clear:  # a mark might get into a tag, or a tag might go without its own
            return self.html
        spelled = {name for name in set(self._names) if name[1:].lower() in kinds}
        copy = self._pieces.copy()
        if not idle and not self.count((b"plaintext",)):  # all that follows it is text
            copy[2::3] = self._without_idle()
        copy[1::3] = [
            name + b" %s=%d " % (attribute, i) if name in spelled else name for i, name in enumerate(self._names)
        ]
        if not left_out:
            return b"".join(copy)
        parts: list[bytes] = []
        taken = 0
        for number, _, end in left_out:
            tag = 3 * number
            parts += copy[taken : tag + 1]
            parts += (b"%s %s=%d " % (self._names[number], attribute, number), copy[tag + 2], b">", LEFT_OUT)
            # the first tag behind it, with as much of the text before that as is not left out
            following = bisect_left(self._offsets, end)
            taken = 3 * following
            behind = self._offsets[following] if following < self.tags else len(self.html)
            parts.append(self.html[end:behind])
            taken += 1
        return b"".join((*parts, *copy[taken:]))


def scan(html: bytes) -> Scanned:
    return Scanned(html)


def _by_kind(names: Iterable[bytes]) -> Counter[bytes]:
    kinds: Counter[bytes] = Counter()
    for name, n in Counter(names).items():
        kinds[name[1:].lower()] += n
    return kinds


def _if_asked(attribute: re.Match[bytes]) -> bytes:
    """An attribute as it stands, or only what is before it if nobody asks about it.

    One goes only if that changes nothing else, whatever the parser takes it for: no quote is without its other one, no
    comment or CDATA ends in it, and the one before it, which may have no value, is not followed by an equals sign.
    """
    quoted = _QUOTED.fullmatch(attribute[0])
    if quoted is None or is_asked(quoted[2]) or _EQUALS.match(attribute.string, attribute.end()):
        return attribute[0]
    return quoted[1]


def _may_be_left(rest: bytes) -> bool:
    """True if a tag within the rest of another may go on behind it.

    Both end at the same ">" unless the inner one is within a quoted value there. Such a value begins at the last quote
    of its kind in the rest, and behind an "=".
    """
    return any(rest[: rest.rfind(quote)].rstrip(_WHITE).endswith(b"=") for quote in (b'"', b"'") if quote in rest)
