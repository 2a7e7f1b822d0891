"""What a change of the rules does to pages: slots gained, lost and moved, density before and after, limits broken.

Pure but for `account.decide`, which reads the settings: pages and both rules come in, a documented shape goes out, for
the command line, for pull requests, for the console.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

from adproxy.account import Account, PlacementAccount, SkipAccount, Work, account_of, decide
from adproxy.model import DEVICES, Device, Skip
from adproxy.page_source import Fetched
from adproxy.rules.ruleset import RuleBook

FORMAT = 1
"""Of the comparison; a key that goes or changes its meaning raises it, one that is added does not."""
_NOTICED = 0.0005
"""Densities that differ by less are the same to anybody who reads them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A page to compare on."""

    name: str
    """What people call it: a file, or an address."""
    url: str
    """Its absolute address, which decides which rules it gets."""
    html: bytes
    fetched: Fetched | None = None
    """The answer that it came in; None for a saved page."""


Kind = Literal["gained", "lost", "moved", "devices"]
"""devices: it stands where it stood, and is shown on other devices."""


class Change(TypedDict):
    slot: str
    kind: Kind
    before: PlacementAccount | None
    after: PlacementAccount | None


class DensityChange(TypedDict):
    before: float | None
    """Share of advertising in the main content, 0 to 1; None where the page is left alone."""
    after: float | None
    limit: float | None
    """Of the new rules."""


class Broken(TypedDict):
    """A limit of the new rules that the page breaks. Slots never do: the page's own ads are more than it allows."""

    limit: str
    """The key in the rules."""
    device: Device
    required: float
    actual: float
    before: bool
    """Whether it broke the old rules' limit as well."""


class PageComparison(TypedDict):
    page: str
    url: str
    before: SkipAccount | None
    """Why the old rules leave the page alone; None where they don't."""
    after: SkipAccount | None
    failed: bool
    """Whether something went wrong in adproxy itself with the new rules; `after` says what."""
    rules: dict[Literal["before", "after"], str]
    """Which entry of the rules decided, with its file and line."""
    changed: bool
    changes: list[Change]
    density: dict[Device, DensityChange]
    broken: list[Broken]


class SlotTotals(TypedDict):
    slot: str
    before: int
    """How often it is placed, on all pages together."""
    after: int
    gained: int
    lost: int
    moved: int


class Comparison(TypedDict):
    format: int
    revisions: dict[Literal["before", "after"], str]
    unread: list[str]
    """Pages that could not be read, with the reason."""
    changed: int
    """How many pages."""
    slots: list[SlotTotals]
    density: dict[Device, DensityChange]
    """Averages over the pages that both rules place slots on, and no limit; None where there is no such page."""
    pages: list[PageComparison]


def compare(old: RuleBook, new: RuleBook, samples: Iterable[Sample], unread: Sequence[str] = ()) -> Comparison:
    """Both rules on all pages, one after the other. Raises `SettingsError` where the environment holds a wrong setting.

    `unread`: what to say of pages that nobody could get; read once `samples` has come to its end.
    """
    pages: list[PageComparison] = []
    totals: dict[str, SlotTotals] = {}
    for sample in samples:
        before = decide(sample.html, sample.url, old, sample.fetched)
        after = decide(sample.html, sample.url, new, sample.fetched)
        pages.append(_page(sample.name, before, after))
        _add(totals, before, after, pages[-1]["changes"])
    return Comparison(
        format=FORMAT,
        revisions={"before": old.revision, "after": new.revision},
        unread=list(unread),
        changed=sum(page["changed"] for page in pages),
        slots=list(totals.values()),
        density={device: _average([page["density"][device] for page in pages]) for device in DEVICES},
        pages=pages,
    )


def breaks(comparison: Comparison) -> bool:
    """Whether something is wrong with the new rules, or could not be found out."""
    return bool(comparison["unread"]) or any(page["broken"] or page["failed"] for page in comparison["pages"])


def _page(name: str, before: Work, after: Work) -> PageComparison:
    was, becomes = account_of(name, before), account_of(name, after)
    changes = list(_changes(_placements(was), _placements(becomes)))
    density = {device: _density(device, before, after) for device in DEVICES}
    # the detail of a skip names the rules file, and old and new rules often lie in different directories
    reasons = [account["skip"] and account["skip"]["reason"] for account in (was, becomes)]
    return PageComparison(
        page=name,
        url=after.url,
        before=was["skip"],
        after=becomes["skip"],
        failed=isinstance(after.result, Skip) and after.result.fail_open,
        rules={"before": before.choice.why, "after": after.choice.why},
        changed=bool(changes) or reasons[0] != reasons[1] or any(map(_differs, density.values())),
        changes=changes,
        density=density,
        broken=[broken for device in DEVICES for broken in _broken(device, density[device], before)],
    )


