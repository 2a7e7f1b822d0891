"""ads.txt and app-ads.txt, line by line: who may sell a site's advertising, as IAB Tech Lab's ads.txt 1.1 has it.

A line that breaks the rules is passed over by those who buy, so a seller's typo costs its bids and nothing says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from adproxy.errors import Problem
from adproxy.rules.values import nearest, one_of

VARIABLES = ("CONTACT", "SUBDOMAIN", "INVENTORYPARTNERDOMAIN", "OWNERDOMAIN", "MANAGERDOMAIN")
RELATIONSHIPS = ("DIRECT", "RESELLER")
PLACEHOLDER = "placeholder.example.com, placeholder, DIRECT, placeholder"
"""What the specification says to write where nobody may sell."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+", re.I)
_VARIABLE = re.compile(r"\s*([A-Za-z][A-Za-z_-]*)\s*=(.*)")
_RECORD = "a record such as 'adsystem.example, 1234, DIRECT', or a variable such as 'OWNERDOMAIN=news.example'"


def lint(text: str, file: str) -> Iterator[Problem]:
    """What is wrong with a file of that name, with the line; in the order of the lines."""
    return _Lint(file).lines(text)


class _Lint:
    """The lines of one file, and what was said in those before."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.records: dict[tuple[str, str, str], int] = {}
        self.once: dict[str, int] = {}

    def lines(self, text: str) -> Iterator[Problem]:
        lines = text.splitlines()
        for number, line in enumerate(lines, 1):
            content = line.partition("#")[0]
            if not content.strip():
                continue
            variable = _VARIABLE.fullmatch(content)
            if variable is not None:
                yield from self._variable(number, variable)
            else:
                yield from self._record(number, content)
        if not self.records:
            hint = f"To say that nobody may sell, write '{PLACEHOLDER}'"
            yield self._at(max(1, len(lines)), 1, "no record of a seller", _RECORD, hint, warning=True)

    def _variable(self, number: int, match: re.Match[str]) -> Iterator[Problem]:
        name, column = match[1].upper(), match.start(1) + 1
        value = match[2].partition(";")[0].strip()
        at_value = match.start(2) + 1 + len(match[2]) - len(match[2].lstrip())
        if name not in VARIABLES:
            found = f"the unknown variable '{match[1]}'"
            yield self._at(number, column, found, one_of(VARIABLES), nearest(name, VARIABLES), warning=True)
            return
        if name == "CONTACT":
            if not value:
                yield self._at(number, at_value, "no contact", "an e-mail address, a telephone number or an address")
            return
        domain, comma, country = (part.strip() for part in value.partition(","))
        if comma and name != "MANAGERDOMAIN":
            yield self._at(number, at_value, f"'{value}'", "one domain", "A line for each")
            return
        yield from self._domain(number, at_value, domain)
        if comma and not re.fullmatch(r"[A-Za-z]{2}", country):
            expected = "a country's code of two letters, such as 'DE'"
            yield self._at(number, at_value, f"the country '{country}'", expected)
        if name in ("OWNERDOMAIN", "MANAGERDOMAIN"):
            key = f"{name} {country.upper()}".strip()
            if key in self.once:
                found = f"{name} again" + (f" for {country.upper()}" if country else "")
                expected = "one" + (" for each country, and one for all others" if name == "MANAGERDOMAIN" else "")
                yield self._at(number, column, found, f"{expected}; it stands in line {self.once[key]}")
            self.once.setdefault(key, number)

    def _record(self, number: int, content: str) -> Iterator[Problem]:
        fields = content.partition(";")[0].split(",")
        starts = [sum(len(field) + 1 for field in fields[:i]) for i in range(len(fields))]
        columns = [s + 1 + len(f) - len(f.lstrip()) for s, f in zip(starts, fields, strict=True)]
        domain, *rest = (field.strip() for field in fields)
        if not rest:
            yield self._at(number, columns[0], f"'{_short(domain)}'", _RECORD)
            return
        if len(fields) < 3:
            hint = "What comes third says whether the account is the publisher's own (DIRECT) or somebody else's"
            yield self._at(number, columns[-1], f"{len(fields)} fields", "3 fields, or 4", hint)
            return
        account, relationship, *more = rest
        yield from self._domain(number, columns[0], domain)
        if not account:
            yield self._at(number, columns[1], "no account", "the publisher's or reseller's account with the seller")
        if relationship.upper() not in RELATIONSHIPS:
            hint = nearest(relationship, RELATIONSHIPS)
            yield self._at(number, columns[2], f"'{_short(relationship)}'", one_of(RELATIONSHIPS), hint)
        if len(more) > 1:
            found = f"{len(fields)} fields"
            yield self._at(number, columns[4], found, "4 at most", "What extends a record stands behind ';'")
        key = (domain.lower(), account, relationship.upper())
        if key in self.records:
            found = f"the record of {_short(domain)} again"
            expected = f"each once; it stands in line {self.records[key]}"
            yield self._at(number, columns[0], found, expected, warning=True)
        self.records.setdefault(key, number)

    def _domain(self, number: int, column: int, domain: str) -> Iterator[Problem]:
        if _DOMAIN.fullmatch(domain) and len(domain) <= 253:
            return
        bare = re.sub(r"^[a-z]+://|[/:?].*$", "", domain, flags=re.I)
        hint = f"Write '{bare}'" if bare != domain and _DOMAIN.fullmatch(bare) else ""
        yield self._at(number, column, f"'{_short(domain)}'", "a domain such as 'adsystem.example'", hint)

    def _at(
        self, line: int, column: int, found: str, expected: str, hint: str = "", *, warning: bool = False
    ) -> Problem:
        return Problem(self.file, line, column, found, expected, hint, warning)


def _short(text: str) -> str:
    text = text if len(text) <= 60 else text[:59] + "…"
    return "".join(char if char.isprintable() else " " for char in text)
