"""Which CSS selectors a rules file may hold: those that the parser knows, and that stay quick on any page.

Measured with selectolax 1.0.2 on pages of 16,000 siblings, and of ten times 400 nested elements: ``p``, ``div > p``,
``h2 + p``, ``:first-child`` and the like cost under 10 ms; ``b ~ p`` 1.2 s, and more with each further ``~``;
``:nth-child`` is as slow; ``b div p`` 0.1 s, ``b div div p`` more than five, as each space multiplies by the depth.
So ``~`` and ``:nth-…`` are refused, and spaces are counted. What a page can never show to a program
(``:hover``), or only after rendering (``::before``), would never match, and is refused as well.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

MAX_LENGTH = 300
"""Characters of one selector."""
MAX_WALKS = 2
"""Steps that look through all ancestors or descendants: spaces, and ``:has()``."""

_WITH_ARGUMENT = frozenset({"not", "is", "where", "has"})
_PLAIN = frozenset(
    {"empty", "first-child", "first-of-type", "last-child", "last-of-type", "only-child", "only-of-type", "root"}
)
_NAME = re.compile(r"[A-Za-z_-][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class SelectorProblem:
    expected: str
    hint: str = ""


def selector_problem(selector: str) -> SelectorProblem | None:
    """What is wrong with a selector, or None."""
    expected = "a CSS selector, such as '.story > p'"
    if len(selector) > MAX_LENGTH:
        return SelectorProblem(f"a CSS selector of at most {MAX_LENGTH} characters")
    if not selector.strip() or not selector.isprintable():
        return SelectorProblem(expected)
    problem, _ = _scan(selector.strip(), expected)
    if problem:
        return problem
    try:
        LexborHTMLParser("<p>").css(selector)
    except SelectolaxError:
        return SelectorProblem(expected, "The selector can't be read")
    return None


def walks_of(selector: str) -> int:
    """How many steps of a selector, one that has no problem, look through all ancestors or descendants."""
    return _scan(selector.strip(), "")[1]


def _scan(selector: str, expected: str) -> tuple[SelectorProblem | None, int]:
    """Walk once over the selector: brackets and quotes are closed, pseudo-classes known, steps counted. What is wrong,
    and the most walks of its parts between commas."""
    closers: list[str] = []  # what must close, innermost last; "has)" for the argument of :has
    walks = most = 0
    position = 0
    while position < len(selector):
        char = selector[position]
        position += 1
        if char in "\"'":
            end = re.compile(rf"(?:[^{char}\\]|\\.)*{char}").match(selector, position)
            if not end:
                return SelectorProblem(expected, f"A quote {char} isn't closed"), most
            position = end.end()
        elif char == "\\":
            position += 1
        elif closers and closers[-1] == "]":
            if char == "]":
                closers.pop()
            elif char == "[":
                return SelectorProblem(expected, "A bracket '[' isn't closed"), most
        elif char == "[":
            closers.append("]")
        elif char == ")":
            if not closers:
                return SelectorProblem(expected, "A ')' has no '('"), most
            closers.pop()
        elif char in "]}{|@;!%^&`=":
            return SelectorProblem(expected, f"'{char}' has no meaning there"), most
        elif char == "/":
            return SelectorProblem(expected, "Comments belong into the YAML, after '#'"), most
        elif char == "~":
            hint = "'~' is slow on long pages: use '+' for the very next, or a class"
            return SelectorProblem("a CSS selector without '~'", hint), most
        elif char == ",":
            if not closers:
                walks = 0
        elif char == ":":
            if selector.startswith(":", position):
                return SelectorProblem("a CSS selector of elements", "'::' names what is no element of the page"), most
            name = _NAME.match(selector, position)
            word = name[0].lower() if name else ""
            position += len(word)
            opened = selector.startswith("(", position)
            if word.startswith("nth-"):
                hint = "They are slow on long pages: use ':first-child', a class, or 'after: paragraph 3'"
                return SelectorProblem("a CSS selector without ':nth-...'", hint), most
            if word not in (_WITH_ARGUMENT if opened else _PLAIN):
                known = sorted(_PLAIN) + [f"{w}()" for w in sorted(_WITH_ARGUMENT)]
                close = difflib.get_close_matches(word, known, n=1)
                hint = f"Did you mean ':{close[0]}'?" if close else f"Known are :{', :'.join(known)}"
                return SelectorProblem(f"a pseudo-class that a page can answer, not ':{word}'", hint), most
            if opened:
                position += 1
                if word == "has":
                    walks += 1
                    if "has)" in closers:
                        return SelectorProblem("a CSS selector with no ':has' inside of ':has'"), most
                closers.append("has)" if word == "has" else ")")
        elif char.isspace():
            end_of_space = position + len(selector[position:]) - len(selector[position:].lstrip())
            before, after = selector[position - 2], selector[end_of_space : end_of_space + 1]
            position = end_of_space
            if before not in ">+,(" and after not in (">", "+", ",", ")"):
                walks += 1
                if "has)" in closers:
                    return SelectorProblem("a CSS selector without a space inside of ':has()'", "Use '>' there"), most
        most = max(most, walks)
        if walks > MAX_WALKS:
            hint = "Each one multiplies the work on deep pages: leave out the outer ones, or use '>'"
            return SelectorProblem(f"a CSS selector with at most {MAX_WALKS} spaces or ':has'", hint), most
    if closers:
        return SelectorProblem(expected, f"A bracket '{'[' if closers[-1] == ']' else '('}' isn't closed"), most
    return None, most
