"""The pure whole: a page's bytes in; its bytes with the slots, and an account of every decision, out.

No server, no I/O, no clock: runs in a notebook as it does in the middleware.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from adproxy.csp import Csp, ScriptVerdict
from adproxy.markup import needs_client, render
from adproxy.model import Insertion, Page, Plan, Skip, SkipReason
from adproxy.page.guard import MAX_BYTES, hostile
from adproxy.page.read import compile_wanted, read
from adproxy.page.scan import scan
from adproxy.plan import plan
from adproxy.rules.per_revision import PerRevision
from adproxy.rules.ruleset import AdsenseCreative, GptCreative, IframeCreative, ImageCreative, Policy, Slot
from adproxy.splice import splice
from adproxy.tokens import PageMarks

_BOM: Final = b"\xef\xbb\xbf"
_WHITE: Final = b" \t\r\n\f"
_AMP: Final = re.compile(
    rb"<html(?=[\t\n\f\r ])[^>]*?[\t\n\f\r ](?:amp|amp4email|\xe2\x9a\xa1)(?=[\t\n\f\r =>/]|\xef\xb8\x8f)", re.I
)
_FIRST_TAG: Final = re.compile(rb"[\t\n\f\r ]*+(?:<!doctype[^<>]*+>)?+[\t\n\f\r ]*+(?=<html[\t\n\f\r >])", re.I)
"""What stands before the html tag, where that is the first."""
_GPT: Final = "https://securepubads.g.doubleclick.net/tag/js/gpt.js"
_LIMITED: Final = "https://pagead2.googlesyndication.com/tag/js/gpt.js"
"""The same for ads that use no data of the reader's."""
_ADSENSE: Final = "https://pagead2.googlesyndication.com/pagead/js/adsbygoogle.js"
"""Libraries that our script loads, as it spells them."""
_HEAD: Final = 4096
"""Bytes in which an AMP page says that it is one: the html tag comes right after the doctype."""


@dataclass(init=False, slots=True)
class Rewritten:
    """A page that was planned, though perhaps with no slot."""

    body: bytes
    insertions: tuple[Insertion, ...]
    plan: Plan
    page: Page

    def __init__(self, body: bytes, insertions: tuple[Insertion, ...], plan: Plan, page: Page) -> None:
        self.body = body
        self.insertions = insertions
        self.plan = plan
        self.page = page


def rewrite(
    html: bytes,
    policy: Policy,
    *,
    encoding: str = "utf-8",
    csp_headers: tuple[str, ...] = (),
    path: str = "/",
    prefix: str = "/_adproxy/",
    marks_for: Callable[[Policy, Plan], PageMarks] | None = None,
) -> Rewritten | Skip:
    """Place a policy's slots on a page.

    `html`: the decoded body; `encoding`: a Python codec from `charset.sniff`; `csp_headers`: the values of the
    answer's Content-Security-Policy headers; `prefix`: the path that our style sheet and script are served under;
    `marks_for`: what the markup of a planned page carries so that browsers can report, None where nothing is counted.
    Returns a Skip where the same bytes and rules always mean that the page is to be left alone.
    """
    planned = plan_page(html, policy, encoding)
    if isinstance(planned, Skip):
        return planned
    return write_page(html, planned, policy, csp_headers=csp_headers, prefix=prefix, marks_for=marks_for)


@dataclass(init=False, slots=True)
class Planned:
    """A page that was read and planned: what does not depend on how its answer's head is, nor on the day."""

    page: Page
    plan: Plan

    def __init__(self, page: Page, plan: Plan) -> None:
        self.page = page
        self.plan = plan

    def with_nonce(self, nonce: str | None) -> Planned:
        """The same with another nonce of the page's own; None: with the one that it has."""
        if nonce is None:
            return self
        return replace(self, page=replace(self.page, facts=replace(self.page.facts, nonce=nonce)))

    def facts_alone(self) -> Planned:
        """The same with nothing of the page but its facts, which are all that writing needs."""
        return replace(self, page=Page(facts=self.page.facts))


def plan_page(html: bytes, policy: Policy, encoding: str) -> Planned | Skip:
    """Read a page and plan it: all of a rewrite that takes time."""
    skip = leave_alone(html)
    if skip is not None:
        return skip
    scanned = scan(html)
    reason = hostile(html, scanned)
    if reason:
        return Skip(SkipReason.HOSTILE, reason)
    page = read(html, wanted_by(policy), encoding, scanned)
    if page.already_rewritten:
        return Skip(SkipReason.ALREADY_REWRITTEN, "our marks are on the page")
    if page.marked_off:
        return Skip(SkipReason.MARKED_OFF, "a comment on the page says adproxy:off")
    if page.taken_over_by:
        return Skip(SkipReason.HYDRATED, f"{page.taken_over_by} takes the page over and expects it as it was sent")
    return Planned(page, plan(page, policy))


