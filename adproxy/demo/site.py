"""The demo site: a small newspaper as a plain Starlette application. It knows nothing of adproxy and carries no ads.

Every page is rendered when the application is made, so a request is a look-up. Two kinds are not: the article under
a strict policy, which needs a fresh nonce each time, and the feeds, which name the host that was asked.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from adproxy.demo import feeds, pages, pictures
from adproxy.demo.content import Article, load_articles
from adproxy.demo.newsroom import ENGLISH, SECTION_NOTES

STATIC = Path(__file__).parent / "static"

# stored by browsers and caches, but asked about each time: an edit shows at once, and conditional requests can be tried
_REVALIDATE = "public, max-age=0, must-revalidate"


@dataclass(frozen=True, slots=True)
class Document:
    """A finished answer: its bytes, its validators, its headers."""

    body: bytes
    etag: str
    """Strong: the same bytes, the same tag."""
    modified: datetime
    media_type: str
    headers: Mapping[str, str]


def _document(
    text: str, modified: datetime, media_type: str = "text/html", cache_control: str = _REVALIDATE
) -> Document:
    body = text.encode()
    return Document(
        body=body,
        etag=f'"{hashlib.sha256(body).hexdigest()[:16]}"',
        modified=modified,
        media_type=media_type,
        headers=MappingProxyType({"cache-control": cache_control}),
    )


def _unchanged(request: Request, etag: str, modified: datetime) -> bool:
    """Does the reader hold this very document? If-None-Match, where given, decides alone (RFC 9110, 13.2.2)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        given = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return etag in given or "*" in given
    since = request.headers.get("if-modified-since")
    if since is None:
        return False
    try:
        return modified <= parsedate_to_datetime(since)
    except (TypeError, ValueError):  # not a date, or one without a zone: as if it had not been sent
        return False


def answer(request: Request, document: Document) -> Response:
    """The document, or 304 where the reader has it."""
    headers = {
        **document.headers,
        "etag": document.etag,
        "last-modified": format_datetime(document.modified, usegmt=True),
    }
    if _unchanged(request, document.etag, document.modified):
        return Response(status_code=304, headers=headers)
    return Response(document.body, media_type=document.media_type, headers=headers)


def _strict_answer(article: Article, articles: tuple[Article, ...]) -> Response:
    """An article under a policy that lets nothing run but what carries this answer's nonce."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'nonce-{nonce}'; "
        "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return Response(
        pages.article_page(article, articles, nonce),
        media_type="text/html",
        # a stored nonce would be no nonce any more
        headers={"content-security-policy": policy, "cache-control": "no-store"},
    )


def _documents(articles: tuple[Article, ...]) -> dict[str, Document]:
    """Every page that is the same for everybody, by its path."""
    newest = max(a.updated for a in articles)
    html: dict[str, str] = {
        "/": pages.home_page(articles),
        "/about": pages.about_page(),
        "/newsletter": pages.newsletter_page(),
        "/archive": pages.archive_page(articles),
        **pages.list_pages("/latest", "All stories", "The whole paper, newest first.", articles, articles),
    }
    for key, note in SECTION_NOTES.items():
        stories = [a for a in articles if a.section == key]
        html |= pages.list_pages(f"/{key}", ENGLISH.section_names[key], note, stories, articles)
    documents = {path: _document(text, newest) for path, text in html.items()}
    for article in articles:
        if article.delivery != "strict-csp":
            cache_control = f"{_REVALIDATE}, no-transform" if article.delivery == "no-transform" else _REVALIDATE
            page = pages.article_page(article, articles)
            # the lists beside an article change with the newest story, so its own age would answer 304 too often
            documents[article.path] = _document(page, newest, cache_control=cache_control)
    for name in pictures.NAMES:
        picture = pictures.draw(name)
        documents[f"/pictures/{name}.svg"] = _document(picture, newest, "image/svg+xml", "public, max-age=3600")
    return documents


def create_site() -> Starlette:
    """The site as an ASGI application. Raises `ContentError` if an article's file is wrong."""
    articles = load_articles()
    documents = _documents(articles)
    strict = {a.path: a for a in articles if a.delivery == "strict-csp"}
    in_site_map = [path for path in (*documents, *strict) if not path.startswith("/pictures/")]
    missing = pages.missing_page(articles)
    thanks = pages.newsletter_page(sent=True)

    def base(request: Request) -> str:
        return str(request.base_url).rstrip("/")

    async def feed(request: Request) -> Response:
        return Response(feeds.rss(base(request), articles), media_type="application/rss+xml")

    async def site_map(request: Request) -> Response:
        return Response(feeds.sitemap(base(request), in_site_map), media_type="application/xml")

    async def robots(request: Request) -> Response:
        return Response(feeds.robots(base(request)), media_type="text/plain")

    async def sign_up(_: Request) -> Response:
        return Response(thanks, media_type="text/html", headers={"cache-control": "no-store"})

    async def page(request: Request) -> Response:
        path = request.url.path
        if document := documents.get(path):
            return answer(request, document)
        if article := strict.get(path):
            return _strict_answer(article, articles)
        trimmed = path.rstrip("/")
        if trimmed in documents or trimmed in strict:
            return RedirectResponse(trimmed, status_code=301)
        return Response(missing, status_code=404, media_type="text/html", headers={"cache-control": "no-store"})

    return Starlette(
        routes=[
            Route("/feed.xml", feed),
            Route("/sitemap.xml", site_map),
            Route("/robots.txt", robots),
            Route("/newsletter", sign_up, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/{path:path}", page),
        ]
    )
