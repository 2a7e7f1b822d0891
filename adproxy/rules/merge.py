"""`use`: presets and files laid over each other, each value remembering the file and line that it came from.

Maps merge by key, lists and values replace, the later wins, and a file wins over what it uses. What is one choice of
several forms (a placement, a creative, a key-value) is replaced whole, or the two halves of two choices would meet.
`site`, `hosts` and `version` aren't handed on: they say what the file itself is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import adproxy
from adproxy.errors import Problem, RulesError
from adproxy.rules import schema
from adproxy.rules.defaults import default_layer
from adproxy.rules.ruleset import SourceFile
from adproxy.rules.strict_yaml import MAX_BYTES, Map, Mark, Node, Scalar, Seq, quoted, read
from adproxy.rules.values import nearest

MAX_USES = 8
"""Files that use each other in a chain."""
MAX_FILES = 2_000
"""Files that one load may read."""
STARTING_POINT = "site"
"""The file among the presets that is there to be copied; it is a whole rule set, so nothing may use it."""

_OWN = frozenset({"use", "site", "hosts", "version"})
_NARROWS = frozenset({"after", "every", "at"})
_AROUND = ("keep_clear", "around")
_PER_DEVICE = frozenset({("limits", "ad_share"), ("limits", "gap")})


@dataclass(frozen=True, slots=True)
class Merged:
    """One file with all that it uses, over the defaults."""

    own: Map
    """The file alone."""
    whole: Map
    """With what it uses and the defaults beneath; without `use`."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Texts that stand in for files while somebody tries them out. Who writes a draft need not be one who may read
    whatever this process can, so nothing outside of `within` is read for it."""

    texts: Mapping[Path, bytes]
    """By resolved path; a file need not exist."""
    within: tuple[Path, ...]
    """Resolved: files, and folders with all below them."""

    def may_read(self, resolved: Path) -> bool:
        return any(resolved.is_relative_to(place) for place in self.within)


def merge_file(path: Path) -> Merged:
    """Read a file and what it uses. Raises `RulesError` with all problems of all these files."""
    sources = Sources()
    merged = sources.merged(path)
    if merged is None or sources.problems:
        raise RulesError(sources.sorted_problems())
    return merged


def presets_folder() -> Path:
    """Where the presets are: inside an installed package, or in the checkout beside it."""
    package = Path(adproxy.__file__).parent
    installed = package / "presets"
    return installed if installed.is_dir() else package.parent / "rules"


def preset_names() -> list[str]:
    """The names that `use` knows without a path."""
    return sorted(p.stem for p in presets_folder().glob("*.yaml") if p.stem != STARTING_POINT)


class Sources:
    """The files of one load: each is read and checked once, and what is wrong with it is told once."""

    def __init__(self, draft: Draft | None = None) -> None:
        self._draft = draft
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.files: dict[str, SourceFile] = {}
        self.asked_for: set[Path] = set()
        """Files that a `use` names."""
        self._documents: dict[Path, Map | None] = {}
        self._layers: dict[Path, Map | None] = {}

    def merged(self, path: Path) -> Merged | None:
        """The file over what it uses; None where a problem came up."""
        own = self.document(path, None)
        layer = self.layer(path, None, ())
        if own is None or layer is None:
            return None
        return Merged(own, overlay(default_layer(), layer))

    def layer(self, path: Path, asked_by: Mark | None, chain: tuple[Path, ...]) -> Map | None:
        """The file over what it uses, without the defaults. `chain`: the files that led here."""
        resolved = path.resolve()
        if resolved in chain and asked_by:
            names = " -> ".join(p.name for p in (*chain[chain.index(resolved) :], resolved))
            self._problem(asked_by, f"a circle: {names}", "files that don't lead back to themselves")
            return None
        if len(chain) >= MAX_USES and asked_by:
            self._problem(asked_by, f"a chain of more than {MAX_USES} files", f"at most {MAX_USES} that use each other")
            return None
        if resolved not in self._layers:
            document = self.document(path, asked_by)
            if document is None:
                self._layers[resolved] = None
            else:
                base = self.used(document.entries.get("use"), (*chain, resolved))
                own = without(document, {"use"})
                self._layers[resolved] = None if base is None else overlay(base, own)
        return self._layers[resolved]

    def used(self, use: Node | None, chain: tuple[Path, ...]) -> Map | None:
        """All that a `use` names, the later over the earlier; None where one of them is wrong."""
        items = use.items if isinstance(use, Seq) else (use,) if use is not None else ()
        base: Map | None = Map({}, {}, use.at if use is not None else Mark("", 0, 0))
        for item in items:
            assert isinstance(item, Scalar)  # the schema saw to it
            found = self._locate(item)
            self.asked_for |= {found.resolve()} if found else set()
            layer = self.layer(found, item.at, chain) if found else None
            base = overlay(base, without(layer, _OWN)) if base is not None and layer is not None else None
        return base

    def document(self, path: Path, asked_by: Mark | None) -> Map | None:
        """One file, parsed and in the shape of the schema; None where it isn't."""
        resolved = path.resolve()
        if resolved not in self._documents:
            self._documents[resolved] = self._read_document(path, asked_by)
        return self._documents[resolved]

    def text(self, path: Path, asked_by: Mark | None) -> bytes | None:
        """The bytes of a file that the rules name; it counts into their files. None where it can't be read."""
        at = asked_by or Mark(str(path), 1, 1)
        if len(self.files) >= MAX_FILES:
            self._problem(at, f"more than {MAX_FILES} files", f"at most {MAX_FILES}")
            return None
        content = self._content(path, at)
        if content is None:
            return None
        self.files[str(path)] = SourceFile(str(path), hashlib.sha256(content).hexdigest())
        return content

    def _content(self, path: Path, at: Mark) -> bytes | None:
        if self._draft is not None:
            resolved = path.resolve()
            if resolved in self._draft.texts:
                return self._draft.texts[resolved]
            if not self._draft.may_read(resolved):
                expected = "a file beside the rules, or one that the rules in force use"
                self._problem(at, f"{quoted(str(path))}, which a draft may not read", expected)
                return None
        if not path.is_file():
            found = "no such file" if not path.exists() else "what is no file"
            self._problem(at, f"{found}: {quoted(str(path))}", "a file that exists")
            return None
        try:
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError as error:
            self._problem(at, f"{quoted(str(path))}: {error.strerror}", "a file that can be read")
            return None

    def sorted_problems(self) -> list[Problem]:
        return sorted(dict.fromkeys(self.problems), key=lambda p: (p.file, p.line, p.column))

    def _read_document(self, path: Path, asked_by: Mark | None) -> Map | None:
        content = self.text(path, asked_by)
        if content is None:
            return None
        document, problems = read(content, str(path))
        if document is not None:
            told = {(p.line, p.column) for p in problems}
            problems += [p for p in schema.validate(document)[1] if (p.line, p.column) not in told]
        self.problems.extend(problems)
        return None if problems else document

    def _locate(self, item: Scalar) -> Path | None:
        """The file that one entry of `use` means."""
        name = item.text
        if "/" in name or name.endswith((".yaml", ".yml")):
            return Path(item.at.file).parent / name
        names = preset_names()
        if name in names:
            return presets_folder() / f"{name}.yaml"
        beside = next((s for s in (".yaml", ".yml") if (Path(item.at.file).parent / f"{name}{s}").is_file()), None)
        hint = f"Write './{name}{beside}' for the file beside this one" if beside else nearest(name, names)
        presets = f"a preset ({', '.join(names)})" if names else "a preset"
        self._problem(
            item.at, f"the unknown preset {quoted(name)}", f"{presets} or a path such as './group.yaml'", hint
        )
        return None

    def _problem(self, at: Mark, found: str, expected: str, hint: str = "") -> None:
        self.problems.append(problem(at, found, expected, hint))


