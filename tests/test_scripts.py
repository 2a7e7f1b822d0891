"""The browser's scripts as they are sent."""

from __future__ import annotations

import gzip
from importlib.resources import files

import pytest

from adproxy.scripts import CLIENT, VISITOR, BrowserScript

SCRIPTS = pytest.mark.parametrize("script", [CLIENT, VISITOR], ids=lambda script: script.name)
MAX_BYTES = 6 * 1024


@SCRIPTS
def test_it_is_small(script: BrowserScript) -> None:
    assert len(gzip.compress(script.body, 9)) <= MAX_BYTES


@SCRIPTS
def test_it_may_stand_within_a_page_of_any_encoding(script: BrowserScript) -> None:
    assert script.body.isascii()
    assert b"</" not in script.body
    assert b"<!--" not in script.body


@SCRIPTS
def test_no_text_goes_over_several_lines_so_leaving_out_comments_and_indentation_changes_nothing(
    script: BrowserScript,
) -> None:
    source = files("adproxy").joinpath("static", script.name).read_text("ascii")
    assert all(line.count("`") % 2 == 0 for line in source.splitlines())
    assert "/*" not in source


@SCRIPTS
def test_it_has_no_html_sink_and_no_handler_that_keeps_pages_from_the_back_forward_cache(script: BrowserScript) -> None:
    forbidden = (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"document.write", b"eval(", b"unload", b"srcdoc")
    assert [word for word in forbidden if word in script.body] == []


@SCRIPTS
def test_it_sets_no_cookie_and_stores_nothing(script: BrowserScript) -> None:
    forbidden = (b"document.cookie =", b"localStorage", b"sessionStorage", b"indexedDB", b"cookieStore")
    assert [word for word in forbidden if word in script.body] == []
