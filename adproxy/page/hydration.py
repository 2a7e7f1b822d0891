"""Pages that a script in the browser takes over: it compares what was sent with what it would have made of it.

What it did not make is in its way. Vue 3 patches the difference, and loses as many elements at the end of the text
(VitePress, VuePress, Nuxt 3); React 18 throws its whole part of the page away and makes it anew, without our slots
(Next.js, Gatsby, Docusaurus). VitePress, VuePress and Docusaurus were tried in a browser. So nothing is inserted into
such a page. React before 18 and Vue 2 take slots out again at worst.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from selectolax.lexbor import LexborNode

from adproxy.page.walk import Sought

_NEXT: Final = "/_next/static/"
SOUGHT: Final = (
    Sought(attribute="id", how="holds", value="__n"),
    Sought(attribute="id", how="holds", value="__docusaurus"),
    Sought(attribute="id", how="holds", value="___gatsby"),
    Sought(attribute="id", how="is", value="app"),
    Sought(frozenset(["script"]), "src", "holds", _NEXT),
)
"""What may say so."""

_NUXT_DATA: Final = "__NUXT_DATA__"
_REACT: Final = frozenset(["__next", "__NEXT_DATA__", "__docusaurus", "___gatsby"])
_VUE: Final = frozenset(["__nuxt", "app"])
# Nodes from the root's start on; Vue writes such a comment where several elements stand for one.
_LOOKED_AT: Final = 60
_FRAGMENT: Final = "["


def taken_over_by(found: Iterable[LexborNode]) -> str:
    """The framework that takes a page over; empty where none does that an element more would disturb.

    `found`: the elements of a page that are `SOUGHT`.
    """
    for node in found:
        ident = node.id or ""
        if ident in _REACT or (node.tag == "script" and _NEXT in (node.attributes.get("src") or "")):
            return "React"
        if ident == _NUXT_DATA or (ident in _VUE and _is_vue_3(node)):
            return "Vue"
    return ""


def _is_vue_3(root: LexborNode) -> bool:
    if "data-server-rendered" in root.attributes:  # Vue 2
        return False
    nodes = islice(root.traverse(include_text=True), _LOOKED_AT)
    return any(node.is_comment_node and node.comment_content == _FRAGMENT for node in nodes)
