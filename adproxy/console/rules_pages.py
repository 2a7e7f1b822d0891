"""Rules: which files are in force since when, what is wrong with the last edit, what one address gets and why."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from adproxy.console.excerpts import Explained, Line, excerpt, explained, text_of
from adproxy.console.pages import HEADERS, WITH_FORMS, age, page
from adproxy.console.site import page_address
from adproxy.console.workshop import Workshop, form_of
from adproxy.errors import PageError
from adproxy.live_rules import LiveStatus
from adproxy.rules.match import choose, describe_policy, find_page, find_rule_set
from adproxy.rules.merge import presets_folder
from adproxy.rules.reference import json_schema
from adproxy.rules.ruleset import PageRule, RuleBook

MAX_SHOWN = 20
"""Problems that are shown; they are mended one after the other."""


class FileInForce(NamedTuple):
    name: str
    sha256: str
    role: str
    """What it is for."""
    lines: tuple[str, ...]


class Entry(NamedTuple):
    """One line of `pages`."""

    glob: str
    where: str
    gives: str
    holds: bool
    """Whether it is the one that decides."""


class Value(NamedTuple):
    key: str
    value: str
    origin: str
    kind: str
    """own, preset or default: for whoever looks for what the site says itself."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one address gets."""

    url: str
    host: str
    path: str
    why: str
    has_ads: bool
    rule_set: str
    """Its file; empty where none is for the host."""
    by: str
    """Why it is that rule set."""
    entries: tuple[Entry, ...]
    lines: tuple[Line, ...]
    """The line of `pages` that decides, in its context."""
    values: tuple[Value, ...]


class RulesPages:
    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop

    def routes(self) -> list[Route]:
        return [
            Route("/rules", self.show, methods=["GET"]),
            Route("/rules/download", self.download, methods=["POST"]),
            Route("/rules.schema.json", self.schema, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        url = request.query_params.get("url", "").strip()
        live = self._shop.live_rules
        status = live.status() if live is not None else None
        desk, home = self._shop.desk, self._shop.home
        book = desk.in_force

        def draw() -> str:
            asked, problem = None, ""
            try:
                asked = asked_of(book, page_address(url, home)) if url else None
            except PageError as error:
                problem = str(error)
            return page(
                "rules.html",
                "Rules",
                status=status,
                age=age(status.loaded_at, time.time()) if status is not None and status.loaded_at is not None else "",
                files=files_in_force(book, status) if status is not None else (),
                rule_sets=book.rule_sets,
                problems=_problems(status),
                url=url,
                home=home,
                asked=asked,
                problem=problem,
                short=desk.short,
            )

        return HTMLResponse(await run_in_threadpool(draw), headers=WITH_FORMS)

    async def download(self, request: Request) -> Response:
        """A text that was edited here, back as a file: nothing is kept."""
        try:
            form = await form_of(request)
        except PageError as error:
            return PlainTextResponse(f"{error}\n", 413, HEADERS)
        text = self._shop.desk.text(form.get("rules", "")) or self._shop.desk.texts()[0]
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{_file_name(text.path)}"'}
        return Response(form.get("text", "").encode(), media_type="application/yaml", headers=headers)

    async def schema(self, _: Request) -> Response:
        return JSONResponse(await run_in_threadpool(json_schema), headers=HEADERS)


def _problems(status: LiveStatus | None) -> tuple[Explained, ...]:
    return explained(status.problems[:MAX_SHOWN]) if status is not None else ()


def _file_name(path: Path) -> str:
    """A name that can stand in a field of the answer."""
    kept = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in path.name)
    return kept.lstrip(".") or "rules.yaml"


def files_in_force(book: RuleBook, status: LiveStatus) -> tuple[FileInForce, ...]:
    """The files that the rules were read from, with what each is for."""
    sets = {rule_set.file: rule_set for rule_set in book.rule_sets}
    presets = presets_folder().resolve()
    made = []
    for source in status.files:
        rule_set = sets.get(source.path)
        if rule_set is not None:
            role = f"rules of {rule_set.site}, for {', '.join(rule_set.hosts) or 'any host'}"
        elif Path(source.path).resolve().parent == presets:
            role = "a preset, used by the others"
        else:
            role = "used by the others"
        made.append(FileInForce(source.path, source.sha256, role, tuple(text_of(source.path).splitlines())))
    return tuple(sorted(made, key=lambda file: (file.name not in sets, file.name)))


def asked_of(book: RuleBook, url: str) -> Asked:
    """What the rules say of an absolute address."""
    parts = urlsplit(url)
    host, path = parts.netloc, parts.path or "/"
    choice = choose(book, host, path)
    rule_set = find_rule_set(book, host)
    holds = find_page(rule_set, path) if rule_set is not None else None
    entries = rule_set.pages if rule_set is not None else ()
    if holds is not None and holds not in entries:
        entries = (holds, *entries)
    file, _, line = holds.where.rpartition(":") if holds is not None else ("", "", "")
    return Asked(
        url=url,
        host=host,
        path=unquote(path),
        why=choice.why,
        has_ads=choice.policy is not None,
        rule_set=rule_set.file if rule_set is not None else "",
        by="" if rule_set is None else _by(rule_set.hosts, parts.hostname or ""),
        entries=tuple(_entry(entry, entry is holds) for entry in entries),
        lines=excerpt(text_of(file), int(line)) if line.isdecimal() else (),
        values=tuple(_value(*shown) for shown in describe_policy(book, url)),
    )


def _by(hosts: tuple[str, ...], host: str) -> str:
    if not hosts:
        return "it is for all hosts that no other file names"
    return f"it names the host {host}" if host in hosts else f"of {', '.join(hosts)} one stands for {host}"


def _entry(entry: PageRule, holds: bool) -> Entry:
    return Entry(entry.glob, entry.where, "ads" if entry.policy is not None else "no ads", holds)


def _value(key: str, value: str, origin: str) -> Value:
    presets = str(presets_folder())
    kind = "default" if origin in ("default", "computed") else "preset" if origin.startswith(presets) else "own"
    return Value(key, value, Path(origin).name if kind == "preset" else origin, kind)
