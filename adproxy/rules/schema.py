"""The shape of a rules file: every key with its type, one sentence, an example.

The reference in ``rules/README.md`` and the JSON Schema for editors are made from these models, so a key is described
here and nowhere else. All keys may be missing, for a file may be a part that others `use`; what a whole rule set
needs is checked by `adproxy.rules.compile`. Defaults are in `adproxy.rules.defaults`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, Field, GetJsonSchemaHandler, Tag, ValidationError
from pydantic_core import CoreSchema, core_schema

from adproxy.errors import Problem
from adproxy.rules import values
from adproxy.rules.creative_html import CheckedHtml, check_html
from adproxy.rules.globs import GlobError, compile_glob
from adproxy.rules.ruleset import Clearance, Distance, KeyValue, Place, Said, Size
from adproxy.rules.strict_yaml import Map, Mark, Node, Scalar, Seq, plain, shown
from adproxy.rules.values import Mismatch, nearest, one_of

MAX_SLOTS = 50
MAX_PAGES = 500
MAX_IN_ARTICLE = 50


@dataclass(frozen=True, eq=False)
class Notation:
    """How one value is written: a parser for it, its name in the reference, its JSON Schema."""

    name: str
    parse: Callable[[object], object]
    json: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.json


def _text(pattern: str = "") -> dict[str, Any]:
    return {"type": "string", **({"pattern": pattern} if pattern else {})}


def _told(json: dict[str, Any], description: str) -> dict[str, Any]:
    """A schema with the sentence that editors show beside it."""
    return {**json, "description": description}


def _number(low: int, high: int) -> Callable[[object], int]:
    def parse(value: object) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise Mismatch(f"a whole number from {low} to {high}")

    return parse


def _whole(name: str, low: int, high: int) -> Notation:
    return Notation(name, _number(low, high), {"type": "integer", "minimum": low, "maximum": high})


def _word(*words: str) -> Notation:
    def parse(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise Mismatch(one_of(words), nearest(value, words) if isinstance(value, str) else "")

    return Notation(" or ".join(f"`{word}`" for word in words), parse, {"enum": list(words)})


@dataclass(frozen=True, slots=True)
class OnDevice:
    """A value for one of the devices, or both; None: said elsewhere."""

    phone: Any
    desktop: Any


def _per_device(name: str, parse: Callable[[object], object], json: dict[str, Any]) -> Notation:
    def parse_both(value: object) -> OnDevice:
        if not isinstance(value, dict):
            both = parse(value)
            return OnDevice(both, both)
        wrong = [
            Mismatch("'phone' or 'desktop'", nearest(str(key), ("phone", "desktop")), (key,), f"the key '{key}'")
            for key in value
            if key not in ("phone", "desktop")
        ]
        try:
            made = values.each(((key, item) for key, item in value.items() if key in ("phone", "desktop")), parse)
        except Mismatch as mismatch:
            wrong.extend((mismatch, *mismatch.also))
        values.raise_all(wrong)
        return OnDevice(made.get("phone"), made.get("desktop"))

    by_device = {
        "type": "object",
        "properties": {"phone": _told(json, "On phones (390 px)."), "desktop": _told(json, "On desktops (1366 px).")},
        "additionalProperties": False,
        "minProperties": 1,
    }
    return Notation(f"{name}, or one for `phone` and one for `desktop`", parse_both, {"anyOf": [json, by_device]})


def _count(least: int) -> Notation:
    """A number of slots."""
    json = {"type": "integer", "minimum": least, "maximum": MAX_IN_ARTICLE}
    return _per_device("number", _number(least, MAX_IN_ARTICLE), json)


def _glob(value: object) -> str:
    if not isinstance(value, str):
        raise Mismatch("a path such as '/news/*' or '/live/**'")
    try:
        compile_glob(value)
    except GlobError as error:
        raise Mismatch(error.expected, error.hint) from error
    return value


def _list_of(parse: Callable[[object], object], low: int, high: int, what: str) -> Callable[[object], tuple[Any, ...]]:
    """One value, or a list of them."""

    def parse_list(value: object) -> tuple[Any, ...]:
        items = value if isinstance(value, list) else [value]
        if not low <= len(items) <= high:
            raise Mismatch(f"{what}: {low} to {high} of them")
        if not isinstance(value, list):
            return (parse(value),)
        return tuple(values.each(enumerate(items), parse).values())

    return parse_list


def _sizes(value: object) -> tuple[Size, ...]:
    if not isinstance(value, list):
        hint = f"Write '[{value}]'" if isinstance(value, str) and re.fullmatch(r"\d+x\d+", value) else ""
        raise Mismatch("a list of sizes such as '[300x250, 320x50]', or '[]' for no ad", hint)
    if len(value) > 20:
        raise Mismatch("at most 20 sizes", "", (), f"{len(value)} sizes")
    return tuple(values.each(enumerate(value), values.parse_size).values())


def _use(value: object) -> str:
    if isinstance(value, str) and value and value.isprintable() and len(value) <= 300:
        return value
    raise Mismatch("the name of a preset such as 'news', or a file such as './group.yaml'")


def _file_name(value: object) -> str:
    if isinstance(value, str) and value and value.isprintable() and len(value) <= 300:
        return value
    raise Mismatch("the name of an HTML file such as 'house.html'")


def _alt(value: object) -> str:
    if isinstance(value, str) and len(value) <= 300 and value.isprintable():
        return value
    raise Mismatch("a text of at most 300 characters")


def _version(value: object) -> int:
    if type(value) is int and value == 1:
        return 1
    raise Mismatch("1, the only version of the rules so far")


_DISTANCE = r"^[0-9]{1,6} *(words?|characters?|blocks?|px)$"
_SIZE = r"^[0-9]{1,4}x[0-9]{1,4}$"
_SHARE = r"^[0-9]{1,3}(\.[0-9]{1,2})? *%$"

DISTANCE = Notation("distance", values.parse_distance, _text(_DISTANCE))
CLEARANCE = Notation(
    "distance, or a map of `above`, `below`, `unless_heading`",
    values.parse_clearance,
    {
        "anyOf": [
            _text(_DISTANCE),
            {
                "type": "object",
                "properties": {
                    "above": _told(_text(_DISTANCE), "From what stands above the ad."),
                    "below": _told(_text(_DISTANCE), "From what stands below the ad."),
                    "unless_heading": _told({"type": "boolean"}, "Waived for an ad right before a heading."),
                },
                "additionalProperties": False,
                "minProperties": 1,
            },
        ]
    },
)
SIZE = Notation("size", values.parse_size, _text(_SIZE))
SELECTOR = Notation("CSS selector", values.parse_selector, _text())
AUTO_OR_SELECTOR = Notation("`auto` or CSS selector", values.parse_auto_or_selector, _text())
PLACE = Notation(
    "placement",
    values.parse_place,
    {
        "anyOf": [
            _told({"const": "above-headline"}, "Above the headline, and what stands with it."),
            _told({"const": "below-headline"}, "Right below the headline, or behind what goes with it."),
            _told({"const": "mid-article"}, "Between the article's paragraphs, as often as `max` and `limits` allow."),
            _told({"const": "end-of-article"}, "After the article's last paragraph."),
            {
                "type": "object",
                "properties": {
                    "sidebar": _told(
                        {"anyOf": [{"enum": ["first", "last"]}, {"type": "integer", "minimum": 1}]},
                        "In the sidebar: `first`, `last`, or after the widget of that number.",
                    ),
                    "before": _told(_text(), "Before each element that matches this CSS selector."),
                    "after": _told(_text(), "After each element that matches this CSS selector."),
                    "prepend": _told(_text(), "First in each element that matches this CSS selector."),
                    "append": _told(_text(), "Last in each element that matches this CSS selector."),
                },
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ]
    },
)
RESERVE = Notation(
    "`tallest` or `{likeliest: size}`",
    values.parse_reserve,
    {
        "anyOf": [
            {"type": "string", "pattern": "^(tallest|likeliest:? +[0-9]{1,4}x[0-9]{1,4})$"},
            {
                "type": "object",
                "properties": {"likeliest": _told(_text(_SIZE), "The size that comes most often; one of the slot's.")},
                "required": ["likeliest"],
                "additionalProperties": False,
            },
        ]
    },
)
KEY_VALUE = Notation(
    "text, `{json_ld: field}` or `{meta: name}`",
    values.parse_key_value,
    {
        "anyOf": [
            {"type": ["string", "integer"]},
            {
                "type": "object",
                "properties": {
                    "json_ld": _told(_text(), "A field of the page's JSON-LD article."),
                    "meta": _told(_text(), "A meta tag, by `name` or `property`."),
                },
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ]
    },
)
AFTER = Notation("`paragraph N`", values.parse_after, _text(r"^paragraph -?[1-9][0-9]{0,3}$"))
LABEL = Notation(
    "text or `false`", values.parse_label, {"anyOf": [{"type": "string", "maxLength": 60}, {"const": False}]}
)
ONE_OR_MORE_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
_TEXT = {"type": ["string", "number", "boolean"]}
_TEXTS = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 50}]}
_DAY = _text(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
SAID = Notation(
    "text, a list of them, `{not: text}`, or `{since: day, before: day}`",
    values.parse_said,
    {
        "anyOf": [
            *_TEXTS["anyOf"],
            {
                "type": "object",
                "properties": {
                    "not": _told(_TEXTS, "None of these."),
                    "since": _told(_DAY, "On that day or later."),
                    "before": _told(_DAY, "Earlier than that day."),
                },
                "additionalProperties": False,
                "minProperties": 1,
            },
        ]
    },
)
LANGUAGE = Notation(
    "language, a list of them, or `{not: language}`",
    values.parse_language,
    {
        "anyOf": [
            *ONE_OR_MORE_TEXTS["anyOf"],
            {
                "type": "object",
                "properties": {"not": _told(ONE_OR_MORE_TEXTS, "None of these.")},
                "required": ["not"],
                "additionalProperties": False,
            },
        ]
    },
)
_COUNT = {"type": "integer", "minimum": 0, "maximum": values.MAX_WORDS}
WORD_RANGE = Notation(
    "map of `at_least`, `at_most`",
    values.parse_word_range,
    {
        "type": "object",
        "properties": {
            "at_least": _told(_COUNT, "So many words or more."),
            "at_most": _told(_COUNT, "So many words or fewer."),
        },
        "additionalProperties": False,
        "minProperties": 1,
    },
)
SELECTORS = Notation(
    "CSS selector, or a list of them", _list_of(values.parse_selector, 1, 10, "CSS selectors"), ONE_OR_MORE_TEXTS
)
MARKERS = Notation(
    "`on`, `off`, or a list of slots",
    values.parse_markers,
    {"anyOf": [{"enum": ["on", "off"]}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
)
USE = Notation("preset or file, or a list of them", _list_of(_use, 1, 16, "presets or files"), ONE_OR_MORE_TEXTS)


def _key_name(pattern: str, expected: str) -> Notation:
    """How the keys of a map with free keys are spelt."""

    def parse(value: object) -> str:
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        raise Mismatch(expected)

    return Notation("name", parse, _text(pattern))


SLOT_NAME = _key_name(
    r"^[a-z][a-z0-9-]{0,39}$", "a slot's name of lower-case letters, digits and '-', such as 'in-article'"
)
BREAKPOINT_NAME = _key_name(r"^[a-z][a-z0-9-]{0,19}$", "a breakpoint's name of lower-case letters, such as 'phone'")
KEY_NAME = _key_name(r"^[A-Za-z][A-Za-z0-9_]{0,19}$", "a key of at most 20 letters, digits and '_'")
FIELD_NAME = _key_name(
    r"^[A-Za-z][A-Za-z0-9_.:-]{0,63}$", "the name of one field, such as 'articleSection' or 'article:section'"
)
DATA_NAME = _key_name(
    r"^(?!adproxy)[a-z][a-z0-9-]{0,49}$", "a name of lower-case letters, digits and '-', without 'data-'"
)


class Section(BaseModel):
    """A map with known keys only."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def key(description: str, example: str, **more: Any) -> Any:
    """A field that may be missing: one sentence, and an example as YAML."""
    return Field(default=None, description=description, examples=[example], **more)


