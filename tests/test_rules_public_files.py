"""Files for buyers beside the rules: read with them, and what is wrong with them told with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adproxy.errors import RulesError
from adproxy.rules import ads_txt, public_files, sellers_json
from adproxy.rules.compile import check_paths, load_rules
from adproxy.rules.public_files import lint, public_name
from adproxy.rules.strict_yaml import MAX_BYTES

FINE = """\
# who may sell our advertising
OWNERDOMAIN=group.example
MANAGERDOMAIN=seller.example, DE
MANAGERDOMAIN=other.example
CONTACT=ads@news.example
SUBDOMAIN=blog.news.example
INVENTORYPARTNERDOMAIN=partner.example
google.com, pub-1234567890123456, DIRECT, f08c47fec0942fa0   # ours
adsystem.example,1234,reseller;ext=1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text("version: 1\nsite: news\nhosts: [news.example]\n")
    (tmp_path / "blog.yaml").write_text("version: 1\nsite: blog\nhosts: [blog.example]\n")
    return tmp_path


def told(text: str) -> list[str]:
    """Of an ads.txt that is fine but for what is put in front of it."""
    return [
        str(problem).removeprefix("ads.txt:") for problem in ads_txt.lint(text + "\nx.example, 1, DIRECT", "ads.txt")
    ]


def test_what_the_specification_allows_is_fine() -> None:
    assert list(ads_txt.lint(FINE, "ads.txt")) == []
    assert list(ads_txt.lint(FINE.replace("\n", "\r\n"), "ads.txt")) == []
    assert list(ads_txt.lint(ads_txt.PLACEHOLDER, "ads.txt")) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("google.com", "1:1: found 'google.com'; expected a record"),
        ("google.com, 1", "1:13: found 2 fields; expected 3 fields"),
        ("google.com, 1, DIRCT", "1:16: found 'DIRCT'; expected 'DIRECT' or 'RESELLER'. Did you mean 'DIRECT'?"),
        ("google.com, , DIRECT", "1:13: found no account"),
        ("https://google.com/, 1, DIRECT", "1:1: found 'https://google.com/'; expected a domain"),
        ("https://google.com/, 1, DIRECT", "Write 'google.com'"),
        ("google, 1, DIRECT", "1:1: found 'google'; expected a domain"),
        ("google.com, 1, DIRECT, abc, def", "1:29: found 5 fields; expected 4 at most"),
        ("OWNERDOMAIN=", "1:13: found ''; expected a domain"),
        ("OWNERDOMAIN=a.example, b.example", "1:13: found 'a.example, b.example'; expected one domain"),
        (
            "OWNERDOMAIN=a.example\nownerdomain=b.example",
            "2:1: found OWNERDOMAIN again; expected one; it stands in line 1",
        ),
        ("MANAGERDOMAIN=a.example, DE\nMANAGERDOMAIN=b.example,de", "2:1: found MANAGERDOMAIN again for DE"),
        ("MANAGERDOMAIN=a.example, Germany", "found the country 'Germany'; expected a country's code"),
        ("CONTACT=", "1:9: found no contact"),
        ("OWNERDOMIAN=a.example", "1:1: warning: found the unknown variable 'OWNERDOMIAN'"),
        ("OWNERDOMIAN=a.example", "Did you mean 'OWNERDOMAIN'?"),
        ("x.example, 1, direct", "2:1: warning: found the record of x.example again; expected each once"),
    ],
)
def test_a_line_that_buyers_pass_over_is_told(line: str, said: str) -> None:
    (problem,) = told(line)
    assert said in problem


def test_a_file_without_any_record_says_nothing_to_buyers() -> None:
    (problem,) = ads_txt.lint("# nobody yet\n", "ads.txt")
    assert problem.warning
    assert ads_txt.PLACEHOLDER in problem.hint


SELLER = {"seller_id": "1", "seller_type": "PUBLISHER", "name": "News", "domain": "news.example"}


def sellers(*entries: object, **more: object) -> str:
    return json.dumps({"version": "1.0", "sellers": list(entries), **more}, indent=1)


