"""The small notations of a rules file: ``200 words``, ``30%``, ``300x250``, ``paragraph 3``, ``{n}``.

Each parser takes a plain value as the YAML had it, and returns a compiled one or raises `Mismatch`, which says what
was expected and what to do; what was found, and where, is known to the caller.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from adproxy.rules.ruleset import (
    NO_DISTANCE,
    Clearance,
    Distance,
    FixedPlace,
    FromJsonLd,
    FromMeta,
    KeyValue,
    MidArticle,
    Place,
    Said,
    SelectorPlace,
    SidebarPlace,
    Sides,
    Size,
    Unit,
)
from adproxy.rules.selectors import selector_problem

K = TypeVar("K", str, int)
T = TypeVar("T")

MAX_AMOUNT = 100_000
"""Of a distance, in any unit: more than any article has."""
MAX_SIDE = 4096
"""CSS px of a creative's width or height."""
TEMPLATE_NAMES = ("n", "slot", "ad_unit", "site", "network")
"""What every template may hold, beside the names of `ads.key_values`."""

_UNITS: dict[str, Unit] = {
    "word": "words",
    "words": "words",
    "character": "characters",
    "characters": "characters",
    "block": "blocks",
    "blocks": "blocks",
    "px": "px",
}


class Mismatch(ValueError):
    """A value doesn't follow its notation."""

    def __init__(
        self, expected: str, hint: str = "", path: tuple[str | int, ...] = (), found: str | None = None
    ) -> None:
        super().__init__(expected)
        self.expected = expected
        self.hint = hint
        self.path = path
        """Keys and indices from the value down to the part that is wrong."""
        self.found = found
        """What to say was found, where the value itself says too little."""
        self.also: tuple[Mismatch, ...] = ()
        """What else is wrong with the value, where it has several parts."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or empty where none is near."""
    spelt = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(spelt), n=1, cutoff=0.6)
    return f"Did you mean '{spelt[close[0]]}'?" if close else ""


def quoted_word(text: str) -> str:
    """Text in quotes, on one line."""
    return "'" + " ".join(text.split()) + "'"


def one_of(words: Iterable[str]) -> str:
    """The words as a message lists them."""
    *first, last = [f"'{word}'" for word in words]
    return f"{', '.join(first)} or {last}" if first else last


def parse_distance(value: object) -> Distance:
    """``200 words``, ``1 block``, ``400 characters``, ``600 px``."""
    expected = "a distance such as '200 words', '2 blocks', '400 characters' or '600 px'"
    if isinstance(value, int) and not isinstance(value, bool):
        raise Mismatch(expected, f"Say of what: '{value} words'")
    match = re.fullmatch(r"([0-9]{1,6}) *([a-zA-Z]+)", value) if isinstance(value, str) else None
    if match is None:
        raise Mismatch(expected)
    unit = _UNITS.get(match[2])
    if unit is None:
        raise Mismatch(expected, nearest(match[2], _UNITS))
    if int(match[1]) > MAX_AMOUNT:
        raise Mismatch(f"a distance of at most {MAX_AMOUNT} {unit}")
    return Distance(int(match[1]), unit)


_SIDES = ("above", "below", "unless_heading")


def parse_clearance(value: object) -> Clearance:
    """A distance for both sides, or ``{above: 40 words, below: 1 block, unless_heading: true}``.

    A side that the map doesn't state has no distance.
    """
    if not isinstance(value, dict):
        try:
            return parse_distance(value)
        except Mismatch as mismatch:
            raise Mismatch(f"{mismatch.expected}, or a map of {one_of(_SIDES)}", mismatch.hint) from mismatch
    wrong: list[Mismatch] = []
    made: dict[str, Distance] = {}
    try:
        _check_keys(value, _SIDES)
    except Mismatch as mismatch:
        wrong += (mismatch, *mismatch.also)
    try:
        made = each(((key, value[key]) for key in ("above", "below") if key in value), parse_distance)
    except Mismatch as mismatch:
        wrong += (mismatch, *mismatch.also)
    waived = value.get("unless_heading", False)
    if not isinstance(waived, bool):
        wrong.append(Mismatch("true or false", "", ("unless_heading",)))
    raise_all(wrong)
    return Sides(made.get("above", NO_DISTANCE), made.get("below", NO_DISTANCE), bool(waived))


