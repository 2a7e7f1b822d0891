"""The command line. Exit codes: 0 fine, 1 the input is wrong (stderr says what, where and what to do), 2 misuse."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

import typer

from adproxy import __version__
from adproxy.account import account_of, choose_by_url, count, decide
from adproxy.errors import AdproxyError, PageError, SettingsError
from adproxy.event_figures import Format, Tail, lines
from adproxy.event_store import SECONDS_AN_HOUR, StoreUnavailable
from adproxy.explanation import Ink, told
from adproxy.marked_page import marked_page
from adproxy.measure import browser_of
from adproxy.measure import measure as measure_page
from adproxy.measure import told as told_measured
from adproxy.memory import keep_freed_memory
from adproxy.model import Skip
from adproxy.page.scan import IS_COMPILED
from adproxy.page_source import fetch, read
from adproxy.rules.compile import check_paths, load_rules
from adproxy.rules.match import describe_policy
from adproxy.rules.merge import presets_folder
from adproxy.rules.reference import json_schema
from adproxy.rules.ruleset import RuleBook
from adproxy.settings import Settings
from adproxy.sqlite_events import SqliteEvents
from adproxy.state_dir import default_path

PROGRESS_SECONDS = 0.2
TAIL_SECONDS = 1.0
"""Between two looks at what is being counted."""


class EventsWork(str, Enum):
    """What `adproxy events` can do."""

    EXPORT = "export"
    TAIL = "tail"


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
        typer.echo(f"adproxy {__version__} (pages are scanned by {'compiled code' if IS_COMPILED else 'Python'})")
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
def serve(
    upstream: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The site's own server, as https://origin.example:8443.", show_default=False),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(metavar="R", help="A rules file, or a directory of them; watched.", show_default=False),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address that readers come in at; 0.0.0.0: any.  [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the same; 0: any free one.  [default: 8080]")
    ] = None,
    office_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of metrics and status, on 127.0.0.1.  [default: 8081]"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, max=128, help="Processes that serve pages.  [default: one for each core]")
    ] = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="D", help="Where metrics outlive a restart.  [default: adproxy/port-PORT in ~/.local/state]"
        ),
    ] = None,
) -> None:
    """Serve a site with its ad slots, as a proxy in front of it.

    Each option, and many more settings, can be given in the environment as well: --upstream as ADPROXY_UPSTREAM, and
    so on; the README lists them all. An option wins over the environment.

    An edit of the rules is in force within two seconds; rules with a mistake are not taken, and the office, the second
    listener, says why. SIGTERM and Ctrl-C let requests under way finish, SIGHUP looks at the rules at once.

    \b
    Examples:
      adproxy serve --upstream http://127.0.0.1:8000 --rules rules/
      adproxy serve --upstream https://origin.example --rules rules/ --host 0.0.0.0 --port 80 --workers 4
    """
    if sys.platform != "linux":
        raise SettingsError(
            f"adproxy serve runs on Linux; found {sys.platform}. Elsewhere give adproxy.asgi:app to an ASGI server"
        )
    try:
        from adproxy.proxy_settings import ProxySettings
        from adproxy.serve import main as serve_until_stopped
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"found no {missing.name}, which serving needs; expected: pip install 'adproxy[proxy]'"
        ) from missing
    given = {
        "upstream": upstream,
        "rules": rules,
        "host": host,
        "port": port,
        "office_port": office_port,
        "workers": workers,
        "state_dir": state_dir,
    }
    settings = ProxySettings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    raise typer.Exit(serve_until_stopped(settings))


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
    address = _web_address(url) if url is not None else _home(book) + quote(os.fsencode(source.name))
    work = decide(read(source), address, book)
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
    html: Annotated[
        Path | None, typer.Option("--html", metavar="OUT.html", help="Write the page with all of it marked on it.")
    ] = None,
) -> None:
    """Say for each slot where it is placed, or why not.

    Shows the article as adproxy reads it, block by block, and between the blocks each candidate position: taken, or the
    rule that refused it, what it needed, what was found, and because of what. Then the slots that have a place of their
    own, and the density of advertising on phones and desktops.

    \b
    Examples:
      adproxy explain --rules rules/ page.html
      adproxy explain --rules rules/ page.html --html marked.html
      adproxy explain --rules rules/ https://news.example/2024/05/story --json
    """
    book = load_rules(rules)
    if page.startswith(("http://", "https://")):
        if url is not None:
            raise typer.BadParameter("is for saved pages only; the page has an address", param_hint="--url")
        fetched = fetch(_web_address(page))
        work = decide(fetched.body, fetched.url, book, fetched)
        base = fetched.url
    else:
        address = _web_address(url) if url is not None else _home(book) + quote(os.fsencode(Path(page).name))
        work = decide(read(Path(page)), address, book)
        base = url if url is not None else Path(page).resolve().as_uri()
    account = account_of(page, work)
    if html is not None:
        if html.resolve() == Path(page).resolve():
            raise typer.BadParameter("is the page that is read; name another file", param_hint="--html")
        if isinstance(work.result, Skip):
            raise PageError(f"{html}: not written; {page} is {work.summary}, so there is nothing to mark")
        _write(html, marked_page(work, account, base))
    if as_json:
        typer.echo(json.dumps(account, ensure_ascii=False, indent=2))
    else:
        for line in told(account, _paint):
            typer.echo(line)


@app.command()
def measure(
    url: Annotated[str, typer.Argument(metavar="URL", help="The address of an article.")],
    rules: Annotated[
        Path | None,
        typer.Option(metavar="R", help="A rules file, or a directory of them.  [default: the preset news]"),
    ] = None,
    browser: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Chromium or Chrome.  [default: the installed one]")
    ] = None,
) -> None:
    """Measure an article's layout and density in a browser.

    Opens the page with its slots as a phone and as a desktop show it, prints the lines for `layout` to paste into the
    rules, and the measured density of advertising beside the estimated one. Needs playwright and Chromium.

    \b
    Example:
      adproxy measure https://news.example/2024/05/story --rules rules/
    """
    address = _web_address(url)
    book = load_rules(rules if rules is not None else presets_folder() / "news.yaml")
    fetched = fetch(address)
    work = decide(fetched.body, fetched.url, book, fetched)
    with browser_of(browser) as opened:
        seen = measure_page(opened, work, fetched)
    for line in told_measured(work, seen):
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
        typer.echo(f"{path}: {count(own, 'file')} fine{used}")


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
    choice = choose_by_url(book, address)
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


@app.command()
def events(
    what: Annotated[EventsWork, typer.Argument(help="export: what was counted; tail: what is being counted.")],
    state_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="D",
            help="Where it is kept.  [default: ADPROXY_STATE_DIR, or what adproxy serve takes for port 8080]",
        ),
    ] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back to go, as 24h or 7d.")] = "24h",
    form: Annotated[Format, typer.Option("--format", help="JSON lines, or a table.")] = Format.JSONL,
    seconds: Annotated[float, typer.Option(min=0, help="End tail after so long; 0: at Ctrl-C.")] = 0,
) -> None:
    """Print what browsers reported, by article, slot and hour.

    Each line has the counts of one slot on one article in one hour, valid and invalid traffic apart; lines without a
    slot are about the article. tail prints each second what came in, until Ctrl-C.

    \b
    Examples:
      adproxy events export --since 7d --format csv > figures.csv
      adproxy events tail --state-dir /var/lib/adproxy
    """
    hours = _hours(since)
    kept = state_dir or Settings().state_dir or default_path(8080)
    reader = SqliteEvents(kept)
    try:
        if what is EventsWork.EXPORT:
            now = int(time.time() // SECONDS_AN_HOUR)
            for line in lines(reader.figures(now + 1 - hours, now + 1), form):
                typer.echo(line)
        else:
            _follow(reader, form, seconds)
    except StoreUnavailable as problem:
        raise SettingsError(f"can't read the event store: {problem}; name its directory with --state-dir") from problem


def _hours(text: str) -> int:
    found = re.fullmatch(r"(\d{1,5})([hd])", text)
    if found is None or int(found[1]) == 0:
        raise typer.BadParameter(f"found {text!r}; expected hours or days, as 24h or 7d", param_hint="--since")
    return int(found[1]) * (24 if found[2] == "d" else 1)


def _follow(reader: SqliteEvents, form: Format, seconds: float) -> None:
    """Until Ctrl-C, or for so many seconds."""
    tail = Tail(reader, time.time)
    end = time.monotonic() + seconds if seconds else math.inf
    head = True
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for line in lines(tail.look(), form, head=head):
                typer.echo(line)
            head = False
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(TAIL_SECONDS, left))


# --- pages and addresses ------------------------------------------------------------------


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


def _write(file: Path, body: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)


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
    keep_freed_memory()
    skipped: Counter[str] = Counter()
    slots: Counter[str] = Counter()
    terminal = sys.stderr.isatty()
    shown_at = 0.0
    for done, name in enumerate(names, start=1):
        work = decide(read(source / name), base.rstrip("/") + "/" + quote(os.fsencode(name)), book)
        _write(out / name, work.body)
        if isinstance(work.result, Skip):
            skipped[work.result.reason.value] += 1
            if work.result.fail_open:
                typer.echo(f"{source / name}: {work.summary}", err=True)
        else:
            slots.update(placement.slot for placement in work.result.plan.placements)
        if terminal and (time.monotonic() - shown_at > PROGRESS_SECONDS or done == len(names)):
            shown_at = time.monotonic()
            typer.echo(f"\r{done} of {len(names)} pages", nl=done == len(names), err=True)
    typer.echo(f"{count(len(names), 'page')}: {len(names) - skipped.total()} rewritten", err=True)
    for label, counts in (("left alone", skipped), ("slots placed", slots)):
        parts = ", ".join(f"{key} {number}" for key, number in counts.most_common())
        typer.echo(f"{label}: {counts.total()}{f' ({parts})' if parts else ''}", err=True)


_COLOURS: dict[Ink, dict[str, Any]] = {
    "title": {"bold": True},
    "placed": {"fg": "green", "bold": True},
    "refused": {"fg": "red"},
    "faint": {"dim": True},
}


def _paint(text: str, ink: Ink) -> str:
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return text
    return typer.style(text, **_COLOURS[ink])


if __name__ == "__main__":
    main()
