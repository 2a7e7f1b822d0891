"""Compiles the scan of pages, the walk through their trees, the search for the ends of elements, the counting of words
and that of pages when adproxy is built. Where there is no C compiler, or no headers of Python, adproxy is built all the
same and does it in Python; `adproxy --version` tells which it is.

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

# The modules by their paths in adproxy, each with its source and what that includes.
MODULES = {
    "page/scan_native": ("scan_native.pyx", "markup_native.pxi", "follow_native.pxi"),
    "page/walk_native": ("walk_native.pyx",),
    "page/words_native": ("words_native.pyx",),
    "page/ends_native": ("ends_native.pyx",),
    "cells_native": ("cells_native.pyx",),
}


class CompilePages(BuildHookInterface):  # type: ignore[type-arg, unused-ignore]
    """Puts the compiled modules into the wheel; for an editable installation, beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        folder = Path(self.root) / "adproxy"
        if version == "editable":
            for module in MODULES:
                for stale in folder.glob(f"{module}.*.so"):
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
                f"adproxy: how pages are read was not compiled ({problem}). It runs in Python, and a page takes longer."
                " What it needs: a C compiler and Python's headers (on Debian: gcc, libc6-dev, python3-dev).",
                file=sys.stderr,
            )
            return
        for module, library in made.items():
            place = (folder / module).with_name(library.name)
            if version == "editable":
                shutil.copy2(library, place)
            else:
                build_data["force_include"][str(library)] = place.relative_to(self.root).as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_directory"):
            self._directory.cleanup()


def _compiled(folder: Path, directory: Path) -> dict[str, Path]:
    """The modules compiled from the sources in a folder, each in another directory."""
    extensions = []
    for module, sources in MODULES.items():
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
    distribution = Distribution({"name": "adproxy", "ext_modules": cythonize(extensions, quiet=True)})
    build = distribution.get_command_obj("build_ext")
    build.build_lib, build.build_temp = str(directory / "lib"), str(directory / "temp")
    build.ensure_finalized()
    build.run()
    return {module: next((directory / "lib" / "adproxy").glob(f"{module}*")) for module in MODULES}
