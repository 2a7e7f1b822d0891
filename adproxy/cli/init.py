"""``adproxy init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adproxy.account import count
from adproxy.cli.addresses import web_address
from adproxy.cli.app import app
from adproxy.cli.files import write
from adproxy.cli.terminal import progress
from adproxy.site_survey import begin
from adproxy.starter import starter


@app.command()
def init(
    site: Annotated[
        str,
        typer.Option("--from", metavar="URL", help="A page of the site, best of all an article.", show_default=False),
    ],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where the rules go.  [default: stdout]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Make a rules file for a site from a look at a few of its pages.

    Reads the page, and up to seven more from the site's feeds, its site map and its links, within a minute. Finds the
    article, the sidebar, the ads and the ad technology that are there already. The file can be used as it is, and says
    in comments what it was made from.

    \b
    Example:
      adproxy init --from https://news.example/2024/05/story --out rules/news.yaml
    """
    address = web_address(site)
    if out is not None and out.exists() and not force:
        raise typer.BadParameter(f"{out} is there; name another file, or say --force", param_hint="--out")
    survey = begin(address)
    for page in progress(survey.addresses, "pages"):
        survey.look(page)
    text = starter(survey)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write(out, text.encode())
        typer.echo(f"{out}: rules for {survey.host}, from {count(len(survey.seen), 'page')}", err=True)
