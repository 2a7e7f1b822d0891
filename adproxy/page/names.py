"""What the class and id names of an element say, by whole words: `related-posts` is not `correlated`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from adproxy.page.kept import keep


class Says:
    """What names say of an element's content: bits of an int (an enum's arithmetic is too slow here)."""

    NOTHING: Final = 0
    NOT_ARTICLE: Final = 1
    """Navigation, related links, comments, newsletter, author, sharing …: not the article's own text."""
    ARTICLE: Final = 2
    """The article's body."""
    CAPTION: Final = 4
    PULL_QUOTE: Final = 8
    SIDEBAR: Final = 16
    MEDIA: Final = 32
    AD: Final = 64
    """Advertising."""
    EMBED: Final = 128
    """A post of a social network, as its script finds it."""
    COLUMNS: Final = 256
    """What it holds stands side by side, if it is columns."""
    BOX: Final = 512
    """A box in the text, such as a hint, a fold or a recipe: nothing goes between what is in it."""


_CAMEL = re.compile(r"([a-z0-9])([A-Z])")
_SPLIT = re.compile(r"[^a-z]+")

COMMENTS: Final = frozenset(
    """comment comments commentlist kommentar kommentare kommentaren kommentarer kommentarbereich kommentarliste
    commentaire commentaires comentario comentarios commenti reactie reacties komentarz komentarze komentare komentari
    kommentit yorum yorumlar kommentarii""".split()
)
"""In languages of Latin letters: names are ASCII as a rule."""
ASIDE: Final = frozenset("footer foot copyright legal disclaimer sidebar sidebars aside".split())
"""What no article is called, however much text there is in it."""
# What some of them call related stories, authors, tags and sharing, where their word is another.
_NOT_ARTICLE_ELSEWHERE = frozenset(
    """relacionado relacionados relacionada relacionadas verwandt verwandte similaires connexes correlati gerelateerd
    powiazane relaterade relaterte relaterede autor autoren autores auteur auteurs autore teilen partager compartir
    compartilhar condividi delen etiquetas schlagworte""".split()
)
_NOT_ARTICLE_IN_ENGLISH = frozenset(
    """nav navigation navbar menu submenu megamenu breadcrumb breadcrumbs sidebar aside related relatedposts
    recommended recommendations recommend recirc recirculation readmore morelike popular trending mostread
    mostviewed latest teaser teasers disqus respond reply replies newsletter newsletters
    subscribe subscription signup signin login register paywall author authors bio byline contributor
    share sharing sharebar social socials follow tag tags tagcloud taglist topics keywords footer foot copyright
    legal disclaimer cookie cookies consent gdpr modal popup overlay lightbox dialog tooltip promo promos promotion
    promoted sponsor sponsored advert toolbar tools pagination pager paging widget widgets rating ratings poll
    survey quiz cta donate donation banner masthead topbar skip search searchbox crosssell upsell products shop
    hidden print noprint outbrain taboola jp addtoany rss feed metadata meta infobox navbox toc reflist references
    reference catlinks sitesub jump editsection hatnote vote votes signature postprofile postauthor poster userinfo
    footnotes endnotes""".split()
)
_NOT_ARTICLE = _NOT_ARTICLE_IN_ENGLISH | _NOT_ARTICLE_ELSEWHERE | COMMENTS
# Page builders (Elementor, SiteOrigin, HubSpot) call each of their boxes a widget, a column and a text too: there only
# those that hold nothing of the kind are what others call so.
_WIDGET = frozenset(["widget", "widgets"])
_BUILDERS = frozenset("elementor siteorigin sow hs".split())
_BUILT = frozenset(
    "editor tinymce content rich container wrap cell row module custom heading title image video".split()
)
# Words that say so only together: the links to a long post's other pages, a thread of comments as SPIP has them.
_NOT_ARTICLE_TOGETHER = (frozenset(("page", "links")), frozenset(("page", "numbers")), frozenset(("forum", "fil")))
# WordPress calls a post by its number, and then by all of its terms: "tag-advertising" is what it is about. Of names
# beside it only those of one word speak of the element.
_POST = re.compile(r"post-\d+")
# What stands around the part that is printed, and not around a button.
_PRINTED = frozenset("content article body text story main".split())
_ONLY_PRINT = frozenset(["print"])
_ARTICLE = frozenset(
    """article articlebody articletext articlecontent body bodytext content maincontent entry entrycontent post
    postbody postcontent story storybody storytext text copy prose main hentry richtext wysiwyg longform narrative
    mw""".split()
)
_CAPTION = frozenset(
    """caption captions figcaption credit credits photocredit imagecredit wp-caption-text cutline""".split()
)
_PULL_QUOTE = frozenset(["pullquote", "pull", "quote", "blockquote"])
_SIDEBAR = frozenset("sidebar sidebars rail rightrail rightcol rightcolumn secondary aside".split())
_MEDIA = frozenset(
    """figure image images img photo photos picture gallery slideshow carousel slider video player embed media
    infographic lede hero""".split()
)
_ROWS = frozenset("row columns cols".split())
_ELEMENTORS_ROW = frozenset(["elementor", "container"])
COLUMNS: Final = frozenset("column columns col cols".split())
"""What the children of a row are called that stand side by side."""
_BOX = frozenset(
    """admonition callout callouts alert hint notice toggle accordion collapsible spoiler tabs tab tabpanel faq recipe
    card""".split()
)
_CUSTOM_BLOCK = frozenset(["custom", "block"])
_AD_WORDS = frozenset(
    """ad ads adv advert adverts advertisement advertisements advertising advertorial adsbygoogle adsense adslot
    adslots adunit adbox adwrap adwrapper adcontainer adspace adzone adhesion adngin adthrive mediavine ezoic gpt
    dfp taboola outbrain revcontent mgid teads nativo criteo zergnet connatix dianomi plista ligatus mpu leaderboard
    skyscraper halfpage sponsored sponsor anzeige anzeigen werbung publicite publicidad publicidade pubblicita
    reklama reklam reklame annons annonse mainos advertentie admarket smartad dfptag googledfpad""".split()
)
# Common words of other meanings: they count only with company.
_WEAK = frozenset("leaderboard sponsor sponsored dfp gpt teads adv".split())
_COMPANY = frozenset(
    """container wrapper wrap slot unit box tag top bottom header footer sidebar article atf btf widget links content
    posts stories recommendations""".split()
)
# Names that speak about ads without holding one.
_NOT_AN_AD = frozenset(
    """free blocker adblock adblocker choices choice policy whitelist has hasads noads disabled off no non without load
    loaded ready manager enabled disclaimer targeting hoc count report byline""".split()
)
# "AdBlockModal" is about readers who block ads, "ad-block" is a block with one.
_BLOCKING = frozenset(
    "modal message notice promo detect detected detector detection warning wall popup overlay".split()
)
# Generated ids: their letters spell anything.
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# "has-sidebar", "no-js": said of the whole page, not of the element's own content.
_ABOUT_THE_PAGE = frozenset("has with no without is js".split())
_EMBED_WORDS = frozenset(
    """twitter-tweet twitter-video instagram-media tiktok-embed fb-post fb-video reddit-card imgur-embed-pub
    bluesky-embed""".split()
)


