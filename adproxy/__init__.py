"""adproxy: ad slots in article pages by rules written in YAML, with every byte of the page left as it was."""

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from pathlib import Path

__version__ = "0.1.0"

if os.environ.get("ADPROXY_PURE_PYTHON") == "1":
    # Python takes a compiled module where there is one beside its source, unless it looks for sources first.
    for _folder in (str(Path(__file__).parent / name) for name in ("", "page", "plan", "rules")):
        sys.path_importer_cache[_folder] = FileFinder(
            _folder, (SourceFileLoader, SOURCE_SUFFIXES), (ExtensionFileLoader, EXTENSION_SUFFIXES)
        )
