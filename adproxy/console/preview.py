"""One page with the slots that rules would give it, and all that is to be said of it beside the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adproxy.account import Account, RefusalAccount, SlotAccount, Verdict, account_of, decide
from adproxy.errors import PageError
from adproxy.explanation import grounds, only
from adproxy.marked_page import ROOM, inert_copy, mark_id, marked_page, slot_colour, slot_id
from adproxy.model import Device, Skip
from adproxy.page_source import Fetched
from adproxy.refusals import meaning_of
from adproxy.rules.ruleset import RuleBook

_WHOLE_BAR = 0.5
"""The density at which a bar is full; half a page of advertising is far beyond any standard."""
_NO_MARK = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A page that somebody looks at."""

    url: str
    html: bytes
    fetched: Fetched | None
    """The answer that it came in."""

    is_of_the_site: bool = True
    """False for a page that was pasted."""

    @property
    def size(self) -> int:
        return len(self.html)


@dataclass(frozen=True, slots=True)
class DensityBar:
    device: Device
    share: float
    limit: float
    lighthouse: float
    length: float
    """Of the bar, 0 to 1."""
    limit_at: float
    is_over: bool


@dataclass(frozen=True, slots=True)
class Legend:
    """One slot of the rules, and what became of it."""

    name: str
    place: str
    colour: str
    placed: int
    most: int
    targets: tuple[tuple[str, str], ...]
    """Of each placement: the id of its box, and its name."""
    why_not: tuple[str, ...]
    """Where it was not placed as often as it may be: reasons, the commonest first."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the article's outline: a block, or what becomes of a slot between two of them."""

    kind: Literal["block", "placed", "refused", "room"]
    """room: a good place, free because of what stands elsewhere."""
    text: str
    detail: str = ""
    target: str = _NO_MARK
    """The id of its mark on the page; empty where there is none."""
    tag: str = ""
    words: int = 0
    number: int = 0
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    url: str
    why: str
    """Which entry of the rules decided."""
    left_alone: str
    """Why nothing is placed; empty where the page was planned."""
    headline: str
    words: int
    problem: str
    """Why the article has no place; empty where it has."""
    densities: tuple[DensityBar, ...]
    slots: tuple[Legend, ...]
    outline: tuple[Row, ...]
    page: bytes
    """The copy to look at, in UTF-8."""


def preview(opened: Opened, book: RuleBook) -> Preview:
    """Plan a page as the middleware would, and draw it. Raises `PageError` for what is no page at all."""
    work = decide(opened.html, opened.url, book, opened.fetched)
    account = account_of(opened.url, work)
    policy = work.choice.policy
    skipped = isinstance(work.result, Skip)
    if skipped and opened.fetched is not None and not _is_text(opened.fetched):
        raise PageError(f"{opened.url}: is no page, but {_type(opened.fetched)}")
    colours = {} if policy is None else {slot.name: slot_colour(i, policy) for i, slot in enumerate(policy.slots)}
    article = account["article"]
    placed = sum(len(slot["placements"]) for slot in account["slots"])
    return Preview(
        url=opened.url,
        why=work.choice.why,
        left_alone=_left_alone(account),
        headline=f"{placed} slot{'' if placed == 1 else 's'} placed" if not skipped else "Left alone",
        words=article["words"] if article is not None else 0,
        problem=(article["problem"] or "") if article is not None else "",
        densities=tuple(_bars(account)),
        slots=tuple(_legend(slot, colours) for slot in account["slots"]),
        outline=tuple(_outline(account, colours)),
        page=inert_copy(work, opened.url) if skipped else marked_page(work, account, opened.url, legend=False),
    )


def _type(fetched: Fetched) -> str:
    return next((value.decode("latin-1") for name, value in fetched.headers if name.lower() == b"content-type"), "")


def _is_text(fetched: Fetched) -> bool:
    kind = _type(fetched).lower()
    return not kind or kind.startswith("text/") or "html" in kind


def _left_alone(account: Account) -> str:
    skip = account["skip"]
    if skip is None:
        return ""
    return skip["reason"].replace("_", " ") + (f": {skip['detail']}" if skip["detail"] else "")


def _bars(account: Account) -> list[DensityBar]:
    return [
        DensityBar(
            device=device,
            share=density["share"],
            limit=density["limit"],
            lighthouse=density["lighthouse"],
            length=min(1.0, density["share"] / _WHOLE_BAR),
            limit_at=min(1.0, density["limit"] / _WHOLE_BAR),
            is_over=density["share"] > density["limit"],
        )
        for device, density in account["density"].items()
    ]


def _legend(slot: SlotAccount, colours: dict[str, str]) -> Legend:
    counts: dict[str, int] = {}
    for refusal in slot["refusals"]:
        counts[meaning_of(refusal)] = counts.get(meaning_of(refusal), 0) + 1
    placements = slot["placements"]
    return Legend(
        name=slot["slot"],
        place=slot["place"],
        colour=colours.get(slot["slot"], "none"),
        placed=len(placements),
        most=slot["max"],
        targets=tuple(
            (slot_id(placed["offset"]), f"{slot['slot']} {placed['n']}" if slot["max"] > 1 else slot["slot"])
            for placed in placements
        ),
        why_not=()
        if len(placements) >= slot["max"]
        else tuple(sorted(counts, key=lambda meaning: -counts[meaning])[:3]),
    )


# --- the outline ------------------------------------------------------------------------------------


def _outline(account: Account, colours: dict[str, str]) -> list[Row]:
    article = account["article"]
    if article is None:
        return []
    middle = {slot["slot"] for slot in account["slots"] if slot["mid_article"]}
    most = {slot["slot"]: slot["max"] for slot in account["slots"]}
    candidates = {candidate["gap"]: candidate for candidate in account["candidates"]}
    offsets = {
        (slot["slot"], placed["n"]): placed["offset"] for slot in account["slots"] for placed in slot["placements"]
    }
    rows: list[Row] = []
    for gap in range(len(article["blocks"]) + 1):
        candidate = candidates.get(gap)
        for verdict in candidate["verdicts"] if candidate is not None else ():
            if verdict["placed"]:
                rows.append(_placed(verdict, most, offsets, colours))
            elif verdict["refusal"] is not None and candidate is not None:
                offset = candidate["offset"]
                target = mark_id(offset) if offset is not None else _NO_MARK
                rows.append(_refused(verdict["slots"], verdict["refusal"], middle, target))
        if gap < len(article["blocks"]):
            block = article["blocks"][gap]
            rows.append(
                Row(
                    "block",
                    block["text"] or block["kind"],
                    tag=block["kind"],
                    words=block["words"],
                    number=block["number"],
                )
            )
    return rows


def _placed(
    verdict: Verdict, most: dict[str, int], offsets: dict[tuple[str, int], int], colours: dict[str, str]
) -> Row:
    (name,), n = verdict["slots"], verdict["n"] or 1
    shown = f"{name} {n}" if most.get(name, 1) > 1 else name
    return Row(
        "placed", f"{shown}{only(verdict['devices'])}", target=slot_id(offsets[name, n]), colour=colours.get(name, "")
    )


def _refused(slots: list[str], refusal: RefusalAccount, middle: set[str], target: str) -> Row:
    # what every slot for the middle of the article meets in this place is said once, and without their names
    whose = "" if set(slots) == middle else f"{', '.join(slots)}: "
    return Row(
        "room" if refusal["reason"] in ROOM else "refused",
        f"{whose}{meaning_of(refusal)}",
        detail=grounds(refusal).removeprefix(", "),
        target=target,
    )
