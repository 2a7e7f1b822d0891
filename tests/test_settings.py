"""The settings of a process."""

from pathlib import Path

import pytest
import typer

from adproxy.cli.app import app
from adproxy.errors import SettingsError
from adproxy.page.guard import MAX_BYTES
from adproxy.proxy_settings import ProxySettings
from adproxy.settings import About, Settings

README = Path(__file__).parent.parent / "README.md"


def test_every_setting_says_what_it_means_and_what_it_costs() -> None:
    for field in Settings.model_fields.values():
        (about,) = [note for note in field.metadata if isinstance(note, About)]
        assert about.means.endswith(".")
        assert about.costs.endswith(".")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADPROXY_PREFIX", "/ads/")
    monkeypatch.setenv("ADPROXY_VARY_EVERYWHERE", "true")
    assert Settings().prefix == "/ads/"
    assert Settings().vary_everywhere


def test_what_is_given_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADPROXY_MAX_PENDING", "3")
    assert Settings(max_pending=4).max_pending == 4


@pytest.mark.parametrize(
    "prefix", ["", "/", "ads/", "/ads", "/a b/", "/a/../b/", "/%61/", "//", "/a//b/", "/.a/", '/"/']
)
def test_a_prefix_must_be_plain(prefix: str) -> None:
    with pytest.raises(SettingsError, match="prefix: found"):
        Settings(prefix=prefix)


def test_a_wrong_value_names_the_setting_and_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADPROXY_MAX_PAGE_BYTES", "much")
    with pytest.raises(SettingsError, match="max_page_bytes: found 'much'"):
        Settings()


def test_a_page_may_be_as_large_as_the_guard_lets_pass() -> None:
    assert Settings(max_page_bytes=MAX_BYTES).max_page_bytes == MAX_BYTES
    with pytest.raises(SettingsError, match="max_page_bytes: found 8388609"):
        Settings(max_page_bytes=MAX_BYTES + 1)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(SettingsError, match="max_pages: found an unknown setting; expected one of prefix"):
        Settings(max_pages=1)


def test_the_table_has_a_line_for_each_setting() -> None:
    lines = Settings.table().splitlines()
    assert len(lines) == 2 + len(Settings.model_fields)
    assert "| `ADPROXY_MAX_PAGE_BYTES` | `2097152` bytes | " in Settings.table()


def test_the_table_of_the_proxys_settings_has_only_those_that_it_adds() -> None:
    lines = ProxySettings.table().splitlines()
    assert len(lines) == 2 + len(ProxySettings.model_fields) - len(Settings.model_fields)
    assert "| `ADPROXY_UPSTREAM` | `–` | " in ProxySettings.table()


def test_what_is_missing_is_told_with_the_ways_to_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADPROXY_UPSTREAM", raising=False)
    with pytest.raises(SettingsError, match="upstream: found nothing; expected a value, given here or as ADPROXY_UPST"):
        ProxySettings.from_environment()


@pytest.mark.parametrize(("mark", "settings"), [("settings", Settings), ("proxy settings", ProxySettings)])
def test_the_readme_shows_the_settings_as_they_are(mark: str, settings: type[Settings]) -> None:
    shown = README.read_text(encoding="utf-8").split(f"<!-- {mark} -->")[1].split(f"<!-- /{mark} -->")[0]
    assert shown.strip() == settings.table()


SECRETS = {"signing_keys", "switch_secret"}


def test_secrets_come_from_the_environment_or_files_and_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {name for name in ProxySettings.model_fields if "secret" in name or "keys" in name}
    assert named == SECRETS | {f"{name}_file" for name in SECRETS}
    for name in SECRETS:
        monkeypatch.setenv(f"ADPROXY_{name.upper()}", f"hidden-{name}")
    assert "hidden" not in repr(ProxySettings(upstream="http://origin.example"))
    with pytest.raises(SettingsError) as refused:
        ProxySettings(upstream="http://origin.example", port=-1)
    assert "hidden" not in str(refused.value)
    # everybody on the machine can read a command line
    options = {
        option
        for command in typer.main.get_group(app).commands.values()  # type: ignore[attr-defined]
        for parameter in command.params
        for option in parameter.opts
    }
    assert "--state-dir" in options
    assert not [option for option in options if "secret" in option or "key" in option]
