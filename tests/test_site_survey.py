"""A look at a few pages of a site, and the rules file that is made from it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adproxy import site_survey
from adproxy.errors import PageError
from adproxy.rules.compile import Checked, check_paths, load_rules
from adproxy.site_survey import SiteSurvey, begin
from adproxy.starter import starter

SENTENCE = "The council met again on Tuesday to speak about the harbour and the long road that leads to it. "
GPT = (
    "<script async src=https://securepubads.g.doubleclick.net/tag/js/gpt.js></script>"
    "<script>googletag.defineSlot('/4321/news/top', [728, 90], 'top')</script>"
    '<script type="application/ld+json">{"@type": "NewsArticle", "articleSection": "Harbour"}</script>'
)


def story(title: str, *, words: int = 40, head: str = GPT, links: str = "") -> str:
    paragraphs = f"<p>{SENTENCE}</p>" * words
    return (
        f"<!doctype html><html lang=en><head><title>{title}</title>{head}</head><body><nav>{links}</nav>"
        f"<main><article class=story><h1>{title}</h1>{paragraphs}</article></main>"
        "<aside class=rail><div class=ad-slot></div><div>Most read</div></aside></body></html>"
    )


ENDLESS = ["<loc>" + " " * 200_000, "\n" * 200_000, "sitemap:" + " " * 200_000, "<link" * 50_000]


class Site(BaseHTTPRequestHandler):
    pages: dict[str, tuple[str, str]]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        kind, text = self.pages.get(self.path, ("", ""))
        self.send_response(301 if kind == "to" else 200 if kind else 404)
        if kind == "to":
            self.send_header("Location", text)
        body = text.encode() if kind != "to" else b""
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The base address of a running site; its pages are `Site.pages`."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    Site.pages, Site.asked = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(20)
    server.server_close()


def surveyed(url: str) -> SiteSurvey:
    survey = begin(url)
    for address in survey.addresses:
        survey.look(address)
    return survey


def checked(text: str, folder: Path) -> Checked:
    file = folder / "made.yaml"
    file.write_text(text)
    return check_paths([file])


def test_pages_come_from_links_feeds_and_site_maps_of_the_same_host(site: str) -> None:
    targets = (
        *("/news/a-long-road-home", f"{site}/news/harbour-is-full-again#top", "/about", "/x.pdf"),
        *("https://elsewhere.example/a-story-of-theirs", "http://[broken"),
    )
    links = "".join(f'<a href="{target}">read</a>' for target in targets)
    feed = '<link rel=alternate type="application/rss+xml" href="/feed">'
    Site.pages = {
        "/": ("text/html", story("Front", links=links, head=GPT + feed)),
        "/feed": ("text/xml", f"<rss><item><link>{site}/sport/the-final-in-the-fog</link></item></rss>"),
        "/robots.txt": ("text/plain", f"User-agent: *\nSitemap: {site}/maps.xml\n"),
        "/maps.xml": ("text/xml", f"<sitemapindex><sitemap><loc>{site}/map-1.xml</loc></sitemap></sitemapindex>"),
        "/map-1.xml": ("text/xml", f"<urlset><url><loc>{site}/2024/05/ferry&amp;tram-collide</loc></url></urlset>"),
    }
    found = {address.removeprefix(site) for address in begin(f"{site}/").addresses}
    assert found == {
        "/news/a-long-road-home",
        "/news/harbour-is-full-again",
        "/sport/the-final-in-the-fog",
        "/2024/05/ferry&tram-collide",
    }


def test_a_site_that_a_script_takes_over_is_told_that_it_gets_no_slots(site: str, tmp_path: Path) -> None:
    taken_over = story("Front").replace("<main>", "<div id=__next><main>")
    Site.pages = {"/": ("text/html", taken_over)}
    text = starter(surveyed(f"{site}/"))
    found = " ".join(text.replace("\n#", " ").split())
    assert "React takes the page over and expects it as it was sent: 1 of 1 page get no slot" in found
    assert checked(text, tmp_path).problems == ()
    Site.pages = {"/": ("text/html", story("Front"))}
    assert "takes the page over" not in starter(surveyed(f"{site}/"))


def test_pages_may_be_known_by_their_number_alone_and_links_may_name_nothing_but_the_host(site: str) -> None:
    targets = (site, f"{site}?p=3", "/?p=4", "/?id=5&x=y", "/?s=boats", "/?cat=1", "/wp-login.php?p=6")
    links = "".join(f'<a href="{target}">read</a>' for target in targets)
    Site.pages = {"/": ("text/html", story("Front", links=links))}
    assert {address.removeprefix(site) for address in begin(f"{site}/").addresses} == {"/?p=4", "/?id=5&x=y"}


def test_a_site_is_looked_at_within_bounds(site: str) -> None:
    links = "".join(f'<a href="/s{n % 5}/a-story-of-number-{n}">{n}</a>' for n in range(200))
    Site.pages = {"/": ("text/html", story("Front", links=links))}
    Site.pages |= {f"/s{n % 5}/a-story-of-number-{n}": ("text/html", story(f"S{n}")) for n in range(200)}
    survey = surveyed(f"{site}/")
    assert len(survey.seen) == site_survey.MAX_PAGES
    assert len({seen.url.split("/")[3] for seen in survey.seen}) > 2
    assert len(Site.asked) <= site_survey.MAX_PAGES + site_survey.MAX_LISTS + 1


def test_time_and_bytes_have_a_bound(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Site.pages = {"/": ("text/html", story("Front", links='<a href="/news/a-long-road-home">1</a>'))}
    Site.pages["/news/a-long-road-home"] = ("text/html", story("Road"))
    survey = begin(f"{site}/")
    survey.ends = 0.0
    survey.look(survey.addresses[0])
    assert len(survey.seen) == 1
    survey = begin(f"{site}/")
    monkeypatch.setattr(site_survey, "MAX_TOTAL_BYTES", 10)
    survey.look(survey.addresses[0])
    assert len(survey.seen) == 1


def test_a_page_that_leads_to_another_host_or_is_none_is_passed_over_and_named(site: str) -> None:
    port = site.rpartition(":")[2]
    links = '<a href="/news/one-that-is-gone">1</a><a href="/news/one-that-leads-away">2</a><a href="/a/b-c-d">3</a>'
    Site.pages = {
        "/": ("text/html", story("Front", links=links)),
        "/news/one-that-leads-away": ("to", f"http://localhost:{port}/x"),
        "/x": ("text/html", story("Elsewhere")),
        "/a/b-c-d": ("image/png", "no page"),
    }
    survey = surveyed(f"{site}/")
    assert len(survey.seen) == 1
    said = "\n".join(survey.passed_over)
    assert "answered 404" in said
    assert "leads to another host, localhost" in said
    assert "is no page" in said
    with pytest.raises(PageError):
        begin(f"{site}/gone")


def test_the_file_validates_and_says_what_was_found(site: str, tmp_path: Path) -> None:
    links = '<a href="/2024/a-long-road-home">1</a><a href="/2023/harbour-is-full-again">2</a>'
    Site.pages = {"/": ("text/html", story("Front", links=links))}
    Site.pages |= {
        path: ("text/html", story("Story")) for path in ("/2024/a-long-road-home", "/2023/harbour-is-full-again")
    }
    text = starter(surveyed(f"{site}/"))
    assert checked(text, tmp_path) == Checked((), ())
    assert "#   Article   on 3 of 3 pages" in text
    assert "'article.story'" in text
    assert "#   Sidebar   on 3 of 3 articles, what 'aside.rail' matches" in text
    assert "#   Ads       3 on these pages, known by .ad-slot (3)" in text
    assert "#   Ad stack  Google Publisher Tag" in text
    assert "  network: 4321" in text
    assert '#   - {path: "/20*/**"}              # an article on 2 of 2 pages' in text
    (rule_set,) = load_rules(tmp_path / "made.yaml").rule_sets
    assert rule_set.hosts == ("127.0.0.1",)


def test_the_preset_follows_from_what_is_there(site: str) -> None:
    Site.pages = {"/long": ("text/html", story("Long", words=120)), "/news": ("text/html", story("News"))}
    quiet = story("Blog", head="").replace("<div class=ad-slot></div>", "")
    Site.pages["/blog"] = ("text/html", quiet)
    for name, preset in (("long", "longform"), ("news", "news"), ("blog", "blog")):
        assert f"\nuse: [{preset}]" in starter(begin(f"{site}/{name}"))


def test_lines_that_were_taken_for_switched_off_can_be_switched_on(site: str, tmp_path: Path) -> None:
    Site.pages = {"/news/story": ("text/html", story("Story"))}
    text = starter(begin(f"{site}/news/story"))
    on = re.sub(r"^# ( *(?:- \{path|[a-z_-]+:))", r"\1", text.partition("\n\n")[2], flags=re.MULTILINE)
    assert checked(on, tmp_path).problems == ()
    keys = {line.strip().split(":")[0] for line in on.splitlines() if not line.startswith("#")}
    assert {"pages", "article", "sidebar", "layout", "limits", "gap", "slots", "in-article", "key_values"} <= keys


def test_what_a_page_says_can_break_out_of_no_comment_and_no_value(site: str, tmp_path: Path) -> None:
    evil = 'x&#10;slots: {a: 1}&#13;&#x2028;"]'
    body = story("Evil").replace("class=ad-slot", f'class="ad-slot" id="ad{evil}"').replace("lang=en", f'lang="{evil}"')
    body = body.replace("class=story", f'class="{evil} story" id="{evil}"')
    Site.pages = {'/a?"]': ("text/html", body), "/a?%22]%0Aslots:": ("text/html", body)}
    survey = begin(f"{site}/a?%22]%0Aslots:")
    survey.passed_over.append("gone\nslots: {a: 1}\x1b[31m")
    text = starter(survey)
    assert checked(text, tmp_path) == Checked((), ())
    assert "\nslots:" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize("text", ENDLESS)
def test_no_list_makes_the_search_for_addresses_slow(site: str, text: str) -> None:
    Site.pages = dict.fromkeys(("/robots.txt", "/sitemap.xml"), ("text/plain", text))
    Site.pages["/"] = ("text/html", story("Front"))
    assert begin(f"{site}/").addresses == []
