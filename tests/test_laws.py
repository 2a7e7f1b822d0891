"""The laws of ARCHITECTURE.md as properties of generated pages; for each, a broken variant that its check must catch.

Law 5, and law 4 as far as it is about messages, belong to the middleware: tests/test_middleware_messages.py. Here is
the pure half of them.

`ADPROXY_FUZZ_EXAMPLES=N` makes N examples of each property, chosen at random, and reduces what fails; without it the
examples are few and always the same, and the first that fails is shown as it is.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import bombs
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from limits import check_plan, measured_pages
from oracles import Html5lib, LawBroken, Parse5, check_bytes, check_trees
from soup import (
    ENCODINGS,
    EVERYWHERE,
    INERT,
    NOTHING_CLEAR,
    OPEN,
    PICTURE,
    TALKING,
    TEMPLATED,
    open_policies,
    pages,
    prose,
    strict_policies,
)

from adproxy.model import (
    Anchor,
    Block,
    BlockKind,
    Edge,
    Gap,
    Insertion,
    Page,
    PerDevice,
    Skip,
    SkipReason,
)
from adproxy.page import read as page_read
from adproxy.page import tree
from adproxy.page.tree import Tree
from adproxy.plan import plan
from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.ruleset import (
    Counts,
    Distance,
    DistancePerDevice,
    MidArticle,
    Policy,
    SelectorPlace,
    Size,
    SizeMap,
    Slot,
)
from adproxy.splice import splice
from adproxy.tokens import PageMarks

EXAMPLES = int(os.environ.get("ADPROXY_FUZZ_EXAMPLES", "0"))


def law(examples: int) -> settings:
    """A property's settings: so many examples where no number is asked for."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=tuple(Phase) if EXAMPLES else (Phase.explicit, Phase.generate),
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )


def policy_with(*slots: Slot, article: str | None = None) -> Policy:
    """Rules that forbid next to nothing, with these slots."""
    return Policy("site", article, None, OPEN, NOTHING_CLEAR, slots)


BEFORE_PARAGRAPHS = Slot("p", SelectorPlace("before", "p"), EVERYWHERE, INERT, max=1000)
EVERY_GAP = policy_with(Slot("mid", MidArticle(), EVERYWHERE, INERT, max=1000))
EVERY_GAP_TALKING = policy_with(Slot("mid", MidArticle(), EVERYWHERE, TALKING, max=1000))
TEXT = "".join(f"<p>{prose(40, i)}.</p>\n" for i in range(8))
ARTICLE = f"<!DOCTYPE html><html><body><main><h1>Headline</h1>{TEXT}</main></body></html>".encode()


def counted(html: bytes, policy: Policy, encoding: str = "utf-8") -> Rewritten | Skip:
    """The rewrite with all that a page carries by which browsers report."""
    return rewrite(html, policy, encoding=encoding, marks_for=lambda policy, plan: PageMarks("t0.k-en_", "/_adproxy/"))


def rewritten(html: bytes, policy: Policy, encoding: str = "utf-8") -> Rewritten:
    result = counted(html, policy, encoding)
    assert isinstance(result, Rewritten), result
    assert result.insertions, "the page is meant to get slots"
    return result


def note(result: Rewritten | Skip) -> None:
    """Let `--hypothesis-show-statistics` tell how many examples are worth something."""
    event(result.reason.value if isinstance(result, Skip) else "slots" if result.insertions else "no slot")


# --- the pages are worth their while ----------------------------------------------------------------


def test_a_good_share_of_the_pages_gets_slots() -> None:
    counts = {"pages": 0, "with slots": 0, "slots": 0, "settled": 0}

    @settings(law(250), derandomize=True)
    @given(pages(), open_policies())
    def count(html: bytes, policy: Policy) -> None:
        result = rewrite(html, policy)
        counts["pages"] += 1
        if isinstance(result, Rewritten):
            counts["with slots"] += bool(result.insertions)
            counts["slots"] += len(result.insertions)
            counts["settled"] += sum(p.anchor.settled for p in result.plan.placements)

    count()
    assert counts["with slots"] >= counts["pages"] / 5, counts
    assert counts["slots"] >= counts["pages"] / 2, counts
    assert counts["settled"] >= counts["pages"] / 10, counts


