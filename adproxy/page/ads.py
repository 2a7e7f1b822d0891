"""Advertising that the page already carries: found by names, ids, data attributes, frame addresses and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from selectolax.lexbor import LexborNode

from adproxy.labels import is_label
from adproxy.page.glance import glance_for
from adproxy.page.names import Remembered, Says, says
from adproxy.page.walk import Sought

# What may be advertising within a block whose own name does not show it: elements, and all others by their names.
TAGS: Final[frozenset[str]] = frozenset(["ins", "iframe", "amp-ad", "amp-embed"])
NAMED: Final[tuple[Sought, ...]] = (
    Sought(attribute="class", how="holds", value="ad"),
    Sought(attribute="id", how="holds", value="ad"),
)

_AD_ID: Final = re.compile(
    r"^(div-gpt-|google_ads_|gpt-|dfp-|taboola-|outbrain|ad-slot|adslot|zergnet-widget|rc-widget|aswift_)", re.I
)
_AD_ATTRIBUTES: Final = frozenset(
    """data-ad-client data-ad-slot data-ad-unit data-google-query-id data-ad-format data-slot-sizes data-slot-adsizemap
    data-ad-size data-ad-pos data-ad-type data-ad-name data-ad-id data-ad-group data-ad-text data-ad-unit-path
    data-adpos data-adslot data-adunit data-adsize data-adtype data-adjs data-freestar-ad data-widget-id-ad""".split()
)
# The large ad servers, and a path that says so.
_AD_FRAME: Final = re.compile(
    r"doubleclick\.net|googlesyndication|adservice|amazon-adsystem|/adserver|adnxs\.com|taboola\.com|outbrain\.com"
    r"|adform\.net|criteo[._]|google_ads|aswift_|pos\.baidu\.com|tanxssp|/yads/|smartadserver|rubiconproject|pubmatic"
    r"|openx\.net|teads\.tv|adfox|an\.yandex|/ads?[/_.?]",
    re.I,
)
_AMP: Final = frozenset(("amp-ad", "amp-embed", "amp-sticky-ad"))
_NEVER: Final = frozenset(
    "html body main article head p h1 h2 h3 h4 h5 h6 nav form button input select label i svg".split()
)

# Without any of these, only its names and its kind can make an element an ad, it is not hidden, and plays no other's
# role.
_TELLING: Final = _AD_ATTRIBUTES | {"aria-label", "style", "hidden", "role"}
glance: Final = glance_for(_TELLING)

# A box with more words than this is content that is called after an ad, not an ad.
MAX_WORDS: Final = 60


def is_ad(tag: str, attributes: Mapping[str, str | None]) -> bool:
    """True if an element is advertising by its names and attributes; how much text it holds is not looked at."""
    if tag in _NEVER:
        return False
    if tag == "iframe":
        return _AD_FRAME.search((attributes.get("src") or "") + " " + (attributes.get("id") or "")) is not None
    if tag[:4] == "amp-":
        return tag in _AMP
    classes, ident = attributes.get("class"), attributes.get("id")
    if (classes or ident) and is_named_as_ad(classes or "", ident or ""):
        return True
    if not _AD_ATTRIBUTES.isdisjoint(attributes):
        return True
    label = attributes.get("aria-label")
    return label is not None and is_label(label)


def ordinary_names(tag: str, node: LexborNode) -> tuple[str, str] | None:
    """Class and id of an element, of nearly all: nothing about it may hide it, make it advertising, or give it a role.
    None says nothing."""
    if tag == "iframe" or tag[:4] == "amp-":
        return None
    names = glance(node)
    if names is None:
        return None
    classes, ident = names
    return None if (classes or ident) and is_named_as_ad(classes, ident) else names


def is_named_as_ad(classes: str, ident: str) -> bool:
    """True for a class and an id of advertising."""
    return _remembered.of(classes, ident) != 0


def _names_an_ad(classes: str, ident: str) -> int:
    return 1 if _AD_ID.match(ident) else says(classes, ident) & Says.AD


_remembered: Final = Remembered(_names_an_ad)
