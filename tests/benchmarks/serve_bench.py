"""What a page costs on its way through adproxy, beside other ways: python tests/benchmarks/serve_bench.py

Real processes on loopback: nginx as the origin; in front of it, in turn, nginx that passes, nginx that inserts with
sub_filter, and adproxy, for pages seen before and for new ones, plain and compressed. Those that are compared run on
one core of their own, the origin and the load on another. What counts is the processor time of a contender's processes
for each request, as the kernel counts it: how long a reader waits depends on what else the machine does, this hardly.
The contenders take turns in short bursts, so that a busy moment hits all of them alike; of the bursts the median
counts, and the ratios are made burst by burst.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rewrite_bench import CORPUS, SLOT, corpus, machine, made_pages

PAGES = 20
CONNECTIONS = 16
BURST_SECONDS = 1
"""Of load for each contender in each round."""
START_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")
_LOAD_MARGIN = 20.0
"""Seconds that a burst may take beyond its own before it is given up."""

RATIOS = {
    "warm_plain_vs_nginx_sub": ("adproxy, seen before", "nginx sub_filter"),
    "warm_gzip_vs_nginx_sub_gzip": ("adproxy, seen before, gzip", "nginx sub_filter, gzip"),
    "pass_vs_bare": ("adproxy, left alone", "bare relay"),
    "pass_vs_bare_memory_kept": ("adproxy, left alone", "bare relay, memory kept"),
    "rules_1000_vs_1": ("adproxy, seen before, 1000 rule sets", "adproxy, seen before"),
}
"""Key of the report → whose processor time is divided by whose."""


# --- contenders -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Contender:
    name: str
    command: list[str]
    port: int
    places: bool = False
    """Whether it puts slots of rules on pages: it is measured once it does."""
    gzip: bool = False
    """Whether the load asks for compressed pages."""
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    costs: list[float] = field(default_factory=list)
    """Microseconds for each request, by burst."""

    def pids(self) -> list[int]:
        """Of its processes, all of them."""
        assert self.process is not None
        found, at = [self.process.pid], 0
        while at < len(found):
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{found[at]}/task/{found[at]}/children").read_text().split())
            at += 1
        return found

    def ticks(self) -> int:
        """Processor time of its processes so far, in clock ticks."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(stat[11]) + int(stat[12])
        return total


def _nginx(folder: Path, name: str, port: int, server: str, *, http: str = "") -> list[str]:
    """The command of an nginx with one worker; `server`, `http`: what its configuration says there."""
    home = folder / name
    home.mkdir()
    config = f"""daemon off; worker_processes 1; {_user()} pid {home}/pid; error_log {home}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  include /etc/nginx/mime.types; default_type text/html; access_log off; keepalive_requests 1000000; sendfile on;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u;
  scgi_temp_path {home}/s;
  {http}
  server {{ listen 127.0.0.1:{port}; {server} }}
}}
"""
    file = home / "nginx.conf"
    file.write_text(config, encoding="utf-8")
    return [_program("nginx"), "-p", str(home), "-c", str(file)]


def _user() -> str:
    """As root nginx would give its worker to a user who can't read a temporary directory."""
    return "user root;" if os.getuid() == 0 else ""


def _proxying(upstream: int, more: str) -> tuple[str, str]:
    http = f"upstream origin {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}"
    server = f"""location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffers 16 32k; {more} }}"""
    return server, http


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise SystemExit(f"serve_bench: {name} is not installed: apt-get install {name}")
    return found


def _adproxy(folder: Path, name: str, port: int, upstream: int, rules: Path | None) -> list[str]:
    command = [sys.executable, "-m", "adproxy", "serve", "--upstream", f"http://127.0.0.1:{upstream}", "--workers", "1"]
    command += ["--port", str(port), "--office-port", str(_free_port()), "--state-dir", str(folder / f"state-{name}")]
    return command if rules is None else [*command, "--rules", str(rules)]


def _many_rules(folder: Path, count: int) -> Path:
    """A directory with so many rule sets; the last one is for the pages that are asked for."""
    many = folder / "many"
    many.mkdir()
    for i in range(count - 1):
        text = f"version: 1\nsite: site-{i}\nuse: [news]\nhosts: [site-{i}.example]\n"
        (many / f"site-{i}.yaml").write_text(text, encoding="utf-8")
    (many / "ours.yaml").write_text("version: 1\nsite: ours\nuse: [news]\nhosts: [127.0.0.1]\n", encoding="utf-8")
    return many


def _origin(folder: Path, name: str, port: int, root: Path) -> list[str]:
    """The command of an nginx that has the pages of a folder itself."""
    return _nginx(folder, name, port, f"root {root}; gzip_static on;", http="etag on; charset utf-8;")


