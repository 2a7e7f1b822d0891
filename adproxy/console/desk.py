"""Rules on somebody's desk: those in force, one of their files as it is edited, or a preset in their place.

Nothing here is ever written: a text comes in, rules come out, and the files stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from adproxy.live_rules import LiveRules
from adproxy.rules.compile import load_rules
from adproxy.rules.match import find_rule_set
from adproxy.rules.merge import Draft, preset_names, presets_folder
from adproxy.rules.ruleset import RuleBook, RuleSet
from adproxy.rules.strict_yaml import MAX_BYTES

PRESET = "preset:"
"""Begins the names of presets."""
NEW = "rules.yaml"
"""The name of the text where there are no rules yet."""
_NEW_TEXT = """\
version: 1
site: my-site
use: [news]
"""


@dataclass(frozen=True, slots=True)
class RulesText:
    """A file of rules that can be edited here."""

    name: str
    """What it is called here: relative to the rules, or a preset's name."""
    path: Path
    is_preset: bool

    @property
    def title(self) -> str:
        return f"the preset {self.path.stem}" if self.is_preset else self.name

    def read(self) -> str:
        """The text as it is now; empty where it can't be read."""
        try:
            with self.path.open("rb") as file:
                return file.read(MAX_BYTES + 1).decode("utf-8", "replace")
        except OSError:
            return _NEW_TEXT if self.name == NEW else ""


class Desk:
    def __init__(self, live_rules: LiveRules | None) -> None:
        """`live_rules`: those in force; None where there are none."""
        self._live = live_rules

    @property
    def in_force(self) -> RuleBook:
        return self._live.book if self._live is not None else RuleBook()

    def texts(self) -> list[RulesText]:
        """What can be edited: the files of the rules, then the presets."""
        own = [RulesText(self._name(path), path, False) for path in self._own_files()]
        if not own:
            own = [RulesText(NEW, self._root(), False)]
        presets = [RulesText(f"{PRESET}{name}", presets_folder() / f"{name}.yaml", True) for name in preset_names()]
        return [*own, *presets]

    def text(self, name: str) -> RulesText | None:
        """One of them by its name."""
        return next((text for text in self.texts() if text.name == name), None)

    def text_for(self, host: str) -> RulesText:
        """The one whose rule set a host gets, or else the first."""
        rule_set = find_rule_set(self.in_force, host)
        texts = self.texts()
        return next((text for text in texts if rule_set is not None and str(text.path) == rule_set.file), texts[0])

    def tried(self, text: RulesText, content: str) -> RuleBook:
        """All rules, with `content` in place of that file's. Raises `RulesError`."""
        root = text.path if text.is_preset else self._root()
        return load_rules(root, Draft({text.path.resolve(): content.encode("utf-8", "replace")}, self._readable()))

    def as_for_any_host(self, book: RuleBook, text: RulesText) -> RuleBook:
        """The rule set of that file alone, as if it were for every host; all of `book` where the file is a part of
        others."""
        rule_set = rule_set_of(book, text)
        if rule_set is None:
            return book
        return RuleBook((replace(rule_set, hosts=()),), book.files, book.revision)

    def short(self, text: str) -> str:
        """What was said of the rules, with their files named as people know them: relative to where they lie."""
        root = self._root()
        folder = root if root.is_dir() else root.parent
        return text.replace(f"{presets_folder()}/", "preset ").replace(f"{folder}/", "")

    def _root(self) -> Path:
        return self._live.path if self._live is not None else Path(NEW)

    def _name(self, path: Path) -> str:
        root = self._root()
        return str(path.relative_to(root)) if root.is_dir() and path.is_relative_to(root) else path.name

    def _own_files(self) -> list[Path]:
        """The YAML files in force, and those that lie beside them; what is wrong with them is no matter."""
        if self._live is None:
            return []
        root = self._root()
        beside = list(root.glob("*.y*ml")) if root.is_dir() else [root]
        used = [Path(source.path) for source in self._live.status().files]
        presets = presets_folder().resolve()
        found = [
            path
            for path in (*beside, *used)
            if path.suffix in (".yaml", ".yml") and not path.name.startswith(".") and path.resolve().parent != presets
        ]
        by_name = {self._name(path): path for path in sorted(dict.fromkeys(found))}
        return list(by_name.values())

    def _readable(self) -> tuple[Path, ...]:
        root = self._root()
        used = [Path(source.path) for source in self._live.status().files] if self._live is not None else []
        places = [presets_folder(), *used, *([root] if root.is_dir() or self._live is not None else [])]
        return tuple(place.resolve() for place in places)


def rule_set_of(book: RuleBook, text: RulesText) -> RuleSet | None:
    """The rule set that a file states."""
    return next((rule_set for rule_set in book.rule_sets if rule_set.file == str(text.path)), None)
