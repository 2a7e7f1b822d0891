"""Compiles the scan of pages when adproxy is built. Where there is no C compiler, or no headers of Python, adproxy is
built all the same and scans pages in Python; `adproxy --version` tells which it is.

``ADPROXY_COMPILE=required`` in the environment makes it an error not to compile, ``never`` leaves it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.errors import CCompilerError, CompileError, ExecError, LinkError, PlatformError

MODULE = "adproxy.page.scan_native"
# the module, and what it includes
SOURCES = ("scan_native.pyx", "markup_native.pxi", "follow_native.pxi")


class CompileTheScan(BuildHookInterface):  # type: ignore[type-arg, unused-ignore]
    """Puts the compiled module into the wheel; for an editable installation, beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        folder = Path(self.root) / "adproxy" / "page"
        if version == "editable":
            for stale in folder.glob("scan_native.*.so"):
                stale.unlink()
        wish = os.environ.get("ADPROXY_COMPILE", "")
        if wish not in ("", "never", "required"):
            raise ValueError(f"ADPROXY_COMPILE is {wish!r}; expected 'required', 'never', or nothing")
        if wish == "never":
            return
        self._directory = tempfile.TemporaryDirectory(prefix="adproxy-build-")
        try:
            made = _compiled(folder, Path(self._directory.name))
        except (CCompilerError, CompileError, ExecError, LinkError, PlatformError) as problem:
            if wish == "required":
                raise
            print(
                f"adproxy: the scan of pages was not compiled ({problem}). It runs in Python, and a page takes longer."
                " What it needs: a C compiler and Python's headers (on Debian: gcc, libc6-dev, python3-dev).",
                file=sys.stderr,
            )
            return
        if version == "editable":
            shutil.copy2(made, folder / made.name)
        else:
            build_data["force_include"][str(made)] = f"adproxy/page/{made.name}"
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_directory"):
            self._directory.cleanup()


def _compiled(folder: Path, directory: Path) -> Path:
    """The module compiled from the sources in a folder, in another directory."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((folder / name).read_bytes())
        # copied, so that the C that Cython makes lies in the directory too
        shutil.copy2(folder / name, directory / name)
    extension = Extension(
        MODULE,
        [str(directory / SOURCES[0])],
        # what tests/test_page_scan.py compares with the sources
        define_macros=[("ADPROXY_SOURCE", f'"{digest.hexdigest()}"')],
        extra_compile_args=[] if os.name == "nt" else ["-O3", "-g0"],
    )
    distribution = Distribution({"name": "adproxy", "ext_modules": cythonize([extension], quiet=True)})
    build = distribution.get_command_obj("build_ext")
    build.build_lib, build.build_temp = str(directory / "lib"), str(directory / "temp")
    build.ensure_finalized()
    build.run()
    return next((directory / "lib").rglob("scan_native*"))
