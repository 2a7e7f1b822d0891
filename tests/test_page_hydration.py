"""Pages that a script in the browser takes over are told from those whose slots it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_page_places import TEXT

from adproxy.model import Skip, SkipReason
from adproxy.page.read import Wanted, read
from adproxy.rewrite import rewrite
from adproxy.rules.compile import load_rules

ROOT = Path(__file__).resolve().parents[1]


def taken_over_by(html: str) -> str:
    return read(html.encode(), Wanted()).taken_over_by


@pytest.mark.parametrize(
    ("html", "framework"),
    [
        ("<div id=app><!--[--><main>{}</main><!--]--></div>", "Vue"),
        ("<div id=app><div class=layout><!--[--><!--]--><main>{}</main></div></div>", "Vue"),
        ("<div id=__nuxt><!--[--><main>{}</main><!--]--></div>", "Vue"),
        ("<div id=__docusaurus><main>{}</main></div>", "React"),
        ("<div id=___gatsby><main>{}</main></div>", "React"),
        ("<div id=__next><main>{}</main></div><script id=__NEXT_DATA__ type=application/json>{{}}</script>", "React"),
        ("<div id=__nuxt><main>{}</main></div><script id=__NUXT_DATA__ type=application/json>[]</script>", "Vue"),
        ("<main>{}</main><script src=/_next/static/chunks/main.js></script>", "React"),
        ("<main>{}</main><script src=https://cdn.example/_next/static/chunks/main.js></script>", "React"),
    ],
)
def test_a_page_that_would_lose_text_or_slots_is_left_alone(html: str, framework: str) -> None:
    assert taken_over_by(f"<body>{html.format(TEXT)}") == framework


@pytest.mark.parametrize(
    "html",
    [
        "<div id=app><main>{}</main></div>",
        "<div id=app data-server-rendered=true><!--[--><main>{}</main></div>",
        "<div id=__nuxt data-server-rendered=true><main>{}</main></div>",
        "<div id=app><!--a comment--><main>{}</main></div>",
        "<div id=app-next__n><main>{}</main></div><script id=site__nav src=/nav.js></script>",
        "<div data-reactroot><main>{}</main></div>",
        "<main>{}<!--[--></main>",
        "<main>{}</main><script src=/next/static/main.js></script><img src=/_next/static/a.png>",
        "<main>{}</main><script>'<div id=__next>'</script>",
    ],
)
def test_all_others_are_not(html: str) -> None:
    assert taken_over_by(f"<body>{html.format(TEXT)}") == ""


def test_it_is_counted_with_its_reason_and_the_account_names_who_takes_over() -> None:
    policy = load_rules(ROOT / "rules" / "news.yaml").rule_sets[0].pages[0].policy
    result = rewrite(f"<!doctype html><body><div id=__docusaurus>{TEXT * 4}</div>".encode(), policy)
    assert isinstance(result, Skip)
    assert result.reason is SkipReason.HYDRATED
    assert "React" in result.detail
