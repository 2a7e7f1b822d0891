"""``adproxy check``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adproxy.account import count
from adproxy.cli.app import app
from adproxy.rules.compile import check_paths, load_rules
from adproxy.rules.public_files import public_name


@app.command()
def check(
    rules: Annotated[list[Path], typer.Argument(metavar="RULES...", help="Rules files, or directories of them.")],
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are problems too.")] = False,
) -> None:
    """Check rules: every problem with its file, line and column.

    Files for buyers that lie beside the rules (ads.txt, app-ads.txt, sellers.json) are checked with them.

    The exit code is 1 if there is one: run it before a deployment, in CI, or as a pre-commit hook. A warning says what
    can't be meant, such as a slot that is never placed, and leaves the exit code as it is.

    \b
    Example:
      adproxy check rules/
    """
    checked = check_paths(rules)
    for problem in (*checked.problems, *checked.warnings):
        typer.echo(str(problem))
    if checked.problems or (strict and checked.warnings):
        raise typer.Exit(1)
    for path in rules:
        if public_name(path.name) is not None:
            typer.echo(f"{path}: 1 file fine")
            continue
        book = load_rules(path)
        read = [Path(source.path) for source in book.files]
        own = sum(path in (file, file.parent) for file in read)
        used = f", {len(read) - own} more by 'use'" if len(read) > own else ""
        typer.echo(f"{path}: {count(own, 'file')} fine{used}")
