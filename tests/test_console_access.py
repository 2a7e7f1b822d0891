"""Who may use the console, and that nobody acts in the name of somebody who may."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_office import RULES, Office, answering, console, newspaper

from adproxy.console import access as module
from adproxy.console.access import FILE_NAME, Access, access_for, after_login
from adproxy.errors import SettingsError
from adproxy.peers import Peers

TOKEN = "a-token-that-nobody-guesses"
PAGES = ("/", "/preview", "/rules", "/try", "/rules.schema.json", "/preview/page/any", "/try/progress/any")
BROWSER = ("Accept", "text/html,*/*")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text(RULES, encoding="utf-8")
    return tmp_path / "site.yaml"


@pytest.fixture
def guarded(rules: Path) -> Iterator[Office]:
    with console(answering(newspaper), rules, access=Access(TOKEN)) as office:
        yield office


@pytest.fixture
def opened(rules: Path) -> Iterator[Office]:
    with console(answering(newspaper), rules) as office:
        yield office


def cookie_in(office: Office) -> tuple[str, str]:
    answer = office.post("/login", {"token": TOKEN, "wanted": "rules?url=/a"})
    assert (answer.status, answer.get("location")) == (303, "./rules?url=/a")
    field = answer.get("set-cookie") or ""
    assert all(word in field for word in ("HttpOnly", "SameSite=Strict", "Path=/;", "Max-Age="))
    return "Cookie", field.partition(";")[0]


def test_without_the_token_nothing_is_shown_but_what_monitoring_asks_for(guarded: Office) -> None:
    assert {guarded.get(path).status for path in PAGES} == {401}
    assert {guarded.get(path, BROWSER).get("location") for path in ("/preview?url=/a", "/")} == {
        "login?preview?url=/a",
        "login",
    }
    assert [guarded.get(path).status for path in ("/metrics", "/healthz", "/readyz")] == [200, 200, 200]
    assert guarded.get("/login").status == 200
    assert guarded.get("/rules", ("Authorization", "Bearer wrong")).status == 401


def test_the_token_lets_machines_in_and_a_session_people(guarded: Office) -> None:
    assert guarded.get("/rules", ("Authorization", f"Bearer {TOKEN}")).status == 200
    session = cookie_in(guarded)
    assert guarded.get("/rules", session).status == 200
    refused = guarded.post("/login", {"token": "wrong", "wanted": ""})
    assert refused.status == 403
    assert refused.get("set-cookie") is None
    assert b"That is not the token" in refused.body


def test_a_session_can_not_be_made_up_and_ends(guarded: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    name, value = cookie_in(guarded)
    ends, _, signature = value.partition("=")[2].partition(".")
    for forged in (f"{int(ends) + 1}.{signature}", f"{ends}.", ends, "", f"{ends}.{signature}0", f"{ends}.\u00e9"):
        assert guarded.get("/rules", (name, f"{module.COOKIE}={forged}")).status == 401
    monkeypatch.setattr(module.time, "time", lambda: float(ends) + 1)
    assert guarded.get("/rules", (name, value)).status == 401


@pytest.mark.parametrize(
    "sender",
    [
        (("Sec-Fetch-Site", "cross-site"),),
        (("Sec-Fetch-Site", "same-site"),),
        (("Origin", "http://elsewhere.example"),),
        (("Origin", "null"),),
        (("X-Nothing", "said"),),
    ],
)
def test_what_another_page_posts_is_refused(
    opened: Office, guarded: Office, sender: tuple[tuple[str, str], ...]
) -> None:
    for path in ("/preview", "/preview/open", "/preview/upload", "/rules/download", "/try"):
        assert opened.post(path, {"text": RULES}, *sender).status == 403
        assert guarded.post(path, {"text": RULES}, cookie_in(guarded), *sender).status == 403
    assert guarded.post("/login", {"token": TOKEN}, *sender).status == 403


def test_an_older_browser_says_by_its_origin_that_the_page_is_ours(opened: Office) -> None:
    origin = ("Origin", opened.address.rstrip("/"))
    assert opened.post("/rules/download", {"text": RULES}, origin).status == 200


def test_on_this_machine_the_name_must_be_the_machines_own(opened: Office) -> None:
    assert {opened.get(path, ("Host", "rebound.example")).status for path in PAGES} == {421}
    assert [opened.get("/rules", ("Host", host)).status for host in ("localhost:8081", "[::1]:8081")] == [200, 200]
    assert opened.get("/metrics", ("Host", "prometheus.example")).status == 200


def test_a_trusted_front_lets_people_in(rules: Path) -> None:
    for networks, status in (("127.0.0.0/8", 200), ("10.0.0.0/8", 403)):
        front = Access(None, ("X-Forwarded-User", Peers(networks)))
        with console(answering(newspaper), rules, access=front) as office:
            assert office.get("/rules", ("X-Forwarded-User", "ines")).status == status
            assert office.get("/rules").status == 403


def test_a_login_leads_to_our_own_pages_only() -> None:
    assert after_login("preview?url=/a") == "./preview?url=/a"
    for elsewhere in (
        "//evil.example",
        "https://evil.example",
        "../x",
        "preview\r\nX: y",
        "\\\\evil",
        "previewer",
        "preview?\u4e2d",
    ):
        assert after_login(elsewhere) == "./"


def test_beyond_this_machine_a_token_is_made_and_kept(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        assert access_for(host, "", None, None, tmp_path).is_open
    assert not (tmp_path / FILE_NAME).exists()
    made = access_for("0.0.0.0", "", None, None, tmp_path)
    kept = (tmp_path / FILE_NAME).read_text().strip()
    assert not made.is_open
    assert made.is_token(kept)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert access_for("0.0.0.0", "", None, None, tmp_path).is_token(kept)


def test_a_token_that_is_set_holds_on_this_machine_too(tmp_path: Path) -> None:
    assert access_for("127.0.0.1", TOKEN, None, None, tmp_path).is_token(TOKEN)
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert access_for("127.0.0.1", "", file, None, tmp_path).is_token(TOKEN)
    with pytest.raises(SettingsError, match="found 5 characters; expected at least 20"):
        access_for("127.0.0.1", "short", None, None, tmp_path)
    with pytest.raises(SettingsError, match="can't read the console's token"):
        access_for("127.0.0.1", "", tmp_path / "none", None, tmp_path)