# --- law 1: output minus insertions is the input ----------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS)
@law(12)
@given(data=st.data(), policy=open_policies())
def test_d5_law_1_the_output_without_insertions_is_the_input(
    encoding: str, data: st.DataObject, policy: Policy
) -> None:
    html = data.draw(pages(encoding))
    result = counted(html, policy, encoding)
    note(result)
    if isinstance(result, Rewritten):
        check_bytes(html, result.body, result.insertions)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_d1_law_1_pages_in_every_encoding_get_slots(encoding: str) -> None:
    html = "".join(f"<p>{prose(40, i, encoding)}.</p>" for i in range(8)).encode(encoding)
    result = rewritten(html, EVERY_GAP, encoding)
    check_bytes(html, result.body, result.insertions)


def _loses_a_byte(html: bytes, insertions: Sequence[Insertion]) -> bytes:
    at = insertions[0].offset
    return splice(html[:at] + html[at + 1 :], insertions)


def _serialises_line_ends(html: bytes, insertions: Sequence[Insertion]) -> bytes:
    return splice(html, insertions).replace(b"\n", b"\r\n")


def _is_off_by_one(html: bytes, insertions: Sequence[Insertion]) -> bytes:
    return splice(html, [Insertion(i.offset + 1, i.markup) for i in insertions])


@pytest.mark.parametrize("broken", [_loses_a_byte, _serialises_line_ends, _is_off_by_one])
def test_law_1_its_check_catches_a_broken_splice(broken: Callable[[bytes, Sequence[Insertion]], bytes]) -> None:
    insertions = rewritten(ARTICLE, EVERY_GAP).insertions
    with pytest.raises(LawBroken):
        check_bytes(ARTICLE, broken(ARTICLE, insertions), insertions)


def test_law_1_its_check_catches_markup_that_is_not_ascii() -> None:
    insertions = (Insertion(0, "<div data-adproxy-label='Publicité'></div>".encode()),)
    with pytest.raises(LawBroken):
        check_bytes(ARTICLE, splice(ARTICLE, insertions), insertions)


# --- law 2: the tree minus our elements is the input's ----------------------------------------------


@pytest.mark.parametrize("scripting", [True, False])
@law(100)
@given(html=pages(), policy=open_policies())
def test_d3_d5_f15_law_2_the_tree_without_our_elements_is_the_inputs_by_parse5(
    parse5_parser: Parse5, scripting: bool, html: bytes, policy: Policy
) -> None:
    result = counted(html, policy)
    note(result)
    if isinstance(result, Rewritten) and result.insertions:
        check_trees(html, result.body, result.insertions, parse5_parser, scripting=scripting)


@pytest.mark.parametrize("scripting", [True, False])
@law(60)
@given(html=pages(), policy=open_policies())
def test_d3_d5_f15_law_2_the_tree_without_our_elements_is_the_inputs_by_html5lib(
    html5lib_parser: Html5lib, scripting: bool, html: bytes, policy: Policy
) -> None:
    result = counted(html, policy)
    note(result)
    if isinstance(result, Rewritten) and result.insertions:
        check_trees(html, result.body, result.insertions, html5lib_parser, scripting=scripting)


@law(10)
@given(data=st.data(), policy=open_policies(), encoding=st.sampled_from(ENCODINGS))
def test_law_2_holds_in_other_encodings(
    parse5_parser: Parse5, data: st.DataObject, policy: Policy, encoding: str
) -> None:
    html = data.draw(pages(encoding))
    result = counted(html, policy, encoding)
    if isinstance(result, Rewritten) and result.insertions:
        check_trees(html, result.body, result.insertions, parse5_parser, scripting=True, encoding=encoding)


@pytest.mark.parametrize("scripting", [True, False])
def test_law_2_formatting_does_not_leak_into_a_template_of_a_slot(parse5_parser: Parse5, scripting: bool) -> None:
    html = f"<!DOCTYPE html><body><main>{TEXT}<p>A <b>word</p></main>".encode()
    result = rewritten(html, policy_with(Slot("p", SelectorPlace("after", "p"), EVERYWHERE, TEMPLATED, max=40)))
    assert len(result.insertions) == 9
    check_trees(html, result.body, result.insertions, parse5_parser, scripting=scripting)


