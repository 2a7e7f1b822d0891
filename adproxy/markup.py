"""A placement as bytes: a div that reserves its height, a label, a style sheet once a page, and what fills the slot.

Everything is ASCII (entities for the rest), so that one splice is right in every encoding that ASCII bytes mean ASCII
in. Every element carries an attribute whose name begins with ``data-adproxy``. A slot's content is inert: an empty div,
a script, a style sheet, a template; only creatives with text, links or pictures of their own are not, and those stand
at settled anchors alone. No inline event handlers, nothing that is read from a request.

What our script reads: on itself the page's token and what the rules say of visitors (``data-adproxy-token``,
``data-adproxy-rules``); on a slot its running number among those of its name, and whether it counts into the density
(``data-adproxy-n``, ``data-adproxy-main``); on the element that it fills what to ask for (``data-adproxy-ad``, JSON).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from adproxy.csp import ScriptVerdict, StyleVerdict
from adproxy.labels import label_for
from adproxy.model import DESKTOP_FROM, DESKTOP_WIDTH, PHONE_WIDTH, Insertion, Page, Placement, Plan
from adproxy.plan.contender import is_counted
from adproxy.rules.per_revision import PerRevision
from adproxy.rules.ruleset import (
    LABEL_HEIGHT,
    AdsenseCreative,
    ByPage,
    FromJsonLd,
    FromMeta,
    GptCreative,
    HtmlCreative,
    IframeCreative,
    ImageCreative,
    Policy,
    SidebarPlace,
    Slot,
    needs_settled,
)
from adproxy.scripts import CLIENT, VISITOR
from adproxy.tokens import PageMarks

_FORBIDDEN: Final = ScriptVerdict("forbidden")
_OTHER_WIDTH: Final = {"phone": DESKTOP_WIDTH, "desktop": PHONE_WIDTH}
_NAME: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9 _./:-]*")
_NOT_UNIT: Final = re.compile(r"[^a-z0-9]+")

_CONTENT: Final = "[data-adproxy]:not(style,script,link,template,noscript)"
_COMMON_CSS: Final = (
    "[data-adproxy-slot]{box-sizing:border-box;clear:both;width:auto;max-width:100%;margin:16px auto;padding:0;"
    "border:0;text-align:center;overflow:clip}"
    "[data-adproxy-slot][data-adproxy-label]::before{content:attr(data-adproxy-label);display:block;"
    f"height:{LABEL_HEIGHT}px;font:12px/{LABEL_HEIGHT}px system-ui,sans-serif;letter-spacing:.04em;opacity:.75}}"
    f"[data-adproxy-slot]>{_CONTENT}{{display:flex;flex-direction:column;align-items:center;"
    "justify-content:center;margin:0 auto;max-width:100%}"
    "[data-adproxy-slot] img{max-width:100%;height:auto}"
    # on the line's bottom: on its baseline a frame would be a few px higher than what is reserved for it
    "[data-adproxy-slot] iframe{vertical-align:bottom}"
    # what it reports has no box: a picture of one pixel would be one, and a line with it
    "[data-adproxy=seen]{position:absolute}"
)
_AD_FREE_CSS: Final = "[data-adproxy-off] [data-adproxy-slot]{display:none!important}"


def _text(value: str) -> str:
    """Text or attribute value as ASCII HTML."""
    if (value.isalnum() and value.isascii()) or _PLAIN.fullmatch(value):
        return value
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return value.encode("ascii", "xmlcharrefreplace").decode("ascii")


# --- the style sheet ------------------------------------------------------------------------------


def _make_stylesheet(policy: Policy) -> bytes:
    rules = [_COMMON_CSS]
    by_width: dict[int, list[str]] = {}
    for slot in policy.slots:
        name = f'[data-adproxy-slot="{slot.name}"]'
        if isinstance(slot.place, SidebarPlace):  # or it falls below a main column that floats
            rules.append(f"{name}{{clear:none}}")
        for width, sizes in slot.sizes.steps:
            height = slot.height_at(width)
            inner = height - (0 if slot.label == "" else LABEL_HEIGHT)
            # where the page lays its text out in a grid, an empty box with margins of its own is as narrow as its label
            widest = max((size.width for size in sizes), default=0)
            css = (
                f"{name}{{display:block;min-height:{height}px;min-width:min(100%,{widest}px)}}"
                f"{name}>{_CONTENT}{{min-height:{inner}px}}"
                if sizes
                else f"{name}{{display:none;min-height:0}}"
            )
            by_width.setdefault(width, []).append(css)
    for width in sorted(by_width):
        css = "".join(by_width[width])
        rules.append(css if width == 0 else f"@media (min-width:{width}px){{{css}}}")
    if policy.visitors.ad_free_cookie:
        rules.append(_AD_FREE_CSS)
    # A slot that has room on one device alone.
    rules.append(f"@media (min-width:{DESKTOP_FROM}px){{[data-adproxy-on=phone]{{display:none!important}}}}")
    rules.append(f"@media (max-width:{DESKTOP_FROM - 0.02}px){{[data-adproxy-on=desktop]{{display:none!important}}}}")
    return "".join(rules).encode("ascii")


stylesheet: Final = PerRevision(_make_stylesheet)
"""The styles of a policy's slots, ASCII: the same for every page that it holds for. Each slot's min-height is what is
reserved at each breakpoint, label included; where it has no sizes it is not displayed."""


_stylesheet_text: Final = PerRevision(lambda policy: stylesheet(policy).decode("ascii"))


def _nonce(verdict: StyleVerdict | ScriptVerdict) -> str:
    return f' nonce="{_text(verdict.nonce)}"' if verdict.kind == "nonce" else ""


def _style_element(policy: Policy, verdict: StyleVerdict, prefix: str) -> str:
    if verdict.kind == "linked":
        return f'<link data-adproxy="style" rel="stylesheet" href="{_text(prefix)}slots-{policy.revision}.css">'
    return f'<style data-adproxy="style"{_nonce(verdict)}>{_stylesheet_text(policy)}</style>'


# --- scripts ----------------------------------------------------------------------------------------


def needs_client(slot: Slot) -> bool:
    """True for a slot that stays empty without our script."""
    return isinstance(slot.creative, (GptCreative, IframeCreative, AdsenseCreative))


def _visitor_script(policy: Policy, inline: ScriptVerdict, linked: ScriptVerdict, prefix: str) -> str:
    """Blocking on purpose: it comes before the first slot, and who sees no ads is to see no box either."""
    attributes = f'data-adproxy="visitor" data-adproxy-cookie="{_text(policy.visitors.ad_free_cookie)}"'
    if inline.kind != "forbidden":
        return f"<script {attributes}{_nonce(inline)}>{VISITOR.body.decode('ascii')}</script>"
    if linked.kind != "forbidden":
        src = f"{_text(prefix)}{VISITOR.name}?v={VISITOR.version}"
        return f'<script {attributes} src="{src}"{_nonce(linked)}></script>'
    return ""


def _client_script(policy: Policy, verdict: ScriptVerdict, prefix: str, marks: PageMarks | None) -> str:
    visitors = policy.visitors
    said = {
        **({"site": policy.site} if marks else {}),
        **({"consent": visitors.consent, "vendors": visitors.vendors} if visitors.consent != "none" else {}),
        "refused": visitors.if_refused,
    }
    token = f' data-adproxy-token="{_text(marks.token)}"' if marks else ""
    return (
        f'<script data-adproxy="client"{token} data-adproxy-rules="{_json(said)}"'
        f' src="{_text(prefix)}{CLIENT.name}?v={CLIENT.version}" defer{_nonce(verdict)}></script>'
    )


def _json(value: object) -> str:
    return _text(json.dumps(value, separators=(",", ":")))


# --- templates --------------------------------------------------------------------------------------


def _values(slot: Slot, number: int, page: Page, policy: Policy) -> dict[str, str]:
    """What the names in templates stand for."""
    values = {"slot": slot.name, "n": str(number), "site": policy.site, "network": policy.network}
    for name, source in policy.key_values:
        if isinstance(source, FromJsonLd):
            values[name] = page.facts.json_ld.get(source.field, "")
        elif isinstance(source, FromMeta):
            values[name] = page.facts.meta.get(source.name, "")
        else:
            values[name] = fill(source, values)
    if slot.name in _with_ad_unit(policy):
        values["ad_unit"] = ad_unit(slot, values)
    return values


_with_ad_unit: Final = PerRevision(
    lambda policy: frozenset(
        slot.name
        for slot in policy.slots
        if isinstance(slot.creative, GptCreative) or "{ad_unit}" in repr(slot.creative)
    )
)
"""The slots whose ads are asked for by the unit's name."""


