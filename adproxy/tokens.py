"""What a page's markup carries so that browsers can report."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True)
class PageMarks:
    """What one page's markup carries so that browsers can report: the same for every reader of the same bytes."""

    token: str
    """ASCII of [A-Za-z0-9._-]."""
    prefix: str
    """The path that we answer under."""

    def click(self, slot: str, n: int) -> str:
        """Path and query for the link of a slot's n-th placement: the answer redirects to the address that the rules
        give, and to no other."""
        return self._address("click", slot, n)

    def seen(self, slot: str, n: int) -> str:
        """Path and query of the picture by which a browser without scripts reports that it renders a house ad."""
        return self._address("seen", slot, n)

    def _address(self, what: str, slot: str, n: int) -> str:
        return f"{self.prefix}{what}?{urlencode({'t': self.token, 's': slot, 'i': n})}"
