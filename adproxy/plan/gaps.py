"""What forbids a gap of the article to every slot: the editor's "never" list, and what the rules keep clear of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from adproxy.model import Block, BlockFlag, BlockKind, Page, Reason
from adproxy.plan.ruler import Ruler, found, is_heading, is_media
from adproxy.rules.per_revision import PerRevision
from adproxy.rules.ruleset import Distance, KeepClear, Sides, sides

Verdict = tuple[Reason, str, str]
"""Reason, what was required, what was found."""

# Python 3.11 takes longer to look a member up in its enum than to compare it: here they are asked for every gap.
_PARAGRAPH: Final = BlockKind.PARAGRAPH
_MEDIA: Final = BlockKind.MEDIA
_CAPTION: Final = BlockKind.CAPTION
_AD: Final = BlockKind.AD
_FOREIGN: Final = (BlockKind.ASIDE, BlockKind.OTHER)
# So many times what the rules want is far enough from anything.
_ENOUGH: Final = 2.0
# A line of fewer words is rarely read by itself: the labels of a chart, a score, the figures of a table without one.
_SCRAP: Final = 3
_BELONGS_TO_TEXT_BEFORE: Final = (BlockKind.LIST, BlockKind.TABLE, BlockKind.CODE)


class Gaps:
    """By gap between two blocks, why no slot whatever may stand in it; worked out once for all slots."""

    def __init__(self, page: Page, ruler: Ruler, checks: Sequence[Check]) -> None:
        """`checks`: `checks_of` the policy."""
        self._page, self._ruler, self._checks = page, ruler, checks
        self._clearance: dict[int, float] = {}
        self.beside: dict[int, Verdict] = {}
        """For what stands directly beside it."""
        blocks = page.blocks
        # between two plain paragraphs nothing stands in the way: the commonest case
        plain = [block.kind is _PARAGRAPH and not block.flags and block.words >= _SCRAP for block in blocks]
        for gap, (before, after) in enumerate(pairwise(plain), 1):
            if before and after:
                continue
            verdict = _beside(blocks[gap - 1], blocks[gap]) or _behind_heading(blocks, gap)
            if verdict is not None:
                self.beside[gap] = verdict
        self.too_near = _too_near(page, ruler, checks, self.beside)
        """For a distance that the rules want kept; only gaps that are not forbidden already."""

    def clearance(self, gap: int) -> float:
        """How far a gap lies from all that the rules keep clear of: the least of the distances, each as a multiple of
        what the rules want, 2 at most."""
        known = self._clearance.get(gap)
        if known is None:
            known = self._clearance[gap] = min(self._clearances(gap), default=_ENOUGH)
        return known

    def _clearances(self, gap: int) -> Iterator[float]:
        blocks = self._page.blocks
        before_heading = gap < len(blocks) and is_heading(blocks[gap])
        for _, clearance, _, is_it in self._checks:
            if clearance.unless_heading and before_heading:
                continue
            if (wanted := clearance.above).amount > 0:
                sums = self._ruler.sums(wanted.unit)
                for i in range(gap - 1, -1, -1):
                    if (away := sums[gap] - sums[i + 1]) >= _ENOUGH * wanted.amount:
                        break
                    if is_it(blocks[i]):
                        yield away / wanted.amount
                        break
            if (wanted := clearance.below).amount > 0:
                sums = self._ruler.sums(wanted.unit)
                for i in range(gap, len(blocks)):
                    if (away := sums[i] - sums[gap]) >= _ENOUGH * wanted.amount:
                        break
                    if is_it(blocks[i]):
                        yield away / wanted.amount
                        break


def _beside(before: Block, after: Block) -> Verdict | None:
    """The editor's "never" list: what may not stand directly on either side of a slot."""
    if before.kind is after.kind is _PARAGRAPH:
        if before.words < _SCRAP and after.words < _SCRAP:
            found = f"“{before.text}” and “{after.text}”"
            return Reason.SPLITS_GROUP, f"a line of {_SCRAP} words or more on one side", found
        if not before.flags and not after.flags & BlockFlag.HAS_MEDIA:
            return None  # none of the below
    if is_heading(before):
        return Reason.AFTER_HEADING, "no heading directly before", f"“{before.text[:40]}”"
    if before.flags & BlockFlag.LEAD_IN:
        return Reason.AFTER_LEAD_IN, "no text that ends in a colon before", f"“{before.text[:40]}…”"
    between_posts = before.flags & BlockFlag.ENDS_POST
    if after.kind in _BELONGS_TO_TEXT_BEFORE and not between_posts:
        kind = after.kind.value
        return Reason.SPLITS_GROUP, f"nothing between a text and its {kind}", f"a {kind} follows"
    if before.kind is BlockKind.CODE and after.kind is _PARAGRAPH and not is_heading(after):
        return Reason.SPLITS_GROUP, "nothing between code and the text about it", "code directly before"
    pictures = before.kind is _MEDIA and after.kind is _MEDIA
    if pictures or _CAPTION in (before.kind, after.kind):
        return Reason.SPLITS_GROUP, "nothing between pictures and captions", "a picture or caption beside it"
    if is_media(before) or is_media(after):
        return Reason.NEAR_MEDIA, "text between slot and media", "media directly beside it"
    if _AD in (before.kind, after.kind):
        return Reason.NEAR_EXISTING_AD, "text between slot and ad", "an ad of the page directly beside it"
    if (before.kind in _FOREIGN or after.kind in _FOREIGN) and not between_posts:
        return Reason.NEAR_ASIDE, "the article's own text on both sides", "a foreign box beside it"
    if before.flags & BlockFlag.KEEP_WITH_NEXT:
        return Reason.SPLITS_GROUP, "nothing between a quotation and its source", "the source follows"
    if before.flags & BlockFlag.OPEN_SENTENCE and after.text[:1].islower():
        return Reason.MID_SENTENCE, "a sentence that ends before it", f"“{before.text[:40]}…”"
    return None


