"""An account as lines for a person: the article as an outline, and in each of its gaps what becomes of a slot there."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Literal

from adproxy.account import Account, Offender, RefusalAccount, SlotAccount, Verdict, clean, count
from adproxy.model import DEVICES, Device

COLUMNS = 100
"""Of a line; a word that is longer alone, such as an address, is not broken."""

Ink = Literal["title", "placed", "refused", "faint"]
Paint = Callable[[str, Ink], str]

_IN_GAP = " " * 8
_IN_SLOT = " " * 6
_HANGING = " " * 11


def plain(text: str, ink: Ink) -> str:
    """For whoever reads no colours: a pipe, a file."""
    return text


def told(account: Account, paint: Paint = plain) -> Iterator[str]:
    """The account, line by line; `paint` colours parts of it where that is wanted."""
    rules = account["rules"]
    yield from _headed("Page", account["page"])
    yield from _headed("Address", account["url"])
    yield from _headed("Rules", rules["why"] + (f"; revision {rules['revision']}" if rules["revision"] else ""))
    article = account["article"]
    if article is None:
        skip = account["skip"]
        why = skip["reason"] + (f" ({skip['detail']})" if skip["detail"] else "") if skip else "no rules"
        yield from _headed("Result", f"left alone: {why}")
        return
    placed = sum(len(slot["placements"]) for slot in account["slots"])
    yield f"Result    {count(placed, 'slot')} placed"
    problem = f"; no place in it: {article['problem']}" if article["problem"] else ""
    yield f"Article   {count(article['words'], 'word')} in {count(len(article['blocks']), 'block')}{problem}"
    for label, device in zip(("Density", ""), DEVICES, strict=True):
        density = account["density"][device]
        yield (
            f"{label:<9} {device:<8} {density['share']:6.1%} of the main content (Better Ads; at most"
            f" {density['limit']:.0%}), {density['lighthouse']:.1%} by Lighthouse"
        )
    yield from _outline(account, paint)
    yield ""
    yield paint("Slots", "title")
    for slot in account["slots"]:
        yield from _slot(slot, paint)
    for name in account["unknown_marks"]:
        missing = f"  A marker in the page names “{clean(name)}”, but no slot that markers may place has that name."
        yield from wrap(missing, _IN_SLOT)


def _headed(head: str, text: str) -> Iterator[str]:
    yield from wrap(f"{head:<9} {clean(text)}", " " * 10)


# --- the outline ------------------------------------------------------------------------------------


def _outline(account: Account, paint: Paint) -> Iterator[str]:
    article = account["article"]
    if article is None or not article["blocks"]:
        return
    middle = {slot["slot"] for slot in account["slots"] if slot["mid_article"]}
    many = {slot["slot"] for slot in account["slots"] if slot["max"] > 1}
    verdicts = {candidate["gap"]: candidate["verdicts"] for candidate in account["candidates"]}
    yield ""
    yield paint("Article, block by block, and between blocks what becomes of a slot there", "title")
    yield paint("    #  kind       words  phone px  desktop px  begins with", "faint")
    for gap in range(len(article["blocks"]) + 1):
        for verdict in verdicts.get(gap, ()):
            yield from _verdict(verdict, middle, many, paint)
        if gap < len(article["blocks"]):
            block = article["blocks"][gap]
            height = block["height"]
            row = (
                f"{block['number']:>5}  {block['kind']:<9} {block['words']:>6} {height['phone']:>9}"
                f" {height['desktop']:>11}  "
            )
            yield (row + fit(clean(block["text"]), COLUMNS - columns(row))).rstrip()


def _verdict(verdict: Verdict, middle: set[str], many: set[str], paint: Paint) -> Iterator[str]:
    refusal = verdict["refusal"]
    if refusal is None:
        (name,) = verdict["slots"]
        number = f" {verdict['n']}" if name in many else ""
        yield _IN_GAP + paint(f"> {name}{number}{only(verdict['devices'])}", "placed")
        return
    # what every slot for the middle of the article meets in this place is said once, and without their names
    whose = "" if set(verdict["slots"]) == middle else f"{', '.join(verdict['slots'])}: "
    yield from _refused(_IN_GAP + "- ", whose, refusal, paint)


def _refused(lead: str, whose: str, refusal: RefusalAccount, paint: Paint) -> Iterator[str]:
    reason = reason_of(refusal)
    first, *others = wrap(f"{lead}{whose}{reason}{grounds(refusal)}", _HANGING)
    yield first.replace(reason, paint(reason, "refused"), 1)
    yield from others


def reason_of(refusal: RefusalAccount) -> str:
    """The reason's word, with the device where it holds on one alone."""
    return refusal["reason"] + (f" on {refusal['device']}" if refusal["device"] else "")


