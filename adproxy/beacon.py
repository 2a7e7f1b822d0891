"""What a browser says in one beacon: JSON of a fixed shape, and nothing else is taken for one.

    {"v": 1, "t": TOKEN, "n": NONCE, "e": [["page_view"], ["rendered", SLOT, N], …], "w": 1}

The token is not judged here, and neither is what can be true of the page: this knows the shape alone.
"""

from __future__ import annotations

import json
import math
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any

from adproxy.model import DEVICES, Device, EventKind, WithheldReason

MAX_BYTES = 2_048
MAX_EVENTS = 40
MAX_NUMBER = 999
"""Of a slot's placements on one page."""
_NONCE = re.compile(r"[A-Za-z0-9_-]{22}")
_SLOT = re.compile(r"[a-z][a-z0-9-]{0,39}")

OF_PAGE = frozenset({EventKind.PAGE_VIEW, EventKind.DENSITY})
"""Events that are about the page; all others are about one placement."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a browser saw."""

    kind: EventKind
    slot: str = ""
    n: int = 0
    """Which of the slot's placements, from 1."""
    reason: WithheldReason | None = None
    share: float = 0.0
    """The measured density, 0 to 1."""
    device: Device | None = None
    """Where it was measured."""


@dataclass(frozen=True, slots=True)
class Beacon:
    token: str
    nonce: bytes
    """Sixteen bytes, minted by the browser for one view of the page."""
    events: tuple[Event, ...]
    webdriver: bool
    """The browser says that a program drives it."""


def parse(body: bytes) -> Beacon | None:
    """The beacon in a request's body; None for anything that is not exactly one."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or said.get("v") != 1:
        return None
    token, nonce, listed = said.get("t"), nonce_of(said.get("n")), said.get("e")
    if not isinstance(token, str) or nonce is None or not isinstance(listed, list) or len(listed) > MAX_EVENTS:
        return None
    events = tuple(event for event in map(_event, listed) if event is not None)
    if not events or len(events) < len(listed):
        return None
    return Beacon(token, nonce, events, bool(said.get("w")))


def nonce_of(text: object) -> bytes | None:
    """The bytes of a view nonce; None for what is none."""
    if not isinstance(text, str) or not _NONCE.fullmatch(text):
        return None
    return urlsafe_b64decode(text + "==")


def placement_of(slot: object, n: object) -> tuple[str, int] | None:
    """A placement as a browser names it: its slot and its number; None for what can be none."""
    if not isinstance(slot, str) or not _SLOT.fullmatch(slot):
        return None
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= MAX_NUMBER:
        return None
    return slot, n


def _event(said: Any) -> Event | None:
    if not isinstance(said, list) or not said or not isinstance(said[0], str):
        return None
    try:
        kind = EventKind(said[0])
    except ValueError:
        return None
    rest = said[1:]
    if kind is EventKind.PAGE_VIEW:
        return Event(kind) if not rest else None
    if kind is EventKind.DENSITY:
        return _density(*rest) if len(rest) == 2 else None
    placement = placement_of(*rest[:2]) if len(rest) >= 2 else None
    if placement is None or len(rest) != (3 if kind is EventKind.WITHHELD else 2):
        return None
    if kind is EventKind.WITHHELD:
        if rest[2] not in list(WithheldReason):
            return None
        return Event(kind, *placement, reason=WithheldReason(rest[2]))
    return Event(kind, *placement)


def _density(share: object, device: object) -> Event | None:
    found = next((name for name in DEVICES if name == device), None)
    if found is None or not isinstance(share, (int, float)) or isinstance(share, bool):
        return None
    try:
        finite = math.isfinite(share)
    except OverflowError:  # JSON has integers that no float holds
        finite = False
    if not finite:
        return None
    return Event(EventKind.DENSITY, share=min(float(share), 1.0), device=found) if share >= 0 else None
