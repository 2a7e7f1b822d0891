"""What a page says of itself: language, meta tags, JSON-LD, policies, a nonce, ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from adproxy.model import Facts
from adproxy.page.tree import Tree

_RTL: Final = frozenset("ar arc ckb dv fa ha he khw ks ku ps sd ug ur yi".split())
# Larger blocks of JSON-LD are not read.
MAX_JSON_LD: Final = 128 * 1024
_ARTICLE_TYPES: Final = ("article", "newsarticle", "blogposting", "reportagenewsarticle", "liveblogposting", "webpage")


def read(
    tree: Tree,
    *,
    metas: Iterable[str] = (),
    json_ld: Iterable[str] = (),
    ids: frozenset[str] = frozenset(),
    selectors: Iterable[str] = (),
) -> Facts:
    """Facts of a page. `metas`, `json_ld`, `ids`, `selectors`: those that the rules ask for; nothing else is looked
    for, and of ids only those that the tree's landmarks were asked for."""
    root = tree.parser.root
    attributes = root.attributes if root is not None else {}
    lang = (attributes.get("lang") or attributes.get("xml:lang") or "").strip().lower()[:35]
    direction = (attributes.get("dir") or (tree.body.attributes.get("dir") if tree.body else "") or "").lower()
    wanted_metas, wanted_fields = frozenset(metas), tuple(json_ld)
    nonce = ""
    policies: list[str] = []
    for node in tree.landmarks.policies:
        found = node.attributes
        nonce = nonce or found.get("nonce") or ""
        if node.tag == "meta" and (found.get("http-equiv") or "").strip().lower() == "content-security-policy":
            policies.append(found.get("content") or "")
    return Facts(
        lang=lang,
        rtl=direction == "rtl" or (not direction and lang.split("-")[0] in _RTL),
        meta=MappingProxyType(_metas(tree, wanted_metas) if wanted_metas else {}),
        json_ld=MappingProxyType(_json_ld(tree, wanted_fields) if wanted_fields else {}),
        csp=tuple(policies),
        nonce=nonce,
        ids=ids.intersection([node.id or "" for node in tree.landmarks.identified]),
        matched=frozenset(s for s in selectors if tree.parser.css_first(s) is not None),
    )


def _metas(tree: Tree, wanted: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        attributes = node.attributes
        name = attributes.get("name") or attributes.get("property") or ""
        if name in wanted and name not in found:
            found[name] = (attributes.get("content") or "")[:500]
    return found


def _json_ld(tree: Tree, fields: tuple[str, ...]) -> dict[str, str]:
    """The wanted top-level fields of the first JSON-LD object that is an article, else of the first that has them."""
    objects: list[Mapping[str, object]] = []
    for node in tree.css('script[type="application/ld+json"]')[:20]:
        text = node.text()
        if len(text) > MAX_JSON_LD:
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                graph = item.get("@graph")
                objects.extend(o for o in (graph if isinstance(graph, list) else [item]) if isinstance(o, dict))
    objects.sort(key=lambda o: not _is_article(o.get("@type")))
    found: dict[str, str] = {}
    for one in objects:
        for name in fields:
            if name not in found and name in one:
                text = _text(one[name])
                if text:
                    found[name] = text[:500]
    return found


def _is_article(kind: object) -> bool:
    """An object may be of several types at once."""
    kinds = kind if isinstance(kind, list) else [kind]
    return any(isinstance(k, str) and k.lower() in _ARTICLE_TYPES for k in kinds)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list):
        return ",".join(filter(None, (_text(v) for v in value[:20])))
    if isinstance(value, dict):
        return _text(value.get("name", ""))
    return ""
