"""Fixtures that more than one file of tests needs."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from oracles import Html5lib, Parse5, parse5_directory

import adproxy.plan

if TYPE_CHECKING:
    from stage import Stage


BY_SOURCES = str(adproxy.plan.__file__).endswith(".py")
"""Whether what mypyc may compile runs by its sources here."""


def missing(what: str) -> None:
    """Skip a test for want of something; where everything has to be there (``CI=true``) fail it instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def compiled_module(name: str) -> ModuleType:
    """A module of adproxy's that is compiled; the test that asks is skipped where there is none."""
    try:
        return importlib.import_module(f"adproxy.{name}")
    except ImportError:
        missing(f"{name} is not compiled: a C compiler and Python's headers, then make .venv/product")
        pytest.fail("not reached")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What breaks a part of what is compiled is left to `test_compiled.py`, which runs it by the sources."""
    if BY_SOURCES:
        return
    for item in items:
        if item.get_closest_marker("source"):
            item.add_marker(pytest.mark.skip(reason="breaks what is compiled: test_compiled.py runs it by the sources"))


@pytest.fixture(autouse=True, scope="session")
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the tests count is not kept in the home directory of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.delenv("STATE_DIRECTORY", raising=False)
        yield


@pytest.fixture(scope="session")
def html5lib_parser() -> Html5lib:
    """The reference parser in Python."""
    return Html5lib()


@pytest.fixture(scope="session")
def parse5_parser() -> Iterator[Parse5]:
    """The reference parser in JavaScript, one process for the whole run."""
    directory = parse5_directory()
    if directory is None:
        missing("parse5 is not installed: make setup, or ADPROXY_PARSE5=directory with node_modules/parse5")
    assert directory is not None
    try:
        parser = Parse5(directory)
    except FileNotFoundError:
        missing("node is not installed")
        raise
    yield parser
    parser.close()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Pages with slots on a server, and a browser to open them in."""
    from stage import CHROMIUM, staged

    if not Path(CHROMIUM).exists():
        missing(f"found no {CHROMIUM}")
    with staged() as made:
        yield made
