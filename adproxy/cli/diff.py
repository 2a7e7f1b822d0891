"""``adproxy diff``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from adproxy.cli.addresses import address_of, home, is_web_address, web_address
from adproxy.cli.app import app
from adproxy.cli.files import pages_below
from adproxy.cli.terminal import paint, progress
from adproxy.comparison import Sample, breaks, compare
from adproxy.comparison_markdown import markdown
from adproxy.comparison_text import told
from adproxy.errors import PageError
from adproxy.memory import keep_freed_memory
from adproxy.page_source import fetch, read
from adproxy.rules.compile import load_rules


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The rules as they are: a file, or a directory.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The rules as they shall be.")],
    pages: Annotated[
        list[str], typer.Argument(metavar="PAGES...", help="Saved pages, directories of them, or addresses.")
    ],
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="What the names of saved pages are put behind.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="For a comment on a pull request.")] = False,
) -> None:
    """Say what a change of the rules does to pages.

    Slots gained, lost and moved, page by page and in sum, and the density of advertising before and after. The exit
    code is 1 if a page breaks a limit of the new rules: its own ads alone are more than they allow.

    \b
    Examples:
      adproxy diff rules/ edited/ saved/
      adproxy diff rules/ edited/ https://news.example/2024/05/story --markdown
    """
    if as_json and as_markdown:
        raise typer.BadParameter("is one of the two; the other is --json", param_hint="--markdown")
    keep_freed_memory()
    before, after = load_rules(old), load_rules(new)
    base = web_address(url) if url is not None else home(after)
    named = list(_named(pages, base))
    reader = _Reader()
    comparison = compare(before, after, reader.samples(named), reader.unread)
    if as_json:
        typer.echo(json.dumps(comparison, ensure_ascii=False, indent=2))
    elif as_markdown:
        typer.echo(markdown(comparison), nl=False)
    else:
        for line in told(comparison, paint):
            typer.echo(line)
    if breaks(comparison):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Named:
    """A page that is to be read."""

    name: str
    url: str
    file: Path | None
    """None: to be fetched."""


def _named(pages: list[str], base: str) -> Iterator[_Named]:
    for page in pages:
        if is_web_address(page):
            yield _Named(page, web_address(page), None)
        elif (folder := Path(page)).is_dir():
            found = [_Named(str(folder / name), address_of(name, base), folder / name) for name in pages_below(folder)]
            if not found:
                raise PageError(f"{page}: found no page; expected files that end in .html or .htm")
            yield from found
        else:
            yield _Named(page, address_of(Path(page).name, base), Path(page))


@dataclass(slots=True)
class _Reader:
    """Reads one page after the other; one that can't be had costs only itself."""

    unread: list[str] = field(default_factory=list)

    def samples(self, named: list[_Named]) -> Iterator[Sample]:
        for page in progress(named, "pages"):
            try:
                if page.file is not None:
                    sample = Sample(page.name, page.url, read(page.file))
                else:
                    fetched = fetch(page.url)
                    sample = Sample(page.name, fetched.url, fetched.body, fetched)
            except PageError as error:
                self.unread.append(str(error))
                continue
            yield sample
