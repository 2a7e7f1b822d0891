"""The settings of `adproxy serve`: what a proxy in front of a site needs beside the middleware's own."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from adproxy.settings import About, Settings, field_name

_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?"
)


def _upstream(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.path not in ("", "/") or parts.query or parts.fragment or parts.username:
        raise ValueError("expected scheme, host and port alone, as https://origin.example:8443")
    return f"{parts.scheme}://{parts.netloc}"


def _hosts(value: str) -> str:
    for name in filter(None, (part.strip() for part in value.split(","))):
        if not re.fullmatch(r"(?:\*\.)?[A-Za-z0-9.-]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?", name):
            raise ValueError(f"expected host names with commas between, as news.example,*.news.example; found {name!r}")
    return value


def _upstream_host(value: str) -> str:
    if value not in ("auto", "preserve") and not _HOST.fullmatch(value):
        raise ValueError("expected auto, preserve, or a host name")
    return value


class ProxySettings(Settings):
    """Raises `SettingsError` where a value is wrong."""

    upstream: Annotated[
        str,
        AfterValidator(_upstream),
        About("The site's own server: scheme, host and port.", "Every request that is not ours goes there."),
    ]
    rules: Annotated[
        Path | None,
        About("The rules: a file or a directory.", "Without rules every page passes as it is."),
    ] = None
    host: Annotated[str, About("Address that readers' requests come in at.", "0.0.0.0: from everywhere.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535), About("Port of the same; 0: any free one.", "–")] = 8080
    office_host: Annotated[
        str,
        About(
            "Address of metrics and the console. Beyond this machine (anything but 127.0.0.1, ::1 and localhost) the "
            "console asks for a token.",
            "Who reaches it can read the metrics: keep it inside.",
        ),
    ] = "127.0.0.1"
    office_port: Annotated[int, Field(ge=0, le=65535), About("Port of the same; 0: any free one.", "–")] = 8081
    office_token: Annotated[
        str,
        Field(repr=False),
        About(
            "What the console asks people for, 20 characters or more. By default it asks on this machine for nothing, "
            "and beyond for a token that is made once and kept in the state directory as `office-token`.",
            "–",
        ),
    ] = ""
    office_token_file: Annotated[
        Path | None,
        About("The same in a file.", "Read at the start: restart after a change."),
    ] = None
    office_front_field: Annotated[
        str,
        AfterValidator(field_name),
        About(
            "Name of the request field by which a trusted server in front of the console says who has logged in, as "
            "`X-Forwarded-User`; then it is let in without a token.",
            "That server must not pass the field on from outside.",
        ),
    ] = ""
    workers: Annotated[
        int,
        Field(ge=0, le=128),
        About("Processes that serve pages; 0: one for each core.", "About 60 MiB each.", "processes"),
    ] = 0
    upstream_host: Annotated[
        str,
        AfterValidator(_upstream_host),
        About(
            "The `Host` that the upstream gets: `preserve` sends the reader's, a name sends that name; `auto` "
            "preserves it for http and sends the upstream's own for https.",
            "With another name than the reader's the upstream's absolute links leave the proxy.",
        ),
    ] = "auto"
    upstream_ca: Annotated[
        Path | None,
        About("Certificates (PEM) to trust for an https upstream in place of the system's.", "–"),
    ] = None
    allowed_hosts: Annotated[
        str,
        AfterValidator(_hosts),
        About("Hosts that are served, `*.` for all below a name; others get 421. Empty: all.", "–"),
    ] = ""
    connect_seconds: Annotated[
        float, Field(gt=0, le=60), About("How long connecting to the upstream may take, TLS included.", "–", "s")
    ] = 5.0
    head_seconds: Annotated[
        float,
        Field(gt=0, le=3600),
        About("How long the upstream may take to begin its answer; then 504.", "A slow page holds a connection.", "s"),
    ] = 60.0
    idle_seconds: Annotated[
        float,
        Field(gt=0, le=3600),
        About(
            "How long a body, a stream or a WebSocket may stand still, on either side.",
            "A stream whose events are rarer needs comments or pings in between.",
            "s",
        ),
    ] = 120.0
    upstream_connections: Annotated[
        int,
        Field(ge=1, le=65_536),
        About("Connections to the upstream for each worker at most.", "A descriptor and some memory each."),
    ] = 512
    upstream_keepalive_seconds: Annotated[
        float,
        Field(ge=0, le=600),
        About(
            "How long an idle connection to the upstream is kept for the next request.",
            "Longer than the upstream keeps it: now and then a request meets a closed one.",
            "s",
        ),
    ] = 4.0
    max_websocket_bytes: Annotated[
        int, Field(ge=1), About("A larger WebSocket message closes the connection.", "Memory.", "bytes")
    ] = 16_777_216
    max_requests: Annotated[
        int,
        Field(ge=1),
        About("Requests at once for each worker; beyond them readers get 503.", "Memory for each of them."),
    ] = 2_000
    max_requests_of_reader: Annotated[
        int,
        Field(ge=1),
        About(
            "Requests at once of one address (IPv6: of a /64) for each worker; beyond them it gets 503. Trusted peers "
            "that name no reader are not counted.",
            "More than half of `upstream_connections`: a single slow reader can take them all.",
        ),
    ] = 256
    max_head_bytes: Annotated[
        int, Field(ge=1024), About("A request's head may be so long; beyond it, 431.", "Memory.", "bytes")
    ] = 65_536
    request_head_seconds: Annotated[
        float,
        Field(gt=0, le=600),
        About("How long a reader may take to send a request's head; then the connection is closed.", "–", "s"),
    ] = 15.0
    keepalive_seconds: Annotated[
        float,
        Field(gt=0, le=3600),
        About(
            "How long an idle reader's connection is kept.",
            "Longer than the server in front keeps it, or that one meets a closed connection now and then.",
            "s",
        ),
    ] = 75.0
    drain_seconds: Annotated[
        float,
        Field(ge=0, le=3600),
        About("How long requests under way may take to finish when adproxy is told to stop.", "–", "s"),
    ] = 30.0
    log_format: Annotated[
        Literal["text", "json"],
        About("`text` for people, `json`: an object a line, for machines.", "–"),
    ] = "text"
    access_log_share: Annotated[
        float,
        Field(ge=0, le=1),
        About(
            "Share of the requests that get a line in the log: method, path without query, status, seconds. Of 5xx all "
            "do, unless it is 0.",
            "A write for each line.",
        ),
    ] = 0.0
    hang_seconds: Annotated[
        float,
        Field(ge=5, le=3600),
        About("A worker that shows no sign of life for so long is killed and replaced.", "–", "s"),
    ] = 30.0

    @classmethod
    def from_environment(cls) -> ProxySettings:
        """All from the environment; `SettingsError` says what is missing."""
        values: dict[str, str] = {}
        return cls(**values)  # type: ignore[arg-type]

    @property
    def worker_count(self) -> int:
        """Workers to run."""
        return self.workers or max(1, len(os.sched_getaffinity(0)))
