"""Which advertising technology a page loads, told by its scripts."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

# Addresses and calls as the makers' own instructions have them.
_STACKS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(pattern, re.I))
    for name, pattern in (
        ("Google Publisher Tag", r"doubleclick\.net/tag/js/gpt|googletagservices\.com/tag/js/gpt|\bgoogletag\.cmd\b"),
        ("Google AdSense", r"googlesyndication\.com/pagead/(?:js/)?(?:adsbygoogle|show_ads)"),
        ("Prebid", r"/prebid[^\"'\s<>/]{0,80}\.js|\bpbjs\.que\b"),
        ("Amazon Publisher Services", r"amazon-adsystem\.com/aax2/apstag|\bapstag\.init\b"),
        ("Mediavine", r"scripts\.mediavine\.com"),
        ("Raptive", r"ads\.adthrive\.com"),
        ("Ezoic", r"\bezojs\.com|\bezoic\.(?:net|com)"),
        ("Freestar", r"\bpub\.network/"),
        ("Taboola", r"cdn\.taboola\.com"),
        ("Outbrain", r"widgets\.outbrain\.com"),
        ("Yandex", r"yandex\.[a-z]+/(?:ads/)?system/context\.js"),
        ("Revive Adserver", r"/asyncjs\.php|/www/delivery/"),
    )
)
GPT, ADSENSE, PREBID = (name for name, _ in _STACKS[:3])
_AD_UNIT: Final = re.compile(r"""["']/([0-9]{3,20})(?:,[0-9]{1,20})?/[A-Za-z0-9_.\-]""")
_CONSENT: Final = re.compile(r"\b__tcfapi\b|\b__gpp\b|consensu\.org")


@dataclass(frozen=True, slots=True)
class AdStack:
    names: tuple[str, ...] = ()
    """What the page loads, by the names that their makers use."""
    network: str = ""
    """The network code of the ad units that its scripts name most often; empty where they name none."""
    asks_consent: bool = False
    """Whether a consent platform of the IAB's kind is there."""


def ad_stack(scripts: str) -> AdStack:
    """`scripts`: the addresses and the text of a page's scripts."""
    names = tuple(name for name, pattern in _STACKS if pattern.search(scripts))
    codes = Counter(_AD_UNIT.findall(scripts)) if GPT in names else Counter[str]()
    network = codes.most_common(1)[0][0] if codes else ""
    return AdStack(names, network, _CONSENT.search(scripts) is not None)
