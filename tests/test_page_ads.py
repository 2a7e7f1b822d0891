"""Advertising that the page already carries."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from selectolax.lexbor import LexborHTMLParser

from adproxy.page.ads import is_ad, ordinary_names


def names_of(tag: str, attributes: Mapping[str, str | None]) -> tuple[str, str] | None:
    written = "".join(f" {name}" if value is None else f' {name}="{value}"' for name, value in attributes.items())
    node = LexborHTMLParser(f"<{tag}{written}>").css_first(tag)
    assert node is not None
    return ordinary_names(tag, node)


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        ("div", {"class": "ad-slot"}),
        ("div", {"id": "div-gpt-ad-1234-0"}),
        ("div", {"id": "google_ads_iframe_1"}),
        ("div", {"data-ad-unit": ""}),
        ("ins", {"class": "adsbygoogle"}),
        ("ins", {"data-ad-client": "ca-pub-1"}),
        ("iframe", {"src": "https://securepubads.g.doubleclick.net/x"}),
        ("iframe", {"src": None, "id": "aswift_1"}),
        ("amp-ad", {}),
        ("aside", {"class": "advertisement", "id": None}),
    ],
)
def test_it_is_found_by_names_ids_data_and_addresses(tag: str, attributes: dict[str, str | None]) -> None:
    assert is_ad(tag, attributes)
    assert names_of(tag, attributes) is None


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        ("div", {}),
        ("div", {"class": None, "id": None}),
        ("div", {"class": "header shadow"}),
        ("iframe", {"src": "https://www.youtube.com/embed/x"}),
        ("iframe", {"class": "ad"}),
        ("amp-img", {"class": "ad"}),
        ("ins", {"cite": "/x"}),
        ("body", {"class": "ad-page"}),
        ("article", {"class": "ads"}),
        ("p", {"class": "ad"}),
        ("h2", {"id": "ad"}),
        ("div", {"data-ad": "x"}),
    ],
)
def test_what_is_none_is_not(tag: str, attributes: dict[str, str | None]) -> None:
    assert not is_ad(tag, attributes)


@pytest.mark.parametrize(
    "attributes",
    [{"hidden": None}, {"style": "display:none"}, {"aria-label": "Advertisement"}, {"data-adslot": "1"}, {"role": "x"}],
)
def test_what_may_be_hidden_or_an_ad_is_never_called_ordinary(attributes: dict[str, str | None]) -> None:
    assert names_of("div", {"class": "text", **attributes}) is None


def test_most_elements_are_ordinary() -> None:
    assert names_of("div", {}) == ("", "")
    assert names_of("a", {"class": "link", "id": "more", "href": "/x", "title": "More"}) == ("link", "more")
