"""The browser's script under the content security policies of pages: what they let in works, and nothing of it is a
violation; what they do not let in is not on the page."""

from __future__ import annotations

import pytest
from stage import DESKTOP, Stage, article, told

from adproxy.model import Skip, SkipReason

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("client-csp")]

SIZES = "sizes: {phone: [300x250]}"
SLOTS = {
    "html": f"{SIZES}, creative: {{html: <p>Ours</p>}}",
    "image": "creative: {image: {src: /picture.svg, link: /elsewhere, alt: Ferry, size: 300x250}}",
    "iframe": "creative: {iframe: {src: /frame/ad, size: 300x250}}",
    "gpt": f"{SIZES}, ad_unit: news",
    "adsense": f"{SIZES}, creative: {{adsense: {{client: ca-pub-1234567890, unit: 1234}}}}",
}
ALL = tuple(SLOTS)
OWN = ("html", "image", "iframe")
GOOGLE = "https://securepubads.g.doubleclick.net https://pagead2.googlesyndication.com"


def rules(kinds: tuple[str, ...], more: str = "") -> str:
    slots = "".join(
        f"  {kind}: {{place: mid-article, after: paragraph {i + 1}, {SLOTS[kind]}}}\n" for i, kind in enumerate(kinds)
    )
    return (
        f"limits: {{ad_share: 100%, gap: 10 words}}\nads: {{filled_by: adproxy, network: 1234}}\n{more}slots:\n{slots}"
    )


WORKS: list[tuple[str, str, tuple[str, ...]]] = [
    ("none", "", ALL),
    ("self", "default-src 'self'", OWN),
    ("self-and-google", f"default-src 'self' {GOOGLE}", ALL),
    ("self-and-https", "default-src 'self' https:", ALL),
    ("nonce", "script-src 'nonce-abc'; style-src 'nonce-abc'; connect-src 'self'", ALL),
    ("strict-dynamic", "script-src 'nonce-abc' 'strict-dynamic' https: 'unsafe-inline'; object-src 'none'", ALL),
    ("strict-dynamic-alone", "default-src 'none'; script-src 'nonce-abc' 'strict-dynamic'; style-src 'nonce-abc';"
     " img-src 'self'; connect-src 'self'; frame-src 'self'", ALL),
    ("nothing-inline", f"script-src 'self' {GOOGLE}; style-src 'self'; img-src 'self'; frame-src 'self'", ALL),
    ("trusted-types", "require-trusted-types-for 'script'", ALL),
    ("trusted-types-ours", "require-trusted-types-for 'script'; trusted-types adproxy dompurify", ALL),
    ("trusted-types-none", "require-trusted-types-for 'script'; trusted-types 'none'", OWN),
    ("strict-and-trusted", "script-src 'nonce-abc' 'strict-dynamic'; require-trusted-types-for 'script';"
     " trusted-types adproxy; base-uri 'none'", ALL),
    ("no-pictures", "img-src 'none'", ("html", "iframe")),
    ("no-frames", "frame-src 'none'", ("html", "image")),
    ("two-policies", "script-src 'self' https:, script-src 'self' 'unsafe-inline' https:; frame-src *", ALL),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "kinds"), [row[1:] for row in WORKS], ids=[row[0] for row in WORKS])
def test_d9_d11_what_a_policy_lets_in_works_without_a_violation(
    stage: Stage, policy: str, kinds: tuple[str, ...]
) -> None:
    scene = stage.scene(rules(kinds, "visitors: {ad_free: {cookie: subscriber}}\n"), csp=policy)
    with stage.visit((1366, 2400)) as visit:
        page = visit.open(scene)
        told(lambda: all("rendered" in scene.kinds(kind) for kind in kinds), scene, page)
        assert page.evaluate("seen") == {"moved": 0, "violations": []}
        assert visit.troubles == []


@pytest.mark.parametrize(
    ("policy", "kind"),
    [
        ("script-src 'self'", "gpt"),
        ("script-src 'none'", "iframe"),
        ("script-src 'self' https:; trusted-types dompurify", "adsense"),
        ("img-src https:", "image"),
        ("frame-src https:", "iframe"),
        ("style-src 'none'", "html"),
    ],
)
def test_d9_what_a_policy_does_not_let_in_is_not_on_the_page(stage: Stage, policy: str, kind: str) -> None:
    if kind in ("image", "iframe") and "https:" in policy:
        policy = policy.replace("https:", "https://elsewhere.example")
    scene = stage.scene(rules((kind,)), csp=policy)
    assert isinstance(scene.result, Skip)
    assert scene.result.reason is SkipReason.CSP


@pytest.mark.parametrize(
    "policy", ["connect-src 'none'", "script-src 'none'", "default-src 'none'; style-src 'unsafe-inline'"]
)
def test_d9_where_nothing_may_be_reported_the_pages_own_slots_stay_and_nothing_is_tried(
    stage: Stage, policy: str
) -> None:
    by_page = f"slots:\n  a: {{place: mid-article, after: paragraph 2, {SIZES}, div: {{id: ad}}}}\n"
    scene = stage.scene(by_page, csp=policy, html=article())
    with stage.visit(DESKTOP) as visit:
        page = visit.open(scene)
        page.wait_for_timeout(300)
        assert page.locator("#ad").count() == 1
        assert scene.requests == []
        assert page.evaluate("seen") == {"moved": 0, "violations": []}
        assert visit.troubles == []
