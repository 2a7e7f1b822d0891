"""``adproxy rewrite``."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from adproxy.account import count, decide
from adproxy.cli.addresses import address_of, home, web_address
from adproxy.cli.app import RulesOption, app
from adproxy.cli.files import pages_below, write
from adproxy.cli.terminal import clear, progress
from adproxy.errors import PageError
from adproxy.memory import keep_freed_memory
from adproxy.model import Skip
from adproxy.page_source import read
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import RuleBook


@app.command()
def rewrite(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A page, or a directory of *.html and *.htm.")],
    rules: RulesOption,
    out: Annotated[
        Path | None, typer.Option(metavar="OUT_DIR", help="Where pages go, under the same names. A page: or stdout.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address of the page, or what a directory's names are put behind."),
    ] = None,
) -> None:
    """Put the slots into saved pages.

    Pages that are left alone come out unchanged. The address decides which rules a page gets: by default the first
    host of the rules, then the file's name.

    \b
    Examples:
      adproxy rewrite --rules rules/ page.html > with-slots.html
      adproxy rewrite --rules rules/ --url https://news.example/ saved/ --out with-slots/
    """
    book = load_rules(rules)
    if source.is_dir():
        if out is None:
            raise typer.BadParameter("a directory needs one: where shall the pages go?", param_hint="--out")
        if out.resolve() == source.resolve():
            raise typer.BadParameter("is the directory that is read; name another one", param_hint="--out")
        base = web_address(url) if url is not None else home(book)
        _rewrite_directory(source, out, base, book)
        return
    address = web_address(url) if url is not None else address_of(source.name, home(book))
    work = decide(read(source), address, book)
    if out is None:
        sys.stdout.buffer.write(work.body)
        sys.stdout.buffer.flush()
    else:
        write(out / source.name, work.body)
    typer.echo(f"{source}: {work.summary}", err=True)


def _rewrite_directory(source: Path, out: Path, base: str, book: RuleBook) -> None:
    names = list(pages_below(source, out))
    if not names:
        raise PageError(f"{source}: found no page; expected files that end in .html or .htm")
    keep_freed_memory()
    skipped: Counter[str] = Counter()
    slots: Counter[str] = Counter()
    for name in progress(names, "pages"):
        work = decide(read(source / name), address_of(name, base), book)
        write(out / name, work.body)
        if isinstance(work.result, Skip):
            skipped[work.result.reason.value] += 1
            if work.result.fail_open:
                clear()
                typer.echo(f"{source / name}: {work.summary}", err=True)
        else:
            slots.update(placement.slot for placement in work.result.plan.placements)
    typer.echo(f"{count(len(names), 'page')}: {len(names) - skipped.total()} rewritten", err=True)
    for label, counts in (("left alone", skipped), ("slots placed", slots)):
        parts = ", ".join(f"{key} {number}" for key, number in counts.most_common())
        typer.echo(f"{label}: {counts.total()}{f' ({parts})' if parts else ''}", err=True)
