"""A look at a few pages of a site, within bounds: which there are, what they are made of.

Pages are taken from the site's feeds, its site map and the links of the page that was given, of its own host only. What
stands in feeds and site maps is searched for addresses as text: no XML of somebody else's is ever built into anything.
"""

from __future__ import annotations

import html as entities
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urldefrag, urljoin, urlsplit

from adproxy.charset import sniff
from adproxy.eligibility import values
from adproxy.errors import PageError
from adproxy.page.guard import MAX_BYTES, hostile
from adproxy.page.scan import scan
from adproxy.page.survey import Look, survey
from adproxy.page_source import Fetched, fetch

MAX_PAGES = 8
"""Pages that are looked at, the given one included."""
MAX_LISTS = 5
"""Feeds and site maps that are read."""
MAX_TOTAL_BYTES = 64 << 20
"""Of all that is fetched."""
MAX_SECONDS = 60.0
"""After which nothing more is fetched."""
MAX_ADDRESSES = 5000
"""Of one feed or site map."""
_SAME_SECTION = 3
"""Pages under one first segment of the path: other sections may look different."""

# Nothing in them is tried twice, however a site writes its lists: addresses hold no white space.
_IN_LISTS = re.compile(
    r"<loc>\s*+([^<\s]{1,2000}+)\s*+</loc>|<link>\s*+([^<\s]{1,2000}+)\s*+</link>"
    r"|<link[^>]{0,500}href=\"([^\"\s]{1,2000}+)\""
)
_MAPS = re.compile(r"^[ \t]*+sitemap:[ \t]*+(\S{1,2000}+)", re.I | re.M)
_NO_PAGE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|svg|pdf|zip|gz|mp[34]|xml|json|css|js|rss|atom|txt|ico)$", re.I)
_NO_ARTICLE = re.compile(
    r"/(?:tags?|categor(?:y|ies)|authors?|topics?|pages?|search|log-?in|sign-?(?:in|up)|register|about|contact|privacy"
    r"|impressum|datenschutz|terms|legal|imprint|newsletters?|subscribe|account|cart|shop|feed|wp-[a-z]+(?:\.php)?)(?:/|$)",
    re.I,
)
# WordPress's addresses before somebody chose better ones, and the like.
_NUMBERED = re.compile(r"(?:^|&)(?:p|id|nid|article|story)=\d")


Source = Callable[[str], Fetched]
"""Gives what is at an address, or raises `PageError`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A page that was looked at."""

    url: str
    fetched: Fetched
    look: Look


@dataclass(slots=True)
class SiteSurvey:
    """What was found so far; `addresses` are those that are worth a look next."""

    url: str
    source: Source = fetch
    """Where pages come from."""
    most: int = MAX_PAGES
    """Pages that are wanted."""
    seen: list[Seen] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    """Why pages could not be looked at."""
    addresses: list[str] = field(default_factory=list)
    bytes_read: int = 0
    ends: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def articles(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.look.words]

    @property
    def exhausted(self) -> bool:
        return time.monotonic() > self.ends or self.bytes_read > MAX_TOTAL_BYTES or len(self.seen) >= self.most

    def look(self, url: str) -> None:
        """Look at one more page, unless a bound is reached; what can't be had is passed over."""
        if self.exhausted:
            return
        try:
            self.add(self.fetch(url))
        except PageError as error:
            self.passed_over.append(str(error))

    def fetch(self, url: str) -> Fetched:
        """Something of this site, or `PageError`."""
        fetched = self.source(url)
        self.bytes_read += len(fetched.body)
        if not _same_site(urlsplit(fetched.url).hostname, self.host):
            raise PageError(f"{url}: leads to another host, {urlsplit(fetched.url).hostname}")
        return fetched

    def add(self, fetched: Fetched) -> None:
        """Take one more page in, or raise `PageError` where it is none."""
        if any(seen.url == fetched.url for seen in self.seen):
            return
        kind = next(iter(values(fetched.headers, b"content-type")), "")
        encoding = sniff(fetched.body, kind)
        if not kind.lower().startswith("text/html") or encoding is None or len(fetched.body) > MAX_BYTES:
            raise PageError(f"{fetched.url}: is no page that adproxy can read")
        scanned = scan(fetched.body)
        if problem := hostile(fetched.body, scanned):
            raise PageError(f"{fetched.url}: would hurt the parser: {problem}")
        self.seen.append(Seen(fetched.url, fetched, survey(fetched.body, encoding, scanned)))


