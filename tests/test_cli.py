"""The command line: what it prints where, what it writes, and with which code it ends."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, NamedTuple

import pytest

from adproxy import account, cli, page_source
from adproxy.demo import run as demo
from adproxy.rewrite import Rewritten
from adproxy.rewrite import rewrite as rewrite_page
from adproxy.rules.compile import load_rules
from adproxy.rules.match import choose

RULES = """\
version: 1
site: asia-news
hosts: [asia-news.example]
pages:
  - {path: "/about/**", ads: false}
  - {path: "/**"}
slots:
  top:
    place: above-headline
    sizes: {phone: [320x50], desktop: [728x90]}
  in-article:
    place: mid-article
    first_after: 100 words
    max: 2
    sizes: {phone: [300x250]}
  rail:
    place: {sidebar: first}
    sizes: {phone: [300x250]}
"""
SENTENCE = "The council met again on Tuesday to speak about the harbour and the long road that leads to it. "
PAGE = (
    "<!DOCTYPE html>\n<html lang=en>\n<head><meta charset=utf-8><title>Harbour</title></head>\n<body>\n"
    "<main><article>\n<h1>The harbour caf\u00e9</h1>\n"
    + "".join(f"<p>Paragraph {n}. {SENTENCE * 4}\n" for n in range(1, 21))
    + "</article></main>\n</body>\n</html>\n"
).encode()
COMMANDS = {
    "events",
    "serve",
    "demo",
    "rewrite",
    "explain",
    "measure",
    "check",
    "show",
    "diff",
    "schema",
    "init",
    "doctor",
}


class Ended(NamedTuple):
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


Run = Callable[..., Ended]


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run a command line in this process."""

    def run(*arguments: str | Path) -> Ended:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        captured = capsysbinary.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        result = Ended(code, captured.out, captured.err.decode())
        assert "Traceback" not in result.err
        return result

    return run


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules" / "site.yaml"
    file.parent.mkdir()
    file.write_text(RULES)
    return file


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "story.html"
    file.write_bytes(PAGE)
    return file


def expected_body(rules: Path, html: bytes, path: str) -> bytes:
    policy = choose(load_rules(rules), "asia-news.example", path).policy
    assert policy is not None
    result = rewrite_page(html, policy, path=path)
    assert isinstance(result, Rewritten)
    assert len(result.insertions) > 0
    return result.body


# --- help and misuse ----------------------------------------------------------------------


def test_help_lists_the_commands_that_exist_and_no_others(run: Run) -> None:
    ended = run("--help")
    listed = re.findall(r"^  ([a-z]+)  ", ended.text.partition("Commands:")[2], re.MULTILINE)
    assert (ended.code, set(listed)) == (0, COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_each_command_explains_itself_with_an_example(run: Run, command: str) -> None:
    ended = run(command, "--help")
    assert ended.code == 0
    assert re.search(rf"Examples?:\n +adproxy {command}", ended.text)
    assert "\x1b" not in ended.text


def test_the_version_is_told(run: Run) -> None:
    assert re.fullmatch(r"adproxy \d+\.\d+\.\d+ \(pages are scanned by .*\)\n", run("--version").text)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "--no-such-option", "rules"),
        ("no-such-command",),
        ("show", "ftp://asia-news.example/", "--rules", "rules"),
        ("show", "not an address", "--rules", "rules"),
        ("rewrite", "page.html"),
        ("init",),
        ("init", "--from", "news.example"),
        ("diff", "old", "new"),
        ("diff", "old", "new", "page.html", "--json", "--markdown"),
    ],
)
def test_misuse_ends_with_2_and_says_so_on_stderr(run: Run, arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, b"")
    assert "Error" in ended.err


def test_it_runs_as_a_process_of_its_own(rules: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "adproxy.cli", "check", str(rules)], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{rules}: 1 file fine\n".encode(), b"")


# --- check, show, schema ------------------------------------------------------------------


def test_check_says_what_caches_keep_several_pages_of(run: Run, rules: Path) -> None:
    with rules.open("a", encoding="utf-8") as file:
        file.write("visitors: {ad_free: {header: X-Subscriber}}\n")
    said = run("check", str(rules)).text
    assert f"{rules}:" in said
    assert "warning: found pages that differ by the request's header 'x-subscriber': /**" in said