def fill(template: str, values: Mapping[str, str], change: Callable[[str], str] = str) -> str:
    """A template with its {names} replaced; names were checked at load, so an unknown one stays as it is."""
    if "{" not in template:
        return template
    return _NAME.sub(lambda m: change(values[m[1]]) if m[1] in values else m[0], template)


def ad_unit(slot: Slot, values: Mapping[str, str]) -> str:
    """The ad server's name for a slot, ``/1234/news/inline``; facts of the page in it become plain words."""
    return fill(slot.ad_unit, values, lambda value: _NOT_UNIT.sub("-", value.lower()).strip("-") or "none")


# --- slots ------------------------------------------------------------------------------------------


def render(
    plan: Plan,
    page: Page,
    policy: Policy,
    *,
    style: StyleVerdict,
    script: ScriptVerdict,
    prefix: str,
    inline_script: ScriptVerdict = _FORBIDDEN,
    pictures: bool = True,
    marks: PageMarks | None = None,
) -> tuple[Insertion, ...]:
    """The insertions of a plan, in document order.

    `style`, `script`, `inline_script`: how the page's content security policies let ours come (not "forbidden" where
    they are needed); `pictures`: whether they let pictures come from our own path; `prefix`: the path that we answer
    under; `marks`: what browsers report with, None where nothing is counted.
    """
    slots = {slot.name: slot for slot in policy.slots}
    placed = [slots[placement.slot] for placement in plan.placements]
    label = label_for(page.facts.lang)
    insertions: list[Insertion] = []
    taken: set[str] = set(page.facts.ids)
    for count, (placement, slot) in enumerate(zip(plan.placements, placed, strict=True), 1):
        head = ""
        if count == 1:
            if policy.visitors.ad_free_cookie:
                head += _visitor_script(policy, inline_script, script, prefix)
            head += _style_element(policy, style, prefix)
            if script.kind != "forbidden" and (marks or any(needs_client(one) or one.fallback for one in placed)):
                head += _client_script(policy, script, prefix, marks)
        number = _number(slot, placement, taken)
        values = _values(slot, number, page, policy)
        shown = label if slot.label is None else slot.label
        spoken = f"{shown or label} {count}" if count > 1 else shown or label
        attributes = f' data-adproxy-n="{placement.n}"'
        attributes += f' data-adproxy-label="{_text(shown)}"' if shown else ""
        attributes += shown_on(slot, placement)
        attributes += " data-adproxy-main" if is_counted(placement.anchor, slot.place) else ""
        content = _creative(slot, values, policy, taken, spoken, placement.n, marks)
        if slot.fallback:
            content += f'<template data-adproxy="fallback">{slot.fallback.decode("ascii")}</template>'
        if marks and pictures and needs_settled(slot):
            src = _text(marks.seen(slot.name, placement.n))
            content += (
                f'<noscript data-adproxy="seen"><img data-adproxy="seen" src="{src}" alt="" width="1" height="1">'
                "</noscript>"
            )
        markup = (
            f'<div data-adproxy-slot="{_text(slot.name)}" role="region" aria-label="{_text(spoken)}"{attributes}>'
            f"{head}{content}</div>"
        )
        insertions.append(Insertion(placement.anchor.offset, markup.encode("ascii")))
    return tuple(insertions)


