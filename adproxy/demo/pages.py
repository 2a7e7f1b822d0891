"""The pages as HTML: a shell that they all share, and what goes into it.

Everything that comes from a file or a person is escaped here, except an article's body, which is HTML by itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from adproxy.demo.content import Article
from adproxy.demo.newsroom import ENGLISH, MOTTO, PAPER, SECTION_NOTES, Phrases

PER_PAGE = 6
"""Stories on one page of a list."""

_MAST = (
    '<svg class="mast-mark" viewBox="0 0 64 64" aria-hidden="true" focusable="false">'
    '<path d="M26 50 28 22h8l2 28z"/><path d="M27 20v-7h10v7zM25 12l7-7 7 7z"/>'
    '<path d="M6 54q6.500-6 13 0t13 0 13 0 13 0v5H6z"/></svg>'
)


def _document(
    *, title: str, phrases: Phrases, main: str, head: str = "", here: str = "", nonce: str = "", body_class: str = ""
) -> str:
    """The whole page around `main`. `here` is the section to mark in the navigation, `nonce` of the page's policy."""
    own = f' nonce="{nonce}"' if nonce else ""
    links = "".join(
        f'<li><a href="/{key}"{" aria-current=page" if key == here else ""}>{escape(name)}</a></li>'
        for key, name in phrases.section_names.items()
    )
    return f"""<!doctype html>
<html lang="{phrases.lang}" dir="{"rtl" if phrases.rtl else "ltr"}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
{head}<meta name="color-scheme" content="light dark">
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="alternate" href="/feed.xml" type="application/rss+xml" title="{PAPER}">
<link rel="stylesheet" href="/static/site.css"{own}>
<script src="/static/house-ads.js" defer{own}></script>
</head>
<body class="{body_class}">
<a class="skip-link" href="#main">{escape(phrases.skip)}</a>
<header class="masthead">
<a class="mast-name" href="/" lang="en" dir="ltr">{_MAST}<span>{PAPER}</span></a>
<p class="motto" lang="en" dir="ltr">{MOTTO}</p>
<nav class="sections" aria-label="{escape(phrases.sections)}"><ul>{links}</ul></nav>
</header>
<main id="main">
{main}
</main>
<footer class="colophon">
<p class="mast-name" lang="en" dir="ltr">{PAPER}</p>
<p>{escape(phrases.footer)}</p>
<ul lang="en" dir="ltr"><li><a href="/about">About this paper</a></li><li><a href="/latest">All stories</a></li>
<li><a href="/archive">Archive</a></li><li><a href="/newsletter">Newsletter</a></li>
<li><a href="/feed.xml">RSS</a></li></ul>
</footer>
</body>
</html>
"""


def _tongue(article: Article, around: Phrases) -> str:
    """Attributes for text of an article on a page of perhaps another language."""
    phrases = article.phrases
    if phrases.lang == around.lang:
        return ""
    return f' lang="{phrases.lang}" dir="{"rtl" if phrases.rtl else "ltr"}"'


def _picture(name: str, alt: str, lazy: bool = True) -> str:
    loading = ' loading="lazy"' if lazy else ""
    return f'<img src="/pictures/{name}.svg" alt="{escape(alt)}" width="1200" height="800"{loading}>'


def _time(article: Article, phrases: Phrases) -> str:
    moment = article.published
    return f'<time datetime="{moment:%Y-%m-%dT%H:%MZ}">{escape(phrases.date(moment))}</time>'


# --- teasers -----------------------------------------------------------------------------


def _teaser(article: Article, around: Phrases, *, size: str, level: int = 3) -> str:
    """A story in a list. `size` is ``lead``, ``card``, ``row`` or ``line``."""
    kicker = article.kind or article.phrases.section_names[article.section]
    # the headline says it all: an alt text here would read the story's name out twice
    picture = (
        "" if size == "line" else f'<div class="teaser-picture">{_picture(article.picture, "", size != "lead")}</div>'
    )
    summary = "" if size == "line" else f"<p>{escape(article.summary)}</p>"
    return (
        f'<div class="teaser teaser-{size}"{_tongue(article, around)}>{picture}<div class="teaser-text">'
        f'<p class="kicker">{escape(kicker)}</p>'
        f'<h{level}><a href="{article.path}">{escape(article.title)}</a></h{level}>{summary}'
        f'<p class="meta">{_time(article, article.phrases)}</p></div></div>'
    )


