"""adproxy doctor, looking at real deployments: a sound one, and one with each thing that goes wrong in the wild."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from raw_origin import origin
from serve_process import SHUTDOWN, Serve, serve
from small_site import PAGE, RULES
from starlette.types import Receive, Scope, Send
from wire import DEADLINE, free_port, serving

from adproxy.doctor import Finding, Patient, examine
from adproxy.probe import NoAnswer, ask
from adproxy.proxy_settings import ProxySettings
from adproxy.rules.compile import load_rules

Head = list[tuple[bytes, bytes]]
KEY = "0123456789abcdef" * 2


class Site:
    """The origin: one page, with what a test wants in its head."""

    def __init__(self) -> None:
        self.status = 200
        self.more: Head = []
        self.body = PAGE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        asked = dict(scope["headers"])
        tag = (b"etag", b'"v1"')
        if asked.get(b"if-none-match") == b'"v1"':
            await send({"type": "http.response.start", "status": 304, "headers": [tag]})
            await send({"type": "http.response.body", "body": b""})
            return
        names = {name for name, _ in self.more}
        head = [] if b"content-type" in names else [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": self.status, "headers": [*head, tag, *self.more]})
        await send({"type": "http.response.body", "body": self.body})


Answer = tuple[int, Head, bytes]


class Front:
    """A server in front of adproxy, which does one thing wrong if a test wants it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.wrong: Callable[[str, str, Answer], Answer] = lambda method, path, answer: answer
        self.goes_to: Callable[[str], int] = lambda path: port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = (await receive()).get("body", b"")
        path = scope["raw_path"].decode() + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        answer = await asyncio.to_thread(self._ask, scope["method"], path, scope["headers"], body)
        status, head, content = self.wrong(scope["method"], scope["path"], answer)
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": content})

    def _ask(self, method: str, path: str, headers: Head, body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.goes_to(path), timeout=DEADLINE)
        with contextlib.closing(connection):
            sent = {name.decode(): value.decode("latin-1") for name, value in headers if name != b"connection"}
            connection.request(method, path, body or None, sent)
            answer = connection.getresponse()
            kept = [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in answer.getheaders()
                if name.lower() not in ("transfer-encoding", "connection", "content-length")
            ]
            return answer.status, kept, answer.read()


class Deployment:
    def __init__(self, site: Site, front: Front, adproxy: Serve, upstream: str, page: str, rules: Path) -> None:
        self.site, self.front, self.adproxy = site, front, adproxy
        self.upstream, self.page, self.rules = upstream, page, rules

    def examined(self, **settings: str) -> dict[str, Finding]:
        """What the doctor says of it, by check."""
        patient = Patient(
            ProxySettings(upstream=self.upstream, **settings),
            self.page,
            f"http://127.0.0.1:{self.adproxy.office}",
            load_rules(self.rules),
        )
        return {finding.check: finding for finding in examine(patient)}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("doctor")
    site = Site()
    with serving(site, lifespan="off", ws="none", date_header=False) as server:
        upstream = f"http://127.0.0.1:{server.port}"
        with serve(upstream, folder, "--workers", "1", signing_keys=KEY, seconds=300) as adproxy:
            front = Front(adproxy.site)
            with serving(front, lifespan="off", ws="none", date_header=False) as public:
                page = f"http://127.0.0.1:{public.port}/story"
                yield Deployment(site, front, adproxy, upstream, page, folder / "rules.yaml")


@pytest.fixture
def sound(running: Deployment) -> Deployment:
    """A deployment with nothing wrong, which a test may spoil."""
    running.site.__init__()  # type: ignore[misc]
    running.front.__init__(running.adproxy.site)  # type: ignore[misc]
    return running


def test_a_sound_deployment(sound: Deployment) -> None:
    found = sound.examined(signing_keys=KEY)
    assert {check: finding.verdict for check, finding in found.items()} == {
        "origin": "good",
        "compression": "good",
        "page": "good",
        "prefix": "good",
        "readers": "good",
        "validators": "good",
        "script": "good",
        "beacon": "good",
        "keys": "good",
        "pauses": "good",
        "office": "unknown",
        "rules": "good",
    }
    assert found["page"].found == "gets 1 slot by the rules"
    assert found["readers"].found.endswith("/story has 1 slot")
    assert found["keys"].found == "the page's token is of the key given here, and valid today"
    assert sound.examined()["keys"].found == "6 requests for one page got the same token"


