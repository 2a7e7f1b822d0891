"""Each request's name, and a line for some of the requests.

The name is what a server in front called the request, where that one is trusted, or else made here. It goes to the
upstream, into every line of the log that is about the request, and onto answers that adproxy makes itself. Answers of
the origin stay as they are: a cache would show one reader's name to all others.
"""

from __future__ import annotations

import logging
import os
import random
import re
import time

from adproxy.eligibility import RawHeaders, values

log = logging.getLogger("adproxy.access")

FIELD = "x-request-id"
_NAME = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")
"""What may be believed: it stands in logs."""


class RequestLog:
    """`share`: of the requests, from 0 to 1, that get a line; those with an answer of 5xx always do, unless it is 0."""

    def __init__(self, share: float) -> None:
        self._share = share

    def name_of(self, headers: RawHeaders, *, trusted: bool) -> str:
        """The request's name. `trusted`: whether it came from a server whose word is believed."""
        if trusted:
            given = values(headers, FIELD.encode())
            if len(given) == 1 and _NAME.fullmatch(given[0]):
                return given[0]
        return os.urandom(16).hex()

    def answered(self, method: str, path: str, status: int | None, began: float) -> None:
        """A request is done: its `path` without the query, the answer's `status` (None: there was none), and the
        `time.perf_counter` at which it began."""
        if not self._share or (random.random() >= self._share and (status is None or status < 500)):
            return
        seconds = round(time.perf_counter() - began, 6)
        fields = {"method": method[:20], "path": path[:500], "status": status, "seconds": seconds}
        log.info("%s %r: %s in %.3f s", fields["method"], fields["path"], status, seconds, extra={"fields": fields})