def grounds(refusal: RefusalAccount) -> str:
    """What was needed and found, by how much it failed, and because of what; to be put behind the reason."""
    text = f", needs {clean(refusal['required'])}, found {clean(refusal['actual'])}"
    off = refusal["off_by"]
    if off is not None and off["unit"] == "percent":
        text += f": {off['amount']:g} points over"
    elif off is not None:
        text += f": {off['amount']:g} short"
    if refusal["offender"] is not None:
        text += f" ({_named(refusal['offender'], quoted='“' in refusal['actual'])})"
    return text


def _named(offender: Offender, *, quoted: bool) -> str:
    if offender["slot"] is not None:
        return f"{offender['slot']} {offender['n']}"
    name = f"block {offender['block']}"
    if quoted:  # its text has been said already
        return name
    text = fit(clean(offender["text"]), 30)
    return f"{name}, {offender['kind']}" + (f" “{text}”" if text else "")


# --- the slots --------------------------------------------------------------------------------------


def _slot(slot: SlotAccount, paint: Paint) -> Iterator[str]:
    placed = len(slot["placements"])
    outcome = f"{placed} of at most {slot['max']} placed" if placed else "not placed"
    yield f"  {paint(slot['slot'], 'placed' if placed else 'refused')}, {slot['place']}: {outcome}"
    for placement in slot["placements"]:
        where = placement["where"] or slot["place"]
        yield f"{_IN_SLOT}placed   {where}, line {placement['line']} of the page{only(placement['devices'])}"
    for outside, refusals in groupby(slot["refusals"], key=lambda refusal: refusal["gap"] < 0):
        if outside:
            for refusal in refusals:
                where = f"line {refusal['line']}: " if refusal["line"] else ""
                yield from _refused(f"{_IN_SLOT}refused  {where}", "", refusal, paint)
    in_gaps = [refusal for refusal in slot["refusals"] if refusal["gap"] >= 0]
    if in_gaps:
        gaps = len({refusal["gap"] for refusal in in_gaps})
        reasons = Counter(map(reason_of, in_gaps))
        listed = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
        yield from wrap(f"{_IN_SLOT}refused  in {count(gaps, 'gap')}: {listed}", _HANGING)


def only(devices: Sequence[Device]) -> str:
    """Behind a placement's name: on which device alone it is shown; empty where on each."""
    return "" if len(devices) == len(DEVICES) else f" ({', '.join(devices)} only)"


# --- lines of a certain width -----------------------------------------------------------------------


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: two for a wide character, none for a mark on another."""
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def fit(text: str, most: int) -> str:
    """A text cut to so many columns, with an ellipsis where something was cut off."""
    if columns(text) <= most:
        return text
    kept, room = [], most - 1
    for char in text:
        room -= _columns(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def wrap(line: str, hanging: str) -> list[str]:
    """A line broken at its blanks into lines of `COLUMNS`, those after the first indented by `hanging`."""
    text = line.lstrip(" ")
    lines = [line[: len(line) - len(text)]]
    for number, word in enumerate(text.split(" ")):
        longer = f"{lines[-1]} {word}" if number else lines[-1] + word
        if number and columns(longer) > COLUMNS:
            lines.append(hanging + word)
        else:
            lines[-1] = longer
    return lines
