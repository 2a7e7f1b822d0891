"""Compiles what a page's way through adproxy spends its time in, when adproxy is built: some modules are written in
Cython, and have a twin in Python; others are Python that mypyc compiles as it stands. Where there is no C compiler, or
no headers of Python, adproxy is built all the same and runs as Python; `adproxy --version` tells which it is.

``ADPROXY_COMPILE=required`` in the environment makes it an error not to compile, ``never`` leaves it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from mypyc.build import mypycify
from setuptools import Distribution, Extension
from setuptools.errors import CCompilerError, CompileError, ExecError, LinkError, PlatformError

# Modules in Cython by their paths in adproxy, each with its source and what that includes.
CYTHON = {
    "page/scan_native": ("scan_native.pyx", "markup_native.pxi", "follow_native.pxi"),
    "page/walk_native": ("walk_native.pyx",),
    "page/words_native": ("words_native.pyx",),
    "page/ends_native": ("ends_native.pyx",),
    "cells_native": ("cells_native.pyx",),
    "same_native": ("same_native.pyx",),
}
# Modules in Python that are compiled too, and find each other without a look into a dictionary.
PYTHON = tuple(
    f"{module}.py"
    for module in """
    cache charset csp eligibility headers hops known_pages labels markup model peers rewrite splice target whole_page
    rules/match rules/per_revision rules/ruleset
    page/ad_room page/ad_stack page/ads page/article page/blocks page/contents page/ends page/facts page/guard
    page/headline_company page/heights page/hydration page/kept page/landmarks page/markers page/marks page/names
    page/places page/read page/sidebars page/survey page/teasers page/tree
    plan/__init__ plan/between_blocks plan/choose plan/chosen plan/contender plan/density plan/evenness plan/for_page
    plan/gaps plan/ruler plan/search plan/single_spots plan/spread plan/state
    """.split()
)
MADE_FROM = "compiled_from.txt"
"""The SHA-256 of each of those sources, as sha256sum writes them; beside the package's own files."""


class CompilePages(BuildHookInterface):  # type: ignore[type-arg, unused-ignore]
    """Puts the compiled modules into the wheel; for an editable installation, beside their sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        if version == "editable":
            for stale in (
                *root.glob("adproxy__mypyc.*"),
                *(root / "adproxy").rglob("*.so"),
                root / "adproxy" / MADE_FROM,
            ):
                stale.unlink(missing_ok=True)
        wish = os.environ.get("ADPROXY_COMPILE", "")
        if wish not in ("", "never", "required"):
            raise ValueError(f"ADPROXY_COMPILE is {wish!r}; expected 'required', 'never', or nothing")
        if wish == "never":
            return
        self._directory = tempfile.TemporaryDirectory(prefix="adproxy-build-")
        try:
            made = _compiled(root, Path(self._directory.name), required=wish == "required")
        except (CCompilerError, CompileError, ExecError, LinkError, PlatformError) as problem:
            if wish == "required":
                raise
            print(
                f"adproxy: how pages are read was not compiled ({problem}). It runs in Python, and a page takes longer."
                " What it needs: a C compiler and Python's headers (on Debian: gcc, libc6-dev, python3-dev).",
                file=sys.stderr,
            )
            return
        for file in (path for path in made.rglob("*") if path.is_file()):
            place = file.relative_to(made)
            if version == "editable":
                shutil.copy2(file, root / place)
            else:
                build_data["force_include"][str(file)] = place.as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_directory"):
            self._directory.cleanup()


def _compiled(root: Path, directory: Path, *, required: bool) -> Path:
    """A folder in a directory with all compiled modules of a checkout, each where it belongs from the checkout on."""
    in_python: list[Extension] = []
    try:
        in_python = _in_python(root, directory)
    except CompileError as refused:  # by a mypy that is newer than all that this was tried with
        if required:
            raise
        print(f"adproxy: {refused}. It runs as Python, and a page takes longer.", file=sys.stderr)
    in_cython = cythonize(_in_cython(root / "adproxy", directory), quiet=True)
    distribution = Distribution({"name": "adproxy", "ext_modules": [*in_cython, *in_python]})
    build = distribution.get_command_obj("build_ext")
    build.build_lib, build.build_temp = str(directory / "lib"), str(directory / "temp")
    build.parallel = os.cpu_count()
    build.ensure_finalized()
    build.run()
    if in_python:
        sums = (f"{hashlib.sha256((root / 'adproxy' / name).read_bytes()).hexdigest()}  {name}\n" for name in PYTHON)
        (directory / "lib" / "adproxy" / MADE_FROM).write_text("".join(sums))
    return directory / "lib"


def _in_cython(folder: Path, directory: Path) -> list[Extension]:
    extensions = []
    for module, sources in CYTHON.items():
        digest = hashlib.sha256()
        for name in sources:
            source = (folder / module).with_name(name)
            digest.update(source.read_bytes())
            # copied, so that the C that Cython makes lies in the directory too
            shutil.copy2(source, directory / name)
        extensions.append(
            Extension(
                "adproxy." + module.replace("/", "."),
                [str(directory / sources[0])],
                # what the tests of these modules compare with the sources
                define_macros=[("ADPROXY_SOURCE", f'"{digest.hexdigest()}"')],
                extra_compile_args=[] if os.name == "nt" else ["-O3", "-g0"],
            )
        )
    return extensions


def _in_python(root: Path, directory: Path) -> list[Extension]:
    """Raises CompileError where mypyc refuses the sources."""
    quiet = [f"--cache-dir={directory / 'types'}", "--config-file=", "--ignore-missing-imports"]
    with contextlib.chdir(root):  # paths from there on are what tracebacks show
        try:
            extensions: list[Extension] = mypycify(
                [*quiet, *(f"adproxy/{name}" for name in PYTHON)],
                group_name="adproxy",
                target_dir=str(directory),
                opt_level="2",  # as fast as what more optimising makes
                debug_level="0",
            )
        except SystemExit as refused:
            raise CompileError("mypyc refuses the sources, for what stands above") from refused
    if os.name != "nt":
        for extension in extensions:
            # what no other library sees may be put where it is called: a page takes 2 % less; to look for what might be
            # warned of in 30 MB of C that nobody wrote takes as long as to compile it
            extension.extra_compile_args = [*extension.extra_compile_args, "-fvisibility=hidden", "-Wno-all"]
    return extensions
