"""The articles: files of HTML with a few lines of front matter, read once into frozen values.

A file looks like this; everything behind the first ``---`` is the article's own HTML, as its author wrote it::

    title: Fog closes the north breakwater
    section: harbour
    ...
    ---
    <p>The fog came in …</p>
    === letters ===
    Ada Brill, Fennick | I was on that boat.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast, get_args

from adproxy.demo.newsroom import AUTHORS, PHRASES, SECTION_NOTES, Author, Phrases

CONTENT = Path(__file__).parent / "content"
LETTERS = "=== letters ==="

Delivery = Literal["plain", "no-transform", "strict-csp"]
"""How an article is sent: as usual, with a wish that nobody on the way changes it, or under a strict policy."""

_REQUIRED = frozenset({"title", "summary", "section", "author", "published", "path", "picture", "alt"})
_OPTIONAL = frozenset({"updated", "lang", "kind", "caption", "tags", "delivery"})
_TAG = re.compile(r"<[^>]*>")


class ContentError(ValueError):
    """An article's file is wrong: names the file, what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A reader's comment."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Article:
    """One story. Text is plain, except `body`, which is HTML."""

    path: str
    """Of its URL, with the leading slash; unique."""
    title: str
    summary: str
    section: str
    author: Author
    published: datetime
    updated: datetime
    phrases: Phrases
    kind: str
    """One word over the headline in lists ("Feature"); empty: none."""
    picture: str
    """Name of a drawing, see `pictures`."""
    alt: str
    caption: str
    tags: tuple[str, ...]
    delivery: Delivery
    body: str
    letters: tuple[Letter, ...]

    @property
    def words(self) -> int:
        """Words of the body; two characters of Japanese count as one."""
        text = _TAG.sub(" ", self.body)
        return len(text) // 2 if self.phrases.lang == "ja" else len(text.split())

    @property
    def minutes(self) -> int:
        """Reading time at 220 words a minute, at least 1."""
        return max(1, round(self.words / 220))


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def _one_of(file: str, key: str, value: str, allowed: Collection[str]) -> str:
    if value not in allowed:
        raise ContentError(f"{file}: {key} is {value!r}; expected one of {', '.join(sorted(allowed))}")
    return value


def _front_matter(file: str, head: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(head.splitlines(), start=1):
        key, colon, value = line.partition(":")
        if not colon or key not in _REQUIRED | _OPTIONAL or key in found:
            raise ContentError(f"{file}:{number}: found {line!r}; expected one 'key: value' of the known keys")
        found[key] = value.strip()
    if missing := _REQUIRED - found.keys():
        raise ContentError(f"{file}: the front matter lacks {', '.join(sorted(missing))}")
    return found


def _letters(file: str, text: str) -> tuple[Letter, ...]:
    letters = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, bar, said = line.partition(" | ")
        if not bar:
            raise ContentError(f"{file}: found the letter {line!r}; expected 'name | text'")
        letters.append(Letter(name, said))
    return tuple(letters)


def parse_article(file: str, text: str) -> Article:
    """One file's text to an `Article`; `file` is its name for messages. Raises `ContentError`."""
    head, line, rest = text.partition("\n---\n")
    if not line:
        raise ContentError(f"{file}: found no line '---'; expected one between the front matter and the article")
    fields = _front_matter(file, head)
    body, _, letters = rest.partition(LETTERS)
    try:
        published = _moment(fields["published"])
        updated = _moment(fields.get("updated", fields["published"]))
    except ValueError as exc:
        raise ContentError(f"{file}: {exc}; expected a time such as 2026-09-14 06:30") from exc
    return Article(
        path=fields["path"],
        title=fields["title"],
        summary=fields["summary"],
        section=_one_of(file, "section", fields["section"], SECTION_NOTES),
        author=AUTHORS[_one_of(file, "author", fields["author"], AUTHORS)],
        published=published,
        updated=updated,
        phrases=PHRASES[_one_of(file, "lang", fields.get("lang", "en"), PHRASES)],
        kind=fields.get("kind", ""),
        picture=fields["picture"],
        alt=fields["alt"],
        caption=fields.get("caption", ""),
        tags=tuple(tag.strip() for tag in fields.get("tags", "").split(",") if tag.strip()),
        delivery=cast(Delivery, _one_of(file, "delivery", fields.get("delivery", "plain"), get_args(Delivery))),
        body=body.strip(),
        letters=_letters(file, letters),
    )


def load_articles(folder: Path = CONTENT) -> tuple[Article, ...]:
    """All articles of a folder, the newest first. Raises `ContentError`."""
    articles: dict[str, Article] = {}
    for file in sorted(folder.glob("*.html")):
        article = parse_article(file.name, file.read_text(encoding="utf-8"))
        if article.path in articles:
            raise ContentError(f"{file.name}: the path {article.path} is taken by another article")
        articles[article.path] = article
    return tuple(sorted(articles.values(), key=lambda a: a.published, reverse=True))
