"""Serves the demo: the newspaper with its ad slots on one port, metrics and status on another, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import tempfile
from collections.abc import Generator
from pathlib import Path
from types import FrameType

from adproxy.console.site import Site
from adproxy.demo.newsroom import PAPER
from adproxy.demo.site import create_site
from adproxy.errors import SettingsError
from adproxy.listening import address_of, listen
from adproxy.live_rules import LiveRules
from adproxy.memory import keep_freed_memory
from adproxy.metrics import Metrics
from adproxy.middleware import AdMiddleware
from adproxy.office import office_app
from adproxy.settings import Settings

try:
    import uvicorn
except ModuleNotFoundError as missing:
    raise SettingsError("found no web server; expected uvicorn: pip install 'adproxy[proxy]'") from missing

RULES = Path(__file__).parent / "rules" / "demo.yaml"
FIRST_STORY = "/2026/09/the-long-crossing"
OFFICE_HOST = "127.0.0.1"
"""The office never listens where readers can reach it."""
PORTS_TRIED = 20
"""So many ports in a row are tried before giving up."""
GRACE_SECONDS = 1
"""How long requests under way may take to finish when the demo ends."""


class _Server(uvicorn.Server):
    """Leaves the signals to `main`: two servers in one process can't both have them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _welcome(site: str, office: str, rules: Path, state: Path, moved: list[str]) -> str:
    notes = "".join(f"  {note}\n" for note in moved)
    return f"""{PAPER}, with ad slots placed by adproxy

  the site     {site}/
  the office   {office}/   (metrics: {office}/metrics)
{notes}
Try this:
  - Open an article: {site}{FIRST_STORY}
  - See why each slot is where it is, and change the rules beside it:
    {office}/preview?url={FIRST_STORY}
  - Edit the rules, say "ad_share" or "max", and reload the article: {rules}
  - Break the rules. The last good ones stay in force; {office}/ says what is wrong,
    and adproxy_rules_last_reload_successful at {office}/metrics goes to 0.
  - Ask the same in the terminal:
    adproxy explain --rules {rules} {site}{FIRST_STORY}
  - Watch what your browser reports of the pages that you read:
    adproxy events tail --state-dir {state}

Ctrl-C ends it."""


async def _serve(servers: list[tuple[_Server, socket.socket]]) -> None:
    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True

    async def one(server: _Server, listener: socket.socket) -> None:
        try:
            await server.serve(sockets=[listener])
        finally:
            stop()  # neither is of use without the other

    await asyncio.gather(*(one(server, listener) for server, listener in servers))


def main(host: str = "127.0.0.1", port: int = 8080, office_port: int = 8081, rules: Path = RULES) -> None:
    """Serve the demo until SIGINT or SIGTERM, then return.

    `host`, `port`: where readers come in; a busy port gives way to the next free one, 0 is any free one.
    `office_port`: the same for metrics and status, on 127.0.0.1 always. `rules`: the file to place slots by.
    Raises `SettingsError` where it can't listen.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s")
    logging.getLogger("adproxy").setLevel(logging.INFO)  # reloads of the rules are worth a line each
    keep_freed_memory()
    with contextlib.ExitStack() as cleanup:
        listeners = []
        moved = []
        for name, address, wanted in (("site", host, port), ("office", OFFICE_HOST, office_port)):
            listener = cleanup.enter_context(listen(address, wanted, tries=PORTS_TRIED))
            listeners.append(listener)
            got = listener.getsockname()[1]
            if wanted not in (0, got):
                moved.append(f"Port {wanted} is taken, so the {name} is at {got}.")
        metrics = Metrics()
        state = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="adproxy-demo-")))
        live_rules = LiveRules(rules, metrics=metrics)
        live_rules.start()
        cleanup.callback(live_rules.stop)
        settings = Settings(state_dir=state)
        paper = create_site()
        middleware = AdMiddleware(paper, rules=live_rules, settings=settings, metrics=metrics)
        keys = middleware.impressions.keys if middleware.impressions is not None else None
        site = Site(paper, address_of(listeners[0]))
        apps = (middleware, office_app(metrics, live_rules, site=site, keys=keys))
        servers = [
            _Server(
                uvicorn.Config(
                    app, log_config=None, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_SECONDS
                )
            )
            for app in apps
        ]

        def on_signal(number: int, frame: FrameType | None) -> None:
            for server in servers:
                server.should_exit = True

        for number in (signal.SIGINT, signal.SIGTERM):
            cleanup.callback(signal.signal, number, signal.signal(number, on_signal))
        # the sockets listen already: whoever follows the addresses at once waits a moment, and is served
        print(_welcome(address_of(listeners[0]), address_of(listeners[1]), rules, state, moved), flush=True)
        asyncio.run(_serve(list(zip(servers, listeners, strict=True))))


if __name__ == "__main__":
    main()
