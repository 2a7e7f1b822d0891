"""Failures that cost a page its slots: each is counted elsewhere, and logged with its traceback the first time."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

_MAX_LOGGED = 100
"""Kinds of failure that are logged with a traceback, each once; all of them are counted."""


class FailureLog:
    """Which kinds of failure were logged."""

    def __init__(self) -> None:
        self._logged: set[tuple[type[BaseException], str, int]] = set()

    def note(self, path: str, problem: Exception) -> None:
        """Log a failure with its traceback the first time that it happens at this line of the code."""
        trace = problem.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace is not None else ("", 0)
        kind = (type(problem), *where)
        if kind not in self._logged and len(self._logged) < _MAX_LOGGED:
            self._logged.add(kind)
            log.error(
                "rewriting %r failed, the page passes as it is; further ones like it are counted, not logged",
                path[:200],
                exc_info=problem,
            )
