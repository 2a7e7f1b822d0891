"""``adproxy doctor``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from adproxy.cli.addresses import web_address
from adproxy.cli.app import app
from adproxy.cli.terminal import paint
from adproxy.errors import SettingsError
from adproxy.explanation import Ink
from adproxy.rules.compile import load_rules

_INKS: dict[str, Ink] = {"good": "placed", "bad": "refused", "look": "title", "unknown": "faint"}


@app.command()
def doctor(
    upstream: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The site's own server, as adproxy is told.", show_default=False),
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="An article's address, as readers have it.", show_default=False)
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(metavar="R", help="The rules, to see what they do there.", show_default=False)
    ] = None,
    office: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The second listener.  [default: by the settings]", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Look at a deployment from end to end, and say what is wrong and what to do.

    The origin, whether a page of it may have slots, what readers get of it through all that stands in front, whether
    reports of browsers find their way back, the rules in force. Settings are read from the environment, as by adproxy
    serve. Changes nothing. Exit code 1 where something is wrong.

    \b
    Examples:
      adproxy doctor --upstream http://127.0.0.1:8000
      adproxy doctor --upstream http://127.0.0.1:8000 --url https://www.news.example/a/story --rules rules/
    """
    try:
        from adproxy.doctor import Patient, examine
        from adproxy.proxy_settings import ProxySettings
    except ModuleNotFoundError as missing:
        raise SettingsError(f"found no {missing.name}; expected: pip install 'adproxy[proxy]'") from missing
    settings = ProxySettings(**{"upstream": upstream} if upstream is not None else {})  # type: ignore[arg-type]
    path = rules if rules is not None else settings.rules
    patient = Patient(
        settings,
        page=web_address(url) if url is not None else None,
        office=office if office is not None else f"http://{settings.office_host}:{settings.office_port}",
        book=load_rules(path) if path is not None else None,
    )
    found = []
    for finding in examine(patient):
        found.append(finding)
        if as_json:
            continue
        typer.echo(f"{paint(f'{finding.verdict:8}', _INKS[finding.verdict])}{finding.check:16}{finding.found}")
        if finding.advice and finding.verdict != "good":
            typer.echo(f"{'':24}{paint(finding.advice, 'faint')}")
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(finding) for finding in found], ensure_ascii=False, indent=2))
    raise typer.Exit(int(any(finding.verdict == "bad" for finding in found)))
