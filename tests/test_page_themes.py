"""The article in the markup of the web's usual themes and systems: all of its own text, and nothing else."""

# ruff: noqa: E501 - markup as themes write it has long lines
from __future__ import annotations

from collections.abc import Callable

import pytest

from adproxy.model import BlockKind, Page
from adproxy.page.read import Wanted, read

TOLD = "The ferry left at seven and carried the children of the mill quarter over to their school, as on any day. "
FOREIGN = "Elsewhere the bakers have agreed on a price for the rolls that nobody who eats them had been asked about. "
LINKS = "".join(f'<li><a href="/{i}">Another story of this paper</a></li>' for i in range(8))
WORDS = 20 * 2
CHINESE = "渡船早上七点离开码头把孩子们送到对岸的学校去上课。" * 3
ARABIC = "غادرت العبارة في السابعة صباحا وحملت أطفال الحي إلى مدرستهم على الضفة الأخرى كما في كل يوم. " * 3
HEBREW = "המעבורת יצאה בשבע בבוקר והסיעה את ילדי השכונה אל בית הספר שלהם בצד השני של הנהר כמו בכל יום. " * 3


def paragraphs(n: int = 10, text: str = TOLD * 2, opening: str = "<p>", closing: str = "</p>") -> str:
    return "\n".join(opening + text + closing for _ in range(n))


def wordpress_blocks() -> str:
    return f"""<div class="wp-site-blocks"><header class="wp-block-template-part"><nav class="wp-block-navigation"><ul>{LINKS}
    </ul></nav></header><main class="wp-block-group is-layout-flow"><h1 class="wp-block-post-title">The Ferry</h1>
    <div class="entry-content wp-block-post-content is-layout-constrained wp-block-post-content-is-layout-constrained">
    {paragraphs(5)}<h2 class="wp-block-heading">What it cost</h2>{paragraphs(5)}</div>
    <div class="wp-block-comments"><ol class="wp-block-comment-template"><li><div class="wp-block-comment-content">
    {paragraphs(3, FOREIGN * 2)}</div></li></ol></div></main><footer class="wp-block-template-part">{FOREIGN}</footer></div>"""


def wordpress_classic() -> str:
    return f"""<div id="page" class="hfeed site"><div id="primary" class="content-area"><main id="main" class="site-main">
    <article id="post-7" class="post-7 post type-post status-publish format-standard hentry category-town tag-ferry">
    <header class="entry-header"><h1 class="entry-title">The Ferry</h1></header><div class="entry-content">{paragraphs()}
    <div class="sharedaddy sd-sharing-enabled"><ul>{LINKS}</ul></div></div></article><div id="comments">
    {paragraphs(4, FOREIGN * 2)}</div></main></div><aside id="secondary" class="widget-area">{paragraphs(3, FOREIGN)}</aside></div>"""


def ghost() -> str:
    return f"""<div class="gh-viewport"><main class="gh-main"><article class="gh-article post tag-town"><header
    class="gh-article-header gh-canvas"><h1 class="gh-article-title">The Ferry</h1></header><section class="gh-content gh-canvas">
    {paragraphs()}</section></article></main><section class="gh-container is-grid"><div class="gh-feed">
    {"".join(f'<article class="gh-card post"><a class="gh-card-link" href="/{i}"><h3>Other</h3><p>{FOREIGN}</p></a></article>' for i in range(4))}
    </div></section></div>"""


def obfuscated_sections() -> str:
    return f"""<div id="root"><div class="a b c"><div class="ab q"><article><div class="l"><section><div class="gh gi"><h1
    id="51" class="pw hp">The Ferry</h1>{
        paragraphs(6, opening='<p class="pw-post-body-paragraph mj mk">')
    }</div></section>
    <section><div class="gh gi">{paragraphs(6)}</div></section></div></article></div><div class="x y">{
        "".join(f'<div class="k"><h2><a href="/{i}">Other</a></h2><p>{FOREIGN}</p></div>' for i in range(5))
    }</div></div></div>"""


def blogger() -> str:
    text = "<br /><br />\n".join([TOLD * 2] * 10)
    return f"""<div class="main section" id="main"><div class="widget Blog"><div class="blog-posts hfeed"><div class="date-outer">
    <div class="post hentry uncustomized-post-template"><h3 class="post-title entry-title">The Ferry</h3>
    <div class="post-body entry-content" id="post-body-1">{text}</div></div></div></div></div></div>
    <div class="sidebar section"><ul>{LINKS}</ul>{FOREIGN}</div>"""


