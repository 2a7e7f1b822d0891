"""Merged values to a `RuleBook`: what only shows when all layers lie together is checked here.

A directory is read flat: each ``*.yaml`` and ``*.yml`` in it that isn't hidden and doesn't start with ``_``. A file
that states `site` is a rule set; the others are parts for `use`, checked as far as a part can be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import cast

from adproxy.errors import Problem, RulesError
from adproxy.rules import schema
from adproxy.rules.doubts import Kind, doubt, doubts_of, repeated_hosts
from adproxy.rules.globs import covers
from adproxy.rules.merge import Draft, Merged, Sources, overlay, presets_folder, problem, without
from adproxy.rules.policy import PolicyMaker
from adproxy.rules.public_files import lint, nobodys, public_name, read_public_files
from adproxy.rules.revision import revision_of
from adproxy.rules.ruleset import PageRule, Policy, RuleBook, RuleSet, Shown
from adproxy.rules.screens import named_in
from adproxy.rules.strict_yaml import Map, Mark, Node, Scalar, Seq, plain, quoted
from adproxy.rules.values import nearest, one_of, parse_pause

EVERYWHERE = "/**"
"""The glob of a rule set without `pages`."""
MAX_SHOWN = 80
"""Characters of a value as `show` prints it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with rules, and what can hardly be meant."""

    problems: tuple[Problem, ...]
    """Where there is one, the rules can't be used."""
    warnings: tuple[Problem, ...]


def load_rules(path: Path, draft: Draft | None = None) -> RuleBook:
    """Read a rules file, or a directory of them, and all that they use.

    A single file needs no `site`: its name without the ending serves then, so that a preset can be tried out.
    `draft`: texts to read in place of some of the files.
    Raises `RulesError` with every problem of every file.
    """
    sources = Sources(draft)
    made = tuple(rule_set for rule_set, _ in _all_rule_sets(path, sources))
    public_files = read_public_files(path, sources) if path.is_dir() else ()
    if sources.problems:
        raise RulesError(sources.sorted_problems())
    return RuleBook(
        rule_sets=made,
        files=tuple(sources.files[name] for name in sorted(sources.files)),
        public_files=public_files,
        revision=revision_of(
            tuple(
                (
                    r.site,
                    sorted(r.hosts),
                    r.paused,
                    tuple((p.glob, p.policy.revision if p.policy else "") for p in r.pages),
                )
                for r in sorted(made, key=lambda r: r.site)
            )
        ),
        origins=MappingProxyType(dict(_origins(made))),
    )


