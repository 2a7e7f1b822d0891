"""A comparison as lines for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from adproxy.account import PlacementAccount, SkipAccount, clean, count
from adproxy.comparison import Broken, Change, Comparison, DensityChange, PageComparison
from adproxy.explanation import Ink, Paint, only, plain, wrap
from adproxy.model import DEVICES

_INDENT = "  "
_HANGING = " " * 13
_SIGNS: dict[str, tuple[str, Ink]] = {
    "gained": ("+", "placed"),
    "lost": ("-", "refused"),
    "moved": ("~", "title"),
    "devices": ("~", "title"),
}


def told(comparison: Comparison, paint: Paint = plain) -> Iterator[str]:
    """The pages that change, then the sums; `paint` colours parts of it where that is wanted."""
    same = 0
    for page in comparison["pages"]:
        if not (page["changed"] or page["broken"] or page["failed"]):
            same += 1
            continue
        yield paint(clean(page["page"]), "title")
        yield from _page(page, paint)
        yield ""
    for line in comparison["unread"]:
        yield paint(f"not read: {clean(line)}", "refused")
    yield f"{count(len(comparison['pages']), 'page')}: {comparison['changed']} changed, {same} the same"
    if comparison["slots"]:
        yield from _sums(comparison)
    mean = comparison["density"]
    for label, device in zip(("density", ""), DEVICES, strict=True):
        if mean[device]["after"] is not None:
            yield f"{label:<9} {device:<8} {from_to(mean[device])} of the main content, on average"
    for broken, pages in sorted(_all_broken(comparison).items()):
        yield paint(f"over the limit: {broken} on {count(pages, 'page')}", "refused")


def _page(page: PageComparison, paint: Paint) -> Iterator[str]:
    if changed := outcome(page):
        yield from wrap(f"{_INDENT}{changed}", _HANGING)
    for change in page["changes"]:
        sign, ink = _SIGNS[change["kind"]]
        yield f"{_INDENT}{paint(sign, ink)} {change['kind']:<8} {change['slot']}, {way(change)}"
    for device in DEVICES:
        density = page["density"][device]
        if density["before"] is not None and density["after"] is not None and density["before"] != density["after"]:
            most = f", at most {density['limit']:.0%}" if density["limit"] is not None else ""
            yield f"{_INDENT}density on {device}: {from_to(density)}{most}"
    for broken in page["broken"]:
        yield from wrap(_INDENT + paint(over(broken), "refused"), _HANGING)
    if page["failed"] and page["after"]:
        yield from wrap(_INDENT + paint(f"went wrong: {clean(page['after']['detail'])}", "refused"), _HANGING)


def _sums(comparison: Comparison) -> Iterator[str]:
    width = max(len("slot"), *(len(slot["slot"]) for slot in comparison["slots"]))
    yield f"{'slot':<{width}}  before  after  gained  lost  moved"
    for slot in comparison["slots"]:
        yield (
            f"{slot['slot']:<{width}}  {slot['before']:>6}  {slot['after']:>5}  {slot['gained']:>6}"
            f"  {slot['lost']:>4}  {slot['moved']:>5}"
        )


def _all_broken(comparison: Comparison) -> dict[str, int]:
    pages: dict[str, int] = {}
    for page in comparison["pages"]:
        for broken in page["broken"]:
            named = f"{broken['limit']} of {broken['required']:.0%} on {broken['device']}"
            pages[named] = pages.get(named, 0) + 1
    return pages


# --- what text and Markdown say alike ---------------------------------------------------------------


def outcome(page: PageComparison) -> str:
    """What becomes of a page as a whole; empty where that does not change."""
    before, after = page["before"], page["after"]
    if (before and before["reason"]) == (after and after["reason"]):
        return ""
    return f"{_treated(before)} -> {_treated(after)}"


def _treated(skip: SkipAccount | None) -> str:
    if skip is None:
        return "planned"
    return f"left alone: {skip['reason']}" + (f" ({clean(skip['detail'])})" if skip["detail"] else "")


def way(change: Change) -> str:
    """From where to where a slot goes."""
    before, after = change["before"], change["after"]
    if before is None or after is None:
        (there,) = [placement for placement in (before, after) if placement is not None]
        return _place(there) + only(there["devices"])
    if change["kind"] == "devices":
        return f"{_place(after)}: {' and '.join(before['devices'])} -> {' and '.join(after['devices'])}"
    return f"{_place(before)} -> {_place(after)}{only(after['devices'])}"


def _place(placement: PlacementAccount) -> str:
    return (f"{placement['where']}, " if placement["where"] else "") + f"line {placement['line']}"


def from_to(density: DensityChange) -> str:
    """A density before and after; a dash for a page that is left alone."""
    was, becomes = ("–" if share is None else f"{share:.1%}" for share in (density["before"], density["after"]))
    return f"{was} -> {becomes}"


def over(broken: Broken) -> str:
    """Which limit a page breaks, and why."""
    already = ", as they did by the old rules" if broken["before"] else ""
    most = f"{broken['limit']} is {broken['required']:.0%}"
    return f"over the limit on {broken['device']}: {most}, and the page's own ads take {broken['actual']:.1%}{already}"
