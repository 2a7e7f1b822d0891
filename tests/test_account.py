"""The account of a page: its shape, and what each refusal is about."""

from __future__ import annotations

import json
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from adproxy.account import Account, account_of, decide
from adproxy.rules.compile import load_rules

TEXT = "The ferry left the harbour at seven and the town watched it go until the fog had closed over the last light. "
P = f"<p>{TEXT}{TEXT}</p>"
PAGE = (
    "<!doctype html><title>T</title><body><main><article><h1>The ferry</h1>"
    f"{P}{P}<figure><img src=a.jpg width=600 height=400><figcaption>The ferry at the pier</figcaption></figure>"
    f"{P}{P}<h2>The town</h2>{P}<p>Three things were on board:<ul><li>Salt for the winter<li>Letters</ul>"
    f"{P}<p>They were counted.<ul><li>Two<li>Three</ul>{P}"
    f"<div class=newsletter-signup><p>Get our letter every morning</p></div>{P}<ins class=adsbygoogle></ins>{P * 9}"
    "</article></main></body>"
)
RULES = """\
version: 1
site: here
limits: {gap: 60 words, in_article: 3}
keep_clear: {around_media: 60 words, around_existing_ads: 10 words}
slots:
  first: {place: mid-article, first_after: 30 words, max: 2, sizes: {phone: [320x50]}}
  second: {place: mid-article, first_after: 30 words, sizes: {phone: [320x50]}}
  end: {place: end-of-article, sizes: {phone: [300x250]}}
  rail: {place: {sidebar: first}, sizes: {phone: [300x250]}}
"""


def account(tmp_path: Path, html: str = PAGE, rules: str = RULES, url: str = "http://here.example/story") -> Account:
    file = tmp_path / "rules.yaml"
    file.write_text(rules, encoding="utf-8")
    return account_of("page.html", decide(html.encode(), url, load_rules(file)))


def misshapen(value: Any, shape: Any, where: str = "here") -> list[str]:
    """Where a value from JSON is not of the shape that a type says."""
    if is_typeddict(shape):
        hints = get_type_hints(shape)
        if not isinstance(value, dict) or set(value) != set(hints):
            return [f"the keys of {where}"]
        return [wrong for key, hint in hints.items() for wrong in misshapen(value[key], hint, f"{where}.{key}")]
    origin, inner = get_origin(shape), get_args(shape)
    if origin in (Union, UnionType):
        found = [misshapen(value, one, where) for one in inner if one is not NoneType or value is None]
        return min(found, key=len)
    if origin is Literal:
        return [] if value in inner else [where]
    if origin is list:
        items = enumerate(value) if isinstance(value, list) else [(-1, value)]
        return [wrong for i, item in items for wrong in misshapen(item, inner[0], f"{where}[{i}]")]
    if origin is dict:
        return [wrong for key in value for wrong in misshapen(key, inner[0]) + misshapen(value[key], inner[1], where)]
    kinds = (int, float) if shape is float else shape
    return [] if isinstance(value, kinds) and not isinstance(value, bool) ^ (shape is bool) else [where]


def refusals(told: Account, reason: str) -> list[tuple[int, int | None, float | None]]:
    """Of a reason, for the first slot: the gap, the number of the block it is about, and the figure it missed by."""
    return [
        (r["gap"], r["offender"]["block"] if r["offender"] else None, r["off_by"]["amount"] if r["off_by"] else None)
        for r in told["slots"][0]["refusals"]
        if r["reason"] == reason
    ]


@pytest.mark.parametrize("url", ["http://here.example/story", "http://elsewhere.example/story"])
def test_its_shape_is_the_documented_one_to_the_key(tmp_path: Path, url: str) -> None:
    told = account(tmp_path, rules=RULES + "hosts: [here.example]\n", url=url)
    assert (told["skip"] is None) == ("//here" in url)
    assert misshapen(json.loads(json.dumps(told)), Account) == []