# --- placements -------------------------------------------------------------------------------------


def _placements(account: Account) -> dict[str, list[PlacementAccount]]:
    return {slot["slot"]: slot["placements"] for slot in account["slots"]}


def _changes(before: dict[str, list[PlacementAccount]], after: dict[str, list[PlacementAccount]]) -> Iterator[Change]:
    """Slot by slot: those of the new rules in their order, then those that the new rules don't have."""
    for slot in dict.fromkeys((*after, *before)):
        was = {placement["offset"]: placement for placement in before.get(slot, [])}
        becomes = {placement["offset"]: placement for placement in after.get(slot, [])}
        for offset in sorted(was.keys() & becomes.keys()):
            if was[offset]["devices"] != becomes[offset]["devices"]:
                yield Change(slot=slot, kind="devices", before=was[offset], after=becomes[offset])
        gone = [was[offset] for offset in sorted(was.keys() - becomes.keys())]
        come = [becomes[offset] for offset in sorted(becomes.keys() - was.keys())]
        pairs = _nearest([p["offset"] for p in gone], [p["offset"] for p in come])
        for i, j in pairs:
            yield Change(slot=slot, kind="moved", before=gone[i], after=come[j])
        for i in sorted(set(range(len(gone))) - {i for i, _ in pairs}):
            yield Change(slot=slot, kind="lost", before=gone[i], after=None)
        for j in sorted(set(range(len(come))) - {j for _, j in pairs}):
            yield Change(slot=slot, kind="gained", before=None, after=come[j])


def _nearest(a: Sequence[int], b: Sequence[int]) -> list[tuple[int, int]]:
    """As many pairs as there can be, in order, with the shortest ways in sum. Both ascend."""
    if len(a) > len(b):
        return [(i, j) for j, i in _nearest(b, a)]
    # best[j] after i steps: the shortest sum with the first i of `a` in pairs with some of the first j of `b`
    best: list[tuple[int, list[tuple[int, int]]]] = [(0, [])] * (len(b) + 1)
    for i, x in enumerate(a):
        row: list[tuple[int, list[tuple[int, int]]]] = [(sum(b) + sum(a) + 1, [])] * (i + 1)
        for j in range(i, len(b)):
            length, pairs = best[j]
            with_it = (length + abs(x - b[j]), [*pairs, (i, j)])
            row.append(min(row[-1], with_it, key=lambda found: found[0]))
        best = row
    return best[-1][1]


def _add(totals: dict[str, SlotTotals], before: Work, after: Work, changes: Sequence[Change]) -> None:
    for work, side in ((after, "after"), (before, "before")):
        placed = [] if isinstance(work.result, Skip) else [p.slot for p in work.result.plan.placements]
        named = [] if work.choice.policy is None else [slot.name for slot in work.choice.policy.slots]
        for slot in named:
            empty = SlotTotals(slot=slot, before=0, after=0, gained=0, lost=0, moved=0)
            of_slot = totals.setdefault(slot, empty)
            if side == "after":
                of_slot["after"] += placed.count(slot)
            else:
                of_slot["before"] += placed.count(slot)
    for change in changes:
        of_slot = totals[change["slot"]]
        of_slot["gained"] += change["kind"] == "gained"
        of_slot["lost"] += change["kind"] == "lost"
        of_slot["moved"] += change["kind"] == "moved"


# --- density ----------------------------------------------------------------------------------------


def _density(device: Device, before: Work, after: Work) -> DensityChange:
    policy = after.choice.policy
    limit = None if policy is None or isinstance(after.result, Skip) else policy.limits.ad_share.on(device)
    return DensityChange(before=_share(device, before), after=_share(device, after), limit=limit)


def _share(device: Device, work: Work) -> float | None:
    return None if isinstance(work.result, Skip) else round(work.result.plan.density.on(device), 4)


def _differs(density: DensityChange) -> bool:
    was, becomes = density["before"], density["after"]
    return was is not None and becomes is not None and abs(was - becomes) >= _NOTICED


def _broken(device: Device, density: DensityChange, before: Work) -> Iterator[Broken]:
    share, limit, was = density["after"], density["limit"], density["before"]
    if share is None or limit is None or share <= limit + _NOTICED:
        return
    policy = before.choice.policy
    already = was is not None and policy is not None and was > policy.limits.ad_share.on(device) + _NOTICED
    yield Broken(limit="limits.ad_share", device=device, required=limit, actual=share, before=already)


def _average(densities: Sequence[DensityChange]) -> DensityChange:
    both = [(d["before"], d["after"]) for d in densities if d["before"] is not None and d["after"] is not None]
    if not both:
        return DensityChange(before=None, after=None, limit=None)
    was, becomes = (round(sum(share or 0.0 for share in side) / len(both), 4) for side in zip(*both, strict=True))
    return DensityChange(before=was, after=becomes, limit=None)