def check_paths(paths: Iterable[Path]) -> Checked:
    """All that is to be said of files and directories of rules. A part without `site` is fine."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    beside: dict[Path, list[tuple[RuleSet, Mark]]] = {}
    for path in paths:
        sources = Sources()
        if path.is_dir():
            sites = [rule_set.site for rule_set, _ in _all_rule_sets(path, sources)]
            public_files = read_public_files(path, sources)
            sources.warnings.extend(nobodys(path, public_files, sites))
            for file in public_files:
                _lint(path / (f"{file.site}.{file.name}" if file.site else file.name), file.content, sources)
        elif public_name(path.name) is not None:
            if (content := sources.text(path, None)) is not None:
                _lint(path, content, sources)
        elif (merged := sources.merged(path)) is not None:
            whole = "site" in merged.own.entries
            made = _compile(merged, path, sources, whole=whole)
            beside.setdefault(path.resolve().parent, []).extend(made if whole else ())
        problems.extend(sources.sorted_problems())
        warnings.extend(sources.warnings)
    for rule_sets in beside.values():
        # each by itself is fine; loaded as the directory that they lie in, they are not
        named = [(rule_set, at) for rule_set, at in rule_sets if rule_set.hosts]
        warnings.extend(replace(conflict, warning=True) for conflict in _conflicts(named))
    order = sorted(dict.fromkeys(warnings), key=lambda p: (p.file, p.line, p.column))
    return Checked(tuple(dict.fromkeys(problems)), tuple(order))


def _lint(file: Path, content: bytes, sources: Sources) -> None:
    for found in lint(file, content):
        (sources.warnings if found.warning else sources.problems).append(found)


def _all_rule_sets(path: Path, sources: Sources) -> list[tuple[RuleSet, Mark]]:
    rule_sets = list(_rule_sets(path, sources))
    if not sources.problems:
        sources.problems.extend(_conflicts(rule_sets))
    return rule_sets


def _rule_sets(path: Path, sources: Sources) -> Iterator[tuple[RuleSet, Mark]]:
    """The rule sets of a file or directory, each with the place that names it; problems go into `sources`."""
    if not path.is_dir():
        merged = sources.merged(path)
        if merged is not None:
            yield from _compile(merged, path, sources, whole=True)
        return
    names = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml") and not p.name.startswith((".", "_")))
    parts: list[tuple[Path, Merged]] = []
    stated = 0
    for name in names:
        merged = sources.merged(name)
        if merged is None:
            continue
        if "site" in merged.own.entries:
            stated += 1
            yield from _compile(merged, name, sources, whole=True)
        else:
            parts.append((name, merged))
    for name, merged in parts:
        _part(name, merged, sources)
    if not stated and not sources.problems:
        found = f"{len(names)} files without 'site'" if names else "no *.yaml file"
        hint = "Write 'site: my-site' into the file that is for your site"
        sources.problems.append(Problem(str(path), 1, 1, found, "a file that states 'site'", hint))


def _part(path: Path, merged: Merged, sources: Sources) -> None:
    """Check a part of a directory as far as a part can be."""
    warned = len(sources.warnings)
    _compile(merged, path, sources, whole=False)
    if path.resolve() in sources.asked_for:
        del sources.warnings[warned:]  # said of the files that use it, with all that they bring
    elif path.resolve().parent != presets_folder().resolve():
        hint = f"Write 'use: [./{path.name}]' into the file that it is for"
        found = "a part that no file beside it uses, so that it has no effect"
        sources.warnings.append(doubt(Mark(str(path), 1, 1), found, "'site', or a file that uses it", hint))


def _conflicts(rule_sets: Sequence[tuple[RuleSet, Mark]]) -> Iterator[Problem]:
    """Files that claim the same."""
    sites: dict[str, Mark] = {}
    hosts: dict[str, Mark] = {}
    for rule_set, at in rule_sets:
        if first := sites.get(rule_set.site):
            hint = "Each file needs a name of its own: it is the label in metrics"
            yield problem(at, f"the site '{rule_set.site}' again", f"another name than in {first}", hint)
        for host in rule_set.hosts or ("",):
            if first := hosts.get(host):
                found = f"the host '{host}' again" if host else "a second file without 'hosts'"
                expected = f"hosts that {first} doesn't claim"
                yield problem(at, found, expected, "" if host else "Write 'hosts: [...]' into at least one of the two")
        sites.setdefault(rule_set.site, at)
        for host in rule_set.hosts or ("",):
            hosts.setdefault(host, at)


def _origins(rule_sets: Iterable[RuleSet]) -> Iterator[tuple[str, str]]:
    """For each value where it came from; what an entry of `pages` states carries its path."""
    for rule_set in rule_sets:
        everywhere = {shown.key: shown.origin for shown in rule_set.shown}
        for key, origin in everywhere.items():
            yield f"{rule_set.site}: {key}", origin
        for page in rule_set.pages:
            for shown in page.shown:
                if everywhere.get(shown.key) != shown.origin:
                    yield f"{rule_set.site}: {page.glob}: {shown.key}", shown.origin


def _compile(merged: Merged, path: Path, sources: Sources, whole: bool) -> list[tuple[RuleSet, Mark]]:
    """One file as a rule set; nothing where a problem came up. `whole`: it must stand by itself."""
    before = len(sources.problems)
    site_node = merged.own.entries.get("site")
    site = site_node.text if isinstance(site_node, Scalar) else re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem)
    base = without(merged.whole, {"site", "hosts", "version", "pages", "pause"})
    pages = merged.whole.entries.get("pages")
    made: list[PageRule] = []
    kinds: list[Kind] = []
    if isinstance(pages, Seq):
        made.extend(_pages(pages, base, path, sources, kinds, site=site, whole=whole))
    else:
        policy = PolicyMaker(base, site, sources, whole).make()
        made.append(PageRule(EVERYWHERE, policy, str(merged.own.at), tuple(_shown(base))))
        kinds += [Kind((EVERYWHERE,), base, policy)] if policy is not None else []
    if len(sources.problems) > before:
        return []
    sources.warnings.extend((*doubts_of(kinds), *repeated_hosts(merged.own)))
    document, _ = schema.validate(merged.own)
    assert document is not None  # it was validated when it was read
    paused = _paused(merged.whole, made, sources)
    if len(sources.problems) > before:
        return []
    at = site_node.at if site_node is not None else Mark(str(path), 1, 1)
    screens = named_in(page.glob for page in made)
    return [(RuleSet(site, document.hosts or (), tuple(made), str(path), tuple(_shown(base)), paused, screens), at)]


def _paused(whole: Map, pages: Sequence[PageRule], sources: Sources) -> tuple[str, ...] | None:
    """The slots that `pause` names; one that no page has would do nothing, and is refused."""
    node = whole.entries.get("pause")
    if node is None:
        return ()
    paused = parse_pause(plain(node))
    names = list(dict.fromkeys(slot.name for page in pages if page.policy for slot in page.policy.slots))
    for index, name in enumerate(paused or ()):
        if names and name not in names:
            at = schema.find(node, (index,))[1]
            sources.problems.append(problem(at, f"the slot '{name}'", one_of(names), nearest(name, names)))
    return paused


def _pages(
    pages: Seq, base: Map, path: Path, sources: Sources, kinds: list[Kind], *, site: str, whole: bool
) -> Iterator[PageRule]:
    """The entries of `pages`, each laid over the rest; an entry with several paths makes a rule for each. What was made
    of each goes into `kinds`."""
    seen: dict[str, Mark] = {}
    policies: dict[int, Policy | None] = {}
    for index, entry in enumerate(pages.items):
        assert isinstance(entry, Map)  # the schema saw to it
        ads = entry.entries.get("ads")
        off = isinstance(ads, Scalar)
        laid: Map | None = base
        if "use" in entry.entries and not off:
            laid = _with_use(entry.entries["use"], base, path, sources)
        own = without(entry, {"path", "use"})
        if off and len(entry.entries) > 2:
            extra = next(name for name in entry.entries if name not in ("path", "ads"))
            found = f"'{extra}' beside 'ads: false'"
            sources.problems.append(problem(entry.keys_at[extra], found, "'path' alone, as there are no ads"))
        if laid is not None:
            laid = laid if off else overlay(laid, own)
            policies[index] = None if off else PolicyMaker(laid, site, sources, whole).make()
        policy = policies.get(index)
        path_node = entry.entries["path"]
        globs = path_node.items if isinstance(path_node, Seq) else (path_node,)
        if laid is not None and policy is not None:
            kinds.append(Kind(tuple(cast(Scalar, glob).text for glob in globs), laid, policy))
        for glob in globs:
            text = cast(Scalar, glob).text
            hint = "The first entry that matches holds"
            if first := seen.get(text) or seen.get(EVERYWHERE):
                sources.problems.append(
                    problem(glob.at, f"{quoted(text)} after {first}", "a path that can be reached", hint)
                )
            elif earlier := next((other for other in seen if covers(other, text)), None):
                found = f"{quoted(text)} after {quoted(earlier)} in {seen[earlier]}, which matches all of it"
                sources.warnings.append(doubt(glob.at, found, "a path that can be reached", f"{hint}: put it above"))
            seen.setdefault(text, glob.at)
            shown = () if off or laid is None else tuple(_shown(laid))
            yield PageRule(text, policies.get(index), str(entry.at), shown)


def _with_use(use: Node, base: Map, path: Path, sources: Sources) -> Map | None:
    """What an entry of `pages` uses, laid over the rest of the file."""
    used = sources.used(use, (path.resolve(),))
    if used is None:
        return None
    if "pages" in used.entries:
        hint = "Its pages would be looked up within these pages"
        sources.problems.append(problem(use.at, "a file that has 'pages' itself", "one without 'pages'", hint))
        return None
    return overlay(base, used)


def _shown(node: Node, prefix: str = "") -> Iterator[Shown]:
    """The values below a node, each with its dotted key and origin."""
    if isinstance(node, Map) and node.entries:
        for name, value in node.entries.items():
            yield from _shown(value, f"{prefix}.{name}" if prefix else name)
    else:
        text = _inline(node)
        short = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
        yield Shown(prefix, short, str(node.at))


def _inline(node: Node) -> str:
    if isinstance(node, Map):
        return "{" + ", ".join(f"{name}: {_inline(value)}" for name, value in node.entries.items()) + "}"
    if isinstance(node, Seq):
        return "[" + ", ".join(_inline(item) for item in node.items) + "]"
    return " ".join(node.text.split()) if node.text else '""'
