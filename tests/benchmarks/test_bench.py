"""What benchmarks make of figures: ratios burst by burst, tables, well-formed pictures. No time is asserted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import bench  # noqa: E402
import growth_bench  # noqa: E402
import serve_bench  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def test_a_picture_is_well_formed_and_its_bars_are_as_long_as_their_figures() -> None:
    parts = [("A <part>", [("adproxy, new", 10.0, "10 us"), ("nginx & co", 5.0, "5 us")]), ("Nothing", [])]
    root = ElementTree.fromstring(bench.picture(parts, "an <odd> machine"))
    bars = [bar for bar in root.iter(f"{SVG}rect") if bar.get("x") != "-12"]
    assert float(bars[0].get("width", 0)) == pytest.approx(2 * float(bars[1].get("width", 0)), rel=0.01)
    assert [text.text for text in root.iter(f"{SVG}text")][:3] == ["A <part>", "adproxy, new", "10 us"]


def contender(name: str, costs: list[float]) -> serve_bench.Contender:
    made = serve_bench.Contender(name, [], 0)
    made.costs.extend(costs)
    return made


def test_ratios_are_made_burst_by_burst() -> None:
    names = {name for pair in serve_bench.RATIOS.values() for name in pair}
    entered = [contender(name, [100.0, 200.0, 400.0]) for name in sorted(names - {"adproxy, seen before"})]
    entered.append(contender("adproxy, seen before", [50.0, 300.0, 400.0]))
    found = serve_bench.ratios(entered)
    assert found["warm_plain_vs_nginx_sub"] == {"median": 1.0, "min": 0.5, "max": 1.5}
    assert set(found) == set(serve_bench.RATIOS)
    assert "adproxy, seen before" in serve_bench.report(entered, [b"x" * 2048])


def test_growth_is_measured_over_pages_of_one_size_in_ever_more_paragraphs() -> None:
    sizes = [len(growth_bench.page_in_blocks(n)) for n in growth_bench.BLOCKS]
    assert max(sizes) < 1.2 * min(sizes)
    assert [growth_bench.page_in_blocks(n).count(b"<p>") for n in growth_bench.BLOCKS] == list(growth_bench.BLOCKS)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_growth_benchmark_runs_to_its_picture(tmp_path: Path) -> None:
    picture = tmp_path / "growth.svg"
    done = subprocess.run(
        [sys.executable, str(HERE / "growth_bench.py"), "--svg", str(picture), "--at-once", "2", "--brief"],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "2 at once" not in done.stdout
    assert "1 at once" in done.stdout
    assert "3,000 paragraphs" in done.stdout
    assert ElementTree.parse(picture).getroot().tag == f"{SVG}svg"