class Ads(Section):
    """Who fills the slots, and what the ad server is told."""

    filled_by: Annotated[str | None, _word("page", "adproxy")] = key(
        "`page`: the site's own ad stack fills the divs that adproxy reserves; "
        "`adproxy`: its script asks Google Ad Manager for the ads.",
        "page",
    )
    network: Annotated[str | None, Notation("number", values.parse_network, {"type": ["integer", "string"]})] = key(
        "The ad server's network code, put before every ad unit that doesn't start with `/`.", "1234"
    )
    key_values: dict[Annotated[str, KEY_NAME], Annotated[KeyValue, KEY_VALUE]] | None = key(
        "What the ad server is told of the page; each name can be used in templates such as `{section}`.",
        '{section: {json_ld: articleSection}, pos: "{slot}-{n}"}',
        max_length=20,
    )


class Limits(Section):
    """Upper bounds for each page. The ads that a page carries already count."""

    ad_share: Annotated[OnDevice | None, _per_device("percentage", values.parse_share, _text(_SHARE))] = key(
        "How much of the main content's height may be advertising, the page's own ads included.",
        "{phone: 30%, desktop: 25%}",
    )
    gap: Annotated[OnDevice | None, _per_device("distance", values.parse_distance, _text(_DISTANCE))] = key(
        "How much of the article lies between any two ads in it.", "{phone: 200 words, desktop: 250 words}"
    )
    gap_grows: Annotated[Distance | None, DISTANCE] = key(
        "How much farther the next ad is with each one before: with a `gap` of 200 words that grows by 50 words, the "
        "second ad comes 250 words after the first, the third 300 after the second. In the unit of `gap`.",
        "50 words",
    )
    in_article: Annotated[OnDevice | None, _count(0)] = key(
        "How many slots may stand in one article, or be shown in it on each device.", "{phone: 4, desktop: 8}"
    )


