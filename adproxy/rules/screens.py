"""Where editors work: pages of publishing systems that no reader sees. They get no ads unless the rules name them.

WordPress, Django and Drupal, Joomla and TYPO3 each have them at an address of their own on the site's
host, and send them as HTML like any page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from adproxy.rules.ruleset import PageRule

BY_DEFAULT: Final = "adproxy's default"
"""Stands where other rules have their file and line."""
_FOLDERS: Final = ("wp-admin", "admin", "administrator", "typo3")
_FILES: Final = ("wp-login.php",)

SCREENS: Final = {name: PageRule(f"/{name}/**", None, BY_DEFAULT) for name in _FOLDERS} | {
    name: PageRule(f"/{name}", None, BY_DEFAULT) for name in _FILES
}
"""By the first segment of their paths."""


def named_in(globs: Iterable[str]) -> frozenset[str]:
    """Which of them the paths of a rules file name: these are its own matter."""
    return frozenset(name for glob in globs if (name := glob.split("/", 2)[1]) in SCREENS)
