"""``adproxy show``."""

from __future__ import annotations

from typing import Annotated

import typer

from adproxy.account import choose_by_url
from adproxy.cli.addresses import web_address
from adproxy.cli.app import RulesOption, app
from adproxy.rules.compile import load_rules
from adproxy.rules.match import describe_policy


@app.command()
def show(
    url: Annotated[str, typer.Argument(metavar="URL", help="The address of a page; it is not fetched.")],
    rules: RulesOption,
) -> None:
    """Print the rules that hold for one page.

    They are merged from presets and files; each value stands with the file and line that it comes from.

    \b
    Example:
      adproxy show https://news.example/2024/05/story --rules rules/
    """
    address = web_address(url)
    book = load_rules(rules)
    choice = choose_by_url(book, address)
    typer.echo(f"# {choice.why}")
    if choice.policy is None:
        return
    described = describe_policy(book, address)
    widths = [max((len(row[column]) for row in described), default=0) for column in (0, 1)]
    for key, value, origin in described:
        typer.echo(f"{key:<{widths[0]}}  {value:<{min(widths[1], 40)}}  {origin}".rstrip())
