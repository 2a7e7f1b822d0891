"""The command line. Exit codes: 0 fine, 1 the input is wrong (stderr says what, where and what to do), 2 misuse."""

from __future__ import annotations

import http.client
import io
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlsplit

import typer

from adproxy import __version__
from adproxy.charset import sniff
from adproxy.codings import decode
from adproxy.eligibility import content_codings, response_skip, values
from adproxy.errors import AdproxyError, PageError
from adproxy.model import DEVICES, Page, Plan, Refusal, Skip, SkipReason
from adproxy.rewrite import Rewritten
from adproxy.rewrite import rewrite as rewrite_page
from adproxy.rules.compile import check_paths, load_rules
from adproxy.rules.match import choose, describe_policy
from adproxy.rules.reference import json_schema
from adproxy.rules.ruleset import Choice, FixedPlace, MidArticle, Place, Policy, RuleBook, SelectorPlace
from adproxy.settings import Settings

MAX_PAGE_BYTES = 32 << 20
"""Larger files and answers are not read; above all that adproxy could ever be set to rewrite sensibly."""
CONNECT_SECONDS = 10.0
"""Longest silence of a server, at each step."""
FETCH_SECONDS = 30.0
"""Longest time for a whole page."""
PROGRESS_SECONDS = 0.2

app = typer.Typer(
    name="adproxy",
    help="Places ad slots in article pages by rules written in YAML, and leaves every byte of the page as it was.",
    no_args_is_help=True,
    add_completion=False,
    # plain help: it is read in logs and pipes too, and square brackets in examples are no markup
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

RulesOption = Annotated[Path, typer.Option("--rules", metavar="R", help="A rules file, or a directory of them.")]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends in `SystemExit`. `arguments`: None takes those of the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # pages hold characters that a terminal's encoding may lack
            stream.reconfigure(errors="replace")
    try:
        app(args=arguments)
    except AdproxyError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        typer.echo(f"{named}{error.strerror or error}", err=True)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"adproxy {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


# --- commands -----------------------------------------------------------------------------


@app.command()
def demo(
    host: Annotated[str, typer.Option(help="Address that the site listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the site; 0: any free one.")] = 8080,
    office_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of metrics and status, on 127.0.0.1.")
    ] = 8081,
    rules: Annotated[
        Path | None, typer.Option(metavar="R", help="Rules to try out in place of the demo's own.", show_default=False)
    ] = None,
) -> None:
    """Serve a small built-in news site with its ad slots.

    Nothing else is needed: no site, no ad server, no network. It says what to look at; Ctrl-C ends it.

    \b
    Example:
      adproxy demo --port 8080
    """
    from adproxy.demo.run import RULES  # needs a web server, which the other commands do without
    from adproxy.demo.run import main as serve

    serve(host=host, port=port, office_port=office_port, rules=rules if rules is not None else RULES)


@app.command()
def rewrite(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A page, or a directory of *.html and *.htm.")],
    rules: RulesOption,
    out: Annotated[
        Path | None, typer.Option(metavar="OUT_DIR", help="Where pages go, under the same names. A page: or stdout.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address of the page, or what a directory's names are put behind."),
    ] = None,
) -> None:
    """Put the slots into saved pages.

    Pages that are left alone come out unchanged. The address decides which rules a page gets: by default the first
    host of the rules, then the file's name.

    \b
    Examples:
      adproxy rewrite --rules rules/ page.html > with-slots.html
      adproxy rewrite --rules rules/ --url https://news.example/ saved/ --out with-slots/
    """
    book = load_rules(rules)
    if source.is_dir():
        if out is None:
            raise typer.BadParameter("a directory needs one: where shall the pages go?", param_hint="--out")
        if out.resolve() == source.resolve():
            raise typer.BadParameter("is the directory that is read; name another one", param_hint="--out")
        base = _web_address(url) if url is not None else _home(book)
        _rewrite_directory(source, out, base, book)
        return
    address = _web_address(url) if url is not None else _home(book) + quote(source.name)
    work = _work(_read(source), address, book)
    if out is None:
        sys.stdout.buffer.write(work.body)
        sys.stdout.buffer.flush()
    else:
        _write(out / source.name, work.body)
    typer.echo(f"{source}: {work.summary}", err=True)


