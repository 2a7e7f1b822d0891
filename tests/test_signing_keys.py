"""Keys: given, read or made; never shown."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from adproxy.errors import SettingsError
from adproxy.signing_keys import FILE_NAME, load_keys
from adproxy.tokens import Keyring, PageFacts

FACTS = PageFacts("site", "/", "0", 1, ())
ONE, OTHER = "one key of more than 32 characters", "another key of more than 32 characters"


def test_keys_that_are_given_win(tmp_path: Path) -> None:
    token = Keyring(ONE).sign(FACTS)
    assert load_keys(f" {ONE} , {OTHER}", None, tmp_path).sign(FACTS) == token
    file = tmp_path / "keys"
    file.write_text(f"{OTHER}\n\n{ONE}\n")
    assert load_keys("", file, tmp_path).read(token) == FACTS
    assert load_keys("", file, tmp_path).sign(FACTS) == Keyring(OTHER).sign(FACTS)
    assert not (tmp_path / FILE_NAME).exists()


def test_a_key_is_made_once_for_all_who_share_the_directory(tmp_path: Path) -> None:
    made: list[str] = []
    ready = threading.Barrier(8)

    def make() -> None:
        ready.wait()
        made.append(load_keys("", None, tmp_path).sign(FACTS))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    kept = tmp_path / FILE_NAME
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len(kept.read_text().strip()) >= 32
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]
    assert load_keys("", None, tmp_path).sign(FACTS) == made[0]


@pytest.mark.parametrize("given", ["short", f"{ONE},short", ",", f"{ONE},{OTHER},{ONE}"])
def test_wrong_keys_are_refused_and_not_shown(given: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="expected one or two keys of 32 characters or more") as problem:
        load_keys(given, None, tmp_path)
    assert ONE not in str(problem.value)
    assert "short," not in str(problem.value).replace("too short", "")


def test_what_can_not_be_read_or_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"can't read the signing keys in .*gone: No such file"):
        load_keys("", tmp_path / "gone", tmp_path)
    with pytest.raises(SettingsError, match=r"can't keep signing keys in .*gone: No such file"):
        load_keys("", None, tmp_path / "gone")
