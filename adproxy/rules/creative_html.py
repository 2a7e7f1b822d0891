"""An operator's HTML creative, checked so that it can't reach out of its slot.

The page around it is the publisher's: an element that the HTML parser would close early, open implicitly or move
elsewhere would change that page. So the markup must be balanced by itself, of elements whose parsing depends on
nothing around them. What is left out on purpose: forms and list items (they close those of the page), tables (parts
of them move), svg and math (other parsing rules), noscript (two trees, with scripting and without), comments.

The markup is turned into ASCII, so the same bytes are right in every encoding that a page may have.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from adproxy.rules.values import Mismatch, quoted_word

MAX_CHARACTERS = 64 * 1024
"""Of one creative: it is sent with each page."""
MAX_DEPTH = 50

_VOID = frozenset({"br", "hr", "img", "link", "source", "track", "wbr"})
_RAW = frozenset({"script", "style"})
_PHRASING = frozenset(
    {
        *("a", "abbr", "audio", "b", "bdi", "bdo", "br", "button", "cite", "code", "del", "em", "i", "iframe", "img"),
        *("ins", "kbd", "link", "mark", "picture", "q", "s", "script", "small", "source", "span", "strong", "style"),
        *("sub", "sup", "template", "time", "track", "u", "video", "wbr"),
    }
)
_BLOCK = frozenset(
    {
        *("address", "article", "aside", "blockquote", "details", "div", "figcaption", "figure", "footer", "h1", "h2"),
        *("h3", "h4", "h5", "h6", "header", "hr", "p", "section", "summary"),
    }
)
_KNOWN = _PHRASING | _BLOCK
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_INERT = frozenset({"div", "link", "script", "style", "template"})
_URL_ATTRIBUTES = frozenset({"action", "data", "formaction", "href", "ping", "poster", "src", "srcset"})

_WHY_NOT = {
    "base": "It would change every address of the page",
    "meta": "It would speak for the whole page",
    "form": "Browsers drop a form inside of a form of the page",
    "li": "It could close a list item of the page",
    **dict.fromkeys(("table", "tr", "td"), "Browsers move what they don't expect in a table: use div"),
    **dict.fromkeys(("html", "head", "body", "title"), "The page has one already"),
    **dict.fromkeys(("svg", "math"), "Use img, with the drawing in a file"),
    "noscript": "Browsers read it in two ways, with scripts and without",
}

_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)([^<>\"']*(?:\"[^\"]*\"[^<>\"']*|'[^']*'[^<>\"']*)*)>")
_ATTRIBUTE = re.compile(r"\s+([A-Za-z_:@][A-Za-z0-9_.:@-]*)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'=<>`/]+)))?")


@dataclass(frozen=True, slots=True)
class CheckedHtml:
    markup: bytes
    inert: bool
    """No text, link, picture or frame of its own: an element without a proof about its surroundings may hold it."""
    ids: tuple[str, ...]
    """As written, templates in them."""


def check_html(source: object) -> CheckedHtml:
    """Check and convert. Raises `adproxy.rules.values.Mismatch` at the first thing wrong, with its line."""
    if not isinstance(source, str) or not source.strip():
        raise Mismatch("HTML, such as '<div class=\"house-ad\"></div>'")
    if len(source) > MAX_CHARACTERS:
        raise Mismatch(f"HTML of at most {MAX_CHARACTERS:,} characters", "", (), f"{len(source):,} characters")
    return _Checker(source.strip()).check()


def check_fallback(source: object) -> CheckedHtml:
    """The same for markup that our script puts into the page when no ad came: without scripts, which a page's policy
    might let in only with a nonce that such markup can't have."""
    checked = check_html(source)
    if re.search(rb"<script", checked.markup, re.IGNORECASE):
        raise Mismatch("HTML without scripts", "It is shown where no ad came: text, links and pictures", (), "a script")
    return checked


