"""A comparison as Markdown, for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator

from adproxy.account import clean, count
from adproxy.comparison import Comparison, PageComparison
from adproxy.comparison_text import from_to, outcome, over, way
from adproxy.model import DEVICES

MAX_CHARACTERS = 60_000
"""Of the whole; forges cut comments off, or refuse them, at 65,536 (GitHub) and more."""
_MAX_NAME = 120
"""Characters of a page's name."""
_MAX_UNREAD = 20
"""Pages that could not be read and are listed; more are counted."""
_SHOWN = {"gained": "gained", "lost": "lost", "moved": "moved", "devices": "other devices"}


def markdown(comparison: Comparison) -> str:
    """The sums first, then the pages that change, as many as fit."""
    head = "\n".join(_head(comparison)) + "\n"
    pages = [page for page in comparison["pages"] if page["changed"] or page["broken"] or page["failed"]]
    rows: list[str] = []
    room = MAX_CHARACTERS - len(head) - 500
    for page in pages:
        row = _row(page)
        room -= len(row) + 1
        if room < 0:
            break
        rows.append(row)
    if not rows:
        return head
    left = len(pages) - len(rows)
    more = f"\n{count(left, 'more page')} changed; `adproxy diff` lists them all.\n" if left else ""
    table = "| page | slots | density on phones | density on desktops |\n|---|---|---|---|\n" + "\n".join(rows)
    return f"{head}\n<details><summary>Page by page</summary>\n\n{table}\n{more}\n</details>\n"


def _head(comparison: Comparison) -> Iterator[str]:
    total = len(comparison["pages"])
    if comparison["changed"]:
        yield f"**These rules change {comparison['changed']} of {count(total, 'page')}.**"
    else:
        yield f"**These rules change none of {count(total, 'page')}.**"
    wrong = [(page, broken) for page in comparison["pages"] for broken in page["broken"]]
    for device in DEVICES:
        pages = [page for page, broken in wrong if broken["device"] == device]
        if pages:
            yield ""
            yield f":x: {count(len(pages), 'page')} over the limit on {device}, such as {_text(pages[0]['page'])}."
    failed = [page for page in comparison["pages"] if page["failed"]]
    if failed:
        yield ""
        yield f":x: Something went wrong on {count(len(failed), 'page')}, such as {_text(failed[0]['page'])}."
    if comparison["unread"]:
        yield ""
        yield f":x: {count(len(comparison['unread']), 'page')} could not be read:"
        yield ""
        yield from (f"- {_text(line)}" for line in comparison["unread"][:_MAX_UNREAD])
    if comparison["slots"]:
        yield ""
        yield "| slot | before | after | gained | lost | moved |"
        yield "|---|---:|---:|---:|---:|---:|"
        for slot in comparison["slots"]:
            figures = (slot["before"], slot["after"], slot["gained"], slot["lost"], slot["moved"])
            yield f"| {slot['slot']} | " + " | ".join(str(figure) if figure else "" for figure in figures) + " |"
    means = [(device, comparison["density"][device]) for device in DEVICES]
    said = [f"{from_to(mean)} on {device}s" for device, mean in means if mean["after"] is not None]
    if said:
        yield ""
        yield f"Density of advertising in the main content, on average: {', '.join(said)}."


def _row(page: PageComparison) -> str:
    slots = [_text(changed)] if (changed := outcome(page)) else []
    slots += [f"{_SHOWN[change['kind']]}: {change['slot']}, {way(change)}" for change in page["changes"]]
    slots += [f":x: {over(broken)}" for broken in page["broken"]]
    slots += [f":x: went wrong: {_text(page['after']['detail'])}"] if page["failed"] and page["after"] else []
    densities = [from_to(page["density"][device]) for device in DEVICES]
    return "| " + " | ".join((_text(page["page"]), "<br>".join(slots), *densities)) + " |"


def _text(text: str) -> str:
    """Text that a page or an address brings: it may be no markup, mention nobody, and break out of no table."""
    short = clean(text) if len(text) <= _MAX_NAME else clean(text[: _MAX_NAME - 1]) + "…"
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&@])", lambda match: f"&#{ord(match[0])};", short)
