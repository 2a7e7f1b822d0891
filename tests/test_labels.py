"""What advertising is called."""

from __future__ import annotations

import pytest

from adproxy.labels import LABELS, is_label, label_for


@pytest.mark.parametrize(
    ("lang", "label"),
    [
        ("en", "Advertisement"),
        ("DE-at", "Anzeige"),
        ("pt_BR", "Publicidade"),
        ("zh-Hant-TW", "廣告"),
        ("zh-cn", "广告"),
        ("xx", "Advertisement"),
        ("", "Advertisement"),
        ("-", "Advertisement"),
    ],
)
def test_the_label_is_in_the_pages_language_or_else_english(lang: str, label: str) -> None:
    assert label_for(lang) == label


@pytest.mark.parametrize("label", sorted(set(LABELS.values())))
def test_every_label_of_ours_is_known_as_one(label: str) -> None:
    assert is_label(label)
    assert is_label(f"  {label.upper()} ") or label.upper().lower() != label.lower()


@pytest.mark.parametrize(
    "text",
    [
        "ADVERTISEMENT",
        "- Advertisement -",
        "[Anzeige]",
        "Story continues below\nadvertisement",
        "Sponsored",
        "スポンサー",
    ],
)
def test_spellings_from_the_wild_are_known(text: str) -> None:
    assert is_label(text)


@pytest.mark.parametrize(
    "text", ["", " ", "-", "Advertisement for a new bridge", "He put an ad in the paper.", "Anzeigenblatt", "a" * 500]
)
def test_a_text_that_says_more_is_no_label(text: str) -> None:
    assert not is_label(text)
