"""A stage for the browser's script: pages with slots on a real server, a browser, and what it reported of each page.

Nothing comes from a network: the libraries of ad servers are stand-ins (`stand_ins/`), and every other address outside
of loopback is cut off.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

from our_server import answer, lifespan, read_body, running
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright
from starlette.types import Receive, Scope, Send

from adproxy.model import Plan, Skip
from adproxy.own_paths import OwnPaths
from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import Policy, RuleBook
from adproxy.tokens import PageMarks

CHROMIUM = "/usr/bin/chromium"
STAND_INS = Path(__file__).parent / "stand_ins"
PREFIX = "/_adproxy/"
PHONE, DESKTOP = (390, 844), (1366, 900)
PATIENCE = 15.0
"""Seconds that something may take to be reported."""
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="250"><rect width="300" height="250"/></svg>'
GOOGLE = "/tag/js/gpt.js", "/pagead/js/adsbygoogle.js"

# Violations of the page's policy, errors, what moved: whatever there was from the first moment on.
WATCH = """
window.seen = {moved: 0, violations: []};
document.addEventListener('securitypolicyviolation',
  e => seen.violations.push(`${e.effectiveDirective} ${e.blockedURI}`));
new PerformanceObserver(l => l.getEntries().forEach(e => { if (!e.hadRecentInput) seen.moved += e.value; }))
  .observe({type: 'layout-shift', buffered: true});
"""

SENTENCE = "The harbour was quiet, and the ferry waited for the fog to lift from the water before it sailed. "


def article(paragraphs: int = 12, head: str = "", foot: str = "") -> str:
    text = "".join(f"<p>{SENTENCE * 5}</p>\n" for _ in range(paragraphs))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The ferry</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{head}</head>'
        f"<body><main><article><h1>The ferry</h1>\n{text}</article></main>{foot}</body></html>"
    )


@dataclass
class Scene:
    """One page, and what was reported of it."""

    name: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    policy: Policy
    result: Rewritten | Skip
    paused: dict[str, Any] = field(default_factory=lambda: {"off": False, "paused": []})
    beacons: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """Of ours, with their queries; and what the page's own scripts noted (`/note/SCENE/WORD`)."""
    refuse: list[int] = field(default_factory=list)
    """Statuses for the next beacons, instead of counting them."""

    @property
    def path(self) -> str:
        return f"/{self.name}/story"

    def events(self, nonce: str | None = None) -> list[list[Any]]:
        """All that was reported, once each, in order."""
        seen: list[tuple[str, list[Any]]] = []
        for beacon in list(self.beacons):
            for event in beacon["e"]:
                if (beacon["n"], event) not in seen:
                    seen.append((beacon["n"], event))
        return [event for view, event in seen if nonce in (None, view)]

    def kinds(self, slot: str) -> list[str]:
        """What was reported of a slot's first placement, in order."""
        return [event[0] for event in self.events() if event[1:3] == [slot, 1]]

    @property
    def views(self) -> list[str]:
        """Their nonces, in order."""
        return list(dict.fromkeys(beacon["n"] for beacon in list(self.beacons)))


