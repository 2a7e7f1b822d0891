"""sellers.json, seller by seller: what IAB Tech Lab's sellers.json 1.0 requires of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from adproxy.errors import Problem
from adproxy.rules.values import nearest, one_of

SELLER_TYPES = ("PUBLISHER", "INTERMEDIARY", "BOTH")

_WHITE = " \t\n\r"
_DECODER = json.JSONDecoder()


def lint(text: str, file: str) -> Iterator[Problem]:
    """What is wrong with a file of that name, with line and column."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        yield Problem(file, error.lineno, error.colno, f"what is no JSON ({error.msg})", "a JSON object with 'sellers'")
        return
    except RecursionError:
        yield Problem(file, 1, 1, "brackets nested too deep", "a JSON object with 'sellers'")
        return
    start = _skip(text, 0)
    if not isinstance(whole, dict):
        yield _at(text, file, start, _shown(whole), "a JSON object with 'sellers'")
        return
    members = {key: (position, value) for key, position, value in _members(text, start)}
    for key, example in (("version", "1.0"), ("sellers", "[...]")):
        if key not in members:
            yield _at(text, file, start, f"no '{key}'", f"'\"{key}\": {example}'")
    position, version = members.get("version", (start, "1.0"))
    if str(version) not in ("1.0", "1"):
        yield _at(text, file, position, f"the version {_shown(version)}", "1.0")
    position, sellers = members.get("sellers", (start, []))
    if not isinstance(sellers, list):
        yield _at(text, file, position, _shown(sellers), "a list of sellers")
        return
    seen: dict[str, int] = {}
    for place, seller in _items(text, position) if "sellers" in members else ():
        yield from _seller(text, file, place, seller, seen)


def _seller(text: str, file: str, position: int, seller: Any, seen: dict[str, int]) -> Iterator[Problem]:
    if not isinstance(seller, dict):
        yield _at(text, file, position, _shown(seller), "a seller: an object with 'seller_id' and 'seller_type'")
        return
    places = {key: place for key, place, _ in _members(text, position)}
    identity = seller.get("seller_id")
    if not isinstance(identity, str) or not identity:
        found = f"{_shown(identity)} for 'seller_id'" if "seller_id" in seller else "no 'seller_id'"
        yield _at(text, file, places.get("seller_id", position), found, "a text in quotes, as in ads.txt")
    elif identity in seen:
        expected = f"each seller once; it stands in line {seen[identity]}"
        found = f"the seller {_shown(identity)} again"
        yield _at(text, file, places["seller_id"], found, expected, warning=True)
    else:
        seen[identity] = text.count("\n", 0, position) + 1
    kind = seller.get("seller_type")
    if not isinstance(kind, str) or kind.upper() not in SELLER_TYPES:
        found = f"{_shown(kind)} for 'seller_type'" if "seller_type" in seller else "no 'seller_type'"
        hint = nearest(str(kind), SELLER_TYPES)
        yield _at(text, file, places.get("seller_type", position), found, one_of(SELLER_TYPES), hint)
    for key in ("is_confidential", "is_passthrough"):
        if key in seller and (isinstance(seller[key], bool) or seller[key] not in (0, 1)):
            yield _at(text, file, places[key], f"{_shown(seller[key])} for '{key}'", "0 or 1")
    if seller.get("is_confidential") == 1:
        return
    if not isinstance(seller.get("name"), str) or not seller["name"]:
        hint = "Or say '\"is_confidential\": 1'"
        yield _at(text, file, places.get("name", position), "no 'name'", "the name of the company that is paid", hint)
    if not isinstance(seller.get("domain"), str) or not seller["domain"]:
        expected = "the domain of the company that is paid, if it has one"
        yield _at(text, file, places.get("domain", position), "no 'domain'", expected, warning=True)


# --- JSON with places; the text is known to be JSON -------------------------------------------------


def _members(text: str, start: int) -> Iterator[tuple[str, int, Any]]:
    """Of the object that begins at `start`: each key, where its value begins, and the value."""
    position = _skip(text, start + 1)
    while text[position] != "}":
        key, position = _DECODER.raw_decode(text, position)
        at = _skip(text, _skip(text, position) + 1)
        value, position = _DECODER.raw_decode(text, at)
        yield key, at, value
        position = _skip(text, position)
        position = _skip(text, position + 1) if text[position] == "," else position


def _items(text: str, start: int) -> Iterator[tuple[int, Any]]:
    """Of the list that begins at `start`: where each item begins, and the item."""
    position = _skip(text, start + 1)
    while text[position] != "]":
        at = position
        value, position = _DECODER.raw_decode(text, at)
        yield at, value
        position = _skip(text, position)
        position = _skip(text, position + 1) if text[position] == "," else position


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _WHITE:
        position += 1
    return position


def _at(
    text: str, file: str, position: int, found: str, expected: str, hint: str = "", *, warning: bool = False
) -> Problem:
    line = text.count("\n", 0, position) + 1
    return Problem(file, line, position - (text.rfind("\n", 0, position) + 1) + 1, found, expected, hint, warning)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:59] + "…"
