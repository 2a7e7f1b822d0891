"""Rules: what is in force, what is wrong with the last edit, what one address gets and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_office import RULES, Office, answering, console, newspaper, text_of

from adproxy.console.excerpts import excerpt
from adproxy.rules.reference import json_schema


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    (tmp_path / "site.yaml").write_text(RULES, encoding="utf-8")
    with console(answering(newspaper), tmp_path) as running:
        yield running


def shown(office: Office, query: str = "") -> str:
    answer = office.get(f"/rules{query}")
    assert answer.status == 200
    return text_of(answer.body.decode())


def edited(office: Office, text: str) -> None:
    """An edit that the watch has seen."""
    (office.live.path / "site.yaml").write_text(text, encoding="utf-8")
    for _ in range(3):
        office.live.poll()


def test_it_says_what_is_in_force_and_since_when(office: Office) -> None:
    page = shown(office)
    assert f"Revision {office.live.book.revision} is in force Since 2" in page
    assert "the last edit was taken" in page
    assert "site.yaml rules of here, for any host" in page


def test_the_last_mistake_is_shown_in_its_lines(office: Office) -> None:
    before = office.live.book.revision
    edited(office, RULES.replace("    max: 3", "    mx: 3"))
    page = shown(office)
    assert f"The last edit was not taken Revision {before} , in force for" in page
    assert "site.yaml , line 11, column 5 Found the unknown key 'mx'" in page
    assert "Did you mean 'max'?" in page
    assert "10 first_after: 60 words 11 mx: 3 ^ 12 sizes" in page


def test_an_address_gets_its_rules_by_a_line_that_is_shown(office: Office) -> None:
    page = shown(office, "?url=/2026/story-1")
    assert "Ads on /2026/story-1 Decided by site.yaml:5: /**" in page
    assert "it is for all hosts that no other file names" in page
    assert "/about no ads /** ads, decides" in page
    assert "slots.in-article.max 3 site.yaml:11" in page
    assert "limits.ad_share.phone 30% default" in page
    none = shown(office, "?url=/about")
    assert "No ads on /about Decided by site.yaml:4: /about has no ads" in none
    screen = shown(office, "?url=/wp-admin/edit.php")
    assert "No ads on /wp-admin/edit.php Decided by adproxy's default: /wp-admin/** has no ads" in screen
    assert "/wp-admin/** no ads, decides" in screen
    assert "expected the address of a page" in shown(office, "?url=ftp:%2F%2Fx")


def test_hosts_say_why_it_is_that_file(office: Office) -> None:
    edited(office, RULES.replace("site: here", "site: here\nhosts: [a.example, '*.b.example']"))
    assert "it names the host a.example" in shown(office, "?url=http://a.example/x")
    assert "one stands for www.b.example" in shown(office, "?url=http://www.b.example/x")
    assert "no rules file is for the host 'c.example'" in shown(office, "?url=http://c.example/x")


def test_a_draft_comes_back_as_a_file(office: Office) -> None:
    answer = office.post("/rules/download", {"rules": "site.yaml", "text": "version: 1\r\nsite: mine\r\n"})
    assert answer.get("content-disposition") == 'attachment; filename="site.yaml"'
    assert answer.body == b"version: 1\nsite: mine\n"
    assert (office.live.path / "site.yaml").read_text() == RULES


def test_the_schema_is_that_of_the_command_line(office: Office) -> None:
    answer = office.get("/rules.schema.json")
    assert answer.get("content-type") == "application/json"
    assert json.loads(answer.body) == json_schema()


def test_an_excerpt_has_the_line_its_neighbours_and_a_pointer() -> None:
    lines = excerpt("\n".join("abcdefghi"), 2, 3)
    assert [line.number for line in lines] == [1, 2, 3, 4, 5]
    assert [(line.text, line.pointer) for line in lines if line.is_it] == [("b", "  ")]
    assert excerpt("a", 2) == ()
