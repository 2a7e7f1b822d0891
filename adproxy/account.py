"""What becomes of one page, decided as the middleware would, and the account of it in a documented shape."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypedDict
from urllib.parse import unquote, urlsplit

from adproxy.charset import sniff
from adproxy.eligibility import response_skip, values
from adproxy.model import DEVICES, Block, BlockKind, Device, Page, Placement, Plan, Reason, Refusal, Skip, SkipReason
from adproxy.page_source import Fetched
from adproxy.plan.density import lighthouse_density
from adproxy.plan.ruler import is_heading, is_media
from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.match import choose
from adproxy.rules.ruleset import Choice, FixedPlace, MidArticle, Place, Policy, RuleBook, SelectorPlace, Slot, Unit
from adproxy.settings import Settings

FORMAT = 1
# Of a name that a page made up.
_MARK_SHOWN = 40
"""Of the account; a key that goes or changes its meaning raises it, one that is added does not."""


@dataclass(frozen=True, slots=True)
class Work:
    """One page and what became of it."""

    url: str
    """Its address: given, guessed, or where redirects led to."""
    html: bytes
    choice: Choice
    encoding: str | None
    result: Rewritten | Skip

    @property
    def body(self) -> bytes:
        """What a reader would get."""
        return self.html if isinstance(self.result, Skip) else self.result.body

    @property
    def summary(self) -> str:
        """For people, half a line."""
        if isinstance(self.result, Skip):
            return f"left alone: {_reason(self.result)}"
        return f"rewritten with {count(len(self.result.plan.placements), 'slot')}"


def decide(html: bytes, url: str, book: RuleBook, fetched: Fetched | None = None) -> Work:
    """Decide about one page, as the middleware would.

    `html`: the decoded body; `url`: absolute; `fetched`: the answer that it came in, None for a saved page. Raises
    `SettingsError` where the environment holds a wrong setting; whatever goes wrong in the rewrite is a Skip.
    """
    choice = choose_by_url(book, url)
    content_type = next(iter(values(fetched.headers, b"content-type")), "") if fetched is not None else ""
    encoding = sniff(html, content_type)
    result: Rewritten | Skip
    if choice.policy is None:
        result = Skip(SkipReason.PATH if book.rule_sets else SkipReason.NO_RULES, choice.why)
    else:
        result = _result(html, url, choice.policy, encoding, fetched)
    return Work(url, html, choice, encoding, result)


def _result(html: bytes, url: str, policy: Policy, encoding: str | None, fetched: Fetched | None) -> Rewritten | Skip:
    settings = Settings()
    if fetched is not None and (skip := response_skip(fetched.status, fetched.headers)) is not None:
        return skip
    if len(html) > settings.max_page_bytes:
        return Skip(SkipReason.TOO_LARGE, f"{len(html)} bytes, more than {settings.max_page_bytes}")
    if encoding is None:
        return Skip(SkipReason.CHARSET, "unknown, or one in which ASCII may not be spliced in")
    csp = tuple(values(fetched.headers, b"content-security-policy")) if fetched is not None else ()
    path = unquote(urlsplit(url).path) or "/"
    try:
        return rewrite(html, policy, encoding=encoding, csp_headers=csp, path=path, prefix=settings.prefix)
    except Exception as bug:  # one page in a thousand that meets a bug of ours must not cost the others
        return Skip(SkipReason.ERROR, f"{type(bug).__name__}: {bug}")


def choose_by_url(book: RuleBook, url: str) -> Choice:
    """What the rules say of an absolute URL."""
    parts = urlsplit(url)
    return choose(book, parts.hostname or "", parts.path or "/")


# --- the account's shape: what `explain --json` prints ------------------------------------------------


class Amount(TypedDict):
    amount: float
    unit: Unit | Literal["percent"]
    """percent: points of density."""


class Offender(TypedDict):
    """What a position is too near to: a block of the article, or a slot placed in it."""

    block: int | None
    """Its number, from 1."""
    kind: str | None
    text: str
    slot: str | None
    n: int | None
    """Which of the slot's placements, from 1."""


