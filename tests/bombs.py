"""Pages that are made to hurt, and what each costs the rewrite: run as a program, it prints one JSON line a bomb.

Each bomb goes off in a process of its own, forked from a warm one, so that its memory is its own and a crash or a hang
is seen as such. Usage: python bombs.py [TARGET]   (a name in TARGETS; without it, the rewrite)
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from adproxy.rewrite import rewrite
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import Policy

MAX_CPU_SECONDS = 4
"""The kernel ends a bomb that takes more."""
PAGE_BYTES = 2 * 1024 * 1024 - 1024
"""Just below what the guard lets through by its size."""

PARAGRAPH = b"<p>" + b"word " * 40 + b".</p>"
ARTICLE = b"<!DOCTYPE html><html><body><main><h1>Headline</h1>" + PARAGRAPH * 20


def _filled(piece: bytes, after: bytes = b"", count: int = 10**9) -> bytes:
    """An article, and behind it as many of the piece as there is room for."""
    return ARTICLE + piece * min(count, (PAGE_BYTES - len(ARTICLE) - len(after)) // len(piece)) + after


def bombs() -> Iterator[tuple[str, bytes]]:
    """Names and pages. Those with a count stay just below a bound of the guard, or are known to be worst there."""
    yield "nested divs", _filled(b"<div>")
    yield "nested divs below the bound", _filled(b"<div>", PARAGRAPH * 200, 1_400)
    yield "nested divs of an unknown name below the bound", _filled(b"<x-y>", PARAGRAPH * 200, 1_400)
    yield "formatting to reopen", _filled(b"<a><b><i><p>")
    yield "formatting to reopen below the bound", _filled(b"<a><b><i><p>", count=90)
    yield "formatting of many kinds", ARTICLE + b"".join(b"<b id=%d>" % i for i in range(1_000)) + PARAGRAPH * 500
    yield "fonts in forms", _filled(b"<form><font size=1>")
    yield "fonts in forms below the bound", _filled(b"<form></form><font size=1>", PARAGRAPH * 9, 600)
    yield "misnested formatting", _filled(b"<b><div></b>")
    yield "links in links", _filled(b"<a href=x><div>")
    yield "nobr in nobr", _filled(b"<nobr><p>")
    yield "attributes", ARTICLE + b"<div " + b" ".join(b"a%d=1" % i for i in range(200_000)) + b">"
    yield (
        "attributes below the bound",
        (ARTICLE + (b"<p " + b" ".join(b"a%d" % i for i in range(500)) + b">x</p>") * 55),
    )
    yield "tags in an attribute", ARTICLE + b'<a title="' + b"<p " * 680_000 + b'">x</a>'
    yield "tags in many attributes", _filled(b"<a title='" + b"<p " * 900 + b"'>")
    yield "tags in a comment", ARTICLE + b"<!--" + b"<p>" * 680_000 + b"-->"
    yield "tags in a script", ARTICLE + b"<script>" + b"<p>" * 15_000 + b"</script>"
    # parsed twice: what looks like a script stands in a comment that begins too far before it to be seen
    unproven = b"<!--" + b"x" * 600 + b"<script>" + b"x" * 99 + b"</script>-->"
    yield "an unproven script, many bytes", _filled(b"<p>" + b"word " * 122, unproven, 3_300)
    yield "an unproven script, many tags", ARTICLE + b"<p>x<b>y</b>" * 1_100 + unproven
    yield "an unproven script, deep", ARTICLE + b"<div>" * 1_400 + b"<i></i>" * 300 + unproven
    yield (
        "an unproven script, attributes",
        ARTICLE + (b"<p " + b" ".join(b"a%d" % i for i in range(500)) + b">x") * 7 + unproven,
    )
    yield "templates", _filled(b"<template>")
    yield "templates with content", _filled(b"<template><p></template>")
    yield "tables in tables", _filled(b"<table>")
    yield "tables in tables below the bound", _filled(b"<table>", PARAGRAPH * 20, 1_400)
    yield "tables in tables around many tags", ARTICLE + b"<table>" * 1_400 + b"<wbr>" * 4_700 + PARAGRAPH * 20
    yield "cells in tables in cells", _filled(b"<table><tr><td>", PARAGRAPH * 20, 480)
    yield "foster parenting", _filled(b"<table><p>x</p>", PARAGRAPH, 1_300)
    yield "foster parenting in one table", ARTICLE + b"<table>" + b"<p>x</p>" * 17_500
    yield "many tables", _filled(b"<table></table><div></div>", count=8_700)
    yield "selects", _filled(b"<select><option>")
    yield "lists", _filled(b"<ul><li>")
    yield "definitions", _filled(b"<dd><dt>")
    yield "svg in svg", _filled(b"<svg><g>")
    yield "links in svg", _filled(b"<a>", b"</x>" * 19_500, 17_500).replace(b"<a>", b"<svg><a>", 1)
    yield "void elements in svg", _filled(b"<link>", b"</x>" * 19_500, 17_500).replace(b"<link>", b"<svg><link>", 1)
    yield "shapes whose slash closes nothing", (ARTICLE + b"<svg>" + b"<g x=/>" * 17_500 + b"</x>" * 19_500)
    yield "end tags in svg below the bound", _filled(b"<svg>", b"</x>" * 5_000, 1_300)
    yield "end tags in spans below the bound", _filled(b"<span>", b"</x>" * 5_000, 1_300)
    yield "list items in spans below the bound", _filled(b"<span>", b"<li>" * 5_000, 1_300)
    yield (
        "selected options that the parser would copy",
        ARTICLE + b"<select><button><selectedcontent></button>" + b"<option selected><p>x</option>" * 8_700,
    )
    many = b" ".join(b"a%d" % i for i in range(30_000))
    yield (
        "attributes behind a value that hides the end of what hides it",
        (ARTICLE + b"<script>i<n a='</script><p x=\"'>\" " + many + b">"),
    )
    yield "attributes behind a value in noscript", ARTICLE + b'<noscript><p x="</noscript><p ' + many + b'">'
    yield "math with html", _filled(b"<math><mi><p>")
    yield "comments", _filled(b"<!-->")
    yield "unclosed comments", _filled(b"<!--")
    yield "bogus comments", _filled(b"<?")
    yield "short bogus comments", _filled(b"<?>")
    yield "short bogus comments below the bound", _filled(b"<?>", count=53_000)
    yield "end tags below the bound", _filled(b"</p>", count=19_500)
    yield "less-than signs", _filled(b"<")
    yield "end tags", _filled(b"</p>")
    yield "end tags of the unknown", _filled(b"</x>")
    yield "unclosed quotes", _filled(b"<p title='")
    yield "equal signs", _filled(b"<p =")
    yield "noscripts", _filled(b"<noscript><p></noscript>")
    yield "unclosed noscripts", _filled(b"<noscript>")
    yield "unclosed noscripts below the bound", _filled(b"<noscript>", count=1_490)
    yield "noscripts within a tag", _filled(b"<noscript ", b"</noscript>", 17_500)
    yield "unclosed comments in noscript", ARTICLE + b"<p>" * 1_500 + b"<noscript>" + b"<!--" * 40_000 + b"</noscript>"
    yield "unclosed scripts", _filled(b"<script><!--")
    yield "nulls", _filled(b"\0")
    yield "nulls below the bound", _filled(b"word \0", count=9_000)
    yield "entities", _filled(b"&NotEqualTilde")
    yield "small paragraphs", _filled(b"<p>x ", count=17_500)
    yield "paragraphs in paragraphs", _filled(b"<p><object>", b" word" * 360_000, 1_400)
    yield "ads in ads", _filled(b"<div class=ad>", b"<p>some words" * 17_500, 58)
    yield "line breaks", _filled(b"x<br><br>", count=8_700)
    yield "one long paragraph", _filled(b"word ")
    yield "headings", _filled(b"<h1><span>x</span></h1>", count=8_700)
    yield "unclosed headings", _filled(b"<h1>", PARAGRAPH, 1_400)
    yield "JSON-LD", ARTICLE + b'<script type="application/ld+json">' + b"[" * 1_500_000 + b"</script>"
    yield "metas", _filled(b"<meta name=a content=b>", count=17_500)
    yield "ids", _filled(b"<i id=x></i>", count=17_500)
    yield "ads", _filled(b"<div class=ad></div>", count=17_500)
    yield "sidebars", _filled(b"<div class=sidebar><p>", count=1_400)
    yield "sidebars beside each other", _filled(b"<aside class=sidebar></aside>", count=17_500)
    yield "deep sidebar", _filled(b"<aside class=sidebar>" + b"<div>" * 1_000, count=1)


def policy() -> Policy:
    found = load_rules(Path(__file__).parent.parent / "rules" / "news.yaml").rule_sets[0].pages[0].policy
    assert found is not None
    return found


def _hog(html: bytes, policy: Policy) -> object:
    """Broken on purpose: keeps a list of every byte."""
    return [[byte] for byte in html]


def _dawdle(html: bytes, policy: Policy) -> object:
    """Broken on purpose: quadratic in the page's tags."""
    return [html.count(b"<", 0, i) for i in range(0, len(html), 50)]


