"""``adproxy serve``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from adproxy.cli.app import app
from adproxy.errors import SettingsError


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
