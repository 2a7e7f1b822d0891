"""A complete page as it came, with all that its outcome depends on; and its outcome.

Nothing here has a clock, a socket or a state: the same page gives the same outcome, in whichever thread, with or
without what is known of an earlier version of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from adproxy.charset import sniff
from adproxy.codings import decode, encode
from adproxy.model import Plan, Skip, SkipReason
from adproxy.page.loose import Loose, differences, is_readable, prove
from adproxy.rewrite import Planned, leave_alone, plan_page, wanted_by, write_page
from adproxy.rules.per_revision import PerRevision
from adproxy.rules.ruleset import Policy
from adproxy.tokens import PageMarks

MAX_FAILURES = 3
"""So often in a row it is tried to prove that what differs between versions of a page may differ: a proof that fails
costs a parse."""
_REFUSAL_BYTES = 250
"""What a refusal takes in memory, about."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A page that was planned, though perhaps with no slot."""

    plan: Plan
    body: bytes | None
    """As it is to be sent; None where it stays as it came."""


@dataclass(frozen=True, slots=True)
class Version:
    """The last version of a page that was planned, for those that come after it."""

    html: bytes
    """Decoded."""
    encoding: str
    planned: Planned
    loose: Loose | None = None
    """Where others may differ from it; None: nothing is proven yet."""
    failures: int = 0
    """Proofs that failed, in a row."""

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return len(self.html) + _REFUSAL_BYTES * (1 + len(self.planned.plan.refusals))


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a page, and what is to be known of it from now on."""

    outcome: Placed | Skip
    version: Version | None = None
    """To be kept for later versions; None: what was kept stays."""
    carried: bool = False
    """Whether the plan of an earlier version was its own."""


@dataclass(frozen=True, slots=True)
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

    @property
    def body(self) -> bytes:
        """As it came, encoded."""
        return b"".join(self.pieces)

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return sum(map(len, self.pieces))

    def in_one_piece(self) -> WholePage:
        """The same: for whoever reads the body more than once."""
        return self if len(self.pieces) == 1 else replace(self, pieces=(self.body,))

    def asked(self) -> Hashable | None:
        """All that the outcome depends on beside the body. None where that can't be told: a policy that was made by
        hand has no revision."""
        if not self.policy.revision:
            return None
        return (
            self.policy.site,
            self.policy.revision,
            self.path,
            self.coding,
            self.content_type,
            self.csp,
            self.prefix,
            self.limit,
            self.variant,
            self.marks_for is None,
        )

    def kind(self) -> Hashable:
        """What versions of one page have in common. Their plans depend on nothing else but their bytes."""
        return (self.policy.site, self.policy.revision, self.path, self.query, self.content_type)

    def decoded(self) -> bytes | Skip:
        """The page itself."""
        return decode(self.body, self.coding, self.limit) if self.coding else self.body

    def decide(self, earlier: Version | None = None, html: bytes | None = None) -> Decided:
        """What becomes of the page. `earlier`: the version of the same kind that is known; `html`: `decoded`, if that
        is known already."""
        page = html if html is not None else self.decoded()
        if isinstance(page, Skip):
            return Decided(page)
        html = page
        encoding = sniff(html, self.content_type)
        if encoding is None:
            return Decided(Skip(SkipReason.CHARSET, self.content_type))
        failures = 0
        if earlier is not None and earlier.encoding == encoding and leave_alone(html) is None:
            fitting = _fitting(earlier, html, self.policy)
            if isinstance(fitting, Version):
                assert fitting.loose is not None
                outcome = self._written(html, fitting.planned.with_nonce(fitting.loose.nonce_of(html)))
                return Decided(outcome, fitting if fitting is not earlier else None, carried=True)
            failures = fitting
        planned = plan_page(html, self.policy, encoding)
        if isinstance(planned, Skip):
            return Decided(planned)
        return Decided(self._written(html, planned), Version(html, encoding, planned.facts_alone(), failures=failures))

    def _written(self, html: bytes, planned: Planned) -> Placed | Skip:
        result = write_page(
            html, planned, self.policy, csp_headers=self.csp, prefix=self.prefix, marks_for=self.marks_for
        )
        if isinstance(result, Skip):
            return result
        if not result.insertions:
            return Placed(result.plan, None)
        return Placed(result.plan, encode(result.body, self.coding) if self.coding else result.body)


def _fitting(earlier: Version, html: bytes, policy: Policy) -> Version | int:
    """The earlier version with the proof that `html` has its plan; or how many proofs failed, where there is none."""
    if earlier.loose is not None and earlier.loose.fits(earlier.html, html):
        return earlier
    if earlier.html == html:
        # the same page packed in another way: some frameworks hide its length by chance, so that nobody can guess at it
        return replace(earlier, loose=Loose(()))
    if earlier.failures >= MAX_FAILURES or _may_be_read(policy):
        return earlier.failures
    found = differences(earlier.html, html)
    if found is None:
        return earlier.failures
    known = earlier.loose.spans if earlier.loose is not None else ()
    loose = prove(earlier.html, earlier.encoding, sorted({*known, *found}), earlier.planned.page.facts.nonce)
    if loose is None or not loose.fits(earlier.html, html):
        return earlier.failures + 1
    return replace(earlier, loose=loose, failures=0)


def _reads_tokens(policy: Policy) -> bool:
    wanted = wanted_by(policy)
    selectors = [wanted.article, wanted.sidebar_selector, *(place.selector for place in wanted.selectors)]
    return is_readable([*filter(None, selectors), *wanted.avoid, *wanted.asked], wanted.metas)


_may_be_read = PerRevision(_reads_tokens)
"""Whether a policy may read what tokens stand in."""