def contenders(folder: Path, origin: int, root: Path) -> list[Contender]:
    """Everybody who takes part. `origin`: the port of the site; `root`: its pages."""
    one = folder / "one.yaml"
    one.write_text("version: 1\nsite: ours\nuse: [news]\n", encoding="utf-8")
    off = folder / "off.yaml"
    off.write_text('version: 1\nsite: ours\nuse: [news]\npages: [{path: "/**", ads: false}]\n', encoding="utf-8")
    slot = SLOT.replace('"', '\\"')
    insert = f'sub_filter \'</h1>\' "</h1>{slot}"; sub_filter_once on; proxy_set_header Accept-Encoding "";'
    squeeze = f"{insert} gzip on; gzip_comp_level 6; gzip_proxied any;"
    cold = {"ADPROXY_CACHE_BYTES": "0"}
    made: list[Contender] = []

    def add(name: str, command: Callable[[int], list[str]], *, compressed: bool = False, **environment: str) -> None:
        port = _free_port()
        places = name.startswith("adproxy") and "left alone" not in name
        made.append(Contender(name, command(port), port, places, compressed, environment))

    def nginx(key: str, more: str) -> Callable[[int], list[str]]:
        def command(port: int) -> list[str]:
            server, http = _proxying(origin, more)
            return _nginx(folder, key, port, server, http=http)

        return command

    def ours(key: str, rules: Path | None) -> Callable[[int], list[str]]:
        return lambda port: _adproxy(folder, key, port, origin, rules)

    def relay(*options: str) -> Callable[[int], list[str]]:
        program = str(Path(__file__).with_name("bare_relay.py"))
        return lambda port: [sys.executable, program, str(port), str(origin), *options]

    add("the origin, with nothing before it", lambda port: _origin(folder, "direct", port, root))
    add("nginx proxy_pass", nginx("pass", ""))
    add("nginx sub_filter", nginx("sub", insert))
    add("nginx sub_filter, gzip", nginx("sub-gzip", squeeze), compressed=True)
    # those that are compared stand side by side, for the machine's speed changes
    add("bare relay, memory kept", relay("--keep-memory"))
    if find_spec("pyreqwest") is not None:
        add("bare relay by reqwest, memory kept", relay("--keep-memory", "--client", "pyreqwest"))
    add("bare relay", relay())
    add("adproxy, left alone", ours("off", off))
    add("adproxy, seen before", ours("warm", one))
    add("adproxy, seen before, 1000 rule sets", ours("many", _many_rules(folder, 1000)))
    add("adproxy, seen before, gzip", ours("warm-gzip", one), compressed=True)
    add("adproxy, new", ours("cold", one), **cold)
    add("adproxy, new, gzip", ours("cold-gzip", one), compressed=True, **cold)
    return made


# --- running ----------------------------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _running(
    command: Sequence[str], port: int, core: int, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, pinned to a core, until it is no longer wanted."""
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    try:
        end = time.monotonic() + START_SECONDS
        while True:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"serve_bench: does not start: {' '.join(command)}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the session that was started for it, and nothing else
        process.wait(10)


def _wait_for_slots(contender: Contender, names: Sequence[str]) -> None:
    """Returns once one of the pages carries a slot: a directory of many rules takes seconds to load."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        for name in names:
            address = f"http://127.0.0.1:{contender.port}/{name}"
            with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as page:
                if b"data-adproxy-slot" in page.read():
                    return
        time.sleep(0.2)
    raise SystemExit(f"serve_bench: {contender.name} puts no slot on any page")