def write_page(
    html: bytes,
    known: Planned,
    policy: Policy,
    *,
    csp_headers: tuple[str, ...] = (),
    prefix: str = "/_adproxy/",
    marks_for: Callable[[Policy, Plan], PageMarks] | None = None,
) -> Rewritten | Skip:
    """Write a plan into the page that it was made for, as `rewrite` would; `known`: from `plan_page`."""
    page, planned = known.page, known.plan
    if not planned.placements:
        return Rewritten(html, (), planned, page)
    csp = Csp.parse(csp_headers, page.facts.csp)
    nonces = (page.facts.nonce,) if page.facts.nonce else ()
    style, script, inline = csp.style(nonces), csp.script(nonces), csp.inline_script(nonces)
    placed = {p.slot for p in planned.placements}
    objection = "the page's policy allows neither inline styles nor a style sheet of its own host"
    if style.kind != "forbidden":
        objection = _objection(csp, policy, [s for s in policy.slots if s.name in placed], script, inline)
    if objection:
        return Skip(SkipReason.CSP, objection)
    # Where browsers may not report, pages carry nothing to report with.
    counted = marks_for is not None and script.kind != "forbidden" and csp.connect()
    insertions = render(
        planned,
        page,
        policy,
        style=style,
        script=script,
        inline_script=inline,
        pictures=csp.img(prefix),
        prefix=prefix,
        marks=marks_for(policy, planned) if marks_for is not None and counted else None,
    )
    return Rewritten(splice(html, insertions), insertions, planned, page)


def _objection(csp: Csp, policy: Policy, slots: list[Slot], script: ScriptVerdict, inline: ScriptVerdict) -> str:
    """What the page's policy has against one of the slots on it; empty where it lets all of them come."""
    if policy.visitors.ad_free_cookie and script.kind == inline.kind == "forbidden":
        return "the page's policy allows no script that could tell the readers who see no ads"
    for slot in slots:
        creative = slot.creative
        if needs_client(slot) and script.kind == "forbidden":
            return "the page's policy allows no script of its own host, and a slot needs one"
        if isinstance(creative, ImageCreative) and not csp.img(creative.src):
            return f"the page's policy does not allow the picture of the slot {slot.name}"
        if isinstance(creative, IframeCreative) and not csp.frame(creative.src.partition("?")[0]):
            return f"the page's policy does not allow the frame of the slot {slot.name}"
        libraries = [_ADSENSE] if isinstance(creative, AdsenseCreative) else []
        if isinstance(creative, GptCreative):
            libraries = [_GPT, _LIMITED] if policy.visitors.if_refused == "limited" else [_GPT]
        for library in libraries:
            if not csp.library(library, script):
                return f"the page's policy does not allow {library}, which the slot {slot.name} needs"
    return ""


def leave_alone(html: bytes) -> Skip | None:
    """Why a page is left alone by how it begins, or by its size; None where it is to be read."""
    # Two, where a script's own file begins with one as well: the second is text, in front of which no slot comes.
    start = next((n * len(_BOM) for n in (2, 1) if html.startswith(n * _BOM)), 0)
    head = html[start : start + _HEAD].lstrip(_WHITE)
    if not head.startswith(b"<"):
        return Skip(SkipReason.NOT_MARKUP, f"begins with {head[:20]!r}")
    if head.startswith(b"<?xml"):
        return Skip(SkipReason.XHTML, "an XML declaration")
    if _is_amp(html, start, start + _HEAD):
        return Skip(SkipReason.AMP, "an AMP page")
    if len(html) > MAX_BYTES:
        return Skip(SkipReason.HOSTILE, f"{len(html)} bytes; at most {MAX_BYTES} are read")
    return None


def _is_amp(html: bytes, start: int, end: int) -> bool:
    """Whether an html tag between two offsets says so. On most pages a doctype alone stands before that tag: there it
    is enough to look at the tag itself."""
    first = _FIRST_TAG.match(html, start, end)
    if first is None:
        return _AMP.search(html, start, end) is not None
    return _AMP.match(html, first.end(), end) is not None


wanted_by: Final = PerRevision(compile_wanted)
"""What has to be read for a policy."""
