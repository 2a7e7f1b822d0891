"""What holds where no file says anything: the lowest layer under every rule set.

Numbers come from `adproxy.rules.ruleset`, the one place that states them.
"""

from __future__ import annotations

from dataclasses import fields

from adproxy.rules.ruleset import LAYOUT, Distance, KeepClear, Layout, Limits, MidArticle, Visitors
from adproxy.rules.strict_yaml import Map, Mark, Node, Scalar

DEFAULT = Mark("default", 0, 0)
"""The place of a value that no file states."""

BREAKPOINTS = {"phone": 0, "tablet": 768, "desktop": 1024}
"""CSS px. Phones are narrower than 768 in both directions of all makers' lists; 1024 is a tablet held sideways."""


def share_text(share: float) -> str:
    return f"{share * 100:g}%"


def distance_text(distance: Distance) -> str:
    unit = distance.unit.removesuffix("s") if distance.amount == 1 else distance.unit
    return f"{distance.amount:g} {unit}"


def default_layer() -> Map:
    """The defaults as a file would state them."""
    limits, clear = Limits(), KeepClear()
    return _map(
        {
            "breakpoints": _map({name: _scalar(width) for name, width in BREAKPOINTS.items()}),
            "ads": _map({"filled_by": _scalar("page")}),
            "article": _scalar("auto"),
            "sidebar": _scalar("auto"),
            "markers": _scalar("on"),
            "visitors": _map({"consent": _scalar(Visitors().consent), "if_refused": _scalar(Visitors().if_refused)}),
            "limits": _map(
                {
                    "ad_share": _map(
                        {
                            "phone": _scalar(share_text(limits.ad_share.phone)),
                            "desktop": _scalar(share_text(limits.ad_share.desktop)),
                        }
                    ),
                    "gap": _map(
                        {
                            "phone": _scalar(distance_text(limits.gap.phone)),
                            "desktop": _scalar(distance_text(limits.gap.desktop)),
                        }
                    ),
                    "gap_grows": _scalar(distance_text(limits.gap_grows)),
                    "in_article": _scalar(limits.in_article),
                }
            ),
            "layout": _map({"phone": _layout(LAYOUT.phone), "desktop": _layout(LAYOUT.desktop)}),
            "keep_clear": _map(
                {
                    field.name: _scalar(distance_text(value))
                    for field in fields(clear)
                    if isinstance(value := getattr(clear, field.name), Distance)
                }
            ),
        }
    )


def _layout(layout: Layout) -> Map:
    return _map({name: _scalar(f"{getattr(layout, name):g}px") for name in ("column", "font", "line", "margin")})


SLOT_DEFAULTS = {
    "reserve": "tallest",
    "priority": "0",
    "max": "1; in the article as often as `limits.in_article`",
    "shift": distance_text(MidArticle().shift),
    "label": '"Advertisement" in the page\'s language',
}
"""Of a slot's keys, for the reference."""


def _scalar(value: str | int) -> Scalar:
    return Scalar(value, str(value), DEFAULT)


def _map(entries: dict[str, Node]) -> Map:
    return Map(entries, dict.fromkeys(entries, DEFAULT), DEFAULT)
