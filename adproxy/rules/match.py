"""Which policy a URL gets, and why."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

from adproxy.rules.ruleset import Choice, PageRule, Policy, RuleBook, RuleSet, Shown
from adproxy.rules.screens import SCREENS

MAX_HOST: Final = 253
"""Characters: what DNS allows. A longer one belongs to nobody."""


def choose(book: RuleBook, host: str, path: str) -> Choice:
    """The policy for a host and path.

    `host` as in the request, with or without a port. `path` as on the request line, without the query; it is matched
    percent-decoded, but not otherwise normalised, so dot segments and double slashes stay. Where decoding gives no
    UTF-8, or a NUL, it is matched as it came.
    """
    rule_set = find_rule_set(book, host)
    if rule_set is None:
        return Choice(None, f"no rules file is for the host {_printable(host)}")
    page = find_page(rule_set, path)
    if page is None:
        return Choice(None, f"no entry of 'pages' in {rule_set.file} matches {_printable(path)}")
    return Choice(page.policy, f"{page.where}: {page.glob}" + ("" if page.policy else " has no ads"))


def policy_for(book: RuleBook, host: str, path: str) -> Policy | None:
    """The policy that `choose` gives, for whoever does not ask why."""
    rule_set = find_rule_set(book, host)
    page = find_page(rule_set, path) if rule_set is not None else None
    return page.policy if page is not None else None


def find_rule_set(book: RuleBook, host: str) -> RuleSet | None:
    """The exact host first, then the nearest wildcard, then the rule set without hosts."""
    by_host = book.by_host
    name = host.lower()
    if ":" in name:
        name = name[: name.index("]") + 1] if name.startswith("[") and "]" in name else name[: name.index(":")]
    name = name.rstrip(".")
    if not name or len(name) > MAX_HOST or name.startswith("."):
        return by_host.get("")
    found = by_host.get(name)
    dot = name.find(".")
    while found is None and dot >= 0:
        found = by_host.get(name[dot:])
        dot = name.find(".", dot + 1)
    return found or by_host.get("")


def find_page(rule_set: RuleSet, path: str) -> PageRule | None:
    """The first entry of `pages` whose path fits; where editors work, and no entry names it, one without ads."""
    decoded = path
    if "%" in path:
        try:
            decoded = unquote(path, errors="strict")
        except UnicodeDecodeError:
            decoded = path
        if "\0" in decoded:
            decoded = path
    first = decoded.split("/", 2)[1] if decoded.startswith("/") else ""
    own = SCREENS.get(first)
    if own is not None and first not in rule_set.named_screens:
        return own
    return next((page for page in rule_set.pages if page.matches(decoded)), None)


def describe_policy(book: RuleBook, url: str) -> list[tuple[str, str, str]]:
    """For `show`: the values that hold at a URL as (dotted key, value, file:line or "default").

    Empty where there are no ads at that URL; `choose` says why.
    """
    parts = urlsplit(url if "://" in url or url.startswith("//") else f"//{url}" if not url.startswith("/") else url)
    rule_set = find_rule_set(book, parts.netloc.rpartition("@")[2])
    page = find_page(rule_set, parts.path or "/") if rule_set else None
    if rule_set is None or page is None or page.policy is None:
        return []
    head = [
        Shown("site", rule_set.site, rule_set.file),
        Shown("pages", page.glob, page.where),
        Shown("revision", page.policy.revision, "computed"),
    ]
    return [(shown.key, shown.value, shown.origin) for shown in (*head, *page.shown)]


def _printable(text: str) -> str:
    """A request's text as people may read it: short, no control characters."""
    return ascii(text[:100])