@app.command()
def explain(
    page: Annotated[str, typer.Argument(metavar="PAGE|URL", help="A saved page, or an address that is fetched.")],
    rules: RulesOption,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The address of a saved page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say for each slot where it is placed, or why not.

    Names every candidate position: the rule that refused it, what it needed, what was found. Shows the article as
    adproxy reads it, block by block, and the density of advertising on phones and desktops.

    \b
    Examples:
      adproxy explain --rules rules/ page.html
      adproxy explain --rules rules/ https://news.example/2024/05/story --json
    """
    book = load_rules(rules)
    if page.startswith(("http://", "https://")):
        if url is not None:
            raise typer.BadParameter("is for saved pages only; the page has an address", param_hint="--url")
        fetched = _fetch(_web_address(page))
        work = _work(fetched.body, fetched.url, book, fetched)
    else:
        address = _web_address(url) if url is not None else _home(book) + quote(Path(page).name)
        work = _work(_read(Path(page)), address, book)
    account = _account(page, work)
    if as_json:
        typer.echo(json.dumps(account, ensure_ascii=False, indent=2))
    else:
        for line in _told(account):
            typer.echo(line)


@app.command()
def check(
    rules: Annotated[list[Path], typer.Argument(metavar="RULES...", help="Rules files, or directories of them.")],
) -> None:
    """Check rules: every problem with its file, line and column.

    The exit code is 1 if there is one: run it before a deployment, in CI, or as a pre-commit hook.

    \b
    Example:
      adproxy check rules/
    """
    problems = check_paths(rules)
    for problem in problems:
        typer.echo(str(problem))
    if problems:
        raise typer.Exit(1)
    for path in rules:
        read = [Path(source.path) for source in load_rules(path).files]
        own = sum(path in (file, file.parent) for file in read)
        used = f", {len(read) - own} more by 'use'" if len(read) > own else ""
        typer.echo(f"{path}: {_count(own, 'file')} fine{used}")


@app.command()
def show(
    url: Annotated[str, typer.Argument(metavar="URL", help="The address of a page; it is not fetched.")],
    rules: RulesOption,
) -> None:
    """Print the rules that hold for one page.

    They are merged from presets and files; each value stands with the file and line that it comes from.

    \b
    Example:
      adproxy show https://news.example/2024/05/story --rules rules/
    """
    address = _web_address(url)
    book = load_rules(rules)
    choice = _choose(book, address)
    typer.echo(f"# {choice.why}")
    if choice.policy is None:
        return
    described = describe_policy(book, address)
    widths = [max((len(row[column]) for row in described), default=0) for column in (0, 1)]
    for key, value, origin in described:
        typer.echo(f"{key:<{widths[0]}}  {value:<{min(widths[1], 40)}}  {origin}".rstrip())


@app.command()
def schema() -> None:
    """Print the JSON Schema of rules files, for editors.

    With it an editor completes and checks the rules while you type; their first line names the file it is saved to.

    \b
    Example:
      adproxy schema > rules.schema.json
      # yaml-language-server: $schema=rules.schema.json
    """
    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


# --- one page -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fetched:
    url: str
    """After redirects."""
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    """Decoded."""


@dataclass(frozen=True, slots=True)
class _Work:
    """One page and what became of it."""

    url: str
    html: bytes
    choice: Choice
    encoding: str | None
    result: Rewritten | Skip

    @property
    def body(self) -> bytes:
        return self.html if isinstance(self.result, Skip) else self.result.body

    @property
    def summary(self) -> str:
        if isinstance(self.result, Skip):
            return f"left alone: {_reason(self.result)}"
        return f"rewritten with {_count(len(self.result.plan.placements), 'slot')}"


def _work(html: bytes, url: str, book: RuleBook, fetched: _Fetched | None = None) -> _Work:
    """Decide about one page, as the middleware would."""
    choice = _choose(book, url)
    content_type = next(iter(values(fetched.headers, b"content-type")), "") if fetched is not None else ""
    encoding = sniff(html, content_type)
    result: Rewritten | Skip
    if choice.policy is None:
        result = Skip(SkipReason.PATH if book.rule_sets else SkipReason.NO_RULES, choice.why)
    else:
        result = _result(html, url, choice.policy, encoding, fetched)
    return _Work(url, html, choice, encoding, result)


def _result(html: bytes, url: str, policy: Policy, encoding: str | None, fetched: _Fetched | None) -> Rewritten | Skip:
    settings = Settings()
    if fetched is not None and (skip := response_skip(fetched.status, fetched.headers)) is not None:
        return skip
    if len(html) > settings.max_page_bytes:
        return Skip(SkipReason.TOO_LARGE, f"{len(html)} bytes, more than {settings.max_page_bytes}")
    if encoding is None:
        return Skip(SkipReason.CHARSET, "unknown, or one in which ASCII may not be spliced in")
    csp = tuple(values(fetched.headers, b"content-security-policy")) if fetched is not None else ()
    path = unquote(urlsplit(url).path) or "/"
    try:
        return rewrite_page(html, policy, encoding=encoding, csp_headers=csp, path=path, prefix=settings.prefix)
    except Exception as bug:  # one page in a thousand that meets a bug of ours must not cost the others
        return Skip(SkipReason.ERROR, f"{type(bug).__name__}: {bug}")


def _choose(book: RuleBook, url: str) -> Choice:
    parts = urlsplit(url)
    return choose(book, parts.hostname or "", parts.path or "/")


def _home(book: RuleBook) -> str:
    """The address that saved pages without one are taken to come from."""
    hosts = [host for rule_set in book.rule_sets for host in rule_set.hosts]
    return f"http://{hosts[0].replace('*.', 'www.')}/" if hosts else "http://localhost/"


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise typer.BadParameter(
            f"found {url!r}; expected an address like https://news.example/story", param_hint="URL"
        )
    return url


def _read(file: Path) -> bytes:
    if not file.is_file():
        raise PageError(f"{file}: found {'no page' if file.exists() else 'nothing'}; expected an HTML file")
    size = file.stat().st_size
    if size > MAX_PAGE_BYTES:
        raise PageError(f"{file}: found {size} bytes; expected at most {MAX_PAGE_BYTES}")
    return file.read_bytes()


def _write(file: Path, body: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)


def _fetch(url: str) -> _Fetched:
    """A page as a reader's first visit gets it, within `FETCH_SECONDS`, or `PageError`."""
    outcome: list[_Fetched | Exception] = []

    def fetch() -> None:
        try:
            outcome.append(_fetched(url))
        except Exception as error:
            outcome.append(error)

    # a socket's time-out is for each silence, and name look-ups have none: only a thread can be left behind
    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(FETCH_SECONDS)
    if not outcome:
        raise PageError(f"{url}: not complete after {FETCH_SECONDS:g} s")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _fetched(url: str) -> _Fetched:
    """The fetch itself. Never anything but http and https, redirects included."""
    opener = urllib.request.OpenerDirector()  # by hand: the usual one opens file: and ftp: as well
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(
        url, headers={"User-Agent": f"adproxy/{__version__}", "Accept": "text/html", "Accept-Encoding": "gzip"}
    )
    pieces: list[bytes] = []
    size = 0
    try:
        response = opener.open(request, timeout=CONNECT_SECONDS)
        if response is None:
            raise PageError(f"{url}: was sent to an address that is neither http nor https")
        with response:
            while piece := response.read1(1 << 16):
                pieces.append(piece)
                size += len(piece)
                if size > MAX_PAGE_BYTES:
                    raise PageError(f"{url}: found more than {MAX_PAGE_BYTES} bytes; expected a page")
            if response.length:
                raise PageError(f"{url}: ended {response.length} bytes too early")
            headers = tuple(
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()
            )
            status, final = response.status, response.url
    except urllib.error.HTTPError as error:
        error.close()
        raise PageError(f"{url}: answered {error.code} {error.reason}; expected a page (200)") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise PageError(f"{url}: can't be fetched: {reason}") from error
    body: bytes | Skip = b"".join(pieces)
    for coding in reversed(content_codings(headers)):
        body = decode(body, coding, MAX_PAGE_BYTES) if isinstance(body, bytes) else body
    if isinstance(body, Skip):
        raise PageError(f"{url}: its content coding can't be undone: {_reason(body)}")
    return _Fetched(final, status, headers, body)


# --- a directory --------------------------------------------------------------------------


def _pages_below(source: Path, out: Path) -> Iterator[Path]:
    """The pages of a directory by name, relative to it; not those of `out`, should that lie inside."""
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if (Path(folder) / name).resolve() != out.resolve())
        for name in sorted(names):
            file = Path(folder) / name
            if file.suffix.lower() in (".html", ".htm") and file.is_file():
                yield file.relative_to(source)


