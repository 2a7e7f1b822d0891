"""One page and the rules for it, for tests of what happens around the rewrite."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import Policy, RuleBook

RULES = """version: 1
site: small-site
pages:
  - {path: "/off/**", ads: false}
  - {path: "/**"}
slots:
  top:
    place: above-headline
    sizes: {phone: [320x50], desktop: [728x90]}
    div: {id: "ad-top"}
"""


def page(words: int = 60, paragraphs: int = 8, headline: str = "<h1>Headline</h1>") -> bytes:
    """A page with that many paragraphs of that many words; without a headline the rules find no place on it."""
    text = "".join(f"<p>{'wörd ' * words}</p>\n" for _ in range(paragraphs))
    head = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>T</title></head>'
    return f"{head}<body><main><article>{headline}{text}</article></main></body></html>".encode()


PAGE = page()
PAGE_WITHOUT_PLACES = page(headline="")


def load(text: str = RULES) -> RuleBook:
    with TemporaryDirectory() as directory:
        file = Path(directory, "site.yaml")
        file.write_text(text, encoding="utf-8")
        return load_rules(file)


@cache
def book() -> RuleBook:
    return load()


def policy(of: RuleBook | None = None) -> Policy:
    found = (of or book()).rule_sets[0].pages[-1].policy
    assert found is not None
    return found


REVISION = policy().revision


def with_slots(html: bytes = PAGE, *, encoding: str = "utf-8") -> bytes:
    """What the rewrite itself makes of a page."""
    result = rewrite(html, policy(), encoding=encoding)
    assert isinstance(result, Rewritten)
    assert result.insertions, "the page is meant to get a slot"
    return result.body
