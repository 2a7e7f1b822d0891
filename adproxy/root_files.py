"""What adproxy answers itself at the root of a site: the files for buyers that lie beside the rules.

Where the directory of the rules has none, the request goes on to the application, which may have its own.
"""

from __future__ import annotations

from adproxy.eligibility import RawHeaders, values
from adproxy.own_paths import Answer, answered, file_answer
from adproxy.rules.match import find_rule_set
from adproxy.rules.public_files import NAMES
from adproxy.rules.ruleset import RuleBook

_PATHS = {f"/{name}".encode(): name for name in NAMES}
_TYPES = {".txt": b"text/plain; charset=utf-8", ".json": b"application/json"}
_CACHED = b"public, max-age=3600"


def root_answer(book: RuleBook, method: str, raw_path: bytes, headers: RawHeaders) -> Answer | None:
    """The answer to a request for such a file; None where the request is the application's."""
    name = _PATHS.get(raw_path)
    if name is None or not book.public_files:
        return None
    rule_set = find_rule_set(book, next(iter(values(headers, b"host")), ""))
    if rule_set is None:
        return None
    files = {file.site: file for file in book.public_files if file.name == name}
    file = files.get(rule_set.site) or files.get("")
    if file is None:
        return None
    content_type = _TYPES[name[name.rindex(".") :]]
    return answered(file_answer(content_type, file.content, _CACHED, file.sha256[:20].encode()), method, headers)