def _rewrite_directory(source: Path, out: Path, base: str, book: RuleBook) -> None:
    names = list(_pages_below(source, out))
    if not names:
        raise PageError(f"{source}: found no page; expected files that end in .html or .htm")
    skipped: Counter[str] = Counter()
    slots: Counter[str] = Counter()
    terminal = sys.stderr.isatty()
    told = 0.0
    for done, name in enumerate(names, start=1):
        work = _work(_read(source / name), base.rstrip("/") + "/" + quote(name.as_posix()), book)
        _write(out / name, work.body)
        if isinstance(work.result, Skip):
            skipped[work.result.reason.value] += 1
        else:
            slots.update(placement.slot for placement in work.result.plan.placements)
        if terminal and (time.monotonic() - told > PROGRESS_SECONDS or done == len(names)):
            told = time.monotonic()
            typer.echo(f"\r{done} of {len(names)} pages", nl=done == len(names), err=True)
    typer.echo(f"{_count(len(names), 'page')}: {len(names) - skipped.total()} rewritten", err=True)
    for label, counts in (("left alone", skipped), ("slots placed", slots)):
        parts = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        typer.echo(f"{label}: {counts.total()}{f' ({parts})' if parts else ''}", err=True)


# --- the account of a page ----------------------------------------------------------------


