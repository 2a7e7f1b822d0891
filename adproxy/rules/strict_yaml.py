"""YAML text to plain values that know where they stand; everything doubtful is refused.

People who edit rules aren't programmers, so a file must mean what it looks like. Values are read as YAML 1.2's core
schema has them: ``no``, ``off`` and ``12:30`` are texts, ``012`` is twelve, there are no dates. What YAML can do
beyond maps, lists and values is refused, with the place: duplicate keys (the last would win silently), anchors,
aliases and merge keys (a few lines can unfold to gigabytes; ``use`` is for sharing), tags, several documents.

Depth and size are bounded before anything is built, and nothing here recurses over the parser's own recursion:
the tree is made from the parser's events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union

import yaml

from adproxy.errors import Problem, RulesError

MAX_BYTES = 1 << 20
"""Of a file. The largest rule set seen in practice has some 20 KB."""
MAX_DEPTH = 20
"""Of maps and lists inside each other. A rules file needs 7."""
MAX_NUMBER = 40
"""Characters of a number: more is no number that a rule could mean, and costs time to convert."""

PARSERS: tuple[Any, ...] = tuple(getattr(yaml, name) for name in ("CSafeLoader", "SafeLoader") if hasattr(yaml, name))
"""The C parser where PyYAML was built with it, else its equal in Python. Only their events are used."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file."""

    file: str
    line: int
    """From 1; 0: not from a file, a default."""
    column: int
    """From 1, in characters."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value."""

    value: str | int | float | bool | None
    text: str
    """As the file spells it, without quotes."""
    at: Mark


@dataclass(frozen=True, slots=True)
class Seq:
    """A list."""

    items: tuple[Node, ...]
    at: Mark


@dataclass(frozen=True, slots=True)
class Map:
    """A map, in the order of the file. Keys are texts as spelt, so a key ``1`` is ``"1"``."""

    entries: Mapping[str, Node]
    keys_at: Mapping[str, Mark]
    at: Mark


Node = Union[Scalar, Seq, Map]

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

# Beyond the controls, three characters that YAML 1.1 takes for line ends and 1.2 doesn't: two readings, so neither.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_INDENT_TAB = re.compile(r"^ *\t", re.MULTILINE)


def load(text: str | bytes, file: str) -> Map:
    """Read one YAML document whose top is a map.

    `file` is the name that marks and problems carry. Raises `RulesError` with a problem for each thing found wrong.
    """
    document, problems = read(text, file)
    if document is None or problems:
        raise RulesError(problems)
    return document


def read(text: str | bytes, file: str, parser: Any = PARSERS[0]) -> tuple[Map | None, list[Problem]]:
    """`load` for who wants to go on: what could be read, or None, and all problems."""
    builder = _Builder(file)
    source = ""
    try:
        source = _decoded(text, file)
        return builder.document(yaml.parse(source, Loader=parser)), builder.problems
    except RulesError as error:
        return None, [*builder.problems, *error.problems]
    except yaml.MarkedYAMLError as error:
        return None, [*builder.problems, _plain_words(error, source, file)]
    except yaml.YAMLError as error:
        said = str(error).split("\n")[0]
        problem = Problem(
            file, 1, 1, "text that is not YAML", "a map of keys and values", f"The YAML parser says: {said}"
        )
        return None, [*builder.problems, problem]


def plain(node: Node) -> object:
    """The node as dict, list and values, without marks."""
    if isinstance(node, Map):
        return {key: plain(value) for key, value in node.entries.items()}
    if isinstance(node, Seq):
        return [plain(item) for item in node.items]
    return node.value


def shown(node: Node) -> str:
    """The node as a message quotes it: short, on one line."""
    if isinstance(node, Map):
        return "a map" if node.entries else "an empty map"
    if isinstance(node, Seq):
        return "a list" if node.items else "an empty list"
    if node.value is None:
        return "nothing"
    return quoted(node.text)


