"""What was acknowledged is what is stored is what is scraped; and the tools that say so notice when it is not."""

from __future__ import annotations

import mutations
import pytest
import reconcile
import scanners


@pytest.mark.timeout(400)
def test_p14_nothing_acknowledged_is_lost_or_doubled_while_workers_are_killed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = reconcile.main(250, seconds=300)
    said = capsys.readouterr().out
    assert code == 0, said
    assert said.splitlines()[-1] == "difference 0"
    assert " 0 workers killed" not in said


@pytest.mark.timeout(400)
@pytest.mark.parametrize("broken", ["ack-early", "memory"])
def test_a_store_that_is_broken_is_noticed(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reconcile.main(250, broken, seconds=300) == 1
    assert capsys.readouterr().out.splitlines()[-1] != "difference 0"


def test_p18_no_scanner_makes_a_series(capsys: pytest.CaptureFixture[str]) -> None:
    assert scanners.main(600) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "series growth 0"


def test_p16_no_forged_token_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    assert mutations.main(5_000) == 0
    assert capsys.readouterr().out == "5000 mutated tokens, 0 accepted\n"