def _length(least: float, most: float) -> Notation:
    return Notation("length", values.parse_px(least, most), _text(r"^[0-9]{1,4}(\.[0-9]{1,2})? *px$"))


class LayoutOn(Section):
    """How the article's text is set on one device; `adproxy measure` reads it off a page."""

    column: Annotated[float | None, _length(100, 4000)] = key("How wide its lines are.", "358px")
    font: Annotated[float | None, _length(6, 80)] = key("The size of its type.", "17px")
    line: Annotated[float | None, _length(6, 160)] = key("The height of a line.", "26px")
    margin: Annotated[float | None, _length(0, 200)] = key("The space between two paragraphs.", "17px")
    character: Annotated[float | None, _length(2, 60)] = key(
        "How wide a character is on average, where the face is narrower or wider than most.", "7.4px"
    )


class Layout(Section):
    """What heights are estimated from, and with them the share of ads, on phones (390 px) and desktops (1366 px)."""

    phone: LayoutOn | None = key("On phones.", "{column: 358px, font: 17px, line: 26px}")
    desktop: LayoutOn | None = key("On desktops.", "{column: 680px, font: 18px, line: 29px}")


class KeepClear(Section):
    """How far a slot in the article stays from these. Right before a heading is always fine, right beside a picture,
    a caption, an ad or a foreign box never. `above` is what stands above the slot, `below` what stands below it, and
    `unless_heading: true` waives the distance for a slot right before a heading."""

    after_heading: Annotated[Distance | None, DISTANCE] = key("How much follows a heading before an ad may.", "1 block")
    before_heading: Annotated[Distance | None, DISTANCE] = key(
        "How much lies between an ad and a heading below it, unless the heading is next.", "40 words"
    )
    around_media: Annotated[Clearance | None, CLEARANCE] = key(
        "From pictures, videos, embedded posts.", "{above: 20 words, below: 60 words}"
    )
    around_captions: Annotated[Clearance | None, CLEARANCE] = key(
        "From captions, where more than `around_media` is wanted.", "{above: 2 blocks}"
    )
    around_existing_ads: Annotated[Clearance | None, CLEARANCE] = key(
        "From ads that the page has already.", "100 words"
    )
    around_asides: Annotated[Clearance | None, CLEARANCE] = key(
        "From what isn't the article's own text: related links, newsletter boxes, comments.", "1 block"
    )
    around_lists: Annotated[Clearance | None, CLEARANCE] = key("From lists.", "{above: 1 block}")
    around_tables: Annotated[Clearance | None, CLEARANCE] = key(
        "From tables.", "{above: 40 words, unless_heading: true}"
    )
    around_quotes: Annotated[Clearance | None, CLEARANCE] = key("From quotations.", "20 words")
    around_code: Annotated[Clearance | None, CLEARANCE] = key("From code.", "1 block")
    around: dict[Annotated[str, SELECTOR], Annotated[Clearance, CLEARANCE]] | None = key(
        "From whatever these CSS selectors match.", '{".recipe-card": 2 blocks}', max_length=20
    )


