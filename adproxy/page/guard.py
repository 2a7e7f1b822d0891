"""Pages that would hurt the parser are refused before it sees them.

lexbor is quick on every page that people write, and quadratic or worse on some that nobody does: deep nesting (each
block's start walks the stack of open elements), formatting left open before many blocks (each block reopens all of it),
thousands of attributes on one tag (each is compared with all before it). Everything here is linear in the page's bytes.

First all start tags are taken out of the bytes at once; their lengths and names clear nearly every page. Only for the
rest the tags are followed one by one. What is counted is what the scan is sure to have: all that may be a start tag.
"""

from __future__ import annotations

from typing import Final

from adproxy.page.bounds import Bounds
from adproxy.page.kinds import FOREIGN, FORMATTING, LEAVES_SVG, NEVER_OPEN, VOID
from adproxy.page.scan import Scanned, scan

# Some news sites send four megabytes, nearly all of it data for their scripts. By default pages of two are let through
# (`Settings.max_page_bytes`); what that costs at most grows with the bytes.
MAX_BYTES: Final = 8 * 1024 * 1024
# A megabyte of an encyclopedia's largest pages has 10,000.
MAX_TAGS: Final = 18_000
# Nothing may be open any more for them to close: each "</p>" is an element then.
MAX_END_TAGS: Final = 20_000
# No page has one that its author meant; the parser keeps 24 bytes for each, as an error. Smaller pages can't have so
# many that it matters.
MAX_NULS: Final = 10_000
_MAY_HAVE_MANY_NULS: Final = 512 * 1024
# 1,000 open elements cost the parser about a millisecond, 10,000 about a hundred, growing with the square.
MAX_DEPTH: Final = 1_500
# Formatting elements that a block would reopen, times the blocks: 80,000 clones take about 32 MiB.
MAX_REOPENED: Final = 40_000
# Attributes on one tag: 5,000 cost 30 ms, growing with the square.
MAX_ATTRIBUTES: Final = 512
# Each of a tag's attributes is compared with all before it: the sum over the page of their squares, halved, is what
# that costs, at 2.7 ns each.
MAX_COMPARISONS: Final = 7_000_000
MAX_TEMPLATES: Final = 64
# A tag may walk all open elements to find what it closes, at 3 to 5 ns each: the sum over the page.
MAX_WALKED: Final = 8_000_000
# Smaller pages can't reach the bound of the comparisons.
_LARGE: Final = 200 * 1024

# Of a page that may be parsed twice: a second time is at most 10 to 20 ms then.
_LIGHT_TAGS: Final = 4_000
_LIGHT_WALKED: Final = 6_000_000
_LIGHT_COMPARISONS: Final = 1_000_000
# Tags within others, each of which may have as many attributes as any.
_LIGHT_SWALLOWED: Final = 32

BOUNDS: Final = Bounds(MAX_ATTRIBUTES, MAX_COMPARISONS, MAX_DEPTH, MAX_REOPENED, MAX_TEMPLATES, MAX_WALKED)

_MANY_COMPARISONS: Final = "so many attributes on so many tags that comparing them would take too long"
_TOLD: Final = {
    "attributes": f"more than {MAX_ATTRIBUTES} attributes on one tag (<%s)",
    "comparisons": _MANY_COMPARISONS,
    "depth": f"elements nested more than {MAX_DEPTH} deep",
    "formatting": f"more than {MAX_DEPTH} formatting elements left open",
    "reopened": "formatting left open before so many elements that the parser would copy it %s times",
    "templates": f"more than {MAX_TEMPLATES} templates",
    "walked": "so many tags in so many open elements that looking for what they close would take too long",
    "noscript": "a noscript with a comment, raw text or tag that may not end in it on a page that nests deep",
    # in svg these end elsewhere than in HTML
    "svg": "a script, style, title or CDATA section with tags within svg on a page that nests deep",
}

_FLAT: Final = VOID | NEVER_OPEN
_TEMPLATE: Final = frozenset([b"template"])


def hostile(html: bytes, scanned: Scanned | None = None) -> str | None:
    """Why a page is refused, for people; None for a page that may be parsed.

    `scanned`: its scan, if it was made already. The bounds keep the parser below about 50 ms and 32 MiB on two
    megabytes, and in proportion on more.
    """
    if len(html) > MAX_BYTES:
        return f"{len(html)} bytes; at most {MAX_BYTES} are parsed"
    if len(html) > _MAY_HAVE_MANY_NULS and 0 in html and html.count(0) > MAX_NULS:
        return f"more than {MAX_NULS} NUL bytes"
    scanned = scanned or scan(html)
    if scanned.tags > MAX_TAGS:
        return f"about {scanned.tags} start tags; at most {MAX_TAGS} are parsed"
    tags = scanned.tags + scanned.swallowed
    # Every "<" may become a node: an end tag of p, a comment, and a "<?" that becomes one.
    count = scanned.less_than
    if count > 3 * MAX_TAGS or (count > MAX_END_TAGS and html.count(b"</") > MAX_END_TAGS):
        return f"about {count} tags and comments; at most {3 * MAX_TAGS} are parsed, {MAX_END_TAGS} end tags"
    # It may only look like a tag: "i<n;" in a script.
    if not scanned.is_clear or (
        scanned.may_have_more_attributes(MAX_ATTRIBUTES) and not scanned.has_few_attributes(MAX_ATTRIBUTES)
    ):
        return _followed(scanned)
    if len(html) > _LARGE:
        if scanned.comparisons_exceed(MAX_COMPARISONS, MAX_ATTRIBUTES):
            return _MANY_COMPARISONS
        if scanned.swallowed * MAX_ATTRIBUTES**2 // 2 > MAX_COMPARISONS:
            return _followed(scanned)
    if (tags > MAX_DEPTH or tags * count > MAX_WALKED) and not _is_flat(scanned, tags, count):
        return _followed(scanned)
    if scanned.count(FORMATTING) * tags > MAX_REOPENED:
        # At most three equal formatting elements are reopened (the parser's "Noah's Ark" clause).
        if (3 * scanned.distinct(FORMATTING) + scanned.count_swallowed(FORMATTING)) * tags > MAX_REOPENED:
            return _followed(scanned)
    return None


def is_light(scanned: Scanned) -> bool:
    """Whether a page that is let pass may be parsed twice, and be within these bounds all the same."""
    return (
        scanned.tags <= _LIGHT_TAGS
        and scanned.tags * scanned.less_than <= _LIGHT_WALKED
        and scanned.swallowed <= _LIGHT_SWALLOWED
        and not scanned.comparisons_exceed(_LIGHT_COMPARISONS, MAX_ATTRIBUTES)
    )


def _is_flat(scanned: Scanned, tags: int, count: int) -> bool:
    """True if even all elements that can stand in each other, each in the one before, are not too deep for `count`
    tags."""
    drawings = scanned.count(FOREIGN) > 0
    deep = tags - scanned.count(LEAVES_SVG if drawings else _FLAT)
    return deep <= MAX_DEPTH and deep * count <= MAX_WALKED and scanned.count(_TEMPLATE) <= MAX_TEMPLATES


def _followed(scanned: Scanned) -> str | None:
    """The same questions, answered by following every tag."""
    problem = scanned.follow(BOUNDS)
    if problem is None:
        return None
    told = _TOLD[problem.what]
    return told % problem.found if problem.found else told