class Stage:
    """Scenes on a server."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.origin = ""
        self.scenes: dict[str, Scene] = {}
        self._own = OwnPaths(PREFIX, RuleBook, lambda: True)

    def scene(
        self,
        rules: str,
        *,
        html: str | None = None,
        csp: str = "",
        counted: bool = True,
        headers: Sequence[tuple[str, str]] = (),
        files: dict[str, str] | None = None,
    ) -> Scene:
        """A page with the slots of these rules (without `version` and `site`), under a policy. SCENE in its HTML is
        the scene's name."""
        name = f"scene-{len(self.scenes)}"
        with TemporaryDirectory() as directory:
            for file, text in (files or {}).items():
                Path(directory, file).write_text(text, "utf-8")
            Path(directory, "site.yaml").write_text(f"version: 1\nsite: {name}\n{rules}", "utf-8")
            policy = load_rules(Path(directory, "site.yaml")).rule_sets[0].pages[0].policy
        assert policy is not None
        source = (html or article()).replace("SCENE", name).encode()
        marks = partial(_marks, name)
        result = rewrite(
            source, policy, csp_headers=(csp,) if csp else (), prefix=PREFIX, marks_for=marks if counted else None
        )
        body = source if isinstance(result, Skip) else result.body
        all_headers = [("content-type", "text/html; charset=utf-8"), *headers]
        if csp:
            all_headers.append(("content-security-policy", csp))
        sent = tuple((key.encode(), value.encode()) for key, value in all_headers)
        self._own.remember(policy)
        scene = self.scenes[name] = Scene(name, body, sent, policy, result)
        return scene

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        path: str = scope["path"]
        if path.startswith(PREFIX):
            await self._ours(scope, path.removeprefix(PREFIX), receive, send)
        elif path.startswith("/frame/"):
            script = "parent.postMessage('adproxy:unfilled', '*')" if path == "/frame/empty" else ""
            body = f"<!doctype html><title>ad</title><body style='background:#9cf'>ad<script>{script}</script>"
            await answer(send, body.encode(), 200, (b"content-type", b"text/html"))
        elif path.startswith("/note/"):
            _, _, name, word = path.split("/")
            self.scenes[name].requests.append(word)
            await answer(send, b"", 204)
        elif path.startswith("/noted/"):
            await answer(send, json.dumps(self.scenes[path.split("/")[2]].requests).encode())
        elif path == "/picture.svg":
            await answer(send, PICTURE.encode(), 200, (b"content-type", b"image/svg+xml"))
        elif path.split("/")[1] in self.scenes:
            scene = self.scenes[path.split("/")[1]]
            await answer(send, scene.body, 200, *scene.headers)
        else:
            await answer(send, b"elsewhere", 200 if path == "/elsewhere" else 404, (b"content-type", b"text/html"))

    async def _ours(self, scope: Scope, name: str, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode()
        said = parse_qs(query)
        no_store = (b"cache-control", b"no-store")
        if name == "beacon":
            body = await read_body(receive)
            assert body is not None
            assert scope["method"] == "POST"
            assert len(body) <= 2048
            beacon = json.loads(body)
            scene = self.scenes[beacon["t"]]
            scene.requests.append("beacon")
            if scene.refuse:
                await answer(send, b"", scene.refuse.pop(0), no_store)
                return
            scene.beacons.append(beacon)
            await answer(send, b"", 204, no_store)
        elif name in ("click", "seen"):
            scene = self.scenes[said["t"][0]]
            scene.requests.append(f"{name}?{query}")
            fields = ((b"location", b"/elsewhere"),) if name == "click" else ((b"content-type", b"image/gif"),)
            await answer(send, b"", 302 if name == "click" else 200, no_store, *fields)
        elif name.startswith("config/"):
            scene = self.scenes[name.removeprefix("config/").removesuffix(".json")]
            await answer(send, json.dumps(scene.paused).encode(), 200, (b"content-type", b"application/json"), no_store)
        else:
            found = self._own.answer(scope["method"], PREFIX.encode() + name.encode(), (), scope["query_string"])
            await send({"type": "http.response.start", "status": found.status, "headers": list(found.headers)})
            await send({"type": "http.response.body", "body": found.body})

    @contextmanager
    def visit(self, size: tuple[int, int] = DESKTOP, *, watched: bool = True, **options: Any) -> Iterator[Visit]:
        """A reader with a screen of that size. Not `watched`: without what stands in for other hosts and watches the
        page, which keeps the browser from doing some things by itself."""
        context = self.browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        try:
            yield Visit(self, context, watched)
        finally:
            context.close()


def _marks(name: str, policy: Policy, plan: Plan) -> PageMarks:
    return PageMarks(name, PREFIX)


class Visit:
    """One reader's browser: fresh storage, everything that went wrong, and what was asked outside of the stage."""

    def __init__(self, stage: Stage, context: BrowserContext, watched: bool) -> None:
        self.stage = stage
        self.context = context
        self.context.set_default_timeout(PATIENCE * 1000)
        self.troubles: list[str] = []
        self.outside: list[str] = []
        if watched:
            context.route(lambda url: not url.startswith(stage.origin), self._stand_in)
            context.add_init_script(WATCH)
        context.on("console", lambda m: self.troubles.append(m.text) if m.type in ("error", "warning") else None)
        context.on("weberror", lambda error: self.troubles.append(str(error.error)))

    def _stand_in(self, route: Route) -> None:
        url = route.request.url
        self.outside.append(url)
        path = urlsplit(url).path
        if path in GOOGLE:
            body = (STAND_INS / path.rpartition("/")[2]).read_text()
            route.fulfill(body=body, content_type="text/javascript", headers={"access-control-allow-origin": "*"})
        else:
            route.abort()

    def open(self, scene: Scene, page: Page | None = None) -> Page:
        page = page or self.context.new_page()
        page.goto(self.stage.origin + scene.path, wait_until="load")
        return page


def until(
    true: Callable[[], object], what: str | Callable[[], object], page: Page | None = None, patience: float = PATIENCE
) -> None:
    """Wait until something holds; the browser goes on meanwhile where its `page` is given."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, what() if callable(what) else what
        if page is not None:
            page.wait_for_timeout(40)
        else:
            time.sleep(0.04)


def told(true: Callable[[], object], scene: Scene, page: Page) -> None:
    """Wait until a scene's reports say something, without waiting for a batch to fill: as if the page were left."""

    def now() -> object:
        page.evaluate("dispatchEvent(new Event('pagehide'))")
        return true()

    until(now, scene.events, page)


def scroll_to(page: Page, selector: str) -> None:
    """Bring the middle of an element into the middle of the view, at once."""
    page.eval_on_selector(selector, "e => e.scrollIntoView({block: 'center', behavior: 'instant'})")


@contextmanager
def staged() -> Iterator[Stage]:
    """A stage with its server and browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            ignore_default_args=["--disable-back-forward-cache"],
        )
        stage = Stage(browser)
        with running(stage) as server:
            stage.origin = f"http://127.0.0.1:{server.port}"
            yield stage
        browser.close()
