"""The presets, the starting point and the reference: each valid, each up to date."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from adproxy.model import PerDevice
from adproxy.rules import reference, schema
from adproxy.rules.compile import Checked, check_paths, load_rules
from adproxy.rules.merge import preset_names, presets_folder
from adproxy.rules.ruleset import Distance, FixedPlace, MidArticle, Policy, SidebarPlace, Sides

RULES = presets_folder()
RECIPES = re.findall(r"```yaml\n(.*?)```", (RULES / "README.md").read_text("utf-8"), re.DOTALL)


def policy_of(path: Path) -> Policy:
    policy = load_rules(path).rule_sets[0].pages[0].policy
    assert policy is not None
    return policy


def test_the_folder_loads_as_a_whole_and_has_no_problem() -> None:
    assert [rule_set.site for rule_set in load_rules(RULES).rule_sets] == ["my-site"]
    assert check_paths([RULES, *RULES.glob("*.yaml")]) == Checked((), ())


@pytest.mark.parametrize("name", preset_names())
def test_each_preset_can_be_tried_out_by_itself(name: str) -> None:
    policy = policy_of(RULES / f"{name}.yaml")
    assert policy.site == name
    assert any(isinstance(slot.place, MidArticle) and slot.name.startswith("in-article") for slot in policy.slots)


@pytest.mark.parametrize("name", preset_names())
def test_each_preset_works_with_adproxys_own_script(name: str, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"version: 1\nsite: s\nuse: {name}\nads: {{filled_by: adproxy, network: 1}}\n")
    assert all(slot.ad_unit.startswith("/1/") for slot in policy_of(file).slots)


@pytest.mark.parametrize("name", [*preset_names(), "site"])
def test_each_file_names_the_schema_for_editors_in_its_first_line(name: str) -> None:
    first = (RULES / f"{name}.yaml").read_text("utf-8").splitlines()[0]
    match = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert match
    assert (RULES / match[1]).resolve() == reference.SCHEMA_FILE


def test_news_has_the_numbers_that_it_promises() -> None:
    policy = policy_of(RULES / "news.yaml")
    assert policy.limits.ad_share == PerDevice(0.30, 0.25)
    assert (policy.limits.gap.phone, policy.limits.gap.desktop) == (Distance(200, "words"), Distance(250, "words"))
    assert policy.limits.in_article == 8
    clear = policy.keep_clear
    assert clear.after_heading == Distance(1, "blocks")
    assert clear.around_media == Sides(Distance(30, "words"), Distance(30, "words"), unless_heading=True)
    assert clear.around_existing_ads == Distance(40, "words")
    slots = {slot.name: slot for slot in policy.slots}
    assert {name: slot.place for name, slot in slots.items()} == {
        "billboard": FixedPlace.ABOVE_HEADLINE,
        "in-article": MidArticle(),
        "in-article-small": MidArticle(),
        "rail": SidebarPlace("first"),
        "end": FixedPlace.END_OF_ARTICLE,
    }
    article = slots["in-article"]
    assert (article.first_after, article.before_end) == (Distance(75, "words"), Distance(100, "words"))
    assert article.article_min == Distance(150, "words")
    assert article.height_at(390) == 250 + 24
    small = slots["in-article-small"]
    assert (small.instead_of, small.height_at(390), small.max) == ("in-article", 100 + 24, 1)
    assert slots["rail"].height_at(390) == 0


def test_longform_has_fewer_ads_than_news() -> None:
    news, long = policy_of(RULES / "news.yaml"), policy_of(RULES / "longform.yaml")
    assert long.limits.ad_share.phone < news.limits.ad_share.phone
    assert long.limits.gap.phone.amount > news.limits.gap.phone.amount


def test_live_blog_has_fewer_ads_than_news_and_they_thin_out() -> None:
    news, live = policy_of(RULES / "news.yaml"), policy_of(RULES / "live-blog.yaml")
    assert live.limits.gap.phone.amount > news.limits.gap.phone.amount
    assert live.limits.ad_share.phone < news.limits.ad_share.phone
    assert live.limits.gap_grows.amount > news.limits.gap_grows.amount == 0
    assert live.keep_clear.around_media == Sides(Distance(20, "words"), Distance(50, "words"), unless_heading=True)
    assert "end" not in [slot.name for slot in live.slots]


@pytest.mark.parametrize("name", preset_names())
def test_what_stands_in_for_another_slot_keeps_as_far_away_in_every_preset(name: str) -> None:
    slots = {slot.name: slot for slot in policy_of(RULES / f"{name}.yaml").slots}
    for slot in slots.values():
        other = slots[slot.instead_of or slot.name]
        assert (slot.place, slot.article_min) == (other.place, other.article_min)
        assert (slot.first_after, slot.before_end) == (other.first_after, other.before_end)


def test_every_commented_line_of_the_starting_point_is_valid(tmp_path: Path) -> None:
    lines = (RULES / "site.yaml").read_text("utf-8").splitlines()[5:]
    switched_on = [re.sub(r"^# (?=\s*(- |[a-z_-]+:))", "", line) for line in lines]
    assert len([1 for old, new in zip(lines, switched_on, strict=True) if old != new]) > 20
    file = tmp_path / "all.yaml"
    file.write_text("\n".join(switched_on))
    policy = load_rules(file).rule_sets[0].pages[-1].policy
    assert policy is not None
    assert [slot.name for slot in policy.slots] == ["in-article", "in-article-small", "rail", "end", "subscribe"]


@pytest.mark.parametrize("name", preset_names())
def test_each_number_in_a_preset_says_why_beside_it(name: str) -> None:
    numbers = re.compile(r" \d+ (words|blocks?)\b| \d+%|^ +(in_article|max): ")
    lines = (RULES / f"{name}.yaml").read_text("utf-8").splitlines()
    stated = [line for line in lines if numbers.search(line.split("#")[0])]
    assert len(stated) > 5
    assert [line for line in stated if "#" not in line] == []


def test_there_are_recipes() -> None:
    assert len(RECIPES) >= 6


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_recipe_of_the_reference_loads(recipe: str, tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(recipe)
    book = load_rules(file)
    assert book.rule_sets[0].site == "my-site"
    assert any(page.policy and page.policy.slots for page in book.rule_sets[0].pages)


def models() -> list[type[schema.Section]]:
    return list(schema.SECTIONS)


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_each_key_has_a_sentence_and_an_example_that_is_valid(model: type[schema.Section], tmp_path: Path) -> None:
    places = {
        "RulesFile": "{}",
        "Ads": "ads: {{{}}}",
        "Visitors": "visitors: {{{}}}",
        "AdFree": "visitors: {{ad_free: {{{}}}}}",
        "PageEntry": "pages: [{{path: /zzz, {}}}]",
        "When": "when: {{{}}}",
        "Limits": "limits: {{{}}}",
        "Layout": "layout: {{{}}}",
        "LayoutOn": "layout: {{phone: {{{}}}}}",
        "KeepClear": "keep_clear: {{{}}}",
        "Slot": "slots: {{x: {{{}}}}}",
        "Div": "slots: {{x: {{div: {{{}}}}}}}",
        "CreativeMap": "slots: {{x: {{creative: {{{}}}}}}}",
        "Image": "slots: {{x: {{creative: {{image: {{{}}}}}}}}}",
        "Iframe": "slots: {{x: {{creative: {{iframe: {{{}}}}}}}}}",
        "Adsense": "slots: {{x: {{creative: {{adsense: {{{}}}}}}}}}",
    }
    (tmp_path / "house.html").write_text("<br>")
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "subscribe.html").write_text("<br>")
    (tmp_path / "group.yaml").write_text("version: 1\n")
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        stated = f"{field.alias or name}: {(field.examples or [''])[0]}"
        if model in (schema.Image, schema.Iframe, schema.Adsense):  # all their keys are needed
            stated = ", ".join(f"{n}: {(f.examples or [''])[0]}" for n, f in model.model_fields.items())
        line = places[model.__name__].format(stated)
        head = "" if line.startswith("version") else "version: 1\n"
        file = tmp_path / "part.yaml"
        # an entry of pages needs its path once
        file.write_text(head + (line.replace("path: /zzz, ", "") if name == "path" else line) + "\n")
        lonely = ("another place than mid-article", "'shift' without")
        problems = [p for p in check_paths([file]).problems if not any(words in p.found for words in lonely)]
        assert problems == [], (name, line)


def test_the_reference_and_the_schema_are_up_to_date() -> None:
    assert reference.main(["--check"]) == 0


def test_an_outdated_reference_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "REFERENCE_FILE", tmp_path / "README.md")
    monkeypatch.setattr(reference, "SCHEMA_FILE", tmp_path / "schema.json")
    assert reference.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert reference.main(["--write"]) == 0
    assert reference.main(["--check"]) == 0


def test_the_json_schema_knows_every_key_and_no_other() -> None:
    made = reference.json_schema()
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert list(made["properties"]) == schema.keys_of(schema.RulesFile)
    assert made["additionalProperties"] is False
    assert list(made["$defs"]["Slot"]["properties"]) == schema.keys_of(schema.Slot)
    assert made["$defs"]["Limits"]["properties"]["in_article"]["default"] == 8
    assert '"null"' not in json.dumps(made)


def test_everything_in_the_json_schema_is_explained_and_examples_are_values() -> None:
    made = reference.json_schema()
    keys = dict(_keys_in(made, ""))
    assert len(keys) > 100
    assert [where for where, key in keys.items() if not str(key.get("description", "")).endswith(".")] == []
    assert made["$defs"]["Limits"]["properties"]["ad_share"]["examples"] == [{"phone": "30%", "desktop": "25%"}]
    assert made["$defs"]["Slot"]["properties"]["shift"]["default"] == "4 blocks"


def _keys_in(node: object, where: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Every key that a schema names, with its place in it."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _keys_in(item, f"{where}/{index}")
    elif isinstance(node, dict):
        for name, item in node.items():
            if name == "properties":
                yield from ((f"{where}/{key}", value) for key, value in item.items())
            if name not in ("examples", "default"):
                yield from _keys_in(item, f"{where}/{name}")
