"""``adproxy measure``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adproxy.account import decide
from adproxy.cli.addresses import web_address
from adproxy.cli.app import app
from adproxy.measure import browser_of
from adproxy.measure import measure as measure_page
from adproxy.measure import told as told_measured
from adproxy.page_source import fetch
from adproxy.rules.compile import load_rules
from adproxy.rules.merge import presets_folder


@app.command()
def measure(
    url: Annotated[str, typer.Argument(metavar="URL", help="The address of an article.")],
    rules: Annotated[
        Path | None,
        typer.Option(metavar="R", help="A rules file, or a directory of them.  [default: the preset news]"),
    ] = None,
    browser: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Chromium or Chrome.  [default: the installed one]")
    ] = None,
) -> None:
    """Measure an article's layout and density in a browser.

    Opens the page with its slots as a phone and as a desktop show it, prints the lines for `layout` to paste into the
    rules, and the measured density of advertising beside the estimated one. Needs playwright and Chromium.

    \b
    Example:
      adproxy measure https://news.example/2024/05/story --rules rules/
    """
    address = web_address(url)
    book = load_rules(rules if rules is not None else presets_folder() / "news.yaml")
    fetched = fetch(address)
    work = decide(fetched.body, fetched.url, book, fetched)
    with browser_of(browser) as opened:
        seen = measure_page(opened, work, fetched)
    for line in told_measured(work, seen):
        typer.echo(line)
