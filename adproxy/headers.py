"""The header lists of both directions: validators, ranges, digests, lifetimes and ``Vary``.

A page that was planned is another representation than the origin's, so the origin's validators can't stand for it:

- Its tag is the origin's with the rules' revision behind it, weak, and reversible: ``"x"`` becomes
  ``W/"x;ap=1f2e3d4c5b6a"``. When it comes back under the same revision, the origin is asked about its own tag, and
  its 304 is true of our page too; under any other revision the tag is dropped, and the reader gets the new page. Where
  browsers report pages, what their marks depend on (the day, the key) is part of the "revision" that is meant here: a
  page with an old token is no page to go on with.
- It has no ``Last-Modified``: that date knows nothing of the rules, and would be answered 304 after they changed.

What an origin's own tag, or a date, validates is a page without slots. Where the answer may be a page that we plan,
those conditions are dropped from the request; the cost is a 200 where a 304 would have done.

``Vary``: an answer that stays untouched *because of a request field* (a fragment, a prefetch, no-transform) names that
field, so that no cache hands it to readers who should get slots. Planned pages do not name those fields unless
`Settings.vary_everywhere` says so. Without it a cache may serve a planned page to a script that would have got the same
page without slots, which is harmless, while naming a dozen fields on each page would make some of the large caches
store none of them (RFC 9110, 12.5.5 leaves that choice to the origin).

All functions are pure, take raw header lists (names in any case) and give new ones; what they do not speak of keeps its
place, its spelling and its duplicates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from adproxy.eligibility import (
    DECIDING_FIELDS,
    RawHeaders,
    accepts_html,
    is_page_by_name,
    may_be_page,
    split_list,
    values,
)

HeaderList = list[tuple[bytes, bytes]]

FAIL_OPEN_SECONDS: Final = 60
"""How long a cache may keep a page that lacks its slots by accident."""

_TAG: Final = re.compile(rb'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LISTED_TAG: Final = re.compile(rb'(?:^|,)[ \t]*((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?=,|$)')
"""Not read as a list of quoted strings, because a backslash is an ordinary character in a tag."""
_OUR_TAG: Final = re.compile(rb'W/"([\x21\x23-\x7e\x80-\xff]*);ap(w?)=([0-9A-Za-z._-]*)"')
"""What the origin's tag was, whether it was weak itself, and the revision that planned the page."""

_DESCRIBES_BYTES: Final = frozenset(
    {b"content-md5", b"digest", b"content-digest", b"repr-digest", b"signature", b"signature-input"}
)
"""True of the origin's bytes alone (RFC 9530; a signature of RFC 9421 covers the digest)."""
_NOT_ON_PLANNED: Final = frozenset({b"last-modified", b"accept-ranges"})
_NOT_ON_CHANGED: Final = _DESCRIBES_BYTES | {b"content-length", b"transfer-encoding", b"trailer"}


def paired(headers: Iterable[Iterable[bytes]]) -> HeaderList:
    """A header list of somebody else's: the specification of ASGI allows any iterable of iterables of two, and what is
    compiled here takes a list of tuples. Such a list is given back as it is."""
    if isinstance(headers, list) and all(isinstance(field, tuple) for field in headers):
        return headers
    return [(name, value) for name, value in headers]


# --- tags ----------------------------------------------------------------------------------


def mangle(tag: bytes, revision: str) -> bytes | None:
    """The tag of a page planned under `revision`, from the origin's; None where that one is no valid tag."""
    found = _TAG.fullmatch(tag.strip())
    if found is None:
        return None
    return b'W/"%s;ap%s=%s"' % (found[2], b"w" if found[1] else b"", revision.encode())


def demangle(tag: bytes) -> tuple[bytes, str] | None:
    """The origin's tag in a tag of ours, and the revision; None for tags that are not ours."""
    found = _OUR_TAG.fullmatch(tag.strip())
    if found is None:
        return None
    return b'%s"%s"' % (b"W/" if found[2] else b"", found[1]), found[3].decode()


def _tags(lines: Sequence[str]) -> list[bytes]:
    """The entity tags of all lines; what is no tag is left out, and so matches nothing."""
    return [match[1] for line in lines for match in _LISTED_TAG.finditer(line.encode("latin-1"))]


