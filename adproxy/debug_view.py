"""A live page with the account of its slots on it: for whoever came by a debug link.

The site is asked as for any reader, but for a whole page, now: without conditions and ranges. Its page is planned as
always, and the plan is drawn in place of the slots; no ad is asked for, nothing is counted, and nobody may keep the
answer. What is no page, or too large, passes as it is.
"""

from __future__ import annotations

import asyncio
import logging
from html import escape

from starlette.types import Message, Scope, Send

from adproxy.account import Work, account_of, decide
from adproxy.codings import decode
from adproxy.csp import Csp
from adproxy.eligibility import RawHeaders, content_codings, response_skip, values
from adproxy.headers import HeaderList, paired
from adproxy.marked_page import live_page, styles_of
from adproxy.model import Skip
from adproxy.page_source import Fetched
from adproxy.rewrite import Rewritten
from adproxy.rewrite_pool import RewritePool
from adproxy.rules.ruleset import RuleBook
from adproxy.settings import Settings

log = logging.getLogger(__name__)

_NOT_ASKED = frozenset(
    {b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since", b"if-range", b"range"}
)
_OF_CACHES = frozenset(
    {
        *(b"etag", b"last-modified", b"expires", b"age", b"pragma", b"x-accel-expires", b"surrogate-control"),
        *(b"cache-control", b"cdn-cache-control", b"referrer-policy"),
    }
)
_OF_BYTES = frozenset(
    {
        *(b"content-length", b"content-encoding", b"transfer-encoding", b"accept-ranges", b"content-md5", b"digest"),
        *(b"content-digest", b"repr-digest", b"signature", b"signature-input", b"trailer"),
    }
)
_OURS: HeaderList = [
    (b"cache-control", b"private, no-store"),
    (b"x-robots-tag", b"noindex"),
    # what the page loads would carry our parameter to the site otherwise
    (b"referrer-policy", b"strict-origin"),
]


def asked_anew(headers: RawHeaders) -> HeaderList:
    """A request's headers for a whole page."""
    return [(name, value) for name, value in headers if name.lower() not in _NOT_ASKED]


class DebugView:
    """One answer: what the application sends goes in, the page with its account comes out."""

    def __init__(self, scope: Scope, send: Send, book: RuleBook, settings: Settings, pool: RewritePool) -> None:
        self._send = send
        self._book = book
        self._settings = settings
        self._pool = pool
        host = next(iter(values(scope["headers"], b"host")), "localhost")
        path = bytes(scope.get("raw_path") or scope["path"].encode()).decode("utf-8", "replace")
        self._url = f"{scope.get('scheme', 'http')}://{host}{path}"
        self._start: Message | None = None
        """The head, while it is held."""
        self._chunks: list[bytes] = []
        self._size = 0
        self._ends = 0.0

    async def send(self, message: Message) -> None:
        """What the application calls."""
        if message["type"] == "http.response.start":
            message = {**message, "headers": paired(message.get("headers", ()))}
            if response_skip(message["status"], message["headers"]) is None:
                self._start = message
                self._ends = asyncio.get_running_loop().time() + self._settings.buffer_seconds
            else:
                await self._send({**message, "headers": _private(message["headers"])})
        elif message["type"] == "http.response.body" and self._start is not None:
            await self._body(self._start, message.get("body", b""), message.get("more_body", False))
        else:
            await self._send(message)

    async def _body(self, start: Message, chunk: bytes, more: bool) -> None:
        self._chunks.append(chunk)
        self._size += len(chunk)
        late = asyncio.get_running_loop().time() > self._ends
        if more and not late and self._size <= self._settings.max_page_bytes:
            return
        body, headers = b"".join(self._chunks), _private(start["headers"])
        self._start = None
        if not more and (made := await self._made(start, body)) is not None:
            headers = [(name, value) for name, value in headers if name.lower() not in _OF_BYTES]
            headers.append((b"content-length", b"%d" % len(made)))
            body = made
            start.pop("trailers", None)
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _made(self, start: Message, body: bytes) -> bytes | None:
        """The page with its account; None where it passes as it is."""
        job = self._pool.submit(lambda: self._drawn(start, body))
        if job is None:
            return None
        try:
            return await asyncio.wait_for(asyncio.wrap_future(job), self._settings.rewrite_seconds)
        except TimeoutError:
            return None
        except Exception:  # whatever goes wrong, the person gets the page
            log.exception("the account of %r could not be drawn", self._url[:200])
            return None

    def _drawn(self, start: Message, body: bytes) -> bytes | None:
        html: bytes | Skip = body
        for coding in reversed(content_codings(start["headers"])):
            html = decode(html, coding, self._settings.max_page_bytes) if isinstance(html, bytes) else html
        if isinstance(html, Skip):
            return None
        fetched = Fetched(self._url, start["status"], tuple(start["headers"]), html)
        work = decide(html, self._url, self._book, fetched)
        if work.encoding is None:
            return None
        return live_page(work, account_of(self._url, work), self._styles(start["headers"], work))

    def _styles(self, headers: RawHeaders, work: Work) -> str:
        """The markup that brings the styles of the marks, as the page's policy has it."""
        facts = work.result.page.facts if isinstance(work.result, Rewritten) else None
        policies = Csp.parse(tuple(values(headers, b"content-security-policy")), facts.csp if facts else ())
        verdict = policies.style((facts.nonce,) if facts and facts.nonce else ())
        policy = work.choice.policy
        if verdict.kind == "linked" and policy is not None:
            href = f"{self._settings.prefix}explain-{policy.revision}.css"
            return f'<link data-adproxy="explain" rel="stylesheet" href="{escape(href)}">'
        nonce = f' nonce="{escape(verdict.nonce)}"' if verdict.nonce else ""
        return f'<style data-adproxy="explain"{nonce}>{styles_of(policy)}</style>'


def _private(headers: RawHeaders) -> HeaderList:
    """The headers of an answer that nobody may keep."""
    return [*((name, value) for name, value in headers if name.lower() not in _OF_CACHES), *_OURS]
