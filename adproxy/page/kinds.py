"""Kinds of elements, by their names in lower case, that are told apart where bytes are read, not a tree."""

from __future__ import annotations

VOID = frozenset(
    b"area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr".split()
)
# What the parser reopens in later blocks if it is left open (HTML 13.2.4.3), but for links: there is but one of them.
FORMATTING = frozenset(b"b big code em font i nobr s small strike strong tt u".split())
FOREIGN = frozenset((b"svg", b"math"))
# Void or never open as HTML, and so in svg and math too, because their start ends these (HTML 13.2.6.5). All others of
# VOID and NEVER_OPEN are elements like any other there.
LEAVES_SVG = frozenset(b"body br dd dt embed head hr img li meta p".split())
# Never taken to be open: their start closes an open one of their kind, or they are ignored where they do not belong, or
# there is but one of them.
NEVER_OPEN = frozenset(b"a p li dd dt tr td th tbody thead tfoot caption colgroup html head body frameset".split())

# Their end tags close whatever is open inside, but for what is in SCOPES; all other end tags, and that of form, close
# nothing while an element of STOPS is open inside.
CLOSE_ALL = frozenset(
    b"address applet article aside blockquote button center details dialog dir div dl fieldset figcaption figure "
    b"footer h1 h2 h3 h4 h5 h6 header hgroup listing main marquee menu nav object ol pre search section select summary "
    b"table template ul".split()
)
SCOPES = frozenset(b"applet desc foreignobject marquee math noscript object select svg table template title".split())
STOPS = CLOSE_ALL | SCOPES | {b"form", b"plaintext"}
# Elements of svg that may be written as <path/>; anywhere else such a slash closes nothing.
WRITTEN_CLOSED = frozenset(
    b"animate circle clippath defs ellipse g image line lineargradient mask path pattern polygon polyline "
    b"radialgradient rect stop symbol text tspan use".split()
)
# Elements of svg's own that bring nothing else back.
SHAPES = frozenset(
    b"path g circle ellipse rect line polyline polygon defs use symbol mask clippath lineargradient stop".split()
)
# What stands in them is text, up to their end tag.
RAW = frozenset(b"style textarea title xmp iframe noembed noframes".split())

# Elements whose start tag closes an open p, as our div's does, and has all of the div's effects (HTML 13.2.6.4.7).
# They can have an anchor before their start.
BEFORE_START = frozenset(
    b"""address article aside blockquote center details dir div dl fieldset figcaption figure footer header hgroup h1 h2
    h3 h4 h5 h6 main menu nav ol p pre section summary ul""".split()
)
# Marked only so that their place in the bytes is known: what a table moves out of itself is told by it, and the end of
# a table is looked for from its start; where an author separates paragraphs by line breaks, a slot may follow a break.
MARKED = BEFORE_START | {b"table", b"br"}

# What they hold is no text for readers.
SILENT = frozenset("script style noscript template".split())
# What they hold is nothing that a page is read for, and half of many pages.
BULK = frozenset((b"script", b"style"))
# A script or style sheet in one of these is seldom an element of the page's own.
HIDING = (RAW | {b"noscript", b"template", b"svg", b"math"}) - BULK

KNOWN = (
    VOID
    | FORMATTING
    | FOREIGN
    | LEAVES_SVG
    | NEVER_OPEN
    | STOPS
    | WRITTEN_CLOSED
    | SHAPES
    | RAW
    | MARKED
    | BULK
    | HIDING
)
"""All that may be asked of a scan."""
