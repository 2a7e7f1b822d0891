"""Files for those who buy advertising, kept beside the rules and served at the site's root: ads.txt, app-ads.txt,
sellers.json.

``ads.txt`` is for all sites of the directory, ``NAME.ads.txt`` for the one whose rules state ``site: NAME``. A mistake
in such a file is told by `lint` and by nothing else: who reads it passes over a line that is wrong, and it would be
worse to go without the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from adproxy.errors import Problem
from adproxy.rules import ads_txt, sellers_json
from adproxy.rules.merge import Sources
from adproxy.rules.ruleset import PublicFile
from adproxy.rules.strict_yaml import MAX_BYTES

NAMES = ("ads.txt", "app-ads.txt", "sellers.json")
MAX_TOLD = 50
"""Problems of one file; somebody who put another file there needs no thousand."""


def public_name(file: str) -> tuple[str, str] | None:
    """The name at the site's root that a file's name stands for, and the site that it is for, empty for all; None
    where it is another file."""
    for name in NAMES:
        if file == name:
            return name, ""
        if file.endswith(f".{name}") and not file.startswith((".", "_")):
            return name, file.removesuffix(f".{name}")
    return None


def read_public_files(folder: Path, sources: Sources) -> tuple[PublicFile, ...]:
    """Those of a directory of rules; what can't be served at all is a problem in `sources`."""
    found: list[PublicFile] = []
    for file in sorted(folder.iterdir()):
        named = public_name(file.name)
        content = sources.text(file, None) if named is not None else None
        if named is None or content is None:
            continue
        if len(content) > MAX_BYTES:
            expected = f"at most {MAX_BYTES}"
            sources.problems.append(Problem(str(file), 1, 1, f"more than {MAX_BYTES} bytes", expected))
            continue
        found.append(PublicFile(named[0], named[1], content, sources.files[str(file)].sha256))
    return tuple(found)


def lint(file: Path, content: bytes) -> tuple[Problem, ...]:
    """What is wrong with one such file; those of its problems that are warnings say so."""
    return tuple(islice(_lint(file, content), MAX_TOLD))


def _lint(file: Path, content: bytes) -> Iterator[Problem]:
    if content.startswith(b"\xef\xbb\xbf"):
        hint = "Save it as UTF-8 without one: it would be taken for a part of the first line"
        yield Problem(str(file), 1, 1, "a byte order mark", "a file that begins with its text", hint)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        yield Problem(str(file), line, column, f"the byte {content[error.start]:#04x}", "a file in UTF-8")
        return
    check = sellers_json.lint if file.name.endswith(".json") else ads_txt.lint
    yield from check(text, str(file))


def nobodys(folder: Path, files: Iterable[PublicFile], sites: Iterable[str]) -> Iterator[Problem]:
    """A warning for each file that is for a site which no rules file states."""
    known = set(sites)
    for file in files:
        if file.site and file.site not in known:
            path = str(folder / f"{file.site}.{file.name}")
            expected = f"'{file.name}' for all sites, or a name that begins with one of {', '.join(sorted(known))}"
            yield Problem(
                path, 1, 1, f"a file for the site '{file.site}', which has no rules", expected, "", warning=True
            )
