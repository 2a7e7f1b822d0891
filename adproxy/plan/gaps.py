"""What forbids a gap of the article to every slot: the editor's "never" list, and what the rules keep clear of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

from adproxy.model import Block, BlockFlag, BlockKind, Page, Reason
from adproxy.plan.ruler import Ruler, found, is_heading, is_media
from adproxy.rules.ruleset import Distance, KeepClear

Verdict = tuple[Reason, str, str]
"""Reason, what was required, what was found."""

# Python 3.11 takes longer to look a member up in its enum than to compare it: here they are asked for every gap.
_PARAGRAPH, _MEDIA, _CAPTION, _AD = BlockKind.PARAGRAPH, BlockKind.MEDIA, BlockKind.CAPTION, BlockKind.AD
_FOREIGN = (BlockKind.ASIDE, BlockKind.OTHER)
# So many times what the rules want is far enough from anything.
_ENOUGH = 2.0
_BELONGS_TO_TEXT_BEFORE = (BlockKind.LIST, BlockKind.TABLE, BlockKind.CODE)


class Gaps:
    """By gap between two blocks, why no slot whatever may stand in it; worked out once for all slots."""

    def __init__(self, page: Page, ruler: Ruler, keep: KeepClear) -> None:
        self._page, self._ruler, self._keep = page, ruler, keep
        self._clearance: dict[int, float] = {}
        self.beside: dict[int, Verdict] = {}
        """For what stands directly beside it."""
        for gap, (before, after) in enumerate(pairwise(page.blocks), 1):
            verdict = _beside(before, after)
            if verdict is not None:
                self.beside[gap] = verdict
        self.too_near = _too_near(page, ruler, keep, self.beside)
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
        for reason, distance, _, is_it in _checks(self._keep):
            if distance.amount <= 0:
                continue
            sums, enough = self._ruler.sums(distance.unit), _ENOUGH * distance.amount
            for i in range(gap - 1, -1, -1):
                if sums[gap] - sums[i + 1] >= enough:
                    break
                if is_it(blocks[i]):
                    yield (sums[gap] - sums[i + 1]) / distance.amount
                    break
            if reason is Reason.AFTER_HEADING:
                continue
            for i in range(gap, len(blocks)):
                if sums[i] - sums[gap] >= enough:
                    break
                if is_it(blocks[i]):
                    yield (sums[i] - sums[gap]) / distance.amount
                    break


def _beside(before: Block, after: Block) -> Verdict | None:
    """The editor's "never" list: what may not stand directly on either side of a slot."""
    if before.kind is after.kind is _PARAGRAPH and not before.flags and not after.flags & BlockFlag.HAS_MEDIA:
        return None  # the commonest case, and none of the below
    if is_heading(before):
        return Reason.AFTER_HEADING, "no heading directly before", f"“{before.text[:40]}”"
    if before.flags & BlockFlag.LEAD_IN:
        return Reason.AFTER_LEAD_IN, "no text that ends in a colon before", f"“{before.text[:40]}…”"
    if after.kind in _BELONGS_TO_TEXT_BEFORE:
        kind = after.kind.value
        return Reason.SPLITS_GROUP, f"nothing between a text and its {kind}", f"a {kind} follows"
    pictures = before.kind is _MEDIA and after.kind is _MEDIA
    if pictures or _CAPTION in (before.kind, after.kind):
        return Reason.SPLITS_GROUP, "nothing between pictures and captions", "a picture or caption beside it"
    if is_media(before) or is_media(after):
        return Reason.NEAR_MEDIA, "text between slot and media", "media directly beside it"
    if _AD in (before.kind, after.kind):
        return Reason.NEAR_EXISTING_AD, "text between slot and ad", "an ad of the page directly beside it"
    if before.kind in _FOREIGN or after.kind in _FOREIGN:
        return Reason.NEAR_ASIDE, "the article's own text on both sides", "a foreign box beside it"
    if before.flags & BlockFlag.KEEP_WITH_NEXT:
        return Reason.SPLITS_GROUP, "nothing between a quotation and its source", "the source follows"
    if before.flags & BlockFlag.OPEN_SENTENCE and after.text[:1].islower():
        return Reason.MID_SENTENCE, "a sentence that ends before it", f"“{before.text[:40]}…”"
    return None


def _too_near(page: Page, ruler: Ruler, keep: KeepClear, beside: Mapping[int, Verdict]) -> dict[int, Verdict]:
    """By gap: the first of the rules' distances that is not kept there, the nearest such block before it first."""
    # Plain text is nothing that a rule keeps a distance from.
    notable = [(i, b) for i, b in enumerate(page.blocks) if b.kind is not _PARAGRAPH or b.flags or b.avoided]
    verdicts: dict[int, Verdict] = {}
    for reason, distance, of_what, is_it in _checks(keep):
        hits = [i for i, block in notable if is_it(block)] if distance.amount > 0 else []
        if not hits:
            continue
        required, sums = f"{distance} {of_what}", ruler.sums(distance.unit)
        # Every gap is looked at from the nearest hit on either side of it, and no farther than the distance goes.
        for hit, following in pairwise((*hits, len(page.blocks))):
            for gap in range(hit + 1, following + 1):
                amount = sums[gap] - sums[hit + 1]
                if amount >= distance.amount:
                    break
                if gap not in verdicts and gap not in beside:
                    verdicts[gap] = reason, required, found(amount, distance)
        if reason is Reason.AFTER_HEADING:
            continue  # before a heading is fine
        for preceding, hit in pairwise((-1, *hits)):
            for gap in range(hit, preceding, -1):
                amount = sums[hit] - sums[gap]
                if amount >= distance.amount:
                    break
                if gap not in verdicts and gap not in beside:
                    verdicts[gap] = reason, required, found(amount, distance)
    return verdicts


def _checks(keep: KeepClear) -> list[tuple[Reason, Distance, str, Callable[[Block], bool]]]:
    """All that the rules keep clear of: the reason, the distance, that in words, and how to tell such a block."""
    checks: list[tuple[Reason, Distance, str, Callable[[Block], bool]]] = [
        (Reason.AFTER_HEADING, keep.after_heading, "after a heading", is_heading),
        (Reason.NEAR_MEDIA, keep.around_media, "from media", is_media),
        (Reason.NEAR_EXISTING_AD, keep.around_existing_ads, "from the page's own ads", _is(BlockKind.AD)),
        (Reason.NEAR_ASIDE, keep.around_asides, "from foreign boxes", _is(BlockKind.ASIDE)),
    ]
    for n, (selector, distance) in enumerate(keep.around):
        checks.append((Reason.NEAR_AVOIDED, distance, f"from {selector}", _matches(n)))
    return checks


def _is(kind: BlockKind) -> Callable[[Block], bool]:
    return lambda block: block.kind is kind


def _matches(n: int) -> Callable[[Block], bool]:
    """Tells the blocks that the n-th of the rules' own selectors matches."""
    return lambda block: n in block.avoided
