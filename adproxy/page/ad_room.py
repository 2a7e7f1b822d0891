"""How much room an ad that the page already carries is likely to take, on phones and on desktops.

Its place is mostly empty until a script fills it. What it is going to hold is written on it: the sizes that its ad
server may send, and for pages that bring an ad for each kind of device, the kind in its names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from selectolax.lexbor import LexborNode

from adproxy.model import NOTHING, PerDevice
from adproxy.page.names import tokens

# Elements within an ad that are looked at, itself first: wrappers, label, the unit, its frame.
_LOOKED_AT: Final = 12
# Among so many elements and comments.
_MET: Final = 100

_PHONE: Final = frozenset("mobile mobil phone phones smartphone handheld".split())
_DESKTOP: Final = frozenset(["desktop"])
# Between the two widths that density is estimated at, 390 and 1366 CSS px.
_TABLET: Final = frozenset(["tablet"])
_KINDS: Final = _PHONE | _DESKTOP | _TABLET
_NOT_THERE: Final = frozenset("hide hidden no non not without exclude".split())
# Names of the common CSS frameworks for what is shown on narrow, or on wide windows only.
_NARROW: Final = frozenset(
    """visible-xs visible-xs-block d-md-none d-lg-none d-xl-none md:hidden lg:hidden xl:hidden hidden-md hidden-lg
    show-for-small-only hide-for-medium hide-for-large is-hidden-desktop is-hidden-tablet""".split()
)
_WIDE: Final = frozenset(
    """hidden-xs visible-md visible-lg d-md-block d-lg-block d-xl-block d-md-flex d-lg-flex md:block lg:block xl:block
    md:flex lg:flex hide-for-small-only show-for-medium show-for-large is-hidden-mobile""".split()
)

_SIZE: Final = re.compile(r"(?<!\d)(\d{1,4})(?:\s*[x×]\s*|\s*,\s*)(\d{1,4})(?!\d)")
_STYLED: Final = re.compile(r"(?:^|;)\s*(min-height|height)\s*:\s*(\d{1,4})px", re.I)
_LONGEST_VALUE: Final = 600
# "1x1" and the like: not shown in its place, or a film that opens once there is one.
_OUT_OF_PAGE: Final = 3
# The widest ad that a phone has room for, the widest of all, CSS px; the label over an ad.
_PHONE_ROOM: Final = 390
_DESKTOP_ROOM: Final = 1366
_LABEL: Final = 24
# What is not shown in its place, or only once there is a film, or instead of one: pages keep no room for these.
# In Chromium at 390 px, a saved article with its own styles keeps 322 px for each of 19 banners, but none for its
# outstream ads and their backfill.
_KEEPS_NO_ROOM: Final = frozenset("outstream interstitial outofpage oop adhesion takeover".split())
# Of several sizes the tallest of at most so many px is likely: half pages and skyscrapers stand beside an article.
_LIKELY: Final = 300


def likely_room(node: LexborNode, usual: PerDevice) -> PerDevice:
    """Heights of an ad in CSS px, 0 where it is not shown; `usual`: where its markup says nothing."""
    parts = _parts(node)
    said = [_said(part) for part in parts]
    if any(names.no_room for names in said):
        return NOTHING
    phone, desktop = _shown_on([names.devices for names in said])
    found = [size for part in parts for size in _sizes(part)]
    height = usual
    if found:
        sizes = [size for size in found if min(size) > _OUT_OF_PAGE]
        height = PerDevice(_likeliest(sizes, _PHONE_ROOM), _likeliest(sizes, _DESKTOP_ROOM))
    else:
        styled = max((h for part in parts for h in _styled(part)), default=0)
        if styled > _OUT_OF_PAGE:
            height = PerDevice(styled, styled)
    if not phone and not desktop:
        return NOTHING
    return PerDevice(height.phone if phone else 0, height.desktop if desktop else 0)


def _parts(node: LexborNode) -> list[dict[str, str | None]]:
    """Attributes of an ad's elements, its own first."""
    parts = [node.attributes]
    if node.first_child is not None:
        inside = islice(node.traverse(), 1, _MET)
        elements = (child.attributes for child in inside if child.is_element_node)
        parts.extend(islice(elements, _LOOKED_AT - 1))
    return parts


class _Said(NamedTuple):
    """What an element's names say."""

    no_room: bool
    """The page keeps no room for it."""
    devices: tuple[bool, bool] | None
    """Is it there on phones, on desktops? None where they speak of neither."""


def _said(attributes: dict[str, str | None]) -> _Said:
    get = attributes.get
    names = f"{get('class') or ''} {get('id') or ''} {get('data-ad-unit') or ''}"
    said = _said_by(names) if len(names) <= _LONGEST_VALUE else _said_by.__wrapped__(names)
    for kind in (get("data-type"), get("data-ad-type")):
        if kind and any(not _KEEPS_NO_ROOM.isdisjoint(tokens(word)) for word in kind.split()):
            return said._replace(no_room=True)
    return said


def _shown_on(said: list[tuple[bool, bool] | None]) -> tuple[bool, bool]:
    """On phones, on desktops? By what the ad itself says, which comes first, else by what is said within it."""
    if said[0] is not None:
        return said[0]
    others = [devices for devices in said if devices is not None]
    if not others:
        return True, True
    return any(phone for phone, _ in others), any(desktop for _, desktop in others)


@lru_cache(maxsize=1024)
def _said_by(names: str) -> _Said:
    """Sites repeat their names, so the answers are kept; not those of long ones."""
    shown: set[str] = set()
    phone = desktop = True
    spoken = no_room = False
    for name in names.split():
        if name in _NARROW:
            spoken, desktop = True, False
        elif name in _WIDE:
            spoken, phone = True, False
        words = set(tokens(name))
        no_room = no_room or not _KEEPS_NO_ROOM.isdisjoint(words)
        kinds = words & _KINDS
        if not kinds:
            continue
        spoken = True
        if words & _NOT_THERE:
            phone = phone and not kinds & _PHONE
            desktop = desktop and not kinds & _DESKTOP
        else:
            shown |= kinds
    if not spoken:
        return _Said(no_room, None)
    if shown:
        phone = phone and bool(shown & _PHONE)
        desktop = desktop and bool(shown & _DESKTOP)
    return _Said(no_room, (phone, desktop))


def _sizes(attributes: dict[str, str | None]) -> Iterator[tuple[int, int]]:
    """Widths and heights that an element's size attributes, or settings in JSON, name; 0x0, which leaves it open, is
    none."""
    for name, value in attributes.items():
        if value and name != "sizes" and ("size" in name or '"size' in value):
            for width, height in _SIZE.findall(value[:_LONGEST_VALUE]):
                if int(width) and int(height):
                    yield int(width), int(height)


def _styled(attributes: dict[str, str | None]) -> Iterator[int]:
    for _, height in _STYLED.findall((attributes.get("style") or "")[:_LONGEST_VALUE]):
        yield int(height)


def _likeliest(sizes: list[tuple[int, int]], room: int) -> int:
    heights = [height for width, height in sizes if width <= room]
    if not heights:
        return 0
    return _LABEL + max((h for h in heights if h <= _LIKELY), default=min(heights))