class When(Section):
    """Which pages, by what they are and say themselves; all that is stated must hold. Nothing here depends on who reads
    the page, or when."""

    words: Annotated[tuple[int, int | None] | None, WORD_RANGE] = key(
        "How long the article is, in words.", "{at_least: 300, at_most: 2000}"
    )
    language: Annotated[Said | None, LANGUAGE] = key(
        "What the page says its language is (`<html lang>`); `en` means `en-gb` too.", "[en, de]"
    )
    json_ld: dict[Annotated[str, FIELD_NAME], Annotated[Said, SAID]] | None = key(
        "Fields of the page's JSON-LD article; of a list in it, one item is enough.",
        "{isAccessibleForFree: true, articleSection: [News, Sport], datePublished: {since: 2024-01-01}}",
        max_length=20,
    )
    meta: dict[Annotated[str, FIELD_NAME], Annotated[Said, SAID]] | None = key(
        "Meta tags, by `name` or `property`.", '{"article:section": {not: Obituaries}}', max_length=20
    )
    has: Annotated[tuple[str, ...] | None, SELECTORS] = key(
        "Something on the page matches each of these CSS selectors.", "main .story"
    )
    has_not: Annotated[tuple[str, ...] | None, SELECTORS] = key(
        "Nothing on the page matches any of these CSS selectors.", '[".sponsored", "body.no-ads"]'
    )


class Image(Section):
    """A picture with a link."""

    src: Annotated[str, Notation("address", values.parse_url, _text())] = Field(
        description="The picture's address.", examples=["/house/subscribe.png"]
    )
    link: Annotated[str, Notation("address", values.parse_url, _text())] = Field(
        description="Where a click leads.", examples=["/subscribe"]
    )
    alt: Annotated[str, Notation("text", _alt, _text())] = Field(
        description='What the picture says, for those who can\'t see it; `""` for nothing.',
        examples=["Subscribe for 1 euro"],
    )
    size: Annotated[Size, SIZE] = Field(description="The picture's size.", examples=["300x250"])


class Iframe(Section):
    """A page in a frame. It is sandboxed: its scripts run, but as a stranger's, without the site's cookies. A frame
    that has no ad says so: `parent.postMessage("adproxy:unfilled", "*")`."""

    src: Annotated[str, Notation("template", values.parse_frame, _text())] = Field(
        description="The address, https or a path of the site.", examples=['"https://ads.example/frame?slot={slot}"']
    )
    size: Annotated[Size, SIZE] = Field(description="The frame's size.", examples=["300x250"])
    title: Annotated[str | None, Notation("text", _alt, _text())] = key(
        "What it is, for those who can't see it; the label's text where it is missing.", "Weather"
    )