class _Checker:
    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.open: list[str] = []
        self.out: list[str] = []
        self.text_at: list[int] = []  # where in `out` white space stands between elements
        self.ids: list[str] = []
        self.inert = True

    def check(self) -> CheckedHtml:
        while self.position < len(self.source):
            following = self.source.find("<", self.position)
            end = following if following >= 0 else len(self.source)
            self._text(self.source[self.position : end])
            self.position = end
            if following >= 0:
                self._tag()
        if self.open:
            raise self._wrong(f"'<{self.open[-1]}>' is never closed", f"'</{self.open[-1]}>' before the end")
        if self.inert:
            # White space counts as text for the parser; between elements that show nothing it is none's loss.
            for index in self.text_at:
                self.out[index] = ""
        return CheckedHtml("".join(self.out).encode("ascii"), self.inert, tuple(self.ids))

    def _text(self, text: str) -> None:
        if ">" in text:
            self.position += text.index(">")
            raise self._wrong("a '>' that ends no tag", "'&gt;' for the character itself")
        if not text:
            return
        if self.open and self.open[-1] == "iframe":
            raise self._wrong("text inside of '<iframe>'", "'</iframe>' at once")
        if "template" not in self.open:
            if text.strip(" \t\n\r\f"):
                self.inert = False
            else:
                self.text_at.append(len(self.out))
        self.out.append(_ascii(text))

    def _tag(self) -> None:
        if self.source.startswith("<!--", self.position):
            raise self._wrong("a comment", "HTML without comments", "Write it into the YAML, after '#'")
        match = _TAG.match(self.source, self.position)
        if match is None:
            raise self._wrong(
                quoted_word(self.source[self.position : self.position + 20]),
                "a tag with its attributes in quotes, or '&lt;' for the character itself",
            )
        name = match[2].lower()
        if match[1]:
            self._close(name, match[3])
        else:
            self._start(name, match[3])
        self.out.append(_ascii(match[0]))
        self.position = match.end()
        if not match[1] and name in _RAW:
            self._raw(name)

    def _close(self, name: str, rest: str) -> None:
        if rest.strip():
            raise self._wrong(f"attributes on '</{name}>'", f"'</{name}>'")
        if name in _VOID:
            raise self._wrong(f"'</{name}>'", f"'<{name}>' alone, which has no end")
        if not self.open:
            raise self._wrong(f"'</{name}>'", f"'<{name}>' before it")
        if self.open[-1] != name:
            raise self._wrong(f"'</{name}>'", f"'</{self.open[-1]}>' first")
        self.open.pop()

    def _start(self, name: str, attributes: str) -> None:
        if name not in _KNOWN and "-" not in name:
            raise self._wrong(
                f"the element '<{name}>'",
                "elements that stand by themselves, such as div, p, a, img, ins, script or iframe",
                _WHY_NOT.get(name, ""),
            )
        if "p" in self.open and name in _BLOCK:
            raise self._wrong(f"'<{name}>' inside of '<p>'", "'</p>' first", "Browsers close the paragraph there")
        if self.open and self.open[-1] == "iframe":
            raise self._wrong(f"'<{name}>' inside of '<iframe>'", "'</iframe>' at once")
        nested = {"a", "button"} & {name} or (_HEADINGS if name in _HEADINGS else frozenset())
        if inside := next((o for o in self.open if o in nested), None):
            raise self._wrong(f"'<{name}>' inside of '<{inside}>'", f"'</{inside}>' first")
        if name in _VOID:
            attributes = attributes.rstrip().removesuffix("/")
        elif attributes.rstrip().endswith("/"):
            raise self._wrong(f"'<{name}/>'", f"'<{name}></{name}>'")
        if "template" not in self.open and name not in _INERT:
            self.inert = False
        self._attributes(name, attributes)
        if name not in _VOID:
            self.open.append(name)
            if len(self.open) > MAX_DEPTH:
                raise self._wrong(f"more than {MAX_DEPTH} open elements", f"at most {MAX_DEPTH}")

    def _attributes(self, element: str, text: str) -> None:
        seen: set[str] = set()
        position = 0
        while position < len(text.rstrip()):
            match = _ATTRIBUTE.match(text, position)
            if match is None:
                raise self._wrong(
                    f"{quoted_word(text[position:].strip()[:30])} in '<{element}>'", "attributes such as 'class=\"ad\"'"
                )
            position = match.end()
            name = match[1].lower()
            value = html.unescape(next((group for group in match.groups()[1:] if group is not None), ""))
            if name in seen:
                raise self._wrong(f"the attribute '{name}' again in '<{element}>'", "each attribute once")
            seen.add(name)
            if name.startswith("on"):
                raise self._wrong(f"the event handler '{name}'", "no handlers in attributes", "Use a script element")
            if name == "srcdoc" or name.startswith("data-adproxy"):
                raise self._wrong(f"the attribute '{name}'", "other attributes")
            if name in _URL_ATTRIBUTES or name == "xlink:href":
                bare = re.sub(r"[\x00-\x20]", "", value).lower()
                if re.match(r"(javascript|vbscript|data:text/html)", bare):
                    raise self._wrong(f"the address {quoted_word(value[:30])}", "one that starts with https://")
            if name == "id":
                self.ids.append(value)

    def _raw(self, name: str) -> None:
        """The text of a script or style, up to its end tag."""
        end = re.compile(rf"</{name}(?=[\s>/])", re.IGNORECASE).search(self.source, self.position)
        if end is None:
            raise self._wrong(f"'<{name}>' that is never closed", f"'</{name}>'")
        text = self.source[self.position : end.start()]
        if "<!--" in text:
            raise self._wrong(
                f"'<!--' in a {name}", f"a {name} without it", "Browsers would look for its end elsewhere"
            )
        if not text.isascii():
            char = next(c for c in text if not c.isascii())
            escape = f"\\{ord(char):x} " if name == "style" else f"\\u{{{ord(char):x}}}"
            raise self._wrong(f"the character '{char}' in a {name}", "ASCII", f"Write '{escape}' in its texts")
        self.out.append(text)
        self.position = end.start()

    def _wrong(self, found: str, expected: str, hint: str = "") -> Mismatch:
        line = self.source.count("\n", 0, self.position) + 1
        where = f" in line {line} of the HTML" if "\n" in self.source else ""
        return Mismatch(expected, hint, (), found + where)


def _ascii(text: str) -> str:
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