def _headlines(articles: Sequence[Article], around: Phrases, *, ordered: bool = False) -> str:
    items = "".join(f'<li><a href="{a.path}"{_tongue(a, around)}>{escape(a.title)}</a></li>' for a in articles)
    return f"<ol>{items}</ol>" if ordered else f"<ul>{items}</ul>"


# --- sidebar -----------------------------------------------------------------------------


def _newsletter_form(phrases: Phrases, suffix: str) -> str:
    return (
        f'<form class="newsletter-form" method="post" action="/newsletter">'
        f'<label for="mail-{suffix}">{escape(phrases.email)}</label>'
        f'<div><input id="mail-{suffix}" name="email" type="email" autocomplete="email" required>'
        f'<button type="submit">{escape(phrases.subscribe)}</button></div></form>'
    )


def _sidebar(articles: Sequence[Article], phrases: Phrases) -> str:
    # the long reads are the ones that people here finish; there is no counter behind "most read"
    most_read = sorted((a for a in articles if a.letters), key=lambda a: -a.words)[:5]
    counts = {key: sum(a.section == key for a in articles) for key in SECTION_NOTES}
    categories = "".join(
        f'<li><a href="/{key}">{escape(phrases.section_names[key])}</a> <span class="count">{counts[key]}</span></li>'
        for key in SECTION_NOTES
    )
    years = "".join(
        f'<li><a href="/archive#y{year}">{year}</a></li>'
        for year in sorted({a.published.year for a in articles}, reverse=True)
    )
    return (
        f'<aside class="sidebar">'
        f'<section class="widget most-read"><h2>{escape(phrases.most_read)}</h2>'
        f"{_headlines(most_read, phrases, ordered=True)}</section>"
        f'<section class="widget newsletter"><h2>{escape(phrases.newsletter)}</h2>'
        f"<p>{escape(phrases.newsletter_text)}</p>{_newsletter_form(phrases, 'side')}</section>"
        f'<section class="widget categories"><h2>{escape(phrases.categories)}</h2><ul>{categories}</ul></section>'
        f'<section class="widget archives"><h2>{escape(phrases.archives)}</h2><ul>{years}</ul></section>'
        f"</aside>"
    )


# --- one article -------------------------------------------------------------------------


def _article_head(article: Article) -> str:
    about = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.title,
        "description": article.summary,
        "datePublished": f"{article.published:%Y-%m-%dT%H:%M:%SZ}",
        "dateModified": f"{article.updated:%Y-%m-%dT%H:%M:%SZ}",
        "articleSection": article.section,
        "inLanguage": article.phrases.lang,
        "author": {"@type": "Person", "name": article.author.name},
    }
    # "<" never appears raw in the data, so that no headline can end the script
    data = json.dumps(about, ensure_ascii=False).replace("<", "\\u003c")
    tags = "".join(f'<meta property="article:tag" content="{escape(tag)}">\n' for tag in article.tags)
    return (
        f'<meta name="description" content="{escape(article.summary)}">\n'
        f'<meta name="author" content="{escape(article.author.name)}">\n'
        f'<meta property="og:type" content="article">\n<meta property="og:title" content="{escape(article.title)}">\n'
        f'<meta property="article:section" content="{article.section}">\n{tags}'
        f'<link rel="canonical" href="{article.path}">\n'
        f'<script type="application/ld+json">{data}</script>\n'
    )


def _related(article: Article, articles: Sequence[Article]) -> Sequence[Article]:
    """Three others: of the same language if there are such, and of those the ones that share tags or the section."""
    own_tags = set(article.tags)

    def distance(other: Article) -> tuple[bool, int, bool]:
        shared = len(own_tags & set(other.tags))
        return other.phrases is not article.phrases, -shared, other.section != article.section

    return sorted((a for a in articles if a is not article), key=distance)[:3]


