"""A page's encoding as browsers find it (WHATWG HTML, 13.2.3), and whether an ASCII splice is right in it.

The order: byte order mark, then the charset of ``Content-Type``, then a ``<meta>`` in the first 1024 bytes. What we
insert is ASCII, so any encoding will do in which the bytes of markup mean ASCII and nothing else; UTF-16, UTF-32,
ISO-2022-JP, HZ and UTF-7 are not such, and a label that browsers do not know is no ground to stand on.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

# WHATWG Encoding, "Names and labels": each line is a codec of Python and the labels that stand for it. Encodings that
# browsers decode by a superset (ISO-8859-1 as windows-1252, GBK as GB18030 …) are listed under the superset.
_LABELS: Final = """
utf-8: unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8
cp866: 866 cp866 csibm866 ibm866
iso8859-2: csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2
iso8859-3: csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3
iso8859-4: csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4
iso8859-5: csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988
iso8859-6: arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i
iso8859-6: iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987
iso8859-7: csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597 iso_8859-7
iso8859-7: iso_8859-7:1987 sun_eu_greek
iso8859-8: csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8 iso88598 iso_8859-8
iso8859-8: iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical
iso8859-10: csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6
iso8859-13: iso-8859-13 iso8859-13 iso885913
iso8859-14: iso-8859-14 iso8859-14 iso885914
iso8859-15: csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9
iso8859-16: iso-8859-16
koi8-r: cskoi8r koi koi8 koi8-r koi8_r
koi8-u: koi8-ru koi8-u
mac-roman: csmacintosh mac macintosh x-mac-roman
cp874: dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874
cp1250: cp1250 windows-1250 x-cp1250
cp1251: cp1251 windows-1251 x-cp1251
cp1252: ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1
cp1252: iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252
cp1253: cp1253 windows-1253 x-cp1253
cp1254: cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 l5 latin5
cp1254: windows-1254 x-cp1254
cp1255: cp1255 windows-1255 x-cp1255
cp1256: cp1256 windows-1256 x-cp1256
cp1257: cp1257 windows-1257 x-cp1257
cp1258: cp1258 windows-1258 x-cp1258
mac-cyrillic: x-mac-cyrillic x-mac-ukrainian
gb18030: chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk gb18030
big5hkscs: big5 big5-hkscs cn-big5 csbig5 x-x-big5
euc_jp: cseucpkdfmtjapanese euc-jp x-euc-jp
cp932: csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis
cp949: cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949
"""

CODECS: Final[dict[str, str]] = {
    label: codec
    for codec, labels in (line.split(": ") for line in _LABELS.strip().splitlines())
    for label in labels.split()
}
"""From a label as pages write it (lower case) to the name of a Python codec; ASCII-compatible encodings alone."""

_UTF16_LABELS: Final = frozenset(
    ["csunicode", "iso-10646-ucs-2", "ucs-2", "unicode", "unicodefeff", "unicodefffe", "utf-16", "utf-16be", "utf-16le"]
)
_PRESCAN: Final = 1024
"""Bytes in which browsers look for a ``<meta>``."""
_PIECE: Final = 8 * 1024
"""Bytes that are decoded at once to see whether they can be."""
_SPACE: Final = b"\t\n\x0c\r "


def sniff(html: bytes, content_type: str) -> str | None:
    """The encoding that a browser reads the page in, as the name of a Python codec.

    `content_type`: the header's value. None where ASCII may not be spliced in, or where the label is unknown. Where
    nothing is declared: ``utf-8`` if the page decodes as such, else ``cp1252``.
    """
    if html.startswith(b"\xef\xbb\xbf"):
        return "utf-8"
    if html.startswith((b"\xfe\xff", b"\xff\xfe", b"\x00\x00\xfe\xff")):  # UTF-16; UTF-32 LE begins like UTF-16 LE
        return None
    label = _charset_parameter(content_type)
    if label is not None:
        return CODECS.get(label)
    label = _prescan(html[:_PRESCAN])
    if label is not None:
        # a meta that could be read as ASCII can't stand in UTF-16, so browsers take UTF-8 for it
        return "utf-8" if label in _UTF16_LABELS else "cp1252" if label == "x-user-defined" else CODECS.get(label)
    if b"\x00" in html[:_PRESCAN]:  # most likely UTF-16 or UTF-32 without a mark
        return None
    return "utf-8" if _is_utf8(html) else "cp1252"


def _is_utf8(html: bytes) -> bool:
    """Whether bytes are UTF-8; piece by piece, for room for the whole text would be taken and given back each time."""
    at = 0
    try:
        while at < len(html):
            piece = html[at : at + _PIECE]
            at += codecs.utf_8_decode(piece, "strict", at + len(piece) == len(html))[1]
    except UnicodeDecodeError:
        return False
    return True


_PARAMETER: Final = re.compile(r""";[ \t]*charset=(?:"((?:[^"\\]|\\.)*)"?|([^;]*))""", re.IGNORECASE)


