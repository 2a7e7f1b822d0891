"""What lies inside of an article's blocks: advertising, media, text that nobody reads, what the rules' selectors match.

From each find the way goes up to the article's element, as far as it was not gone before: everything here is linear in
the article's size, however deep it nests.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Set
from typing import Final

from selectolax.lexbor import LexborNode

from adproxy.page import ads, walk
from adproxy.page.kinds import SILENT
from adproxy.page.walk import Sought

_MEDIA: Final = frozenset("img picture video audio iframe embed object amp-img amp-video amp-youtube".split())
_NOTABLE: Final = (Sought(SILENT | _MEDIA | ads.TAGS),)
_find: Final = walk.finder((_NOTABLE, ads.NAMED))
_PX: Final = re.compile(r"\s*(\d{1,5})\s*(?:px)?\s*$")
# So much advertising, media and scripts no article has: a hundred pictures are many.
_MAX_NOTABLE: Final = 3_000
# Tracking pixels, icons, emoji: nothing that an ad could crowd.
_SMALL: Final = 48
_ICONS: Final = ("emoji", "smiley", "avatar", "icon")
"""In an image's classes."""
_OF_ICONS: Final = re.compile(
    r"""(?<![a-z0-9]) (?: (?:icons?|emojis?|smileys?|smilies|avatars?) (?![a-z0-9]) (?!.*\.jpe?g$) | avatars?/)""", re.X
)
_OF_BLANKS: Final = re.compile(r"(?<![a-z0-9])(?:pixel|spacer|blank|1x1)(?![a-z0-9])(?!.*\.jpe?g$)")
"""Whole words of an address without its query: a picture of Silicon Valley that is 681x1024 large is neither."""
_TOLD: Final = 60
"""Characters at the end of an address that are looked at."""
_LATER: Final = ("data-src", "data-lazy-src", "data-lazy", "data-original")
"""Attributes that name a picture for which a blank one stands in until a reader comes near it."""


Size = tuple[int | None, int | None]
"""Width and height as a medium's attributes say them, CSS px."""


class Contents:
    """By `mem_id`, what an article's elements hold or are themselves."""

    def __init__(
        self,
        ads: Set[int],
        media: Mapping[int, Size],
        silent: Set[int],
        avoided: Mapping[int, tuple[int, ...]],
        matched: Mapping[int, tuple[int, ...]],
    ) -> None:
        self.ads = ads
        """Those with advertising by its names and attributes."""
        self.media = media
        """Those with media to look at, with the size of the first."""
        self.silent = silent
        """Those with a script or a style sheet, whose text is not for readers."""
        self.avoided = avoided
        """Which of the rules' own selectors match them or something in them, by index."""
        self.matched = matched
        """Which of the rules' own selectors match themselves."""

    def nothing_in(self, mem_id: int) -> bool:
        """True of an element in which there is nothing but text."""
        return not (mem_id in self.media or mem_id in self.ads or mem_id in self.silent or mem_id in self.avoided)


def contents(root: LexborNode, avoid: tuple[str, ...]) -> Contents | None:
    """What the elements within `root` hold; None where that is more than articles do. `avoid`: selectors whose matches
    are looked for too."""
    silent: set[int] = set()
    media: dict[int, Size] = {}
    advertising: set[int] = set()
    notable, suspects = _find(root)
    if len(notable) + len(suspects) > _MAX_NOTABLE:
        return None
    for node in notable:
        tag = node.tag or ""
        if tag in SILENT:
            silent.update(_up(node, root, silent))
        elif tag in _MEDIA and (size := visible_size(node.attributes, tag)) is not None:
            for mem_id in _up(node, root, media):
                media[mem_id] = size
        if tag in ads.TAGS:
            suspects.append(node)
    for node in suspects:
        tag = node.tag or ""
        if ads.ordinary_names(tag, node) is None and ads.is_ad(tag, node.attributes):
            advertising.update(_up(node, root, advertising))
    avoided: dict[int, tuple[int, ...]] = {}
    matched: dict[int, tuple[int, ...]] = {}
    for i, selector in enumerate(avoid):
        around: set[int] = set()
        for node in root.css(selector):
            matched[node.mem_id] = (*matched.get(node.mem_id, ()), i)
            around.update(_up(node, root, around))
        for mem_id in around:
            avoided[mem_id] = (*avoided.get(mem_id, ()), i)
    return Contents(advertising, media, silent, avoided, matched)


def _up(node: LexborNode, root: LexborNode, found: Container[int]) -> list[int]:
    """An element and all that it stands in below `root`, up to what is found: what that stands in is found too."""
    ids: list[int] = []
    top = root.mem_id
    at: LexborNode | None = node
    while at is not None and (mem_id := at.mem_id) != top and mem_id not in found:
        ids.append(mem_id)
        at = at.parent
    return ids


def visible_size(attributes: Mapping[str, str | None], tag: str) -> Size | None:
    """The size that a medium's attributes say; None for one that nobody looks at."""
    width, height = _pixels(attributes.get("width")), _pixels(attributes.get("height"))
    if (width is not None and width <= _SMALL) or (height is not None and height <= _SMALL and tag != "audio"):
        return None
    if tag == "img":
        classes = attributes.get("class")
        if classes and any(icon in classes.lower() for icon in _ICONS):
            return None
        address = (attributes.get("src") or "").partition("?")[0][-_TOLD:].lower()
        if _OF_ICONS.search(address):
            return None
        if _OF_BLANKS.search(address) and not any(name in attributes for name in _LATER):
            return None
    return width, height


def _pixels(value: str | None) -> int | None:
    match = _PX.match(value) if value else None
    return int(match[1]) if match else None