class Adsense(Section):
    """A unit of Google AdSense, in the largest of the slot's sizes that there is room for."""

    client: Annotated[str, Notation("publisher", values.parse_adsense_client, _text(r"^ca-pub-[0-9]{10,20}$"))] = Field(
        description="The publisher's number.", examples=["ca-pub-1234567890123456"]
    )
    unit: Annotated[str, Notation("number", values.parse_adsense_unit, {"type": ["integer", "string"]})] = Field(
        description="The ad unit's number (`data-ad-slot`).", examples=["1234567890"]
    )


class CreativeMap(Section):
    """Exactly one of these. `html`, `html_file` and `image` are the site's own: they need no consent."""

    html: Annotated[CheckedHtml | None, Notation("HTML", check_html, _text())] = key(
        "Markup to insert as it is; balanced, without forms, list items, tables, comments and `on...=` attributes.",
        "'<a href=\"/subscribe\">Read without ads</a>'",
    )
    html_file: Annotated[str | None, Notation("file", _file_name, _text())] = key(
        "The same from a file beside this one.", "house.html"
    )
    image: Image | None = key(
        "A picture with a link.", "{src: /house.png, link: /subscribe, alt: Subscribe, size: 300x250}"
    )
    iframe: Iframe | None = key("A page in a sandboxed frame.", "{src: https://ads.example/frame, size: 300x250}")
    adsense: Adsense | None = key("Google AdSense.", "{client: ca-pub-1234567890123456, unit: 1234567890}")


class Div(Section):
    """The div that the site's own ad stack looks for (`filled_by: page`)."""

    id: Annotated[str | None, Notation("template", values.parse_div_id, _text())] = key(
        "Its HTML id; with `{n}` where a slot may repeat, for ids are unique.", '"ad-in-article-{n}"'
    )
    classes: Annotated[str | None, Notation("template", values.parse_div_class, _text())] = key(
        "Its classes.", '"js-ad js-ad--wide"', alias="class"
    )
    data: (
        dict[
            Annotated[str, DATA_NAME],
            Annotated[str, Notation("template", values.parse_data_value, {"type": ["string", "integer", "boolean"]})],
        ]
        | None
    ) = key("Its data attributes, named without `data-`.", '{pos: "{slot}-{n}"}', max_length=20)


class AdFree(Section):
    """Who sees no ads: no box, no request, nothing that moves."""

    cookie: Annotated[str | None, Notation("cookie", values.parse_cookie, _text())] = key(
        "Browsers with this cookie, of any value or of the one after `=`; one that is `HttpOnly` can't be seen.",
        "subscriber",
    )
    header: Annotated[str | None, Notation("header", values.parse_header, _text())] = key(
        "Requests with this header, set by the server in front: they get the page without slots, and `Vary` says so. "
        "A value of `0` or `false` means nothing.",
        "X-Subscriber",
    )


class Visitors(Section):
    """What depends on who reads. The browser decides it, so pages stay the same for all. It is about what adproxy's
    script asks for: the site's own ad stack (`filled_by: page`) looks after consent itself."""

    ad_free: AdFree | None = key("Who sees no ads.", "{cookie: subscriber}")
    consent: Annotated[str | None, _word("none", "required")] = key(
        "`required`: no ad is asked for before a consent platform says yes, by the TCF (`__tcfapi`) or GPP (`__gpp`).",
        "required",
    )
    vendors: Annotated[
        tuple[int, ...] | None,
        Notation(
            "number, or a list of them",
            _list_of(_number(1, 65_535), 1, 20, "vendors"),
            {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "minItems": 1}]},
        ),
    ] = key(
        "Numbers in the TCF's vendor list that must have been shown and agreed to as well; Google's goes with its ads.",
        "[755]",
    )
    if_refused: Annotated[str | None, _word("house", "limited", "none")] = key(
        "What those see who refused, or whose browser sends Global Privacy Control: `house`, the slot's `if_unfilled`; "
        "`limited`, Google's limited ads in `gpt` slots and else as `house`; `none`, nothing.",
        "house",
    )


def _kind(value: object) -> str:
    return "map" if isinstance(value, (dict, Section)) else "word"