def drupal() -> str:
    return f"""<div class="dialog-off-canvas-main-canvas"><div class="layout-container"><main role="main"><div class="layout-content">
    <div id="block-theme-content" class="block block-system"><article role="article" class="node node--type-article">
    <div class="node__content"><div class="text-formatted field field--name-body field__item">{
        paragraphs()
    }</div></div></article>
    </div><div class="block block-views"><h2>More</h2>{
        "".join(f'<div class="views-row"><h3><a href="/{i}">Other</a></h3><p>{FOREIGN}</p></div>' for i in range(4))
    }</div></div></main>
    <aside class="layout-sidebar-second">{paragraphs(2, FOREIGN)}</aside></div></div>"""


def joomla() -> str:
    return f"""<div class="body" id="top"><div class="container"><div class="row-fluid"><div id="aside" class="span3"><div
    class="well _menu"><ul>{LINKS}</ul></div></div><main id="content" role="main" class="span9"><div class="item-page" itemscope
    itemtype="https://schema.org/Article"><div class="page-header"><h2 itemprop="headline">The Ferry</h2></div>
    <div itemprop="articleBody">{paragraphs()}</div></div></main></div></div></div>"""


def mediawiki() -> str:
    return f"""<div id="content" class="mw-body"><h1 id="firstHeading">The Ferry</h1><div id="bodyContent"><div id="mw-content-text"
    class="mw-body-content"><div class="mw-parser-output"><table class="infobox"><tr><td>{FOREIGN}</td></tr></table>{paragraphs(5)}
    <div id="toc" class="toc"><ul>{LINKS}</ul></div><h2><span class="mw-headline" id="a">History</span></h2>{paragraphs(6)}
    <div class="reflist"><ol class="references">{LINKS}</ol></div></div></div></div></div>"""


def forum_post() -> str:
    text = "<br>\n<br>\n".join([TOLD * 2] * 10)
    return f"""<div id="wrap" class="wrap"><div id="page-body" class="page-body" role="main"><h2 class="topic-title">The Ferry</h2>
    <div id="p1" class="post has-profile bg2"><div class="inner"><dl class="postprofile"><dt>mill</dt></dl><div class="postbody">
    <div id="post_content1"><h3>The Ferry</h3><div class="content">{text}</div></div></div></div></div></div></div>"""


def static_site() -> str:
    return f"""<header class="site-header" role="banner"><div class="wrapper"><a href="/">Lock</a></div></header><main
    class="page-content" aria-label="Content"><div class="wrapper"><article class="post h-entry" itemscope
    itemtype="http://schema.org/BlogPosting"><header class="post-header"><h1 itemprop="name headline">The Ferry</h1></header>
    <div class="post-content e-content" itemprop="articleBody">{paragraphs(5)}<div class="highlight"><pre><code>x = 1
    </code></pre></div>{paragraphs(5)}</div></article></div></main><footer class="site-footer">{FOREIGN}</footer>"""


def nested_tables() -> str:
    return f"""<table width="100%"><tr><td colspan="2"><font size="5">The Lock Post</font></td></tr><tr><td width="160">
    <table><tr><td><a href="/1">Town</a><br><a href="/2">River</a></td></tr></table></td><td><table><tr><td>
    {paragraphs()}</td></tr></table></td></tr></table>"""


def span_around_the_post() -> str:
    return f"""<div class="blog-post-body"><span id="hs_cos_wrapper_post_body" class="hs_cos_wrapper">{paragraphs()}</span></div>
    <div class="blog-related-posts">{paragraphs(3, FOREIGN * 2)}</div>"""


def typewritten_pages() -> str:
    return f"""<div class="content">{"".join(f"<pre class='newpage'>{TOLD * 6}</pre>" for _ in range(8))}</div>"""


def stream_below_the_article() -> str:
    stream = "".join(f'<li><div><h3><a href="/{i}"> Other </a></h3><p>{FOREIGN * 2}</p></div></li>' for i in range(25))
    return f"""<div id="all"><section class="story"><div class="body">{paragraphs()}</div></section><div class="remote"><ul>
    {stream}</ul></div></div>"""


