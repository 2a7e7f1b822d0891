"""Saved pages: those of a directory, and where pages are written to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def pages_below(source: Path, out: Path | None = None) -> Iterator[Path]:
    """The pages of a directory by name, relative to it; not those of `out`, should that lie inside."""
    left_out = out.resolve() if out is not None else None
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if (Path(folder) / name).resolve() != left_out)
        for name in sorted(names):
            file = Path(folder) / name
            if file.suffix.lower() in (".html", ".htm") and file.is_file():
                yield file.relative_to(source)


def write(file: Path, body: bytes) -> None:
    """Write a file, and make the directories that it lies in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