# Sites repeat their names, so what they say is kept; not of longer ones, with which a few pages could fill the memory.
MOST_KEPT: Final = 8_192
LONGEST_KEPT: Final = 400


class Remembered:
    """What is asked of an element's class and id, and kept; compiled code asks it directly, not as Python calls."""

    def __init__(self, ask: Callable[[str, str], int]) -> None:
        self._ask = ask
        self.kept: dict[tuple[str, str], int] = {}

    def of(self, classes: str, ident: str) -> int:
        if len(classes) + len(ident) > LONGEST_KEPT:
            return self._ask(classes, ident)
        names = (classes, ident)
        known = self.kept.get(names)
        return keep(self.kept, names, self._ask(classes, ident), MOST_KEPT) if known is None else known


def tokens(value: str) -> tuple[str, ...]:
    """Lower-case words of one class or id name: split at case changes and at everything that is no letter."""
    if len(value) > LONGEST_KEPT:
        return _tokens(value)
    known = _tokens_kept.get(value)
    return keep(_tokens_kept, value, _tokens(value), MOST_KEPT) if known is None else known


def _tokens(value: str) -> tuple[str, ...]:
    text = _CAMEL.sub(r"\1 \2", _UUID.sub(" ", value[:LONGEST_KEPT]))
    return tuple(word for word in _SPLIT.split(text.lower()) if word)


_tokens_kept: Final[dict[str, tuple[str, ...]]] = {}


def _is_ad_name(words: set[str]) -> bool:
    found = words & _AD_WORDS
    if not found or words & _NOT_AN_AD or ("block" in words and words & _BLOCKING):
        return False
    return not found <= _WEAK or len(words) == 1 or len(found) > 1 or bool(words & _COMPANY)


def says(classes: str, ident: str) -> int:
    """What an element's class attribute and id say together."""
    return _remembered.of(classes, ident)


def _is_built(names: list[str]) -> bool:
    """Whether names are those of a page builder's box for text, or for other boxes."""
    each = [set(tokens(name)) for name in names]
    heard: set[str] = set().union(*each)
    if "widget" not in heard or not heard & _BUILT:
        return False
    return bool(heard & _BUILDERS) or any({"widget", "type"} <= words for words in each)


def _says(classes: str, ident: str) -> int:
    result = Says.NOTHING
    names = [name for name in (*classes.split()[:24], ident) if name]
    built = _is_built(names)
    is_post = "hentry" in names or any(map(_POST.fullmatch, names))
    for name in names:
        words = tokens(name)
        if is_post and len(words) > 1 and name != ident:
            continue
        found = set(words)
        if name.lower() in _EMBED_WORDS:
            result |= Says.MEDIA | Says.EMBED
        if _is_ad_name(found):
            result |= Says.AD
        if found & _ABOUT_THE_PAGE:
            continue
        if len(words) > 6:  # generated names and utility classes speak of anything
            continue
        if found & _SIDEBAR:
            result |= Says.SIDEBAR
        not_article = found & _NOT_ARTICLE
        if "print" in not_article and found & _PRINTED:
            not_article -= _ONLY_PRINT
        if (not_article - _WIDGET if built else not_article) or any(
            together <= found for together in _NOT_ARTICLE_TOGETHER
        ):
            result |= Says.NOT_ARTICLE
        if found & _ARTICLE:
            result |= Says.ARTICLE
        if found & _CAPTION:
            result |= Says.CAPTION
        if "pullquote" in found or {"pull", "quote"} <= found:
            result |= Says.PULL_QUOTE
        if found & _MEDIA:
            result |= Says.MEDIA
        if found & _BOX or found >= _CUSTOM_BLOCK:
            result |= Says.BOX
        if found & _ROWS or found >= _ELEMENTORS_ROW:
            result |= Says.COLUMNS
    return result


_remembered: Final = Remembered(_says)
