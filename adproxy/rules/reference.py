"""The reference in ``rules/README.md`` and the JSON Schema for editors, made from the models.

``python -m adproxy.rules.reference --write`` renews both in a checkout; ``--check`` says whether they are up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import adproxy
from adproxy.rules import schema
from adproxy.rules.defaults import SLOT_DEFAULTS, default_layer
from adproxy.rules.schema import Notation, RulesFile, Section
from adproxy.rules.strict_yaml import Map, Scalar, load, plain

PACKAGE = Path(adproxy.__file__).parent
SCHEMA_FILE = PACKAGE / "rules.schema.json"
REFERENCE_FILE = PACKAGE.parent / "rules" / "README.md"

BY_HAND = PACKAGE / "rules" / "reference.md"
"""What stands before the tables: placements, notations, and where the recipes go."""
RECIPES = PACKAGE / "rules" / "recipes.md"
"""Whole files for what people want; each is run on a page, and does there what it says (`tests/test_recipes.py`)."""
_RECIPES_HERE = "<!-- recipes -->\n"


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a rules file, for editors."""
    made = RulesFile.model_json_schema(by_alias=True)
    tidy: dict[str, Any] = _tidied(made, plain(default_layer()))
    for key in ("reserve", "priority", "shift"):  # the other defaults of a slot depend on where it stands
        tidy["$defs"]["Slot"]["properties"][key]["default"] = _value(SLOT_DEFAULTS[key])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **tidy,
        "title": "Rules of adproxy",
    }


def reference() -> str:
    """The text of ``rules/README.md``."""
    by_hand = BY_HAND.read_text("utf-8").replace(_RECIPES_HERE, RECIPES.read_text("utf-8"))
    return by_hand + "".join(_section(model) for model in schema.SECTIONS)


def main(arguments: list[str] | None = None) -> int:
    """Write or check both files. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m adproxy.rules.reference", description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true", help="renew both files")
    choice.add_argument("--check", action="store_true", help="exit 1 where one of them is out of date")
    options = parser.parse_args(arguments)
    outdated = [path for path, text in _files() if not path.is_file() or path.read_text("utf-8") != text]
    if options.write:
        for path, text in _files():
            path.write_text(text, "utf-8")
        return 0
    for path in outdated:
        print(f"{path} is out of date: run python -m adproxy.rules.reference --write", file=sys.stderr)
    return 1 if outdated else 0


def _files() -> Iterator[tuple[Path, str]]:
    yield SCHEMA_FILE, json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    yield REFERENCE_FILE, reference()


_TITLES = {
    "RulesFile": "The file",
    "Ads": "`ads`",
    "Visitors": "`visitors`",
    "AdFree": "`visitors.ad_free`",
    "PageEntry": "`pages`, each entry",
    "When": "`when`, for pages and for slots",
    "Limits": "`limits`",
    "Layout": "`layout`",
    "LayoutOn": "`layout.phone`, `layout.desktop`",
    "KeepClear": "`keep_clear`",
    "Slot": "`slots`, each one",
    "Div": "`slots.NAME.div`",
    "CreativeMap": "`slots.NAME.creative`",
    "Image": "`slots.NAME.creative.image`",
    "Iframe": "`slots.NAME.creative.iframe`",
    "Adsense": "`slots.NAME.creative.adsense`",
}
_DEFAULTS_AT = {
    "RulesFile": (),
    "Ads": ("ads",),
    "Visitors": ("visitors",),
    "Limits": ("limits",),
    "Layout": ("layout",),
    "KeepClear": ("keep_clear",),
}


def _section(model: type[Section]) -> str:
    """One model as a table."""
    lines = [f"\n### {_TITLES[model.__name__]}\n", f"{model.__doc__}\n", "| key | type | default | example | |"]
    lines.append("|---|---|---|---|---|")
    for name, field in model.model_fields.items():
        key = field.alias or name
        example = (field.examples or [""])[0]
        needed = "needed" if field.is_required() else _default(model, key)
        kind = _kind((field.annotation, *field.metadata))
        cells = (f"`{key}`", kind, needed, f"`{example}`", field.description or "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _default(model: type[Section], key: str) -> str:
    if model is schema.Slot:
        text = SLOT_DEFAULTS.get(key, "")
        return text if " " in text or not text else f"`{text}`"
    node: Any = default_layer()
    for part in (*_DEFAULTS_AT.get(model.__name__, ("none",)), key):
        node = node.entries.get(part) if isinstance(node, Map) else None
    if isinstance(node, Scalar):
        return f"`{node.text}`"
    if isinstance(node, Map) and all(isinstance(n, Scalar) for n in node.entries.values()):
        return "`{" + ", ".join(f"{k}: {v.text}" for k, v in node.entries.items() if isinstance(v, Scalar)) + "}`"
    return ""


def _kind(annotation: Any) -> str:
    """A field's type in the reference's words."""
    parts = annotation if isinstance(annotation, tuple) else (annotation,)
    if notation := next((part for part in parts if isinstance(part, Notation)), None):
        return notation.name
    kinds = list(dict.fromkeys(_kinds(parts[0])))
    return " or ".join(kinds)


def _kinds(annotation: Any) -> Iterator[str]:
    if annotation is type(None):
        return
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield "map"
        return
    metadata = getattr(annotation, "__metadata__", ())
    if notation := next((part for part in metadata if isinstance(part, Notation)), None):
        yield notation.name
        return
    origin = getattr(annotation, "__origin__", None)
    if origin is dict:
        key, value = get_args(annotation)
        yield f"map of {' or '.join(_kinds(key))} to {' or '.join(_kinds(value))}"
    elif origin is list:
        yield f"list of {' or '.join(_kinds(get_args(annotation)[0]))}s"
    else:
        for argument in get_args(annotation):
            yield from _kinds(argument)


def _tidied(node: Any, defaults: Any) -> Any:
    """pydantic's schema without what an editor's user would stumble over: titles, null, defaults of null."""
    if isinstance(node, list):
        return [_tidied(item, None) for item in node]
    if not isinstance(node, dict):
        return node
    alternatives = node.get("anyOf")
    if isinstance(alternatives, list) and {"type": "null"} in alternatives:
        rest = [item for item in alternatives if item != {"type": "null"}]
        others = {name: value for name, value in node.items() if name != "anyOf"}
        node = {**rest[0], **others} if len(rest) == 1 else {**others, "anyOf": rest}
    tidy: dict[str, Any] = {}
    for name, value in node.items():
        if name == "properties":
            tidy[name] = {key: _property(value[key], key, defaults) for key in value}
        elif name == "$defs":
            inner = {"Ads": "ads", "Visitors": "visitors", "Limits": "limits", "KeepClear": "keep_clear"}
            tidy[name] = {
                key: _tidied(item, defaults.get(inner.get(key, "")) if defaults else None)
                for key, item in value.items()
            }
        elif name == "examples":
            tidy[name] = [_value(example) for example in value]
        elif not (name == "title" or (name == "default" and value is None)):
            tidy[name] = _tidied(value, None)
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    return tidy


def _value(example: str) -> Any:
    """What an example in YAML means."""
    return plain(load(f"example: {example}\n", "example").entries["example"])


def _property(node: Any, key: str, defaults: Any) -> Any:
    tidy = _tidied(node, None)
    if isinstance(tidy, dict) and isinstance(defaults, dict) and key in defaults:
        return {**tidy, "default": defaults[key]}
    return tidy


if __name__ == "__main__":
    sys.exit(main())
