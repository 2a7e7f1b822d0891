"""Preview: any page of the site or a pasted one, planned by the rules beside it; nothing is written, nothing runs."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_office import OURS, RULES, Office, answering, article, console, field, newspaper, text_of
from wire import Response

from adproxy.console import preview_pages, workshop
from adproxy.console.preview import Preview
from adproxy.errors import PageError

JSON = ("Accept", "application/json")


@pytest.fixture
def asked() -> list[dict[str, str]]:
    return []


@pytest.fixture
def office(tmp_path: Path, asked: list[dict[str, str]]) -> Iterator[Office]:
    (tmp_path / "site.yaml").write_text(RULES, encoding="utf-8")
    with console(answering(newspaper, asked), tmp_path) as running:
        yield running


def opened(office: Office, url: str = "/2026/story-1") -> str:
    answer = office.get(f"/preview?url={url}")
    assert answer.status == 200
    return answer.body.decode()


def planned(office: Office, page: str, text: str, **more: str) -> dict[str, object]:
    fields = {"page": page, "rules": "site.yaml", "was": "site.yaml", "text": text, **more}
    answer = office.post("/preview", fields, OURS, JSON)
    assert answer.status == 200
    made: dict[str, object] = json.loads(answer.body)
    return made


def test_a_page_of_the_site_is_shown_with_all_that_is_to_be_said_of_it(office: Office) -> None:
    page = text_of(opened(office))
    assert "3 slots placed" in page
    assert "in-article mid-article, 3 of at most 3 in-article 1 in-article 2 in-article 3" in page
    assert re.search(r"Phone [\d.]+ % of at most 30 %", page)
    assert "too near to the article's start needs 60 words before it, found 44 words: 16 short" in page
    assert "By site.yaml:5: /**" in page


def test_what_the_site_answers_is_told_in_place_of_slots(office: Office) -> None:
    assert "Left alone" in text_of(opened(office, "/about"))
    assert "Left alone" in text_of(opened(office, "/nothing-here"))
    assert "which is another host" not in text_of(opened(office, "/2026/story-2"))
    assert "expected the address of a page" in text_of(opened(office, "ftp:%2F%2Fsite.example%2F"))
    assert "is no page, but application/xml" in text_of(opened(office, "/sitemap.xml"))


def test_a_link_in_somebody_elses_page_fetches_nothing(office: Office, asked: list[dict[str, str]]) -> None:
    answer = office.get("/preview?url=/2026/story-1", ("Sec-Fetch-Site", "cross-site"))
    assert "Open a page to see its slots" in text_of(answer.body.decode())
    assert asked == []
    assert office.get("/preview?url=/2026/story-1", ("Sec-Fetch-Site", "none")).body.count(b"<iframe") == 1


def test_edited_rules_are_planned_on_the_same_bytes_and_written_nowhere(
    office: Office, asked: list[dict[str, str]], tmp_path: Path
) -> None:
    key = field(opened(office), "page")
    fetched = len(asked)
    made = planned(office, key, RULES.replace("max: 3", "max: 1"))
    assert "1 slot placed" in text_of(str(made["result"]))
    assert (made["broken"], made["content"]) == (False, None)
    again = planned(office, key, RULES.replace("max: 3", "max: 1 # one"))
    assert made["frame"] == again["frame"], "the same page is not loaded again"
    assert len(asked) == fetched
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"site.yaml": RULES}
    assert office.live.book.rule_sets[0].pages[1].policy.slots[0].max == 3  # type: ignore[union-attr]


def test_a_mistake_is_told_with_its_line_and_the_page_stays(office: Office) -> None:
    made = planned(office, field(opened(office), "page"), RULES.replace("    max: 3", "    mx: 3"))
    assert made["broken"] is True
    assert 'data-line="11" data-column="5"' in str(made["problems"])
    assert "found the unknown key 'mx'" in text_of(str(made["problems"]))


def test_rules_can_be_switched_for_a_preset(office: Office) -> None:
    key = field(opened(office), "page")
    made = planned(office, key, RULES, rules="preset:news")
    assert str(made["content"]).startswith("# yaml-language-server")
    assert "billboard" in text_of(str(made["result"]))
    assert "In fact site.example gets the rules in site.yaml" in text_of(str(made["result"]))


def test_without_scripts_the_same_is_a_page(office: Office) -> None:
    key = field(opened(office), "page")
    edited = RULES.replace("max: 3", "max: 2")
    answer = office.post("/preview", {"page": key, "rules": "site.yaml", "was": "site.yaml", "text": edited})
    assert "2 slots placed" in text_of(answer.body.decode())
    assert edited in answer.body.decode().replace("&#34;", '"')


def test_a_page_can_be_pasted_or_handed_over_in_its_own_encoding(office: Office) -> None:
    pasted = office.post("/preview/open", {"html": article().decode(), "url": "/2026/mine"})
    assert pasted.status == 303
    shown = office.get("/" + (pasted.get("location") or "").removeprefix("../"))
    assert "3 slots placed" in text_of(shown.body.decode())
    assert b"preview/live" not in shown.body, "there is no live page"
    html = b"<meta charset=windows-1251>" + article() + "Паром".encode("cp1251")
    handed = office.post("/preview/upload?url=/2026/mine", html)
    frame = re.search(r"preview/page/\w+", office.get("/" + (handed.get("location") or "")[3:]).body.decode())
    assert frame is not None
    assert "Паром" in office.get(f"/{frame[0]}").body.decode("utf-8-sig")
    assert office.post("/preview/upload", b"x" * ((2 << 20) + 1)).status == 400
    assert b"expected the HTML of a page" in office.post("/preview/open", {"html": " "}).body


def test_the_copy_is_inert_and_belongs_into_the_console_alone(office: Office) -> None:
    frame = re.search(r'<iframe name="copy" src="(preview/page/\w+)" sandbox=""', opened(office))
    assert frame is not None
    copy = office.get(f"/{frame[1]}")
    policy = copy.get("content-security-policy") or ""
    assert policy.startswith("sandbox; default-src 'none'; ")
    assert "frame-ancestors 'self'" in policy
    assert not re.search(r"script-src|connect-src|frame-src|allow-", policy)
    assert copy.get("cache-control") == "no-store"
    assert office.get("/preview/page/made-up").status == 404


def test_pages_of_the_console_run_their_own_scripts_alone(office: Office) -> None:
    for path in ("/preview?url=/2026/story-1", "/rules", "/try", "/login"):
        answer = office.get(path)
        policy = answer.get("content-security-policy") or ""
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert re.findall(r"<script(?! src=)|<style|\son\w+=|\sstyle=", answer.body.decode()) == []


def test_what_is_too_much_is_refused(office: Office) -> None:
    big = b"text=" + b"x" * workshop.MAX_FORM_BYTES
    assert office.post("/preview", big).status == 413
    assert office.post("/preview", b"&".join(b"a=b" for _ in range(40))).status == 413


def test_planning_takes_no_turn_from_anything_else_and_has_an_end(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = field(opened(office), "page")
    began, goes_on = threading.Event(), threading.Event()

    def slow(*_: object) -> Preview:
        began.set()
        goes_on.wait(20)
        raise PageError("that was slow")

    monkeypatch.setattr(preview_pages, "preview", slow)
    monkeypatch.setattr(workshop, "PLAN_SECONDS", 0.5)
    answers: list[Response] = []
    asking = threading.Thread(target=lambda: answers.append(office.post("/preview", {"page": key}, OURS, JSON)))
    asking.start()
    assert began.wait(20)
    assert office.get("/healthz").status == 200
    assert office.get("/rules").status == 200
    asking.join(20)
    goes_on.set()
    assert answers[0].status == 503
    assert "Planning took longer" in text_of(json.loads(answers[0].body)["result"])


def test_a_page_that_had_to_go_is_to_be_opened_again(office: Office) -> None:
    made = planned(office, "gone", RULES)
    assert "open it again" in text_of(str(made["result"]))
    assert "open it again" in text_of(office.get("/preview?page=gone").body.decode())
