"""``adproxy schema``."""

from __future__ import annotations

import json

import typer

from adproxy.cli.app import app
from adproxy.rules.reference import json_schema


@app.command()
def schema() -> None:
    """Print the JSON Schema of rules files, for editors.

    With it an editor completes and checks the rules while you type; their first line names the file it is saved to.

    \b
    Example:
      adproxy schema > rules.schema.json
      # yaml-language-server: $schema=rules.schema.json
    """
    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