class RefusalAccount(TypedDict):
    reason: str
    """Of `Reason`: a closed set, the same words as in the metrics."""
    required: str
    actual: str
    off_by: Amount | None
    """What it fell short by, or of density had too much; None where the rule is no figure."""
    offender: Offender | None
    gap: int
    """Gap n lies after block n, gap 0 before the first; -1: not between the article's blocks."""
    where: str | None
    offset: int | None
    """Bytes from the start of the page."""
    line: int | None
    device: Device | None
    """Where it holds; None: on each."""


class PlacementAccount(TypedDict):
    n: int
    gap: int
    where: str | None
    offset: int
    line: int
    devices: list[Device]


class SlotAccount(TypedDict):
    slot: str
    place: str
    mid_article: bool
    max: int
    placements: list[PlacementAccount]
    refusals: list[RefusalAccount]


class Verdict(TypedDict):
    """What becomes of slots at a candidate position; slots that fare alike stand together."""

    slots: list[str]
    placed: bool
    n: int | None
    """Where placed: which of the slot's placements."""
    devices: list[Device]
    """Where it holds."""
    refusal: RefusalAccount | None
    """None where placed."""


class Candidate(TypedDict):
    gap: int
    where: str
    offset: int | None
    """None where nothing may be inserted."""
    line: int | None
    verdicts: list[Verdict]
    """Empty only where no slot is for the middle of an article, or each lost before positions were looked at."""


class PerDeviceAccount(TypedDict):
    phone: int
    desktop: int


class BlockAccount(TypedDict):
    number: int
    """From 1, in reading order."""
    kind: str
    tag: str
    words: int
    height: PerDeviceAccount
    """Estimated, CSS px."""
    text: str
    """The first 80 characters."""


class ArticleAccount(TypedDict):
    problem: str | None
    words: int
    blocks: list[BlockAccount]


class DensityAccount(TypedDict):
    share: float
    """Of advertising in the main content, as the Better Ads Standards have it, 0 to 1; `limit` is about this one."""
    limit: float
    content_height: int
    """Of the main content without advertising, CSS px."""
    lighthouse: float
    """Lighthouse's: to the lowest ad and one screen on."""


class RulesAccount(TypedDict):
    why: str
    site: str | None
    revision: str | None


class SkipAccount(TypedDict):
    reason: str
    detail: str


class Account(TypedDict):
    format: int
    page: str
    url: str
    rules: RulesAccount
    encoding: str | None
    skip: SkipAccount | None
    """Why the page is left alone; then there is no article, density, slot or candidate."""
    article: ArticleAccount | None
    density: dict[Device, DensityAccount]
    slots: list[SlotAccount]
    """In the order of the rules."""
    candidates: list[Candidate]
    """The gaps between the article's blocks, from top to bottom."""
    unknown_marks: list[str]
    """Slots that the page's own markers name, but that the rules don't have or don't let markers place."""


# --- making it --------------------------------------------------------------------------------------


def account_of(name: str, work: Work) -> Account:
    """What `explain` says; its text and its marked page are told from the same values."""
    policy, result = work.choice.policy, work.result
    account = Account(
        format=FORMAT,
        page=name,
        url=work.url,
        rules=RulesAccount(
            why=work.choice.why,
            site=policy.site if policy else None,
            revision=policy.revision if policy else None,
        ),
        encoding=work.encoding,
        skip=None,
        article=None,
        density={},
        slots=[],
        candidates=[],
        unknown_marks=[],
    )
    if isinstance(result, Skip):
        account["skip"] = SkipAccount(reason=result.reason.value, detail=result.detail)
    elif policy is not None:
        account["article"] = _article(result.page)
        account["density"] = _densities(result.page, result.plan, policy)
        account["slots"] = _slots(policy, result.plan, result.page, work.html)
        account["unknown_marks"] = [mark[:_MARK_SHOWN] for mark in result.page.unknown_marks]
        account["candidates"] = _candidates(account["slots"], result.page, work.html)
    return account


def _article(page: Page) -> ArticleAccount:
    return ArticleAccount(
        problem=page.article_problem and page.article_problem.value,
        words=page.words,
        blocks=[
            BlockAccount(
                number=number,
                kind=block.kind.value,
                tag=block.tag,
                words=block.words,
                height=PerDeviceAccount(phone=round(block.heights.phone), desktop=round(block.heights.desktop)),
                text=block.text,
            )
            for number, block in enumerate(page.blocks, 1)
        ],
    )


def _densities(page: Page, plan: Plan, policy: Policy) -> dict[Device, DensityAccount]:
    lighthouse = lighthouse_density(page, policy, plan)
    return {
        device: DensityAccount(
            share=round(plan.density.on(device), 4),
            limit=policy.limits.ad_share.on(device),
            content_height=round(plan.content.on(device)),
            lighthouse=round(lighthouse.on(device), 4),
        )
        for device in DEVICES
    }


def _slots(policy: Policy, plan: Plan, page: Page, html: bytes) -> list[SlotAccount]:
    return [
        SlotAccount(
            slot=slot.name,
            place=_place(slot.place),
            mid_article=isinstance(slot.place, MidArticle),
            max=slot.max,
            placements=[
                PlacementAccount(
                    n=placement.n,
                    gap=placement.anchor.gap,
                    where=_where(placement.anchor.gap, page) or _shifted(slot, placement, page),
                    offset=placement.anchor.offset,
                    line=_line(html, placement.anchor.offset),
                    devices=list(placement.devices),
                )
                for placement in plan.placements
                if placement.slot == slot.name
            ],
            refusals=[_refusal(refusal, page, plan, html) for refusal in plan.refusals if refusal.slot == slot.name],
        )
        for slot in policy.slots
    ]


def _refusal(refusal: Refusal, page: Page, plan: Plan, html: bytes) -> RefusalAccount:
    anchor = refusal.anchor
    return RefusalAccount(
        reason=refusal.reason.value,
        required=refusal.required,
        actual=refusal.actual,
        off_by=_off_by(refusal),
        offender=_offender(refusal, page, plan),
        gap=refusal.gap,
        where=_where(refusal.gap, page),
        offset=anchor.offset if anchor is not None else None,
        line=_line(html, anchor.offset) if anchor is not None else None,
        device=refusal.device,
    )


def _candidates(slots: list[SlotAccount], page: Page, html: bytes) -> list[Candidate]:
    verdicts: dict[int, list[Verdict]] = {gap: [] for gap in range(1, len(page.blocks))}
    for slot in slots:
        for placement in slot["placements"]:
            if placement["gap"] >= 0:
                verdicts.setdefault(placement["gap"], []).append(
                    Verdict(
                        slots=[slot["slot"]],
                        placed=True,
                        n=placement["n"],
                        devices=placement["devices"],
                        refusal=None,
                    )
                )
    for slot in slots:
        for refusal in slot["refusals"]:
            if refusal["gap"] >= 0:
                _add(verdicts.setdefault(refusal["gap"], []), slot["slot"], refusal)
    return [
        Candidate(
            gap=gap,
            where=_where(gap, page) or "",
            offset=anchor.offset if (anchor := page.gaps[gap].anchor) is not None else None,
            line=_line(html, anchor.offset) if anchor is not None else None,
            verdicts=verdicts[gap],
        )
        for gap in sorted(verdicts)
    ]


def _add(verdicts: list[Verdict], slot: str, refusal: RefusalAccount) -> None:
    """What several slots meet in the same place, once."""
    for verdict in verdicts:
        if verdict["refusal"] == refusal:
            verdict["slots"].append(slot)
            return
    devices = list(DEVICES) if refusal["device"] is None else [refusal["device"]]
    verdicts.append(Verdict(slots=[slot], placed=False, n=None, devices=devices, refusal=refusal))


# --- what a refusal is about ------------------------------------------------------------------------

_UNITS: dict[str, Unit] = {"words": "words", "characters": "characters", "blocks": "blocks", "px": "px"}
_FIGURE = re.compile(r"(\d+(?:\.\d+)?)(%| words| characters| blocks| px)")
_EVEN = re.compile(r", (\d+) for an even spread")


