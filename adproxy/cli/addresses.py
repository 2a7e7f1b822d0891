"""The addresses of pages: given, or guessed for those that were saved."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, urlsplit

import typer

from adproxy.rules.ruleset import RuleBook


def home(book: RuleBook) -> str:
    """The address that saved pages without one are taken to come from."""
    hosts = [host for rule_set in book.rule_sets for host in rule_set.hosts]
    return f"http://{hosts[0].replace('*.', 'www.')}/" if hosts else "http://localhost/"


def address_of(name: Path | str, base: str) -> str:
    """The address of a saved page: the name of its file, relative to `base`."""
    return base.rstrip("/") + "/" + quote(os.fsencode(name))


def is_web_address(text: str) -> bool:
    """Whether a page is named by its address, and not by its file."""
    return text.startswith(("http://", "https://"))


def web_address(url: str) -> str:
    """The address itself, if one can be fetched from; else the command is misused."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise typer.BadParameter(
            f"found {url!r}; expected an address like https://news.example/story", param_hint="URL"
        )
    return url
