"""The second listener, over real sockets: metrics, health, readiness and the page for people."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from adproxy.board import Board
from adproxy.live_rules import LiveRules
from adproxy.metrics import Metrics
from adproxy.model import SkipReason
from adproxy.office import metrics_app, office_app

RULES = """\
version: 1
site: news
pages:
  - {path: "/**"}
slots:
  top:
    place: above-headline
    sizes: {phone: [320x50]}
"""


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode()


@contextmanager
def serving(app: ASGIApp) -> Iterator[Callable[..., Answer]]:
    """The application behind uvicorn on a free port of 127.0.0.1; yields a function that asks it."""
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, ws="none", lifespan="off", timeout_graceful_shutdown=2)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start within 20 s"
            assert thread.is_alive(), "the server ended at once"
            time.sleep(0.01)

        def ask(path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Answer:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                connection.request(method, path, headers=headers or {})
                return Answer(connection.getresponse())
            finally:
                connection.close()

        yield ask
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
    assert not thread.is_alive()


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    file = tmp_path / "site.yaml"
    file.write_text(RULES)
    return file


def headline(page: str) -> str:
    """What the page's first heading says."""
    (found,) = re.findall(r"<h1>(.*?)</h1>", page, re.DOTALL)
    return re.sub(r"<[^>]*>", "", found)