def test_check_counts_the_files_that_are_fine(run: Run, rules: Path) -> None:
    (rules.parent / "other.yaml").write_text(RULES.replace("asia-news", "other-news"))
    (rules.parent.parent / "group.yaml").write_text("version: 1\nlimits: {in_article: 2}\n")
    (rules.parent.parent / "lone.yaml").write_text(RULES + "use: [./group.yaml]\n")
    lone = rules.parent.parent / "lone.yaml"
    ended = run("check", rules.parent, lone)
    assert (ended.code, ended.err) == (0, "")
    assert ended.text == f"{rules.parent}: 2 files fine\n{lone}: 1 file fine, 1 more by 'use'\n"


def test_check_names_file_line_and_column_of_each_problem(run: Run, rules: Path) -> None:
    rules.write_text(RULES.replace("    max: 2", "    maxx: 2"))
    ended = run("check", rules)
    assert (ended.code, ended.err) == (1, "")
    first = ended.text.splitlines()[0]
    line = RULES.splitlines().index("    max: 2") + 1
    assert re.match(rf"{re.escape(str(rules))}:{line}:5: found .*maxx.*; expected .+", first)


def test_check_warns_of_what_cannot_be_meant_and_is_strict_where_that_is_wanted(run: Run, rules: Path) -> None:
    rules.write_text(RULES.replace("phone: [320x50]", "phone: [468x60]"))
    ended = run("check", rules)
    assert (ended.code, ended.err) == (0, "")
    line = next(n for n, text in enumerate(RULES.splitlines(), 1) if "320x50" in text)
    assert re.match(
        rf"{re.escape(str(rules))}:{line}:\d+: warning: found the size 468x60 .*\n.*1 file fine\n$", ended.text
    )
    strict = run("check", "--strict", rules)
    assert strict.code == 1
    assert "fine" not in strict.text


