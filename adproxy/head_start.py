"""When how much of a held page is sent ahead, so that style sheets and fonts load while its body is still to come.

Nothing is ever inserted in a page's head (`page.tree.before_body`), so what came of it can go before the page is
decided. That commits the status, and with it the answer's head. Two rules say when it does:

- `Settings.ahead_seconds`: by then the head of a page goes that gives nothing up by it: no coding, no length, nothing
  by which it could be validated, no lifetime that would have to be cut short should its slots be missing. On by
  default, or the reader of a page that trickles would wait for all of it.
- `Settings.early_seconds`: when no byte came for so long, the head of every uncoded page goes, without its length and
  validators, and with the lifetime of a page whose slots may be missing. Off by default, because of what that costs.

No I/O and no clock: seconds of any clock that never goes back are handed in.
"""

from __future__ import annotations

from collections.abc import Sequence

from adproxy import headers as head
from adproxy.eligibility import RawHeaders, values
from adproxy.page.tree import before_body
from adproxy.settings import Settings

_LOOKS = 64
"""So often at most a page's head is looked for; each look copies what came so far."""


class HeadStart:
    """How far one page went ahead."""

    __slots__ = ("_by", "_came", "_grew", "_looked", "_looks", "_quiet", "size")

    def __init__(self, by: float, quiet: float, now: float) -> None:
        """`by`: seconds after which the head is sent whether bytes come or not; `quiet`: seconds without a byte after
        which it is; 0: never."""
        self.size = 0
        """Bytes of the page that were sent ahead."""
        self._by, self._quiet = by, quiet
        self._came = self._looked = now
        self._grew = False
        self._looks = _LOOKS

    def came(self, now: float) -> None:
        """More bytes of the page came."""
        self._came, self._grew = now, True

    def due(self) -> float | None:
        """When to look what can go; None where nothing can before more has come, or ever."""
        if not self._grew or self._looks <= 0:
            return None
        quiet = self._came + self._quiet
        by = self._looked + self._by
        if not self._by:
            return quiet
        return min(quiet, by) if self._quiet else by

    def take(self, chunks: Sequence[bytes], now: float) -> bytes:
        """What of the page, of which `chunks` came so far, is to be sent now."""
        self._looks -= 1
        self._looked, self._grew = now, False
        ready = before_body(b"".join(chunks))[self.size :]
        if not ready:
            self._looks = 0  # the head is complete, or goes on in a way that can't be told from a body
        self.size += len(ready)
        return ready


def head_start(settings: Settings, headers: RawHeaders, now: float, *, plain: bool) -> HeadStart | None:
    """How a page goes ahead whose answer has these headers; None where it does not. `plain`: its headers stay as they
    came whatever becomes of it."""
    by, quiet = settings.ahead_seconds, settings.early_seconds
    if by and not plain and not head.gives_nothing_up(headers):
        by = 0
    if not (by or quiet) or values(headers, b"content-encoding"):
        return None
    return HeadStart(by, quiet, now)
