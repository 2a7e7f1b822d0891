"""A deployment looked at from end to end: the origin, a page, what readers get of it, the way back, the office.

Each check says what it found in plain words, and what to do where that is not as it should be. Nothing is changed: what
is sent are requests as readers send them, and one report that is no report, which counts as malformed.
"""

from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from socket import gaierror, getaddrinfo
from typing import Literal
from urllib.parse import urlsplit

from adproxy.account import choose_by_url
from adproxy.charset import sniff
from adproxy.csp import Csp
from adproxy.eligibility import content_codings, response_skip, values
from adproxy.headers import demangle
from adproxy.model import Skip, SkipReason
from adproxy.probe import NoAnswer, Reply, ask
from adproxy.proxy_settings import ProxySettings
from adproxy.rewrite import rewrite
from adproxy.rules.ruleset import RuleBook
from adproxy.scripts import CLIENT
from adproxy.signing_keys import given_keys
from adproxy.tokens import day_of, is_alive

Verdict = Literal["good", "look", "bad", "unknown"]
"""As it should be; worth a look; wrong; not to be told from here."""

MAX_SKEW_SECONDS = 60
TOKEN_TRIES = 6
"""Connections on which a page is asked for, to see whether all machines behind the address agree."""
_SLOT = b"<div data-adproxy-slot="
_TOKEN = re.compile(rb'data-adproxy-token="([A-Za-z0-9._-]+)"')
_SITE = re.compile(
    rb'data-adproxy-rules="[^"]*(?:&quot;|&#34;)site(?:&quot;|&#34;):(?:&quot;|&#34;)([A-Za-z0-9._-]+)&quot;'
)
_READER = (
    ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("Accept-Encoding", "gzip, br"),
    ("Sec-Fetch-Dest", "document"),
)
"""What a browser says that opens a page."""

