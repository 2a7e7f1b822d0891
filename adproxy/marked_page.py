"""A page with its account marked on it, for looking at: slots as boxes of the size that is reserved for them, every
other candidate position as a small mark that explains itself, and a legend.

The page stays the publisher's: its bytes are all there, our elements stand at the proven places, the boxes take the
room that the slots will take, and nothing else takes any. What is written is a copy that does nothing: a policy that
allows no scripts, frames, plug-ins, connections or forms is the first thing in it, and what would leave the page by
itself is disarmed. Pictures, fonts and style sheets load as far as the page's own addresses lead to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from urllib.parse import urljoin

from adproxy.account import Account, RefusalAccount, Work, clean, count
from adproxy.explanation import grounds, only, reason_of
from adproxy.labels import label_for
from adproxy.markup import shown_on, stylesheet
from adproxy.model import DESKTOP_WIDTH, DEVICES, PHONE_WIDTH, Insertion, Placement, Reason, Skip
from adproxy.refusals import meaning_of
from adproxy.rewrite import Rewritten
from adproxy.rules.ruleset import Policy, Slot
from adproxy.splice import splice

_INERT = (
    "script-src 'none'; object-src 'none'; frame-src 'none'; worker-src 'none'; connect-src 'none'; form-action 'none'"
)
_DOCTYPE = re.compile(r"\s*(?:<!--.*?-->\s*)*<!doctype[^>]*>", re.I | re.S)
_REFRESH = re.compile(r"""(http-equiv\s*=\s*["']?\s*)(refresh)\b""", re.I)
"""A page that goes elsewhere after some seconds; no policy stops that."""
_HEAD = 1 << 16
"""Characters in which a page's `base` is looked for."""
ROOM = {
    Reason.TOO_NEAR_SLOT.value,
    Reason.MAX_OF_SLOT.value,
    Reason.MAX_IN_ARTICLE.value,
    Reason.NOT_AT_POSITION.value,
    Reason.DENSITY.value,
}
"""Reasons of positions that are good, and free only because of what stands elsewhere."""

# Page styles reach everything in the page, so that all of this is said with "!important" and from a blank sheet.
_CSS = """
[data-adproxy=explain],[data-adproxy=explain] *{all:revert!important;box-sizing:border-box!important;
font:13px/1.4 system-ui,sans-serif!important;color:#111!important;text-align:start!important;
writing-mode:horizontal-tb!important;letter-spacing:normal!important;text-transform:none!important;direction:ltr!important}
[data-adproxy=explain]:target,[data-adproxy-slot]:target{scroll-margin-top:30vh!important}
[data-adproxy=explain] b{font-weight:700!important}
div[data-adproxy=explain]{display:block!important;position:relative!important;height:0!important;margin:0!important;
padding:0!important;border:0!important;overflow:visible!important;clear:none!important;z-index:2147483000!important}
[data-adproxy=explain] details{position:absolute!important;left:0!important;top:-9px!important;margin:0!important;
padding:0!important;max-width:min(340px,90vw)!important}
[data-adproxy=explain] details[open]{z-index:2147483001!important}
[data-adproxy=explain] summary{display:block!important;width:18px!important;height:18px!important;
cursor:pointer!important;border-radius:9px!important;
font:700 13px/18px system-ui,sans-serif!important;text-align:center!important;
color:#fff!important;background:#b00020!important;list-style:none!important;opacity:.8!important}
[data-adproxy=explain] .room summary{background:#8a6100!important}
[data-adproxy=explain] summary:hover{opacity:1!important}
[data-adproxy=explain] summary:focus-visible,[data-adproxy=explain]:target summary{
outline:3px solid #06c!important;opacity:1!important}
div[data-adproxy=explain]:is(:hover,:focus-within,:target){z-index:2147483001!important}
div[data-adproxy=explain]>details:not([open])>summary:is(:hover,:focus-visible)::after,
div[data-adproxy=explain]:target>details:not([open])>summary::after{content:attr(aria-label);position:absolute;
left:0;top:20px;box-sizing:border-box;width:min(340px,90vw);padding:6px 8px;font:13px/1.4 system-ui,sans-serif;
text-align:start;white-space:normal;color:#111;background:#fff;border:1px solid #555;box-shadow:0 2px 8px #0006}
[data-adproxy-slot]:target>[data-adproxy=explain-slot]{outline:4px solid #06c!important;outline-offset:-4px!important}
[data-adproxy=explain] details>ul{display:block!important;margin:2px 0 0!important;padding:6px 8px!important;
width:min(340px,90vw)!important;list-style:none!important;background:#fff!important;border:1px solid #555!important;
box-shadow:0 2px 8px #0006!important}
[data-adproxy-slot]>[data-adproxy=explain-slot]{outline:2px dashed!important;outline-offset:-2px!important;
font:13px/1.4 system-ui,sans-serif!important;color:#111!important;padding:0!important;text-align:center!important}
[data-adproxy-slot]>[data-adproxy=explain-slot] span{display:block!important;padding:0 8px!important}
[data-adproxy-slot]>[data-adproxy=explain-slot] b{font-size:16px!important;font-weight:700!important}
aside[data-adproxy=explain]{display:block!important;position:fixed!important;right:8px!important;bottom:8px!important;
z-index:2147483002!important;max-width:min(380px,94vw)!important;max-height:45vh!important;overflow:auto!important;
background:#fff!important;border:1px solid #555!important;box-shadow:0 2px 12px #0008!important;
padding:6px 10px!important}
aside[data-adproxy=explain] details{position:static!important;max-width:none!important}
aside[data-adproxy=explain] summary{display:list-item!important;width:auto!important;height:auto!important;
background:none!important;color:#111!important;text-align:start!important;list-style:inside disclosure-closed!important;
opacity:1!important}
aside[data-adproxy=explain] details[open]>summary{list-style-type:disclosure-open!important}
aside[data-adproxy=explain] details>ul{width:auto!important;border:0!important;box-shadow:none!important;
padding:0!important}
aside[data-adproxy=explain] li{margin:4px 0!important}
aside[data-adproxy=explain] i{display:inline-block!important;width:14px!important;height:14px!important;
border-radius:7px!important;text-align:center!important;font:700 11px/14px system-ui,sans-serif!important;
color:#fff!important;background:#b00020!important;margin-right:4px!important}
aside[data-adproxy=explain] i.room{background:#8a6100!important}
aside[data-adproxy=explain] i.slot{border-radius:2px!important}
@media print{aside[data-adproxy=explain]{position:static!important;max-height:none!important}}
"""


def slot_id(offset: int) -> str:
    """The id of the box of a slot that is placed at an offset."""
    return f"adproxy-slot-{offset}"


def mark_id(offset: int) -> str:
    """The id of the mark of a candidate at an offset."""
    return f"adproxy-mark-{offset}"


def marked_page(work: Work, account: Account, base: str, *, legend: bool = True) -> bytes:
    """A copy of the page in UTF-8 with its account on it.

    `base`: the address that the page's own relative addresses start from; `legend`: whether a box on it says what the
    marks mean. Raises ValueError for a page that is left alone: there is nothing to mark.
    """
    result, policy = work.result, work.choice.policy
    if not isinstance(result, Rewritten) or policy is None or work.encoding is None:
        raise ValueError("a page that is left alone has nothing marked on it")
    insertions = [*_boxes(result, policy), *_marks(account)]
    marked = splice(work.html, insertions).decode(work.encoding, "replace")
    return _inert(marked, base, styles_of(policy), _legend(account, policy) if legend else "")


def styles_of(policy: Policy | None) -> str:
    """The style sheet of what is marked on pages of a policy, or on those that have none; ASCII."""
    return _CSS if policy is None else f"{stylesheet(policy).decode('ascii')}{_colours(policy)}{_CSS}"


def live_page(work: Work, account: Account, styles: str) -> bytes:
    """The page itself, as alive as it is, with its account on it in place of its slots: no ad is asked for, and nothing
    is counted. `styles`: the markup that brings `styles_of`; ASCII."""
    result, policy = work.result, work.choice.policy
    if isinstance(result, Skip) or policy is None:
        skip = account["skip"]
        why = f"{skip['reason']}: {skip['detail']}" if skip else "there are no rules for it"
        behind = f"{_BOX_OPEN}<summary><b>adproxy</b> leaves this page alone</summary><ul><li>{escape(why)}</li></ul>"
        return work.html + _plain(f"{styles}{behind}</details></aside>")
    marked = splice(work.html, [*_boxes(result, policy), *_marks(account)])
    return marked + _plain(f"{styles}{_legend(account, policy, 'this view shows rules, and counts nothing')}")


def _plain(text: str) -> bytes:
    return text.encode("ascii", "xmlcharrefreplace")


def inert_copy(work: Work, base: str) -> bytes:
    """A copy of a page that is left alone, in UTF-8, that does nothing either."""
    return _inert(work.html.decode(work.encoding or "utf-8", "replace"), base, "", "")


def _inert(page: str, base: str, styles: str, behind: str) -> bytes:
    # "x-" keeps the element and the rest of the page as they are
    text = _REFRESH.sub(r"\1x-\2", page.removeprefix("\ufeff"))
    doctype = _DOCTYPE.match(text)
    at = doctype.end() if doctype else 0
    # before all of the page's own elements: before its scripts, and before policies that would forbid our styles
    first = (
        f'<meta data-adproxy="explain" http-equiv="Content-Security-Policy" content="{_INERT}">'
        # a link that is followed opens beside the copy, or where that is not allowed nothing at all
        f'<base data-adproxy="explain" href="{escape(urljoin(base, _own_base(text)))}" target="_blank">'
        f'<style data-adproxy="explain">{styles}</style>'
    )
    # the mark of UTF-8 wins over whatever encoding the page names
    return f"{text[:at]}{first}{text[at:]}{behind}".encode("utf-8-sig", "replace")


# --- the slots --------------------------------------------------------------------------------------


def _boxes(result: Rewritten, policy: Policy) -> Iterator[Insertion]:
    slots = {slot.name: slot for slot in policy.slots}
    label = label_for(result.page.facts.lang)
    for placement in result.plan.placements:
        slot = slots[placement.slot]
        shown = label if slot.label is None else slot.label
        labelled = f' data-adproxy-label="{_ascii(shown)}"' if shown else ""
        name = _ascii(_name(slot, placement))
        yield Insertion(
            placement.anchor.offset,
            (
                f'<div data-adproxy-slot="{_ascii(slot.name)}" id="{slot_id(placement.anchor.offset)}"'
                f' role="region" aria-label="Slot {name}"{labelled}{shown_on(slot, placement)}>'
                f'<div data-adproxy="explain-slot">'
                f"<b>{name}</b><span>{_ascii(_sizes(slot))}</span></div></div>"
            ).encode("ascii"),
        )


def _name(slot: Slot, placement: Placement) -> str:
    number = f" {placement.n}" if slot.max > 1 else ""
    return f"{slot.name}{number}{only(placement.devices)}"


def _sizes(slot: Slot) -> str:
    """What a slot reserves on each device."""
    parts = []
    for device, width in zip(DEVICES, (PHONE_WIDTH, DESKTOP_WIDTH), strict=True):
        sizes = " or ".join(map(str, slot.sizes.at(width)))
        parts.append(f"{device}: {sizes}, {slot.height_at(width)} px" if sizes else f"{device}: none")
    return "; ".join(parts)


def _colours(policy: Policy) -> str:
    """A colour for each slot, as far apart as they get."""
    box = "[data-adproxy=explain-slot]"
    return "".join(
        f'[data-adproxy-slot="{slot.name}"]>{box},[data-adproxy=explain] i.slot[data-of="{slot.name}"]'
        f"{{background:{slot_colour(i, policy)}!important}}"
        for i, slot in enumerate(policy.slots)
    )


def slot_colour(i: int, policy: Policy) -> str:
    """The colour, as CSS has it, of the i-th slot's box."""
    return f"hsl({360 * i // len(policy.slots) + 130} 75% 78%)"


# --- the candidates ---------------------------------------------------------------------------------


def _marks(account: Account) -> Iterator[Insertion]:
    for candidate in account["candidates"]:
        told = [(verdict["slots"], verdict["refusal"]) for verdict in candidate["verdicts"] if verdict["refusal"]]
        if told and candidate["offset"] is not None:
            yield Insertion(candidate["offset"], _mark(candidate["offset"], candidate["where"], told))
    # positions that are not between the article's blocks: in the sidebar, at the article's end
    elsewhere: dict[int, list[tuple[list[str], RefusalAccount]]] = {}
    for slot in account["slots"]:
        for refusal in slot["refusals"]:
            if refusal["gap"] < 0 and refusal["offset"] is not None:
                elsewhere.setdefault(refusal["offset"], []).append(([slot["slot"]], refusal))
    for offset, refusals in elsewhere.items():
        yield Insertion(offset, _mark(offset, "outside of the article's text", refusals))


def _mark(offset: int, where: str, refusals: list[tuple[list[str], RefusalAccount]]) -> bytes:
    lines = [f"{', '.join(slots)}: {meaning_of(refusal)}{grounds(refusal)}" for slots, refusal in refusals]
    room = all(refusal["reason"] in ROOM for _, refusal in refusals)
    spoken = _ascii(f"No slot {where}. " + " ".join(lines))
    items = "".join(f"<li>{_ascii(line)}</li>" for line in lines)
    return (
        f'<div data-adproxy="explain" id="{mark_id(offset)}"><details{" class=room" if room else ""}>'
        f'<summary aria-label="{spoken}">{"&#9675;" if room else "&times;"}</summary>'
        f"<ul><li><b>No slot {_ascii(where)}</b></li>{items}</ul></details></div>"
    ).encode("ascii")


# --- the legend -------------------------------------------------------------------------------------


_BOX_OPEN = '<aside data-adproxy="explain" aria-label="What adproxy does to this page"><details open>'


def _legend(account: Account, policy: Policy, head: str = "scripts are off in this copy") -> str:
    items = [
        f"<li>Density, {device}: <b>{density['share']:.1%}</b> of the main content (Better Ads), at most"
        f" {density['limit']:.0%}; {density['lighthouse']:.1%} by Lighthouse</li>"
        for device, density in account["density"].items()
    ]
    for slot in account["slots"]:
        placed = len(slot["placements"])
        outcome = f"{placed} of at most {slot['max']}" if placed else _why_not(slot["refusals"])
        items.append(
            f'<li><i class="slot" data-of="{escape(slot["slot"])}"></i>'
            f"<b>{escape(slot['slot'])}</b>, {escape(slot['place'])}: {escape(outcome)}</li>"
        )
    items.append("<li><i>&times;</i>a position that a rule forbids</li>")
    items.append('<li><i class="room">&#9675;</i>a good position, not taken because of other ads</li>')
    hidden = sum(1 for candidate in account["candidates"] if candidate["offset"] is None)
    if hidden:
        items.append(f"<li>{count(hidden, 'gap')} more in which the markup leaves no place for a mark</li>")
    article = account["article"]
    if article is not None:
        problem = f"; {article['problem']}" if article["problem"] else ""
        items.insert(0, f"<li>{count(article['words'], 'word')} of article{escape(problem)}</li>")
    return f"{_BOX_OPEN}<summary><b>adproxy</b>: {head}</summary><ul>{''.join(items)}</ul></details></aside>"


def _why_not(refusals: list[RefusalAccount]) -> str:
    reasons = list(dict.fromkeys(map(reason_of, refusals)))
    return "not placed" + (f" ({', '.join(reasons)})" if reasons else "")


# --- text -------------------------------------------------------------------------------------------


def _ascii(text: str) -> str:
    """Text or attribute value that is right in every encoding that a page may have."""
    return escape(clean(text)).encode("ascii", "xmlcharrefreplace").decode("ascii")


class _Base(HTMLParser):
    found = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "base" and not self.found:
            self.found = dict(attrs).get("href") or ""


def _own_base(text: str) -> str:
    """The address in the page's own `base`, empty without one."""
    parser = _Base()
    parser.feed(text[:_HEAD])
    return parser.found
