"""May this exchange be touched at all? Decided on the request head and the response head, before any byte of a body.

Both questions are pure and read raw header lists, names in any case. What they refuse is left alone with the
origin's own headers and bytes. Reasons that come from the request name the field that decided, because such an
answer must tell caches so (``Vary``): see `deciding_field`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from adproxy.model import Skip, SkipReason

RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]

CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd"})
"""Content codings that a page may arrive in, one at a time."""

_FILE_EXTENSIONS: Final = frozenset(
    b"7z aac apk avi avif bin bmp bz2 css csv dmg doc docx eot epub exe flac gif gz ico iso jpeg jpg json m3u8 m4a m4s "
    b"m4v map mid mkv mov mp3 mp4 mpd mpeg mpg msi odp ods odt oga ogg ogv opus otf pdf pkg png ppt pptx rar rss svg "
    b"tar tgz tif tiff ts ttf txt vtt wasm wav weba webm webmanifest webp woff woff2 xls xlsx xml xz zip zst".split()
)
"""Extensions that pages do not have. No ``js``: ``/wiki/Node.js`` is a page."""
_PAGE_EXTENSIONS: Final = frozenset(b"asp aspx cfm htm html jsp php phtml shtml".split())


def values(headers: RawHeaders, name: bytes) -> list[str]:
    """All values of a field (lower-case name), in order, as text; bytes above ASCII become Latin-1 characters."""
    length = len(name)  # asked many times of each exchange: most names differ in it, and are not looked at
    return [value.decode("latin-1").strip() for key, value in headers if len(key) == length and key.lower() == name]


def said(headers: RawHeaders, wanted: frozenset[bytes]) -> dict[bytes, list[str]]:
    """What `values` would find of each of the wanted fields, in one go; those that are not there are missing."""
    found: dict[bytes, list[str]] = {}
    for key, value in headers:
        if key in wanted or (not key.islower() and (key := key.lower()) in wanted):
            found.setdefault(key, []).append(value.decode("latin-1").strip())
    return found


def split_list(value: str, separator: str = ",") -> list[str]:
    """The elements of a list, trimmed, without empty ones; a separator inside a quoted string does not count."""
    if '"' in value:
        return list(_split_quoted(value, separator))
    return [element for part in value.split(separator) if (element := part.strip())]


def _split_quoted(value: str, separator: str) -> Iterator[str]:
    start, quoted, escaped = 0, False, False
    for index, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            if element := value[start:index].strip():
                yield element
            start = index + 1
    if element := value[start:].strip():
        yield element


def request_skip(method: str, headers: RawHeaders) -> Skip | None:
    """Why the answer to this request stays untouched, or None where it may be a page for a reader.

    Takes the method as sent and the raw header list. HEAD is judged as the GET that it stands for.
    """
    if method not in ("GET", "HEAD"):
        return Skip(SkipReason.METHOD, method[:20])
    objection = _objection(headers)
    return objection[0] if objection else None


def deciding_field(headers: RawHeaders) -> str | None:
    """The request field that makes `request_skip` refuse a GET, in lower case; None where none does."""
    objection = _objection(headers)
    return objection[1] if objection else None


DECIDING_FIELDS: Final = (
    "cache-control",
    "sec-fetch-dest",
    "hx-request",
    "turbo-frame",
    "x-pjax",
    "x-requested-with",
    "sec-purpose",
    "purpose",
    "accept",
)
"""Every field that `deciding_field` may name."""


_DECIDING: Final = frozenset(name.encode() for name in DECIDING_FIELDS)
_NOTHING: list[str] = []


def _objection(headers: RawHeaders) -> tuple[Skip, str] | None:
    found = said(headers, _DECIDING)
    if not found:
        return None
    if _has_directive(found.get(b"cache-control", _NOTHING), "no-transform"):
        return Skip(SkipReason.NO_TRANSFORM, "the request says no-transform"), "cache-control"
    # A fetch by script, a frame, an embed: whoever asks is not a reader who opens the page. Browsers since 2023 say
    # so themselves; the rest of this list serves plain-http sites and older ones.
    for dest in found.get(b"sec-fetch-dest", _NOTHING):
        if dest.lower() != "document":
            return Skip(SkipReason.FRAGMENT, f"Sec-Fetch-Dest: {dest[:40]}"), "sec-fetch-dest"
    if any(value.lower() != "false" for value in found.get(b"hx-request", _NOTHING)):
        return Skip(SkipReason.FRAGMENT, "HX-Request"), "hx-request"
    for name in ("turbo-frame", "x-pjax"):
        if name.encode() in found:
            return Skip(SkipReason.FRAGMENT, name), name
    # Android's WebView sends its package name in this field with whole pages, so only the one value counts.
    if any(value.lower() == "xmlhttprequest" for value in found.get(b"x-requested-with", _NOTHING)):
        return Skip(SkipReason.FRAGMENT, "X-Requested-With: XMLHttpRequest"), "x-requested-with"
    purposes = found.get(b"sec-purpose", _NOTHING)
    purpose = [part.lower() for value in purposes for part in value.replace(",", ";").split(";")]
    # A prerendered page becomes the reader's page as it is; nothing in it counts before it is shown.
    if "prerender" not in {part.strip() for part in purpose}:
        if any(part.strip() == "prefetch" for part in purpose):
            return Skip(SkipReason.PREFETCH, "Sec-Purpose: prefetch"), "sec-purpose"
        if any(value.lower() == "prefetch" for value in found.get(b"purpose", _NOTHING)):
            return Skip(SkipReason.PREFETCH, "Purpose: prefetch"), "purpose"
    accept = found.get(b"accept")
    if accept and not accepts_html(", ".join(accept)):
        return Skip(SkipReason.FRAGMENT, "Accept without text/html"), "accept"
    return None


def accepts_html(accept: str) -> bool:
    """Whether an ``Accept`` value takes text/html, a wildcard included; ``q=0`` of the nearest range refuses it."""
    return _usually_accepts(accept) if len(accept) <= _USUAL else _accepts(accept)


def _accepts(accept: str) -> bool:
    quality: dict[str, bool] = {}
    for element in split_list(accept):
        # an element of nothing but separators is some media type that is not HTML
        media, *parameters = [part.lower() for part in split_list(element, ";")] or [""]
        refused = any(p.replace(" ", "") in ("q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000") for p in parameters)
        quality[media] = quality.get(media, False) or not refused
    for media in ("text/html", "text/*", "*/*"):
        if media in quality:
            return quality[media]
    return not quality


# Browsers send a few dozen different ones.
_USUAL: Final = 256
_usually_accepts: Final = lru_cache(maxsize=512)(_accepts)


def may_be_page(raw_path: bytes) -> bool:
    """Whether a path could be a page's, going by its extension: ``/a/b``, ``/a.html`` could, ``/a.pdf`` could not.

    Only ever asked where both answers are right and one is cheaper.
    """
    name, dot, extension = raw_path.rsplit(b"/", 1)[-1].rpartition(b".")
    return not (dot and name and extension.lower() in _FILE_EXTENSIONS)


def is_page_by_name(raw_path: bytes) -> bool:
    """Whether a path is as good as certainly a page's: one that ends in a slash, in ``.html`` or the like."""
    name = raw_path.rsplit(b"/", 1)[-1]
    return not name or name.rpartition(b".")[2].lower() in _PAGE_EXTENSIONS


