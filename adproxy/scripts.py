"""The browser's scripts as they are sent: their bytes, and a name for them that changes when they do.

They are part of the package as its code is, and read once, when this is imported. What is sent is the file without its
indentation and without lines that are comments, a third of the bytes; nothing else is changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class BrowserScript:
    name: str
    """Under our prefix."""
    body: bytes
    """ASCII, as it is readable; it may stand within a page."""
    version: str
    """Of a hash over it: the same bytes, the same version, so an address with it may be kept for ever."""


def _read(name: str) -> BrowserScript:
    lines = (line.strip() for line in files("adproxy").joinpath("static", name).read_text("ascii").splitlines())
    body = "\n".join(line for line in lines if line and not line.startswith("//")).encode("ascii")
    return BrowserScript(name, body, hashlib.sha256(body).hexdigest()[:12])


CLIENT = _read("client.js")
"""Fills slots and reports what was seen."""
VISITOR = _read("visitor.js")
"""Hides the slots from readers who see no ads, before the first paint."""