SLOT = b'<div data-adproxy-slot="s"></div>'
NAIVE = {
    "in an attribute": (b'<div title="|<p>"><p>x</p></div>', SLOT),
    "in an unquoted attribute": (b"<div title=x|<p>y</div>", SLOT),
    "in a script": (b"<script>var s = '|<p>'</script><p>x</p>", SLOT),
    "in a comment": (b"<!-- |<p> --><p>x</p>", SLOT),
    "in a textarea": (b"<textarea>|<p></textarea>", SLOT),
    "in a select": (b"<select><option>a|<p>b</select>", SLOT),
    "in svg": (b"<svg>|<path/></svg>", SLOT),
    "in the head": (b"<head>|<title>x</title></head>", SLOT),
    "in the text of a paragraph": (b"<p>one|two</p>", SLOT),
    "before a frameset": (b"|<frameset></frameset>", SLOT),
    "before the doctype": (b"|<!DOCTYPE html><p>x", SLOT),
    "a span where formatting is pending": (b"<p><b>x</p>|<p>y</b>", b'<span data-adproxy-slot="s"></span>'),
    "text where formatting is pending": (b"<p><b>x</p>|<p>y</p>", b'<div data-adproxy-slot="s">text</div>'),
    "a link where a link is pending": (b"<p><a>x</p>|<p>y", b'<div data-adproxy-slot="s"><a href=x><img></a></div>'),
    "markup that does not close": (b"<p>x</p>|<p>y</p>", b'<div data-adproxy-slot="s"><i></div>'),
    "markup that is not marked": (b"<p>x</p>|", b"<div></div>"),
}
"""What a rewriter might do: the page, a bar where it inserts, and what it inserts."""


@pytest.mark.parametrize("name", NAIVE)
@pytest.mark.parametrize("parser", ["html5lib_parser", "parse5_parser"])
def test_law_2_its_check_catches_naive_insertions(name: str, parser: str, request: pytest.FixtureRequest) -> None:
    marked, markup = NAIVE[name]
    doctype = b"" if b"DOCTYPE" in marked else b"<!DOCTYPE html>"
    html = doctype + marked.replace(b"|", b"")
    insertions = [Insertion(len(doctype) + marked.index(b"|"), markup)]
    with pytest.raises(LawBroken):
        check_trees(html, splice(html, insertions), insertions, request.getfixturevalue(parser), scripting=False)


def _after_the_first_end_tag(html: bytes, start: int, name: str, *_: object) -> int:
    tag = b"</" + name.encode() + b">"
    return html.index(tag, start) + len(tag)


AFTER_DIVS = Slot("s", SelectorPlace("after", "div"), EVERYWHERE, TALKING, max=1000)
UNPROVEN: dict[str, tuple[object, str, object, str]] = {
    "formatting is never looked for": (
        Tree,
        "_settled",
        lambda *_: True,
        "<div><p>A <a href=x>b</p></div></a><p>c</p>",
    ),
    "ends are not read tag by tag": (tree, "end_of", _after_the_first_end_tag, "<div>x <!-- </div> --> y</div>"),
}


@pytest.mark.source
@pytest.mark.parametrize("name", UNPROVEN)
def test_law_2_its_check_catches_a_tree_without_its_proofs(
    monkeypatch: pytest.MonkeyPatch, html5lib_parser: Html5lib, name: str
) -> None:
    owner, function, broken, markup = UNPROVEN[name]
    html = f"<!DOCTYPE html><body><main>{TEXT}{markup}{TEXT}</main>".encode()
    monkeypatch.setattr(owner, function, broken)
    result = rewritten(html, policy_with(AFTER_DIVS))
    with pytest.raises(LawBroken):
        check_trees(html, result.body, result.insertions, html5lib_parser, scripting=True)


# --- law 3: no plan exceeds a limit -----------------------------------------------------------------


@law(300)
@given(data=st.data(), policy=strict_policies())
def test_law_3_no_plan_exceeds_a_limit_whatever_the_page(data: st.DataObject, policy: Policy) -> None:
    page = data.draw(measured_pages(policy))
    made = plan(page, policy)
    event("placed" if made.placements else "nothing placed")
    check_plan(page, policy, made)


@law(100)
@given(html=pages(), policy=strict_policies())
def test_law_3_no_plan_of_a_real_page_exceeds_a_limit(html: bytes, policy: Policy) -> None:
    result = rewrite(html, policy)
    note(result)
    if isinstance(result, Rewritten):
        check_plan(result.page, policy, result.plan)


_KINDS = {
    "p": BlockKind.PARAGRAPH,
    "h": BlockKind.HEADING,
    "m": BlockKind.MEDIA,
    "a": BlockKind.AD,
    "s": BlockKind.ASIDE,
}


