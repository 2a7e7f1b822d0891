"""The demo site as readers and machines get it, over real sockets."""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import html5lib
import pytest
import uvicorn

from adproxy.demo import pictures
from adproxy.demo.content import ContentError, load_articles, parse_article
from adproxy.demo.newsroom import SECTION_NOTES
from adproxy.demo.pages import article_page
from adproxy.demo.run import RULES
from adproxy.demo.site import create_site
from adproxy.listening import listen

ARTICLES = load_articles()
OLD_FASHIONED = "/1998/05/cup-final-in-the-fog"
STRICT = "/2026/08/what-the-radio-says"
FEATURE = "/2026/09/the-long-crossing"
LISTS = ("/", "/about", "/newsletter", "/archive", "/latest", *(f"/{key}" for key in SECTION_NOTES))

HEAD = "title: T\nsummary: S\nsection: world\nauthor: desk\npublished: 2026-09-14 06:30\npath: /t\npicture: p\nalt: A\n"


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode()


class Site:
    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, headers={name.replace("_", "-"): v for name, v in headers.items()})
            return Answer(connection.getresponse())


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(create_site(), log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Site(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


# --- content -----------------------------------------------------------------------------


def test_there_is_an_article_for_every_kind_of_trouble() -> None:
    assert len(ARTICLES) >= 14
    assert {a.section for a in ARTICLES} == set(SECTION_NOTES)
    languages = [a.phrases.lang for a in ARTICLES]
    assert languages.count("de") == 2
    assert {"ar", "ja", "en"} <= set(languages)
    assert max(a.words for a in ARTICLES) >= 1800
    assert min(a.words for a in ARTICLES) < 120
    assert {a.delivery for a in ARTICLES} == {"plain", "no-transform", "strict-csp"}


def test_every_picture_that_a_page_shows_exists() -> None:
    named = {a.picture for a in ARTICLES}
    named |= {name for a in ARTICLES for name in re.findall(r"/pictures/([^\"]+)\.svg", a.body)}
    assert named <= pictures.NAMES


@pytest.mark.parametrize("name", sorted(pictures.NAMES))
def test_a_picture_is_well_formed_and_asks_for_nothing_else(name: str) -> None:
    svg = pictures.draw(name)
    ElementTree.fromstring(svg)
    assert "href" not in svg
    assert svg == pictures.draw(name)


def test_an_unknown_picture_is_refused() -> None:
    with pytest.raises(KeyError):
        pictures.draw("ferry-noon")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "found no line '---'"),
        (HEAD + "colour: red\n---\n<p>x</p>", "x.html:9: found 'colour: red'"),
        (HEAD + "title: again\n---\n<p>x</p>", "x.html:9: found 'title: again'"),
        (HEAD.replace("alt: A\n", "") + "---\n", "lacks alt"),
        (HEAD.replace("world", "moon") + "---\n", "section is 'moon'; expected one of business"),
        (HEAD.replace("06:30", "noon") + "---\n", "expected a time such as"),
        (HEAD + "---\n<p>x</p>\n=== letters ===\nno bar", "expected 'name | text'"),
    ],
)
def test_a_wrong_article_file_is_refused_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ContentError, match=re.escape(message)):
        parse_article("x.html", text)


def test_a_headline_with_markup_in_it_stays_text() -> None:
    article = parse_article("x.html", HEAD.replace("title: T", "title: </script><b>&") + "---\n<p>x</p>")
    page = article_page(article, [article])
    assert "</script><b>" not in page
    assert "&lt;/script&gt;&lt;b&gt;&amp;" in page


# --- pages -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*LISTS, *(a.path for a in ARTICLES if a.path != OLD_FASHIONED)])
def test_a_page_parses_without_an_error(site: Site, path: str) -> None:
    html5lib.HTMLParser(strict=True).parse(site.ask(path).text)


def test_the_old_fashioned_page_does_not_parse_without_errors(site: Site) -> None:
    parser = html5lib.HTMLParser()
    parser.parse(site.ask(OLD_FASHIONED).text)
    assert parser.errors


@pytest.mark.parametrize("path", [*LISTS, *(a.path for a in ARTICLES)])
def test_a_page_has_one_headline_one_main_and_unique_ids(site: Site, path: str) -> None:
    tree = html5lib.parse(site.ask(path).text, namespaceHTMLElements=False)
    assert len(tree.findall(".//h1")) == 1
    assert len(tree.findall(".//main")) == 1
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for picture in tree.iter("img"):
        assert picture.get("alt") is not None


