"""The command line, a module for each command. In the order in which the help lists them."""

from adproxy.cli import demo, serve, rewrite, explain, measure, check, show, diff, events, schema, init, doctor  # isort: skip
from adproxy.cli.app import main

__all__ = [
    "check",
    "demo",
    "diff",
    "doctor",
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
