"""What a page's content security policies let us insert (CSP Level 3). They are read, obeyed and never changed.

All policies hold at once: each ``Content-Security-Policy`` header, each policy in a comma-separated list of one, and
each ``<meta>``. Report-only policies forbid nothing and must not be handed in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

StyleKind = Literal["inline", "nonce", "linked", "forbidden"]
ScriptKind = Literal["plain", "nonce", "forbidden"]

TRUSTED_TYPES_POLICY: Final = "adproxy"
"""The name under which our script asks for leave to load another one, where the page requires Trusted Types."""

_STYLE: Final = ("style-src-elem", "style-src", "default-src")
_SCRIPT: Final = ("script-src-elem", "script-src", "default-src")
_IMAGE: Final = ("img-src", "default-src")
_CONNECT: Final = ("connect-src", "default-src")
_FRAME: Final = ("frame-src", "child-src", "default-src")
"""Fallback chains: the first directive that a policy has is the one that decides."""

_NOT_IN_META: Final = frozenset({"report-uri", "frame-ancestors", "sandbox"})
_NONCE: Final = re.compile(r"'nonce-([A-Za-z0-9+/_-]+={0,2})'", re.IGNORECASE)
_HASH: Final = re.compile(r"'sha(?:256|384|512)-[A-Za-z0-9+/_-]+={0,2}'", re.IGNORECASE)
_HOST_SOURCE: Final = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?P<host>\*|(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*)"
    r"(?::(?P<port>\d+|\*))?(?P<path>/[^?#]*)?",
    re.IGNORECASE,
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


@dataclass(init=False, slots=True)
class StyleVerdict:
    """How styles may come: ``inline`` plainly, inline with a ``nonce``, ``linked`` from our own path, ``forbidden``."""

    kind: StyleKind
    nonce: str

    def __init__(self, kind: StyleKind, nonce: str = "") -> None:
        self.kind = kind
        self.nonce = nonce


@dataclass(init=False, slots=True)
class ScriptVerdict:
    """How a script from our own path may come: ``plain``, with a ``nonce``, or ``forbidden``."""

    kind: ScriptKind
    nonce: str

    def __init__(self, kind: ScriptKind, nonce: str = "") -> None:
        self.kind = kind
        self.nonce = nonce


@dataclass(frozen=True, slots=True)
class Csp:
    """All policies of one page. No policies allow everything."""

    policies: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    """For each policy: directive name (lower case) → source expressions as written."""

    @classmethod
    def parse(cls, headers: Sequence[str], metas: Sequence[str] = ()) -> Csp:
        """From the values of the page's enforced headers, and of its ``<meta http-equiv>`` policies."""
        if not headers and not metas:
            return _NONE
        texts = [(text, False) for value in headers for text in value.split(",")]
        texts += [(text, True) for text in metas]
        parsed = (_directives(text, in_meta) for text, in_meta in texts)
        return cls(tuple(policy for policy in parsed if policy))

    def style(self, nonces: Sequence[str] = ()) -> StyleVerdict:
        """For a ``<style>`` of ours, or a sheet from our path. `nonces`: those that the page's own elements carry."""
        lists = self._lists(_STYLE)
        if all(_inline_allowed(sources) for sources in lists):
            return StyleVerdict("inline")
        for nonce in _candidates(nonces, lists):
            if all(_inline_allowed(sources) or nonce in _nonces(sources) for sources in lists):
                return StyleVerdict("nonce", nonce)
        return StyleVerdict("linked" if all(_own_path_allowed(sources) for sources in lists) else "forbidden")

    def script(self, nonces: Sequence[str] = ()) -> ScriptVerdict:
        """For a ``<script src>`` from our path. `nonces`: those that the page's own elements carry."""
        if self._sandboxed():
            return ScriptVerdict("forbidden")
        lists = self._lists(_SCRIPT)
        if all(_own_script_allowed(sources) for sources in lists):
            return ScriptVerdict("plain")
        for nonce in _candidates(nonces, lists):
            if all(_own_script_allowed(sources) or nonce in _nonces(sources) for sources in lists):
                return ScriptVerdict("nonce", nonce)
        return ScriptVerdict("forbidden")

    def inline_script(self, nonces: Sequence[str] = ()) -> ScriptVerdict:
        """For a ``<script>`` of ours with its text in the page, by the same rules as `style`; ``plain``: as it is."""
        if self._sandboxed():
            return ScriptVerdict("forbidden")
        lists = self._lists(_SCRIPT)
        if all(_inline_allowed(sources) for sources in lists):
            return ScriptVerdict("plain")
        for nonce in _candidates(nonces, lists):
            if all(_inline_allowed(sources) or nonce in _nonces(sources) for sources in lists):
                return ScriptVerdict("nonce", nonce)
        return ScriptVerdict("forbidden")

    def library(self, url: str, ours: ScriptVerdict) -> bool:
        """Whether our script, let in as `ours` says, may load the script at an absolute `url`: by the nonce that it
        hands on, by 'strict-dynamic', or by the host. Where the page names its Trusted Types policies, ours must be one
        of them."""
        if ours.kind == "forbidden":
            return False
        for policy in self.policies:
            if _lower(policy.get("trusted-types", ("*",))).isdisjoint({"*", TRUSTED_TYPES_POLICY}):
                return False
        return all(
            (ours.kind == "nonce" and ours.nonce in _nonces(sources))
            or ("'strict-dynamic'" not in _lower(sources) and _url_allowed(sources, url))
            for sources in self._lists(_SCRIPT)
        )

    def connect(self) -> bool:
        """Whether a script may fetch from our path."""
        return all(_own_path_allowed(sources) for sources in self._lists(_CONNECT))

    def frame(self, src: str) -> bool:
        """Whether a frame may show `src`: an absolute URL or a path on the page's host."""
        return all(_url_allowed(sources, src) for sources in self._lists(_FRAME))

    def img(self, src: str) -> bool:
        """Whether an image may be loaded from `src`: an absolute URL, a ``data:`` URL or a path on the page's host."""
        return all(_url_allowed(sources, src) for sources in self._lists(_IMAGE))

    def _sandboxed(self) -> bool:
        """Whether a policy puts the page into a sandbox without scripts."""
        return any("sandbox" in policy and "allow-scripts" not in _lower(policy["sandbox"]) for policy in self.policies)

    def _lists(self, chain: tuple[str, ...]) -> list[tuple[str, ...]]:
        """For each policy that has a say, the source list that decides."""
        if not self.policies:  # most pages have none
            return []
        deciding = (next((name for name in chain if name in policy), None) for policy in self.policies)
        return [policy[name] for policy, name in zip(self.policies, deciding, strict=True) if name is not None]