@pytest.mark.parametrize("command", ["check", "rewrite", "explain", "show"])
def test_rules_that_are_not_there_are_named(run: Run, page: Path, command: str, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.yaml"
    subject = {"check": (), "rewrite": (page,), "explain": (page,), "show": ("http://asia-news.example/",)}[command]
    ended = run(command, missing) if command == "check" else run(command, *subject, "--rules", missing)
    assert ended.code == 1
    assert str(missing) in ended.text + ended.err


@pytest.mark.parametrize("command", ["rewrite", "explain", "show"])
def test_bad_rules_end_with_1_and_their_place(run: Run, rules: Path, page: Path, command: str) -> None:
    rules.write_text("version: 1\nsite: [oops\n")
    subject = "http://asia-news.example/" if command == "show" else page
    ended = run(command, subject, "--rules", rules)
    assert (ended.code, ended.out) == (1, b"")
    assert re.match(rf"{re.escape(str(rules))}:\d+:\d+: found .*; expected .+", ended.err)


def test_show_prints_each_value_with_where_it_comes_from(run: Run, rules: Path) -> None:
    ended = run("show", "https://asia-news.example/2024/05/harbour", "--rules", rules)
    assert ended.code == 0
    line = RULES.splitlines().index("    max: 2") + 1
    assert re.search(rf"^\S*in-article\S*max +2 +\S*site\.yaml:{line}\b", ended.text, re.MULTILINE)


def test_show_says_why_a_page_has_no_ads(run: Run, rules: Path) -> None:
    ended = run("show", "https://asia-news.example/about/us", "--rules", rules)
    assert ended.code == 0
    assert "site.yaml:5" in ended.text


def test_schema_prints_a_json_schema(run: Run) -> None:
    schema = json.loads(run("schema").text)
    assert schema["type"] == "object"
    assert "slots" in schema["properties"]


# --- diff ---------------------------------------------------------------------------------


@pytest.fixture
def edited(rules: Path, tmp_path: Path) -> Path:
    file = tmp_path / "edited" / "site.yaml"
    file.parent.mkdir()
    file.write_text(RULES.replace("max: 2", "max: 1"))
    return file


def test_diff_tells_of_files_directories_and_addresses_what_a_change_does(
    run: Run, rules: Path, edited: Path, page: Path, site: str
) -> None:
    edited.write_text(edited.read_text().replace("hosts: [asia-news.example]\n", ""))
    saved = page.parent / "saved"
    saved.mkdir()
    (saved / "one.html").write_bytes(PAGE)
    ended = run("diff", rules, edited, page, saved, f"{site}/story")
    assert (ended.code, ended.err) == (0, "")
    named = [line for line in ended.text.splitlines() if line in (str(page), str(saved / "one.html"), f"{site}/story")]
    assert len(named) == 3
    assert "3 pages: 3 changed, 0 the same" in ended.text
    assert re.search(r"^in-article +6 +3 ", ended.text, re.MULTILINE)
    assert "\x1b" not in ended.text


def test_diff_for_machines_and_for_pull_requests(run: Run, rules: Path, edited: Path, page: Path) -> None:
    told = json.loads(run("diff", rules.parent, edited.parent, page, "--json").text)
    assert told["pages"][0]["url"] == "http://asia-news.example/story.html"
    assert [slot["slot"] for slot in told["slots"]] == ["top", "in-article", "rail"]
    comment = run("diff", rules, edited, page, "--markdown").text
    assert comment.startswith("**These rules change 1 of 1 page.**\n")


def test_diff_ends_with_1_where_a_page_breaks_a_limit_or_cannot_be_read(
    run: Run, rules: Path, edited: Path, page: Path, tmp_path: Path
) -> None:
    assert run("diff", rules, edited, page).code == 0
    assert run("diff", rules, edited, page, tmp_path / "gone.html").code == 1
    edited.write_text(RULES + "limits: {ad_share: 1%}\n")
    assert run("diff", rules, edited, page).code == 0
    page.write_bytes(PAGE.replace(b"<p>Paragraph 2.", b'<div class="ad-slot">Advertisement</div>' * 9 + b"<p>2."))
    ended = run("diff", rules, edited, page)
    assert ended.code == 1
    assert "over the limit: limits.ad_share of 1% on phone" in ended.text


# --- init ---------------------------------------------------------------------------------


def test_init_writes_rules_that_can_be_used_and_never_over_a_file_unasked(
    run: Run, site: str, page: Path, tmp_path: Path
) -> None:
    made = tmp_path / "made" / "site.yaml"
    ended = run("init", "--from", f"{site}/story", "--out", made)
    assert (ended.code, ended.out) == (0, b"")
    assert ended.err == f"{made}: rules for 127.0.0.1, from 1 page\n"
    assert run("check", "--strict", made).code == 0
    slots = json.loads(run("explain", "--rules", made, f"{site}/story", "--json").text)["slots"]
    assert any(slot["placements"] for slot in slots)
    made.write_text("mine")
    assert run("init", "--from", f"{site}/story", "--out", made).code == 2
    assert made.read_text() == "mine"
    assert run("init", "--from", f"{site}/story", "--out", made, "--force").code == 0
    assert run("init", "--from", f"{site}/story").text == made.read_text()


def test_init_from_an_address_without_a_page_ends_with_1(run: Run, site: str) -> None:
    for path in ("/none", "/picture"):
        ended = run("init", "--from", site + path)
        assert (ended.code, ended.out) == (1, b"")
        assert ended.err.startswith(f"{site}{path}: ")


# --- rewrite ------------------------------------------------------------------------------


def test_rewrite_of_a_page_prints_exactly_its_bytes_and_tells_on_stderr(run: Run, rules: Path, page: Path) -> None:
    ended = run("rewrite", "--rules", rules, page)
    assert ended.code == 0
    assert ended.out == expected_body(rules, PAGE, "/story.html")
    assert re.search(r"story\.html: rewritten with [1-9]\d* slots\n$", ended.err)


def test_a_page_that_is_left_alone_comes_out_unchanged(run: Run, rules: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.html"
    odd.write_bytes("<p>caf\u00e9\r\n\x00".encode("utf-16"))
    ended = run("rewrite", "--rules", rules, odd)
    assert (ended.code, ended.out) == (0, odd.read_bytes())
    assert "left alone: charset" in ended.err


def test_the_address_decides_which_rules_a_page_gets(run: Run, rules: Path, page: Path) -> None:
    about = run("rewrite", "--rules", rules, page, "--url", "https://asia-news.example/about/us")
    assert about.out == PAGE
    assert "left alone: path" in about.err
    story = run("rewrite", "--rules", rules, page, "--url", "https://asia-news.example/2024/story")
    assert b"data-adproxy-slot" in story.out
    elsewhere = run("rewrite", "--rules", rules, page, "--url", "https://elsewhere.example/2024/story")
    assert elsewhere.out == PAGE


def test_a_directory_is_rewritten_under_the_same_names(run: Run, rules: Path, tmp_path: Path) -> None:
    saved, out = tmp_path / "saved", tmp_path / "out"
    (saved / "about").mkdir(parents=True)
    (saved / "2024" / "may").mkdir(parents=True)
    (saved / "about" / "us.html").write_bytes(PAGE)
    (saved / "2024" / "may" / "caf\u00e9 two.HTM").write_bytes(PAGE)
    (saved / "2024" / "picture.png").write_bytes(b"\x89PNG")
    ended = run("rewrite", "--rules", rules, saved, "--out", out)
    assert (ended.code, ended.out) == (0, b"")
    written = {file.relative_to(out).as_posix(): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert set(written) == {"about/us.html", "2024/may/caf\u00e9 two.HTM"}
    assert written["about/us.html"] == PAGE
    assert written["2024/may/caf\u00e9 two.HTM"] == expected_body(rules, PAGE, "/2024/may/caf\u00e9 two.HTM")
    assert "2 pages: 1 rewritten\n" in ended.err
    assert "left alone: 1 (path 1)\n" in ended.err
    assert re.search(r"slots placed: [1-9]\d* \(.*top 1.*\)\n", ended.err)


def test_a_file_name_that_is_no_utf_8_is_a_name_like_any_other(run: Run, rules: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    name = os.fsdecode(b"caf\xe9.html")
    (saved / name).write_bytes(PAGE)
    assert run("rewrite", "--rules", rules, saved, "--out", tmp_path / "out").code == 0
    assert (tmp_path / "out" / name).read_bytes() == expected_body(rules, PAGE, "/caf")


def test_what_was_written_inside_of_the_directory_is_not_read_again(run: Run, rules: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "a.html").write_bytes(PAGE)
    for _ in range(2):
        assert "1 page: 1 rewritten" in run("rewrite", "--rules", rules, saved, "--out", saved / "out").err
    assert sorted(file.name for file in saved.rglob("*.html")) == ["a.html", "a.html"]


def test_a_directory_needs_another_one_to_go_to(run: Run, rules: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "a.html").write_bytes(PAGE)
    assert run("rewrite", "--rules", rules, saved).code == 2
    assert run("rewrite", "--rules", rules, saved, "--out", saved).code == 2
    assert (saved / "a.html").read_bytes() == PAGE


def test_a_page_goes_to_the_directory_that_is_named(run: Run, rules: Path, page: Path, tmp_path: Path) -> None:
    ended = run("rewrite", "--rules", rules, page, "--out", tmp_path / "out")
    assert (ended.code, ended.out) == (0, b"")
    assert (tmp_path / "out" / "story.html").read_bytes() == expected_body(rules, PAGE, "/story.html")


def test_a_page_or_a_directory_without_pages_is_an_error_that_says_what_is_expected(
    run: Run, rules: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "nothing.html", tmp_path / "empty"):
        ended = run("rewrite", "--rules", rules, source, "--out", tmp_path / "out")
        assert ended.code == 1
        assert re.match(rf"{re.escape(str(source))}: found .+; expected .+", ended.err)


def test_a_page_that_meets_a_bug_is_written_unchanged_and_named(
    run: Run, rules: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Rewritten:
        raise ZeroDivisionError("in the planner")

    monkeypatch.setattr(account, "rewrite", broken)
    ended = run("rewrite", "--rules", rules, page)
    assert (ended.code, ended.out) == (0, PAGE)
    said = f"{page}: left alone: error (ZeroDivisionError: in the planner)\n"
    assert ended.err == said
    directory = run("rewrite", "--rules", rules, page.parent, "--out", page.parent / "out")
    assert directory.code == 0
    assert said in directory.err
    assert (page.parent / "out" / page.name).read_bytes() == PAGE


def test_a_page_over_the_limit_of_the_settings_is_left_alone_as_the_middleware_would(
    run: Run, rules: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADPROXY_MAX_PAGE_BYTES", "1000")
    ended = run("rewrite", "--rules", rules, page)
    assert (ended.code, ended.out) == (0, PAGE)
    assert "left alone: too_large" in ended.err


def test_a_setting_that_is_wrong_ends_with_1(
    run: Run, rules: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADPROXY_MAX_PAGE_BYTES", "many")
    ended = run("rewrite", "--rules", rules, page)
    assert (ended.code, ended.out) == (1, b"")
    assert "max_page_bytes: found 'many'" in ended.err


def test_a_file_that_is_too_large_for_any_page_is_not_read(
    run: Run, rules: Path, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_source, "MAX_PAGE_BYTES", 100)
    ended = run("rewrite", "--rules", rules, page)
    assert (ended.code, ended.out) == (1, b"")
    assert f"found {len(PAGE)} bytes; expected at most 100" in ended.err


def test_a_file_in_the_way_is_an_error_and_no_traceback(run: Run, rules: Path, page: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    ended = run("rewrite", "--rules", rules, page, "--out", tmp_path / "out")
    assert ended.code == 1
    assert str(tmp_path / "out") in ended.err


# --- explain ------------------------------------------------------------------------------


def test_explain_tells_every_slot_placed_or_refused_with_what_it_needed_and_found(
    run: Run, rules: Path, page: Path
) -> None:
    ended = run("explain", "--rules", rules, page)
    assert ended.code == 0
    assert re.search(r"^  top, above-headline: 1 of at most 1 placed$", ended.text, re.MULTILINE)
    assert re.search(r"^  in-article, mid-article: [12] of at most 2 placed$", ended.text, re.MULTILINE)
    assert re.search(r"^      placed   between blocks \d+ and \d+, line \d+ of the page", ended.text, re.MULTILINE)
    assert re.search(r"^  rail, sidebar: first: not placed$", ended.text, re.MULTILINE)
    assert re.search(
        r"^        - too_near_start, needs 100 words before it, found 7\d words: 2\d short$", ended.text, re.M
    )
    assert re.search(r"^        > in-article 1$", ended.text, re.MULTILINE)
    assert re.search(r"^ +\d+  paragraph +\d+ +\d+ +\d+  Paragraph 7\.", ended.text, re.MULTILINE)
    better_ads = r"\d+\.\d% of the main content \(Better Ads; at most \d+%\)"
    assert re.search(rf"^Density +phone +{better_ads}, \d+\.\d% by Lighthouse", ended.text, re.MULTILINE)
    assert "\x1b" not in ended.text


def test_explain_as_json_holds_the_same_for_machines(run: Run, rules: Path, page: Path) -> None:
    told = json.loads(run("explain", "--rules", rules, page, "--json").text)
    slots = {slot["slot"]: slot for slot in told["slots"]}
    assert set(slots) == {"top", "in-article", "rail"}
    assert told["rules"]["revision"] == load_rules(rules).rule_sets[0].pages[1].policy.revision  # type: ignore[union-attr]
    (top,) = slots["top"]["placements"]
    assert top["offset"] <= PAGE.index(b"<h1>")
    assert top["line"] == PAGE.count(b"\n", 0, top["offset"]) + 1
    assert slots["rail"]["placements"] == []
    assert len(slots["rail"]["refusals"]) > 0
    assert 0 < told["density"]["phone"]["share"] <= told["density"]["phone"]["limit"]
    assert 0 < told["density"]["phone"]["lighthouse"] < 1
    assert told["article"]["words"] > 1000
    assert len(told["candidates"]) == len(told["article"]["blocks"]) - 1


def test_explain_writes_the_page_with_everything_marked_on_it(
    run: Run, rules: Path, page: Path, tmp_path: Path
) -> None:
    marked = tmp_path / "out" / "marked.html"
    ended = run("explain", "--rules", rules, page, "--html", marked)
    assert (ended.code, ended.err) == (0, "")
    written = marked.read_text(encoding="utf-8-sig")
    assert "Paragraph 20." in written
    assert written.count("<details") > 5
    assert f'href="{page.as_uri()}"' in written


def test_a_page_that_is_left_alone_is_not_written_with_marks(run: Run, rules: Path, page: Path, tmp_path: Path) -> None:
    marked = tmp_path / "marked.html"
    about = "https://asia-news.example/about/us"
    ended = run("explain", "--rules", rules, page, "--url", about, "--html", marked)
    assert (ended.code, ended.out) == (1, b"")
    assert "left alone: path" in ended.err
    assert not marked.exists()


def test_the_page_that_is_read_is_not_written_over(run: Run, rules: Path, page: Path) -> None:
    assert run("explain", "--rules", rules, page, "--html", page).code == 2
    assert page.read_bytes() == PAGE


def test_there_are_colours_on_a_terminal_and_none_where_they_are_not_wanted(rules: Path, page: Path) -> None:
    command = [sys.executable, "-m", "adproxy.cli", "explain", "--rules", str(rules), str(page)]

    def on_terminal(**environment: str) -> bytes:
        ours, theirs = os.openpty()
        told = b""
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=theirs, env={**kept, "TERM": "xterm", **environment}
        ) as process:
            os.close(theirs)
            killer = threading.Timer(60, process.kill)
            killer.start()
            try:
                while piece := os.read(ours, 1 << 16):
                    told += piece
            except OSError:
                pass  # how Linux says that the other side has left
            finally:
                killer.cancel()
                os.close(ours)
        assert process.returncode == 0
        return told

    assert b"\x1b[31mtoo_near_start\x1b[0m" in on_terminal()
    assert b"\x1b" not in on_terminal(NO_COLOR="1")
    assert b"\x1b" not in on_terminal(TERM="dumb")


def test_explain_of_a_page_that_is_left_alone_says_why(run: Run, rules: Path, page: Path) -> None:
    ended = run("explain", "--rules", rules, page, "--url", "https://asia-news.example/about/us")
    assert ended.code == 0
    assert "left alone: path" in ended.text
    assert "site.yaml:5" in ended.text


def test_explain_does_not_let_a_page_speak_to_the_terminal(run: Run, rules: Path, tmp_path: Path) -> None:
    page = tmp_path / "evil.html"
    page.write_bytes(PAGE.replace(b"Paragraph 7.", b"\x1b]0;evil\x07\xc2\x9b31m Paragraph 7."))
    out = run("explain", "--rules", rules, page).text
    assert "evil" in out
    assert not {"\x1b", "\x07", "\x9b"} & set(out)


class Site(BaseHTTPRequestHandler):
    """A site whose answers tests choose by path."""

    answers: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {
        "/story": (200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, gzip.compress(PAGE)),
        "/strict": (200, {"Content-Type": "text/html", "Content-Security-Policy": "default-src 'none'"}, PAGE),
        "/moved": (302, {"Location": "/story"}, b""),
        "/to-a-file": (302, {"Location": "file:///etc/hostname"}, b""),
        "/picture": (200, {"Content-Type": "image/png"}, b"\x89PNG"),
        "/short": (200, {"Content-Type": "text/html", "Content-Length": "99999"}, PAGE),
        "/broken": (200, {"Content-Type": "text/html", "Content-Encoding": "gzip"}, b"no gzip"),
    }

    def do_GET(self) -> None:
        status, headers, body = self.answers.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site(rules: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The base address of a running site; the rules are told that it is theirs."""
    rules.write_text(RULES.replace("hosts: [asia-news.example]\n", ""))
    without_proxies(monkeypatch)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(20)
    server.server_close()


@pytest.mark.parametrize("path", ["/story", "/moved"])
def test_explain_fetches_an_address_and_follows_to_where_it_leads(run: Run, rules: Path, site: str, path: str) -> None:
    told = json.loads(run("explain", "--rules", rules, f"{site}{path}", "--json").text)
    assert told["url"] == f"{site}/story"
    assert told["skip"] is None
    assert any(slot["placements"] for slot in told["slots"])


def test_explain_heeds_the_policy_that_the_site_sends_with_the_page(run: Run, rules: Path, site: str) -> None:
    told = json.loads(run("explain", "--rules", rules, f"{site}/strict", "--json").text)
    assert told["skip"]["reason"] == "csp"


def test_explain_of_an_address_that_is_no_page_says_what_it_is(run: Run, rules: Path, site: str) -> None:
    told = json.loads(run("explain", "--rules", rules, f"{site}/picture", "--json").text)
    assert told["skip"] == {"reason": "not_html", "detail": "image/png"}


@pytest.mark.parametrize(
    ("path", "said"), [("/none", "404"), ("/to-a-file", ""), ("/broken", "bad_coding"), ("/short", "too early")]
)
def test_an_address_without_a_page_ends_with_1(run: Run, rules: Path, site: str, path: str, said: str) -> None:
    ended = run("explain", "--rules", rules, f"{site}{path}")
    assert (ended.code, ended.out) == (1, b"")
    assert ended.err.startswith(f"{site}{path}: ")
    assert said in ended.err


def test_an_address_where_nobody_listens_ends_with_1(run: Run, rules: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ended = run("explain", "--rules", rules, f"http://127.0.0.1:{port}/")
    assert ended.code == 1
    assert "can't be fetched" in ended.err


def test_a_server_that_drips_or_never_ends_is_given_up(
    run: Run, rules: Path, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()

    def drip(self: Site) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        try:
            while not stop.wait(0.02):
                self.wfile.write(b"<p>more")
        except OSError:
            pass  # the other side has left: what the test is about

    monkeypatch.setattr(Site, "do_GET", drip)
    monkeypatch.setattr(page_source, "FETCH_SECONDS", 0.5)
    try:
        slow = run("explain", "--rules", rules, f"{site}/")
        monkeypatch.setattr(page_source, "FETCH_SECONDS", 60.0)
        monkeypatch.setattr(page_source, "MAX_PAGE_BYTES", 64)
        large = run("explain", "--rules", rules, f"{site}/")
    finally:
        stop.set()
    assert (slow.code, large.code) == (1, 1)
    assert "not complete after 0.5 s" in slow.err
    assert "more than 64 bytes" in large.err


def test_output_goes_to_a_terminal_that_lacks_its_characters(rules: Path, tmp_path: Path) -> None:
    page = tmp_path / "story.html"
    page.write_bytes(PAGE.replace(b"Paragraph 7.", "\u6e2f\u6e7e".encode()))
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "adproxy.cli", "explain", "--rules", str(rules), str(page)],
        capture_output=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"in-article" in done.stdout


def test_demo_serves_until_it_is_interrupted_and_its_pages_can_be_explained(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_proxies(monkeypatch)
    process = subprocess.Popen(
        [sys.executable, "-m", "adproxy.cli", "demo", "--port", "0", "--office-port", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    killer = threading.Timer(60, process.kill)
    killer.start()
    try:
        assert process.stdout is not None
        addresses: list[str] = []
        while len(addresses) < 2 and (line := process.stdout.readline()):
            addresses += re.findall(r"the (?:site|office) +(http://127\.0\.0\.1:\d+)/", line)
        site, office = addresses
        with (
            urllib.request.urlopen(f"{site}/", timeout=20) as front,
            urllib.request.urlopen(f"{office}/readyz", timeout=20) as ready,
        ):
            assert (front.status, ready.status) == (200, 200)
        story = f"{site}{demo.FIRST_STORY}"
        with urllib.request.urlopen(story, timeout=20) as answer:
            assert b"data-adproxy-slot" in answer.read()
        told = json.loads(run("explain", "--rules", demo.RULES, story, "--json").text)
        assert any(slot["placements"] for slot in told["slots"])
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        killer.cancel()
        process.kill()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()