# --- the origin ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "more", "check", "verdict", "found", "advice"),
    [
        (500, [], "origin", "bad", "answers 500", "log"),
        (404, [], "origin", "look", "answers 404", "--url"),
        (301, [(b"location", b"/there")], "origin", "look", "leads to /there", "--url"),
        (200, [(b"cache-control", b"no-transform")], "page", "bad", "no_transform", "take no-transform"),
        (200, [(b"content-type", b"text/plain")], "page", "bad", "not_html", "Content-Type: text/html"),
        (200, [(b"content-type", b"text/html; charset=iso-2022-jp")], "page", "bad", "charset", "charset"),
        (200, [(b"content-security-policy", b"style-src 'none'")], "page", "bad", "csp", "policy"),
        (200, [(b"content-encoding", b"gzip")], "compression", "bad", "gzip: can't be undone", "compress once"),
        (200, [(b"date", b"Thu, 01 Jan 2026 00:00:00 GMT")], "origin's clock", "bad", "s behind", "NTP"),
    ],
)
def test_what_an_origin_does_wrong(
    sound: Deployment, status: int, more: Head, check: str, verdict: str, found: str, advice: str
) -> None:
    sound.site.status, sound.site.more = status, more
    finding = sound.examined()[check]
    assert (finding.verdict, found in finding.found, advice in finding.advice) == (verdict, True, True), finding


def test_an_origin_that_sends_readers_in_a_circle(sound: Deployment) -> None:
    sound.site.status, sound.site.more = 301, [(b"location", sound.page.encode())]
    finding = sound.examined()["origin"]
    assert (finding.verdict, "X-Forwarded-Proto" in finding.advice) == ("bad", True)


def test_an_upstream_that_is_an_adproxy_itself(sound: Deployment) -> None:
    sound.upstream, before = f"http://127.0.0.1:{sound.adproxy.site}", sound.upstream
    try:
        finding = sound.examined()["origin"]
    finally:
        sound.upstream = before
    assert (finding.verdict, "through an adproxy already" in finding.found) == ("bad", True)


def test_an_origin_that_is_not_there() -> None:
    upstream = f"http://127.0.0.1:{free_port()}"
    found = {finding.check: finding for finding in examine(Patient(ProxySettings(upstream=upstream)))}
    assert found["origin"].verdict == "bad"
    assert "Connection refused" in found["origin"].found
    assert found["readers"].verdict == "unknown"


def test_a_certificate_that_nobody_knows(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True, timeout=60)
    with serving(Site(), lifespan="off", ssl_keyfile=str(key), ssl_certfile=str(certificate)) as server:
        url = f"https://127.0.0.1:{server.port}"
        with pytest.raises(NoAnswer, match="certificate is not trusted"):
            ask(url)
        assert isinstance(ssl.create_default_context(cafile=certificate), ssl.SSLContext)
        found = [next(examine(Patient(ProxySettings(upstream=url, upstream_ca=ca)))) for ca in (None, certificate)]
    assert [(each.verdict, "ADPROXY_UPSTREAM_CA" in each.advice) for each in found] == [("bad", True), ("good", False)]


def test_a_page_that_the_rules_leave_alone(sound: Deployment) -> None:
    sound.site.body = PAGE.replace(b"<h1>Headline</h1>", b"")
    assert sound.examined()["page"].found == "the rules find no place for a slot"
    sound.page, before = sound.page.replace("/story", "/off/story"), sound.page
    try:
        found = sound.examined()
    finally:
        sound.page = before
    assert (found["page"].verdict, "no ads" in found["page"].found) == ("look", True)


# --- the servers in front -------------------------------------------------------------------------


def refuses_posts(method: str, path: str, answer: Answer) -> Answer:
    return (403, [], b"") if method == "POST" else answer


def caches_all(method: str, path: str, answer: Answer) -> Answer:
    return answer[0], [*answer[1], (b"age", b"7")], answer[2]


def makes_its_own_tags(method: str, path: str, answer: Answer) -> Answer:
    return answer[0], [line for line in answer[1] if line[0] != b"etag"] + [(b"etag", b'"front"')], answer[2]


def takes_tags_off(method: str, path: str, answer: Answer) -> Answer:
    return answer[0], [line for line in answer[1] if line[0] != b"etag"], answer[2]


def never_confirms(method: str, path: str, answer: Answer) -> Answer:
    return (200, answer[1], PAGE) if answer[0] == 304 else answer


def changes_scripts(method: str, path: str, answer: Answer) -> Answer:
    return answer[0], answer[1], answer[2] + b"// front" if path.endswith(".js") else answer[2]


def hides_scripts(method: str, path: str, answer: Answer) -> Answer:
    return (404, [], b"") if path.endswith(".js") else answer


def keeps_the_prefix(method: str, path: str, answer: Answer) -> Answer:
    return (404, answer[1], b"no such page") if path.startswith("/_adproxy/") else answer


def answers_gets_itself(method: str, path: str, answer: Answer) -> Answer:
    return (200, [], b"") if (method, path) == ("GET", "/_adproxy/beacon") else answer


def goes_around(method: str, path: str, answer: Answer) -> Answer:
    return (200, answer[1], PAGE) if path == "/story" else answer


def has_a_slow_clock(method: str, path: str, answer: Answer) -> Answer:
    kept = [line for line in answer[1] if line[0] != b"date"]
    return answer[0], [*kept, (b"date", b"Thu, 01 Jan 2026 00:00:00 GMT")], answer[2]


