"""``adproxy explain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from adproxy.account import account_of, decide
from adproxy.cli.addresses import address_of, home, is_web_address, web_address
from adproxy.cli.app import RulesOption, app
from adproxy.cli.files import write
from adproxy.cli.terminal import paint
from adproxy.errors import PageError
from adproxy.explanation import told
from adproxy.marked_page import marked_page
from adproxy.model import Skip
from adproxy.page_source import fetch, read
from adproxy.rules.compile import load_rules


@app.command()
def explain(
    page: Annotated[str, typer.Argument(metavar="PAGE|URL", help="A saved page, or an address that is fetched.")],
    rules: RulesOption,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The address of a saved page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="OUT.html", help="Write the page with all of it marked on it.")
    ] = None,
) -> None:
    """Say for each slot where it is placed, or why not.

    Shows the article as adproxy reads it, block by block, and between the blocks each candidate position: taken, or the
    rule that refused it, what it needed, what was found, and because of what. Then the slots that have a place of their
    own, and the density of advertising on phones and desktops.

    \b
    Examples:
      adproxy explain --rules rules/ page.html
      adproxy explain --rules rules/ page.html --html marked.html
      adproxy explain --rules rules/ https://news.example/2024/05/story --json
    """
    book = load_rules(rules)
    if is_web_address(page):
        if url is not None:
            raise typer.BadParameter("is for saved pages only; the page has an address", param_hint="--url")
        fetched = fetch(web_address(page))
        work = decide(fetched.body, fetched.url, book, fetched)
        base = fetched.url
    else:
        address = web_address(url) if url is not None else address_of(Path(page).name, home(book))
        work = decide(read(Path(page)), address, book)
        base = url if url is not None else Path(page).resolve().as_uri()
    account = account_of(page, work)
    if html is not None:
        if html.resolve() == Path(page).resolve():
            raise typer.BadParameter("is the page that is read; name another file", param_hint="--html")
        if isinstance(work.result, Skip):
            raise PageError(f"{html}: not written; {page} is {work.summary}, so there is nothing to mark")
        write(html, marked_page(work, account, base))
    if as_json:
        typer.echo(json.dumps(account, ensure_ascii=False, indent=2))
    else:
        for line in told(account, paint):
            typer.echo(line)
