"""Who may use the console: a token, or a server in front that has asked people who they are.

Where the office listens on loopback only, and nobody set anything up, whoever is on the machine may. Beyond loopback a
token is needed; where none was given, one is made and kept in the state directory. What monitoring asks for (metrics,
health, readiness) is not behind this.

A session is a cookie that this token signed: nothing is kept, a restart ends no session, another token ends them all.
No cookie is sent along from another site (SameSite=Strict), and what is posted must say that it comes from our own
pages, so nobody else's page can act for a person who is logged in. On loopback without a token the name that was asked
for must be the machine's own, or a page could reach us under a name that it lets point here (DNS rebinding).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
import re
import time
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adproxy.console.pages import HEADERS
from adproxy.errors import SettingsError
from adproxy.peers import Peers, parse
from adproxy.signing_keys import make_secret

COOKIE = "adproxy_console"
SESSION_SECONDS = 12 * 3600
"""A working day and a bit."""
MIN_TOKEN = 20
"""Characters: too many to be tried out over the network, so that nobody has to be locked out."""
FILE_NAME = "office-token"
_AFTER_LOGIN = re.compile(r"(?:preview|rules|try)?(?:\?[!\"$-\[\]-~]*)?")
"""Where a login may lead: our own pages, whatever stands behind them."""


class Access:
    """`token`: None where none is asked for. `front`: the name of the field by which a trusted server says who it let
    in, and which servers are trusted."""

    def __init__(self, token: str | None = None, front: tuple[str, Peers] | None = None) -> None:
        self._token = token
        self._front = front

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked who they are."""
        return self._token is None and self._front is None

    @property
    def takes_token(self) -> bool:
        return self._token is not None

    def lets_in(self, request: Request) -> bool:
        """Whether a request comes from somebody who may use the console."""
        if self.is_open:
            return _is_own_name(request.headers.get("host", ""))
        if self._front is not None:
            field, peers = self._front
            client = request.client
            if (client is None or peers.trust(parse(client.host))) and request.headers.get(field):
                return True
        if self._token is None:
            return False
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.is_token(given.strip())
        return any(self._is_session(value) for value in _cookies(request, COOKIE))

    def is_token(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode(), self._token.encode())

    def session(self) -> str:
        """The value of a new session's cookie."""
        ends = str(int(time.time()) + SESSION_SECONDS)
        return f"{ends}.{self._signature(ends)}"

    def _is_session(self, value: str) -> bool:
        ends, _, signature = value.partition(".")
        # the signature first: only then is the rest ours, and a number
        return hmac.compare_digest(signature.encode(), self._signature(ends).encode()) and int(ends) > time.time()

    def _signature(self, ends: str) -> str:
        return hmac.new((self._token or "").encode(), b"adproxy console\0" + ends.encode(), hashlib.sha256).hexdigest()


class Guard:
    """ASGI: lets nobody through to the console who may not use it."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # only requests lead anywhere behind this
        refused = self._refused(Request(scope, receive)) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)

    def _refused(self, request: Request) -> Response | None:
        if not self._access.lets_in(request):
            if self._access.is_open:
                advice = (
                    "Open the console by the machine's own name, as http://127.0.0.1 with its port; where it is to be "
                    "reached by another name, set ADPROXY_OFFICE_TOKEN or ADPROXY_OFFICE_FRONT_FIELD.\n"
                )
                return PlainTextResponse(advice, 421, HEADERS)
            if not self._access.takes_token:
                return PlainTextResponse("Log in at the server in front of the console.\n", 403, HEADERS)
            if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
                return Response(status_code=303, headers={**HEADERS, "Location": _login_from(request)})
            return PlainTextResponse(
                "The console asks for its token: Authorization: Bearer …\n",
                401,
                {**HEADERS, "WWW-Authenticate": 'Bearer realm="adproxy"'},
            )
        if request.method not in ("GET", "HEAD") and not is_from_ourselves(request):
            return PlainTextResponse("This was not sent by a page of the console.\n", 403, HEADERS)
        return None


def is_from_ourselves(request: Request) -> bool:
    """Whether a request was sent by one of our own pages. Browsers say so in one of two fields; whoever sends neither
    is no browser, and needs the token in a field that no page of another site can set."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
    return request.headers.get("authorization") is not None


def is_asked_for(request: Request) -> bool:
    """Whether a GET was meant by the person who sits there, and is no link or picture in somebody else's page."""
    return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def after_login(wanted: str) -> str:
    """Where to go after a login: `wanted` if that is one of our pages, relative to the login's own address."""
    return f"./{wanted}" if _AFTER_LOGIN.fullmatch(wanted) else "./"


def cookie_of(access: Access, request: Request) -> str:
    """The field that begins a session."""
    # whoever claims https without having it shuts out only themselves
    is_https = request.scope["scheme"] == "https" or request.headers.get("x-forwarded-proto") == "https"
    secure = "; Secure" if is_https else ""
    path = request.scope.get("root_path", "").rstrip("/") + "/"
    return f"{COOKIE}={access.session()}; Max-Age={SESSION_SECONDS}; Path={path}; HttpOnly; SameSite=Strict{secure}"


def access_for(host: str, token: str, token_file: Path | None, front: tuple[str, Peers] | None, state: Path) -> Access:
    """Who may use a console that listens on `host`. `token`, `token_file`: as they were set, if they were; `state`:
    where a token that nobody set is kept. Raises `SettingsError`, which shows no token."""
    if token:
        return Access(_checked(token, "office_token"), front)
    if token_file is not None:
        return Access(_checked(_read(token_file), str(token_file)), front)
    if front is not None or _is_loopback(host):
        return Access(None, front)
    kept = state / FILE_NAME
    try:
        with contextlib.suppress(FileExistsError):
            make_secret(kept)
    except OSError as error:
        raise SettingsError(f"can't keep the console's token in {state}: {error.strerror}") from error
    return Access(_checked(_read(kept), str(kept)))


def _login_from(request: Request) -> str:
    # every page is beside the login, so an address relative to it is right wherever the console is mounted
    query = request.scope["query_string"].decode("latin-1")
    wanted = request.scope["path"].rpartition("/")[2] + (f"?{query}" if query else "")
    return f"login?{wanted}" if wanted and _AFTER_LOGIN.fullmatch(wanted) else "login"


def _cookies(request: Request, name: str) -> list[str]:
    found = []
    for header in request.headers.getlist("cookie"):
        for part in header.split(";"):
            with contextlib.suppress(CookieError):
                parsed = SimpleCookie(part.strip())
                found += [parsed[name].value] if name in parsed else []
    return found


def _is_own_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return _is_loopback(name)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(token: str, where: str) -> str:
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise SettingsError(
            f"{where}: found {len(token)} characters; expected at least {MIN_TOKEN} of ASCII without blanks, as "
            "`openssl rand -hex 32` prints them"
        )
    return token


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"can't read the console's token in {file}: {reason}") from error