# --- requests ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A request head as the application gets it."""

    headers: HeaderList | None
    """None: nothing had to change."""
    validated: bool = False
    """Whether a 304 can be about a page that we planned: a tag of ours went along, or ``*``."""


def forward(headers: RawHeaders, raw_path: bytes, revision: str) -> Forwarded:
    """The request head of a GET or HEAD whose answer may be a page that is planned under `revision`.

    Tags of ours become the origin's, other conditions go (see above). ``Range`` and ``If-Range`` go where the answer
    is most likely a page: a reader who asks for HTML or a document, by a path without a file's extension, or one that
    is a page's by its name. Other requests keep them, so films and downloads can be sought and resumed.
    """
    if not any(name in _CONDITIONS or (not name.islower() and name.lower() in _CONDITIONS) for name, _ in headers):
        return Forwarded(None)
    dest = values(headers, b"sec-fetch-dest")
    accept = ", ".join(values(headers, b"accept"))
    is_document = dest[0].lower() == "document" if dest else "text/html" in accept.lower() or is_page_by_name(raw_path)
    wants_page = is_document and accepts_html(accept) and may_be_page(raw_path)
    lines = values(headers, b"if-none-match")
    tags: list[bytes] = []
    if any(line == "*" for line in lines):
        tags = [b"*"]
    else:
        ours = (demangle(tag) for tag in _tags(lines))
        tags = [tag[0] for tag in ours if tag is not None and tag[1] == revision]
    forwarded: HeaderList = []
    for name, value in headers:
        lower = name.lower()
        if lower == b"if-none-match":
            if tags:
                forwarded.append((name, b", ".join(tags)))
                tags = []
        elif lower == b"if-modified-since" or (lower in (b"range", b"if-range") and wants_page):
            continue
        elif lower == b"if-match":
            forwarded.append((name, _if_match(value)))
        else:
            forwarded.append((name, value))
    return Forwarded(forwarded, validated=any(name.lower() == b"if-none-match" for name, _ in forwarded))


_CONDITIONS: Final = frozenset({b"if-none-match", b"if-modified-since", b"if-match", b"range", b"if-range"})


def forward_unsafe(headers: RawHeaders) -> HeaderList | None:
    """The request head of another method: ``If-Match`` gets the origin's tags back; None where nothing changes.

    The reader who edits a page was given our tag with it. It names the origin's state whatever the rules were.
    """
    changed = [(name, _if_match(value) if name.lower() == b"if-match" else value) for name, value in headers]
    return changed if changed != list(headers) else None


def _if_match(value: bytes) -> bytes:
    tags = _tags([value.decode("latin-1")])
    if not any(demangle(tag) for tag in tags):
        return value
    return b", ".join(found[0] if (found := demangle(tag)) else tag for tag in tags)


# --- answers -------------------------------------------------------------------------------


def planned(headers: RawHeaders, revision: str, *, length: int | None, vary_everywhere: bool = False) -> HeaderList:
    """The header list of a planned page.

    `length`: bytes of the body where it was changed, None where the origin's bytes are sent as they came.
    """
    answer: HeaderList = []
    tags = 0
    for name, value in headers:
        lower = name.lower()
        if lower == b"etag":
            if tag := mangle(value, revision):
                answer.append((name, tag))
                tags += 1
        elif lower not in _NOT_ON_PLANNED and not (length is not None and lower in _NOT_ON_CHANGED):
            answer.append((name, value))
    if length is not None:
        answer.append((b"content-length", b"%d" % length))
    if tags > 1:  # two tags validate nothing
        answer = [(name, value) for name, value in answer if name.lower() != b"etag"]
    return vary(answer, DECIDING_FIELDS) if vary_everywhere else answer


def gives_nothing_up(headers: RawHeaders) -> bool:
    """Whether a page's head may be sent before it is known what becomes of its body: no coding, no length, nothing by
    which the page could be validated, and no lifetime that would have to be cut short should its slots be missing."""
    names = {name.lower() for name, _ in headers}
    if names & (_NOT_ON_CHANGED | {b"etag", b"last-modified", b"content-encoding"}):
        return False
    return failed_open(headers, _EPOCH) == list(headers)


