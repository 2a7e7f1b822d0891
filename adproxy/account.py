"""What becomes of one page, decided as the middleware would, and the account of it: as JSON, and as text for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from adproxy.charset import sniff
from adproxy.eligibility import response_skip, values
from adproxy.model import DEVICES, Page, Plan, Refusal, Skip, SkipReason
from adproxy.page_source import Fetched
from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.match import choose
from adproxy.rules.ruleset import Choice, FixedPlace, MidArticle, Place, Policy, RuleBook, SelectorPlace
from adproxy.settings import Settings


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


def account_of(name: str, work: Work) -> dict[str, Any]:
    """What `explain` says, as JSON; the text is told from the same values."""
    policy, result = work.choice.policy, work.result
    account: dict[str, Any] = {
        "page": name,
        "url": work.url,
        "rules": {
            "why": work.choice.why,
            "site": policy.site if policy else None,
            "revision": policy.revision if policy else None,
        },
        "encoding": work.encoding,
        "skip": None,
    }
    if isinstance(result, Skip) or policy is None:
        if isinstance(result, Skip):
            account["skip"] = {"reason": result.reason.value, "detail": result.detail}
        return account
    page, plan = result.page, result.plan
    account["article"] = {
        "problem": page.article_problem,
        "words": page.words,
        "blocks": [
            {
                "kind": block.kind.value,
                "words": block.words,
                "height": {"phone": round(block.heights.phone), "desktop": round(block.heights.desktop)},
                "text": block.text,
            }
            for block in page.blocks
        ],
    }
    account["density"] = {
        device: {
            "share": round(getattr(plan.density, device), 4),
            "limit": getattr(policy.limits.ad_share, device),
            "content_height": round(getattr(plan.content, device)),
        }
        for device in DEVICES
    }
    account["slots"] = _slots(policy, plan, page, work.html)
    return account


def _slots(policy: Policy, plan: Plan, page: Page, html: bytes) -> list[dict[str, Any]]:
    return [
        {
            "slot": slot.name,
            "place": _place(slot.place),
            "max": slot.max,
            "placements": [
                {
                    "n": placement.n,
                    "gap": placement.anchor.gap,
                    "where": _where(placement.anchor.gap, page),
                    "offset": placement.anchor.offset,
                    "line": _line(html, placement.anchor.offset),
                    "devices": list(placement.devices),
                }
                for placement in plan.placements
                if placement.slot == slot.name
            ],
            "refusals": [_refusal(refusal, page, html) for refusal in plan.refusals if refusal.slot == slot.name],
        }
        for slot in policy.slots
    ]


def _refusal(refusal: Refusal, page: Page, html: bytes) -> dict[str, Any]:
    anchor = refusal.anchor
    return {
        "reason": refusal.reason.value,
        "required": refusal.required,
        "actual": refusal.actual,
        "gap": refusal.gap,
        "where": _where(refusal.gap, page),
        "line": _line(html, anchor.offset) if anchor is not None else None,
        "device": refusal.device,
    }


def told(account: dict[str, Any], bold: Callable[[str], str] = str) -> Iterator[str]:
    """The account as lines for a person; `bold` makes a word stand out where that is wanted."""
    rules = account["rules"]
    yield f"Page      {_clean(account['page'])}"
    yield f"Address   {_clean(account['url'])}"
    yield f"Rules     {rules['why']}" + (f"; revision {rules['revision']}" if rules["revision"] else "")
    if account["skip"] is not None:
        detail = f" ({_clean(account['skip']['detail'])})" if account["skip"]["detail"] else ""
        yield f"Result    left alone: {account['skip']['reason']}{detail}"
        return
    article, slots = account["article"], account["slots"]
    placed = sum(len(slot["placements"]) for slot in slots)
    yield f"Result    {count(placed, 'slot')} placed"
    problem = f"; no place in it: {article['problem']}" if article["problem"] else ""
    yield f"Article   {count(article['words'], 'word')} in {count(len(article['blocks']), 'block')}{problem}"
    for label, device in zip(("Density", ""), DEVICES, strict=True):
        density = account["density"][device]
        yield (
            f"{label:<9} {device:<8} {density['share']:6.1%} of at most {density['limit']:.0%};"
            f" main content {density['content_height']} px"
        )
    yield from _told_outline(article["blocks"], slots, bold)
    yield ""
    yield bold("Slots")
    for slot in slots:
        yield from _told_slot(slot, bold)


def _told_outline(
    blocks: list[dict[str, Any]], slots: list[dict[str, Any]], bold: Callable[[str], str]
) -> Iterator[str]:
    yield ""
    yield bold("Article, block by block (heights in px: phone, desktop)")
    in_gap: dict[int, list[str]] = {}
    for slot in slots:
        for placement in slot["placements"]:
            if placement["gap"] >= 0:
                in_gap.setdefault(placement["gap"], []).append(_mark(slot, placement))
    for gap in range(len(blocks) + 1):
        for mark in in_gap.get(gap, ()):
            yield f"    > {bold(mark)}"
        if gap < len(blocks):
            block = blocks[gap]
            height = f"{block['height']['phone']}, {block['height']['desktop']}"
            yield (
                f"{gap + 1:>5} {block['kind']:<9} {count(block['words'], 'word'):>10} {height:>12}"
                f"  {_clean(block['text'][:60])}"
            ).rstrip()


def _told_slot(slot: dict[str, Any], bold: Callable[[str], str]) -> Iterator[str]:
    placed = len(slot["placements"])
    outcome = f"{placed} of at most {slot['max']} placed" if placed else "not placed"
    yield f"  {bold(slot['slot'])}, {slot['place']}: {outcome}"
    for placement in slot["placements"]:
        where = placement["where"] or slot["place"]
        yield f"      placed   {where}, line {placement['line']} of the page{_only(placement)}"
    for run in _runs(slot["refusals"]):
        refusal = run[0]
        where = ""
        if len(run) > 1:
            where = f"after blocks {refusal['gap']} to {run[-1]['gap']}: "
        elif refusal["where"]:
            where = f"{refusal['where']}: "
        elif refusal["line"]:
            where = f"line {refusal['line']}: "
        device = f" on {refusal['device']}" if refusal["device"] else ""
        yield (
            f"      refused  {where}{refusal['reason']}{device},"
            f" needs {_clean(refusal['required'])}, found {_clean(refusal['actual'])}"
        )


def _runs(refusals: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Refusals of one gap after another that say the same, together: a long article has a hundred of them."""
    runs: list[list[dict[str, Any]]] = []
    for refusal in refusals:
        before = runs[-1][-1] if runs else None
        if (
            before is not None
            and refusal["gap"] == before["gap"] + 1 > 1
            and all(refusal[key] == before[key] for key in ("reason", "required", "actual", "device"))
        ):
            runs[-1].append(refusal)
        else:
            runs.append([refusal])
    return runs


def _mark(slot: dict[str, Any], placement: dict[str, Any]) -> str:
    number = f" {placement['n']}" if slot["max"] > 1 else ""
    return f"{slot['slot']}{number}{_only(placement)}"


def _only(placement: dict[str, Any]) -> str:
    devices = placement["devices"]
    return "" if len(devices) == len(DEVICES) else f" ({', '.join(devices)} only)"


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
    return f"{skip.reason.value} ({_clean(skip.detail)})" if skip.detail else skip.reason.value


def count(number: int, noun: str) -> str:
    """A number with its noun, in the plural where that is due."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _clean(text: str) -> str:
    """What a page says may hold sequences that a terminal obeys."""
    return "".join(char if char.isprintable() else " " for char in text)