def overlay(base: Map, over: Map, path: tuple[str, ...] = ()) -> Map:
    """`over` laid over `base`. `path`: the keys that lead to both, from the top of the file."""
    entries: dict[str, Node] = dict(base.entries)
    keys_at: dict[str, Mark] = dict(base.keys_at)
    if _is_slot(path):
        for name in _outdated(over.entries):
            entries.pop(name, None)
            keys_at.pop(name, None)
    for name, node in over.entries.items():
        here = (*path, name)
        below = entries.get(name)
        laid = _both_devices(node) if here in _PER_DEVICE else node
        if isinstance(laid, Map) and isinstance(below, Scalar):
            if _has_sides(here):
                below = _both_sides(below)
            elif _is_count(here):
                below = _both_devices(below)
        if isinstance(laid, Map) and not _is_one_choice(here):
            laid = overlay(below if isinstance(below, Map) else Map({}, {}, laid.at), laid, here)
        entries[name] = laid
        keys_at[name] = over.keys_at[name]
    return Map(entries, keys_at, over.at)


def _is_slot(path: tuple[str, ...]) -> bool:
    return len(path) == 2 and path[0] == "slots"


def _is_one_choice(path: tuple[str, ...]) -> bool:
    """Is that a map with one of several keys, to be replaced as a whole?"""
    if _is_slot(path[:2]) and len(path) == 3:
        return path[2] in ("place", "creative", "reserve")
    when = path[2:] if _is_slot(path[:2]) else path
    if when[:1] == ("when",):
        return when[1:] in (("words",), ("language",)) or (len(when) == 3 and when[1] in ("json_ld", "meta"))
    return len(path) == 3 and path[:2] == ("ads", "key_values")