def begin(url: str, source: Source = fetch, most: int = MAX_PAGES) -> SiteSurvey:
    """Look at one page, and find others of its site, as many as are wanted and a few in reserve. Raises `PageError`
    where that page can't be had. `source`: where pages come from."""
    first = source(url)
    made = SiteSurvey(first.url, source, most, bytes_read=len(first.body))
    made.add(first)
    look = made.seen[0].look
    listed = list(_listed(made, list(_absolute(first.url, look.feeds))))
    made.addresses = _chosen([*listed, *_absolute(first.url, look.links)], made)
    return made


def _listed(made: SiteSurvey, feeds: list[str]) -> Iterator[str]:
    """The addresses in a site's feeds and site maps."""
    root = urljoin(made.url, "/")
    read: set[str] = set()
    waiting = list(feeds)
    robots = _text(made, urljoin(root, "robots.txt"))
    waiting += _MAPS.findall(robots)[:MAX_LISTS] or [urljoin(root, "sitemap.xml")]
    while waiting and len(read) < MAX_LISTS:
        url = waiting.pop(0)
        if url in read or not _same_site(_host_of(url), made.host):
            continue
        read.add(url)
        text = _text(made, url)
        found = [entities.unescape(next(filter(None, match.groups()))) for match in _first(_IN_LISTS.finditer(text))]
        if "<sitemapindex" in text[:2000]:
            waiting += found[-1:] + found[:1]  # the newest is first with some, and last with others
        else:
            yield from found


def _first(matches: Iterable[re.Match[str]]) -> Iterator[re.Match[str]]:
    for count, match in enumerate(matches):
        if count >= MAX_ADDRESSES:
            return
        yield match


def _text(made: SiteSurvey, url: str) -> str:
    """A list of addresses as text; empty where there is none, for a site need not have one."""
    if made.exhausted:
        return ""
    try:
        return made.fetch(url).body.decode("utf-8", "replace")
    except PageError:
        return ""


def _chosen(urls: Iterable[str], made: SiteSurvey) -> list[str]:
    """Addresses that are likely to be articles, those that are likeliest first, of several sections."""
    known = {made.url}
    ranked: list[tuple[int, str]] = []
    for url in urls:
        address = urldefrag(url)[0]
        try:
            parts = urlsplit(address)
            usable = parts.scheme in ("http", "https") and _same_site(parts.hostname, made.host)
        except ValueError:
            continue
        if usable and address not in known and not _NO_PAGE.search(parts.path):
            known.add(address)
            if score := _likelihood(parts.path, parts.query):
                ranked.append((score, address))
    ranked.sort(key=lambda pair: -pair[0])  # stable: what a site lists first stays first
    sections: Counter[str] = Counter()
    chosen: list[str] = []
    for _, address in ranked:
        section = urlsplit(address).path.split("/")[1]
        if sections[section] < _SAME_SECTION:
            sections[section] += 1
            chosen.append(address)
    more = [address for _, address in ranked if address not in chosen]
    return [*chosen, *more][: made.most + 4]  # a few in reserve for those that can't be had


def _likelihood(path: str, query: str) -> int:
    """Points for an address that looks like an article's; none for one that can't be one's."""
    if path in ("", "/"):
        return 1 if path and _NUMBERED.search(query) else 0
    if _NO_ARTICLE.search(path):
        return 0
    last = path.rstrip("/").rpartition("/")[2]
    return 1 + min(4, len(re.findall(r"[-_]", last))) + bool(re.search(r"\d{4}", path)) + (path.count("/") > 2)


def _absolute(base: str, links: Iterable[str]) -> Iterator[str]:
    for link in links:
        try:
            yield urljoin(base, link.strip())
        except ValueError:
            continue  # a bracket in the wrong place: no address


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _same_site(host: str | None, other: str) -> bool:
    return host is not None and host.removeprefix("www.") == other.removeprefix("www.")