class Slot(Section):
    """One slot: where it goes, which sizes it takes, what fills it."""

    place: Annotated[Place | None, PLACE] = key("Where it goes.", "mid-article")
    ad_unit: Annotated[str | None, Notation("template", values.parse_ad_unit, _text())] = key(
        "The ad server's name for it.", '"{section}/inline"'
    )
    sizes: (
        dict[
            Annotated[str, BREAKPOINT_NAME],
            Annotated[
                tuple[Size, ...],
                Notation("sizes", _sizes, {"type": "array", "items": _text(_SIZE), "maxItems": 20}),
            ],
        ]
        | None
    ) = key(
        "Sizes by breakpoint, each holding for wider screens too until the next one; `[]`: not on such screens.",
        "{phone: [300x250], desktop: [728x90]}",
        max_length=20,
    )
    reserve: Annotated[Size | None, RESERVE] = key(
        "How much height is kept free while the ad loads: for the tallest size, or for the likeliest.", "tallest"
    )
    max: Annotated[OnDevice | None, _count(1)] = key(
        "How often it may stand on a page, or be shown on it on each device.", "4"
    )
    priority: Annotated[int | None, _whole("number", -1000, 1000)] = key(
        "Where slots compete for room, the higher number wins.", "10"
    )
    article_min: Annotated[Distance | None, DISTANCE] = key("Only in articles at least so long.", "150 words")
    first_after: Annotated[Distance | None, DISTANCE] = key(
        "In the article: how much of it comes before the first one.", "100 words"
    )
    before_end: Annotated[Distance | None, DISTANCE] = key(
        "In the article: how much of it comes after the last one.", "100 words"
    )
    after: Annotated[
        int | None, Notation("`paragraph N`", values.parse_after, _text(r"^paragraph -?[1-9][0-9]{0,3}$"))
    ] = key("In the article: after this paragraph only, counted from the end where negative.", "paragraph 3")
    every: Annotated[Distance | None, Notation("distance", values.parse_every, _text(_DISTANCE))] = key(
        "In the article: one after each such stretch.", "300 words"
    )
    at: Annotated[float | None, Notation("percentage", values.parse_share, _text(_SHARE))] = key(
        "In the article: where this share of its words has passed.", "50%"
    )
    shift: Annotated[Distance | None, DISTANCE] = key(
        "With `after` or `at`: how far it may stand from there, to either side, where that spot isn't good. With "
        "`below-headline`: behind how many blocks that follow the headline, such as a standfirst or a byline.",
        "4 blocks",
    )
    when: When | None = key(
        "Only on pages of which this holds.", "{words: {at_least: 800}, json_ld: {isAccessibleForFree: true}}"
    )
    instead_of: Annotated[str | None, SLOT_NAME] = key(
        "It stands in for another slot: only on pages where that one has a place, and the limits leave no room for it.",
        "in-article",
    )
    label: Annotated[str | None, LABEL] = key("The line over the ad; `false` for none.", "Anzeige")
    div: Div | None = key(
        "The div that the site's own ad stack looks for (`filled_by: page`).",
        '{id: "ad-in-article-{n}", class: js-ad}',
    )
    creative: (
        Annotated[
            Union[Annotated[Annotated[str, _word("gpt")], Tag("<word>")], Annotated[CreativeMap, Tag("<CreativeMap>")]],
            Discriminator(lambda value: "<CreativeMap>" if _kind(value) == "map" else "<word>"),
        ]
        | None
    ) = key(
        "What fills it: `gpt` asks Google Ad Manager, a map says what else.",
        "{html_file: house.html}",
    )
    if_unfilled: Annotated[str | None, Notation("file", _file_name, _text())] = key(
        "An HTML file beside this one, shown where no ad came or none may be asked for; it counts as no impression.",
        "house/subscribe.html",
    )


def _false_or(value: object) -> bool:
    if value is False:
        return False
    hint = "Give it a map of keys, or delete the line" if value is True or value is None else ""
    raise Mismatch("a map of keys, or false to turn it off", hint)


OFF = Notation("`false`", _false_or, {"const": False})

SlotOrOff = Annotated[
    Union[Annotated[Annotated[Literal[False], OFF], Tag("<word>")], Annotated[Slot, Tag("<Slot>")]],
    Discriminator(lambda value: "<Slot>" if _kind(value) == "map" else "<word>"),
]
AdsOrOff = Annotated[
    Union[Annotated[Annotated[Literal[False], OFF], Tag("<word>")], Annotated[Ads, Tag("<Ads>")]],
    Discriminator(lambda value: "<Ads>" if _kind(value) == "map" else "<word>"),
]
Slots = dict[Annotated[str, SLOT_NAME], SlotOrOff]
WHEN = "No ads on pages of which this doesn't hold."
MARKERS_MEAN = (
    "Whether editors may place slots by hand: `on`, `off`, or which slots. `<!-- adproxy:slot NAME -->` or an element "
    'with `data-ads-here="NAME"` is then the only place of that slot on the page, and `<!-- adproxy:off -->` keeps the '
    "page without ads."
)
ARTICLE = "Where the article is: found by adproxy (`auto`), or the first match of a CSS selector."
SIDEBAR = "Where the sidebar is: found by adproxy (`auto`), or the first match of a CSS selector."
VISITORS = "Consent, and readers who see no ads."
SLOTS = "The slots, each under a name of your own; `false` turns off one that comes from a preset."


