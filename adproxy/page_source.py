"""Pages for the command line: from a file or over HTTP, within bounds of size and time."""

from __future__ import annotations

import http.client
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from adproxy import __version__
from adproxy.codings import decode
from adproxy.eligibility import content_codings
from adproxy.errors import PageError
from adproxy.model import Skip

MAX_PAGE_BYTES = 32 << 20
"""Larger files and answers are not read; above all that adproxy could ever be set to rewrite sensibly."""
CONNECT_SECONDS = 10.0
"""Longest silence of a server, at each step."""
FETCH_SECONDS = 30.0
"""Longest time for a whole page."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page as it came over HTTP."""

    url: str
    """After redirects."""
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    """Decoded."""


def read(file: Path) -> bytes:
    """A saved page. Raises `PageError` where there is none, or one of more than `MAX_PAGE_BYTES`."""
    if not file.is_file():
        raise PageError(f"{file}: found {'no page' if file.exists() else 'nothing'}; expected an HTML file")
    size = file.stat().st_size
    if size > MAX_PAGE_BYTES:
        raise PageError(f"{file}: found {size} bytes; expected at most {MAX_PAGE_BYTES}")
    return file.read_bytes()


def fetch(url: str) -> Fetched:
    """A page as a reader's first visit gets it, within `FETCH_SECONDS`, or `PageError`."""
    outcome: list[Fetched | Exception] = []

    def work() -> None:
        try:
            outcome.append(_over_http(url))
        except Exception as error:
            outcome.append(error)

    # a socket's time-out is for each silence, and name look-ups have none: only a thread can be left behind
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(FETCH_SECONDS)
    if not outcome:
        raise PageError(f"{url}: not complete after {FETCH_SECONDS:g} s")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _over_http(url: str) -> Fetched:
    """The fetch itself. Never anything but http and https, redirects included."""
    opener = urllib.request.OpenerDirector()  # by hand: the usual one opens file: and ftp: as well
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    headers_sent = {
        "User-Agent": f"adproxy/{__version__}",
        "Accept": "text/html",
        "Accept-Encoding": "gzip",
        # where adproxy stands in front of the site already, it lets the origin's page pass for this
        "Cache-Control": "no-transform",
    }
    request = urllib.request.Request(url, headers=headers_sent)
    pieces: list[bytes] = []
    size = 0
    try:
        response = opener.open(request, timeout=CONNECT_SECONDS)
        if response is None:
            raise PageError(f"{url}: was sent to an address that is neither http nor https")
        with response:
            while piece := response.read1(1 << 16):
                pieces.append(piece)
                size += len(piece)
                if size > MAX_PAGE_BYTES:
                    raise PageError(f"{url}: found more than {MAX_PAGE_BYTES} bytes; expected a page")
            if response.length:
                raise PageError(f"{url}: ended {response.length} bytes too early")
            headers = tuple(
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()
            )
            status, final = response.status, response.url
    except urllib.error.HTTPError as error:
        error.close()
        raise PageError(f"{url}: answered {error.code} {error.reason}; expected a page (200)") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise PageError(f"{url}: can't be fetched: {reason}") from error
    body: bytes | Skip = b"".join(pieces)
    for coding in reversed(content_codings(headers)):
        body = decode(body, coding, MAX_PAGE_BYTES) if isinstance(body, bytes) else body
    if isinstance(body, Skip):
        raise PageError(f"{url}: its content coding can't be undone: {body.reason.value} ({body.detail})")
    return Fetched(final, status, headers, body)
