"""The densities of a finished plan, each by the height that those who measure it divide by.

- Of the main content, which the limits of the rules are about, as the Better Ads Standards have it (betterads.org,
  "mobile ad density higher than 30 %"): the heights of the ads in the main content over its own, ads included.
- Lighthouse's: its audit "viewport-ad-density" (googleads/publisher-ads-lighthouse-plugin) takes all ads of the page
  along the vertical line that meets most of them, and divides by the distance from the page's top to the middle of the
  lowest ad, plus one screen.
"""

from __future__ import annotations

from itertools import groupby
from typing import Final

from adproxy.model import DEVICES, BlockKind, Device, Page, PerDevice, Plan
from adproxy.plan.contender import is_counted
from adproxy.plan.ruler import Ruler
from adproxy.plan.state import State, reserved_by
from adproxy.rules.ruleset import FixedPlace, Policy, SidebarPlace

SCREENS: Final = PerDevice(844, 900)
"""CSS px: how high the screens are that go with `PHONE_WIDTH` and `DESKTOP_WIDTH`."""


def main_content_density(page: Page, policy: Policy, plan: Plan) -> PerDevice:
    """Share of advertising in the main content, 0 to 1, by the heights of a page's blocks."""
    state = State(page, policy)
    places = {slot.name: slot.place for slot in policy.slots}
    used = dict.fromkeys(DEVICES, 0)
    for placement in plan.placements:
        if is_counted(placement.anchor, places[placement.slot]):
            for device in placement.devices:
                used[device] += state.heights[placement.slot, device]
    return PerDevice(*(state.density(device, used[device]) for device in DEVICES))


def lighthouse_density(page: Page, policy: Policy, plan: Plan) -> PerDevice:
    """Lighthouse's density of a plan, 0 to 1.

    What stands above the article is not estimated: with it the share is lower.
    """
    return PerDevice(*(_on(device, page, policy, plan) for device in DEVICES))


def _on(device: Device, page: Page, policy: Policy, plan: Plan) -> float:
    places = {slot.name: slot.place for slot in policy.slots}
    reserved = reserved_by(policy)
    before = Ruler(page).sums("px", device)
    first = next((gap.anchor.offset for gap in page.gaps if gap.anchor is not None), 0)
    column: list[tuple[float, float]] = []
    """Ads of the article's column: how much content lies above, and their height."""
    rail = 0.0
    for placement in plan.placements:
        if device not in placement.devices:
            continue
        height, place = reserved[placement.slot, device], places[placement.slot]
        if isinstance(place, SidebarPlace) and device == "desktop":
            rail += height  # a column of its own, which phones have no room for
        elif placement.anchor.gap >= 0:
            column.append((before[placement.anchor.gap], height))
        else:
            above = place is FixedPlace.ABOVE_HEADLINE or placement.anchor.offset <= first
            column.append((0.0 if above else before[-1], height))
    for is_ad, run in groupby(enumerate(page.blocks), key=lambda found: found[1].kind is BlockKind.AD):
        if is_ad:
            own = list(run)
            column.append((before[own[0][0]], max(getattr(block.heights, device) for _, block in own)))
    if not column and not rail:
        return 0.0
    column.sort()
    length = sum(height for _, height in column)
    lowest = column[-1][0] + length - column[-1][1] / 2 if column else rail / 2
    return min(1.0, max(length, rail) / (lowest + SCREENS.on(device)))