_ADVICE = {
    SkipReason.STATUS: "name an address with --url at which the origin answers 200",
    SkipReason.NOT_HTML: "name an article's address with --url; or have the origin say Content-Type: text/html",
    SkipReason.XHTML: "pages have to be text/html: an element too many would break them as XHTML",
    SkipReason.NO_TRANSFORM: "the origin forbids changes: take no-transform (X-Accel-Buffering: no) off articles",
    SkipReason.ATTACHMENT: "the origin sends it as a download: take Content-Disposition: attachment off articles",
    SkipReason.CONTENT_CODING: "the origin has to compress once, with gzip, br, zstd or deflate",
    SkipReason.CHARSET: "have the origin say in Content-Type which charset it is",
    SkipReason.CSP: "let the page's policy have what the slots need, or take the slots that need it out of the rules",
    SkipReason.TOO_LARGE: "ADPROXY_MAX_PAGE_BYTES is what a page may have",
    SkipReason.AMP: "AMP pages allow no script of a site's own: adproxy leaves them alone",
    SkipReason.HYDRATED: "React and Vue would lose text or slots: place ads in the site's own components there",
    SkipReason.MARKED_OFF: "an editor's comment keeps ads off this page: try another one with --url",
    SkipReason.ALREADY_REWRITTEN: "the upstream is to be the origin itself, not what readers ask",
    SkipReason.HOSTILE: "`adproxy explain` says which bound the page is over",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check came to."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""
    """What to do; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at."""

    settings: ProxySettings
    """As adproxy has them; their `upstream` is the origin."""
    page: str | None = None
    """The address at which readers ask for an article; None: what readers get is not looked at."""
    office: str | None = None
    """The second listener's address; None: it is not looked at."""
    book: RuleBook | None = None
    """The rules; None: they are not looked at."""


def examine(patient: Patient) -> Iterator[Finding]:
    """All checks, in the order in which a page travels."""
    origin = yield from _origin(patient)
    if origin is not None:
        yield from _eligible(patient, origin)
    if patient.page is None:
        yield Finding("readers", "unknown", "no public address was given", "name an article's with --url")
    else:
        yield from _readers(patient, patient.page, origin)
    if patient.office is not None:
        yield from _office(patient.office)


# --- the origin -------------------------------------------------------------------------------


def _origin(patient: Patient) -> Generator[Finding, None, Reply | None]:
    """Yields findings; the origin's answer for the page is what it returns."""
    settings = patient.settings
    public = urlsplit(patient.page or f"{settings.upstream}/")
    url = f"{settings.upstream}{public.path or '/'}{f'?{public.query}' if public.query else ''}"
    host = settings.upstream_host
    if host == "auto":
        host = urlsplit(settings.upstream).netloc if settings.upstream.startswith("https") else "preserve"
    if host == "preserve":
        host = public.netloc
    asked = (*_READER, ("Host", host), ("X-Forwarded-Proto", public.scheme), ("X-Forwarded-Host", public.netloc))
    try:
        reply = ask(url, *asked, ca=settings.upstream_ca)
    except NoAnswer as problem:
        advice = "is the address right, does the origin run, does a firewall stand between?"
        if "certificate" in str(problem):
            advice = "ADPROXY_UPSTREAM_CA names the authority of an origin with a certificate of its own"
        yield Finding("origin", "bad", f"{url}: {problem}", advice)
        return None
    told = f"{url} answers {reply.status}"
    location = reply.get("location")
    if reply.status >= 500:
        yield Finding("origin", "bad", told, "ask the origin's own log")
    elif 300 <= reply.status < 400:
        again = patient.page is not None and location.rstrip("/") == patient.page.rstrip("/")
        advice = "name the address that it leads to with --url"
        if again:
            advice = "it sends readers in a circle: the origin has to believe X-Forwarded-Proto and -Host"
        yield Finding("origin", "bad" if again else "look", f"{told} and leads to {location or 'nowhere'}", advice)
    elif b"data-adproxy" in reply.text or "adproxy" in reply.get("proxy-status"):
        yield Finding(
            "origin", "bad", f"{told}, and has been through an adproxy already", _ADVICE[SkipReason.ALREADY_REWRITTEN]
        )
    elif reply.status != 200:
        yield Finding("origin", "look", told, "name an article's address with --url")
    else:
        secure = ", with a certificate that is trusted" if url.startswith("https") else ""
        yield Finding("origin", "good", told + secure)
    yield from _clock("origin's clock", reply)
    return reply


def _eligible(patient: Patient, reply: Reply) -> Iterator[Finding]:
    codings = content_codings(reply.headers)
    shown = " + ".join(codings) or "none"
    if codings and not reply.text:
        yield Finding("compression", "bad", f"{shown}: can't be undone", _ADVICE[SkipReason.CONTENT_CODING])
    else:
        yield Finding("compression", "good", shown)
    outcome = _outcome(patient, reply)
    if isinstance(outcome, Finding):
        yield outcome
        return
    yield Finding("page", "bad", f"left alone ({outcome.reason.value}): {outcome.detail}", _advice_for(outcome))


def _outcome(patient: Patient, reply: Reply) -> Finding | Skip:
    """What would become of the page, as far as can be told."""
    skip = response_skip(reply.status, reply.headers)
    if skip is not None:
        return skip
    if len(reply.text) > patient.settings.max_page_bytes:
        return Skip(SkipReason.TOO_LARGE, f"{len(reply.text)} bytes")
    encoding = sniff(reply.text, reply.get("content-type"))
    if encoding is None:
        return Skip(SkipReason.CHARSET, reply.get("content-type"))
    policies = tuple(values(reply.headers, b"content-security-policy"))
    if patient.book is None:
        csp = Csp.parse(policies)
        if csp.style().kind == "forbidden" and "'nonce-" not in " ".join(policies):
            return Skip(SkipReason.CSP, "neither inline styles nor a style sheet of the page's own host")
        return Finding("page", "good", "may have slots; give the rules with --rules to see which")
    choice = choose_by_url(patient.book, patient.page or reply.url)
    if choice.policy is None:
        return Finding("page", "look", f"the rules have no ads for it: {choice.why}", "try an article's with --url")
    path = urlsplit(reply.url).path or "/"
    result = rewrite(
        reply.text,
        choice.policy,
        encoding=encoding,
        csp_headers=policies,
        path=path,
        prefix=patient.settings.prefix,
    )
    if isinstance(result, Skip):
        return result
    placed = len(result.plan.placements)
    if not placed:
        return Finding(
            "page", "look", "the rules find no place for a slot", "`adproxy explain --rules RULES URL` says why"
        )
    return Finding("page", "good", f"gets {placed} {'slot' if placed == 1 else 'slots'} by the rules")


def _advice_for(skip: Skip) -> str:
    return _ADVICE.get(skip.reason, "`adproxy explain --rules RULES URL` says more")


# --- what readers get ---------------------------------------------------------------------------


def _readers(patient: Patient, page: str, origin: Reply | None) -> Iterator[Finding]:
    parts = urlsplit(page)
    own = f"{parts.scheme}://{parts.netloc}{patient.settings.prefix}"
    try:
        reply = ask(page, *_READER)
    except NoAnswer as problem:
        yield Finding("readers", "bad", f"{page}: {problem}", "can readers reach it? DNS, firewall, certificate")
        return
    try:
        yield from _is_adproxy(own)
        slots = reply.text.count(_SLOT)
        if reply.status != 200:
            yield Finding("readers", "look", f"{page} answers {reply.status}", "name an article's address with --url")
        elif slots:
            yield Finding("readers", "good", f"{page} has {slots} {'slot' if slots == 1 else 'slots'}")
        else:
            yield Finding(
                "readers",
                "bad" if origin is not None and response_skip(origin.status, origin.headers) is None else "look",
                f"{page} has no slot",
                "is adproxy in between? do the rules want slots there (`adproxy explain`)? is the page an old one?",
            )
        yield from _clock("public clock", reply)
        yield from _caches(page, reply, origin, has_slots=slots > 0)
        yield from _script(own)
        if patient.settings.count:
            yield from _beacon(own)
            yield from _tokens(patient, page, reply)
        yield from _site(own, reply)
        yield from _second_listener(patient, page, own)
    except NoAnswer as problem:
        yield Finding("readers", "bad", f"the server in front stopped answering: {problem}", "its log may say why")


def _is_adproxy(own: str) -> Iterator[Finding]:
    health, ready = ask(f"{own}healthz"), ask(f"{own}readyz")
    if (health.status, health.body) != (200, b"ok\n"):
        yield Finding(
            "prefix",
            "bad",
            f"{own}healthz answers {health.status}, and not adproxy's words",
            "the server in front has to send all requests to adproxy, those below the prefix too (ADPROXY_PREFIX)",
        )
        return
    if _was_cached(ask(f"{own}healthz")):
        yield Finding("prefix", "bad", f"{own}healthz comes from a cache, which was told no-store", _NO_STORE)
    elif ready.status != 200:
        yield Finding("prefix", "bad", f"not ready: {_line(ready)}", "no rules could be loaded: the office says why")
    elif b"switched off" in ready.body:
        yield Finding("prefix", "look", "adproxy is switched off", "`kill -USR2`, or take ADPROXY_OFF away")
    else:
        yield Finding("prefix", "good", f"{own} is adproxy's, and ready")


_NO_STORE = "the cache has to respect Cache-Control, or to leave what is below the prefix alone"


def _caches(page: str, reply: Reply, origin: Reply | None, *, has_slots: bool) -> Iterator[Finding]:
    via, age = reply.get("via"), reply.get("age")
    if _was_cached(reply) or via:
        named = ", ".join(filter(None, (f"Via: {via}" if via else "", f"Age: {age}" if age else "")))
        yield Finding("caches", "good", f"something in front stores or passes it on ({named or 'X-Cache'})")
    if not has_slots:
        return
    tag = reply.get("etag")
    if not tag:
        if origin is not None and origin.get("etag"):
            yield Finding(
                "validators",
                "look",
                "the origin's page has an ETag, the public one has none",
                "a server in front takes it off: caches and browsers fetch whole pages where a 304 would do",
            )
        return
    if demangle(tag.encode("latin-1")) is None:
        yield Finding(
            "validators",
            "bad",
            f"the page's ETag {tag} is not adproxy's",
            "a server in front makes its own: after a change of the rules it would answer 304 for the old page",
        )
        return
    again = ask(page, *_READER, ("If-None-Match", tag))
    if again.status == 304:
        yield Finding("validators", "good", "asked again with its ETag, the page is confirmed (304)")
    else:
        yield Finding(
            "validators",
            "look",
            f"asked again with its ETag, the page comes whole ({again.status})",
            "does the origin answer If-None-Match, and does its ETag stay the same from one answer to the next?",
        )


def _script(own: str) -> Iterator[Finding]:
    reply = ask(f"{own}{CLIENT.name}?v={CLIENT.version}", ("Accept-Encoding", "gzip, br"))
    if reply.status == 200 and reply.text == CLIENT.body:
        yield Finding("script", "good", f"{CLIENT.name} comes as it was written")
    elif reply.status == 200 and b"adproxy" in reply.text:
        yield Finding(
            "script",
            "look",
            f"{CLIENT.name} is not that of this version",
            "is another version running? does a server in front rewrite scripts (minify, Rocket Loader)?",
        )
    else:
        yield Finding(
            "script", "bad", f"{CLIENT.name} answers {reply.status}", "the server in front has to let it pass"
        )


def _beacon(own: str) -> Iterator[Finding]:
    url = f"{own}beacon"
    reply = ask(url, ("Content-Type", "text/plain;charset=UTF-8"), method="POST", body=b"doctor")
    if reply.status != 204:
        yield Finding(
            "beacon",
            "bad",
            f"POST {url} answers {reply.status}: nothing that readers see is counted",
            "the server in front has to let POST pass, up to 2 KB, without a login, a redirect or a challenge",
        )
    elif _was_cached(reply) or "no-store" not in reply.get("cache-control"):
        yield Finding("beacon", "bad", f"POST {url} is answered by a cache", _NO_STORE)
    elif (got := ask(url)).status != 405:
        yield Finding("beacon", "bad", f"GET {url} answers {got.status}, and not adproxy's 405", _NO_STORE)
    else:
        yield Finding("beacon", "good", "reports of browsers arrive")


def _tokens(patient: Patient, page: str, reply: Reply) -> Iterator[Finding]:
    token = _TOKEN.search(reply.text)
    if token is None:
        return
    seen = {token[1]}
    for _ in range(TOKEN_TRIES - 1):
        other = _TOKEN.search(ask(page, *_READER, ("Cache-Control", "no-cache")).text)
        if other is not None:
            seen.add(other[1])
    if len(seen) > 1:
        yield Finding(
            "keys",
            "bad" if len({_key_of(each) for each in seen}) > 1 else "look",
            f"{TOKEN_TRIES} requests for one page got {len(seen)} different tokens",
            "all machines need the same ADPROXY_SIGNING_KEYS_FILE and the same rules; or it was midnight (UTC)",
        )
        return
    keys = given_keys(patient.settings.signing_keys, patient.settings.signing_keys_file)
    if keys is None:
        yield Finding("keys", "good", f"{TOKEN_TRIES} requests for one page got the same token")
        return
    facts = keys.read(token[1].decode("ascii"))
    if facts is None:
        yield Finding(
            "keys", "bad", "the page's token was made with another key than the one given here", "give all the same key"
        )
    elif not is_alive(facts, day_of(time.time()), patient.settings.token_days):
        yield Finding(
            "keys",
            "bad",
            f"the page was made {day_of(time.time()) - facts.day} days ago: what readers see on it is not counted",
            "caches may keep pages for ADPROXY_TOKEN_DAYS; is the clock right?",
        )
    else:
        yield Finding("keys", "good", "the page's token is of the key given here, and valid today")


def _key_of(token: bytes) -> str:
    """Which key a token names; any other text where it is none."""
    payload = token.partition(b".")[0]
    try:
        return str(json.loads(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))[1])
    except (ValueError, LookupError, TypeError):
        return payload.decode("ascii")