def test_every_link_on_the_site_leads_somewhere_on_the_site(site: Site) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = site.ask(path)
        assert answer.status == 200, path
        if "html" not in (answer.headers["content-type"] or ""):
            continue
        tree = html5lib.parse(answer.text, namespaceHTMLElements=False)
        for element in tree.iter():
            for name in ("href", "src", "action"):
                target = element.get(name) if isinstance(element.tag, str) else None
                if target is not None:
                    parts = urlsplit(target)
                    assert not parts.netloc, f"{path} points outside: {target}"
                    if parts.path:
                        waiting.append(parts.path)
    assert {a.path for a in ARTICLES} <= seen


def test_the_site_itself_has_no_ad_divs(site: Site) -> None:
    for article in ARTICLES:
        page = site.ask(article.path).text
        assert "js-ad" not in page
        assert "adproxy" not in page


def test_the_arabic_page_reads_from_right_to_left(site: Site) -> None:
    arabic = next(a for a in ARTICLES if a.phrases.rtl)
    assert '<html lang="ar" dir="rtl">' in site.ask(arabic.path).text


def test_the_strict_page_has_a_fresh_nonce_each_time_and_is_not_stored(site: Site) -> None:
    first, second = site.ask(STRICT), site.ask(STRICT)
    nonces = [
        re.findall(r"script-src 'nonce-([^']+)'", a.headers["content-security-policy"])[0] for a in (first, second)
    ]
    assert nonces[0] != nonces[1]
    assert first.text.count(f'nonce="{nonces[0]}"') == 2
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["etag"] is None


def test_the_notice_asks_to_be_left_as_it_is(site: Site) -> None:
    assert "no-transform" in site.ask("/2026/09/notice-to-mariners").headers["cache-control"]
    assert "no-transform" not in site.ask(FEATURE).headers["cache-control"]


def test_a_missing_page_says_so(site: Site) -> None:
    answer = site.ask("/2026/09/no-such-story")
    assert answer.status == 404
    assert "Lost in the fog" in answer.text


def test_a_slash_at_the_end_is_redirected_away_and_never_to_another_host(site: Site) -> None:
    assert site.ask("/world/").headers["location"] == "/world"
    assert site.ask("//elsewhere.example/").status == 404


def test_the_newsletter_form_is_answered_and_keeps_nothing(site: Site) -> None:
    answer = site.ask("/newsletter", method="POST")
    assert answer.status == 200
    assert "Nothing was kept" in answer.text


# --- conditional requests ----------------------------------------------------------------


