"""`adproxy serve` put together: sockets, state, processes."""

from __future__ import annotations

import gc
import logging
import os
import resource
import socket
from pathlib import Path

from adproxy import logs
from adproxy.board import Board
from adproxy.console.access import FILE_NAME, Access, access_for
from adproxy.errors import RulesError, SettingsError
from adproxy.listening import address_of, let_nobody_in, listen
from adproxy.memory import keep_freed_memory
from adproxy.metrics import Metrics
from adproxy.peers import Peers
from adproxy.proxy import create_proxy
from adproxy.proxy_settings import ProxySettings
from adproxy.quarantine import Quarantine
from adproxy.rules.compile import load_rules
from adproxy.rules.ruleset import RuleBook
from adproxy.shared_metrics import tidy
from adproxy.signing_keys import load_keys
from adproxy.state_dir import default_path, take
from adproxy.supervisor import Supervisor
from adproxy.switch import Switch, load_secret
from adproxy.worker import Outfit, be_the_office, serve_pages

log = logging.getLogger(__name__)

MAX_FILES = 65_536
"""Open files that a process asks for, connections included; where the system allows fewer, as many as it allows."""


def main(settings: ProxySettings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises `SettingsError` where it can't listen or keep its state."""
    logs.configure(settings.log_format)
    logging.getLogger("adproxy").setLevel(logging.INFO)
    keep_freed_memory()  # the workers, which are forked, have it so too
    # a certificate that can't be read shows now
    create_proxy(settings.model_copy(update={"count": False}), RuleBook(), Metrics(), switch=Switch())
    with listen(settings.host, settings.port) as public, listen(settings.office_host, settings.office_port) as office:
        port = public.getsockname()[1]
        state = take(settings.state_dir if settings.state_dir is not None else default_path(port))
        keys = load_keys(settings.signing_keys, settings.signing_keys_file, state.path) if settings.count else None
        book, about = _rules(settings.rules)
        try:
            tidy(state.metrics, book)
        except OSError as error:
            raise SettingsError(f"can't keep metrics in {state.metrics}: {error.strerror}") from error
        _allow_many_files()
        lifeline, alive = os.pipe()
        board = Board(settings.worker_count)
        secret = load_secret(settings.switch_secret, settings.switch_secret_file)
        switch = Switch(state.path, always_off=settings.off, secret=secret)
        if switch.is_off:
            log.warning("switched off, every page passes as it came: %s", _why_off(settings))
        quarantine = Quarantine(board.workers)
        access = _access(settings, state.path)
        address = _from_here(public)
        outfit = Outfit(settings, state, keys, access, board, switch, quarantine, address, public, office, lifeline)

        def work(slot: int) -> None:
            os.close(alive)
            if slot == board.office:
                public.close()
                be_the_office(outfit)
            else:
                office.close()
                serve_pages(outfit, slot)

        if settings.log_format == "json":
            log.info("the site %s/, the office %s/, the rules %s", address_of(public), address_of(office), about)
        else:
            print(_welcome(settings, public, office, state.path, about, access), flush=True)
        gc.collect()
        gc.freeze()  # memory stays shared with the children as long as nobody writes to it, the collector included
        supervisor = Supervisor(
            board,
            work,
            drain_seconds=settings.drain_seconds,
            hang_seconds=settings.hang_seconds,
            let_go=lambda: _let_go(public),
            switch=switch,
            quarantine=quarantine,
        )
        return supervisor.run()


def _let_go(public: socket.socket) -> None:
    let_nobody_in(public)
    public.close()


def _from_here(listener: socket.socket) -> str:
    """The listener's address as this machine reaches it: one that stands for all addresses is none to ask."""
    return address_of(listener).replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _access(settings: ProxySettings, state: Path) -> Access:
    front = (settings.office_front_field, Peers(settings.trusted_peers)) if settings.office_front_field else None
    return access_for(settings.office_host, settings.office_token, settings.office_token_file, front, state)


def _rules(path: Path | None) -> tuple[RuleBook, str]:
    """The rules at the start, and how to speak of them."""
    if path is None:
        return RuleBook(), "none: every page passes as it is (--rules)"
    try:
        book = load_rules(path)
    except RulesError:
        return RuleBook(), f"{path}, which can't be used: see below"
    return book, f"{path} (revision {book.revision})"


def _why_off(settings: ProxySettings) -> str:
    return "ADPROXY_OFF says so" if settings.off else "it was before; SIGUSR2 to this process switches it on"


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _welcome(
    settings: ProxySettings, public: socket.socket, office: socket.socket, state: Path, rules: str, access: Access
) -> str:
    site, desk = address_of(public), address_of(office)
    named = settings.rules if settings.rules is not None else "RULES"
    workers = settings.worker_count
    return f"""adproxy in front of {settings.upstream}

  the site     {site}/
  the office   {desk}/   (metrics: {desk}/metrics)
  the rules    {rules}
  the state    {state}
  the workers  {workers}
{_token(settings, state, access)}
Try this:
  - Look at a page as readers get it: curl -si {site}/
  - Ask why each slot is where it is: adproxy explain --rules {named} {site}/some/article
  - Edit the rules: they are in force within two seconds. If they can't be, {desk}/ says why.

Ctrl-C ends it."""


def _token(settings: ProxySettings, state: Path, access: Access) -> str:
    """Where to find what the console asks for."""
    if access.is_open or settings.office_token:
        return ""
    if settings.office_token_file is not None:
        return f"  the token    for the console, in {settings.office_token_file}\n"
    if settings.office_front_field:
        return ""
    return f"  the token    for the console, in {state / FILE_NAME}\n"
