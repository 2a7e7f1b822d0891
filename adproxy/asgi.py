"""The proxy as one ASGI application, set up from the environment alone: for people who bring a server of their own.

    ADPROXY_UPSTREAM=http://127.0.0.1:8000 ADPROXY_RULES=rules/ granian --interface asgi adproxy.asgi:app

`adproxy serve` does more: several workers with joint metrics, the second listener, deadlines for slow readers.
"""

from __future__ import annotations

from adproxy.metrics import Metrics
from adproxy.proxy import create_proxy
from adproxy.proxy_settings import ProxySettings
from adproxy.rules.ruleset import RuleBook

_settings = ProxySettings.from_environment()

app = create_proxy(_settings, _settings.rules if _settings.rules is not None else RuleBook(), Metrics())
