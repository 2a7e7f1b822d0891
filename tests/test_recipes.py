"""Each recipe of the rules' reference does on a page what it says.

``python tests/test_recipes.py`` writes into the recipes what they do; read the change as an editor would.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import pytest

from adproxy.account import Work, account_of, decide
from adproxy.explanation import told
from adproxy.model import BlockKind, Placement, Skip
from adproxy.rules.compile import check_paths, load_rules
from adproxy.rules.reference import RECIPES
from adproxy.rules.ruleset import FixedPlace, Policy, SidebarPlace

WORDS = "the harbour office says that ferries will take a cable from the quay in spring and people sleep well".split()
_SAYS = re.compile(r"^On (a story of [^:]+): (.+?)\.$", re.MULTILINE)


class Recipe(NamedTuple):
    title: str
    rules: str
    outcomes: tuple[tuple[str, str], ...]
    """Pages in words, and what becomes of each."""
    explained: str
    """What explain says at the end of the first page; empty where the recipe doesn't show it."""


def recipes() -> list[Recipe]:
    made = []
    for part in RECIPES.read_text().split("\n### ")[1:]:
        rules = re.search(r"^```yaml\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
        shown = re.search(r"^```text\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
        assert rules is not None, part
        outcomes = tuple((page, says) for page, says in _SAYS.findall(part))
        made.append(Recipe(part.splitlines()[0], rules[1], outcomes, shown[1] if shown else ""))
    return made


# --- pages, as the recipes name them ----------------------------------------------------------------


def text_of(words: int, first: str) -> str:
    return " ".join([first, *islice(cycle(WORDS), words - 1)]) + "."


def page_of(description: str) -> tuple[str, str]:
    """A page and the path of its address."""
    story = re.fullmatch(r"a story of (\d+) paragraphs of (\d+) words(.*)", description)
    assert story is not None, description
    paragraphs = [f"<p>{text_of(int(story[2]), f'Paragraph{n}')}</p>" for n in range(1, int(story[1]) + 1)]
    around: dict[str, str] = {"lang": "en", "head": "", "sidebar": "", "path": "/story", "mark": ""}
    for phrase in filter(None, story[3].split(", ")):
        for pattern, change in PHRASES.items():
            if match := re.fullmatch(pattern, phrase):
                change(match, paragraphs, around)
                break
        else:
            raise AssertionError(f"no such page: {phrase!r}")
    page = (
        f"<!doctype html>\n<html lang={around['lang']}><head><title>Harbour</title>{around['head']}</head>\n<body>"
        f"<main><article class=story>\n<h1>The harbour</h1>{around['mark']}\n" + "\n".join(paragraphs) + "\n</article>"
        f"</main>{around['sidebar']}</body></html>\n"
    )
    return page, around["path"]


Change = Callable[[re.Match[str], list[str], dict[str, str]], None]


def _behind(markup: str) -> Change:
    def change(match: re.Match[str], paragraphs: list[str], around: dict[str, str]) -> None:
        paragraphs[int(match["n"]) - 1] += "\n" + match.expand(markup)

    return change


def _around(**values: str) -> Change:
    def change(match: re.Match[str], paragraphs: list[str], around: dict[str, str]) -> None:
        around |= {name: match.expand(value) for name, value in values.items()}

    return change


def _boxed(match: re.Match[str], paragraphs: list[str], around: dict[str, str]) -> None:
    paragraphs[:] = [f"<div class=wrap>{paragraph}</div>" for paragraph in paragraphs]


PHRASES: dict[str, Change] = {
    r"with a picture after paragraph (?P<n>\d+)": _behind("<figure><img src=/quay.jpg width=640 height=360></figure>"),
    r"with a recipe card after paragraph (?P<n>\d+)": _behind(
        "<div class=recipe-card><p>Fish soup for four.</p></div>"
    ),
    r"with an ad of the page's own after paragraph (?P<n>\d+)": _behind(
        '<div id="div-gpt-ad-1" style="min-height: 250px"></div>'
    ),
    r"with the mark (?P<slot>[a-z-]+) after paragraph (?P<n>\d+)": _behind(r"<!-- adproxy:slot \g<slot> -->"),
    r"with the mark off": _around(mark="<!-- adproxy:off -->"),
    r"each in a box of its own": _boxed,
    r"with a sidebar": _around(sidebar="<aside class=sidebar><div>Most read</div><div>Weather</div></aside>"),
    r"in German": _around(lang="de"),
    r"at (?P<path>/\S*)": _around(path=r"\g<path>"),
    r"behind the paywall": _around(
        head='<script type="application/ld+json">{"@type": "NewsArticle", "isAccessibleForFree": false}</script>'
    ),
    r"published on (?P<day>\d{4}-\d\d-\d\d)": _around(
        head=r'<script type="application/ld+json">{"@type": "NewsArticle", "datePublished": "\g<day>"}</script>'
    ),
}


# --- what becomes of them, in words -----------------------------------------------------------------


def done(rules: str, description: str, folder: Path) -> Work:
    page, path = page_of(description)
    file = folder / "my-site.yaml"
    file.write_text(rules)
    return decide(page.encode(), f"http://my-site.example{path}", load_rules(file))


def outcome(work: Work) -> str:
    """What a recipe says of a page."""
    policy = work.choice.policy
    if isinstance(work.result, Skip) or policy is None:
        return "no ads"
    result = work.result
    numbers = [0]
    for block in result.page.blocks:
        numbers.append(numbers[-1] + (block.kind is BlockKind.PARAGRAPH))
    parts: list[str] = []
    for slot in policy.slots:
        for devices in (("phone", "desktop"), ("phone",), ("desktop",)):
            placed = [p for p in result.plan.placements if p.slot == slot.name and p.devices == devices]
            if placed:
                on = f", on {devices[0]}s only" if len(devices) == 1 else ""
                parts.append(f"`{slot.name}` {_where(policy, placed, numbers)}{on}")
    return "; ".join(parts) or "no ads"


def _where(policy: Policy, placed: list[Placement], numbers: list[int]) -> str:
    slot = next(slot for slot in policy.slots if slot.name == placed[0].slot)
    if isinstance(slot.place, FixedPlace):
        return {"above-headline": "above the headline", "below-headline": "below the headline"}.get(
            slot.place.value, "at the end"
        )
    if isinstance(slot.place, SidebarPlace):
        return "in the sidebar"
    after = [str(numbers[p.anchor.gap]) for p in placed]
    noun = "paragraph" if len(after) == 1 else "paragraphs"
    listed = after[0] if len(after) == 1 else f"{', '.join(after[:-1])} and {after[-1]}"
    return f"after {noun} {listed}"


def explained(work: Work) -> str:
    """The article's outline and its slots, as `explain` ends."""
    lines = list(told(account_of("page.html", work)))
    return "\n".join(lines[lines.index("") + 1 :]) + "\n"


@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe.title)
def test_a_recipe_does_what_it_says(recipe: Recipe, tmp_path: Path) -> None:
    assert recipe.outcomes, "a recipe says what it does"
    for page, says in recipe.outcomes:
        assert outcome(done(recipe.rules, page, tmp_path)) == says, page
    if recipe.explained:
        assert explained(done(recipe.rules, recipe.outcomes[0][0], tmp_path)) == recipe.explained


@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe.title)
def test_a_recipe_is_a_file_without_a_doubt(recipe: Recipe, tmp_path: Path) -> None:
    file = tmp_path / "my-site.yaml"
    file.write_text(recipe.rules)
    checked = check_paths([file])
    assert (checked.problems, checked.warnings) == ((), ())


def _update() -> None:
    text = RECIPES.read_text()
    with tempfile.TemporaryDirectory() as folder:
        for recipe in recipes():
            start = text.index(f"### {recipe.title}\n")
            end = text.find("\n### ", start) if "\n### " in text[start:] else len(text)
            part = text[start:end]
            for page, says in recipe.outcomes:
                new = outcome(done(recipe.rules, page, Path(folder)))
                part = part.replace(f"On {page}: {says}.", f"On {page}: {new}.")
            if recipe.explained:
                new = explained(done(recipe.rules, recipe.outcomes[0][0], Path(folder)))
                part = part.replace(f"```text\n{recipe.explained}", f"```text\n{new}")
            text = text[:start] + part + text[end:]
    RECIPES.write_text(text)


if __name__ == "__main__":
    sys.exit(_update())
