"""Tags by which caches in front find planned pages, so that a change of the rules can drop those that it concerns.

Each page says its site and the revision of the rules that planned it. Services differ in the field that they read, and
in what stands between two tags; none of them hands the field on to readers. The origin's own tags stay.
"""

from __future__ import annotations

from collections.abc import Sequence

from adproxy.eligibility import RawHeaders

SEPARATORS = {"surrogate-key": b" ", "xkey": b" ", "cache-tag": b",", "edge-cache-tag": b","}
"""The fields (lower case) that may be written: Fastly's and Varnish's; xkey of Varnish's modules; Cloudflare's and
Google's; Akamai's."""


def tagged(headers: RawHeaders, fields: Sequence[str], site: str, revision: str) -> list[tuple[bytes, bytes]]:
    """The header list of a planned page with its tags in these fields (lower case)."""
    tags = (b"adproxy-site-%s" % site.encode(), b"adproxy-rules-%s" % revision.encode())
    answer = list(headers)
    for field in fields:
        name, separator = field.encode(), SEPARATORS[field]
        # one line: not every service reads a second one
        there = next((index for index, line in enumerate(answer) if line[0].lower() == name), None)
        if there is None:
            answer.append((name, separator.join(tags)))
        else:
            kept = answer[there][1].strip()
            answer[there] = (answer[there][0], separator.join((kept, *tags) if kept else tags))
    return answer