def loses_the_configuration(method: str, path: str, answer: Answer) -> Answer:
    return (404, [], b"") if "/config/" in path else answer


@pytest.mark.parametrize(
    ("wrong", "check", "verdict"),
    [
        (refuses_posts, "beacon", "bad"),
        (answers_gets_itself, "beacon", "bad"),
        (caches_all, "prefix", "bad"),
        (caches_all, "beacon", "bad"),
        (caches_all, "caches", "good"),
        (makes_its_own_tags, "validators", "bad"),
        (takes_tags_off, "validators", "look"),
        (never_confirms, "validators", "look"),
        (changes_scripts, "script", "look"),
        (hides_scripts, "script", "bad"),
        (keeps_the_prefix, "prefix", "bad"),
        (goes_around, "readers", "bad"),
        (has_a_slow_clock, "public clock", "bad"),
        (loses_the_configuration, "pauses", "bad"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_a_server_in_front_does_wrong(
    sound: Deployment, wrong: Callable[[str, str, Answer], Answer], check: str, verdict: str
) -> None:
    sound.front.wrong = wrong
    finding = sound.examined()[check]
    assert finding.verdict == verdict, finding
    assert finding.advice or verdict == "good"


def test_metrics_that_everybody_can_read(sound: Deployment) -> None:
    sound.front.goes_to = lambda path: sound.adproxy.office if path == "/metrics" else sound.adproxy.site
    finding = sound.examined()["office"]
    assert (finding.verdict, "to everybody" in finding.found) == ("bad", True)


def test_machines_with_different_keys(sound: Deployment, tmp_path: Path) -> None:
    turn = iter(range(1000))
    with serve(sound.upstream, tmp_path, "--workers", "1", signing_keys=KEY[::-1]) as other:
        sound.front.goes_to = lambda path: (sound.adproxy, other)[next(turn) % 2].site
        finding = sound.examined()["keys"]
        assert (finding.verdict, "2 different tokens" in finding.found) == ("bad", True)
        other.stop()
    sound.front.goes_to = lambda path: sound.adproxy.site
    finding = sound.examined(signing_keys=KEY[::-1])["keys"]
    assert (finding.verdict, "another key" in finding.found) == ("bad", True)


def test_rules_that_were_not_taken_and_slots_that_are_paused(sound: Deployment) -> None:
    def edit(text: str, wanted: Callable[[dict[str, Finding]], bool]) -> None:
        sound.rules.write_text(text, encoding="utf-8")
        end = threading.Event()
        for _ in range(100):
            patient = Patient(
                ProxySettings(upstream=sound.upstream), sound.page, f"http://127.0.0.1:{sound.adproxy.office}"
            )
            found = {finding.check: finding for finding in examine(patient)}
            if wanted(found):
                return
            end.wait(0.2)
        pytest.fail(f"it is not found: {found}")

    try:
        edit(
            RULES.replace("above-headline", "above-the-fold"),
            lambda found: found["rules"].verdict == "bad" and "above-the-fold" in found["rules"].found,
        )
        edit(
            RULES.replace("pages:", "pause: [top]\npages:"),
            lambda found: "pauses" in found and found["pauses"].found == "paused: top",
        )
    finally:
        edit(RULES, lambda found: found["rules"].verdict == "good" and "pauses" in found)


# --- the command -------------------------------------------------------------------------------------


def doctor(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "adproxy", "doctor", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SHUTDOWN, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_the_command_says_it_in_words_and_for_machines(sound: Deployment) -> None:
    arguments = ["--upstream", sound.upstream, "--url", sound.page, "--rules", str(sound.rules)]
    arguments += ["--office", f"http://127.0.0.1:{sound.adproxy.office}"]
    code, said = doctor(*arguments)
    assert code == 0
    assert "good    beacon          reports of browsers arrive\n" in said
    sound.front.wrong = refuses_posts
    code, said = doctor(*arguments, "--json")
    assert code == 1
    (beacon,) = [finding for finding in json.loads(said) if finding["check"] == "beacon"]
    assert beacon["verdict"] == "bad"
    assert beacon["advice"].startswith("the server in front has to let POST pass")


# --- the exchange ---------------------------------------------------------------------------------------


def test_an_exchange_sees_what_was_sent_and_nothing_more() -> None:
    with origin() as site:
        reply = ask(f"{site.url}/a?b=c", ("Host", "other.example"), ("X-A", "1"))
        assert (reply.status, reply.url) == (200, f"{site.url}/a?b=c")
        lines = site.head()
    assert lines[0] == b"GET /a?b=c HTTP/1.1"
    assert [line for line in lines if line.lower().startswith(b"host:")] == [b"Host: other.example"]
    assert not [line for line in lines if line.lower().startswith(b"accept-encoding")]


def test_a_server_that_says_nothing_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adproxy.probe.SILENCE_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NoAnswer, match="silent for"):
        ask(f"http://127.0.0.1:{silent.getsockname()[1]}/")


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(NoAnswer, match="its name is not known"):
        ask("http://nowhere.invalid/")
