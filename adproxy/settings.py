"""Every setting of a process: its default with the unit, what it means in a sentence, and what it costs.

Given to `Settings` by name, or in the environment as ``ADPROXY_`` and the name in capitals. What stands in rules files
(where slots go, how many) is no setting.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from adproxy.cache_tags import SEPARATORS
from adproxy.errors import SettingsError
from adproxy.page.guard import MAX_BYTES


def _prefix(value: str) -> str:
    if not re.fullmatch(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)+", value):
        raise ValueError("expected a path of plain characters that begins and ends with a slash, as /_adproxy/")
    return value


def _networks(value: str) -> str:
    for name in filter(None, (part.strip() for part in value.split(","))):
        try:
            ipaddress.ip_network(name)
        except ValueError as error:
            raise ValueError(f"expected networks with commas between, as 10.0.0.0/8,::1; {error}") from None
    return value


def field_name(value: str) -> str:
    """A setting that names a field of requests; raises ValueError for what is no name."""
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]*", value):
        raise ValueError("expected the name of a header field, as X-Invalid-Traffic")
    return value


def _tag_fields(value: str) -> str:
    names = [part.strip().lower() for part in value.split(",") if part.strip()]
    if unknown := [name for name in names if name not in SEPARATORS]:
        raise ValueError(f"expected some of {', '.join(SEPARATORS)} with commas between; found {unknown[0]!r}")
    return ",".join(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class About:
    """What the documentation says of a setting, one sentence each."""

    means: str
    costs: str
    unit: str = ""


class Settings(BaseSettings):
    """The settings of one process. Raises `SettingsError` where a value is wrong, from whichever place it came."""

    model_config = SettingsConfigDict(env_prefix="ADPROXY_", frozen=True, extra="forbid")

    prefix: Annotated[
        str,
        AfterValidator(_prefix),
        About("Path under which adproxy answers itself.", "The site can't use that path."),
    ] = "/_adproxy/"
    max_page_bytes: Annotated[
        int,
        Field(ge=1, le=MAX_BYTES),
        About(
            "A larger page, encoded or decoded, passes without slots; at most 8 MiB.",
            "Memory for each page in flight, and time for the worst of them.",
            "bytes",
        ),
    ] = 2_097_152
    max_held_bytes: Annotated[
        int,
        Field(ge=1),
        About("Pages beyond so much, of all that are held at once, pass without slots.", "Memory.", "bytes"),
    ] = 268_435_456
    buffer_seconds: Annotated[
        float,
        Field(gt=0, le=60),
        About(
            "A page that is not complete by then is sent on as it comes, without slots.",
            "So long may a reader wait for the first byte of a slow page.",
            "s",
        ),
    ] = 5.0
    ahead_seconds: Annotated[
        float,
        Field(ge=0, le=60),
        About(
            "The head of a page that is still incomplete by then is sent ahead, so that style sheets load; 0: never. "
            "Only where that gives nothing up: no coding, length, validator, or shared lifetime.",
            "The status is committed: a page that breaks off later can't become a 502 any more.",
            "s",
        ),
    ] = 0.1
    early_seconds: Annotated[
        float,
        Field(ge=0, le=60),
        About(
            "When no byte of a page came for so long, its head is sent ahead in any case, unless it is compressed; "
            "0: never. Worth setting, to 0.002 for example, where the origin is slow in the body.",
            "Besides the status: a page that went ahead has no `ETag`, `Last-Modified` or `Content-Length`, and "
            "caches keep it for a minute at most.",
            "s",
        ),
    ] = 0.0
    rewrite_seconds: Annotated[
        float,
        Field(gt=0, le=60),
        About(
            "A rewrite in a thread that takes longer is given up, and the page passes without slots.",
            "So long may a rewrite hold a page back.",
            "s",
        ),
    ] = 2.0
    inline_bytes: Annotated[
        int,
        Field(ge=0),
        About(
            "Pages up to this size are rewritten on the event loop, larger ones and those of very many tags in a "
            "thread.",
            "All other requests wait while the loop rewrites; a thread costs a little more in all.",
            "bytes",
        ),
    ] = 262_144
    rewrite_threads: Annotated[
        int,
        Field(ge=1, le=64),
        About("Threads for large pages; they start with the first one.", "8 MiB of address space each.", "threads"),
    ] = 2
    max_pending: Annotated[
        int,
        Field(ge=1),
        About(
            "Large pages beyond so many, in threads or waiting for one, pass without slots.",
            "Memory, and waiting time under load.",
            "pages",
        ),
    ] = 32
    cache_tags: Annotated[
        str,
        AfterValidator(_tag_fields),
        About(
            "Fields, with commas between, in which planned pages say `adproxy-site-SITE` and `adproxy-rules-REVISION`, "
            "for caches that drop pages by tag: `Surrogate-Key`, `Cache-Tag`, `Edge-Cache-Tag`, `xkey`. Empty: none.",
            "Readers see them too, where no cache takes them off.",
        ),
    ] = ""
    cache_bytes: Annotated[
        int,
        Field(ge=0),
        About(
            "What is remembered of pages that were sent, so that the same bytes cost next to nothing the next time; 0: "
            "nothing.",
            "Memory of each process.",
            "bytes",
        ),
    ] = 67_108_864
    vary_everywhere: Annotated[
        bool,
        About(
            "Name all request fields that can make a page pass without slots in `Vary` of each page, not of those that "
            "passed alone.",
            "Some large caches store nothing that varies on such fields.",
        ),
    ] = False
    off: Annotated[
        bool,
        About(
            "Switched off: every page passes as it came, pages in caches fill no slot. Besides, by signal or request: "
            "see the guide to operations.",
            "No ads.",
        ),
    ] = False
    switch_secret: Annotated[
        str,
        Field(repr=False),
        About(
            "Who sends it in `X-Adproxy-Switch` gets pages as they came, and may switch adproxy off and on for all.",
            "Whoever learns it can turn the advertising off.",
        ),
    ] = ""
    switch_secret_file: Annotated[
        Path | None,
        About("The same in a file.", "Read at the start: restart after a change."),
    ] = None
    dry_run: Annotated[
        bool,
        About(
            "Pages are planned and counted, and sent as they came.",
            "What placing slots costs, for no slot.",
        ),
    ] = False
    rollout_percent: Annotated[
        float,
        Field(ge=0, le=100),
        About(
            "So many of a hundred pages take part, chosen by their path, the same ones for everybody.",
            "The rest has no slots.",
            "%",
        ),
    ] = 100.0
    trusted_peers: Annotated[
        str,
        AfterValidator(_networks),
        About(
            "Networks of the servers in front whose `X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded` are believed.",
            "Who is in them can claim any address.",
        ),
    ] = "127.0.0.0/8,::1/128"
    count: Annotated[
        bool,
        About(
            "Let browsers report what readers saw, and count it.",
            "A script of a few KB on each page with a slot, and a small request or two for each view.",
        ),
    ] = True
    state_dir: Annotated[
        Path | None,
        About(
            "Where keys, what browsers reported, and under `adproxy serve` all counters outlive a restart. By default "
            "systemd's `STATE_DIRECTORY`, or else a directory below `adproxy` in the user's state directory: "
            "`port-<port>` for `adproxy serve`, `app-…` by the path of the rules for the middleware.",
            "On a disk of this machine, not on a network's. `adproxy serve`: 8 MiB for each worker; one running "
            "adproxy each.",
        ),
    ] = None
    signing_keys: Annotated[
        str,
        Field(repr=False),
        About(
            "What page tokens are signed with: the current key, and behind a comma the one before it. By default one "
            "is made and kept in the state directory.",
            "All machines that serve one site need the same.",
        ),
    ] = ""
    signing_keys_file: Annotated[
        Path | None,
        About("The same in a file, a key a line.", "Read at the start: restart after a change."),
    ] = None
    token_days: Annotated[
        int,
        Field(ge=1, le=90),
        About(
            "So many days after it was made a page is still counted; as long as caches may keep pages.",
            "A view is remembered as long: about 70 bytes of disk each.",
            "days",
        ),
    ] = 7
    events_days: Annotated[
        int,
        Field(ge=1, le=3650),
        About("How long figures by article, slot and hour are kept.", "About 35 bytes of disk for each.", "days"),
    ] = 35
    events_max_bytes: Annotated[
        int,
        Field(ge=1_048_576),
        About(
            "Size of the event store at most; when it is full nothing more is counted until something expires, and "
            "`adproxy_event_store_writable` says so.",
            "Disk.",
            "bytes",
        ),
    ] = 4_294_967_296
    events_sync: Annotated[
        Literal["full", "normal"],
        About(
            "`full`: what was acknowledged outlives a power failure; `normal`: it outlives a crash of adproxy, but "
            "a power failure may take the last seconds.",
            "`full` waits for the disk once for each group of reports.",
        ),
    ] = "full"
    beacon_rate: Annotated[
        float,
        Field(gt=0, le=1_000_000),
        About(
            "Reports a second that one block of addresses (/24, or /64 of IPv6) may send to a process in the long run; "
            "beyond, 429.",
            "A view takes two or three; a large office may be behind one address.",
        ),
    ] = 50.0
    beacon_burst: Annotated[
        int,
        Field(ge=1, le=10_000_000),
        About("So many of them at once.", "About 10 MB for the blocks of all senders, at most.", "reports"),
    ] = 3_000
    invalid_addresses: Annotated[
        Path | None,
        About(
            "A file of networks, one a line, whose reports are invalid traffic: data centres, your own monitoring.",
            "Read at the start: restart after a change.",
        ),
    ] = None
    invalid_header: Annotated[
        str,
        AfterValidator(field_name),
        About(
            "Name of a request field by which a trusted server in front marks invalid traffic; any value but 0, no and "
            "false.",
            "That server must not pass it on from outside.",
        ),
    ] = ""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            known = type(self).model_fields
            raise SettingsError("\n".join(_problem(problem, known) for problem in error.errors())) from error

    @classmethod
    def table(cls) -> str:
        """The settings that this class adds, as a Markdown table, for the documentation."""
        lines = ["| setting | default | what it means | what it costs |", "|---|---|---|---|"]
        inherited = {name for base in cls.__bases__ for name in getattr(base, "model_fields", {})}
        for name, field in cls.model_fields.items():
            if name in inherited:
                continue
            about = next(note for note in field.metadata if isinstance(note, About))
            default = "" if field.is_required() or field.default is None else str(field.default)
            shown = f"`{default.lower() or '–'}` {about.unit}".strip()
            lines.append(f"| `ADPROXY_{name.upper()}` | {shown} | {about.means} | {about.costs} |")
        return "\n".join(lines)


def _problem(problem: Any, known: Iterable[str]) -> str:
    """One wrong value: its setting, what was found, what was expected."""
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{name}: found nothing; expected a value, given here or as ADPROXY_{name.upper()}"
    if problem["type"] == "extra_forbidden":
        return f"{name}: found an unknown setting; expected one of {', '.join(known)}"
    return f"{name}: found {problem['input']!r}; expected otherwise: {problem['msg']}"