def _check_keys(value: dict[Any, object], known: tuple[str, ...]) -> None:
    """Raise `Mismatch` for a map that is empty or has other keys than those."""
    if not value:
        raise Mismatch(f"one at least of {one_of(known)}")
    raise_all(
        [
            Mismatch(one_of(known), nearest(str(key), known), (str(key),), f"the key '{key}'")
            for key in value
            if key not in known
        ]
    )


# --- conditions -------------------------------------------------------------------------------------

MAX_WORDS = 100_000
"""Of an article, as conditions may ask for them."""
_SAID = ("not", "since", "before")


def parse_word_range(value: object) -> tuple[int, int | None]:
    """``{at_least: 300, at_most: 2000}``, one of them at least, as (300, 2000)."""
    known = ("at_least", "at_most")
    if not isinstance(value, dict):
        number = re.match(r"[0-9]+", str(value))
        hint = f"Write '{{at_least: {number[0]}}}'" if number else ""
        raise Mismatch("'{at_least: 300}', '{at_most: 2000}', or both", hint)
    _check_keys(value, known)
    for key, number_of in value.items():
        if type(number_of) is not int or not 0 <= number_of <= MAX_WORDS:
            raise Mismatch(f"a whole number of words from 0 to {MAX_WORDS}", "", (key,))
    low, high = int(value.get("at_least", 0)), value.get("at_most")
    if high is not None and high < low:
        raise Mismatch(f"{low} at least, or no page could meet it", "", ("at_most",))
    return low, high


def parse_said(value: object) -> Said:
    """``News``, ``[News, Sport]``, ``false``, ``{not: News}``, ``{since: 2024-01-01, before: 2025-01-01}``."""
    if not isinstance(value, dict):
        return Said(one_of=_texts(value))
    _check_keys(value, _SAID)
    days = {key: inside(key, _day, value[key]) for key in ("since", "before") if key in value}
    since, before = days.get("since", ""), days.get("before", "")
    if since and before and since >= before:
        raise Mismatch(f"a day after {since}, or no page could meet it", "", ("before",))
    return Said((), inside("not", _texts, value["not"]) if "not" in value else (), since, before)


def parse_language(value: object) -> Said:
    """``en``, ``[en, de-at]`` or ``{not: en}``."""
    expected = "a language such as 'en' or 'pt-br', a list of them, or '{not: en}'"
    if isinstance(value, dict) and list(value) != ["not"]:
        raise Mismatch(expected)
    said = parse_said(value)
    for code in said.one_of + said.none_of:
        if not re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", code):
            raise Mismatch(expected, "Languages have the names that pages give them in '<html lang=...>'")
    return said


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not 1 <= len(items) <= 50:
        raise Mismatch("1 to 50 texts")
    if not isinstance(value, list):
        return (_text(value),)
    return tuple(each(enumerate(items), _text).values())


