"""A placement as bytes: a div that reserves its height, a label, a style sheet once a page, and what fills the slot.

Everything is ASCII (entities for the rest), so that one splice is right in every encoding that ASCII bytes mean ASCII
in. Every element carries an attribute whose name begins with ``data-adproxy``. A slot's content is inert: an empty div,
a script, a style sheet; only creatives with text, links or pictures of their own are not, and those stand at settled
anchors alone. No inline event handlers, nothing that is read from a request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from adproxy.csp import ScriptVerdict, StyleVerdict
from adproxy.labels import label_for
from adproxy.model import DESKTOP_FROM, DESKTOP_WIDTH, PHONE_WIDTH, Insertion, Page, Placement, Plan
from adproxy.rules.per_revision import PerRevision
from adproxy.rules.ruleset import (
    LABEL_HEIGHT,
    ByPage,
    FromJsonLd,
    FromMeta,
    GptCreative,
    HtmlCreative,
    ImageCreative,
    Policy,
    Slot,
)
from adproxy.tokens import PageMarks

_OTHER_WIDTH = {"phone": DESKTOP_WIDTH, "desktop": PHONE_WIDTH}
_NAME = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_NOT_UNIT = re.compile(r"[^a-z0-9]+")

_CONTENT = "[data-adproxy]:not(style,script,link)"
_COMMON_CSS = (
    "[data-adproxy-slot]{box-sizing:border-box;clear:both;width:auto;max-width:100%;margin:16px auto;padding:0;"
    "border:0;text-align:center;overflow:clip}"
    "[data-adproxy-slot][data-adproxy-label]::before{content:attr(data-adproxy-label);display:block;"
    f"height:{LABEL_HEIGHT}px;font:12px/{LABEL_HEIGHT}px system-ui,sans-serif;letter-spacing:.04em;opacity:.75}}"
    f"[data-adproxy-slot]>{_CONTENT}{{display:flex;flex-direction:column;align-items:center;"
    "justify-content:center;margin:0 auto;max-width:100%}"
    "[data-adproxy-slot] img{max-width:100%;height:auto}"
)


def _text(value: str) -> str:
    """Text or attribute value as ASCII HTML."""
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return value.encode("ascii", "xmlcharrefreplace").decode("ascii")


# --- the style sheet ------------------------------------------------------------------------------


def _make_stylesheet(policy: Policy) -> bytes:
    rules = [_COMMON_CSS]
    by_width: dict[int, list[str]] = {}
    for slot in policy.slots:
        name = f'[data-adproxy-slot="{slot.name}"]'
        for width, sizes in slot.sizes.steps:
            height = slot.height_at(width)
            inner = height - (0 if slot.label == "" else LABEL_HEIGHT)
            css = (
                f"{name}{{display:block;min-height:{height}px}}{name}>{_CONTENT}{{min-height:{inner}px}}"
                if sizes
                else f"{name}{{display:none}}"
            )
            by_width.setdefault(width, []).append(css)
    for width in sorted(by_width):
        css = "".join(by_width[width])
        rules.append(css if width == 0 else f"@media (min-width:{width}px){{{css}}}")
    # A slot that has room on one device alone.
    rules.append(f"@media (min-width:{DESKTOP_FROM}px){{[data-adproxy-on=phone]{{display:none!important}}}}")
    rules.append(f"@media (max-width:{DESKTOP_FROM - 0.02}px){{[data-adproxy-on=desktop]{{display:none!important}}}}")
    return "".join(rules).encode("ascii")


stylesheet = PerRevision(_make_stylesheet)
"""The styles of a policy's slots, ASCII: the same for every page that it holds for. Each slot's min-height is what is
reserved at each breakpoint, label included; where it has no sizes it is not displayed."""


def _style_element(policy: Policy, verdict: StyleVerdict, prefix: str) -> str:
    if verdict.kind == "linked":
        return f'<link data-adproxy="style" rel="stylesheet" href="{_text(prefix)}slots-{policy.revision}.css">'
    nonce = f' nonce="{_text(verdict.nonce)}"' if verdict.kind == "nonce" else ""
    return f'<style data-adproxy="style"{nonce}>{stylesheet(policy).decode("ascii")}</style>'


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
    values["ad_unit"] = ad_unit(slot, values)
    return values


def fill(template: str, values: Mapping[str, str], change: Callable[[str], str] = str) -> str:
    """A template with its {names} replaced; names were checked at load, so an unknown one stays as it is."""
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
    marks: PageMarks | None = None,
) -> tuple[Insertion, ...]:
    """The insertions of a plan, in document order.

    `style` and `script`: how the page's content security policies let them come (not "forbidden" where they are
    needed); `prefix`: the path that our own style sheet and script are served under; `marks`: what lets browsers report
    this page, None where nothing is counted.
    """
    slots = {slot.name: slot for slot in policy.slots}
    label = label_for(page.facts.lang)
    insertions: list[Insertion] = []
    taken: set[str] = set(page.facts.ids)
    scripted = False
    for count, placement in enumerate(plan.placements, 1):
        slot = slots[placement.slot]
        head = _style_element(policy, style, prefix) if count == 1 else ""
        counted = marks is not None and script.kind != "forbidden"
        if (counted or isinstance(slot.creative, GptCreative)) and not scripted:
            nonce = f' nonce="{_text(script.nonce)}"' if script.kind == "nonce" else ""
            token = f' data-adproxy-token="{_text(marks.token)}"' if marks is not None else ""
            head += f'<script data-adproxy="script"{token} src="{_text(prefix)}client.js" defer{nonce}></script>'
            scripted = True
        number = _number(slot, placement, taken)
        values = _values(slot, number, page, policy)
        shown = label if slot.label is None else slot.label
        spoken = f"{shown or label} {count}" if count > 1 else shown or label
        attributes = f' data-adproxy-label="{_text(shown)}"' if shown else ""
        attributes += shown_on(slot, placement)
        markup = (
            f'<div data-adproxy-slot="{_text(slot.name)}" role="region" aria-label="{_text(spoken)}"{attributes}>'
            f"{head}{_creative(slot, values, policy, taken)}</div>"
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


def _creative(slot: Slot, values: Mapping[str, str], policy: Policy, taken: set[str]) -> str:
    creative = slot.creative
    if isinstance(creative, HtmlCreative):
        # The only two names in an operator's markup that are templates: any other brace in it is its own.
        markup = creative.markup.decode("ascii").replace("{n}", values["n"]).replace("{slot}", slot.name)
        return f'<div data-adproxy="creative">{markup}</div>'
    if isinstance(creative, ImageCreative):
        size = creative.size
        return (
            f'<a data-adproxy="creative" href="{_text(creative.link)}" rel="sponsored noopener">'
            f'<img src="{_text(creative.src)}" alt="{_text(creative.alt)}" width="{size.width}" height="{size.height}"'
            f' loading="lazy" decoding="async"></a>'
        )
    if isinstance(creative, GptCreative):
        ident = f"adproxy-{slot.name}-{values['n']}"
        request = {
            "unit": values["ad_unit"],
            "sizes": [[width, [[s.width, s.height] for s in sizes]] for width, sizes in slot.sizes.steps],
            "targeting": {name: values[name] for name, _ in policy.key_values if values[name]},
        }
        return f'<div data-adproxy="gpt" id="{_text(ident)}" data-adproxy-gpt="{_text(json.dumps(request))}"></div>'
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
