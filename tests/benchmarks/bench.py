"""Both benchmarks, one table, one picture: python tests/benchmarks/bench.py

What a rewrite costs in process (`rewrite_bench.py`), and what a page costs on its way through (`serve_bench.py`), one
after the other. The picture is an SVG; `BENCH_JSON=FILE` in the environment names where the ratios go.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_MARGIN_SECONDS = 240.0
"""That a benchmark may take beyond its time, for starting, warming and the last round."""
_WIDTH, _ROW, _LABEL, _FIGURE = 920, 26, 330, 170
"""Pixels of the picture, of a bar with its room, of the names and of the figures."""
_COLOURS = {"adproxy": "#1f6f54", "": "#8a94a0"}

Bar = tuple[str, float, str]
"""Name, length, and what is written behind it."""


def _run(script: str, seconds: float, file: Path, *more: str) -> dict[str, Any]:
    """What a benchmark measured; its own table goes to the terminal."""
    command = [sys.executable, str(HERE / script), "--seconds", f"{seconds:g}", "--json", str(file), *more]
    subprocess.run(command, check=True, timeout=seconds + _MARGIN_SECONDS)
    result: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return result


def picture(parts: Sequence[tuple[str, Sequence[Bar]]], below: str) -> str:
    """An SVG of bars, each part on a scale of its own; `below`: what it was measured on."""
    y, drawn = 20, []
    for title, bars in parts:
        y += 20
        drawn.append(f'<text x="0" y="{y}" font-weight="bold">{html.escape(title)}</text>')
        longest = max((length for _, length, _ in bars), default=1.0) or 1.0
        for name, length, figure in bars:
            y += _ROW
            width = max(1.0, (_WIDTH - _LABEL - _FIGURE) * length / longest)
            colour = next(colour for begin, colour in _COLOURS.items() if name.startswith(begin))
            drawn.append(f'<text x="0" y="{y}">{html.escape(name)}</text>')
            drawn.append(f'<rect x="{_LABEL}" y="{y - 13}" width="{width:.1f}" height="16" fill="{colour}"/>')
            drawn.append(f'<text x="{_LABEL + width + 6:.1f}" y="{y}">{html.escape(figure)}</text>')
        y += 16
    y += 24
    drawn.append(f'<text x="0" y="{y}" fill="#555">{html.escape(below)}</text>')
    style = 'font-family="sans-serif" font-size="13"'
    body = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 0 {_WIDTH + 24} {y + 16}" {style}>\n'
        f'<rect x="-12" width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rewrite-seconds", type=float, default=60, help="in process (default: %(default)s)")
    parser.add_argument("--serve-seconds", type=float, default=150, help="through servers (default: %(default)s)")
    parser.add_argument("--svg", type=Path, default=Path("bench.svg"), metavar="FILE", help="default: %(default)s")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home:
        rewritten = _run("rewrite_bench.py", options.rewrite_seconds, Path(home, "rewrite.json"), "--mallopt")
        print(flush=True)
        served = _run("serve_bench.py", options.serve_seconds, Path(home, "serve.json"))
    ratios = {**rewritten["ratios"], **served["ratios"]}
    print(f"\n{'ratio':<42}{'median':>11}{'least':>14}{'most':>18}")
    for key, ratio in ratios.items():
        print(f"{key:<42}{ratio['median']:>11.2f}{ratio['min']:>14.2f}{ratio['max']:>18.2f}")
    about = served["machine"]
    costs = {name: statistics.median(found) for name, found in served["costs_us"].items()}
    through = [(name, cost, f"{cost:,.0f} us") for name, cost in costs.items()]
    inside = [(n, row["median_us"], f"{row['median_us']:,.0f} us") for n, row in rewritten["contenders"].items()]
    below = f"{about['cpu']}, {about['cores']} cores, load {about['load']}; Python {about['python']}"
    parts = (
        ("Processor time of a page on its way through", through),
        ("A page rewritten in process, median page", inside),
    )
    options.svg.write_text(picture(parts, below), "utf-8")
    print(f"\nthe picture: {options.svg}")
    if wanted := os.environ.get("BENCH_JSON"):
        Path(wanted).write_text(json.dumps({"machine": about, "ratios": ratios}, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
