"""What is said to stderr: by one process, and by all of `adproxy serve`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from our_server import until
from serve_process import serve, upstream
from wire import free_port

SAYS = """
import logging
from adproxy import logs
logs.configure(%r)
log = logging.getLogger("adproxy.some")
log.warning("before %%s", "all")
logs.speak_as("worker 3")
logs.request_id.set("abc")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("two\\nlines")
log.warning("ü", extra={"fields": {"status": 200}})
"""


def said(form: str) -> list[str]:
    run = subprocess.run([sys.executable, "-c", SAYS % form], capture_output=True, text=True, timeout=60, check=True)
    return run.stderr.splitlines()


def test_lines_for_people_say_who_and_about_which_request() -> None:
    lines = said("text")
    assert lines[:3] == ["WARNING: before all", "ERROR: worker 3: two (request abc)", "lines"]
    assert lines[3] == "Traceback (most recent call last):"
    assert lines[-2:] == ["ZeroDivisionError: division by zero", "WARNING: worker 3: ü (request abc)"]


def test_for_machines_each_line_is_an_object_whatever_is_in_it() -> None:
    first, failure, last = map(json.loads, said("json"))
    assert (first["level"], first["logger"], first["message"]) == ("warning", "adproxy.some", "before all")
    assert first["time"].endswith("+00:00")
    assert first.keys() == {"time", "level", "logger", "message"}
    assert (failure["process"], failure["request_id"], failure["message"]) == ("worker 3", "abc", "two\nlines")
    assert failure["traceback"].endswith("ZeroDivisionError: division by zero")
    assert (last["message"], last["status"]) == ("ü", 200)


def test_all_processes_say_objects_and_nothing_of_a_reader(tmp_path: Path) -> None:
    with (
        upstream() as url,
        serve(url, tmp_path, "--workers", "1", log_format="json", access_log_share="1", count="false") as them,
    ):
        assert them.ask("/story?email=reader@news.example")[0] == 200
        until(lambda: "'/story'" in them.said, "the request has its line")
        assert them.stop() == 0
    lines = [json.loads(line) for line in them.said.splitlines()]
    (line,) = [line for line in lines if line.get("path") == "/story"]
    assert (line["method"], line["status"], line["process"]) == ("GET", 200, "worker 0")
    assert line["seconds"] > 0
    assert len(line["request_id"]) == 32
    assert "reader@" not in them.said
    assert any("requests under way get" in line["message"] for line in lines)


def test_a_failure_is_told_with_the_requests_name_and_without_its_query(tmp_path: Path) -> None:
    with serve(f"http://127.0.0.1:{free_port()}", tmp_path, "--workers", "1", log_format="json") as them:
        assert them.ask("/story?email=reader@news.example")[0] == 502
        until(lambda: "upstream_unreachable" in them.said, "the failure is told")
        them.stop()
    (line,) = [line for line in map(json.loads, them.said.splitlines()) if "upstream_unreachable" in line["message"]]
    assert (line["level"], len(line["request_id"])) == ("warning", 32)
    assert "reader@" not in them.said