def test_a_reader_who_holds_the_page_gets_304(site: Site) -> None:
    first = site.ask(FEATURE)
    for header in ({"If_None_Match": first.headers["etag"]}, {"If_Modified_Since": first.headers["last-modified"]}):
        again = site.ask(FEATURE, **header)
        assert again.status == 304
        assert again.body == b""
        assert again.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize(
    "headers",
    [
        {"If_None_Match": '"another"'},
        {"If_Modified_Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"If_Modified_Since": "yesterday"},
        # the tag decides alone where both are given
        {"If_None_Match": '"another"', "If_Modified_Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
    ],
)
def test_a_reader_who_does_not_hold_the_page_gets_all_of_it(site: Site, headers: dict[str, str]) -> None:
    answer = site.ask(FEATURE, **headers)
    assert answer.status == 200
    assert answer.body


def test_a_head_request_has_the_headers_and_no_body(site: Site) -> None:
    head, got = site.ask(FEATURE, method="HEAD"), site.ask(FEATURE)
    assert head.body == b""
    assert head.headers["etag"] == got.headers["etag"]


# --- machines ----------------------------------------------------------------------------


def test_the_feed_lists_every_article_under_the_host_that_was_asked(site: Site) -> None:
    feed = ElementTree.fromstring(site.ask("/feed.xml", Host="paper.example").text)
    links = [link.text for link in feed.iterfind("./channel/item/link")]
    assert links == [f"http://paper.example{a.path}" for a in ARTICLES]


def test_the_site_map_and_robots_are_there(site: Site) -> None:
    tree = ElementTree.fromstring(site.ask("/sitemap.xml").text)
    places = {place.text for place in tree.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")}
    assert {f"http://127.0.0.1:{site.port}{a.path}" for a in ARTICLES} <= places
    assert f"Sitemap: http://127.0.0.1:{site.port}/sitemap.xml" in site.ask("/robots.txt").text


# --- the demo as a whole -----------------------------------------------------------------


class Demo:
    """`main` in a process of its own; what it prints is read line by line."""

    def __init__(self, rules: Path, port: int = 0) -> None:
        command = f"import sys; from adproxy.demo.run import main; main(port={port}, office_port=0, rules=sys.argv[1])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", command, str(rules)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.printed = ""
        for line in self.process.stdout:
            self.printed += line
            if "Ctrl-C" in line:
                break
        self.site = self._at("the site")
        self.office = self._at("the office")

    def _at(self, name: str) -> Site:
        found = re.search(rf"{name} +http://127\.0\.0\.1:(\d+)/", self.printed)
        assert found is not None, self.printed
        return Site(int(found[1]))

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Exit code and what came on stderr."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=10)
        return self.process.returncode, errors

    def close(self) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGTERM)  # killed, it would leave its state behind


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    copy = tmp_path / "demo.yaml"
    copy.write_text(RULES.read_text(encoding="utf-8"), encoding="utf-8")
    return copy


def until(true: Callable[[], bool]) -> None:
    """Ask again until it holds; fails after ten seconds."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_ends_without_a_fuss(rules: Path, number: signal.Signals) -> None:
    with contextlib.closing(Demo(rules)) as demo:
        assert demo.site.ask(FEATURE).status == 200
        code, errors = demo.end(number)
        assert code == 0
        assert "Traceback" not in errors


def test_the_demo_puts_slots_into_articles_and_takes_nothing_away(rules: Path, site: Site) -> None:
    with contextlib.closing(Demo(rules)) as demo:
        page = demo.site.ask(FEATURE).body
        for slot in (b"billboard", b"in-article", b"end", b"rail", b"letters"):
            assert b'data-adproxy-slot="' + slot + b'"' in page
        assert re.sub(rb"(?s)<div data-adproxy-slot=.*?</div></div>", b"", page) == site.ask(FEATURE).body
        assert demo.site.ask("/").body == site.ask("/").body
        metrics = demo.office.ask("/metrics").text
        assert 'adproxy_slot_placements_total{site="demo",slot="billboard"} 1.0' in metrics


def test_the_demo_counts_what_browsers_report(rules: Path) -> None:
    with contextlib.closing(Demo(rules)) as demo:
        token = re.search(r'data-adproxy-token="([^"]+)"', demo.site.ask(FEATURE).text)
        assert token is not None
        body = f'{{"v":1,"t":"{token[1]}","n":"AAECAwQFBgcICQoLDA0ODw","e":[["page_view"]]}}'
        headers = {"Content-Type": "text/plain", "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"}
        connection = http.client.HTTPConnection("127.0.0.1", demo.site.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("POST", "/_adproxy/beacon", body, headers)
            assert connection.getresponse().status == 204
        assert 'adproxy_page_views_total{site="demo",traffic="valid"} 1.0' in demo.office.ask("/metrics").text
        (state,) = re.findall(r"events tail --state-dir (\S+)", demo.printed)
        assert (Path(state) / "events.sqlite").exists()
        demo.end(signal.SIGTERM)
        assert not Path(state).exists()


def test_an_edit_of_the_rules_shows_on_the_next_load_and_a_broken_edit_changes_nothing(rules: Path) -> None:
    with contextlib.closing(Demo(rules)) as demo:
        good = rules.read_text(encoding="utf-8")
        rules.write_text(good.replace("place: above-headline", "place: below-headline"), encoding="utf-8")
        first = demo.site.ask(FEATURE).body
        until(lambda: demo.site.ask(FEATURE).body != first)
        second = demo.site.ask(FEATURE).body
        rules.write_text(good.replace("place: above-headline", "place: above-the-fold"), encoding="utf-8")
        until(lambda: "adproxy_rules_last_reload_successful 0.0" in demo.office.ask("/metrics").text)
        assert demo.site.ask(FEATURE).body == second


def test_a_busy_port_gives_way_to_the_next_and_the_demo_says_so(rules: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with contextlib.closing(Demo(rules, port)) as demo:
            assert f"Port {port} is taken" in demo.printed
            assert demo.site.port != port
            assert demo.site.ask("/").status == 200