_NONE: Final = Csp()


def _directives(text: str, in_meta: bool) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for directive in text.split(";"):
        name, *sources = directive.split() or [""]
        name = name.lower()
        if name and not (in_meta and name in _NOT_IN_META):
            found.setdefault(name, tuple(sources))  # of a directive that comes twice the first one holds
    return found


def _lower(sources: Sequence[str]) -> set[str]:
    return {source.lower() for source in sources}


def _nonces(sources: Sequence[str]) -> list[str]:
    return [match[1] for source in sources if (match := _NONCE.fullmatch(source))]


def _candidates(page: Sequence[str], lists: Sequence[tuple[str, ...]]) -> list[str]:
    """Nonces worth trying: those that the page's elements carry, then those that only its policies name. All of them
    were made for this very answer."""
    return [*page, *(nonce for sources in lists for nonce in _nonces(sources))]


def _inline_allowed(sources: tuple[str, ...]) -> bool:
    """Whether 'unsafe-inline' holds: any nonce or hash switches it off."""
    if any(_NONCE.fullmatch(source) or _HASH.fullmatch(source) for source in sources):
        return False
    return "'unsafe-inline'" in _lower(sources)


def _own_path_allowed(sources: tuple[str, ...]) -> bool:
    """Whether the list names our path's origin.

    A policy that lets any https source in, but no 'self', belongs to a page that is served by https, and we are on
    the page's own origin. Single hosts are not compared: which name the reader used is not ours to guess.
    """
    return not _lower(sources).isdisjoint({"'self'", "*", "https:", "http:"})


def _own_script_allowed(sources: tuple[str, ...]) -> bool:
    # 'strict-dynamic' takes the meaning from all hosts and schemes
    return "'strict-dynamic'" not in _lower(sources) and _own_path_allowed(sources)


def _url_allowed(sources: tuple[str, ...], src: str) -> bool:
    try:
        url = urlsplit(src.strip())
        host, port = url.hostname or "", url.port
    except ValueError:
        return False
    if not url.scheme and not url.netloc:
        return _own_path_allowed(sources)
    scheme = url.scheme or "https"  # "//host/path" takes the page's scheme
    # a source that names http lets https in as well
    schemes = {scheme, "http"} if scheme == "https" else {scheme}
    for source in sources:
        if source == "*":
            if scheme in _DEFAULT_PORTS:
                return True
        elif source.endswith(":"):
            if source[:-1].lower() in schemes:
                return True
        elif wanted := _HOST_SOURCE.fullmatch(source):
            allowed = {wanted["scheme"].lower()} if wanted["scheme"] else set(_DEFAULT_PORTS)
            if (
                not allowed.isdisjoint(schemes)
                and _host_matches(wanted["host"].lower(), host)
                and _port_matches(wanted["port"], port, scheme)
                and _path_matches(wanted["path"] or "", url.path or "/")
            ):
                return True
    return False


def _host_matches(wanted: str, host: str) -> bool:
    if wanted == "*":
        return bool(host)
    return host.endswith(wanted[1:]) if wanted.startswith("*.") else host == wanted


def _port_matches(wanted: str | None, port: int | None, scheme: str) -> bool:
    standard = _DEFAULT_PORTS.get(scheme, "")
    actual = str(port) if port is not None else standard
    return wanted == "*" or actual == (wanted or standard)


def _path_matches(wanted: str, path: str) -> bool:
    if not wanted:
        return True
    return path.startswith(wanted) if wanted.endswith("/") else path == wanted