def _text(value: object) -> str:
    """A text as conditions compare it: lower case, white space folded."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, (str, int, float)) and 0 < len(text.strip()) <= 200 and text.isprintable():
        return " ".join(text.lower().split())
    raise Mismatch("a text of at most 200 characters, true or false, or a list of them")


def _day(value: object) -> str:
    expected = "a day such as 2024-01-31"
    hint = ""
    if isinstance(value, str):
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            try:
                return date.fromisoformat(value).isoformat()
            except ValueError as error:
                raise Mismatch(expected, "There is no such day") from error
        if re.search(r"\b(days?|weeks?|months?|years?|ago|today|now)\b", value):
            hint = "What a page gets depends on no clock, or caches would keep yesterday's answer: name the day"
    raise Mismatch(expected, hint)


def parse_share(value: object) -> float:
    """``30%`` as 0.3."""
    expected = "a percentage from 1% to 100%, such as '30%'"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        percent = value * 100 if isinstance(value, float) and value <= 1 else value
        raise Mismatch(expected, f"Write '{percent:g}%'" if 1 <= percent <= 100 else "")
    match = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,2})?) *%", value) if isinstance(value, str) else None
    if match is None or not 1 <= float(match[1]) <= 100:
        raise Mismatch(expected)
    return float(match[1]) / 100


def parse_px(least: float, most: float) -> Callable[[object], float]:
    """``17px`` or ``25.5px`` as CSS px, within bounds."""

    def parse(value: object) -> float:
        expected = f"a length such as '17px', from {least:g}px to {most:g}px"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            raise Mismatch(expected, f"Write '{value:g}px'")
        match = re.fullmatch(r"([0-9]{1,4}(?:\.[0-9]{1,2})?) *px", value) if isinstance(value, str) else None
        if match is None or not least <= float(match[1]) <= most:
            raise Mismatch(expected)
        return float(match[1])

    return parse


def parse_size(value: object) -> Size:
    """``300x250``: width, then height, CSS px."""
    expected = f"a size such as '300x250', width x height in CSS px, each from 1 to {MAX_SIDE}"
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", value) if isinstance(value, str) else None
    if match is None:
        loose = (
            re.fullmatch(r" *([0-9]{1,4}) *[xX×*] *([0-9]{1,4}) *(?:px)?", value) if isinstance(value, str) else None
        )
        raise Mismatch(expected, f"Write '{int(loose[1])}x{int(loose[2])}'" if loose else "")
    size = Size(int(match[1]), int(match[2]))
    if not (1 <= size.width <= MAX_SIDE and 1 <= size.height <= MAX_SIDE):
        raise Mismatch(expected)
    return size


def parse_reserve(value: object) -> Size | None:
    """``tallest`` as None, ``likeliest: 300x250`` as its size."""
    expected = "'tallest' or '{likeliest: 300x250}'"
    if value == "tallest":
        return None
    if isinstance(value, dict):
        if list(value) != ["likeliest"]:
            raise Mismatch(expected)
        return inside("likeliest", parse_size, value["likeliest"])
    if isinstance(value, str):
        match = re.fullmatch(r"likeliest:? +(\S+)", value)
        if match is None:
            raise Mismatch(expected, nearest(value, ("tallest", "likeliest")))
        return parse_size(match[1])
    raise Mismatch(expected)


def parse_after(value: object) -> int:
    """``paragraph 3`` as 3, ``paragraph -2`` (the last but one) as -2."""
    expected = "'paragraph 3', or 'paragraph -2' counted from the end"
    match = re.fullmatch(r"paragraph (-?[0-9]{1,4})", value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise Mismatch(expected, f"Write 'paragraph {value}'" if type(value) is int and value else "")
    return int(match[1])


def parse_every(value: object) -> Distance:
    """``2 blocks`` or ``300 words``; never nothing."""
    distance = parse_distance(value)
    if distance.amount == 0:
        raise Mismatch("a distance of 1 at least, such as '300 words' or '2 blocks'")
    return distance


_WORD_PLACES: dict[str, Place] = {
    "above-headline": FixedPlace.ABOVE_HEADLINE,
    "below-headline": FixedPlace.BELOW_HEADLINE,
    "mid-article": MidArticle(),
    "end-of-article": FixedPlace.END_OF_ARTICLE,
}
SELECTOR_EDGES = ("before", "after", "prepend", "append")


def parse_place(value: object) -> Place:
    """One of the named places, ``{sidebar: first}``, or ``{before: "css selector"}``."""
    words = one_of(_WORD_PLACES)
    expected = f"{words}, '{{sidebar: first}}', or '{{before: \"css selector\"}}'"
    if isinstance(value, str):
        if value in _WORD_PLACES:
            return _WORD_PLACES[value]
        if value == "sidebar":
            raise Mismatch(expected, "Write '{sidebar: first}', '{sidebar: last}' or '{sidebar: 2}'")
        raise Mismatch(expected, nearest(value, _WORD_PLACES))
    if not isinstance(value, dict) or len(value) != 1:
        raise Mismatch(expected)
    ((kind, detail),) = value.items()
    if kind == "sidebar":
        if detail in ("first", "last"):
            return SidebarPlace(detail)
        if type(detail) is int and 1 <= detail <= 100:
            return SidebarPlace(detail)
        hint = nearest(detail, ("first", "last")) if isinstance(detail, str) else ""
        raise Mismatch("'first', 'last', or the number of the widget that it follows, from 1", hint, (kind,))
    if kind in SELECTOR_EDGES:
        return SelectorPlace(cast(Any, kind), inside(kind, parse_selector, detail))
    known = ("sidebar", *SELECTOR_EDGES)
    raise Mismatch(f"{one_of(known)}", nearest(str(kind), known), (kind,), f"the key '{kind}'")


def parse_selector(value: object) -> str:
    """A CSS selector that the parser knows and that stays quick on any page."""
    if not isinstance(value, str):
        raise Mismatch("a CSS selector, such as '.story > p'")
    if problem := selector_problem(value):
        raise Mismatch(problem.expected, problem.hint)
    return value.strip()


def parse_auto_or_selector(value: object) -> str | None:
    """``auto`` as None, or a CSS selector."""
    if value == "auto":
        return None
    try:
        return parse_selector(value)
    except Mismatch as mismatch:
        raise Mismatch(f"'auto' or {mismatch.expected}", mismatch.hint) from mismatch


def parse_host(value: object) -> str:
    """A host name, lower case; ``*.example.org`` for its subdomains."""
    expected = "a host name such as 'news.example' or '*.news.example'"
    if not isinstance(value, str):
        raise Mismatch(expected)
    host = value.lower().rstrip(".")
    if "://" in host or "/" in host:
        try:
            name = urlsplit(host if "://" in host else f"//{host}").netloc
        except ValueError:  # brackets around what is no IPv6 address
            name = ""
        raise Mismatch(expected, f"Write only '{name}'" if name else "")
    if re.fullmatch(r".*:[0-9]+", host) and host.count(":") == 1:
        raise Mismatch(expected, f"Leave the port out: '{host.split(':')[0]}'")
    try:
        ascii_host = host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError as error:
        raise Mismatch(expected) from error
    label = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
    named = re.fullmatch(rf"(?:\*\.)?{label}(?:\.{label})*", ascii_host)
    if len(ascii_host) > 253 or not (named or re.fullmatch(r"\[[0-9a-f:.]+\]", ascii_host)):
        raise Mismatch(expected, "A '*' stands first only, for subdomains: '*.news.example'" if "*" in host else "")
    return ascii_host


def parse_network(value: object) -> str:
    """The ad server's network code, digits; with a child's after a comma."""
    text = str(value) if type(value) is int else value
    if isinstance(text, str) and re.fullmatch(r"[0-9]{1,20}(,[0-9]{1,20})?", text):
        return text
    raise Mismatch("a network code of digits, such as 1234")


def parse_site(value: object) -> str:
    """The label in metrics."""
    expected = "a short name of letters, digits, '-', '_' and '.', such as 'asia-news'"
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        return value
    simpler = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-") if isinstance(value, str) else ""
    hint = f"Write '{simpler}'" if simpler else ""
    raise Mismatch(expected, f'Write "{value}" in quotes' if isinstance(value, (int, float)) else hint)


def parse_key_value(value: object) -> KeyValue:
    """A text, possibly a template; ``{json_ld: field}``; ``{meta: name}``."""
    expected = "a text, '{json_ld: articleSection}' or '{meta: keywords}'"
    if type(value) is int:
        return str(value)
    if isinstance(value, str):
        check_template_syntax(value)
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((kind, name),) = value.items()
        if kind not in ("json_ld", "meta"):
            raise Mismatch("'json_ld' or 'meta'", nearest(str(kind), ("json_ld", "meta")), (kind,), f"the key '{kind}'")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.:-]{0,63}", name):
            raise Mismatch("the name of one field, such as 'articleSection'", "", (kind,))
        return FromJsonLd(name) if kind == "json_ld" else FromMeta(name)
    raise Mismatch(expected)


def parse_ad_unit(value: object) -> str:
    """The ad server's name for the inventory, a template."""
    expected = "an ad unit such as '/1234/news/inline' or '{section}/inline'"
    if not isinstance(value, str) or not value or len(value) > 200:
        raise Mismatch(expected)
    check_template_syntax(value)
    bare = re.sub(r"\{[a-z_]+\}", "", value)
    # the characters that Ad Manager takes in ad unit codes, and the slash between levels
    if not re.fullmatch(r"[A-Za-z0-9_.\-*/\\!<:(),]*", bare) or value.endswith("/") or "//" in value:
        raise Mismatch(expected, "Letters, digits, and _ - . * / \\ ! < : ( ) are allowed between slashes")
    return value


