"""Freed memory is kept where that is asked for."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Page faults of thirty parses, after the first few, in a process of their own.
FAULTS = """
import resource
from selectolax.lexbor import LexborHTMLParser
from adproxy.memory import keep_freed_memory
{prepare}
html = b"<div><p class=a>words</p></div>" * 8_000
for n in range(40):
    if n == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    LexborHTMLParser(html)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(prepare: str) -> int:
    said = subprocess.run(
        [sys.executable, "-c", FAULTS.format(prepare=prepare)], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    return int(said)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's allocator that is told")
def test_memory_of_a_page_serves_the_next_one() -> None:
    assert faults("assert keep_freed_memory()") < faults("") / 10
