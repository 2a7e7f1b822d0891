"""REDbot: what it finds bad about adproxy's answers and not about the origin's."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from chain import Adproxy, Origin
from starlette.types import ASGIApp
from wire import serving

from adproxy.demo.run import RULES
from adproxy.demo.site import create_site

OF_THE_DEMO = 15
OF_ANOTHER = ("/", "/brief/a", "/broken", "/2024/story", "/style.css")
SECONDS = 90
"""For one address: it asks several times."""


def bad_notes(tools: Path, url: str) -> set[str]:
    """The ids of its notes of level BAD on one address."""
    command = [tools / "redbot" / "bin" / "redbot", "-o", "har", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    found, _ = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{") :])
    notes = [note for entry in found["log"]["entries"] for note in entry["_red_messages"]]
    assert notes, f"nothing was said of {url}: {done.stdout[:200]}"
    return {note["note_id"] for note in notes if note["level"] == "BAD"}


@contextmanager
def _both(app: ASGIApp, rules: Path) -> Iterator[tuple[str, str]]:
    with TemporaryDirectory() as folder, serving(app, lifespan="off") as site:
        origin = f"http://127.0.0.1:{site.port}"
        adproxy = Adproxy(Path(folder), origin, "--rules", str(rules))
        try:
            adproxy.start()
            yield origin, f"http://127.0.0.1:{adproxy.port}"
        finally:
            adproxy.end()


def _paths(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/sitemap.xml", timeout=20) as answer:
        found = re.findall(r"<loc>https?://[^/]+([^<]*)</loc>", answer.read().decode())
    return [*found[: OF_THE_DEMO - 2], "/feed.xml", "/no-such-page"]


def judge(tools: Path) -> tuple[str, list[str]]:
    """What was found in a line, and the bad notes that the origin has not."""
    breaches: list[str] = []
    asked = of_origins = 0
    for app, rules, paths in ((create_site(), RULES, None), (Origin(), Path("rules/news.yaml"), OF_ANOTHER)):
        with _both(app, rules) as (origin, adproxy), ThreadPoolExecutor(2) as two:
            for path in paths or _paths(origin):
                before, after = two.map(bad_notes, (tools, tools), (origin + path, adproxy + path))
                asked, of_origins = asked + 1, of_origins + len(before)
                breaches += [f"{path}: {note}" for note in sorted(after - before)]
    return f"{asked} addresses, {of_origins} bad notes on origins, {len(breaches)} on adproxy alone", breaches