def _account(name: str, work: _Work) -> dict[str, Any]:
    """What `explain` says, as JSON; the text is told from the same values."""
    policy, result = work.choice.policy, work.result
    account: dict[str, Any] = {
        "page": name,
        "url": work.url,
        "rules": {
            "why": work.choice.why,
            "site": policy.site if policy else None,
            "revision": policy.revision if policy else None,
        },
        "encoding": work.encoding,
        "skip": None,
    }
    if isinstance(result, Skip) or policy is None:
        if isinstance(result, Skip):
            account["skip"] = {"reason": result.reason.value, "detail": result.detail}
        return account
    page, plan = result.page, result.plan
    account["article"] = {
        "problem": page.article_problem,
        "words": page.words,
        "blocks": [
            {
                "kind": block.kind.value,
                "words": block.words,
                "height": {"phone": round(block.heights.phone), "desktop": round(block.heights.desktop)},
                "text": block.text,
            }
            for block in page.blocks
        ],
    }
    account["density"] = {
        device: {
            "share": round(getattr(plan.density, device), 4),
            "limit": getattr(policy.limits.ad_share, device),
            "content_height": round(getattr(plan.content, device)),
        }
        for device in DEVICES
    }
    account["slots"] = _slots(policy, plan, page, work.html)
    return account


def _slots(policy: Policy, plan: Plan, page: Page, html: bytes) -> list[dict[str, Any]]:
    return [
        {
            "slot": slot.name,
            "place": _place(slot.place),
            "max": slot.max,
            "placements": [
                {
                    "n": placement.n,
                    "gap": placement.anchor.gap,
                    "where": _where(placement.anchor.gap, page),
                    "offset": placement.anchor.offset,
                    "line": html.count(b"\n", 0, placement.anchor.offset) + 1,
                    "devices": list(placement.devices),
                }
                for placement in plan.placements
                if placement.slot == slot.name
            ],
            "refusals": [_refusal(refusal, page) for refusal in plan.refusals if refusal.slot == slot.name],
        }
        for slot in policy.slots
    ]


def _refusal(refusal: Refusal, page: Page) -> dict[str, Any]:
    return {
        "reason": refusal.reason.value,
        "required": refusal.required,
        "actual": refusal.actual,
        "gap": refusal.gap,
        "where": _where(refusal.gap, page),
        "device": refusal.device,
    }