def sent_ahead(headers: RawHeaders, now: datetime, *, vary_everywhere: bool = False) -> HeaderList:
    """The header list of a page whose head is sent before it is known what becomes of its body: without what only the
    whole body could tell, and with the lifetimes of a page whose slots may be missing; `now` as in `failed_open`."""
    return failed_open(head_of_page(headers, vary_everywhere=vary_everywhere), now)


_EPOCH: Final = datetime.fromtimestamp(0, UTC)
"""Before all dates, so that every ``Expires`` counts as long."""


def head_of_page(headers: RawHeaders, *, vary_everywhere: bool = False) -> HeaderList:
    """The answer to HEAD where GET may give a planned page: without what only the body could tell."""
    gone = _NOT_ON_PLANNED | _NOT_ON_CHANGED | {b"etag"}
    answer = [(name, value) for name, value in headers if name.lower() not in gone]
    return vary(answer, DECIDING_FIELDS) if vary_everywhere else answer


def not_modified(headers: RawHeaders, revision: str, *, vary_everywhere: bool = False) -> HeaderList:
    """The application's 304 about a page that we planned: with our tag, the one that the 200 has."""
    return planned(
        [(name, value) for name, value in headers if name.lower() != b"content-length"],
        revision,
        length=None,
        vary_everywhere=vary_everywhere,
    )


def failed_open(headers: RawHeaders, now: datetime) -> HeaderList:
    """The header list of the origin's bytes where slots are missing by accident: no validator, no long shared lifetime.

    Lifetimes are capped, never lengthened or granted; `now` (aware) stands in for a missing ``Date``.
    """
    answer: HeaderList = []
    explicit = any(
        element.partition("=")[0].strip().lower() in ("max-age", "s-maxage")
        for line in values(headers, b"cache-control")
        for element in split_list(line)
    )
    for name, value in headers:
        lower = name.lower()
        if lower in (b"etag", b"last-modified"):
            continue
        if lower.endswith(b"cache-control") or lower == b"surrogate-control":
            answer.append((name, _capped(value)))
        elif lower == b"x-accel-expires":
            answer.append((name, _capped_accel(value)))
        elif lower == b"expires" and not explicit and _lives_long(value, headers, now):
            answer.append((b"cache-control", b"max-age=%d" % FAIL_OPEN_SECONDS))
        else:
            answer.append((name, value))
    return answer


_LIFETIMES: Final = frozenset({"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"})


def _capped(value: bytes) -> bytes:
    elements: list[str] = []
    changed = False
    for element in split_list(value.decode("latin-1")):
        name, equals, argument = element.partition("=")
        name = name.strip().lower()
        # "60+30" is Surrogate-Control's way to add a stale time
        seconds = argument.strip().strip('"').split("+")[0]
        if name == "immutable":
            changed = True
        elif name in _LIFETIMES and equals and not (seconds.isdecimal() and int(seconds[:10]) <= FAIL_OPEN_SECONDS):
            elements.append(f"{name}={FAIL_OPEN_SECONDS}")
            changed = True
        else:
            elements.append(element)
    return ", ".join(elements).encode("latin-1") if changed else value


def _capped_accel(value: bytes) -> bytes:
    text = value.strip()
    short = text == b"off" or (text.isdigit() and int(text[:10]) <= FAIL_OPEN_SECONDS)
    return value if short else b"%d" % FAIL_OPEN_SECONDS


def _lives_long(expires: bytes, headers: RawHeaders, now: datetime) -> bool:
    try:
        end = parsedate_to_datetime(expires.decode("latin-1"))
        dates = values(headers, b"date")
        start = parsedate_to_datetime(dates[0]) if dates else now
        return end - start > timedelta(seconds=FAIL_OPEN_SECONDS)
    except (ValueError, TypeError, IndexError, OverflowError):
        return False  # an invalid date means "already stale"


def vary(headers: RawHeaders, fields: Sequence[str]) -> HeaderList:
    """`headers` with `fields` (lower case) named in ``Vary``: those that are missing get a line of their own."""
    named = {element.lower() for line in values(headers, b"vary") for element in split_list(line)}
    missing = [] if "*" in named else [field for field in fields if field not in named]
    added: HeaderList = [(b"vary", ", ".join(missing).encode())] if missing else []
    return [*headers, *added]
