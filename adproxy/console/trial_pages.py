"""Try a change: the rules in force against edited ones, over recent pages of the site, before anything is live."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from adproxy.comparison import breaks
from adproxy.console.desk import RulesText
from adproxy.console.pages import HEADERS, WITH_FORMS, page
from adproxy.console.shelf import Shelf
from adproxy.console.site import page_address
from adproxy.console.trial import FIND_PAGES, MAX_PAGES, Trial, run
from adproxy.console.workshop import Busy, Workshop, form_of
from adproxy.errors import PageError, Problem, RulesError
from adproxy.rewrite_pool import RewritePool

AT_ONCE = 1
MAX_WAITING = 3
"""Trials, the one that runs included."""


@dataclass(frozen=True, slots=True)
class _Form:
    """What the form shows."""

    text: RulesText
    content: str
    addresses: str = ""
    problem: str = ""
    problems: tuple[Problem, ...] = ()


class TrialPages:
    """Belongs to one event loop."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._trials: Shelf[Trial] = Shelf(most=20, max_bytes=32 << 20, seconds=3600)
        self._live: list[Trial] = []
        self._pool = RewritePool(AT_ONCE, MAX_WAITING)

    def routes(self) -> list[Route]:
        return [
            Route("/try", self.show, methods=["GET"]),
            Route("/try", self.start, methods=["POST"]),
            Route("/try/progress/{key}", self.progress, methods=["GET"]),
        ]

    def close(self) -> None:
        for trial in self._live:
            trial.given_up.set()
        self._pool.close()

    async def show(self, request: Request) -> Response:
        asked = request.query_params
        desk, key = self._shop.desk, asked.get("trial", "")
        trial = self._trials.get(key) if key else None
        text = desk.text(trial.name if trial is not None else asked.get("rules", "")) or desk.texts()[0]
        if trial is not None:
            form = _Form(text, trial.text, "\n".join(trial.addresses))
        else:
            form = _Form(text, text.read(), problem="That trial is no longer kept here: try again" if key else "")
        return self._answer(form, trial, key)

    async def start(self, request: Request) -> Response:
        try:
            fields = await form_of(request)
        except PageError as error:
            return PlainTextResponse(f"{error}\n", 413, HEADERS)
        desk = self._shop.desk
        text = desk.text(fields.get("rules", "")) or desk.texts()[0]
        switched = fields.get("was", text.name) != text.name
        content = text.read() if switched else fields.get("text", "")
        form = _Form(text, content, fields.get("addresses", ""))
        if switched:
            return self._answer(form, None, "")
        try:
            key = await self._start(form)
        except RulesError as error:
            return self._answer(_Form(text, content, form.addresses, problems=error.problems), None, "")
        except (PageError, Busy) as error:
            return self._answer(_Form(text, content, form.addresses, problem=str(error)), None, "")
        return Response(status_code=303, headers={**HEADERS, "Location": f"try?trial={key}"})

    async def _start(self, form: _Form) -> str:
        site, desk = self._shop.site, self._shop.desk
        if site is None:
            raise PageError("This adproxy has no site of which it could fetch pages")
        home = self._shop.home
        addresses = tuple(page_address(line, home) for line in form.addresses.splitlines() if line.strip())
        if len(addresses) > MAX_PAGES:
            raise PageError(f"found {len(addresses)} addresses; expected at most {MAX_PAGES}")
        old = desk.in_force
        new = await self._shop.run(lambda: desk.tried(form.text, form.content))
        if form.text.is_preset:
            new = desk.as_for_any_host(new, form.text)
        trial = Trial(form.text.name, form.content, addresses)
        loop = asyncio.get_running_loop()
        begun = self._pool.submit(lambda: run(trial, old, new, site, home, loop))
        if begun is None:
            raise Busy("Other trials are running; try again in a minute")
        self._live = [other for other in self._live if not other.is_over] + [trial]
        return self._trials.put(trial, len(form.content) + 100_000)

    async def progress(self, request: Request) -> Response:
        """How far a trial is, for the page that waits for it."""
        trial = self._trials.get(request.path_params["key"])
        if trial is None:
            return JSONResponse({"over": True, "told": ""}, headers=HEADERS)
        return JSONResponse(
            {"over": trial.is_over, "done": trial.done, "of": trial.of, "told": told(trial)}, headers=HEADERS
        )

    def _answer(self, form: _Form, trial: Trial | None, key: str) -> Response:
        texts = self._shop.desk.texts()
        comparison = trial.comparison if trial is not None else None
        compared = comparison["pages"] if comparison is not None else []
        made = page(
            "try.html",
            "Try a change",
            form=form,
            own=[text for text in texts if not text.is_preset],
            presets=[text for text in texts if text.is_preset],
            trial=trial,
            key=key,
            told=told(trial) if trial is not None else "",
            comparison=comparison,
            changed=[each for each in compared if each["changed"]],
            same=[each for each in compared if not each["changed"]],
            wrong=comparison is not None and breaks(comparison),
            home=self._shop.home,
            can_fetch=self._shop.site is not None,
            most=MAX_PAGES,
            found=FIND_PAGES,
        )
        return HTMLResponse(made, headers=WITH_FORMS)


def told(trial: Trial) -> str:
    """How far it is, for people."""
    if trial.is_over:
        return "Done"
    if not trial.of:
        return "Looking for recent pages"
    return f"{trial.done} of {trial.of} pages"
