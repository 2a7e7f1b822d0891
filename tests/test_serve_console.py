"""The console of `adproxy serve`: its pages come through the upstream alone; it is not behind the public door."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from console_office import text_of
from serve_process import Serve, serve, upstream
from small_site import PAGE, RULES

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with upstream() as url:
        yield url


def shown(them: Serve, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    """What a console's page says."""
    connection = http.client.HTTPConnection("127.0.0.1", them.office, timeout=20)
    with closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}


def test_a_page_is_previewed_and_its_live_page_explained(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, workers="1") as them:
        status, page, _ = shown(them, "/preview?url=/story")
        assert status == 200
        assert "1 slot placed" in text_of(page)
        found = re.search(r"preview/live\?page=[\w-]+", page)
        assert found is not None
        _, _, headers = shown(them, f"/{found[0]}")
        counted = them.rewritten
        prefix = f"http://127.0.0.1:{them.site}"
        assert headers["location"].startswith(f"{prefix}/story?_adproxy=explain.")
        _, live = them.ask(headers["location"].removeprefix(prefix))
        assert b'data-adproxy="explain-slot"' in live
        assert them.rewritten == counted == 0
        # edited: neither by a draft nor by a look at a page
        assert (tmp_path / "rules.yaml").read_text() == RULES
        # at the public door each of the console's addresses is the site's own
        for path in ("/preview", "/rules", "/try", "/login", "/static/preview.js", "/rules.schema.json"):
            _, body = them.ask(path)
            assert b"adproxy_console" not in body
            assert b"<title>" in body
            assert PAGE[:40] in body


def test_a_token_is_asked_for_where_one_is_set_and_metrics_go_on(url: str, tmp_path: Path) -> None:
    with serve(url, tmp_path, workers="1", office_token=TOKEN) as them:
        assert TOKEN not in them.said
        assert shown(them, "/")[0] == 401
        assert shown(them, "/", Authorization=f"Bearer {TOKEN}")[0] == 200
        assert [shown(them, path)[0] for path in ("/metrics", "/healthz", "/readyz")] == [200, 200, 200]


def test_a_site_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with serve("http://127.0.0.1:9", tmp_path, workers="1") as them:
        page = text_of(shown(them, "/preview?url=/story")[1])
        assert "Left alone" in page
        assert "502" in page
