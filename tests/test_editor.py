"""Rules in an editor: a real YAML language server completes, checks and explains them by the file's first line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from conftest import missing
from language_server import SERVER, YamlLanguageServer

from adproxy.rules.merge import preset_names

ROOT = Path(__file__).parent.parent
RULES = ROOT / "rules"
HEAD = (RULES / "site.yaml").read_text().splitlines()[0] + "\nversion: 1\nsite: news\n"
LINES = HEAD.count("\n")


@pytest.fixture(scope="module")
def server() -> Iterator[YamlLanguageServer]:
    tools = ROOT / ".tools"
    if not (tools / SERVER).is_file():
        missing("yaml-language-server is not installed: make .venv/tests")
    try:
        running = YamlLanguageServer(tools)
    except FileNotFoundError:
        missing("node is not installed")
        raise
    yield running
    running.close()


_NUMBERS = count(1)


def new_file() -> Path:
    """A file that is nowhere but in the editor; each is another one to the server."""
    return RULES / f"being-edited-{next(_NUMBERS)}.yaml"


def edited(server: YamlLanguageServer, text: str) -> Path:
    """A new file with that text in it, open."""
    file = new_file()
    server.open(file, text)
    return file


def complaints(server: YamlLanguageServer, text: str, file: Path | None = None) -> list[str]:
    file = file or new_file()
    return [f"{found['range']['start']['line'] + 1}: {found['message']}" for found in server.open(file, text)]


def test_a_placement_is_completed_with_what_it_means(server: YamlLanguageServer) -> None:
    file = edited(server, HEAD + "slots:\n  top:\n    place: \n")
    offered = server.completions(file, LINES + 2, len("    place: "))
    assert {"above-headline", "below-headline", "mid-article", "end-of-article"} <= set(offered)
    assert offered["below-headline"] == "Right below the headline, or behind what goes with it."


def test_a_key_is_completed_with_its_sentence(server: YamlLanguageServer) -> None:
    file = edited(server, HEAD + "limits:\n  \n")
    offered = server.completions(file, LINES + 1, 2)
    assert {"ad_share", "gap", "in_article"} <= set(offered)
    assert "How many slots may stand in one article" in offered["in_article"]


def test_a_wrong_key_is_an_error_where_it_stands(server: YamlLanguageServer) -> None:
    (said,) = complaints(server, HEAD + "limits:\n  in_articel: 3\n")
    assert said == f"{LINES + 2}: Property in_articel is not allowed."


@pytest.mark.parametrize(
    "text",
    [
        "slots: {a: {place: mid-artikel}}",
        "slots: {a: {sizes: {phone: [300]}}}",
        "limits: {ad_share: 30}",
        "limits: {gap: {phone: 200 wrods}}",
        "slots: {Top: {place: mid-article}}",
        "slots: {a: yes}",
        "version: 2",
        "when: {words: {at_least: many}}",
    ],
)
def test_a_wrong_value_is_an_error(server: YamlLanguageServer, text: str) -> None:
    head = HEAD.replace("version: 1\n", "") if text.startswith("version") else HEAD
    assert complaints(server, f"{head}{text}\n") != []


@pytest.mark.parametrize(
    ("text", "words", "column"),
    [
        ("keep_clear: {around_media: 40 words}", "From pictures, videos, embedded posts.", 15),
        ("slots: {a: {article_min: 150 words}}", "Only in articles at least so long.", 14),
        ("when: {words: {at_least: 300}}", "So many words or more.", 17),
    ],
)
def test_a_key_is_explained_where_the_pointer_rests(
    server: YamlLanguageServer, text: str, words: str, column: int
) -> None:
    file = edited(server, f"{HEAD}{text}\n")
    assert words in server.hover(file, LINES, column)


@pytest.mark.parametrize("name", [*preset_names(), "site", "demo"])
def test_the_rules_that_come_with_adproxy_are_fine_to_an_editor(server: YamlLanguageServer, name: str) -> None:
    file = RULES / f"{name}.yaml" if name != "demo" else ROOT / "adproxy" / "demo" / "rules" / "demo.yaml"
    text = file.read_text()
    schema = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert schema is not None
    assert (file.parent / schema[1]).resolve() == ROOT / "adproxy" / "rules.schema.json"
    assert complaints(server, text, file) == []


def test_recipes_of_the_reference_are_fine_to_an_editor(server: YamlLanguageServer) -> None:
    recipes = re.findall(r"^```yaml\n(.*?)^```$", (RULES / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(recipes) > 5
    for recipe in recipes:
        assert complaints(server, f"{HEAD.splitlines()[0]}\n{recipe}") == []
