"""``adproxy demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adproxy.cli.app import app


@app.command()
def demo(
    host: Annotated[str, typer.Option(help="Address that the site listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the site; 0: any free one.")] = 8080,
    office_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of metrics and status, on 127.0.0.1.")
    ] = 8081,
    rules: Annotated[
        Path | None, typer.Option(metavar="R", help="Rules to try out in place of the demo's own.", show_default=False)
    ] = None,
) -> None:
    """Serve a small built-in news site with its ad slots.

    Nothing else is needed: no site, no ad server, no network. It says what to look at; Ctrl-C ends it.

    \b
    Example:
      adproxy demo --port 8080
    """
    from adproxy.demo.run import RULES  # needs a web server, which the other commands do without
    from adproxy.demo.run import main as serve

    serve(host=host, port=port, office_port=office_port, rules=rules if rules is not None else RULES)