def shown_on(slot: Slot, placement: Placement) -> str:
    """The attribute by which the style sheet hides a slot on the one device where it has sizes but no room."""
    alone = len(placement.devices) == 1 and slot.height_at(_OTHER_WIDTH[placement.devices[0]])
    return f' data-adproxy-on="{placement.devices[0]}"' if alone else ""


def _number(slot: Slot, placement: Placement, taken: set[str]) -> int:
    """The {n} of a placement: its own count, or the next for which its id is still free on the page."""
    number = placement.n
    creative = slot.creative
    if isinstance(creative, ByPage) and "{n}" in creative.id:
        while creative.numbered_id(slot.name, number) in taken:
            number += 1
    return number


def _creative(
    slot: Slot,
    values: Mapping[str, str],
    policy: Policy,
    taken: set[str],
    spoken: str,
    n: int,
    marks: PageMarks | None,
) -> str:
    creative = slot.creative
    if isinstance(creative, HtmlCreative):
        # The only two names in an operator's markup that are templates: any other brace in it is its own.
        markup = creative.markup.decode("ascii").replace("{n}", values["n"]).replace("{slot}", slot.name)
        return f'<div data-adproxy="creative">{markup}</div>'
    if isinstance(creative, ImageCreative):
        size = creative.size
        href = marks.click(slot.name, n) if marks else creative.link
        return (
            f'<a data-adproxy="creative" href="{_text(href)}" rel="sponsored noopener">'
            f'<img src="{_text(creative.src)}" alt="{_text(creative.alt)}" width="{size.width}" height="{size.height}"'
            f' loading="lazy" decoding="async"></a>'
        )
    if isinstance(creative, GptCreative):
        ident = f"adproxy-{slot.name}-{values['n']}"
        request = {
            "unit": values["ad_unit"],
            "sizes": _sizes(slot),
            "targeting": {name: values[name] for name, _ in policy.key_values if values[name]},
        }
        return f'<div data-adproxy="gpt" id="{_text(ident)}" data-adproxy-ad="{_json(request)}"></div>'
    if isinstance(creative, AdsenseCreative):
        unit = {"client": creative.client, "unit": creative.unit, "sizes": _sizes(slot)}
        return f'<div data-adproxy="adsense" data-adproxy-ad="{_json(unit)}"></div>'
    if isinstance(creative, IframeCreative):
        frame = {
            "src": fill(creative.src, values, lambda value: quote(value, safe="")),
            "title": creative.title or spoken,
            "size": [creative.size.width, creative.size.height],
        }
        return f'<div data-adproxy="iframe" data-adproxy-ad="{_json(frame)}"></div>'
    ident = fill(creative.id, values)
    attributes = ""
    if ident:
        taken.add(ident)
        attributes += f' id="{_text(ident)}"'
    if creative.classes:
        attributes += f' class="{_text(fill(creative.classes, values))}"'
    for name, template in creative.data:
        attributes += f' data-{name}="{_text(fill(template, values))}"'
    return f'<div data-adproxy="ad"{attributes}></div>'


def _sizes(slot: Slot) -> list[tuple[int, list[tuple[int, int]]]]:
    """Sizes by least width of the viewport, ascending."""
    return [(width, [(size.width, size.height) for size in sizes]) for width, sizes in slot.sizes.steps]
