"""``adproxy events``."""

from __future__ import annotations

import contextlib
import math
import re
import time
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from adproxy.cli.app import app
from adproxy.errors import SettingsError
from adproxy.event_figures import Format, Tail, lines
from adproxy.event_store import SECONDS_AN_HOUR, StoreUnavailable
from adproxy.settings import Settings
from adproxy.sqlite_events import SqliteEvents
from adproxy.state_dir import default_path

TAIL_SECONDS = 1.0
"""Between two looks at what is being counted."""


class EventsWork(str, Enum):
    """What `adproxy events` can do."""

    EXPORT = "export"
    TAIL = "tail"


@app.command()
def events(
    what: Annotated[EventsWork, typer.Argument(help="export: what was counted; tail: what is being counted.")],
    state_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="D",
            help="Where it is kept.  [default: ADPROXY_STATE_DIR, or what adproxy serve takes for port 8080]",
        ),
    ] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back to go, as 24h or 7d.")] = "24h",
    form: Annotated[Format, typer.Option("--format", help="JSON lines, or a table.")] = Format.JSONL,
    seconds: Annotated[float, typer.Option(min=0, help="End tail after so long; 0: at Ctrl-C.")] = 0,
) -> None:
    """Print what browsers reported, by article, slot and hour.

    Each line has the counts of one slot on one article in one hour, valid and invalid traffic apart; lines without a
    slot are about the article. tail prints each second what came in, until Ctrl-C.

    \b
    Examples:
      adproxy events export --since 7d --format csv > figures.csv
      adproxy events tail --state-dir /var/lib/adproxy
    """
    hours = _hours(since)
    kept = state_dir or Settings().state_dir or default_path(8080)
    reader = SqliteEvents(kept)
    try:
        if what is EventsWork.EXPORT:
            now = int(time.time() // SECONDS_AN_HOUR)
            for line in lines(reader.figures(now + 1 - hours, now + 1), form):
                typer.echo(line)
        else:
            _follow(reader, form, seconds)
    except StoreUnavailable as problem:
        raise SettingsError(f"can't read the event store: {problem}; name its directory with --state-dir") from problem


def _hours(text: str) -> int:
    found = re.fullmatch(r"(\d{1,5})([hd])", text)
    if found is None or int(found[1]) == 0:
        raise typer.BadParameter(f"found {text!r}; expected hours or days, as 24h or 7d", param_hint="--since")
    return int(found[1]) * (24 if found[2] == "d" else 1)


def _follow(reader: SqliteEvents, form: Format, seconds: float) -> None:
    """Until Ctrl-C, or for so many seconds."""
    tail = Tail(reader, time.time)
    end = time.monotonic() + seconds if seconds else math.inf
    head = True
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for line in lines(tail.look(), form, head=head):
                typer.echo(line)
            head = False
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(TAIL_SECONDS, left))
