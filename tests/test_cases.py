"""Golden cases: a page, its rules and what comes of them, a folder for each thing that goes wrong in the wild.

A case holds ``page.html`` and ``rules.yaml``, ``headers.txt`` where the answer's head matters (Content-Type,
Content-Security-Policy), and what is expected: ``expected.html``, the exact bytes, and ``expected.yaml``, short enough
to be read by a person. After a change that is meant, write both anew and review what the command prints:

    python tests/test_cases.py --update [NAME...]
"""

import difflib
import sys
from functools import cache
from pathlib import Path
from typing import Any

import html5lib
import pytest
import yaml

from adproxy.charset import sniff
from adproxy.model import Plan, Reason, Refusal, Skip
from adproxy.rewrite import Rewritten, rewrite
from adproxy.rules.compile import load_rules
from adproxy.rules.match import choose
from adproxy.scripts import CLIENT
from adproxy.splice import unsplice

CASES = Path(__file__).parent / "cases"
NAMES = sorted(folder.name for folder in CASES.iterdir() if folder.is_dir())
PATH = "/2026/05/story"
"""Under which every case's page lies."""
SHOWN = 45
"""Characters of the text on either side of a slot."""
OURS = "data-adproxy"
NOT_READ = ("head", "script", "style", "template", "noscript", "textarea")

Token = tuple[Any, ...]


# --- running a case -------------------------------------------------------------------------------


def headers(folder: Path) -> dict[str, str]:
    file = folder / "headers.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def encoding(folder: Path, html: bytes) -> str:
    found = sniff(html, headers(folder).get("content-type", "text/html"))
    assert found is not None, "no case is about a page whose encoding is unknown"
    return found


@cache
def run(name: str) -> Rewritten | Skip:
    folder = CASES / name
    html = (folder / "page.html").read_bytes()
    choice = choose(load_rules(folder / "rules.yaml"), "cases.example", PATH)
    assert choice.policy is not None, choice.why
    policy = headers(folder).get("content-security-policy")
    return rewrite(
        html,
        choice.policy,
        encoding=encoding(folder, html),
        csp_headers=(policy,) if policy else (),
        path=PATH,
    )


# --- trees, by a parser that is not ours ------------------------------------------------------------


def is_ours(attributes: dict[str, str]) -> bool:
    return any(name.startswith(OURS) for name in attributes)


def tokens(node: Any) -> list[Token]:
    """A tree as a row of starts, ends and texts."""
    row: list[Token] = []
    attributes = dict(node.items())
    if isinstance(node.tag, str):
        row.append(("start", node.tag.rpartition("}")[2], attributes))
    else:
        row.append(("comment", node.text))
    if isinstance(node.tag, str) and node.text:
        row.append(("text", node.text))
    for child in node:
        row.extend(tokens(child))
        if child.tail:
            row.append(("text", child.tail))
    row.append(("end",))
    return row


def parse(html: bytes, codec: str, *, scripting: bool) -> list[Token]:
    text = html.removeprefix(b"\xef\xbb\xbf").decode(codec, "replace")
    return tokens(html5lib.HTMLParser().parse(text, scripting=scripting))


def without_ours(row: list[Token]) -> list[Token]:
    """A tree without our elements; what text they parted is joined again."""
    kept: list[Token] = []
    depth = 0
    for token in row:
        if (depth and token[0] in ("start", "comment")) or (token[0] == "start" and is_ours(token[2])):
            depth += 1
        elif token[0] == "end" and depth:
            depth -= 1
        elif not depth:
            if token[0] == "text" and kept and kept[-1][0] == "text":
                kept[-1] = ("text", kept[-1][1] + token[1])
            else:
                kept.append(token)
    return kept


def our_elements(row: list[Token]) -> list[list[Token]]:
    """The outermost elements that are ours, each with all that stands in it."""
    found: list[list[Token]] = []
    depth = 0
    for token in row:
        if not depth and token[0] == "start" and is_ours(token[2]):
            found.append([])
        if depth or (token[0] == "start" and is_ours(token[2])):
            found[-1].append(token)
            depth += {"start": 1, "comment": 1, "end": -1}.get(token[0], 0)
    return found


# --- the review -----------------------------------------------------------------------------------


def visible(row: list[Token]) -> list[tuple[str, str]]:
    """What a reader meets from top to bottom: ("text", …), ("media", tag) and ("slot", name)."""
    seen: list[tuple[str, str]] = []
    hidden = ours = 0
    for token in row:
        if token[0] == "start":
            if hidden or token[1] in NOT_READ:
                hidden += 1
            if ours or is_ours(token[2]):
                ours += 1
                if f"{OURS}-slot" in token[2]:
                    seen.append(("slot", token[2][f"{OURS}-slot"]))
            elif not hidden and token[1] in ("img", "iframe", "video", "hr", "table", "ul", "ol"):
                seen.append(("media", f"<{token[1]}>"))
        elif token[0] == "comment":
            hidden += 1
        elif token[0] == "end":
            hidden, ours = max(0, hidden - 1), max(0, ours - 1)
        elif not hidden and not ours and token[1].strip():
            seen.append(("text", " ".join(token[1].split())))
    return seen