def _load(script: Path, port: int, seconds: int, core: int) -> int:
    """How many pages a load fetched; raises where one of them was no 200."""
    done = subprocess.run(
        ["taskset", "-c", str(core), _program("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script),
         f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, timeout=seconds + _LOAD_MARGIN, check=False,
    )  # fmt: skip
    words = done.stdout.rpartition("RESULT ")[2].split()
    if len(words) < 2 or words[1] != "0":
        raise SystemExit(f"serve_bench: errors from port {port}: {done.stdout}{done.stderr}")
    return int(words[0])


def _script(folder: Path, names: Sequence[str], *, compressed: bool) -> Path:
    coding = 'wrk.headers["Accept-Encoding"] = "gzip"' if compressed else ""
    paths = ", ".join(f'"/{name}"' for name in names)
    file = folder / f"load-{'gzip' if compressed else 'plain'}.lua"
    file.write_text(
        f"""{coding}
local paths = {{ {paths} }}
local i = 0
request = function()
  i = i % #paths + 1
  return wrk.format("GET", paths[i])
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write("RESULT ", summary.requests, " ", e.connect + e.read + e.write + e.status + e.timeout, "\\n")
end
""",
        encoding="utf-8",
    )
    return file


def measure(folder: Path, pages: Sequence[bytes], seconds: float, tell: Callable[[str], None]) -> list[Contender]:
    """All contenders with what each request cost them, by burst."""
    names = [f"story-{i}.html" for i in range(len(pages))]
    root = folder / "root"
    root.mkdir()
    for name, page in zip(names, pages, strict=True):
        (root / name).write_bytes(page)
        (root / f"{name}.gz").write_bytes(gzip.compress(page, 6))
    ours, theirs = (0, 1) if (os.cpu_count() or 1) > 1 else (0, 0)
    origin = _free_port()
    command = _origin(folder, "origin", origin, root)
    scripts = {flag: _script(folder, names, compressed=flag) for flag in (False, True)}
    with contextlib.ExitStack() as running:
        running.enter_context(_running(command, origin, theirs, {}))
        entered = contenders(folder, origin, root)
        for contender in entered:
            tell(f"starting {contender.name}")
            contender.process = running.enter_context(
                _running(contender.command, contender.port, ours, contender.environment)
            )
        end = time.monotonic() + seconds
        rounds = 0
        for contender in entered:
            if contender.places:
                _wait_for_slots(contender, names)
        for contender in entered:  # all pages seen, all connections to the origin open, the rules loaded
            tell(f"warming {contender.name}")
            _load(scripts[contender.gzip], contender.port, BURST_SECONDS, theirs)
        while rounds < 3 or time.monotonic() < end:
            shift = rounds % len(entered)
            for contender in entered[shift:] + entered[:shift]:
                tell(f"round {rounds + 1}, {contender.name}")
                before = contender.ticks()
                fetched = _load(scripts[contender.gzip], contender.port, BURST_SECONDS, theirs)
                contender.costs.append((contender.ticks() - before) / _TICKS * 1e6 / fetched)
            rounds += 1
    tell("")
    return entered


# --- telling ----------------------------------------------------------------------------------------------------------


def ratios(entered: Sequence[Contender]) -> dict[str, dict[str, float]]:
    """Median, least and most of each ratio, burst by burst."""
    costs = {contender.name: contender.costs for contender in entered}
    made = {}
    for key, (one, other) in RATIOS.items():
        found = [a / b for a, b in zip(costs[one], costs[other], strict=True) if b]
        made[key] = {"median": statistics.median(found), "min": min(found), "max": max(found)}
    return made


def report(entered: Sequence[Contender], pages: Sequence[bytes]) -> str:
    """The figures for people."""
    base = statistics.median(next(c.costs for c in entered if c.name == "nginx sub_filter"))
    about = machine()
    lines = [
        f"{about['cpu']}, {about['cores']} cores, load {about['load']}; {about['system']}; Python {about['python']}",
        f"{len(pages)} pages, median {statistics.median(map(len, pages)) / 1024:.0f} KiB; {len(entered[0].costs)} "
        f"bursts of {BURST_SECONDS} s each, {CONNECTIONS} connections, contenders on one core by turns",
        "",
        f"{'processor time for each request':<42}{'median us':>11}{'/ sub_filter':>14}{'spread, us':>18}",
    ]
    for c in entered:
        median = statistics.median(c.costs)
        spread = f"{min(c.costs):,.0f} to {max(c.costs):,.0f}"
        lines.append(f"{c.name:<42}{median:>11,.0f}{median / base:>14.2f}{spread:>18}")
    lines += ["", f"{'ratio':<42}{'median':>11}{'least':>14}{'most':>18}"]
    lines += [f"{k:<42}{r['median']:>11.2f}{r['min']:>14.2f}{r['max']:>18.2f}" for k, r in ratios(entered).items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=Path, metavar="DIR", help="these .html files (default: as rewrite_bench.py)")
    parser.add_argument("--seconds", type=float, default=150, help="end after so many seconds (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    folder = options.pages or (CORPUS if CORPUS.is_dir() else None)
    pages = corpus(folder) if folder else made_pages()
    if not pages:
        parser.error(f"no .html files in {folder}")
    pages = sorted(pages, key=len)
    middle = max(0, (len(pages) - PAGES) // 2)
    pages = pages[middle : middle + PAGES]
    tell = _progress()
    with tempfile.TemporaryDirectory() as home:
        entered = measure(Path(home), pages, options.seconds, tell)
    print(report(entered, pages))
    if options.json:
        result: dict[str, Any] = {
            "machine": machine(),
            "costs_us": {c.name: c.costs for c in entered},
            "ratios": ratios(entered),
        }
        options.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return 0


def _progress() -> Callable[[str], None]:
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