def _off_by(refusal: Refusal) -> Amount | None:
    """The first figures of what was required and found, one from the other, where they are of one unit."""
    required, actual = _FIGURE.search(refusal.required), _FIGURE.match(refusal.actual)
    if required is None or actual is None or required[2] != actual[2]:
        return None
    needed, had = float(required[1]), float(actual[1])
    if refusal.reason is Reason.DENSITY:
        return Amount(amount=round(max(0.0, had - needed), 1), unit="percent")
    even = _EVEN.search(refusal.required)
    if even is not None and had >= needed:
        needed = float(even[1])
    unit = _UNITS.get(required[2].strip())
    return Amount(amount=round(needed - had, 1), unit=unit) if unit is not None and needed > had else None


# Of which kind of block a reason speaks.
_ABOUT: dict[Reason, Callable[[Block], bool]] = {
    Reason.NEAR_MEDIA: is_media,
    Reason.NEAR_EXISTING_AD: lambda block: block.kind is BlockKind.AD,
    Reason.NEAR_ASIDE: lambda block: block.kind in (BlockKind.ASIDE, BlockKind.OTHER),
    Reason.NEAR_AVOIDED: lambda block: bool(block.avoided),
}
_ABOUT_THE_ONE_BEFORE = (Reason.AFTER_LEAD_IN, Reason.MID_SENTENCE)


def _offender(refusal: Refusal, page: Page, plan: Plan) -> Offender | None:
    """The nearest of what the refusal's reason speaks of; None where it speaks of nothing on the page."""
    gap, reason = refusal.gap, refusal.reason
    if not 0 < gap < len(page.blocks):
        return None
    if reason is Reason.TOO_NEAR_SLOT:
        inside = [p for p in plan.placements if p.anchor.gap >= 0]
        return _slot_offender(min(inside, key=lambda p: _words_between(page, p.anchor.gap, gap))) if inside else None
    if reason is Reason.AFTER_HEADING:
        hits = [i for i in range(gap) if is_heading(page.blocks[i])][-1:]
    elif reason in _ABOUT_THE_ONE_BEFORE:
        hits = [gap - 1]
    elif reason is Reason.SPLITS_GROUP:
        # of the two beside it the one that belongs to the other: a list, a caption, the source of a quotation
        hits = [gap if page.blocks[gap].kind is not BlockKind.PARAGRAPH else gap - 1]
    else:
        about = _ABOUT.get(reason)
        hits = [i for i, block in enumerate(page.blocks) if about is not None and about(block)]
    if not hits:
        return None
    nearest = min(hits, key=lambda i: (_words_between(page, gap, i if i >= gap else i + 1), abs(i + 0.5 - gap)))
    block = page.blocks[nearest]
    return Offender(block=nearest + 1, kind=block.kind.value, text=block.text, slot=None, n=None)


def _slot_offender(placement: Placement) -> Offender:
    return Offender(block=None, kind=None, text="", slot=placement.slot, n=placement.n)


def _words_between(page: Page, a: int, b: int) -> int:
    return sum(block.words for block in page.blocks[min(a, b) : max(a, b)])


def _line(html: bytes, offset: int) -> int:
    return html.count(b"\n", 0, offset) + 1


def _where(gap: int, page: Page) -> str | None:
    if gap < 0:
        return None
    if gap == 0:
        return "before block 1"
    if gap >= len(page.blocks):
        return f"after block {len(page.blocks)}"
    return f"between blocks {gap} and {gap + 1}"


def _shifted(slot: Slot, placement: Placement, page: Page) -> str | None:
    """How far from the headline a slot stands that the rules want right below it."""
    if slot.place is not FixedPlace.BELOW_HEADLINE or placement.anchor == page.below_headline.anchor:
        return None
    passed = next((n for n, s in enumerate(page.further_below, 1) if s and s.anchor == placement.anchor), 0)
    return f"shifted by {count(passed, 'block')}" if passed else None


def _place(place: Place) -> str:
    match place:
        case FixedPlace():
            return place.value
        case MidArticle():
            return "mid-article"
        case SelectorPlace():
            return place.key
        case _:
            return f"sidebar: {place.widget}"


def _reason(skip: Skip) -> str:
    return f"{skip.reason.value} ({clean(skip.detail)})" if skip.detail else skip.reason.value


def count(number: int, noun: str) -> str:
    """A number with its noun, in the plural where that is due."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def clean(text: str) -> str:
    """What a page says may hold sequences that a terminal obeys."""
    return "".join(char if char.isprintable() else " " for char in text)
