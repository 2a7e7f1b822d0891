"""What a page's markup carries so that browsers can report: a token that only we can make.

A token says which page it stands on (site, path, slots and how many of each), by which rules, on which day, and is
signed (HMAC-SHA256). So what can be counted is what was really on a page of ours, and the labels of counters come from
the token, never from a request. It is the same for every reader of the same bytes, so pages stay cacheable; what tells
views apart is the nonce that each browser mints.

    token = base64url(JSON) "." base64url(HMAC)          characters of [A-Za-z0-9._-]

The signature is made over the text and compared as text, because base64 has several spellings of the same bytes.
Two keys are live: the current one signs, both are believed, so keys can be exchanged while pages are in caches.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlencode

from adproxy.model import Plan
from adproxy.rules.ruleset import Policy

SECONDS_A_DAY = 86_400
MIN_KEY = 32
"""Characters of a key: less can be tried out."""
MAX_TOKEN = 1_640
"""Characters. A beacon has 2,048 bytes, and its events need some of them."""
MAX_PATH = 320
"""Bytes of the path; of a longer one the beginning is kept, with a hash of the whole."""
MAX_SLOTS = 720
"""Bytes of the slots' names and numbers: fifteen slots with the longest names that there may be. What comes behind them
is on the page, and not counted."""
_FORM = 1
_ESCAPED = re.compile(rb'[\x00-\x20"\\\x7f]')
_DOMAIN = b"adproxy page token\0"
"""Signed along, so that a signature made for anything else is none here."""


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a token says of the page that it stands on."""

    site: str
    path: str
    """Without the query."""
    revision: str
    """Of the policy that the page was planned by."""
    day: int
    """Days from the Unix epoch to the one on which the page was made, UTC."""
    slots: tuple[tuple[str, int], ...]
    """Each slot on the page with how many of it there are, in document order."""

    def place_of(self, slot: str, n: int) -> int:
        """The index of a placement among all of the page; -1 for one that is not on it."""
        index = 0
        for name, count in self.slots:
            if name == slot:
                return index + n - 1 if 1 <= n <= count else -1
            index += count
        return -1


@dataclass(frozen=True, slots=True)
class PageMarks:
    """What one page's markup carries so that browsers can report: the same for every reader of the same bytes."""

    token: str
    """ASCII of [A-Za-z0-9._-]."""
    prefix: str
    """The path that we answer under."""

    def click(self, slot: str, n: int) -> str:
        """Path and query for the link of a slot's n-th placement: the answer redirects to the address that the rules
        give, and to no other."""
        return self._address("click", slot, n)

    def seen(self, slot: str, n: int) -> str:
        """Path and query of the picture by which a browser without scripts reports that it renders a house ad."""
        return self._address("seen", slot, n)

    def _address(self, what: str, slot: str, n: int) -> str:
        return f"{self.prefix}{what}?{urlencode({'t': self.token, 's': slot, 'i': n})}"


class Doubt(Enum):
    """Why a token is not believed."""

    FORGED = "forged"
    """Not made by us, or with a key that is not live any more."""
    EXPIRED = "expired"
    """Ours, and too old (or of a day that has not come)."""


class Keyring:
    """The live keys. Raises `ValueError` where there is none, or one is too short; the message does not name it."""

    def __init__(self, current: str, previous: str | None = None) -> None:
        keys = [current] if previous is None else [current, previous]
        for place, key in zip(("current", "previous"), keys, strict=False):
            if len(key) < MIN_KEY:
                raise ValueError(f"the {place} key has {len(key)} characters; expected at least {MIN_KEY}")
        self._keys = {_id_of(key): key.encode() for key in reversed(keys)}
        self._current = _id_of(current)

    def variant(self, revision: str, day: int) -> str:
        """What a planned page's tag depends on beside the origin's: a page with another token is another page."""
        return f"{revision}.{day}.{self._current}"

    def sign(self, facts: PageFacts) -> str:
        """The token of a page."""
        said = [_FORM, self._current, facts.site, facts.path, facts.revision, facts.day, facts.slots]
        payload = _text(json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode())
        return f"{payload}.{self._signature(self._current, payload)}"

    def read(self, token: str) -> PageFacts | None:
        """What a token says; None for one that is not ours. How old it may be is the caller's to judge."""
        payload, dot, signature = token.partition(".")
        if not dot or len(token) > MAX_TOKEN or not token.isascii():
            return None
        # which key it names is not known to be true before the signature is; each is tried, in the same time
        signed = [hmac.compare_digest(self._signature(key, payload), signature) for key in self._keys]
        if not any(signed):
            return None
        form, _, *said = json.loads(_bytes(payload))
        if form != _FORM:
            return None
        site, path, revision, day, slots = said
        return PageFacts(site, path, revision, day, tuple((name, count) for name, count in slots))

    def seal(self, what: str, text: str) -> str:
        """A seal on a text that says `what` it is for; it is none on anything else. Characters of [A-Za-z0-9_-]."""
        return self._seal(self._current, what, text)

    def is_seal(self, what: str, text: str, seal: str) -> bool:
        """Whether one of the live keys made that seal."""
        made = [self._seal(key, what, text) for key in self._keys]  # all, so that the time tells nothing
        return any([hmac.compare_digest(mine.encode(), seal.encode()) for mine in made])  # noqa: C419

    def _seal(self, key: str, what: str, text: str) -> str:
        message = f"adproxy {what}\0{text}".encode("utf-8", "surrogateescape")
        return _text(hmac.digest(self._keys[key], message, "sha256"))

    def _signature(self, key: str, payload: str) -> str:
        return _text(hmac.digest(self._keys[key], _DOMAIN + payload.encode("ascii"), "sha256"))


def _id_of(key: str) -> str:
    return hashlib.sha256(b"adproxy key id\0" + key.encode()).hexdigest()[:6]


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def day_of(seconds: float) -> int:
    """The day of a Unix time, UTC."""
    return int(seconds // SECONDS_A_DAY)


def is_alive(facts: PageFacts, today: int, days: int) -> bool:
    """Whether a token is of an age at which it counts: `days` after the one on which it was made. One of tomorrow is
    believed, because clocks of several machines differ."""
    return facts.day - 1 <= today <= facts.day + days


def facts_of(policy: Policy, plan: Plan, path: str, day: int) -> PageFacts:
    """What the token of a planned page is to say. `path`: as it was asked for, without the query."""
    slots: list[tuple[str, int]] = []
    room = MAX_SLOTS
    for slot, count in Counter(placement.slot for placement in plan.placements).items():
        room -= len(slot.encode()) + 8  # the number, quotes, brackets and commas
        if room >= 0:
            slots.append((slot, count))
    return PageFacts(policy.site, _short(path), policy.revision, day, tuple(slots))


def _short(path: str) -> str:
    data = path.encode("utf-8", "replace")
    data = _ESCAPED.sub(lambda found: b"%%%02X" % ord(found[0]), data)  # what JSON would lengthen, and people misread
    if len(data) <= MAX_PATH:
        return data.decode()
    return f"{data[:MAX_PATH].decode('utf-8', 'ignore')}~{hashlib.sha256(data).hexdigest()[:16]}"
