"""What adproxy answers itself, under its prefix: the browser's scripts and their configuration, style sheets, health.

The application is never asked for any of it, and nothing in it depends on who asks.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from adproxy.eligibility import RawHeaders, values
from adproxy.marked_page import styles_of
from adproxy.markup import stylesheet
from adproxy.rules.ruleset import Policy, RuleBook
from adproxy.scripts import CLIENT, VISITOR
from adproxy.switch import Switch

log = logging.getLogger(__name__)

MAX_REMEMBERED = 256
"""Policies whose style sheets can still be asked for after the rules changed: pages in caches link to them."""

_FOR_EVER = b"public, max-age=31536000, immutable"
_FOR_AN_HOUR = b"public, max-age=3600"
_FOR_SECONDS = b"public, max-age=5"
"""What tells browsers of a pause: so long, and not longer, may one go on without it. Pages ask for it at each view, so
the same seconds of a cache in front are what a busy site is spared."""
_NOT_AT_ALL = b"no-store"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class OwnPaths:
    """`prefix` begins and ends with a slash; `ready` says whether rules were ever loaded; `switch`: None where adproxy
    can't be switched off."""

    def __init__(
        self, prefix: str, book: Callable[[], RuleBook], ready: Callable[[], bool], switch: Switch | None = None
    ) -> None:
        self._prefix = prefix.encode()
        self._book = book
        self._ready = ready
        self._switch = switch
        self._policies: dict[str, Policy] = {}

    def remember(self, policy: Policy) -> None:
        """A page was planned by this policy: its style sheet stays to be had."""
        if policy.revision not in self._policies:
            self._policies[policy.revision] = policy
            while len(self._policies) > MAX_REMEMBERED:
                del self._policies[next(iter(self._policies))]

    def covers(self, raw_path: bytes) -> bool:
        """Whether a path, as sent, is ours. Only spelled out: what an application might read as another path (an
        escape, a ``..``) is the application's, whatever it begins with."""
        if not raw_path.startswith(self._prefix):
            return False
        rest = raw_path[len(self._prefix) :]
        return re.fullmatch(rb"[A-Za-z0-9._/-]*", rest) is not None and not {b".", b".."} & set(rest.split(b"/"))

    def answer(self, method: str, raw_path: bytes, headers: RawHeaders, query: bytes = b"") -> Answer:
        """The answer to a request for a path that `covers` says is ours."""
        name = self.name_of(raw_path)
        thrown = self._throw(name, method, headers)
        if thrown is not None:
            return thrown
        found = self._find(name, query)
        if found is None:
            return _text(404, "There is nothing here.\n")
        return answered(found, method, headers)

    def _find(self, name: str, query: bytes) -> Answer | None:
        for script in (CLIENT, VISITOR):
            if name == script.name:
                named = query == b"v=" + script.version.encode()
                return _file(b"text/javascript; charset=utf-8", script.body, _FOR_EVER if named else _FOR_AN_HOUR)
        if name == "healthz":
            return _text(200, "ok\n")
        if name == "readyz":
            return self._readiness()
        if site := re.fullmatch(r"config/([A-Za-z0-9._-]+)\.json", name):
            return self._configuration(site[1])
        if sheet := re.fullmatch(r"explain-([0-9a-z]+)\.css", name):
            policy = self.policy(sheet[1])
            if policy is not None:
                return _file(b"text/css; charset=utf-8", styles_of(policy).encode("ascii"), _FOR_AN_HOUR)
        if sheet := re.fullmatch(r"slots-([0-9a-z]+)\.css", name):
            policy = self.policy(sheet[1])
            if policy is not None:
                return _file(b"text/css; charset=utf-8", stylesheet(policy), _FOR_EVER)
        return None

    def name_of(self, raw_path: bytes) -> str:
        """What a path that is ours names."""
        return raw_path[len(self._prefix) :].decode("ascii")

    @property
    def _is_off(self) -> bool:
        return self._switch is not None and self._switch.is_off

    def _readiness(self) -> Answer:
        if self._is_off:
            return _text(200, "ready, and switched off: every page passes as it came\n")
        return _text(200, "ready\n") if self._ready() else _text(503, "No rules could be loaded yet.\n")

    def _throw(self, name: str, method: str, headers: RawHeaders) -> Answer | None:
        """The answer to who throws the switch; None for everybody else, to whom there is no such path."""
        if name not in ("switch/off", "switch/on") or self._switch is None or not self._switch.knows(headers):
            return None
        if method != "POST":
            return _text(405, "Only POST.\n", (b"allow", b"POST"))
        if name == "switch/off":
            self._switch.turn_off()
            log.warning("switched off by a request: every page passes as it came")
        else:
            self._switch.turn_on()
            log.warning("switched on by a request")
        off = self._switch.is_off
        return _text(200, "off: every page passes as it came\n" if off else "on\n")

    def _configuration(self, site: str) -> Answer | None:
        """What holds for a site's pages now, those in caches too."""
        rule_set = next((rule_set for rule_set in self._book().rule_sets if rule_set.site == site), None)
        if rule_set is None:
            return None
        said = {"off": self._is_off or rule_set.paused is None, "paused": list(rule_set.paused or ())}
        return _file(b"application/json", json.dumps(said).encode("ascii"), _FOR_SECONDS)

    def policy(self, revision: str) -> Policy | None:
        """The policy of a revision that pages carry, while it is loaded or remembered."""
        if revision in self._policies:
            return self._policies[revision]
        policies = (rule.policy for rule_set in self._book().rule_sets for rule in rule_set.pages)
        return next((policy for policy in policies if policy is not None and policy.revision == revision), None)


def answered(found: Answer, method: str, headers: RawHeaders) -> Answer:
    """What a request by that method and with those headers gets of what was found."""
    if method not in ("GET", "HEAD"):
        return _text(405, "Only GET and HEAD.\n", (b"allow", b"GET, HEAD"))
    etag = dict(found.headers).get(b"etag")
    asked = [tag.strip() for line in values(headers, b"if-none-match") for tag in line.split(",")]
    if etag and ("*" in asked or {etag.decode(), f"W/{etag.decode()}"} & set(asked)):
        kept = tuple(header for header in found.headers if header[0] not in (b"content-length", b"content-type"))
        return Answer(304, kept, b"")
    return Answer(found.status, found.headers, b"") if method == "HEAD" else found


def _file(content_type: bytes, body: bytes, cache_control: bytes) -> Answer:
    return file_answer(content_type, body, cache_control, hashlib.sha256(body).hexdigest()[:20].encode())


def file_answer(content_type: bytes, body: bytes, cache_control: bytes, tag: bytes) -> Answer:
    """A file with its validator. `tag`: other for each other content."""
    return _answer(200, content_type, body, cache_control, (b"etag", b'"%s"' % tag))


def _text(status: int, body: str, *more: tuple[bytes, bytes]) -> Answer:
    return _answer(status, b"text/plain; charset=utf-8", body.encode(), _NOT_AT_ALL, *more)


def _answer(status: int, content_type: bytes, body: bytes, cache_control: bytes, *more: tuple[bytes, bytes]) -> Answer:
    headers = (
        (b"content-type", content_type),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", cache_control),
        (b"x-content-type-options", b"nosniff"),
        *more,
    )
    return Answer(status, headers, body)