def test_a_key_that_is_missing_or_of_another_kind_is_noticed(tmp_path: Path) -> None:
    told: Any = account(tmp_path)
    del told["slots"][0]["max"]
    told["candidates"][0]["gap"] = "1"
    assert misshapen(told, Account) == ["the keys of here.slots[0]", "here.candidates[0].gap"]
    told["extra"] = None
    assert misshapen(told, Account) == ["the keys of here"]


def test_blocks_are_numbered_from_one_and_a_candidate_lies_behind_the_block_of_its_number(tmp_path: Path) -> None:
    told = account(tmp_path)
    assert told["article"] is not None
    blocks = told["article"]["blocks"]
    assert [block["number"] for block in blocks] == list(range(1, len(blocks) + 1))
    assert [candidate["gap"] for candidate in told["candidates"]] == list(range(1, len(blocks)))
    assert told["candidates"][0]["where"] == "between blocks 1 and 2"


def test_each_candidate_says_what_becomes_of_every_slot_for_the_middle(tmp_path: Path) -> None:
    told = account(tmp_path)
    for candidate in told["candidates"]:
        assert {slot for verdict in candidate["verdicts"] for slot in verdict["slots"]} == {"first", "second"}, (
            candidate
        )


def test_what_does_not_depend_on_the_slot_is_said_once(tmp_path: Path) -> None:
    told = account(tmp_path)
    alike = [c["verdicts"] for c in told["candidates"] if c["verdicts"][0]["slots"] == ["first", "second"]]
    assert len(alike) > 3
    assert all(len(verdicts) == 1 for verdicts in alike)


def test_a_refusal_names_the_nearest_block_that_its_reason_speaks_of(tmp_path: Path) -> None:
    told = account(tmp_path)
    assert told["article"] is not None
    kinds = {b["number"]: b["kind"] for b in told["article"]["blocks"]}
    for reason, kind in {
        "near_media": "media",
        "after_heading": "heading",
        "near_existing_ad": "ad",
        "near_aside": "aside",
        "splits_group": "list",
    }.items():
        about = refusals(told, reason)
        assert about, reason
        for gap, block, _ in about:
            assert block is not None
            assert kind == kinds[block] or (kind == "media" and kinds[block] == "caption"), (reason, gap, block)
    ((gap, block, _),) = refusals(told, "after_heading")
    assert block == gap
    assert told["article"]["blocks"][block - 1]["text"] == "The town"


def test_a_refusal_says_by_how_much_it_failed(tmp_path: Path) -> None:
    told = account(tmp_path, rules=RULES.replace("first_after: 30", "first_after: 50"))
    assert refusals(told, "too_near_start") == [(1, None, 50 - 44)]
    assert {off for _, _, off in refusals(told, "near_media")} <= {None, 60 - 44}


def test_a_slot_that_is_too_near_to_another_names_it(tmp_path: Path) -> None:
    told = account(tmp_path)
    near = [r for slot in told["slots"] for r in slot["refusals"] if r["reason"] == "too_near_slot"]
    assert near
    placed = {(slot["slot"], p["n"]): p["gap"] for slot in told["slots"] for p in slot["placements"]}
    for refusal in near:
        offender = refusal["offender"]
        assert offender is not None
        assert offender["slot"] is not None
        assert offender["n"] is not None
        distances = {key: abs(gap - refusal["gap"]) for key, gap in placed.items() if gap >= 0}
        assert distances[offender["slot"], offender["n"]] == min(distances.values())


def test_too_much_advertising_is_told_in_points(tmp_path: Path) -> None:
    told = account(tmp_path, rules=RULES.replace("limits: {", "limits: {ad_share: 10%, "))
    over = [r["off_by"] for slot in told["slots"] for r in slot["refusals"] if r["reason"] == "density"]
    assert over
    assert all(off is not None and off["unit"] == "percent" and off["amount"] > 0 for off in over)