def _charset_parameter(content_type: str) -> str | None:
    found = _PARAMETER.search(content_type)
    if found is None:
        return None
    quoted, plain = found.groups()
    label = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
    return label.strip("\t\n\x0c\r ").lower() or None


_TAG: Final = re.compile(rb"</?[A-Za-z][^\t\n\x0c\r >]*+")


def _prescan(head: bytes) -> str | None:
    """The label of the first ``<meta>`` that declares an encoding browsers know of, or would refuse; lower case."""
    position = 0
    if b"charset" not in head.lower():  # no tag of these can declare one
        return None
    while (position := head.find(b"<", position)) >= 0:
        rest = head[position : position + 6].lower()
        if rest.startswith(b"<!--"):
            # "<!-->" is a whole comment
            end = head.find(b"-->", position + 2)
            if end < 0:
                return None
            position = end + 3
        elif rest.startswith(b"<meta") and rest[5:] and rest[5:] in _SPACE + b"/":
            label, position = _meta_label(head, position + 5)
            if label is not None:
                return label
        elif tag := _TAG.match(head, position):
            position = tag.end()
            name: bytes | None = b""
            while name is not None:
                name, _, position = _attribute(head, position)
        elif rest[1:2] in (b"!", b"/", b"?"):
            end = head.find(b">", position)
            if end < 0:
                return None
            position = end + 1
        else:
            position += 1
    return None


def _meta_label(head: bytes, position: int) -> tuple[str | None, int]:
    seen: set[bytes] = set()
    pragma = False
    charset: str | None = None
    needs_pragma = False
    while True:
        name, value, position = _attribute(head, position)
        if name is None:
            break
        if name in seen:
            continue
        seen.add(name)
        if name == b"http-equiv" and value == b"content-type":
            pragma = True
        elif name == b"content" and charset is None:
            charset = _label_in_content(value.decode("latin-1"))
            needs_pragma = charset is not None
        elif name == b"charset":
            charset = value.decode("latin-1").strip("\t\n\x0c\r ")
            needs_pragma = False
    if not charset or (needs_pragma and not pragma):
        return None, position
    return charset, position


_CHARSET_IN_CONTENT: Final = re.compile(
    r"""charset[\t\n\x0c\r ]*=[\t\n\x0c\r ]*(?:"([^"]*)"|'([^']*)'|([^"'\t\n\x0c\r ;][^\t\n\x0c\r ;]*))"""
)


def _label_in_content(content: str) -> str | None:
    found = _CHARSET_IN_CONTENT.search(content)
    if found is None:
        return None
    return next(group for group in found.groups() if group is not None).strip("\t\n\x0c\r ")


# White space and slashes, a name that may begin with "=", white space, and a value if there is one.
_ATTRIBUTE: Final = re.compile(
    rb"[\t\n\x0c\r /]*+(?:([^\t\n\x0c\r />][^\t\n\x0c\r />=]*+)[\t\n\x0c\r ]*+"
    rb"(?:=[\t\n\x0c\r ]*+(?:\"([^\"]*+)\"|'([^']*+)'|(?![\"'])([^\t\n\x0c\r >]*+)))?+)?+"
)


def _attribute(head: bytes, position: int) -> tuple[bytes | None, bytes, int]:
    """The next attribute of a tag as the prescan reads it: name and value in lower case, and where it ends.

    The name is None at the end of the tag or of the bytes.
    """
    found = _ATTRIBUTE.match(head, position)
    assert found is not None  # nothing is a match too
    name, double, single, plain = found.groups()
    end = found.end()
    if name is None:
        return None, b"", end
    quoted = double if double is not None else single
    if quoted is not None:
        return name.lower(), quoted.lower(), end
    if end >= len(head):
        return None, b"", end
    if plain is None and head[end] == 0x3D:  # a quote that nothing ends
        return None, b"", len(head)
    return name.lower(), (plain or b"").lower(), end
