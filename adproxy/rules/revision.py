"""A short name for what rules mean: the same meaning, the same revision, however the files are written.

It goes into validators and caches, so anything that changes what readers get must change it: the compiled values, and
adproxy's own version, since another version may write other markup.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum

from adproxy import __version__

LENGTH = 12
"""Hex digits: 48 bits, enough that no two rule sets that one site ever had meet."""


def revision_of(value: object) -> str:
    """`LENGTH` hex digits over a compiled value: dataclasses, tuples, mappings, enums, texts, numbers, bytes."""
    text = json.dumps([__version__, _canonical(value)], sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:LENGTH]


def _canonical(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, {f.name: _canonical(getattr(value, f.name)) for f in fields(value)}]
    if isinstance(value, Enum):
        return [type(value).__name__, value.value]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer():  # 120 and 120.0 mean the same
        return int(value)
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"no canonical form for {type(value).__name__}")
