"""The files of deploy/, read by the programs that they are for; each must refuse a broken one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from chain import DEPLOY, ROOT, Adproxy, Process, adapted, program
from test_deploy_nginx import CONF, main_conf
from wire import free_port

from adproxy.proxy_settings import ProxySettings

DEADLINE = 60
UNIT = DEPLOY / "systemd" / "adproxy.service"
ENVIRONMENT = DEPLOY / "systemd" / "adproxy.env"
DOCKERFILE = DEPLOY / "Dockerfile"
COMPOSE = DEPLOY / "compose.yaml"
GUIDE = DEPLOY / "README.md"
PROMETHEUS = DEPLOY / "prometheus"
DASHBOARD = DEPLOY / "grafana" / "adproxy.json"
SETTINGS = {f"ADPROXY_{name.upper()}": field for name, field in ProxySettings.model_fields.items()}
NO_SETTINGS = {"ADPROXY_COMPILE", "ADPROXY_PURE_PYTHON"}
"""Read before there are settings: by hatch_build.py and adproxy/__init__.py."""
EXPOSURE = 15
"""What `systemd-analyze security` may find at most, of 100: a service without any protection has 96."""


def run(command: str, *arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The output of a program, both kinds in `stdout`."""
    return subprocess.run(
        [command, *(str(argument) for argument in arguments)],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip


def changed(file: Path, directory: Path, replaced: dict[str, str]) -> Path:
    """A copy of a file with other words in it."""
    copy = directory / file.name
    copy.write_text(adapted(file.read_text(encoding="utf-8"), replaced), encoding="utf-8")
    return copy


# --- the image ------------------------------------------------------------------------------


def hadolint(file: Path) -> subprocess.CompletedProcess[str]:
    return run(program(str(Path(sys.executable).parent / "hadolint")), file)


def test_hadolint_finds_nothing_in_the_dockerfile(tmp_path: Path) -> None:
    result = hadolint(DOCKERFILE)
    assert (result.returncode, result.stdout) == (0, "")
    broken = changed(DOCKERFILE, tmp_path, {'ENTRYPOINT ["adproxy", "serve"]': "ENTRYPOINT adproxy serve"})
    assert "DL3025" in hadolint(broken).stdout


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions and what they are told, lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", "")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def test_the_image_runs_as_nobody_in_particular() -> None:
    users = [told for instruction, told in instructions() if instruction == "USER"]
    assert users == ["10001:10001"]
    assert [told for instruction, told in instructions() if instruction == "ENTRYPOINT"] == ['["adproxy", "serve"]']


def test_everything_that_the_image_is_made_of_is_let_into_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    let_in = {line[1:] for line in lines if line.startswith("!")}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert let_in == {"adproxy", "rules", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE"}
    assert 'readme = "README.md"' in project
    assert 'license-files = ["LICENSE"]' in project


def test_the_health_check_tells_an_adproxy_that_answers_from_none(tmp_path: Path) -> None:
    (told,) = [told for instruction, told in instructions() if instruction == "HEALTHCHECK"]
    command = json.loads(told[told.index("CMD") + 3 :])
    assert command[0] == "python"
    # nobody listens at the origin's address: without its origin adproxy is alive all the same
    adproxy = Adproxy(tmp_path, f"http://127.0.0.1:{free_port()}")
    script = adapted(command[2], {"127.0.0.1:8080": f"127.0.0.1:{adproxy.port}"})
    adproxy.start()
    try:
        assert run(sys.executable, "-c", script).returncode == 0
    finally:
        adproxy.end()
    assert run(sys.executable, "-c", script).returncode != 0


# --- compose --------------------------------------------------------------------------------


def compose(file: Path) -> subprocess.CompletedProcess[str]:
    return run(program("docker-compose"), "-f", file, "config", "--quiet")


def test_compose_takes_the_file(tmp_path: Path) -> None:
    result = compose(COMPOSE)
    assert (result.returncode, result.stdout) == (0, "")
    broken = compose(changed(COMPOSE, tmp_path, {"stop_grace_period:": "stop_grace:"}))
    assert broken.returncode != 0
    assert "stop_grace" in broken.stdout


def test_the_origin_of_the_compose_file_serves_the_paper_without_slots(tmp_path: Path) -> None:
    site = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["site"]
    port = free_port()
    command = [word.replace("0.0.0.0", "127.0.0.1").replace("8000", str(port)) for word in site["entrypoint"]]
    assert command[0] == "uvicorn"
    origin = Process([sys.executable, "-m", *command], port, tmp_path / "log")
    origin.start()
    try:
        page = origin.ask("/")
    finally:
        origin.end()
    assert page.status == 200
    assert b"Tolvaness" in page.body
    assert b"data-adproxy" not in page.body


def test_the_files_that_compose_mounts_exist() -> None:
    for service in yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).is_dir(), volume


# --- Prometheus -----------------------------------------------------------------------------


def test_promtool_takes_the_configuration_and_its_rules(tmp_path: Path) -> None:
    for what, file in (("config", "prometheus.yml"), ("rules", "alerts.yml"), ("rules", "rules.yml")):
        result = run(program("promtool"), "check", what, PROMETHEUS / file)
        assert result.returncode == 0, result.stdout
    broken = changed(PROMETHEUS / "alerts.yml", tmp_path, {"sum by (instance, kind)": "sum by instance"})
    assert run(program("promtool"), "check", "rules", broken).returncode != 0


def test_each_alert_fires_for_its_reason_and_not_without_it() -> None:
    result = run(program("promtool"), "test", "rules", "alerts_test.yml", cwd=PROMETHEUS)
    assert result.returncode == 0, result.stdout
    alerts = {rule["alert"] for rule in rules_in("alerts.yml")}
    tested = [
        test
        for story in yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text(encoding="utf-8"))["tests"]
        for test in story["alert_rule_test"]
    ]
    assert {test["alertname"] for test in tested if not test.get("exp_alerts")} == alerts
    assert {test["alertname"] for test in tested if test.get("exp_alerts")} == alerts


