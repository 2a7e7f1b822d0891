"""The command line as a whole: its commands register here; errors become messages and exit codes.

0 fine, 1 the input is wrong (stderr says what, where and what to do), 2 misuse.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from adproxy import __version__, plan
from adproxy.errors import AdproxyError
from adproxy.page import scan, walk

app = typer.Typer(
    name="adproxy",
    help="Places ad slots in article pages by rules written in YAML, and leaves every byte of the page as it was.",
    no_args_is_help=True,
    add_completion=False,
    # plain help: it is read in logs and pipes too, and square brackets in examples are no markup
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

RulesOption = Annotated[Path, typer.Option("--rules", metavar="R", help="A rules file, or a directory of them.")]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends in `SystemExit`. `arguments`: None takes those of the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # pages hold characters that a terminal's encoding may lack
            stream.reconfigure(errors="replace")
    try:
        app(args=arguments)
    except AdproxyError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        typer.echo(f"{named}{error.strerror or error}", err=True)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        how = "compiled code" if scan.IS_COMPILED else "Python"
        if scan.IS_COMPILED and not walk.IS_COMPILED:
            how += ", and searched by Python: the compiled search does not know this parser"
        if scan.IS_COMPILED and str(plan.__file__).endswith(".py"):
            how += ", and judged by Python: mypyc refused the sources"
        typer.echo(f"adproxy {__version__} (pages are scanned by {how})")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass
