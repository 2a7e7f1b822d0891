"""What becomes of a complete page.

Nothing here has a clock, a socket or a state: the same page gives the same outcome, in whichever thread, with or
without what is known of an earlier version of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from adproxy.charset import sniff
from adproxy.codings import decode, encode
from adproxy.model import Plan, Skip, SkipReason
from adproxy.page.loose import Loose, differences, is_readable, prove
from adproxy.rewrite import Planned, leave_alone, plan_page, wanted_by, write_page
from adproxy.rules.per_revision import PerRevision
from adproxy.rules.ruleset import Policy
from adproxy.splice import left_of_page
from adproxy.whole_page import WholePage

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
    spans: tuple[tuple[int, int], ...] = ()
    """Where the bytes that came are in those that are sent; none where they are not, being compressed."""


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


def decoded(whole: WholePage) -> bytes | Skip:
    """The page itself."""
    return decode(whole.body, whole.coding, whole.limit) if whole.coding else whole.body


def decide(whole: WholePage, earlier: Version | None = None, html: bytes | None = None) -> Decided:
    """What becomes of the page. `earlier`: the version of the same kind that is known; `html`: `decoded`, if that
    is known already."""
    page = html if html is not None else decoded(whole)
    if isinstance(page, Skip):
        return Decided(page)
    encoding = sniff(page, whole.content_type)
    if encoding is None:
        return Decided(Skip(SkipReason.CHARSET, whole.content_type))
    failures = 0
    if earlier is not None and earlier.encoding == encoding and leave_alone(page) is None:
        fitting = _fitting(earlier, page, whole.policy)
        if isinstance(fitting, Version):
            assert fitting.loose is not None
            outcome = _written(whole, page, fitting.planned.with_nonce(fitting.loose.nonce_of(page)))
            return Decided(outcome, fitting if fitting is not earlier else None, carried=True)
        failures = fitting
    planned = plan_page(page, whole.policy, encoding)
    if isinstance(planned, Skip):
        return Decided(planned)
    return Decided(_written(whole, page, planned), Version(page, encoding, planned.facts_alone(), failures=failures))


def _written(whole: WholePage, page: bytes, planned: Planned) -> Placed | Skip:
    result = write_page(
        page, planned, whole.policy, csp_headers=whole.csp, prefix=whole.prefix, marks_for=whole.marks_for
    )
    if isinstance(result, Skip):
        return result
    if not result.insertions:
        return Placed(result.plan, None)
    if whole.coding:
        return Placed(result.plan, encode(result.body, whole.coding))
    return Placed(result.plan, result.body, left_of_page(len(page), result.insertions))


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