def rules_in(name: str) -> list[dict[str, Any]]:
    """The rules of a file of deploy/prometheus, alerts or recorded figures."""
    groups = yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_each_recorded_figure_is_what_the_counters_make_it() -> None:
    result = run(program("promtool"), "test", "rules", "rules_test.yml", cwd=PROMETHEUS)
    assert result.returncode == 0, result.stdout
    asked = (PROMETHEUS / "rules_test.yml").read_text(encoding="utf-8")
    # on the way to ratios, which are asked for
    steps = {f"site_slot:adproxy_slot_{what}:rate5m" for what in ("requests", "impressions", "viewable_impressions")}
    assert {rule["record"] for rule in rules_in("rules.yml") if rule["record"] not in asked} == steps


RECORDED = re.compile(r"\b[a-z_]+:adproxy_\w+:\w+")


def test_what_is_asked_for_by_a_recorded_name_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules_in("rules.yml")}
    for file in (PROMETHEUS / "alerts.yml", PROMETHEUS / "rules.yml", DASHBOARD, GUIDE):
        named = set(RECORDED.findall(file.read_text(encoding="utf-8")))
        assert named <= recorded, file
    assert set(yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))["rule_files"]) == {
        "alerts.yml",
        "rules.yml",
    }


def metrics_in(file: Path) -> set[str]:
    """The metrics that a file names, histograms by their family's name; recorded figures are none."""
    names = re.findall(r"\badproxy_[a-z]\w*", RECORDED.sub("", file.read_text(encoding="utf-8")))
    return {re.sub(r"_(seconds|ratio)_(bucket|sum|count)$", r"_\1", name) for name in names}