def _has_sides(path: tuple[str, ...]) -> bool:
    """Is that a distance that may differ above and below a slot?"""
    if len(path) == 3:
        return path[:2] == _AROUND
    return len(path) == 2 and path[0] == "keep_clear" and path != _AROUND


def _is_count(path: tuple[str, ...]) -> bool:
    """Is that a number that may differ by device?"""
    return path == ("limits", "in_article") or (_is_slot(path[:2]) and path[2:] == ("max",))


def _outdated(stated: Mapping[str, Node]) -> set[str]:
    """The keys of a slot beneath that lose their meaning by what is stated over them."""
    outdated: set[str] = set()
    place = stated.get("place")
    if place is not None:
        outdated |= {*_NARROWS, "shift"}
        if not (isinstance(place, Scalar) and place.text == "mid-article"):
            outdated |= {"first_after", "before_end"}
    if stated.keys() & _NARROWS:
        outdated |= _NARROWS
    if "every" in stated:
        outdated.add("shift")
    if "creative" in stated:
        outdated.add("div")
    if "div" in stated:
        outdated.add("creative")
    return outdated


def _both_devices(node: Node) -> Node:
    """One value for all devices as a map of two, so that a layer over it can change one of them."""
    if isinstance(node, Scalar):
        return Map({"phone": node, "desktop": node}, {"phone": node.at, "desktop": node.at}, node.at)
    return node


def _both_sides(node: Scalar) -> Map:
    """One distance as a map of two, so that a layer over it can change one side."""
    return Map({"above": node, "below": node}, {"above": node.at, "below": node.at}, node.at)


def without(node: Map, names: set[str] | frozenset[str]) -> Map:
    """The map without some of its keys."""
    entries = {name: value for name, value in node.entries.items() if name not in names}
    return Map(entries, {name: node.keys_at[name] for name in entries}, node.at)


def problem(at: Mark, found: str, expected: str, hint: str = "") -> Problem:
    """A problem at a mark."""
    return Problem(at.file, at.line, at.column, found, expected, hint)
