"""Preview: a page of the site, or one that was pasted, with its slots, and the rules beside it to be changed.

A page is opened by its address (a GET that a person asked for, never a link in somebody else's page) or handed over (a
POST); then it stays on a shelf for a while, so that each edit of the rules is planned at once, on the same bytes. The
copy to look at has an address of its own, whose policy makes it inert: no scripts, no origin, no forms.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from adproxy.console.access import is_asked_for
from adproxy.console.desk import RulesText, rule_set_of
from adproxy.console.pages import HEADERS, WITH_FORMS, page, part
from adproxy.console.preview import Opened, Preview, preview
from adproxy.console.site import page_address
from adproxy.console.workshop import Busy, Workshop, body_of, form_of, home_of
from adproxy.debug_links import debug_link
from adproxy.errors import PageError, Problem, RulesError
from adproxy.page_source import Fetched
from adproxy.rules.match import find_rule_set

MAX_UPLOAD = 2 << 20
"""Bytes: what adproxy would rewrite by default."""
INERT = {
    **HEADERS,
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; img-src * data: blob:; media-src * data: blob:; font-src * data:; "
        "style-src * 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'"
    ),
}
"""On the copy of a page. Its pictures and style sheets may come from wherever the page has them."""
WITH_FRAME = {
    **WITH_FORMS,
    "Content-Security-Policy": WITH_FORMS["Content-Security-Policy"] + "; frame-src 'self'",
}


class _Shown(NamedTuple):
    """What the answer to one request is made of."""

    key: str
    """Of the opened page on its shelf; empty where there is none."""
    url: str
    """What stands in the field for the address."""
    text: RulesText
    content: str
    problem: str = ""
    """Why there is no page."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the edited rules."""
    preview: Preview | None = None
    frame: str = ""
    """The address of the copy."""
    note: str = ""
    """That these rules are not those which the address gets."""
    busy: bool = False
    live: str = ""
    """The way to the live page with its account on it; empty where there is none."""