def _crash(html: bytes, policy: Policy) -> object:
    """Broken on purpose: dies as a parser in C does."""
    os.abort()


TARGETS: dict[str, Callable[[bytes, Policy], object]] = {
    "rewrite": rewrite,
    "hog": _hog,
    "dawdle": _dawdle,
    "crash": _crash,
}


def _go_off(html: bytes, target: Callable[[bytes, Policy], object], policy: Policy, answer: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    error = ""
    try:
        target(html, policy)
    except BaseException as problem:  # that nothing is raised is what is tested
        error = repr(problem)[:200]
    seconds = time.process_time() - begin
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    os.write(answer, json.dumps({"seconds": seconds, "mebibytes": grown / 1024, "error": error}).encode())


def run(name: str, html: bytes, target: str, policy: Policy) -> dict[str, Any]:
    """What a bomb cost: seconds of CPU, growth of the memory, and the error or signal that ended it (empty: none)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _go_off(html, TARGETS[target], policy, writing)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if not answer:
        return {"name": name, "seconds": 0.0, "mebibytes": 0.0, "error": f"died, status {status}"}
    return {"name": name, **json.loads(answer)}


def main(target: str = "rewrite", only: str = "") -> None:
    rules = policy()
    rewrite(ARTICLE, rules)  # what is made once for all pages is made now
    for name, html in bombs():
        if only in name:
            print(json.dumps(run(name, html[:PAGE_BYTES], target, rules)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
