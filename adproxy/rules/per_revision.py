"""What is worked out once for each revision of a policy, and kept: bounded, the oldest goes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from adproxy.rules.ruleset import Policy

T = TypeVar("T")

MAX_KEPT = 1_024
"""More than the policies of any installation, kind of page by kind of page."""


class PerRevision(Generic[T]):
    """A function of a policy, remembered by its revision (the same revision means the same rules)."""

    def __init__(self, make: Callable[[Policy], T]) -> None:
        self._make = make
        self._kept: dict[str, T] = {}

    def __call__(self, policy: Policy) -> T:
        """The value for a policy; one without a revision (made by hand) is worked out each time."""
        if not policy.revision:
            return self._make(policy)
        found = self._kept.get(policy.revision)
        if found is None:
            found = self._make(policy)
            if len(self._kept) >= MAX_KEPT:
                self._kept.pop(next(iter(self._kept)), None)
            self._kept[policy.revision] = found
        return found
