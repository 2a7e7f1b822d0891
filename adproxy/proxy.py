"""The public listener put together: the gateway, the rewriting, the upstream."""

from __future__ import annotations

from pathlib import Path

from starlette.types import ASGIApp

from adproxy.gateway import Gateway
from adproxy.impressions import Impressions
from adproxy.live_rules import LiveRules
from adproxy.metrics import Metrics
from adproxy.middleware import AdMiddleware
from adproxy.proxy_settings import ProxySettings
from adproxy.quarantine import Hands
from adproxy.relay import Relay
from adproxy.rules.ruleset import RuleBook
from adproxy.switch import Switch
from adproxy.upstream import Upstream


def create_proxy(
    settings: ProxySettings,
    rules: LiveRules | Path | RuleBook,
    metrics: Metrics,
    impressions: Impressions | None = None,
    switch: Switch | None = None,
    hands: Hands | None = None,
) -> ASGIApp:
    """The ASGI application of one worker; its lifespan closes the connections to the upstream.

    `rules`: as `AdMiddleware` takes them; `LiveRules` are started and stopped by the caller, a path is watched during
    the lifespan. `impressions`, `switch`, `hands`: as `AdMiddleware` takes them. Raises `SettingsError` where a
    certificate can't be read.
    """
    relay = Relay(Upstream(settings), settings)
    middleware = AdMiddleware(
        relay, rules, settings=settings, metrics=metrics, impressions=impressions, switch=switch, hands=hands
    )
    return Gateway(middleware, settings, metrics)