class PreviewPages:
    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop

    def routes(self) -> list[Route]:
        return [
            Route("/preview", self.show, methods=["GET"]),
            Route("/preview", self.plan, methods=["POST"]),
            Route("/preview/open", self.paste, methods=["POST"]),
            Route("/preview/upload", self.upload, methods=["POST"]),
            Route("/preview/live", self.live, methods=["GET"]),
            Route("/preview/page/{key}", self.copy, methods=["GET"]),
        ]

    # --- opening a page -------------------------------------------------------------------

    async def show(self, request: Request) -> Response:
        """The page itself; with an address in its query, that page is opened."""
        asked = request.query_params
        key, url, device = asked.get("page", ""), asked.get("url", "").strip(), asked.get("device", "")
        opened = self._shop.pages.get(key) if key else None
        problem = ""
        if opened is None and url and is_asked_for(request):
            try:
                opened = await self._shop.fetch(url)
                key = self._shop.pages.put(opened, opened.size)
            except PageError as error:
                problem = str(error)
        elif opened is None and key:
            problem = "That page is no longer kept here: open it again"
        host = urlsplit(opened.url).hostname or "" if opened is not None else ""
        text = self._shop.desk.text(asked.get("rules", "")) or self._shop.desk.text_for(host)
        shown = _Shown(key if opened is not None else "", url, text, text.read(), problem)
        if opened is not None:
            shown = await self._planned(shown._replace(url=url or opened.url), opened)
        return self._answer(shown, device)

    async def paste(self, request: Request) -> Response:
        """A page that was pasted; leads to where it is shown."""
        try:
            form = await form_of(request)
            html = form.get("html", "").encode()
            if not html.strip():
                raise PageError("found nothing; expected the HTML of a page")
            return self._handed(html, form.get("url", ""), "text/html; charset=utf-8")
        except PageError as error:
            text = self._shop.desk.texts()[0]
            return self._answer(_Shown("", "", text, text.read(), str(error)), "")

    async def upload(self, request: Request) -> Response:
        """A file as it is, in its own encoding; leads to where it is shown."""
        try:
            html = await body_of(request, MAX_UPLOAD)
            if not html.strip():
                raise PageError("found an empty file; expected the HTML of a page")
            return self._handed(html, request.query_params.get("url", ""), "text/html")
        except PageError as error:
            return PlainTextResponse(str(error), 400, HEADERS)

    def _handed(self, html: bytes, address: str, content_type: str) -> Response:
        url = page_address(address or "/page.html", self._shop.home)
        opened = Opened(url, html, Fetched(url, 200, ((b"content-type", content_type.encode()),), html), False)
        query = urlencode({"page": self._shop.pages.put(opened, opened.size), "url": url})
        return Response(status_code=303, headers={**HEADERS, "Location": f"../preview?{query}"})

    # --- planning -------------------------------------------------------------------------

    async def plan(self, request: Request) -> Response:
        """The same page by rules that were switched or edited. Scripts ask for its parts alone."""
        try:
            form = await form_of(request)
        except PageError as error:
            return PlainTextResponse(f"{error}\n", 413, HEADERS)
        desk = self._shop.desk
        text = desk.text(form.get("rules", "")) or desk.texts()[0]
        switched = form.get("was", text.name) != text.name
        content = form["text"] if "text" in form and not switched else text.read()
        key = form.get("page", "")
        shown = _Shown(key, form.get("url", ""), text, content)
        opened = self._shop.pages.get(key)
        if opened is not None:
            shown = await self._planned(shown, opened)
        else:
            shown = await self._checked(shown._replace(key=""))
            if key:
                shown = shown._replace(problem="That page is no longer kept here: open it again")
        if "application/json" not in request.headers.get("accept", ""):
            return self._answer(shown, form.get("device", ""))
        parts = {
            "result": part("preview_result.html", shown=shown),
            "problems": part("preview_problems.html", shown=shown),
            "frame": shown.frame,
            "content": content if switched else None,
            "broken": bool(shown.problems),
        }
        return JSONResponse(parts, 503 if shown.busy else 200, HEADERS)

    async def _checked(self, shown: _Shown) -> _Shown:
        """The rules alone, without a page."""
        try:
            await self._shop.run(lambda: self._shop.desk.tried(shown.text, shown.content))
        except RulesError as error:
            return shown._replace(problems=error.problems)
        except Busy as busy:
            return shown._replace(problem=str(busy), busy=True)
        return shown

    async def _planned(self, shown: _Shown, opened: Opened) -> _Shown:
        desk, home = self._shop.desk, opened.url

        def work() -> tuple[Preview, str]:
            whole = desk.tried(shown.text, shown.content)
            book, note = desk.as_for_any_host(whole, shown.text), ""
            mine, host = rule_set_of(whole, shown.text), urlsplit(home).hostname or ""
            by_host = find_rule_set(desk.in_force, host)
            if mine is not None and (by_host is None or by_host.file != mine.file):
                got = f"the rules in {by_host.file}" if by_host is not None else "no rules"
                note = f"As if {shown.text.title} were for this page. In fact {host} gets {got}."
            made = preview(opened, book)
            return replace(made, why=desk.short(made.why), left_alone=desk.short(made.left_alone)), desk.short(note)

        try:
            made, note = await self._shop.run(work)
        except RulesError as error:
            return shown._replace(problems=error.problems)
        except PageError as error:
            return shown._replace(problem=str(error))
        except Busy as busy:
            return shown._replace(problem=str(busy), busy=True)
        frame = f"preview/page/{self._shop.drawn.put(made.page, len(made.page), made.page)}"
        live = f"preview/live?page={shown.key}" if self._shop.keys is not None and opened.is_of_the_site else ""
        return shown._replace(preview=made, frame=frame, note=note, live=live)

    # --- answers --------------------------------------------------------------------------

    def _answer(self, shown: _Shown, device: str) -> Response:
        texts = self._shop.desk.texts()
        made = page(
            "preview.html",
            "Preview",
            shown=shown,
            own=[text for text in texts if not text.is_preset],
            presets=[text for text in texts if text.is_preset],
            device="desktop" if device == "desktop" else "phone",
            home=home_of(self._shop.desk.in_force) or self._shop.home,
            can_fetch=self._shop.site is not None,
        )
        return HTMLResponse(made, headers=WITH_FRAME)

    async def live(self, request: Request) -> Response:
        """Leads to the live page with its account on it, by a link that is good for a while."""
        opened = self._shop.pages.get(request.query_params.get("page", ""))
        if opened is None or not opened.is_of_the_site or self._shop.keys is None or not is_asked_for(request):
            return PlainTextResponse("This page is no longer kept here: open it again.\n", 404, HEADERS)
        link = debug_link(self._shop.keys, opened.url, time.time())
        return Response(status_code=303, headers={**HEADERS, "Location": link})

    async def copy(self, request: Request) -> Response:
        """The copy of a page, which does nothing."""
        drawn = self._shop.drawn.get(request.path_params["key"])
        if drawn is None:
            return PlainTextResponse("This page is no longer kept here: open it again.\n", 404, INERT)
        return HTMLResponse(drawn, headers=INERT)
