"""Which policy a URL gets, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from adproxy.rules.compile import load_rules
from adproxy.rules.match import choose, describe_policy
from adproxy.rules.ruleset import RuleBook

SITES = {
    "exact": "site: exact\nhosts: [www.a.example, '[::1]']\n",
    "wild": "site: wild\nhosts: ['*.a.example']\n",
    "deeper": "site: deeper\nhosts: ['*.b.a.example']\n",
}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> RuleBook:
    folder = tmp_path_factory.mktemp("rules")
    for name, text in SITES.items():
        (folder / f"{name}.yaml").write_text(f"version: 1\n{text}")
    (folder / "rest.yaml").write_text(
        "version: 1\nsite: rest\npages:\n  - {path: /about/**, ads: false}\n"
        "  - {path: [/caf%C3%A9, /x], limits: {in_article: 1}}\n  - {path: /news/**}\n"
        "  - {path: /n/?, limits: {in_article: 2}}\n"
    )
    return load_rules(folder)


def site_for(book: RuleBook, host: str) -> str:
    policy = choose(book, host, "/news/1").policy
    return policy.site if policy else ""


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("www.a.example", "exact"),
        ("WWW.A.Example:8080", "exact"),
        ("www.a.example.", "exact"),
        ("[::1]:8080", "exact"),
        ("x.a.example", "wild"),
        ("b.a.example", "wild"),
        ("x.b.a.example", "deeper"),
        ("x.y.b.a.example:1", "deeper"),
        ("a.example", "rest"),
        ("xa.example", "rest"),
        ("", "rest"),
        (".a.example", "rest"),
        ("*.a.example", "wild"),
        ("x." * 5000 + "a.example", "rest"),
        ("\0\n", "rest"),
    ],
)
def test_the_exact_host_then_the_nearest_wildcard_then_the_rest(book: RuleBook, host: str, site: str) -> None:
    assert site_for(book, host) == site


def test_without_a_rule_set_for_the_host_there_are_no_ads(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("version: 1\nsite: s\nhosts: s.example\n")
    choice = choose(load_rules(file), "evil\n.example", "/")
    assert choice.policy is None
    assert choice.why == "no rules file is for the host 'evil\\n.example'"
    assert choose(RuleBook(), "x", "/").policy is None


@pytest.mark.parametrize(
    ("path", "in_article"),
    [
        ("/about", None),
        ("/about/us", None),
        ("/news/x", 8),
        ("/x", 1),
        ("/caf%C3%A9", 1),
        ("/caf%c3%a9", 1),
        ("/café", 1),
        ("/caf%E9", None),
        ("/x%00", None),
        ("/n/%7A", 2),
        ("/n/%00", None),
        ("/%6Eews/x", 8),
        ("/news%2Fx", 8),
        ("/news/../about", 8),
        ("//news/x", None),
        ("", None),
        ("/other", None),
    ],
)
def test_the_first_entry_of_pages_that_matches_holds(book: RuleBook, path: str, in_article: int | None) -> None:
    policy = choose(book, "rest.example", path).policy
    assert (policy.limits.in_article if policy else None) == in_article


def test_a_choice_names_the_line_that_decided(book: RuleBook) -> None:
    file = book.rule_sets[2].file
    assert choose(book, "r", "/about/x").why == f"{file}:4: /about/** has no ads"
    assert choose(book, "r", "/news/x").why == f"{file}:6: /news/**"
    assert choose(book, "r", "/zzz").why == f"no entry of 'pages' in {file} matches '/zzz'"


@pytest.mark.parametrize(
    ("path", "glob"),
    [
        ("/wp-admin/", "/wp-admin/**"),
        ("/wp-admin", "/wp-admin/**"),
        ("/wp-admin/edit.php", "/wp-admin/**"),
        ("/%77p-admin/", "/wp-admin/**"),
        ("/wp-login.php", "/wp-login.php"),
        ("/administrator/index.php", "/administrator/**"),
    ],
)
def test_where_editors_work_there_are_no_ads(tmp_path: Path, path: str, glob: str) -> None:
    for pages in ("", 'pages: [{path: "/**"}]'):
        (tmp_path / "s.yaml").write_text(f"version: 1\nsite: s\nuse: [news]\n{pages}\n")
        choice = choose(load_rules(tmp_path), "s.example", path)
        assert choice.policy is None
        assert choice.why == f"adproxy's default: {glob} has no ads"


@pytest.mark.parametrize(
    "path", ["/wp-administration", "/ghost/", "/news/wp-admin/", "/admin.html", "/wp-login.php5", "/x/admin"]
)
def test_other_paths_are_no_screens_of_editors(tmp_path: Path, path: str) -> None:
    (tmp_path / "s.yaml").write_text("version: 1\nsite: s\nuse: [news]\n")
    assert choose(load_rules(tmp_path), "s.example", path).policy is not None


def test_a_file_that_names_such_a_path_decides_itself(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "version: 1\nsite: s\nuse: [news]\npages:\n"
        '  - {path: "/admin/settings/**", ads: false}\n  - {path: ["/admin/**", "/**"]}\n'
    )
    book = load_rules(tmp_path)
    assert choose(book, "s.example", "/admin/story").policy is not None
    assert choose(book, "s.example", "/admin/settings/x").why.endswith("/admin/settings/** has no ads")
    assert choose(book, "s.example", "/wp-admin/").policy is None


def test_describe_policy_is_empty_where_there_are_no_ads(book: RuleBook) -> None:
    assert describe_policy(book, "https://rest.example/about/x") == []
    assert describe_policy(book, "https://rest.example/nothing") == []


@pytest.mark.parametrize(
    "url", ["https://rest.example/x?y=/about", "rest.example/x", "/x", "http://u:p@rest.example:80/x"]
)
def test_describe_policy_takes_an_address_in_any_form(book: RuleBook, url: str) -> None:
    rows = {key: (value, origin) for key, value, origin in describe_policy(book, url)}
    assert rows["limits.in_article"] == ("1", f"{book.rule_sets[2].file}:5")


def test_origins_tell_pages_apart(book: RuleBook) -> None:
    file = book.rule_sets[2].file
    assert book.origins["rest: /x: limits.in_article"] == f"{file}:5"
    assert book.origins["rest: limits.in_article"] == "default"