def article_page(article: Article, articles: Sequence[Article], nonce: str = "") -> str:
    """An article's page; `articles`: all, for the lists around it. `nonce`: of a strict policy, else empty."""
    p = article.phrases
    dates = escape(p.published).replace("{date}", _time(article, p))
    if article.updated > article.published:
        dates += f" · {escape(p.updated.format(date=p.date(article.updated)))}"
    tags = "".join(f"<li>{escape(tag)}</li>" for tag in article.tags)
    letters = "".join(
        f'<li class="comment"><p class="comment-author">{escape(letter.name)}</p><p>{escape(letter.text)}</p></li>'
        for letter in article.letters
    )
    kind = f" · {escape(article.kind)}" if article.kind else ""
    caption = f"<figcaption>{escape(article.caption)}</figcaption>" if article.caption else ""
    main = f"""<header class="article-header">
<p class="kicker"><a href="/{article.section}">{escape(p.section_names[article.section])}</a>{kind}</p>
<h1 id="headline">{escape(article.title)}</h1>
<p class="standfirst">{escape(article.summary)}</p>
<p class="byline">{escape(p.by)} <span class="author">{escape(article.author.name)}</span></p>
<p class="meta">{dates} · {escape(p.minutes.format(n=article.minutes))}</p>
</header>
<div class="columns">
<div class="column">
<article aria-labelledby="headline">
<figure class="lead-picture">{_picture(article.picture, article.alt, lazy=False)}{caption}</figure>
<div class="article-body">
{article.body}
</div>
</article>
<section class="author-box" aria-labelledby="author-box"><h2 id="author-box">{escape(p.about_author)}</h2>
<p class="author-name">{escape(article.author.name)} <span>{escape(article.author.role)}</span></p>
<p>{escape(article.author.about)}</p></section>
"""
    if tags:
        main += (
            f'<section class="tags" aria-label="{escape(p.tags)}"><h2>{escape(p.tags)}</h2><ul>{tags}</ul></section>\n'
        )
    cards = "".join(_teaser(a, p, size="card") for a in _related(article, articles))
    main += (
        f'<section class="related" aria-labelledby="related"><h2 id="related">{escape(p.related)}</h2>'
        f'<div class="cards">{cards}</div></section>\n'
    )
    if letters:
        main += (
            f'<section class="comments" aria-labelledby="comments"><h2 id="comments">{escape(p.comments)}</h2>'
            f"<ol>{letters}</ol></section>\n"
        )
    main += f"</div>\n{_sidebar(articles, p)}\n</div>"
    return _document(
        title=f"{article.title} – {PAPER}",
        phrases=p,
        main=main,
        head=_article_head(article),
        here=article.section,
        nonce=nonce,
        body_class="article-page",
    )


# --- lists -------------------------------------------------------------------------------


def home_page(articles: Sequence[Article]) -> str:
    """The front page."""
    english = [a for a in articles if a.phrases.lang == "en" and a.published.year >= articles[0].published.year]
    lead = next((a for a in english if a.kind == "Feature"), english[0])
    briefs = [a for a in english if a.words < 150 or a.kind == "Live"]
    top = [a for a in english if a is not lead and a not in briefs]
    shown = {a.path for a in (lead, *top[:2], *briefs)}
    blocks = []
    for key, note in SECTION_NOTES.items():
        stories = [a for a in english if a.section == key and a.path not in shown][:3]
        if stories:
            cards = "".join(_teaser(a, ENGLISH, size="card") for a in stories)
            blocks.append(
                f'<section class="section-block" aria-labelledby="s-{key}"><h2 id="s-{key}"><a href="/{key}">'
                f'{ENGLISH.section_names[key]}</a></h2><p class="section-note">{escape(note)}</p>'
                f'<div class="cards">{cards}</div></section>'
            )
    foreign = "".join(_teaser(a, ENGLISH, size="row") for a in articles if a.phrases.lang != "en")
    brief_items = "".join(_teaser(a, ENGLISH, size="line") for a in briefs)
    main = f"""<h1 class="visually-hidden">{PAPER}: today's front page</h1>
<div class="front">
{_teaser(lead, ENGLISH, size="lead", level=2)}
<div class="front-second">{"".join(_teaser(a, ENGLISH, size="card", level=2) for a in top[:2])}</div>
</div>
<div class="columns">
<div class="column">
<section class="briefs" aria-labelledby="briefs"><h2 id="briefs">In brief and as it happens</h2>{brief_items}</section>
{"".join(blocks)}
<section class="section-block" aria-labelledby="letters"><h2 id="letters">Letters from other shores</h2>
<p class="section-note">In the languages that they were written in.</p>{foreign}</section>
<p class="more"><a href="/latest">All stories</a></p>
</div>
{_sidebar(articles, ENGLISH)}
</div>"""
    head = f'<meta name="description" content="{MOTTO}">\n'
    return _document(title=f"{PAPER}: {MOTTO}", phrases=ENGLISH, main=main, head=head, body_class="home-page")


