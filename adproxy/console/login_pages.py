"""Login: the token in, a session out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from adproxy.console.access import Access, after_login, cookie_of, is_from_ourselves
from adproxy.console.pages import HEADERS, WITH_FORMS, page
from adproxy.console.workshop import body_of, fields_of
from adproxy.errors import PageError

MAX_BYTES = 4096
"""Of what is posted: a token and where to go."""


class LoginPages:
    def __init__(self, access: Access) -> None:
        self._access = access

    def routes(self) -> list[Route]:
        return [
            Route("/login", self.show, methods=["GET"]),
            Route("/login", self.enter, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        return self._page(request.scope["query_string"].decode("latin-1"), "")

    async def enter(self, request: Request) -> Response:
        if not is_from_ourselves(request):
            return PlainTextResponse("This was not sent by the console's own page.\n", 403, HEADERS)
        try:
            fields = fields_of(await body_of(request, MAX_BYTES))
        except PageError as error:
            return PlainTextResponse(f"{error}\n", 413, HEADERS)
        wanted = fields.get("wanted", "")
        if not self._access.is_token(fields.get("token", "").strip()):
            return self._page(wanted, "That is not the token. It is in the file that adproxy named when it started.")
        headers = {**HEADERS, "Location": after_login(wanted), "Set-Cookie": cookie_of(self._access, request)}
        return Response(status_code=303, headers=headers)

    def _page(self, wanted: str, problem: str) -> Response:
        made = page("login.html", "Log in", wanted=wanted, problem=problem)
        return HTMLResponse(made, 403 if problem else 200, WITH_FORMS)
