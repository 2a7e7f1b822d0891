"""One target in a process of its own: fuzzed by atheris, or its inputs run once more to see what they cover.

python -m fuzz.one fuzz TARGET [libFuzzer's options and folders]
python -m fuzz.one cover TARGET REPORT FOLDER…        the coverage of its modules as JSON
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent.parent / "adproxy"


def fuzz(name: str, options: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["adproxy"]):
        from fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *options], TARGETS[name].run)
    atheris.Fuzz()


def cover(name: str, report: str, folders: list[str]) -> None:
    from coverage import Coverage

    measured = Coverage(branch=True, source=[str(PACKAGE)], data_file=None)
    measured.start()
    from fuzz.targets import TARGETS

    for folder in folders:
        for file in sorted(Path(folder).iterdir()):
            TARGETS[name].run(file.read_bytes())
    measured.stop()
    measured.json_report(outfile=report, include=[str(PACKAGE / module) for module in TARGETS[name].modules])


def again(name: str, seconds: int, file: str) -> None:
    from fuzz.targets import TARGETS

    TARGETS[name].run(TARGETS[name].seeds()[0])  # what is made once is made now
    used = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds, used + seconds))
    TARGETS[name].run(Path(file).read_bytes())


if __name__ == "__main__":
    what, target, *rest = sys.argv[1:]
    if what == "fuzz":
        fuzz(target, rest)
    elif what == "again":
        again(target, int(rest[0]), rest[1])
    else:
        cover(target, rest[0], rest[1:])