def test_sellers_that_say_all_that_they_have_to_are_fine() -> None:
    confidential = {"seller_id": "2", "seller_type": "BOTH", "is_confidential": 1}
    text = sellers(SELLER, confidential, contact_email="ads@news.example")
    assert list(sellers_json.lint(text, "sellers.json")) == []
    assert list(sellers_json.lint(text.replace("\n", "\n\t"), "sellers.json")) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"version": "1.0",\n "sellers": [}', "sellers.json:2:14: found what is no JSON"),
        ("[" * 100_000, "sellers.json:1:1: found "),
        ("[]", "sellers.json:1:1: found []; expected a JSON object"),
        ('{"version": "1.0"}', "sellers.json:1:1: found no 'sellers'"),
        ('{"sellers": []}', "sellers.json:1:1: found no 'version'"),
        (sellers(version="3.0"), "sellers.json:2:13: found the version"),
        ('{"version": "1.0", "sellers": {}}', "sellers.json:1:31: found {}; expected a list"),
        (sellers(1), "sellers.json:4:3: found 1; expected a seller"),
        (sellers({**SELLER, "seller_id": 1}), "sellers.json:5:17: found 1 for 'seller_id'"),
        (sellers(SELLER, SELLER), "sellers.json:11:17: warning: found the seller"),
        (sellers({**SELLER, "seller_type": "PUBLISHR"}), "Did you mean 'PUBLISHER'?"),
        (sellers({**SELLER, "is_confidential": True}), "sellers.json:9:23: found true for 'is_confidential'"),
        (sellers({k: v for k, v in SELLER.items() if k != "name"}), "sellers.json:4:3: found no 'name'"),
        (sellers({**SELLER, "domain": ""}), "sellers.json:8:14: warning: found no 'domain'"),
    ],
)
def test_a_seller_that_does_not_say_enough_is_told_with_its_place(text: str, said: str) -> None:
    assert said in "\n".join(str(problem) for problem in sellers_json.lint(text, "sellers.json"))


plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SELLER, "sellers", "version"]), inner)
    ),
)


@settings(deadline=None)
@given(plain_json, st.sampled_from([None, 1, "\t"]))
def test_whatever_json_it_is_the_places_lie_in_it(value: object, indent: int | str | None) -> None:
    text = json.dumps({"sellers": [value, value]}, indent=indent)
    for problem in sellers_json.lint(text, "f"):
        assert 1 <= problem.column <= len(text.splitlines()[problem.line - 1]) + 1


@settings(deadline=None)
@given(st.text())
def test_no_text_makes_the_check_of_ads_txt_stumble(text: str) -> None:
    for problem in ads_txt.lint(text, "f"):
        assert problem.line >= 1


def test_the_name_says_which_file_it_is_and_for_which_site() -> None:
    assert public_name("ads.txt") == ("ads.txt", "")
    assert public_name("app-ads.txt") == ("app-ads.txt", "")
    assert public_name("asia-news.sellers.json") == ("sellers.json", "asia-news")
    assert [public_name(name) for name in ("xads.txt", "ads.txt~", ".x.ads.txt", "_x.ads.txt", "site.yaml")] == [
        None
    ] * 5


def test_a_directory_is_loaded_with_its_files_for_buyers_and_pages_keep_their_revision(folder: Path) -> None:
    before = load_rules(folder)
    (folder / "ads.txt").write_text(FINE)
    (folder / "blog.ads.txt").write_text(FINE)
    book = load_rules(folder)
    assert [(file.name, file.site) for file in book.public_files] == [("ads.txt", ""), ("ads.txt", "blog")]
    assert book.public_files[0].content == FINE.encode()
    assert str(folder / "ads.txt") in {source.path for source in book.files}
    assert book.revision == before.revision
    assert load_rules(folder / "site.yaml").public_files == ()


def test_a_mistake_in_one_is_told_by_check_and_costs_no_rules(folder: Path) -> None:
    (folder / "ads.txt").write_text("google.com, 1, DIRECT\ngoogle.com, 1\n")
    (problem,) = check_paths([folder]).problems
    assert str(problem).startswith(f"{folder / 'ads.txt'}:2:13: found 2 fields")
    assert check_paths([folder / "ads.txt"]).problems == (problem,)
    assert load_rules(folder).public_files


def test_a_file_that_cannot_be_served_is_a_problem_of_the_rules(folder: Path) -> None:
    (folder / "ads.txt").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(RulesError, match="more than"):
        load_rules(folder)


def test_a_file_for_a_site_without_rules_is_doubted(folder: Path) -> None:
    (folder / "sport.ads.txt").write_text(FINE)
    (warning,) = check_paths([folder]).warnings
    assert "'sport'" in warning.found


def test_other_encodings_and_endless_mistakes_are_told_once_and_not_for_ever() -> None:
    (problem,) = lint(Path("ads.txt"), "caf\u00e9".encode("latin-1"))
    assert str(problem) == "ads.txt:1:4: found the byte 0xe9; expected a file in UTF-8"
    assert "a byte order mark" in str(lint(Path("ads.txt"), b"\xef\xbb\xbf" + FINE.encode())[0])
    assert len(lint(Path("ads.txt"), b"x\n" * 1000)) == public_files.MAX_TOLD