def parse_label(value: object) -> str:
    """A text over the ad; ``false`` as empty, no label."""
    if value is False:
        return ""
    if isinstance(value, str) and 0 < len(value) <= 60 and value.isprintable():
        return value
    raise Mismatch("a text of at most 60 characters, or false for no label")


def parse_div_id(value: object) -> str:
    """An HTML id, a template."""
    if isinstance(value, str):
        check_template_syntax(value)
        bare = re.sub(r"\{[a-z_]+\}", "x", value)
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_:.-]{0,99}", bare):
            return value
    raise Mismatch("an HTML id of letters, digits, '-' and '_', such as 'ad-in-article-{n}'")


def parse_div_class(value: object) -> str:
    """HTML classes, separated by spaces, templates allowed."""
    if isinstance(value, str):
        check_template_syntax(value)
        bare = re.sub(r"\{[a-z_]+\}", "x", value)
        if re.fullmatch(r"[A-Za-z0-9_:-]+( [A-Za-z0-9_:-]+)*", bare) and len(value) <= 200:
            return value
    raise Mismatch("classes separated by single spaces, such as 'js-ad ad--wide'")


def parse_data_value(value: object) -> str:
    """The value of a data attribute, a template."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and len(value) <= 500 and value.isprintable():
        # JSON in an attribute is full of braces; only what looks like a template is one
        return value
    raise Mismatch("a text of at most 500 characters")


def parse_url(value: object) -> str:
    """http, https or relative; nothing that could run."""
    expected = "an address that starts with 'https://', 'http://' or '/'"
    if not isinstance(value, str) or not value or len(value) > 2000:
        raise Mismatch(expected)
    if re.search(r"[\x00-\x20\x7f\\\"<>`]", value):
        raise Mismatch(expected, "Write spaces, quotes and backslashes as %20, %22 and %5C")
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", value)
    try:
        named = bool(urlsplit(value).netloc)
    except ValueError as error:  # brackets around what is no IPv6 address
        raise Mismatch(expected) from error
    if scheme and (scheme[1].lower() not in ("http", "https") or not named):
        raise Mismatch(expected)
    return value


def parse_frame(value: object) -> str:
    """The address of a page for a frame: https, or a path of the site. Names in it stand behind the host."""
    expected = "an address that starts with 'https://' or '/', such as 'https://ads.example/frame?slot={slot}'"
    if not isinstance(value, str):
        raise Mismatch(expected)
    check_template_syntax(value)
    bare = re.sub(r"\{[a-z0-9_]+\}", "x", value)
    try:
        url = urlsplit(parse_url(bare))
        host = url.hostname or ""
    except (Mismatch, ValueError) as error:
        raise Mismatch(expected, getattr(error, "hint", "")) from error
    if (url.scheme != "https" or not host) and not re.match(r"/(?!/)", bare):
        raise Mismatch(expected)
    if "{" in value.partition("://")[2].partition("/")[0]:
        raise Mismatch(expected, "Names in braces stand behind the host")
    return value


def parse_adsense_client(value: object) -> str:
    """``ca-pub-`` and the publisher's number."""
    if isinstance(value, str) and re.fullmatch(r"ca-pub-[0-9]{10,20}", value):
        return value
    number = re.fullmatch(r"(?:pub-)?([0-9]{10,20})", str(value))
    raise Mismatch(
        "the publisher's number, such as 'ca-pub-1234567890123456'", f"Write 'ca-pub-{number[1]}'" if number else ""
    )


