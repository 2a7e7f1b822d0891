"""What a page's content security policies let us insert."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adproxy.csp import Csp, ScriptVerdict, StyleVerdict

INLINE = StyleVerdict("inline")
LINKED = StyleVerdict("linked")
FORBIDDEN = StyleVerdict("forbidden")
PLAIN = ScriptVerdict("plain")
NO_SCRIPT = ScriptVerdict("forbidden")


def test_d9_no_policy_allows_everything() -> None:
    csp = Csp.parse([], [])
    assert (csp.style(), csp.script(), csp.img("https://a.example/x.png")) == (INLINE, PLAIN, True)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("img-src 'none'", INLINE),
        ("style-src 'unsafe-inline'", INLINE),
        ("style-src 'self' 'UNSAFE-INLINE'", INLINE),
        ("STYLE-SRC 'unsafe-inline'", INLINE),
        ("default-src 'unsafe-inline'", INLINE),
        ("default-src 'none'; style-src 'unsafe-inline'", INLINE),
        ("style-src 'none'; style-src-elem 'unsafe-inline'", INLINE),
        ("style-src 'none'; style-src 'unsafe-inline'", FORBIDDEN),
        ("style-src 'self'", LINKED),
        ("style-src *", LINKED),
        ("default-src https:", LINKED),
        ("style-src 'unsafe-inline' 'nonce-abc' 'self'", StyleVerdict("nonce", "abc")),
        ("style-src 'nonce-abc'", StyleVerdict("nonce", "abc")),
        ("style-src 'unsafe-inline' 'sha256-AAAA'", FORBIDDEN),
        ("style-src 'unsafe-inline' 'sha256-AAAA' 'self'", LINKED),
        ("style-src 'none'", FORBIDDEN),
        ("style-src", FORBIDDEN),
        ("default-src 'none'", FORBIDDEN),
        ("style-src https://cdn.example", FORBIDDEN),
        ("style-src 'unsafe-hashes'", FORBIDDEN),
        ("style-src-attr 'unsafe-inline'; default-src 'none'", FORBIDDEN),
        ("style-src data:", FORBIDDEN),
        ("", INLINE),
    ],
)
def test_d9_styles(policy: str, expected: StyleVerdict) -> None:
    assert Csp.parse([policy]).style() == expected
    assert Csp.parse([], [policy]).style() == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("style-src 'none'", PLAIN),
        ("script-src 'self'", PLAIN),
        ("script-src *", PLAIN),
        ("default-src https: 'unsafe-inline'", PLAIN),
        ("script-src-elem 'self'; script-src 'none'", PLAIN),
        ("script-src 'unsafe-inline'", NO_SCRIPT),
        ("script-src 'none'", NO_SCRIPT),
        ("default-src 'none'", NO_SCRIPT),
        ("script-src https://cdn.example", NO_SCRIPT),
        ("script-src 'strict-dynamic' 'self'", NO_SCRIPT),
        ("script-src 'strict-dynamic' 'nonce-abc' https: 'unsafe-inline'", ScriptVerdict("nonce", "abc")),
        ("script-src 'nonce-abc'", ScriptVerdict("nonce", "abc")),
        ("script-src 'nonce-abc' 'self'", PLAIN),
        ("script-src 'sha256-AAAA' 'strict-dynamic'", NO_SCRIPT),
        ("script-src 'nonce-'", NO_SCRIPT),
    ],
)
def test_d9_scripts_from_our_own_path(policy: str, expected: ScriptVerdict) -> None:
    assert Csp.parse([policy]).script() == expected


def test_d9_all_policies_hold_at_once() -> None:
    assert Csp.parse(["style-src 'self'", "style-src 'unsafe-inline'"]).style() == FORBIDDEN
    assert Csp.parse(["style-src 'self', style-src 'self' 'unsafe-inline'"]).style() == LINKED
    assert Csp.parse(["script-src 'self'"], ["script-src 'none'"]).script() == NO_SCRIPT
    assert Csp.parse(["script-src 'self'"], ["script-src 'nonce-b'"]).script() == ScriptVerdict("nonce", "b")
    assert Csp.parse(["script-src 'nonce-a'"], ["script-src 'nonce-b'"]).script() == NO_SCRIPT
    assert Csp.parse(["script-src 'nonce-a' 'nonce-b'", "script-src 'nonce-b'"]).script().nonce == "b"


def test_d9_the_pages_own_nonce_is_preferred_and_must_be_the_policys() -> None:
    csp = Csp.parse(["style-src 'nonce-a' 'nonce-B'; script-src 'nonce-a' 'nonce-B'"])
    assert csp.style(("B",)) == StyleVerdict("nonce", "B")
    assert csp.script(("B",)) == ScriptVerdict("nonce", "B")
    assert csp.script(("b",)) == ScriptVerdict("nonce", "a")


def test_d9_a_sandbox_without_scripts_forbids_ours() -> None:
    assert Csp.parse(["sandbox allow-forms"]).script() == NO_SCRIPT
    assert Csp.parse(["sandbox allow-scripts"]).script() == PLAIN
    assert Csp.parse([], ["sandbox"]).script() == PLAIN  # means nothing in a meta


@pytest.mark.parametrize(
    ("sources", "src", "expected"),
    [
        ("'self'", "/a.png", True),
        ("'self'", "https://a.example/x.png", False),
        ("'none'", "/a.png", False),
        ("*", "https://a.example/x.png", True),
        ("*", "data:image/png;base64,AA", False),
        ("data:", "data:image/png;base64,AA", True),
        ("https:", "https://a.example/x.png", True),
        ("https:", "http://a.example/x.png", False),
        ("http:", "https://a.example/x.png", True),
        ("a.example", "https://A.example/x.png", True),
        ("a.example", "//a.example/x.png", True),
        ("a.example", "https://b.a.example/x.png", False),
        ("*.a.example", "https://b.a.example/x.png", True),
        ("*.a.example", "https://a.example/x.png", False),
        ("https://a.example", "http://a.example/x.png", False),
        ("http://a.example", "https://a.example/x.png", True),
        ("a.example:8443", "https://a.example/x.png", False),
        ("a.example:*", "https://a.example:8443/x.png", True),
        ("a.example", "https://a.example:8443/x.png", False),
        ("a.example/img/", "https://a.example/img/x.png", True),
        ("a.example/img", "https://a.example/img/x.png", False),
        ("a.example/Img/x.png", "https://a.example/img/x.png", False),
        ("a.example", "https://[", False),
    ],
)
def test_d9_images(sources: str, src: str, expected: bool) -> None:
    assert Csp.parse([f"img-src {sources}"]).img(src) is expected


policies = st.lists(
    st.sampled_from(["default-src", "style-src", "script-src", "script-src-elem", "img-src", ";", ",", "sandbox"])
    | st.sampled_from(
        ["'self'", "'none'", "'unsafe-inline'", "'nonce-a'", "'strict-dynamic'", "*", "https:", "a.example"]
    ),
    max_size=10,
).map(" ".join)
STYLE_RANK = {"inline": 3, "nonce": 2, "linked": 1, "forbidden": 0}
SCRIPT_RANK = {"plain": 2, "nonce": 1, "forbidden": 0}


@given(policies, policies)
def test_d9_another_policy_never_allows_more(one: str, other: str) -> None:
    alone, both = Csp.parse([one]), Csp.parse([one, other])
    assert STYLE_RANK[both.style().kind] <= STYLE_RANK[alone.style().kind]
    assert SCRIPT_RANK[both.script().kind] <= SCRIPT_RANK[alone.script().kind]
    assert both.img("/a.png") <= alone.img("/a.png")


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_policy_makes_the_reading_fail(policy: str, src: str) -> None:
    csp = Csp.parse([policy, f"img-src {policy}"], [policy])
    csp.style()
    csp.script()
    csp.img(src)


# --- what a script of ours may fetch, frame and load

LIBRARY = "https://ads.example/lib.js"


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ("", True),
        ("connect-src 'self'", True),
        ("default-src 'self'; connect-src https://a.example", False),
        ("default-src 'none'", False),
        ("script-src 'none'", True),
    ],
)
def test_d9_a_beacon_to_our_own_path(policy: str, allowed: bool) -> None:
    assert Csp.parse([policy]).connect() is allowed


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ("", True),
        ("frame-src https://ads.example", True),
        ("frame-src https://ads.example/other/", False),
        ("child-src https:; default-src 'none'", True),
        ("frame-src 'self'; child-src https:", False),
        ("default-src 'none'", False),
    ],
)
def test_d9_a_frame(policy: str, allowed: bool) -> None:
    assert Csp.parse([policy]).frame("https://ads.example/frame") is allowed


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", PLAIN),
        ("script-src 'self'", NO_SCRIPT),
        ("script-src 'unsafe-inline'", PLAIN),
        ("script-src 'nonce-abc' 'unsafe-inline'", ScriptVerdict("nonce", "abc")),
        ("default-src 'unsafe-inline'; script-src-elem 'self'", NO_SCRIPT),
        ("sandbox; script-src 'unsafe-inline'", NO_SCRIPT),
    ],
)
def test_d9_a_script_within_the_page(policy: str, expected: ScriptVerdict) -> None:
    assert Csp.parse([policy]).inline_script() == expected


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ("", True),
        ("script-src 'self'", False),
        ("script-src 'self' https://ads.example", True),
        ("script-src 'self' https:", True),
        ("script-src 'nonce-abc'", True),
        ("script-src 'nonce-abc' 'strict-dynamic' https:", True),
        ("script-src 'nonce-abc', script-src https://other.example 'self'", False),
        ("require-trusted-types-for 'script'", True),
        ("require-trusted-types-for 'script'; trusted-types 'none'", False),
        ("require-trusted-types-for 'script'; trusted-types dompurify", False),
        ("require-trusted-types-for 'script'; trusted-types dompurify adproxy", True),
        ("trusted-types 'none'", False),
    ],
)
def test_d9_d11_a_library_that_our_script_loads(policy: str, allowed: bool) -> None:
    csp = Csp.parse([policy])
    assert csp.library(LIBRARY, csp.script()) is allowed