def _site(own: str, reply: Reply) -> Iterator[Finding]:
    site = _SITE.search(reply.text)
    if site is None:
        return
    url = f"{own}config/{site[1].decode()}.json"
    answer = ask(url)
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    if answer.status != 200 or not isinstance(said, dict):
        yield Finding(
            "pauses", "bad", f"{url} answers {answer.status}", "without it pauses don't reach pages in caches"
        )
    elif said.get("off"):
        yield Finding(
            "pauses", "look", "all slots are paused or switched off", "the rules' `pause`, or the kill switch"
        )
    elif said.get("paused"):
        yield Finding("pauses", "look", f"paused: {', '.join(map(str, said['paused']))}", "the rules' `pause`")
    else:
        yield Finding("pauses", "good", "nothing is paused")


def _second_listener(patient: Patient, page: str, own: str) -> Iterator[Finding]:
    parts = urlsplit(page)
    for url in (f"{parts.scheme}://{parts.netloc}/metrics", f"{own}metrics"):
        if b"adproxy_pages_total" in ask(url).body:
            yield Finding("office", "bad", f"{url} shows adproxy's metrics to everybody", "take it off the public side")
            return
    host = parts.hostname or ""
    if _is_here(host):
        yield Finding(
            "office", "unknown", f"{host} is this machine: whether readers reach the office shows only elsewhere"
        )
        return
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{patient.settings.office_port}/metrics"
    try:
        reached = b"adproxy_pages_total" in ask(url).body
    except NoAnswer:
        reached = False
    if reached:
        yield Finding("office", "bad", f"{url} shows adproxy's metrics", "bind ADPROXY_OFFICE_HOST to an inner address")
    else:
        yield Finding("office", "good", "readers don't reach it")