def test_metrics_answers_a_scrape_in_the_format_asked_for() -> None:
    metrics = Metrics()
    metrics.error("internal")
    with serving(office_app(metrics)) as ask:
        plain = ask("/metrics")
        open_metrics = ask("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
        head = ask("/metrics", "HEAD")
    assert plain.status == 200
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert plain.headers["content-type"].count("charset") == 1
    assert 'adproxy_errors_total{kind="internal"} 1.0' in plain.text
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text")
    assert open_metrics.text.endswith("# EOF\n")
    assert (head.status, head.body) == (200, b"")


def test_the_process_is_healthy_while_rules_are_bad_but_not_ready(rules_file: Path) -> None:
    rules_file.write_text("slots: [oops\n")
    live = LiveRules(rules_file)
    with serving(office_app(Metrics(), live)) as ask:
        assert ask("/healthz").status == 200
        ready = ask("/readyz")
        assert ready.status == 503
        assert json.loads(ready.body)["ready"] is False
        assert f"{rules_file}:" in json.loads(ready.body)["problem"]
        rules_file.write_text(RULES)
        live.poll()
        live.poll()
        ready = ask("/readyz")
        assert ready.status == 200
        assert json.loads(ready.body) == {"ready": True, "revision": live.book.revision, "problem": None}


def test_a_process_with_good_rules_stays_ready_over_a_bad_edit(rules_file: Path) -> None:
    live = LiveRules(rules_file)
    good = live.book.revision
    rules_file.write_text("slots: [oops\n")
    live.poll()
    live.poll()
    with serving(office_app(Metrics(), live)) as ask:
        ready = ask("/readyz")
        page = ask("/")
    assert ready.status == 200
    assert json.loads(ready.body)["revision"] == good
    assert headline(page.text) == "The last edit of the rules was not taken"
    assert good in page.text
    assert f"{rules_file}:" in page.text


def test_fixed_rules_are_ready_at_once() -> None:
    with serving(office_app(Metrics())) as ask:
        assert ask("/readyz").status == 200
        assert "Fixed rules" in ask("/").text


def test_the_page_shows_the_counters_of_each_site(rules_file: Path) -> None:
    metrics = Metrics()
    live = LiveRules(rules_file, metrics=metrics)
    metrics.page("news", "rewritten", None)
    metrics.page("news", "skipped", SkipReason.AMP)
    with serving(office_app(metrics, live)) as ask:
        page = ask("/").text
    assert '<th scope="row">news</th><td>1</td><td>0</td><td>1</td><td>0</td><td>0</td>' in page
    assert headline(page) == "All is well"


def test_what_a_rules_file_says_is_escaped_on_the_page(tmp_path: Path) -> None:
    file = tmp_path / "<script>alert(1)<" / "site.yaml"
    file.parent.mkdir()
    file.write_text("version: 1\n<img src=x>: 1\n")
    with serving(office_app(Metrics(), LiveRules(file))) as ask:
        page = ask("/").text
    assert "&lt;script&gt;alert(1)&lt;" in page
    assert page.count("<script") == 1
    assert "<img" not in page


class Outline(HTMLParser):
    """Tags with their attributes, and the names of all attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_no_inline_script_or_style_and_reads_well_without_sight(rules_file: Path) -> None:
    with serving(office_app(Metrics(), LiveRules(rules_file))) as ask:
        page = ask("/")
        tags = Outline(page.text).tags
        files = {
            attrs["href" if tag == "link" else "src"]: ask(f"/{attrs['href' if tag == 'link' else 'src']}")
            for tag, attrs in tags
            if tag in ("link", "script")
        }
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    names = [tag for tag, _ in tags]
    assert "style" not in names
    assert not any(name == "style" or name.startswith("on") for _, attrs in tags for name in attrs)
    assert ("html", {"lang": "en"}) in tags
    assert [name for name in names if name in ("main", "h1")] == ["main", "h1"]
    assert any(attrs.get("name") == "viewport" for _, attrs in tags)
    assert all(attrs.get("scope") in ("row", "col") for tag, attrs in tags if tag == "th")
    headings = [int(name[1]) for name in names if re.fullmatch(r"h[1-6]", name)]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(headings))
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {href[1:] for tag, attrs in tags if tag == "a" and (href := attrs.get("href") or "").startswith("#")}
    assert targets <= set(ids)
    assert {file: (answer.status, answer.headers["content-type"]) for file, answer in files.items()} == {
        "static/icon.svg": (200, "image/svg+xml"),
        "static/console.css": (200, "text/css; charset=utf-8"),
        "static/live.js": (200, "text/javascript; charset=utf-8"),
    }


def relative_luminance(colour: str) -> float:
    """Of WCAG 2: of a colour written #rrggbb."""
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_stands_out_from_the_paper_in_light_and_in_dark() -> None:
    with serving(office_app(Metrics())) as ask:
        sheet = ask("/static/console.css").text
    schemes = re.findall(r":root \{([^}]*)\}", sheet)
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", scheme))
        texts, drawings = ("ink", "faint", "alarm", "link"), ("line", "look", "good", "bar", "odd")
        for paper in ("paper", "ground"):
            for name, least in (*((name, 4.5) for name in texts), *((name, 3.0) for name in drawings)):
                pair = (relative_luminance(colours[name]), relative_luminance(colours[paper]))
                assert (max(pair) + 0.05) / (min(pair) + 0.05) >= least, f"{name} on {paper}"


def test_the_page_shows_each_worker(rules_file: Path) -> None:
    board = Board(3)
    live = LiveRules(rules_file)
    for slot, revision in enumerate((live.book.revision, "00000000000a")):
        board.started(slot, 4711 + slot)
        board.alive(slot)
        board.has_rules(slot, revision)
    board.started(2, 4713)
    with serving(office_app(Metrics(), live, board)) as ask:
        page = ask("/").text
        assert json.loads(ask("/readyz").text)["workers"] == 2
    assert headline(page) == "1 of 3 workers is missing"
    rows = re.findall(r'<tr><th scope="row">(\d)</th><td>([^<]*)</td>.*<td>(\d) times</td><td>(.*?)</td></tr>', page)
    assert rows == [
        ("0", "4711", "0", f"<code>{live.book.revision}</code>"),
        ("1", "4712", "0", "<code>00000000000a</code>, not those above"),
        ("2", "4713, starting", "0", "none"),
    ]


def test_without_any_worker_nothing_is_ready(rules_file: Path) -> None:
    with serving(office_app(Metrics(), LiveRules(rules_file), Board(2))) as ask:
        ready = ask("/readyz")
        page = ask("/").text
    assert (ready.status, json.loads(ready.text)["workers"]) == (503, 0)
    assert headline(page) == "No worker is running: no page is served"


@pytest.mark.parametrize(
    "path", ["/metrics", "/healthz", "/readyz", "/", "/static/console.css", "/static/live.js", "/static/none"]
)
def test_every_answer_is_for_now_and_taken_as_what_it_says(path: str) -> None:
    with serving(office_app(Metrics())) as ask:
        answer = ask(path)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_file_that_is_none_of_the_console_is_not_there() -> None:
    with serving(office_app(Metrics())) as ask:
        assert {ask(f"/static/{name}").status for name in ("none", "..%2Foverview.py", "", "layout.html")} == {404}


def test_the_office_changes_nothing() -> None:
    with serving(office_app(Metrics())) as ask:
        ours = {"Sec-Fetch-Site": "same-origin"}
        paths = ("/metrics", "/healthz", "/readyz", "/", "/static/live.js")
        statuses = {ask(path, "POST", ours).status for path in paths}
    assert statuses == {405}


@pytest.mark.parametrize("path", ["/inside/metrics/", "/inside/metrics/any/thing"])
def test_metrics_app_answers_wherever_it_is_mounted(path: str) -> None:
    metrics = Metrics()
    with serving(Starlette(routes=[Mount("/inside/metrics", metrics_app(metrics))])) as ask:
        answer = ask(path)
        refused = ask(path, "DELETE")
    assert answer.status == 200
    assert "adproxy_errors_total" in answer.text
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


def test_metrics_app_serves_alone() -> None:
    with serving(metrics_app(Metrics())) as ask:
        assert "adproxy_rewrite_seconds" in ask("/").text