def quoted(text: str) -> str:
    """Text in quotes, at most 60 characters of it, printable."""
    short = text if len(text) <= 60 else text[:57] + "..."
    return "'" + "".join(c if c.isprintable() else repr(c)[1:-1] for c in short) + "'"


def _decoded(text: str | bytes, file: str) -> str:
    def fail(offset: int, source: str, found: str, expected: str, hint: str = "") -> RulesError:
        line = source.count("\n", 0, offset) + 1
        column = offset - (source.rfind("\n", 0, offset) + 1) + 1
        return RulesError([Problem(file, line, column, found, expected, hint)])

    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_BYTES:
        raise fail(0, "", f"a file of more than {MAX_BYTES:,} bytes", "a smaller file")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        byte = f"the byte 0x{raw[error.start]:02x}"
        raise fail(len(before), before, byte, "UTF-8 text", "Save the file in the encoding UTF-8") from error
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if match := _FORBIDDEN.search(text):
        code = f"the control character U+{ord(match[0]):04X}"
        raise fail(match.start(), text, code, "text that can be seen", "Delete it, or write an escape in double quotes")
    if match := _INDENT_TAB.search(text):
        raise fail(match.end() - 1, text, "a tab", "spaces for indentation", "Replace each tab by two spaces")
    return text