def parse_adsense_unit(value: object) -> str:
    """The ad unit's number."""
    text = str(value) if type(value) is int else value
    if isinstance(text, str) and re.fullmatch(r"[0-9]{4,20}", text):
        return text
    raise Mismatch("the ad unit's number, such as 1234567890")


def parse_cookie(value: object) -> str:
    """A cookie's name, or its name and value."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}(=[!#-+.-:<-\[\]-~]{1,100})?", value):
        return value
    raise Mismatch("a cookie's name such as 'subscriber', or its name and value such as 'plan=premium'")


def parse_header(value: object) -> str:
    """A request header's name, lower case. Not one that is there for something else."""
    expected = "the name of a header that the server in front sets, such as 'X-Subscriber'"
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,59}", value):
        raise Mismatch(expected)
    if value.lower() in ("cookie", "authorization"):
        raise Mismatch(expected, f"Every reader's '{value}' is another one, so no cache could share a page")
    return value.lower()


def parse_pause(value: object) -> tuple[str, ...] | None:
    """``true`` as None (all), ``false`` as nothing, or the names of slots."""
    if isinstance(value, bool):
        return None if value else ()
    if not isinstance(value, list) or not 1 <= len(value) <= 50 or not all(isinstance(name, str) for name in value):
        one = f"Write '[{value}]'" if isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9-]{0,39}", value) else ""
        raise Mismatch("true, false, or a list of slots", one)
    return tuple(value)


