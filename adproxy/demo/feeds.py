"""What machines read: RSS, the site map, robots.txt. They need absolute addresses, so they take the site's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from email.utils import format_datetime
from xml.sax.saxutils import escape

from adproxy.demo.content import Article
from adproxy.demo.newsroom import MOTTO, PAPER


def rss(base: str, articles: Sequence[Article]) -> str:
    """RSS 2.0 of the stories. `base` is ``http://host``, without a slash at its end."""
    items = "".join(
        f"<item><title>{escape(a.title)}</title><link>{escape(base + a.path)}</link>"
        f'<guid isPermaLink="true">{escape(base + a.path)}</guid><category>{escape(a.section)}</category>'
        f"<pubDate>{format_datetime(a.published, usegmt=True)}</pubDate>"
        f"<description>{escape(a.summary)}</description></item>\n"
        for a in articles
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0"><channel>'
        f"<title>{escape(PAPER)}</title><link>{escape(base)}/</link><description>{escape(MOTTO)}</description>"
        f"<language>en</language>\n{items}</channel></rss>\n"
    )


def sitemap(base: str, paths: Iterable[str]) -> str:
    """The site map of these paths."""
    urls = "".join(f"<url><loc>{escape(base + path)}</loc></url>\n" for path in paths)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
    )


def robots(base: str) -> str:
    """Everything may be read; the site map is there."""
    return f"User-agent: *\nAllow: /\n\nSitemap: {base}/sitemap.xml\n"
