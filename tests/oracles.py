"""Judges that share nothing with the rewriter: two HTML parsers of other hands, and what a page's laws ask of them.

A tree is a flat list: the mode (quirks), then each node in document order as ``(depth, kind, ...)``. So a page may nest
as deep as it likes, and two trees are compared by ``==``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol
from xml.etree import ElementTree

import html5lib

from adproxy.model import Insertion

MARK = "data-adproxy"
TESTS = Path(__file__).parent
ANSWER_SECONDS = 60
"""How long the other process may take over one page: only a hang takes so long."""

Node = tuple[Any, ...]
Tree = list[Any]


class LawBroken(AssertionError):
    """A law of the architecture does not hold for some page."""


class Parser(Protocol):
    """An HTML parser as the laws need it."""

    name: str

    def tree(self, text: str, *, scripting: bool) -> Tree:
        """The flat tree of a page."""


# --- html5lib ---------------------------------------------------------------------------------------


class Html5lib:
    """html5lib, in this process."""

    name = "html5lib"

    def __init__(self) -> None:
        self._builder = html5lib.getTreeBuilder("etree", ElementTree, fullTree=True)

    def tree(self, text: str, *, scripting: bool) -> Tree:
        parser = html5lib.HTMLParser(tree=self._builder)
        root = parser.parse(text, scripting=scripting)
        out: Tree = [parser.compatMode]
        # what is still to come, last first: an element with its depth, or a text that follows one
        todo: list[tuple[Any, int]] = [(child, 0) for child in reversed(list(root))]
        while todo:
            item, depth = todo.pop()
            if isinstance(item, str):
                out.append((depth, "T", item))
                continue
            if item.tail:
                todo.append((item.tail, depth))
            if item.tag is ElementTree.Comment:
                out.append((depth, "C", item.text or ""))
                continue
            if item.tag == "<!DOCTYPE>":
                out.append((depth, "D", item.text or "", item.get("publicId") or "", item.get("systemId") or ""))
                continue
            attributes = tuple(sorted((str(k), str(v)) for k, v in item.attrib.items()))
            out.append((depth, "E", item.tag, attributes))
            todo += ((child, depth + 1) for child in reversed(list(item)))
            if item.text:
                todo.append((item.text, depth + 1))
        return out


# --- parse5 -----------------------------------------------------------------------------------------


def parse5_directory() -> Path | None:
    """The directory whose ``node_modules`` holds parse5; None where it is not installed."""
    named = os.environ.get("ADPROXY_PARSE5")
    for directory in (Path(named) if named else None, TESTS.parent / ".tools"):
        if directory is not None and (directory / "node_modules" / "parse5").is_dir():
            return directory
    return None


class Parse5:
    """parse5, in a node process of its own that lives until `close`."""

    name = "parse5"

    def __init__(self, directory: Path) -> None:
        node = shutil.which("node")
        if node is None:
            raise FileNotFoundError("node")
        self._process = subprocess.Popen(
            [node, str(TESTS / "parse5.mjs"), str(directory)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip

    def tree(self, text: str, *, scripting: bool) -> Tree:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        hang = threading.Timer(ANSWER_SECONDS, self._process.kill)
        hang.start()
        try:
            self._process.stdin.write(json.dumps({"html": text, "scripting": scripting}) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        finally:
            hang.cancel()
        if not answer:
            raise RuntimeError(f"parse5 gave no answer within {ANSWER_SECONDS} s, or died")
        mode, *nodes = json.loads(answer)
        return [mode, *((*n[:3], tuple(map(tuple, n[3]))) if n[1] == "E" else tuple(n) for n in nodes)]

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


# --- trees with our elements ------------------------------------------------------------------------


def _is_ours(node: Any) -> bool:
    return isinstance(node, tuple) and node[1] == "E" and any(name.startswith(MARK) for name, _ in node[3])


def _parted(tree: Tree) -> tuple[Tree, list[Tree]]:
    """What is not ours, with split text joined; and each of our outermost elements, moved to depth 0."""
    rest: Tree = tree[:1]
    ours: list[Tree] = []
    inside = -1
    for node in tree[1:]:
        depth, kind = node[0], node[1]
        if inside >= 0 and depth > inside:
            ours[-1].append((depth - inside, *node[1:]))
            continue
        inside = -1
        if _is_ours(node):
            inside = depth
            ours.append([(0, *node[1:])])
        elif kind == "T" and isinstance(rest[-1], tuple) and rest[-1][:2] == (depth, "T"):
            rest[-1] = (depth, "T", rest[-1][2] + node[2])
        else:
            rest.append(node)
    return rest, ours


def without_ours(tree: Tree) -> Tree:
    """A tree without our elements; text that they had split is one again."""
    return _parted(tree)[0]


def our_elements(tree: Tree) -> list[Tree]:
    """Each of our outermost elements as a tree of its own, in document order."""
    return _parted(tree)[1]


def text_before_each(tree: Tree, slot: str) -> list[str]:
    """For each slot container in document order, the text of the page (not ours) between it and the one before."""
    pieces: list[str] = []
    found: list[str] = []
    inside = -1
    hidden = -1
    for node in tree[1:]:
        depth, kind = node[0], node[1]
        if inside >= 0 and depth > inside:
            continue
        inside = -1
        if hidden >= 0 and depth > hidden:
            continue
        hidden = -1
        if kind == "E":
            if _is_ours(node):
                inside = depth
                if dict(node[3]).get(f"{MARK}-slot") == slot:
                    found.append(" ".join(pieces))
                    pieces = []
            elif node[2].endswith(("script", "style")):
                hidden = depth
        elif kind == "T":
            pieces.append(node[2])
    return found


# --- laws 1 and 2 -----------------------------------------------------------------------------------


def cut_out(output: bytes, insertions: Iterable[Insertion]) -> bytes:
    """The output without its insertions, found by their offsets; `LawBroken` where the bytes there are others.

    Written anew rather than taken from the package, so that a mistake is not made twice.
    """
    kept = bytearray()
    shift = done = 0
    for insertion in sorted(insertions, key=lambda i: i.offset):
        begin = insertion.offset + shift
        kept += output[done:begin]
        done = begin + len(insertion.markup)
        if output[begin:done] != insertion.markup:
            raise LawBroken(f"no insertion at byte {begin} of the output: {output[begin : begin + 40]!r}")
        shift += len(insertion.markup)
    return bytes(kept + output[done:])


def check_bytes(html: bytes, output: bytes, insertions: Sequence[Insertion]) -> None:
    """Law 1: the output minus the insertions is the input, byte for byte; and insertions are ASCII."""
    for insertion in insertions:
        if not insertion.markup.isascii():
            raise LawBroken(f"an insertion is not ASCII: {insertion.markup!r}")
        if not 0 <= insertion.offset <= len(html):
            raise LawBroken(f"an insertion at {insertion.offset} lies outside of the page")
    rest = cut_out(output, insertions)
    if rest != html:
        at = next((i for i, (a, b) in enumerate(zip(rest, html, strict=False)) if a != b), min(len(rest), len(html)))
        raise LawBroken(f"byte {at} differs: {rest[at : at + 30]!r} for {html[at : at + 30]!r}")


def decode(html: bytes, encoding: str) -> str:
    """A page's text; what can't be decoded is replaced."""
    return html.decode("utf-8-sig" if encoding == "utf-8" else encoding, "replace")


def check_trees(
    html: bytes,
    output: bytes,
    insertions: Sequence[Insertion],
    parser: Parser,
    *,
    scripting: bool,
    encoding: str = "utf-8",
) -> None:
    """Law 2: the tree minus our elements is the original's, and each of our elements holds exactly what we wrote."""
    where = f"{parser.name}, scripting {'on' if scripting else 'off'}"
    before = without_ours(parser.tree(decode(html, encoding), scripting=scripting))
    after, ours = _parted(parser.tree(decode(output, encoding), scripting=scripting))
    if after != before:
        raise LawBroken(f"{where}: the tree differs: {_first_difference(before, after)}")
    written = [
        element
        for insertion in sorted(insertions, key=lambda i: i.offset)
        for element in our_elements(_alone(insertion.markup, parser, scripting))
    ]
    if ours != written:
        wrong = next(
            (pair for pair in zip(written, ours, strict=False) if pair[0] != pair[1]), (len(written), len(ours))
        )
        raise LawBroken(f"{where}: one of our elements is not as it was written: {wrong}")


def _alone(markup: bytes, parser: Parser, scripting: bool) -> Tree:
    return parser.tree(f"<!DOCTYPE html><body>{markup.decode('ascii')}", scripting=scripting)


def _first_difference(before: Tree, after: Tree) -> str:
    for i, (a, b) in enumerate(zip(before, after, strict=False)):
        if a != b:
            return f"node {i} was {a}, is {b}; before it {before[max(0, i - 3) : i]}"
    return f"{len(before)} nodes were, {len(after)} are"