class _Builder:
    """Makes the tree of one document out of the parser's events."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def document(self, events: Iterator[Any]) -> Map:
        top: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if top is not None:
                    raise self._fatal(event, "a second document", "one document a file", "Delete the line '---'")
                if event.tags or (event.version or (1, 2)) != (1, 2):
                    raise self._fatal(event, "a directive", "no line that starts with '%'", "Delete that line")
            elif isinstance(event, yaml.NodeEvent):
                top = self._node(event, events, 1)
        if isinstance(top, Map):
            return top
        expected = "a map of keys and values, such as 'version: 1'"
        if top is None or (isinstance(top, Scalar) and top.value is None):
            raise RulesError([Problem(self.file, 1, 1, "an empty file", expected)])
        raise RulesError([self._problem(top.at, shown(top), expected)])

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        at = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            hint = "Write the value out, share it with 'use', or put quotes around a text that starts with '*'"
            self.problems.append(self._problem(at, f"the alias '*{event.anchor}'", "a value", hint))
            return Scalar(None, "", at)
        if event.anchor is not None:
            hint = "Write the value out, share it with 'use', or put quotes around a text that starts with '&'"
            self.problems.append(self._problem(at, f"the anchor '&{event.anchor}'", "a value", hint))
        if event.tag is not None:
            hint = "Delete it, or put quotes around a text that starts with '!'"
            self.problems.append(self._problem(at, f"the tag {quoted(str(event.tag))}", "a value", hint))
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(self._value(event, at) if not event.style else event.value, event.value, at)
        if depth > MAX_DEPTH:
            raise self._fatal(event, f"more than {MAX_DEPTH} levels", f"at most {MAX_DEPTH} levels of maps and lists")
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(following := next(events), yaml.SequenceEndEvent):
                items.append(self._node(following, events, depth + 1))
            return Seq(tuple(items), at)
        return self._map(events, at, depth)

    def _map(self, events: Iterator[Any], at: Mark, depth: int) -> Map:
        entries: dict[str, Node] = {}
        keys_at: dict[str, Mark] = {}
        while not isinstance(key := next(events), yaml.MappingEndEvent):
            key_at = self._mark(key)
            if not isinstance(key, yaml.ScalarEvent):
                raise self._fatal(key, "a key that is no text", "a key such as 'site'", "Put quotes around the key")
            self._node(key, events, depth + 1)
            name = key.value
            if name == "" and not key.style:
                self.problems.append(self._problem(key_at, "no key before ':'", "a key such as 'site'"))
            elif name == "<<" and not key.style:
                hint = "Share values with 'use'"
                self.problems.append(self._problem(key_at, "the merge key '<<'", "a key such as 'site'", hint))
            elif name in keys_at:
                hint = f"It is in line {keys_at[name].line} already: keep one of the two"
                self.problems.append(self._problem(key_at, f"the key {quoted(name)} again", "each key once", hint))
            value = self._node(next(events), events, depth + 1)
            if name not in keys_at:
                entries[name], keys_at[name] = value, key_at
        return Map(entries, keys_at, at)

    def _value(self, event: Any, at: Mark) -> str | int | float | bool | None:
        text: str = event.value
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        number = _FLOAT.fullmatch(text) or _OCTAL.fullmatch(text) or _HEX.fullmatch(text)
        if number and len(text) > MAX_NUMBER:
            expected = f"a number of at most {MAX_NUMBER} characters"
            self.problems.append(self._problem(at, f"a number of {len(text)} characters", expected))
            return 0
        if _INT.fullmatch(text):
            return int(text)
        if _OCTAL.fullmatch(text):
            return int(text[2:], 8)
        if _HEX.fullmatch(text):
            return int(text[2:], 16)
        if number:
            return float(text)
        if _SPECIAL_FLOAT.fullmatch(text):
            return float(text.replace(".", ""))
        return text

    def _mark(self, event: Any) -> Mark:
        return Mark(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _problem(self, at: Mark, found: str, expected: str, hint: str = "") -> Problem:
        return Problem(at.file, at.line, at.column, found, expected, hint)

    def _fatal(self, event: Any, found: str, expected: str, hint: str = "") -> RulesError:
        return RulesError([self._problem(self._mark(event), found, expected, hint)])


def _plain_words(error: yaml.MarkedYAMLError, source: str, file: str) -> Problem:
    """YAML's own complaint as a problem that says what to do. Both parsers' wordings are known."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = source.split("\n")
    rest = lines[line - 1][column - 1 :] if line <= len(lines) else ""
    context, problem = error.context or "", error.problem or ""
    started = f", begun in line {error.context_mark.line + 1}" if error.context_mark else ""

    def made(found: str, expected: str, hint: str = "") -> Problem:
        return Problem(file, line, column, found, expected, hint)

    if "nesting depth" in problem:  # libyaml's own bound, met before ours because it reads ahead
        return made(f"more than {MAX_DEPTH} levels", f"at most {MAX_DEPTH} levels of maps and lists")
    if "mapping values are not allowed" in problem:
        hint = "Put quotes around a text that holds ': ', or check the indentation"
        return made("a ':' that makes no key here", "one 'key: value' a line", hint)
    if "cannot start any token" in problem:
        hint = "Put quotes around the text"
        return made(f"{quoted(rest[:1])} at the start of a value", "a value", hint)
    if "quoted scalar" in context or "double-quoted" in context:
        if "escape" in problem:
            hint = "Write '\\\\' for a backslash, or use single quotes"
            return made("an unknown escape in double quotes", "an escape such as '\\n'", hint)
        return made(f"the end of the file inside quotes{started}", "the closing quote")
    if "flow sequence" in context:
        return made(f"{quoted(rest[:1]) if rest else 'the end of the line'} in a list{started}", "',' or ']'")
    if "flow mapping" in context:
        return made(f"{quoted(rest[:1]) if rest else 'the end of the line'} in a map{started}", "',' or '}'")
    if "alias" in context or "anchor" in context:
        return made(
            f"{quoted(rest[:1]) if rest else 'nothing'} after '*' or '&'",
            "a value",
            "Put quotes around a text that starts with '*' or '&'",
        )
    if "block mapping" in context or "block collection" in context or "simple key" in context:
        hint = (
            "Keys of one map, and items of one list, start in the same column; "
            "a text that starts with '{', '[' or a quote needs quotes around all of it"
        )
        return made(f"text that doesn't belong to the map or list{started}", "'key: value' in the map's column", hint)
    found = quoted(rest[:20]) if rest else "the end of the file"
    return made(found, "a value", f"The YAML parser says: {problem or context}")