def _page_of(kinds: str) -> Page:
    """A page of numbers: a letter for each block."""
    blocks = tuple(
        Block(_KINDS[k], 50, 300, PerDevice(200, 120), avoided=(0,) if i == 4 else ()) for i, k in enumerate(kinds)
    )
    gaps = tuple(Gap(Anchor(10 * i + 10, Edge.BEFORE_START, i, settled=i % 2 == 0)) for i in range(len(kinds) + 1))
    return Page(blocks=blocks, gaps=gaps)


_FAR = Distance(120, "words")
_LIMITS: dict[str, tuple[str, Callable[[Policy], Policy]]] = {
    "ad_share": ("pppppppp", lambda p: replace(p, limits=replace(p.limits, ad_share=PerDevice(0.1, 0.1)))),
    "gap": ("pppppppp", lambda p: replace(p, limits=replace(p.limits, gap=DistancePerDevice(_FAR, _FAR)))),
    "in_article": ("pppppppp", lambda p: replace(p, limits=replace(p.limits, in_article=2))),
    "in_article on phones": (
        "pppppppp", lambda p: replace(p, limits=replace(p.limits, in_article_on=Counts(2, 1000)))
    ),
    "max on desktops": (
        "pppppppp", lambda p: replace(p, slots=(replace(p.slots[0], max_on=Counts(1000, 1)),))
    ),
    "after_heading": ("ppphpppp", lambda p: replace(p, keep_clear=replace(p.keep_clear, after_heading=_FAR))),
    "around_media": ("pppmpppp", lambda p: replace(p, keep_clear=replace(p.keep_clear, around_media=_FAR))),
    "around_existing_ads": (
        "pppapppp", lambda p: replace(p, keep_clear=replace(p.keep_clear, around_existing_ads=_FAR))
    ),
    "around_asides": ("pppspppp", lambda p: replace(p, keep_clear=replace(p.keep_clear, around_asides=_FAR))),
    "around": ("pppppppp", lambda p: replace(p, keep_clear=replace(p.keep_clear, around=((".x", _FAR),)))),
    "max": ("pppppppp", lambda p: replace(p, slots=(replace(p.slots[0], max=1),))),
    "article_min": ("pppppppp", lambda p: replace(p, slots=(replace(p.slots[0], article_min=Distance(900, "words")),))),
    "first_after": ("pppppppp", lambda p: replace(p, slots=(replace(p.slots[0], first_after=_FAR),))),
    "before_end": ("pppppppp", lambda p: replace(p, slots=(replace(p.slots[0], before_end=_FAR),))),
    "every": ("pppppppp", lambda p: replace(p, slots=(replace(p.slots[0], place=MidArticle(every=_FAR)),))),
    "sizes": ("pppppppp", lambda p: replace(
        p, slots=(replace(p.slots[0], sizes=SizeMap(((0, ()), (1024, (Size(728, 90),))))),)
    )),
    "settled": ("pppppppp", lambda p: replace(p, slots=(replace(p.slots[0], creative=PICTURE),))),
}  # fmt: skip


@pytest.mark.parametrize("name", _LIMITS)
def test_law_3_its_check_catches_a_planner_that_ignores_a_limit(name: str) -> None:
    kinds, with_limit = _LIMITS[name]
    page, strict = _page_of(kinds), with_limit(EVERY_GAP)
    check_plan(page, strict, plan(page, strict))
    heedless = plan(page, EVERY_GAP)
    assert heedless.placements
    with pytest.raises(LawBroken):
        check_plan(page, strict, heedless)


def test_law_3_its_check_catches_a_wrong_density() -> None:
    page = _page_of("pppppppp")
    made = plan(page, EVERY_GAP)
    with pytest.raises(LawBroken):
        check_plan(page, EVERY_GAP, replace(made, density=PerDevice(0.0, 0.0)))


# --- law 4: the result depends on the page and the rules alone --------------------------------------

Rewriter = Callable[[bytes, Policy], "Rewritten | Skip"]


def check_pure(rewriter: Rewriter, jobs: Sequence[tuple[bytes, Policy]], order: Sequence[int]) -> None:
    """Law 4: each job gives the same, whatever was done before it, and in whichever thread."""
    first = [rewriter(*job) for job in jobs]
    for i in order:
        if rewriter(*jobs[i]) != first[i]:
            raise LawBroken(f"page {i} came out otherwise when it was not the first time")
    with ThreadPoolExecutor(4) as pool:
        for i, result in zip(order, pool.map(lambda i: rewriter(*jobs[i]), order, timeout=60), strict=True):
            if result != first[i]:
                raise LawBroken(f"page {i} came out otherwise beside others")