class PageEntry(Section):
    """A kind of page, chosen by its path; what it says is laid over the rest of the file."""

    path: Annotated[
        tuple[str, ...],
        Notation("path, or a list of them", _list_of(_glob, 1, 100, "paths"), ONE_OR_MORE_TEXTS),
    ] = Field(
        description="`*`: anything within a segment; `**`: any segments, none too; `?`: one character.",
        examples=["/live/**"],
    )
    use: Annotated[tuple[str, ...] | None, USE] = key(
        "Presets or files to lay over the rest for these pages.", "longform"
    )
    ads: AdsOrOff | None = key("`false`: no ads on these pages; else as `ads` above.", "false")
    when: When | None = key(WHEN, "{has_not: .sponsored}")
    markers: Annotated[tuple[str, ...] | None, MARKERS] = key(MARKERS_MEAN, "off")
    article: Annotated[str | None, AUTO_OR_SELECTOR] = key(ARTICLE, "main .story")
    sidebar: Annotated[str | None, AUTO_OR_SELECTOR] = key(SIDEBAR, "aside.rail")
    visitors: Visitors | None = key(VISITORS, "{consent: none}")
    limits: Limits | None = key("Upper bounds for these pages.", "{in_article: 2}")
    layout: Layout | None = key("How the text of these pages is set.", "{desktop: {column: 820px}}")
    keep_clear: KeepClear | None = key("Distances for these pages.", "{around_media: 80 words}")
    slots: Slots | None = key(SLOTS, "{in-article: false}", max_length=MAX_SLOTS)


