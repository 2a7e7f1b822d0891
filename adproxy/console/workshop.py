"""What the pages on which rules are tried have in common: the rules, the site, threads to plan in, what is looked at.

Work for people is bounded, whoever asks: a few threads, a short queue behind them, a deadline, and so many bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from adproxy.console.desk import Desk
from adproxy.console.preview import Opened
from adproxy.console.shelf import Shelf
from adproxy.console.site import Site, page_address
from adproxy.errors import PageError
from adproxy.live_rules import LiveRules
from adproxy.rewrite_pool import RewritePool
from adproxy.rules.ruleset import RuleBook
from adproxy.tokens import Keyring

MAX_FORM_BYTES = 4 << 20
"""Of what is posted: a page of a megabyte, percent-encoded, with its rules."""
MAX_FIELDS = 30
READ_SECONDS = 20.0
PLAN_SECONDS = 10.0
THREADS = 2
MAX_PENDING = 8

_Result = TypeVar("_Result")


class Busy(Exception):
    """There is no room for more work at the moment."""


class Workshop:
    """Belongs to one event loop."""

    def __init__(self, live_rules: LiveRules | None, site: Site | None, keys: Keyring | None) -> None:
        """`live_rules`: those in force, None for none; `site`: whose pages may be fetched, None for none; `keys`: what
        links to live pages are sealed with, None where there are no such links."""
        self.desk = Desk(live_rules)
        self.live_rules = live_rules
        self.site = site
        self.keys = keys
        self.pages: Shelf[Opened] = Shelf(most=24, max_bytes=64 << 20, seconds=3600)
        self.drawn: Shelf[bytes] = Shelf(most=24, max_bytes=64 << 20, seconds=3600)
        self._pool = RewritePool(THREADS, MAX_PENDING)

    async def run(self, job: Callable[[], _Result]) -> _Result:
        """A job in one of the threads. Raises `Busy` where too many wait, or it takes too long."""
        future = self._pool.submit(job)
        if future is None:
            raise Busy("Too many pages are being planned at the moment.")
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), PLAN_SECONDS)
        except TimeoutError:
            raise Busy(f"Planning took longer than {PLAN_SECONDS:g} seconds.") from None

    async def fetch(self, address: str) -> Opened:
        """A page of the site. Raises `PageError`."""
        if self.site is None:
            raise PageError("This adproxy has no site of which it could fetch pages; paste the page")
        fetched = await self.site.fetch(page_address(address, self.home))
        return Opened(fetched.url, fetched.body, fetched)

    @property
    def home(self) -> str:
        """What a path without a host is put behind: the rules' first host, or this adproxy's own address."""
        return home_of(self.desk.in_force) or (self.site.home if self.site is not None else "http://localhost")

    def close(self) -> None:
        self._pool.close()


def home_of(book: RuleBook) -> str:
    """``http://host`` of the first host that the rules name; empty where they name none."""
    hosts = [host for rule_set in book.rule_sets for host in rule_set.hosts]
    return f"http://{hosts[0].replace('*.', 'www.')}" if hosts else ""


async def body_of(request: Request, limit: int = MAX_FORM_BYTES) -> bytes:
    """What was posted. Raises `PageError` where that is too much, or does not come."""
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for piece in request.stream():
                size += len(piece)
                if size > limit:
                    raise PageError(f"found more than {limit} bytes; expected a page and its rules")
                pieces.append(piece)
    except TimeoutError:
        raise PageError(f"what was sent did not come within {READ_SECONDS:g} seconds") from None
    return b"".join(pieces)


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a posted form; of a field that comes twice the last one. Raises `PageError`."""
    body = await body_of(request)
    return await run_in_threadpool(fields_of, body)  # megabytes take a while


def fields_of(body: bytes) -> Mapping[str, str]:
    """The fields of a form's body. Raises `PageError`."""
    try:
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise PageError(f"found more than {MAX_FIELDS} fields; expected a form of the console") from None
    # a form sends every line's end as CR LF
    return {name: value.replace("\r\n", "\n") for name, value in fields}