def _told(account: dict[str, Any]) -> Iterator[str]:
    """The account as lines for a person."""
    rules = account["rules"]
    yield f"Page      {_clean(account['page'])}"
    yield f"Address   {_clean(account['url'])}"
    yield f"Rules     {rules['why']}" + (f"; revision {rules['revision']}" if rules["revision"] else "")
    if account["skip"] is not None:
        detail = f" ({_clean(account['skip']['detail'])})" if account["skip"]["detail"] else ""
        yield f"Result    left alone: {account['skip']['reason']}{detail}"
        return
    article, slots = account["article"], account["slots"]
    placed = sum(len(slot["placements"]) for slot in slots)
    yield f"Result    {_count(placed, 'slot')} placed"
    problem = f"; no place in it: {article['problem']}" if article["problem"] else ""
    yield f"Article   {_count(article['words'], 'word')} in {_count(len(article['blocks']), 'block')}{problem}"
    for label, device in zip(("Density", ""), DEVICES, strict=True):
        density = account["density"][device]
        yield (
            f"{label:<9} {device:<8} {density['share']:6.1%} of at most {density['limit']:.0%};"
            f" main content {density['content_height']} px"
        )
    yield from _told_outline(article["blocks"], slots)
    yield ""
    yield _bold("Slots")
    for slot in slots:
        yield from _told_slot(slot)


def _told_outline(blocks: list[dict[str, Any]], slots: list[dict[str, Any]]) -> Iterator[str]:
    yield ""
    yield _bold("Article, block by block (heights in px: phone, desktop)")
    in_gap: dict[int, list[str]] = {}
    for slot in slots:
        for placement in slot["placements"]:
            if placement["gap"] >= 0:
                in_gap.setdefault(placement["gap"], []).append(_mark(slot, placement))
    for gap in range(len(blocks) + 1):
        for mark in in_gap.get(gap, ()):
            yield f"    > {_bold(mark)}"
        if gap < len(blocks):
            block = blocks[gap]
            height = f"{block['height']['phone']}, {block['height']['desktop']}"
            yield (
                f"{gap + 1:>5} {block['kind']:<9} {_count(block['words'], 'word'):>10} {height:>12}"
                f"  {_clean(block['text'][:60])}"
            ).rstrip()


def _told_slot(slot: dict[str, Any]) -> Iterator[str]:
    count = len(slot["placements"])
    outcome = f"{count} of at most {slot['max']} placed" if count else "not placed"
    yield f"  {_bold(slot['slot'])}, {slot['place']}: {outcome}"
    for placement in slot["placements"]:
        where = placement["where"] or slot["place"]
        yield f"      placed   {where}, line {placement['line']} of the page{_only(placement)}"
    for refusal in slot["refusals"]:
        where = f"{refusal['where']}: " if refusal["where"] else ""
        device = f" on {refusal['device']}" if refusal["device"] else ""
        yield (
            f"      refused  {where}{refusal['reason']}{device},"
            f" needs {_clean(refusal['required'])}, found {_clean(refusal['actual'])}"
        )


def _mark(slot: dict[str, Any], placement: dict[str, Any]) -> str:
    number = f" {placement['n']}" if slot["max"] > 1 else ""
    return f"{slot['slot']}{number}{_only(placement)}"


def _only(placement: dict[str, Any]) -> str:
    devices = placement["devices"]
    return "" if len(devices) == len(DEVICES) else f" ({', '.join(devices)} only)"


def _where(gap: int, page: Page) -> str | None:
    if gap < 0:
        return None
    if gap == 0:
        return "before block 1"
    if gap >= len(page.blocks):
        return f"after block {len(page.blocks)}"
    return f"between blocks {gap} and {gap + 1}"


def _place(place: Place) -> str:
    match place:
        case FixedPlace():
            return place.value
        case MidArticle():
            return "mid-article"
        case SelectorPlace():
            return place.key
        case _:
            return f"sidebar: {place.widget}"


def _reason(skip: Skip) -> str:
    return f"{skip.reason.value} ({_clean(skip.detail)})" if skip.detail else skip.reason.value


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _clean(text: str) -> str:
    """What a page says may hold sequences that a terminal obeys."""
    return "".join(char if char.isprintable() else " " for char in text)


def _bold(text: str) -> str:
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return typer.style(text, bold=True)


if __name__ == "__main__":
    main()