@law(15)
@given(
    jobs=st.lists(st.tuples(pages(), open_policies()), min_size=2, max_size=4),
    order=st.lists(st.integers(0, 1), max_size=6),
)
def test_law_4_what_was_rewritten_before_changes_nothing(jobs: list[tuple[bytes, Policy]], order: list[int]) -> None:
    check_pure(rewrite, jobs, order)


def test_law_4_its_check_catches_a_rewrite_that_remembers() -> None:
    seen: list[bytes] = []

    def remembering(html: bytes, policy: Policy) -> Rewritten | Skip:
        seen.append(html)
        result = rewritten(html, policy)
        return replace(result, body=result.body + b"<!-- %d -->" % len(seen))

    with pytest.raises(LawBroken):
        check_pure(remembering, [(ARTICLE, EVERY_GAP)], [0])


_DIGEST = """
import sys, hashlib, pathlib
sys.path.insert(0, sys.argv[1])
from test_laws import digest_of_fixed_pages
print(digest_of_fixed_pages())
"""


def digest_of_fixed_pages() -> str:
    """A fingerprint of what the rewrite makes of some pages, plans and refusals included."""
    policies = [EVERY_GAP, EVERY_GAP_TALKING, bombs.policy()]
    html = [
        ARTICLE,
        ARTICLE.replace(b"</p>", b""),
        ARTICLE.replace(b"<h1>", b"<aside class=sidebar><p>x</p></aside><h1>"),
    ]
    return sha256(repr([rewrite(page, policy) for page in html for policy in policies]).encode()).hexdigest()


@pytest.mark.parametrize("seed", ["1", "2"])
def test_law_4_another_process_with_another_hash_seed_gives_the_same(seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DIGEST, str(Path(__file__).parent)],
        env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == digest_of_fixed_pages()


# --- law 5: a page left alone keeps its bytes -------------------------------------------------------


@law(60)
@given(html=pages(), policy=strict_policies())
def test_law_5_a_page_that_gets_no_slot_keeps_its_bytes(html: bytes, policy: Policy) -> None:
    result = rewrite(html, policy)
    note(result)
    if isinstance(result, Rewritten) and not result.plan.placements:
        assert result.body == html
        assert not result.insertions


# --- law 6: rewriting a rewritten page changes nothing ----------------------------------------------


def check_idempotent(rewriter: Rewriter, html: bytes, first: Policy, second: Policy) -> None:
    """Law 6: a second pass, be it with other rules, leaves the output of the first as it is."""
    once = rewriter(html, first)
    if not isinstance(once, Rewritten) or not once.insertions:
        return
    twice = rewriter(once.body, second)
    if isinstance(twice, Rewritten) and twice.body != once.body:
        raise LawBroken(f"the second pass put {len(twice.insertions)} insertions in")


@law(60)
@given(html=pages(), first=open_policies(), second=open_policies())
def test_d17_law_6_rewriting_a_rewritten_page_changes_nothing(html: bytes, first: Policy, second: Policy) -> None:
    check_idempotent(rewrite, html, first, second)


def test_law_6_a_rewritten_page_is_known_as_such() -> None:
    again = rewrite(rewritten(ARTICLE, EVERY_GAP).body, EVERY_GAP)
    assert isinstance(again, Skip)
    assert again.reason is SkipReason.ALREADY_REWRITTEN


@pytest.mark.source
def test_law_6_its_check_catches_a_rewrite_that_does_not_know_its_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_read, "_OURS", "[data-of-somebody-else]")
    with pytest.raises(LawBroken):
        check_idempotent(rewrite, ARTICLE, EVERY_GAP, policy_with(BEFORE_PARAGRAPHS))


# --- law 7: no input raises, hangs or grows ---------------------------------------------------------


def check_survives(rewriter: Rewriter, html: bytes, policy: Policy) -> Rewritten | Skip:
    """Law 7: whatever the bytes, there is an answer."""
    try:
        return rewriter(html, policy)
    except Exception as problem:
        raise LawBroken(f"{problem!r} for {html[:80]!r}") from problem


