"""How the console's pages are made: templates, what they can say, and the files that go with them.

A page is a template that extends ``layout.html``, a function that makes what it shows, and a line in `PAGES`.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from adproxy import __version__


class PageLink(NamedTuple):
    """One entry of the navigation that all pages share."""

    name: str
    href: str
    """Relative: the console may be mounted anywhere."""


PAGES = (
    PageLink("Overview", "./"),
    PageLink("Preview", "preview"),
    PageLink("Rules", "rules"),
    PageLink("Try a change", "try"),
)

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer of the office."""
WITH_FORMS = {
    **HEADERS,
    "Content-Security-Policy": HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'"),
}
"""On pages that send something."""

UNKNOWN = "–"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def _static() -> dict[str, tuple[bytes, str]]:
    folder = files("adproxy.console") / "static"
    return {
        file.name: (file.read_bytes(), _TYPES["." + file.name.rpartition(".")[2]])
        for file in folder.iterdir()
        if "." + file.name.rpartition(".")[2] in _TYPES
    }


STATIC = _static()
"""The pages' own files by name, with their types: read once, so that no request names a path."""


def number(value: float | None) -> str:
    """``12,345``."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def counted(value: float | None, what: str) -> str:
    """``1 page``, ``2 pages``."""
    return f"{number(value)} {what}{'' if value == 1 else 's'}"


def percent(value: float | None) -> str:
    """A share as ``12.3 %``; never rounded to all or nothing."""
    if value is None:
        return UNKNOWN
    if 0 < value < 0.001:
        return "< 0.1\u00a0%"
    if 0.999 < value < 1:
        return "> 99.9\u00a0%"
    return f"{value:.1%}".replace("%", "\u00a0%").replace(".0\u00a0", "\u00a0")


def seconds(value: float | None) -> str:
    """A time in a unit that suits it."""
    if value is None:
        return UNKNOWN
    if math.isinf(value):
        return "over 1\u00a0s"
    if value < 0.001:
        return f"{value * 1e6:.0f}\u00a0µs"
    return f"{value * 1e3:.1f}\u00a0ms" if value < 0.1 else f"{value * 1e3:,.0f}\u00a0ms"


def words(label: str) -> str:
    """A label's value as people would write it."""
    return label.replace("_", " ").strip() if label != "_other" else "others"


def age(since: float, now: float) -> str:
    """How long ago, in the largest unit that says enough."""
    passed = max(0.0, now - since)
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if passed >= length:
            count = int(passed // length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


def machine_time(unix: float) -> str:
    """For a ``datetime`` attribute."""
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%SZ}"


def told_time(unix: float) -> str:
    """For people."""
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock_time(unix: float) -> str:
    """The time of day."""
    return f"{datetime.fromtimestamp(unix, UTC):%H:%M} UTC"


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("adproxy.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for each in (number, percent, seconds, words, machine_time, told_time, clock_time):
        made.filters[each.__name__] = each
    made.globals.update(pages=PAGES, version=__version__)
    return made


_ENVIRONMENT = _environment()


def page(template: str, here: str, **shown: object) -> str:
    """A page as HTML. `here`: its name in `PAGES`; `shown`: what its template asks for, all of it."""
    return _ENVIRONMENT.get_template(template).render(here=here, **shown)


def part(template: str, **shown: object) -> str:
    """A part of a page as HTML, for scripts that put it in place of the part before."""
    return _ENVIRONMENT.get_template(template).render(**shown)