def list_pages(
    base: str, title: str, note: str, stories: Sequence[Article], articles: Sequence[Article]
) -> dict[str, str]:
    """A list of stories, `PER_PAGE` a page: path → HTML. `base` is the first page's path, later ones add a number."""
    pages: dict[str, str] = {}
    count = max(1, -(-len(stories) // PER_PAGE))
    paths = [base if n == 1 else f"{base}/{n}" for n in range(1, count + 1)]
    for n, path in enumerate(paths, start=1):
        rows = "".join(_teaser(a, ENGLISH, size="row", level=2) for a in stories[(n - 1) * PER_PAGE : n * PER_PAGE])
        numbers = "".join(
            f'<li><a href="{other}"{" aria-current=page" if other == path else ""}>'
            f'<span class="visually-hidden">Page </span>{i}</a></li>'
            for i, other in enumerate(paths, start=1)
        )
        paging = f'<nav class="paging" aria-label="Pages"><ol>{numbers}</ol></nav>' if count > 1 else ""
        numbered = title if n == 1 else f"{title}, page {n}"
        main = (
            f'<header class="list-header"><h1>{escape(numbered)}</h1>'
            f'<p class="standfirst">{escape(note)}</p></header>\n'
            f'<div class="columns"><div class="column">{rows}{paging}</div>{_sidebar(articles, ENGLISH)}</div>'
        )
        head = f'<meta name="description" content="{escape(note)}">\n'
        pages[path] = _document(
            title=f"{numbered} – {PAPER}", phrases=ENGLISH, main=main, head=head, here=base.strip("/")
        )
    return pages


def archive_page(articles: Sequence[Article]) -> str:
    """Every headline, by year."""
    blocks = "".join(
        f'<section aria-labelledby="y{year}"><h2 id="y{year}">{year}</h2>'
        f"{_headlines([a for a in articles if a.published.year == year], ENGLISH)}</section>"
        for year in sorted({a.published.year for a in articles}, reverse=True)
    )
    return _plain_page("Archive", f'<div class="archive-list">{blocks}</div>')


# --- the rest ----------------------------------------------------------------------------


def _plain_page(title: str, body: str) -> str:
    main = f'<div class="plain"><h1>{escape(title)}</h1>\n{body}</div>'
    return _document(title=f"{title} – {PAPER}", phrases=ENGLISH, main=main, body_class="plain-page")


def about_page() -> str:
    """What this site is, and that all of it is invented."""
    return _plain_page(
        "About this paper",
        f"""<p>{PAPER} is the newspaper of Tolvaness, harbour town and capital of the Sundry Isles. There is no
Tolvaness. There are no Sundry Isles, no ferry <i>Patience</i>, no Salt Row Library and no football club called the
Pilots. <strong>Every place, person, boat, result and recipe here is invented</strong> (the soup, to be fair,
works).</p>
<p>The site comes with adproxy so that ad rules can be tried on something that reads like a newspaper: long features,
short briefs, a live page, tables, lists, captions, quotations, four languages, two directions of writing, and a few
pages that are awkward on purpose.</p>
<h2 id="house-ads">About the advertising</h2>
<p>The paper advertises only itself. The pictures in its ad slots are drawn by the site's own small script,
<code>/static/house-ads.js</code>, which fills every empty <code>div</code> of class <code>js-ad</code> that it finds.
The pages contain no such <code>div</code>: whoever serves them decides where they go.</p>
<h2>Awkward on purpose</h2>
<ul>
<li><a href="/2026/09/rope-walk-orders">A story that already carries advertisements</a></li>
<li><a href="/1998/05/cup-final-in-the-fog">A page written the way pages were written in 1998</a></li>
<li><a href="/2026/08/what-the-radio-says">A page under a strict content security policy</a></li>
<li><a href="/2026/09/notice-to-mariners">A notice that nobody on the way may change</a></li>
<li><a href="/live/2026/09/first-gale">A live page</a></li>
</ul>""",
    )


def newsletter_page(sent: bool = False) -> str:
    """The sign-up form, or the thanks after it."""
    if sent:
        return _plain_page(
            "Thank you",
            "<p>That would be all, if this were a real paper. Nothing was kept and nothing will be sent.</p>"
            '<p><a href="/">Back to the front page</a></p>',
        )
    return _plain_page(
        "The Morning Boat",
        f"<p>{escape(ENGLISH.newsletter_text)} Nothing is stored: the paper is invented, and so is its letter.</p>"
        f"{_newsletter_form(ENGLISH, 'page')}",
    )


def missing_page(articles: Sequence[Article]) -> str:
    """For a path that isn't there."""
    return _plain_page(
        "Lost in the fog",
        "<p>There is no page at this address. It may have sailed, or it was never built. These were here a moment "
        "ago:</p>" + _headlines(articles[:5], ENGLISH),
    )
