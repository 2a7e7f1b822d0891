"""The kept inputs: one file a target, one input a line, as a literal of Python that a person can read."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"


def load(target: str) -> list[bytes]:
    """The inputs that are kept for a target."""
    file = FOLDER / f"{target}.txt"
    inputs = [ast.literal_eval(line) for line in file.read_text(encoding="ascii").splitlines()] if file.exists() else []
    assert all(isinstance(one, bytes) for one in inputs), file
    return inputs


def keep(target: str, inputs: Iterable[bytes]) -> int:
    """Keep these inputs and no others, the shortest first; answers how many they are."""
    kept = sorted(set(inputs), key=lambda one: (len(one), one))
    (FOLDER / f"{target}.txt").write_text("".join(f"{one!r}\n" for one in kept), encoding="ascii")
    return len(kept)


def unpack(inputs: Iterable[bytes], folder: Path) -> None:
    """As libFuzzer takes them: a file for each."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in inputs:
        (folder / hashlib.sha256(one).hexdigest()[:20]).write_bytes(one)
