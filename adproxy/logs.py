"""What adproxy says to stderr, for people or for machines, and which request it was about.

Text is a line as ``WARNING: worker 0: …``; JSON is an object a line, for whatever collects logs. Either names the
request that was being answered when it was said. Nothing of a reader is ever in it: no address, no query, no cookie, no
agent; paths are there without their queries.
"""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

Format = Literal["text", "json"]

request_id: ContextVar[str] = ContextVar("adproxy_request_id", default="")
"""Of the request that is being answered; empty outside of one."""


def configure(form: Format) -> None:
    """Say everything in this form from now on, in this process and those that are forked from it."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(form))
    logging.basicConfig(handlers=[handler], force=True)


def speak_as(process: str) -> None:
    """Name this process in what it says."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _Formatter):
            handler.formatter.process = process


class _Formatter(logging.Formatter):
    def __init__(self, form: Format) -> None:
        super().__init__()
        self._form = form
        self.process = ""

    def format(self, record: logging.LogRecord) -> str:
        return self._json(record) if self._form == "json" else self._text(record)

    def _text(self, record: logging.LogRecord) -> str:
        said = super().format(record)  # the message, and a traceback below it
        who = f"{self.process}: " if self.process else ""
        asked = f" (request {name})" if (name := request_id.get()) else ""
        first, newline, rest = said.partition("\n")
        return f"{record.levelname}: {who}{first}{asked}{newline}{rest}"

    def _json(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if self.process:
            said["process"] = self.process
        if name := request_id.get():
            said["request_id"] = name
        said.update(getattr(record, "fields", {}))
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False, default=str)