_OF_ANSWERS: Final = frozenset(
    {b"content-type", b"cache-control", b"x-accel-buffering", b"content-disposition", b"content-encoding"}
)


def response_skip(status: int, headers: RawHeaders) -> Skip | None:
    """Why this answer stays untouched, or None where it is a page that may carry slots."""
    if status != 200:
        return Skip(SkipReason.STATUS, str(status))
    found = said(headers, _OF_ANSWERS)
    types = found.get(b"content-type", _NOTHING)
    media = types[0].split(";", 1)[0].strip().lower() if len(types) == 1 else ""
    if media == "application/xhtml+xml":
        return Skip(SkipReason.XHTML, media)
    if media != "text/html":
        return Skip(SkipReason.NOT_HTML, ", ".join(types)[:80] or "no Content-Type")
    if _has_directive(found.get(b"cache-control", _NOTHING), "no-transform"):
        return Skip(SkipReason.NO_TRANSFORM, "Cache-Control: no-transform")
    if any(value.lower() == "no" for value in found.get(b"x-accel-buffering", _NOTHING)):
        return Skip(SkipReason.NO_TRANSFORM, "X-Accel-Buffering: no")
    for value in found.get(b"content-disposition", _NOTHING):
        if value.split(";", 1)[0].strip().lower() == "attachment":
            return Skip(SkipReason.ATTACHMENT, "Content-Disposition: attachment")
    codings = content_codings(headers) if b"content-encoding" in found else []
    if len(codings) > 1 or not CODINGS.issuperset(codings):
        return Skip(SkipReason.CONTENT_CODING, ", ".join(codings)[:80])
    return None


def content_codings(headers: RawHeaders) -> list[str]:
    """The codings of an answer in the order in which they were applied, lower case, without ``identity``."""
    listed = (c.lower() for value in values(headers, b"content-encoding") for c in split_list(value))
    return [coding for coding in listed if coding != "identity"]


def _has_directive(lines: list[str], name: str) -> bool:
    for line in lines:
        # A quote that never closes hides what follows from any reading: take the owner's word where it may be one.
        if line.replace('\\"', "").count('"') % 2 and name in line.lower():
            return True
        if any(element.partition("=")[0].strip().lower() == name for element in split_list(line)):
            return True
    return False
