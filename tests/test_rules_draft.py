"""Rules as a draft: texts in place of files, and nothing read beyond what the rules themselves are."""

from __future__ import annotations

from pathlib import Path

import pytest

from adproxy.console.desk import Desk, rule_set_of
from adproxy.errors import RulesError
from adproxy.live_rules import LiveRules
from adproxy.rules.compile import load_rules
from adproxy.rules.match import choose
from adproxy.rules.merge import Draft

SITE = "version: 1\nsite: here\nuse: [./group.yaml]\nhosts: [here.example]\n"
GROUP = "version: 1\nslots:\n  top: {place: above-headline, sizes: {phone: [320x50]}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "here.yaml").write_text(SITE)
    (rules / "group.yaml").write_text(GROUP)
    (rules / "there.yaml").write_text(SITE.replace("here", "there"))
    (tmp_path / "secret.yaml").write_text("password: hunter2\n")
    return rules


def height(book_of: Path, draft: Draft) -> int:
    policy = choose(load_rules(book_of, draft), "here.example", "/").policy
    assert policy is not None
    return policy.slots[0].height_at(390)


def test_a_text_stands_in_for_its_file_wherever_that_is_used(folder: Path) -> None:
    group = (folder / "group.yaml").resolve()
    draft = Draft({group: GROUP.replace("320x50", "320x100").encode()}, (folder.resolve(),))
    assert height(folder, Draft({}, (folder.resolve(),))) == 74
    assert height(folder, draft) == 124
    assert (folder / "group.yaml").read_text() == GROUP


@pytest.mark.parametrize("use", ["../secret.yaml", "/etc/passwd", "./link.yaml"])
def test_a_draft_reads_nothing_that_is_not_of_the_rules(folder: Path, use: str) -> None:
    (folder / "link.yaml").symlink_to(folder.parent / "secret.yaml")
    here = (folder / "here.yaml").resolve()
    draft = Draft({here: SITE.replace("./group.yaml", use).encode()}, (folder.resolve(),))
    with pytest.raises(RulesError) as told:
        load_rules(folder / "here.yaml", draft)
    assert "which a draft may not read" in str(told.value)
    assert "hunter2" not in str(told.value)
    with pytest.raises(RulesError, match="found the unknown key" if use == "../secret.yaml" else "."):
        load_rules(folder / "here.yaml", Draft(draft.texts, (Path("/"),)))


def test_the_desk_knows_the_files_in_force_and_the_presets(folder: Path) -> None:
    desk = Desk(LiveRules(folder))
    names = [text.name for text in desk.texts()]
    assert names[:3] == ["group.yaml", "here.yaml", "there.yaml"]
    assert "preset:news" in names
    assert desk.text_for("there.example").name == "there.yaml"
    assert desk.text("../secret.yaml") is None


def test_an_edited_rule_set_can_be_tried_on_any_page(folder: Path) -> None:
    desk = Desk(LiveRules(folder))
    text = desk.text("there.yaml")
    assert text is not None
    book = desk.tried(text, text.read())
    assert rule_set_of(book, text) is not None
    assert choose(book, "elsewhere.example", "/").policy is None
    assert choose(desk.as_for_any_host(book, text), "elsewhere.example", "/").policy is not None
    part = desk.text("group.yaml")
    assert part is not None
    assert desk.as_for_any_host(book, part) is book


def test_a_single_file_opens_nothing_beside_it(folder: Path) -> None:
    (folder.parent / "alone.yaml").write_text(GROUP)
    desk = Desk(LiveRules(folder.parent / "alone.yaml"))
    (text,) = [text for text in desk.texts() if not text.is_preset]
    with pytest.raises(RulesError, match="which a draft may not read"):
        desk.tried(text, "version: 1\nuse: [./secret.yaml]\n")


def test_without_rules_there_is_something_to_begin_with() -> None:
    desk = Desk(None)
    text = desk.texts()[0]
    assert choose(desk.tried(text, text.read()), "any.example", "/").policy is not None
    with pytest.raises(RulesError, match="which a draft may not read"):
        desk.tried(text, "version: 1\nsite: x\nuse: [./pyproject.yaml]\n")
