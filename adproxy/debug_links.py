"""Links by which somebody who is allowed to sees a live page with the account of its slots on it.

    https://news.example/2024/05/story?_adproxy=explain.1764119000.c2VhbA

The parameter says until when it holds, and is sealed together with the page's path by the keys that page tokens are
signed with: nobody else can make one, and one is good for one page, for a quarter of an hour. It is ours alone: it is
taken out of whatever is asked, so neither the site nor a cache behind us ever sees it.
"""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes, urlsplit, urlunsplit

from starlette.types import Scope

from adproxy.target import EXTENSION
from adproxy.tokens import Keyring

PARAMETER = b"_adproxy"
VERB = "explain"
LIFE_SECONDS = 900
_WHAT = "debug link"


def debug_link(keys: Keyring, url: str, now: float) -> str:
    """The address of a page with its account on it, good from now on for `LIFE_SECONDS`."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")  # as browsers will spell it
    ends = str(int(now) + LIFE_SECONDS)
    value = f"{VERB}.{ends}.{keys.seal(_WHAT, _sealed(path, ends))}"
    query = f"{parts.query}&" if parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc, path, f"{query}{PARAMETER.decode()}={value}", ""))


def taken_out(scope: Scope) -> tuple[Scope, bytes | None]:
    """A request without our parameter, and what that one said; the same scope and None where it is not there."""
    query: bytes = scope.get("query_string", b"")
    if b"adproxy" not in query:
        return scope, None
    kept, said = _split(query)
    if said is None:
        return scope, None
    changed: Scope = {**scope, "query_string": kept}
    extensions = scope.get("extensions") or {}
    if EXTENSION in extensions:
        path = bytes(extensions[EXTENSION]["target"]).partition(b"?")[0]
        changed["extensions"] = {**extensions, EXTENSION: {"target": path + (b"?" + kept if kept else b"")}}
    raw = scope.get("raw_path")
    if raw and b"?" in raw:
        changed["raw_path"] = bytes(raw).partition(b"?")[0]
    return changed, said


def is_good(keys: Keyring, said: bytes, path: str, now: float) -> bool:
    """Whether what our parameter said lets the account of a page be seen. `path`: as it was asked for."""
    verb, _, rest = said.decode("latin-1").partition(".")
    ends, _, seal = rest.partition(".")
    if verb != VERB or not keys.is_seal(_WHAT, _sealed(path, ends), seal):
        return False
    return now <= int(ends) <= now + LIFE_SECONDS  # a number, for the seal says that it is ours


def _sealed(path: str, ends: str) -> str:
    return f"{ends} {path}"


def _split(query: bytes) -> tuple[bytes, bytes | None]:
    kept: list[bytes] = []
    said: bytes | None = None
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_to_bytes(name) == PARAMETER:
            said = value
        else:
            kept.append(part)
    return b"&".join(kept), said
