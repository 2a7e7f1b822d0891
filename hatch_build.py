"""Compiles the scan of pages, the walk through their trees, the search for the ends of elements and the counting of
words when adproxy is built. Where there is no C compiler, or no headers of Python, adproxy is built all the same and
does it in Python; `adproxy --version` tells which it is.

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

# The modules of adproxy.page, each with its source and what that includes.
MODULES = {
    "scan_native": ("scan_native.pyx", "markup_native.pxi", "follow_native.pxi"),
    "walk_native": ("walk_native.pyx",),
    "words_native": ("words_native.pyx",),
    "ends_native": ("ends_native.pyx",),
}


class CompilePages(BuildHookInterface):  # type: ignore[type-arg, unused-ignore]
    """Puts the compiled modules into the wheel; for an editable installation, beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        folder = Path(self.root) / "adproxy" / "page"
        if version == "editable":
            for name in MODULES:
                for stale in folder.glob(f"{name}.*.so"):
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
        for module in made:
            if version == "editable":
                shutil.copy2(module, folder / module.name)
            else:
                build_data["force_include"][str(module)] = f"adproxy/page/{module.name}"
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "_directory"):
            self._directory.cleanup()


def _compiled(folder: Path, directory: Path) -> list[Path]:
    """The modules compiled from the sources in a folder, in another directory."""
    extensions = []
    for module, sources in MODULES.items():
        digest = hashlib.sha256()
        for name in sources:
            digest.update((folder / name).read_bytes())
            # copied, so that the C that Cython makes lies in the directory too
            shutil.copy2(folder / name, directory / name)
        extensions.append(
            Extension(
                f"adproxy.page.{module}",
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
    return [next((directory / "lib").rglob(f"{module}*")) for module in MODULES]
