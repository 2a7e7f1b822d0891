"""Slots placed as a set beside slots placed one by one, page by page: python tests/benchmarks/plan_table.py FOLDER...

One by one: the most important slot first, each at the first places that are left to it, with the distance between slots
stretched as far as that loses nothing. Value is counted in placements by the devices that show them. A stretch is what
lies between neighbouring ads in the unit of the rules, twice of what lies between an ad and an end of the article; of
each page the smallest is given. The time is CPU time of one thread, as a ratio: all plans by set to all one by one
(without stretching, which only the table needs).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from adproxy import charset
from adproxy.model import Page
from adproxy.page.read import compile_wanted, read
from adproxy.plan import contenders_of
from adproxy.plan.choose import choose
from adproxy.plan.chosen import Chosen
from adproxy.plan.contender import Contender
from adproxy.plan.evenness import Line
from adproxy.plan.state import Spacing, State
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import Distance, FixedPlace, Policy

RULES = Path(__file__).resolve().parents[2] / "rules" / "news.yaml"
# The distance between slots, so many times as long.
_STRETCHES = [1 + n / 8 for n in range(41)]


class Row(NamedTuple):
    value: tuple[int, ...]
    """By priority, the highest first: placements by the devices that show them."""
    slots: int
    smallest: int | None
    """Stretch; None: there is no slot in the article."""


def row(state: State, policy: Policy, chosen: Chosen) -> Row:
    """What a set is worth."""
    slots = {slot.name: slot for slot in policy.slots}
    value = tuple(
        sum(len(p.devices) for p in chosen.placements if slots[p.slot].priority == level)
        for level in sorted({slot.priority for slot in policy.slots}, reverse=True)
    )
    places = {slots[p.slot].place for p in chosen.placements}
    headline = bool(places & {FixedPlace.ABOVE_HEADLINE, FixedPlace.BELOW_HEADLINE})
    gaps = sorted(p.anchor.gap for p in chosen.placements if p.anchor.gap >= 0)
    if not gaps:
        return Row(value, len(chosen.placements), None)
    line = Line(state)
    stretches = [line.before(gaps[0], headline), line.after(gaps[-1], FixedPlace.END_OF_ARTICLE in places)]
    for gap, later in pairwise(gaps):
        stretches += line.between(gap, later)
    return Row(value, len(chosen.placements), min(stretches) * line.step)


def one_by_one(state: State, contenders: Sequence[Contender], stretch: float = 1.0) -> Chosen:
    """Slots placed one after the other, so many times the distance apart."""
    plain = dict(state.spacing)
    for device, spacing in plain.items():
        longer = Distance(spacing.distance.amount * stretch, spacing.distance.unit)
        state.spacing[device] = Spacing(longer, spacing.sums, spacing.grows)
    chosen = Chosen(state)
    chosen.fill(sorted(contenders, key=lambda contender: -contender.slot.priority))
    state.spacing.update(plain)
    return chosen


def compare(page: Page, policy: Policy, spent: list[int]) -> tuple[Row, Row]:
    """One by one, and as a set. Adds the nanoseconds of both to `spent`."""
    state = State(page, policy)
    contenders = contenders_of(state)
    start = time.thread_time_ns()
    plain = row(state, policy, one_by_one(state, contenders))
    between = time.thread_time_ns()
    chosen = choose(state, contenders)
    spent[0] += between - start
    spent[1] += time.thread_time_ns() - between
    tries = [row(state, policy, one_by_one(state, contenders, stretch)) for stretch in _STRETCHES]
    best = [found for found in (plain, *tries) if found.value == max(t.value for t in (plain, *tries))]
    return max(best, key=lambda found: found.smallest or 0), row(state, policy, chosen)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="with pages as .html files")
    parser.add_argument("--rules", type=Path, default=RULES, help="default: the preset news")
    parser.add_argument("--all", action="store_true", help="list the pages on which both are the same, too")
    options = parser.parse_args(arguments)
    files = sorted(file for folder in options.folders for file in folder.glob("*.html"))
    policy = load_rules(options.rules).rule_sets[0].pages[0].policy
    if not files or policy is None:
        parser.error("no .html files there" if not files else f"{options.rules} places no ads")
    wanted, spent = compile_wanted(policy), [0, 0]
    totals = {"more value": 0, "as much, more even": 0, "the same": 0, "less even": 0, "less value": 0}
    slots = [0, 0]
    print(f"{'page':<44}{'value':>20}{'slots':>12}{'smallest stretch':>20}")
    for file in files:
        html = file.read_bytes()
        page = read(html, wanted, charset.sniff(html, "text/html") or "utf-8")
        before, after = compare(page, policy, spent)
        slots = [slots[0] + before.slots, slots[1] + after.slots]
        if before.value != after.value:
            kind = "more value" if after.value > before.value else "less value"
        elif before.smallest == after.smallest:
            kind = "the same"
        else:
            kind = "as much, more even" if (after.smallest or 0) > (before.smallest or 0) else "less even"
        totals[kind] += 1
        if options.all or kind != "the same":
            values = " > ".join("/".join(map(str, each.value)) for each in (before, after))
            smallest = " > ".join("-" if each.smallest is None else str(each.smallest) for each in (before, after))
            print(f"{file.name[:42]:<44}{values:>20}{f'{before.slots} > {after.slots}':>12}{smallest:>20}")
    print(
        f"\n{len(files)} pages; slots {slots[0]} > {slots[1]}; by set: "
        + ", ".join(f"{k} {n}" for k, n in totals.items())
    )
    print(f"time of the choice, by set to one by one: {spent[1] / max(1, spent[0]):.2f}")
    return 1 if totals["less value"] or totals["less even"] else 0


if __name__ == "__main__":
    sys.exit(main())
