"""The command line, a module for each command. In the order in which the help lists them."""

from adproxy.cli import demo, serve, rewrite, explain, measure, check, show, diff, events, schema, init  # isort: skip
from adproxy.cli.app import main

__all__ = [
    "check",
    "demo",
    "diff",
    "events",
    "explain",
    "init",
    "main",
    "measure",
    "rewrite",
    "schema",
    "serve",
    "show",
]
