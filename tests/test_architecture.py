"""ARCHITECTURE.md is what the code is: every file has its line, and imports go downwards only."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "adproxy"

# From the ground up; a module may import from its own layer and from those before it.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("model", "errors", "labels"),
    (
        *(
            "rules",
            "page",
            "plan",
            "tokens",
            "scripts",
            "markup",
            "splice",
            "rewrite",
            "charset",
            "csp",
            "eligibility",
            "headers",
            "codings",
            "whole_page",
            "decision",
            "same",
            "same_native",
            "cache",
        ),
        *("target", "hops", "peers", "request_head", "beacon", "traffic", "rate_limit", "rollout", "cache_tags"),
        *("debug_links", "cells", "cells_native"),
    ),
    (
        *("metrics", "live_rules", "settings", "own_paths", "root_files", "rewrite_pool", "known_pages", "head_start"),
        *("failures", "exchange", "middleware"),
        *("listening", "state_dir", "board", "memory", "switch", "quarantine", "logs"),
        *("event_store", "sqlite_events", "event_writer", "signing_keys", "funnel", "impressions"),
        *("page_source", "account", "explanation", "refusals", "marked_page", "debug_view"),
    ),
    (
        "proxy_settings",
        "upstream",
        "relay",
        "request_log",
        "gateway",
        "connections",
        "server",
        "shared_metrics",
        "supervisor",
    ),
    (
        "console",
        "office",
        "comparison",
        "comparison_text",
        "comparison_markdown",
        "site_survey",
        "starter",
        "measure",
        "event_figures",
        "probe",
        "doctor",
        "proxy",
        "asgi",
        "worker",
        "serve",
        "demo",
        "cli",
        "__main__",
    ),
)
# Within the pure layer the flow has a direction too: what comes first knows nothing of what comes later.
FLOW = ("rules", "page", "plan", "tokens", "scripts", "markup", "rewrite")


def _modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.name != "__init__.py" and "presets" not in p.parts)


def _part(path: Path) -> str:
    """The module or package right below adproxy that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "adproxy" else [f"adproxy.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("adproxy.") and name.count(".") >= 1}
    return found


def _layer(part: str) -> int:
    return next(i for i, layer in enumerate(LAYERS) if part in layer)


def upward(part: str, imported: set[str]) -> set[str]:
    """Those imports of a module that go upwards."""
    wrong = {other for other in imported if other != "__version__" and _layer(other) > _layer(part)}
    if part in FLOW:
        wrong |= {other for other in imported if other in FLOW and FLOW.index(other) > FLOW.index(part)}
    return wrong


@pytest.mark.parametrize("path", _modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downwards_only(path: Path) -> None:
    assert upward(_part(path), _imports(path)) == set()


def test_an_import_that_goes_upwards_is_noticed() -> None:
    assert upward("plan", {"model", "middleware"}) == {"middleware"}
    assert upward("page", {"plan"}) == {"plan"}


def test_only_the_page_package_and_the_check_of_selectors_know_the_parser() -> None:
    knowing = {str(p.relative_to(PACKAGE)) for p in _modules() if "selectolax" in p.read_text().split('"""')[-1]}
    knowing |= {str(p.relative_to(PACKAGE)) for p in _modules() if "from selectolax" in p.read_text()}
    assert {k for k in knowing if not k.startswith("page/")} <= {"rules/selectors.py"}


def test_every_file_has_its_line_in_the_architecture_page() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    files = [p for p in _modules() if "demo" not in p.parts and p.name != "__main__.py"] + [
        *PACKAGE.rglob("*.pyx"),
        *PACKAGE.rglob("*.pxi"),
    ]
    missing = [str(p.relative_to(PACKAGE)) for p in files if f"`{p.relative_to(PACKAGE)}`" not in text]
    assert missing == []


def test_the_architecture_page_names_no_file_that_is_gone() -> None:
    rows = [
        line.split("`")[1] for line in (ROOT / "ARCHITECTURE.md").read_text().splitlines() if line.startswith("| `")
    ]
    assert [row for row in rows if not (PACKAGE / row).exists()] == []


def test_f1_nothing_is_built_on_base_http_middleware() -> None:
    assert [str(p.relative_to(PACKAGE)) for p in _modules() if "BaseHTTPMiddleware" in p.read_text()] == []


def test_f26_no_url_is_put_together_from_what_a_request_says() -> None:
    together = re.compile(r"request\.(?:url|base_url)|\bURL\(scope")
    ours = [p for p in _modules() if "demo" not in p.parts]  # the demo's own site believes its one reader
    assert [str(p.relative_to(PACKAGE)) for p in ours if together.search(p.read_text())] == []
    dependencies = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'"starlette>=1\.(0\.[1-9]|[1-9])', dependencies), "earlier ones are CVE-2026-48710"
