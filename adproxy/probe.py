"""One HTTP exchange with somebody's server, within bounds, seen as it is: no redirect followed, no proxy between."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from adproxy import __version__
from adproxy.codings import decode
from adproxy.eligibility import content_codings, values
from adproxy.errors import PageError

SILENCE_SECONDS = 10.0
"""Longest silence of the server, connecting included."""
WHOLE_SECONDS = 30.0
"""Longest time for it all, the look-up of the name included."""
MAX_BYTES = 8 << 20
"""Of a body; what comes behind is not read."""


class NoAnswer(PageError):
    """The server can't be asked: why, in half a sentence."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    url: str
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    """As it came."""

    def get(self, name: str) -> str:
        """A field's values, with commas between; empty where there is none."""
        return ", ".join(values(self.headers, name.lower().encode()))

    @property
    def text(self) -> bytes:
        """The body without its content codings, as far as they can be undone."""
        body = self.body
        for coding in reversed(content_codings(self.headers)):
            undone = decode(body, coding, MAX_BYTES)
            if not isinstance(undone, bytes):
                return b""
            body = undone
        return body


def ask(
    url: str, *headers: tuple[str, str], method: str = "GET", body: bytes | None = None, ca: Path | None = None
) -> Reply:
    """Ask for an absolute address; a `Host` among the `headers` is sent in place of the address's own. `ca`:
    certificates to trust in place of the system's. Raises `NoAnswer`."""
    outcome: list[Reply | Exception] = []

    def work() -> None:
        try:
            outcome.append(_exchange(url, headers, method, body, ca))
        except Exception as error:
            outcome.append(error)

    # the look-up of a name has no time-out: only a thread can be left behind
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(WHOLE_SECONDS + SILENCE_SECONDS)
    if not outcome:
        raise NoAnswer(f"no answer after {WHOLE_SECONDS:g} s")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _exchange(url: str, headers: Sequence[tuple[str, str]], method: str, body: bytes | None, ca: Path | None) -> Reply:
    deadline = time.monotonic() + WHOLE_SECONDS
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        if parts.scheme == "https":
            trust = ssl.create_default_context(cafile=ca)
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.netloc, timeout=SILENCE_SECONDS, context=trust
            )
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=SILENCE_SECONDS)
        try:
            named = {name.lower() for name, _ in headers}
            connection.putrequest(method, target, skip_host="host" in named, skip_accept_encoding=True)
            sent = [("User-Agent", f"adproxy-doctor/{__version__}"), *headers, ("Connection", "close")]
            if body is not None:
                sent.append(("Content-Length", str(len(body))))
            for name, value in sent:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            pieces: list[bytes] = []
            while sum(map(len, pieces)) < MAX_BYTES and (piece := answer.read1(1 << 16)):
                pieces.append(piece)
                if time.monotonic() > deadline:
                    raise NoAnswer(f"the answer is not complete after {WHOLE_SECONDS:g} s")
            fields = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.getheaders())
            return Reply(url, answer.status, fields, b"".join(pieces))
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"its certificate is not trusted: {error.verify_message}") from error
    except TimeoutError as error:
        raise NoAnswer(f"silent for {SILENCE_SECONDS:g} s") from error
    except socket.gaierror as error:
        raise NoAnswer(f"its name is not known: {error.strerror}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NoAnswer(reason) from error