@law(150)
@given(html=st.one_of(st.binary(max_size=400), st.binary(max_size=400).map(lambda b: b"<" + b)), policy=open_policies())
def test_law_7_any_bytes_have_an_answer(html: bytes, policy: Policy) -> None:
    note(check_survives(rewrite, html, policy))


def _mutated(html: bytes, seed: int) -> bytes:
    """A page with bytes changed, cut, doubled and put elsewhere, always the same for a seed."""
    chance = random.Random(seed)
    made = bytearray(html)
    for _ in range(chance.randint(1, 12)):
        at, length = chance.randrange(len(made) + 1), chance.choice([1, 1, 2, 5, 30, 200])
        piece = bytes(made[at : at + length])
        kind = chance.randrange(5)
        if kind == 0:
            del made[at : at + length]
        elif kind == 1:
            made[at:at] = bytes(chance.randrange(256) for _ in range(length % 7))
        elif kind == 2:
            made[at:at] = piece
        elif kind == 3:
            elsewhere = chance.randrange(len(made) + 1)
            made[elsewhere:elsewhere] = piece
        else:
            made[at:at] = chance.choice(
                [b"<", b">", b'"', b"'", b"<!--", b"</p>", b"<p>", b"=", b"\0", b"<svg>", b"</b>"]
            )
    return bytes(made)


@law(150)
@given(html=pages(), seed=st.integers(0, 1 << 32), policy=open_policies())
def test_law_7_pages_damaged_at_random_have_an_answer_and_keep_their_bytes(
    html: bytes, seed: int, policy: Policy
) -> None:
    damaged = _mutated(html, seed)
    result = check_survives(rewrite, damaged, policy)
    note(result)
    if isinstance(result, Rewritten):
        check_bytes(damaged, result.body, result.insertions)


@law(60)
@given(html=pages(), seed=st.integers(0, 1 << 32), policy=open_policies(), scripting=st.booleans())
def test_law_2_holds_for_pages_damaged_at_random(
    parse5_parser: Parse5, html: bytes, seed: int, policy: Policy, scripting: bool
) -> None:
    damaged = _mutated(html, seed)
    result = rewrite(damaged, policy)
    note(result)
    if isinstance(result, Rewritten) and result.insertions:
        check_trees(damaged, result.body, result.insertions, parse5_parser, scripting=scripting)


def test_law_7_its_check_catches_a_rewrite_that_raises() -> None:
    def strict(html: bytes, policy: Policy) -> Rewritten | Skip:
        html.decode("utf-8")
        return rewrite(html, policy)

    with pytest.raises(LawBroken):
        check_survives(strict, b"<p>\xff", EVERY_GAP)


BOMB_SECONDS = 2.0
"""Of CPU, for one page: what only a hang takes, on whatever machine the tests run."""
BOMB_MEBIBYTES = 32
"""How much the memory may grow for one page of two megabytes."""


def check_costs(costs: dict[str, object]) -> None:
    """Law 7: no page costs more CPU or memory than its bound, or ends the process."""
    seconds, mebibytes = costs["seconds"], costs["mebibytes"]
    assert isinstance(seconds, float)
    assert isinstance(mebibytes, float)
    if costs["error"]:
        raise LawBroken(f"{costs['name']}: {costs['error']}")
    if seconds > BOMB_SECONDS:
        raise LawBroken(f"{costs['name']}: {seconds:.1f} s of CPU")
    if mebibytes > BOMB_MEBIBYTES:
        raise LawBroken(f"{costs['name']}: {mebibytes:.0f} MiB")


def _costs_of(target: str, only: str = "") -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "bombs.py"), target, only],
        capture_output=True, text=True, timeout=110, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


@cache
def _costs_of_all_bombs() -> dict[str, dict[str, object]]:
    return {str(costs["name"]): costs for costs in _costs_of("rewrite")}


@pytest.mark.parametrize("name", [name for name, _ in bombs.bombs()])
@pytest.mark.xdist_group("bombs")
def test_f25_law_7_no_page_costs_more_than_its_bound(name: str) -> None:
    check_costs(_costs_of_all_bombs()[name])


@pytest.mark.parametrize("target", ["hog", "dawdle", "crash"])
def test_law_7_its_check_catches_a_rewrite_that_costs_too_much(target: str) -> None:
    (costs,) = _costs_of(target, "less-than signs")
    with pytest.raises(LawBroken):
        check_costs(costs)