def documented_metrics() -> set[str]:
    return set(re.findall(r"^\| `(adproxy_\w+)`", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", ["prometheus/alerts.yml", "prometheus/rules.yml", "grafana/adproxy.json", "README.md"])
def test_a_file_asks_for_metrics_that_there_are(name: str) -> None:
    asked = metrics_in(DEPLOY / name)
    assert asked
    assert asked <= documented_metrics()


# --- nginx and Varnish ----------------------------------------------------------------------


def test_nginx_takes_the_file(tmp_path: Path) -> None:
    def check(replaced: dict[str, str]) -> subprocess.CompletedProcess[str]:
        here = {"/run/": f"{tmp_path}/", "/var/log/nginx/": f"{tmp_path}/", "listen 80;": "listen 127.0.0.1:8089;"}
        front = changed(CONF, tmp_path, here | replaced)
        main = tmp_path / "nginx.conf"
        main.write_text(main_conf(front, tmp_path), encoding="utf-8")
        return run(program("nginx"), "-t", "-c", main, "-p", tmp_path, "-e", "stderr")

    result = check({})
    assert result.returncode == 0, result.stdout
    assert "[warn]" not in result.stdout
    assert check({"proxy_connect_timeout": "proxy_conect_timeout"}).returncode != 0


def test_varnish_takes_the_file(tmp_path: Path) -> None:
    file = DEPLOY / "varnish" / "adproxy.vcl"
    result = run(program("varnishd"), "-C", "-f", file, "-n", tmp_path / "working")
    assert result.returncode == 0, result.stdout[-2000:]
    broken = changed(file, tmp_path, {"set req.backend_hint = origin;": "set req.backend_hint = orgin;"})
    assert run(program("varnishd"), "-C", "-f", broken, "-n", tmp_path / "working").returncode != 0


# --- systemd --------------------------------------------------------------------------------


def unit(directory: Path, replaced: dict[str, str]) -> Path:
    """The unit, with a program that there is."""
    return changed(UNIT, directory, {"/opt/adproxy/bin/adproxy": sys.executable, **replaced})


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    result = run(program("systemd-analyze"), "verify", unit(tmp_path, {}))
    assert (result.returncode, result.stdout) == (0, "")
    broken = run(program("systemd-analyze"), "verify", unit(tmp_path, {"KillMode=mixed": "KillMode=mild"}))
    assert "kill mode" in broken.stdout


def test_the_service_can_do_little_harm(tmp_path: Path) -> None:
    def exposure(replaced: dict[str, str]) -> int:
        file = unit(tmp_path, replaced)
        limit = f"--threshold={EXPOSURE}"
        return run(program("systemd-analyze"), "security", "--offline=true", limit, "--no-pager", file).returncode

    assert exposure({}) == 0
    assert exposure({"SystemCallFilter=": "#", "ProtectSystem=": "#", "CapabilityBoundingSet=": "#"}) != 0


# --- make -----------------------------------------------------------------------------------


def test_make_run_asks_for_the_site_before_it_installs_anything() -> None:
    result = run(program("make"), "run")
    assert result.returncode == 2
    assert "UPSTREAM=https://origin.example" in result.stdout
    assert "setup" not in result.stdout


# --- together -------------------------------------------------------------------------------


def test_settings_in_the_files_are_settings_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for file in (
        DOCKERFILE,
        COMPOSE,
        ENVIRONMENT,
        CONF,
        UNIT,
        DEPLOY / "varnish" / "adproxy.vcl",
        DEPLOY / "README.md",
    ):
        named = set(re.findall(r"\bADPROXY_[A-Z_]+\b", file.read_text(encoding="utf-8")))
        assert named - set(SETTINGS) - NO_SETTINGS == set(), file
    for name in list(os.environ):
        if name.startswith("ADPROXY_"):
            monkeypatch.delenv(name)
    for line in ENVIRONMENT.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("# "):
            name, _, value = line.removeprefix("#").partition("=")
            monkeypatch.setenv(name, value)
    assert ProxySettings.from_environment().head_seconds == 10


def test_the_guide_names_each_alert_as_it_is() -> None:
    told = re.findall(r"^\| `(Adproxy\w+)` \| (\w+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert told == [(rule["alert"], rule["labels"]["severity"]) for rule in rules_in("alerts.yml")]


def test_what_the_guide_links_to_exists() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^a-z -]", "", line.lower()).strip().replace(" ", "-")
        for line in text.splitlines()
        if line[:2] == "##"
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        assert (DEPLOY / file).exists(), target
        assert file or anchor in headings, target
    for name in re.findall(r"^\| `([\w/.-]+)`(?:, `([\w/.-]+)`)? \|", text.split("## Something")[0], re.MULTILINE):
        assert all((DEPLOY / part).exists() for part in name), name


def seconds(file: Path, pattern: str) -> list[float]:
    found = re.findall(pattern, file.read_text(encoding="utf-8"))
    assert found, f"{file.name}: {pattern}"
    return [float(value) for value in found]


def default(name: str) -> float:
    return float(ProxySettings.model_fields[name].default)


def test_each_waits_longer_than_what_stands_behind_it() -> None:
    vcl = DEPLOY / "varnish" / "adproxy.vcl"
    (head,) = seconds(ENVIRONMENT, r"ADPROXY_HEAD_SECONDS=(\d+)")
    longest = head + default("buffer_seconds") + default("rewrite_seconds")
    outer, streams, inner = seconds(CONF, r"proxy_read_timeout (\d+)s")
    assert longest < inner
    assert 2 * inner < outer
    assert streams > default("idle_seconds")
    assert all(value > longest for value in seconds(vcl, r"first_byte_timeout = (\d+)s"))
    assert all(value > default("idle_seconds") for value in seconds(vcl, r"between_bytes_timeout = (\d+)s"))
    # idle connections end first on the side that sends requests
    assert max(seconds(CONF, r"keepalive_timeout (\d+)s")) < default("keepalive_seconds")
    for stop in (*seconds(UNIT, r"TimeoutStopSec=(\d+)"), *seconds(COMPOSE, r"stop_grace_period: (\d+)s")):
        assert stop > default("drain_seconds") + 10