class RulesFile(Section):
    """A rules file. Written down, a rule set reads like this page from top to bottom."""

    version: Annotated[int, Notation("`1`", _version, {"const": 1})] = Field(
        description="The version of the rules' language.", examples=["1"]
    )
    site: Annotated[str | None, Notation("name", values.parse_site, _text(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))] = key(
        "The label in metrics; a file without it is a part that others `use`.", "asia-news"
    )
    use: Annotated[tuple[str, ...] | None, USE] = key(
        "Presets and files to start from: maps merge by key, lists replace, the later wins, this file wins over all.",
        "[news, ./group.yaml]",
    )
    hosts: Annotated[
        tuple[str, ...] | None,
        Notation("host name, or a list of them", _list_of(values.parse_host, 1, 200, "hosts"), ONE_OR_MORE_TEXTS),
    ] = key(
        "The hosts that the file is for, `*.` for subdomains; without it: all that no other file claims.",
        "[asia-news.example]",
    )
    breakpoints: dict[Annotated[str, BREAKPOINT_NAME], Annotated[int, _whole("CSS px", 0, 10_000)]] | None = key(
        "Names for screen widths: the least width in CSS px.", "{phone: 0, tablet: 768, desktop: 1024}", max_length=20
    )
    ads: Ads | None = key("Who fills the slots, and what the ad server is told.", "{filled_by: page}")
    visitors: Visitors | None = key(VISITORS, "{consent: required, if_refused: house}")
    pause: Annotated[
        tuple[str, ...] | None,
        Notation(
            "`true`, `false`, or a list of slots",
            values.parse_pause,
            {"anyOf": [{"type": "boolean"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
        ),
    ] = key("Slots that stay empty for now, or all of them; it reaches pages in caches within seconds.", "[rail]")
    pages: Annotated[list[PageEntry], Field(min_length=1, max_length=MAX_PAGES)] | None = key(
        "Which pages, top down: the first entry whose path matches holds, and a page that none matches has no ads; "
        "without `pages`: every page. Where editors work there are no ads, unless an entry's path begins with it: "
        "`/wp-admin`, `/wp-login.php`, `/admin`, `/administrator`, `/typo3`.",
        '[{path: "/about/**", ads: false}, {path: "/**"}]',
    )
    when: When | None = key(WHEN, "{meta: {robots: {not: noindex}}}")
    markers: Annotated[tuple[str, ...] | None, MARKERS] = key(MARKERS_MEAN, "[in-article]")
    article: Annotated[str | None, AUTO_OR_SELECTOR] = key(ARTICLE, "main .story")
    sidebar: Annotated[str | None, AUTO_OR_SELECTOR] = key(SIDEBAR, "aside.rail")
    limits: Limits | None = key("Upper bounds for each page.", "{in_article: 8}")
    layout: Layout | None = key(
        "How the site sets its text: what heights are estimated from.", "{phone: {font: 18px, line: 28px}}"
    )
    keep_clear: KeepClear | None = key(
        "How far a slot in the article stays from other things.", "{around_media: 40 words}"
    )
    slots: Slots | None = key(SLOTS, "{end: false}", max_length=MAX_SLOTS)


SECTIONS: tuple[type[Section], ...] = (
    RulesFile,
    Ads,
    Visitors,
    AdFree,
    PageEntry,
    When,
    Limits,
    Layout,
    LayoutOn,
    KeepClear,
    Slot,
    Div,
    CreativeMap,
    Image,
    Iframe,
    Adsense,
)
"""In the order of the reference."""


def validate(document: Map) -> tuple[RulesFile | None, list[Problem]]:
    """The file as models, or all its problems, each with its place; one of the two is empty."""
    try:
        rules = RulesFile.model_validate(plain(document))
        empty = list(_empty(document, set()))
        return (None, empty) if empty else (rules, [])
    except ValidationError as error:
        found = [problem for detail in error.errors(include_url=False) for problem in _problems(document, dict(detail))]
        return None, [*found, *_empty(document, {(p.line, p.column) for p in found})]


def keys_of(model: type[Section]) -> list[str]:
    """The keys as a file spells them."""
    return [field.alias or name for name, field in model.model_fields.items()]


_MODELS = {f"<{model.__name__}>": model for model in SECTIONS}


def _empty(node: Node, told: set[tuple[int, int]]) -> Iterable[Problem]:
    """A problem for each key without a value: laid over a preset it would wipe out what stands beneath."""
    if isinstance(node, Map):
        for name, value in node.entries.items():
            at = node.keys_at[name]
            if isinstance(value, Scalar) and value.value is None:
                place = at if value.text == "" else value.at
                if (place.line, place.column) not in told:
                    hint = "Delete the key, or write something under it"
                    yield _made(place, "nothing", f"a value for '{name}'", hint)
            yield from _empty(value, told)
    elif isinstance(node, Seq):
        for item in node.items:
            yield from _empty(item, told)


def _problems(document: Map, detail: dict[str, Any]) -> Iterable[Problem]:
    """One of pydantic's errors as problems in our words."""
    cause = detail.get("ctx", {}).get("error")
    if not isinstance(cause, Mismatch):
        yield _problem(document, detail, None)
        return
    for mismatch in (cause, *cause.also):
        yield _problem(document, detail, mismatch)


def _problem(document: Map, detail: dict[str, Any], mismatch: Mismatch | None) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    # the last part of these is a key that stands in no model, whatever it looks like
    unknown = kind == "extra_forbidden"
    *above, last = detail["loc"] or ("",)
    in_key = last == "[key]" and not unknown
    location, tags = _without_tags(document, above if in_key or unknown else detail["loc"])
    if unknown:
        location = (*location, last)
    node, at, key_at = find(document, (*location, *(mismatch.path if mismatch else ())))
    if kind == "extra_forbidden":
        known = keys_of(_model_at(location[:-1], tags))
        name = str(last)
        hint = nearest(name, known)
        return _made(key_at or at, f"the unknown key '{name}'", one_of(known), hint)
    if kind == "missing":
        name = str(location[-1])
        parent = find(document, location[:-1])[1]
        model = _model_at(location[:-1], tags)
        example = model.model_fields[name].examples or [""]
        return _made(parent, f"no key '{name}'", f"'{name}: {example[0]}'")
    if in_key:
        expected, hint = (mismatch.expected, mismatch.hint) if mismatch else ("a text", "")
        return _made(key_at or at, f"the key '{location[-1]}'", expected, hint)
    if mismatch:
        return _made(at, mismatch.found or shown(node), mismatch.expected, mismatch.hint)
    if kind in ("too_long", "too_short"):
        bound = f"at most {context.get('max_length')}" if kind == "too_long" else "at least one"
        return _made(at, f"{context.get('actual_length')} entries", f"{bound}")
    expected = {"list_type": "a list", "model_type": "a map of keys", "dict_type": "a map of keys"}[kind]
    return _made(at, shown(node), expected)


def _made(at: Mark, found: str, expected: str, hint: str = "") -> Problem:
    return Problem(at.file, at.line, at.column, found, expected, hint)


def find(node: Node, path: Iterable[str | int]) -> tuple[Node, Mark, Mark | None]:
    """As far down `path` as there is something: the node, its place, and the place of its key."""
    key_at: Mark | None = None
    for part in path:
        if isinstance(node, Map) and str(part) in node.entries:
            key_at = node.keys_at[str(part)]
            node = node.entries[str(part)]
        elif isinstance(node, Seq) and isinstance(part, int) and part < len(node.items):
            node, key_at = node.items[part], None
        else:
            break
    # Nothing, as after a lone 'slots:', stands where its key does.
    empty = isinstance(node, Scalar) and node.value is None and node.text == ""
    return node, key_at if empty and key_at else node.at, key_at


def _without_tags(
    document: Map, location: Iterable[str | int]
) -> tuple[tuple[str | int, ...], dict[int, type[Section]]]:
    """A place as the file has it, without the names of models that pydantic puts in; and those, by the number of parts
    before them. A key that only looks like such a name is one that the file has."""
    kept: list[str | int] = []
    tags: dict[int, type[Section]] = {}
    node: Node = document
    for part in location:
        is_key = isinstance(node, Map) and str(part) in node.entries
        if str(part).startswith("<") and not is_key:
            if str(part) in _MODELS:
                tags[len(kept)] = _MODELS[str(part)]
            continue
        kept.append(part)
        node = find(node, (part,))[0]
    return tuple(kept), tags


def _model_at(location: tuple[str | int, ...], tags: dict[int, type[Section]]) -> type[Section]:
    """Which model the keys at that place belong to."""
    model: type[Section] = tags.get(0, RulesFile)
    for number, part in enumerate(location, 1):
        by_alias = {field.alias or name: field for name, field in model.model_fields.items()}
        if isinstance(part, str) and part in by_alias:
            inner = list(_models_in(by_alias[part].annotation))
            if len(inner) == 1:
                model = inner[0]
        model = tags.get(number, model)
    return model


def _models_in(annotation: Any) -> Iterable[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
