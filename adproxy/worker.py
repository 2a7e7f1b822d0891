"""What a process of `adproxy serve` does once it is forked: serve pages, or be the office.

Everything that a process owns alone is made here, after the fork: its event loop, its threads, its metrics, its view of
the rules, its connections to the upstream.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import uvloop
from starlette.types import ASGIApp

from adproxy.board import Board
from adproxy.console.access import Access
from adproxy.console.site import Site
from adproxy.funnel import Funnel
from adproxy.gateway import Gateway
from adproxy.impressions import events_in, impressions_in
from adproxy.live_rules import Listener, LiveRules
from adproxy.metrics import Metrics
from adproxy.office import office_app
from adproxy.proxy import create_proxy
from adproxy.proxy_settings import ProxySettings
from adproxy.quarantine import Quarantine
from adproxy.relay import Relay
from adproxy.rules.ruleset import RuleBook
from adproxy.server import Server
from adproxy.shared_metrics import SharedMetrics, worker_metrics
from adproxy.state_dir import StateDir
from adproxy.supervisor import OFF, ON, SIGNALS
from adproxy.switch import Switch
from adproxy.tokens import Keyring
from adproxy.upstream import Upstream

ORPHAN_SECONDS = 5.0
"""How long requests under way get when the supervisor is gone: nobody would replace us, and the next adproxy waits for
our state directory."""
OFFICE_DRAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Outfit:
    """What every process of one `adproxy serve` is given."""

    settings: ProxySettings
    state: StateDir
    keys: Keyring | None
    """What page tokens are signed with; None where what browsers report is not counted."""
    access: Access
    """Who may use the console."""
    board: Board
    switch: Switch
    quarantine: Quarantine
    address: str
    """Of the public listener, as ``http://host:port``."""
    public: socket.socket
    office: socket.socket
    lifeline: int
    """A pipe's reading end; the supervisor alone holds the other, so its end is the supervisor's."""


def serve_pages(outfit: Outfit, slot: int) -> None:
    """One page worker, until it is told to stop."""
    # every worker watches the same files; the office says what becomes of them
    logging.getLogger("adproxy.live_rules").setLevel(logging.CRITICAL)
    metrics = worker_metrics(outfit.state.metrics, slot)
    with ExitStack() as cleanup:
        live = _live_rules(outfit, metrics, cleanup)
        rules = live if live is not None else RuleBook()
        impressions = None
        if outfit.keys is not None:

            def book() -> RuleBook:
                return live.book if live is not None else RuleBook()

            impressions = impressions_in(outfit.state.path, outfit.keys, outfit.settings, metrics, book)
            cleanup.callback(impressions.close)
        hands = outfit.quarantine.hands(slot)
        app = create_proxy(outfit.settings, rules, metrics, impressions, outfit.switch, hands)
        _serve(outfit, slot, app, outfit.settings, outfit.public, live, metrics.cache_size)


def be_the_office(outfit: Outfit) -> None:
    """The office, until it is told to stop."""
    counted = outfit.keys is not None
    funnel = Funnel(events_in(outfit.state.path, outfit.settings)) if counted else None
    metrics = SharedMetrics(outfit.state.metrics, outfit.board, funnel, [outfit.switch, outfit.quarantine])
    settings = outfit.settings.model_copy(update={"drain_seconds": OFFICE_DRAIN_SECONDS})
    with ExitStack() as cleanup:
        live = _live_rules(outfit, metrics, cleanup)
        upstream = Upstream(outfit.settings)
        # requests of ours are no readers': they are counted nowhere
        behind = Gateway(Relay(upstream, outfit.settings), outfit.settings, Metrics())
        site = Site(behind, outfit.address, upstream.close)
        app = office_app(metrics, live, outfit.board, outfit.switch, site=site, access=outfit.access, keys=outfit.keys)
        _serve(outfit, outfit.board.office, app, settings, outfit.office, live)


def _live_rules(outfit: Outfit, listener: Listener, cleanup: ExitStack) -> LiveRules | None:
    if outfit.settings.rules is None:
        return None
    live = LiveRules(outfit.settings.rules, metrics=listener)
    live.start()
    cleanup.callback(live.stop)
    return live


def _serve(
    outfit: Outfit,
    slot: int,
    app: ASGIApp,
    settings: ProxySettings,
    listener: socket.socket,
    live: LiveRules | None,
    remembered: Callable[[], int] = int,
) -> None:
    def beat() -> None:
        outfit.board.alive(slot)
        outfit.board.remembers(slot, remembered())
        if live is not None:
            outfit.board.has_rules(slot, live.book.revision)

    server = Server(app, settings, beat)
    threading.Thread(target=_outlive_nobody, args=(outfit.lifeline, server), daemon=True).start()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_told(server, listener, live))


async def _until_told(server: Server, listener: socket.socket, live: LiveRules | None) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    def reload() -> None:
        if live is not None:
            live.reload()

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    # Ctrl-C reaches every process of the terminal, a service manager's signal perhaps every process of the service;
    # what these mean is the supervisor's business
    for number in (signal.SIGINT, OFF, ON):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    await server.serve(sockets=[listener])


def _outlive_nobody(lifeline: int, server: Server) -> None:
    """Waits for the supervisor's end, which should not come before ours, and ends this process then."""
    os.read(lifeline, 1)
    server.drain_seconds = min(server.drain_seconds, ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(server.drain_seconds + ORPHAN_SECONDS)
    os._exit(1)  # an event loop that hangs would not have noticed