def template_names(template: str) -> list[str]:
    """The names between braces."""
    return re.findall(r"\{([a-z_]+)\}", template)


def check_template_syntax(template: str) -> None:
    """Raise `Mismatch` where braces don't make a template."""
    rest = re.sub(r"\{[A-Za-z0-9_.-]+\}", "", template)
    if "{" in rest or "}" in rest:
        raise Mismatch("a text in which each '{' has a name and a '}', such as '{slot}-{n}'")


def inside(key: str | int, parse: Callable[[object], T], value: object) -> T:
    """`parse`, with the key that it stands under added to a complaint."""
    try:
        return parse(value)
    except Mismatch as mismatch:
        raise Mismatch(mismatch.expected, mismatch.hint, (key, *mismatch.path), mismatch.found) from mismatch


def each(parts: Iterable[tuple[K, object]], parse: Callable[[object], T]) -> dict[K, T]:
    """`parse` for each part of a value; all that is wrong is raised together."""
    made: dict[K, T] = {}
    wrong: list[Mismatch] = []
    for key, part in parts:
        try:
            made[key] = inside(key, parse, part)
        except Mismatch as mismatch:
            wrong.append(mismatch)
    raise_all(wrong)
    return made


def raise_all(wrong: list[Mismatch]) -> None:
    """Raise the first, with the others in its `also`; nothing where there is none."""
    if wrong:
        wrong[0].also = tuple(wrong[1:])
        raise wrong[0]


MARKER_SLOTS = "'on', 'off', or a list of the slots that markers may place"


def parse_markers(value: object) -> tuple[str, ...] | None:
    """``on`` as None, ``off`` as nothing, or the names of slots."""
    if value == "on":
        return None
    if value == "off":
        return ()
    if not isinstance(value, list) or not 1 <= len(value) <= 50:
        spelt = {"yes": "on", "true": "on", "no": "off", "false": "off"}.get(str(value).lower())
        one = f"[{value}]" if isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9-]{0,39}", value) else ""
        raise Mismatch(MARKER_SLOTS, f"Write '{spelt or one}'" if spelt or one else "")
    for index, name in enumerate(value):
        if not isinstance(name, str):
            raise Mismatch("a slot's name", "", (index,))
    return tuple(value)