def _behind_heading(blocks: Sequence[Block], gap: int) -> Verdict | None:
    """Before a heading is fine, but not where a foreign box ("Main article: …") comes right behind it: that box is what
    a reader would find below the slot. Nor where a heading of one word is all that parts the slot from a picture."""
    if gap + 1 >= len(blocks) or not is_heading(heading := blocks[gap]):
        return None
    behind = blocks[gap + 1]
    if behind.kind in _FOREIGN:
        return Reason.NEAR_ASIDE, "the article's own text on both sides", "a foreign box right behind the heading"
    if heading.words < 2 and is_media(behind):
        return Reason.NEAR_MEDIA, "text between slot and media", "a heading of one word between them"
    return None


def _too_near(page: Page, ruler: Ruler, checks: Sequence[Check], beside: Mapping[int, Verdict]) -> dict[int, Verdict]:
    """By gap: the first of the rules' distances that is not kept there, the nearest such block above it first."""
    blocks = page.blocks
    # Plain text is nothing that a rule keeps a distance from.
    notable = [(i, b) for i, b in enumerate(blocks) if b.kind is not _PARAGRAPH or b.flags or b.avoided]
    verdicts: dict[int, Verdict] = {}
    for reason, clearance, of_what, is_it in checks if notable else ():
        above, below = clearance.above, clearance.below
        hits = [i for i, block in notable if is_it(block)]
        if not hits:
            continue
        # Every gap is looked at from the nearest hit on either side of it, and no farther than the distance goes.
        near: list[tuple[int, Distance, float]] = []
        sums = ruler.sums(above.unit)
        for hit, following in pairwise((*hits, len(blocks))):
            for gap in range(hit + 1, following + 1):
                amount = sums[gap] - sums[hit + 1]
                if amount >= above.amount:
                    break
                near.append((gap, above, amount))
        sums = ruler.sums(below.unit)
        for preceding, hit in pairwise((-1, *hits)):
            for gap in range(hit, preceding, -1):
                amount = sums[hit] - sums[gap]
                if amount >= below.amount:
                    break
                near.append((gap, below, amount))
        for gap, distance, amount in near:
            if gap in verdicts or gap in beside:
                continue
            if clearance.unless_heading and gap < len(blocks) and is_heading(blocks[gap]):
                continue
            verdicts[gap] = reason, f"{distance} {of_what}", found(amount, distance)
    return verdicts


Check = tuple[Reason, Sides, str, Callable[[Block], bool]]
"""The reason to refuse a gap, how far it must stay away on either side, from what (in words), and how that is told."""


def checks(keep: KeepClear) -> tuple[Check, ...]:
    """All that the rules keep clear of, in the order in which it is told."""
    known: list[Check] = [
        (Reason.AFTER_HEADING, Sides(above=keep.after_heading), "after a heading", is_heading),
        (Reason.NEAR_MEDIA, sides(keep.around_media), "from media", is_media),
        (Reason.NEAR_EXISTING_AD, sides(keep.around_existing_ads), "from the page's own ads", _is(BlockKind.AD)),
        (Reason.NEAR_ASIDE, sides(keep.around_asides), "from foreign boxes", _is(BlockKind.ASIDE)),
        (Reason.NEAR_AVOIDED, Sides(below=keep.before_heading, unless_heading=True), "before a heading", is_heading),
        (Reason.NEAR_AVOIDED, sides(keep.around_lists), "from a list", _is(BlockKind.LIST)),
        (Reason.NEAR_AVOIDED, sides(keep.around_tables), "from a table", _is(BlockKind.TABLE)),
        (Reason.NEAR_AVOIDED, sides(keep.around_quotes), "from a quotation", _is(BlockKind.QUOTE)),
        (Reason.NEAR_AVOIDED, sides(keep.around_code), "from code", _is(BlockKind.CODE)),
        (Reason.NEAR_AVOIDED, sides(keep.around_captions), "from a caption", _is(BlockKind.CAPTION)),
        *(
            (Reason.NEAR_AVOIDED, sides(clearance), f"from {selector}", _matches(n))
            for n, (selector, clearance) in enumerate(keep.around)
        ),
    ]
    return tuple(check for check in known if check[1].above.amount > 0 or check[1].below.amount > 0)


checks_of: Final = PerRevision(lambda policy: checks(policy.keep_clear))
"""The same of a policy."""


def _is(kind: BlockKind) -> Callable[[Block], bool]:
    return lambda block: block.kind is kind


def _matches(n: int) -> Callable[[Block], bool]:
    """Tells the blocks that the n-th of the rules' own selectors matches."""
    return lambda block: n in block.avoided