# --- the office ---------------------------------------------------------------------------------


def _office(address: str) -> Iterator[Finding]:
    url = f"{address.rstrip('/')}/readyz"
    try:
        reply = ask(url)
        said = json.loads(reply.body)
        problem, revision, ready = said["problem"], said["revision"], said["ready"]
    except NoAnswer as unreachable:
        yield Finding(
            "rules", "unknown", f"{url}: {unreachable}", "run this where adproxy runs, or name the office with --office"
        )
        return
    except (ValueError, KeyError, TypeError):
        yield Finding(
            "rules", "bad", f"{url} answers {reply.status}, and not as adproxy's office", "is --office right?"
        )
        return
    if problem:
        yield Finding(
            "rules", "bad", f"the last edit was not taken: {problem}", "`adproxy check RULES` before you save"
        )
    elif not ready:
        yield Finding("rules", "bad", "not ready: no rules, or no worker", "adproxy's log says why")
    else:
        yield Finding("rules", "good", f"revision {revision} is in force")
    if said.get("switched_off"):
        yield Finding("switch", "look", "adproxy is switched off", "`kill -USR2`, or take ADPROXY_OFF away")


# --- helpers of several checks --------------------------------------------------------------------


def _was_cached(reply: Reply) -> bool:
    said = " ".join(reply.get(name) for name in ("x-cache", "cf-cache-status", "x-cache-status", "cache-status"))
    return reply.get("age").strip().isdecimal() or re.search(r"\bhit\b", said, re.I) is not None


def _clock(check: str, reply: Reply) -> Iterator[Finding]:
    try:
        there = parsedate_to_datetime(reply.get("date")).timestamp()
    except ValueError:
        return  # it says none, and need not
    age = int(reply.get("age")) if reply.get("age").isdecimal() else 0
    skew = there + age - time.time()
    if abs(skew) > MAX_SKEW_SECONDS:
        yield Finding(
            check,
            "bad",
            f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's",
            "set both by NTP: tokens and lifetimes of pages go by the clock",
        )


def _is_here(host: str) -> bool:
    try:
        found = getaddrinfo(host, None)
    except (gaierror, UnicodeError):
        return False
    return all(ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


def _line(reply: Reply) -> str:
    return reply.body[:200].decode("utf-8", "replace").strip()