def joined(parts: list[tuple[str, str]]) -> str:
    return " ".join(value for kind, value in parts if kind != "slot")


def review(name: str) -> dict[str, Any]:
    """The short list: each slot between the texts that a reader sees around it, and why there are not more: for each
    slot and reason how many candidates it met; for whole slots and for density also what the first needed and found."""
    result = run(name)
    if isinstance(result, Skip):
        return {"skip": result.reason.value, "detail": result.detail}
    seen = visible(parse(result.body, encoding(CASES / name, result.body), scripting=True))
    at = [i for i, (kind, _) in enumerate(seen) if kind == "slot"]
    slots = []
    for i, placement in zip(at, result.plan.placements, strict=True):
        slot: dict[str, Any] = {"slot": placement.slot, "n": placement.n}
        assert seen[i][1] == placement.slot
        slot["after"] = joined(seen[:i])[-SHOWN:].strip()
        slot["before"] = joined(seen[i + 1 :])[:SHOWN].strip()
        if len(placement.devices) == 1:
            slot["only"] = placement.devices[0]
        slots.append(slot)
    density = {"phone": f"{result.plan.density.phone:.1%}", "desktop": f"{result.plan.density.desktop:.1%}"}
    return {"slots": slots, "density": density, "refusals": refusals(result.plan)}


def refusals(plan: Plan) -> dict[str, list[str]]:
    by_slot: dict[str, dict[tuple[str, str], list[Refusal]]] = {}
    for refusal in plan.refusals:
        # what a candidate needed is the planner's own tests' business, and its wording would drown the rest
        told = refusal.gap < 0 or refusal.reason is Reason.DENSITY
        kind = (refusal.reason.value, refusal.required if told else "")
        by_slot.setdefault(refusal.slot, {}).setdefault(kind, []).append(refusal)
    return {
        slot: [
            f"{reason} ({len(found)})" + (f": needs {required}, found {found[0].actual}" if required else "")
            for (reason, required), found in kinds.items()
        ]
        for slot, kinds in by_slot.items()
    }


def as_text(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=200)


VERSION = b"client.js?v=VERSION"
"""How the files of the cases spell the script's address, which changes with each byte of the script."""
CURRENT = f"client.js?v={CLIENT.version}".encode()


def expected_page(name: str) -> bytes:
    return (CASES / name / "expected.html").read_bytes().replace(VERSION, CURRENT)


# --- the tests --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_slots_stand_where_a_person_has_said_they_should(name: str) -> None:
    assert as_text(review(name)) == (CASES / name / "expected.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_the_expected_one_to_the_byte(name: str) -> None:
    result = run(name)
    body = (CASES / name / "page.html").read_bytes() if isinstance(result, Skip) else result.body
    assert body == expected_page(name)


@pytest.mark.parametrize("name", NAMES)
def test_without_the_insertions_the_page_is_the_original(name: str) -> None:
    original = (CASES / name / "page.html").read_bytes()
    expected = expected_page(name)
    result = run(name)
    assert unsplice(expected, () if isinstance(result, Skip) else result.insertions) == original


@pytest.mark.parametrize("scripting", [True, False], ids=["scripting", "noscript"])
@pytest.mark.parametrize("name", NAMES)
def test_the_tree_without_our_elements_is_the_original_tree(name: str, scripting: bool) -> None:
    original = (CASES / name / "page.html").read_bytes()
    expected = expected_page(name)
    codec = encoding(CASES / name, original)
    result = run(name)
    before = parse(original, codec, scripting=scripting)
    after = parse(expected, codec, scripting=scripting)
    if isinstance(result, Skip):
        assert after == before
        return
    assert without_ours(after) == before
    written = b"".join(insertion.markup for insertion in result.insertions)
    alone = parse(b"<!doctype html><body>" + written, "ascii", scripting=scripting)
    assert our_elements(after) == our_elements(alone)


def test_each_case_has_its_rules_and_what_is_expected() -> None:
    files = {"page.html", "rules.yaml", "expected.html", "expected.yaml"}
    for name in NAMES:
        assert files <= {file.name for file in (CASES / name).iterdir()} <= files | {"headers.txt"}, name
    assert NAMES


# --- writing anew -----------------------------------------------------------------------------------


def update(name: str) -> None:
    """Write what is expected of a case anew, and print what changed."""
    folder = CASES / name
    result = run(name)
    body = (folder / "page.html").read_bytes() if isinstance(result, Skip) else result.body
    wanted = {"expected.yaml": as_text(review(name)).encode(), "expected.html": body.replace(CURRENT, VERSION)}
    for file_name, content in wanted.items():
        file = folder / file_name
        before = file.read_bytes() if file.exists() else b""
        old, new = (text.decode("utf-8", "replace").splitlines() for text in (before, content))
        for line in difflib.unified_diff(old, new, f"{name}/{file_name}", "now", lineterm="", n=1):
            print(line)
        file.write_bytes(content)


if __name__ == "__main__":
    if sys.argv[1:2] != ["--update"]:
        sys.exit(__doc__)
    for case in sys.argv[2:] or NAMES:
        update(case)