def chinese() -> str:
    return f'<div class="main"><div class="content" id="js_content">{paragraphs(10, CHINESE)}</div></div>'


def arabic() -> str:
    return f'<div dir="rtl"><div class="article-text">{paragraphs(10, ARABIC)}</div><aside>{FOREIGN * 4}</aside></div>'


def hebrew() -> str:
    return f'<div dir="rtl"><div class="art_body">{paragraphs(10, HEBREW)}</div><div class="talkbacks comments">{FOREIGN}</div></div>'


THEMES: list[tuple[Callable[[], str], int]] = [
    (wordpress_blocks, 10), (wordpress_classic, 10), (ghost, 10), (obfuscated_sections, 12), (blogger, 10), (drupal, 10),
    (joomla, 10), (mediawiki, 11), (forum_post, 10), (static_site, 10), (nested_tables, 10), (span_around_the_post, 10),
    (typewritten_pages, 8), (stream_below_the_article, 10), (chinese, 10), (arabic, 10), (hebrew, 10),
]  # fmt: skip


def page(body: str, head: str = "") -> Page:
    return read(f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode(), Wanted())


@pytest.mark.parametrize(("theme", "own"), THEMES, ids=lambda value: getattr(value, "__name__", ""))
def test_the_article_is_found_whole_and_alone(theme: Callable[[], str], own: int) -> None:
    found = page(theme())
    prose = [b for b in found.blocks if b.kind is BlockKind.PARAGRAPH]
    assert not [b for b in prose if b.text.startswith(FOREIGN[:20])]
    assert len(prose) == own


@pytest.mark.parametrize(("theme", "own"), THEMES, ids=lambda value: getattr(value, "__name__", ""))
def test_there_is_a_place_between_most_of_its_paragraphs(theme: Callable[[], str], own: int) -> None:
    found = page(theme())
    assert sum(gap.anchor is not None for gap in found.gaps[1:-1]) >= own - 2


# --- pages of several texts -----------------------------------------------------------------------


def teasers(n: int, box: str = "<div class=card>{}</div>", href: str = "/{}") -> str:
    return "".join(
        box.format(f'<h3><a href="{href.format(i)}">Another headline</a></h3><p>{FOREIGN}</p>') for i in range(n)
    )


@pytest.mark.parametrize("box", ["<div class=card>{}</div>", "<article>{}</article>", "<ul><li>{}</li></ul>", "{}"])
def test_a_page_of_teasers_has_no_article(box: str) -> None:
    assert page(f"<main>{teasers(12, box)}</main>").article_problem is not None


def test_headlines_with_the_whole_address_are_teasers_if_the_site_is_the_pages_own() -> None:
    body = f"<main>{teasers(12, href='https://www.lock.example/{}')}</main>"
    assert page(body, '<link rel=canonical href="https://lock.example/">').article_problem is not None
    assert page(body, '<link rel=canonical href="https://other.example/">').article_problem is None


def test_products_under_links_to_shops_are_an_article() -> None:
    found = page(f"<main><div>{paragraphs(2)}{teasers(8, href='https://shop.example/{}')}</div></main>")
    assert len([b for b in found.blocks if b.kind is BlockKind.PARAGRAPH]) == 10


def test_sections_headed_by_links_to_themselves_are_an_article() -> None:
    found = page(f"<main>{teasers(8, href='#{}')}</main>")
    assert len([b for b in found.blocks if b.kind is BlockKind.PARAGRAPH]) == 8


def test_of_articles_one_below_the_other_the_first_is_meant() -> None:
    one = "<article><h1>{}</h1>" + paragraphs(6) + "</article>"
    other = "<article><h1>Next</h1>" + paragraphs(9, FOREIGN * 2) + "</article>"
    found = page(f"<main>{one.format('The Ferry')}{other}{other}</main>")
    assert [b.text[:9] for b in found.blocks] == ["The ferry"] * 6


def test_short_posts_are_kept_whole_and_long_ones_are_not() -> None:
    def post(n: int) -> str:
        return f"<div class=entry><time>9:55</time>{paragraphs(n)}</div>"

    flags = [b.flags & 8 for b in page(f"<main>{post(2)}{post(3)}{post(2)}{post(7)}</main>").blocks if b.words > 9]
    assert flags == [8, 0, 8, 8, 0, 8, 0] + [0] * 7
