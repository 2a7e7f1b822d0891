"""A complete page as it came, with all that its outcome depends on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from adproxy.model import Plan
from adproxy.rules.ruleset import Policy
from adproxy.tokens import PageMarks


@dataclass(init=False, slots=True)
class WholePage:
    """A complete page with all that its outcome depends on."""

    pieces: tuple[bytes, ...]
    """Its body as it came, encoded; one that is known need not be joined."""
    coding: str
    """Content coding; empty for none."""
    content_type: str
    csp: tuple[str, ...]
    """Values of the Content-Security-Policy headers."""
    policy: Policy
    path: str
    """As it was asked for, without the query."""
    query: bytes
    prefix: str
    limit: int
    """Bytes that the decoded page may have."""
    variant: str
    """What its marks depend on beside the policy and the path."""
    marks_for: Callable[[Policy, Plan], PageMarks] | None

    # each request makes one, and finding a page takes little more than making a frozen dataclass would
    def __init__(
        self,
        pieces: tuple[bytes, ...],
        coding: str,
        content_type: str,
        csp: tuple[str, ...],
        policy: Policy,
        path: str,
        query: bytes,
        prefix: str,
        limit: int,
        variant: str,
        marks_for: Callable[[Policy, Plan], PageMarks] | None,
    ) -> None:
        self.pieces = pieces
        self.coding = coding
        self.content_type = content_type
        self.csp = csp
        self.policy = policy
        self.path = path
        self.query = query
        self.prefix = prefix
        self.limit = limit
        self.variant = variant
        self.marks_for = marks_for

    @property
    def body(self) -> bytes:
        """As it came, encoded."""
        return b"".join(self.pieces)

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return sum(map(len, self.pieces))

    def in_one_piece(self) -> WholePage:
        """The page itself, its pieces joined: for whoever reads the body more than once."""
        if len(self.pieces) > 1:
            self.pieces = (self.body,)
        return self

    def asked(self) -> Hashable | None:
        """All that the outcome depends on beside the body, `prefix` and `limit`, which are the same for all pages that
        are remembered in one place. None where that can't be told: a policy that was made by hand has no revision."""
        if not self.policy.revision:
            return None
        return (
            self.policy.site,
            self.policy.revision,
            self.path,
            self.coding,
            self.content_type,
            self.csp,
            self.variant,
            self.marks_for is None,
        )

    def kind(self) -> Hashable:
        """What versions of one page have in common. Their plans depend on nothing else but their bytes."""
        return (self.policy.site, self.policy.revision, self.path, self.query, self.content_type)
