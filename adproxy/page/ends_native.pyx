# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""`page.ends.pure` as compiled code: the same tags are believed, the same are not, and the tests hold it to that.

A byte is read only where an index was compared with the limit before; every loop moves forward.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcmp

cdef extern from *:
    """
    #ifndef ADPROXY_SOURCE
    #define ADPROXY_SOURCE ""
    #endif
    """
    const char *ADPROXY_SOURCE

SOURCE = ADPROXY_SOURCE.decode()
"""The SHA-256 of the source that this was made from."""

ctypedef const uint8_t *Bytes

cdef enum:
    # what a byte is in a tag, as bits
    WHITE = 1
    BETWEEN = 2         # white and "/"
    ENDS_NAME = 4       # those and ">"
    NO_ATTRIBUTE = 8    # those, quotes, "<" and "="
    NO_VALUE = 16       # white, ">", quotes, "<" and "`"
    LETTER = 32
    IN_NAME = 64        # letters, digits and "-"

cdef enum:
    LONGEST = 16        # a name of more letters has no trait

cdef enum:
    # what an element is, as bits: `page.ends.Trait`
    TABLE_PART = 1
    TABLE = 2
    UNCLEAR = 4
    RAW = 8
    SVG = 16
    HEADING = 32
    CLOSES_P = 64
    SCRIPT = 128
    NOSCRIPT = 256

cdef uint8_t[256] CLASS


cdef int _fill_table() except -1:
    cdef int c
    for c in range(256):
        CLASS[c] = 0
        if c in b"\t\n\f\r ":
            CLASS[c] |= WHITE | BETWEEN | ENDS_NAME | NO_ATTRIBUTE | NO_VALUE
        if c == c"/":
            CLASS[c] |= BETWEEN | ENDS_NAME | NO_ATTRIBUTE
        if c == c">":
            CLASS[c] |= ENDS_NAME | NO_ATTRIBUTE | NO_VALUE
        if c in b"\"'<":
            CLASS[c] |= NO_ATTRIBUTE | NO_VALUE
        if c == c"=":
            CLASS[c] |= NO_ATTRIBUTE
        if c == c"`":
            CLASS[c] |= NO_VALUE
        if 97 <= c <= 122 or 65 <= c <= 90:
            CLASS[c] |= LETTER | IN_NAME
        if 48 <= c <= 57 or c == c"-":
            CLASS[c] |= IN_NAME
    return 0


_fill_table()


cdef inline Py_ssize_t _find(Bytes page, Py_ssize_t position, Py_ssize_t limit, uint8_t wanted) noexcept nogil:
    """Where a byte is next from a position on; -1 where it is not."""
    cdef Bytes found
    if position >= limit:
        return -1
    found = <Bytes> memchr(page + position, wanted, limit - position)
    return found - page if found != NULL else -1


cdef inline uint8_t _lower(uint8_t letter) noexcept nogil:
    return letter | 0x20 if c"A" <= letter <= c"Z" else letter


cdef Py_ssize_t _behind_tag(Bytes page, Py_ssize_t position, Py_ssize_t limit) noexcept nogil:
    """From the end of a tag's name to behind its ">"; -1 where its attributes are not well formed."""
    cdef Py_ssize_t at, end
    cdef uint8_t first
    if position >= limit or not CLASS[page[position]] & ENDS_NAME:
        return -1
    while position < limit:
        if page[position] == c">":
            return position + 1
        if CLASS[page[position]] & BETWEEN:
            position += 1
            continue
        if CLASS[page[position]] & NO_ATTRIBUTE:
            return -1
        while position < limit and not CLASS[page[position]] & NO_ATTRIBUTE:
            position += 1
        at = position
        while at < limit and CLASS[page[at]] & WHITE:
            at += 1
        if at >= limit or page[at] != c"=":
            continue
        at += 1
        while at < limit and CLASS[page[at]] & WHITE:
            at += 1
        if at >= limit:
            return -1
        first = page[at]
        if first == c'"' or first == c"'":
            end = _find(page, at + 1, limit, first)
            if end < 0:
                return -1
            position = end + 1
        elif first == c"=" or CLASS[first] & NO_VALUE:
            return -1
        else:
            position = at + 1
            while position < limit and not CLASS[page[position]] & NO_VALUE:
                position += 1
    return -1


cdef Py_ssize_t _behind_comment(Bytes page, Py_ssize_t position, Py_ssize_t limit) noexcept nogil:
    """From behind a comment's "<!--" to behind its end; -1 where it has none, or ends at once."""
    if position < limit and page[position] == c">":
        return -1
    if position + 1 < limit and page[position] == c"-" and page[position + 1] == c">":
        return -1
    while True:
        position = _find(page, position, limit, c"-")
        if position < 0:
            return -1
        if position + 2 < limit and page[position + 1] == c"-":
            if page[position + 2] == c">":
                return position + 3
            if position + 3 < limit and page[position + 2] == c"!" and page[position + 3] == c">":
                return position + 4
        position += 1


cdef Py_ssize_t _raw_end(Bytes page, Py_ssize_t position, Py_ssize_t limit, Bytes name, Py_ssize_t size) noexcept nogil:
    """Where the end tag of a name is next; -1 where there is none."""
    cdef Py_ssize_t i
    while True:
        position = _find(page, position, limit, c"<")
        if position < 0 or position + 2 + size >= limit:
            return -1
        if page[position + 1] == c"/" and CLASS[page[position + 2 + size]] & ENDS_NAME:
            for i in range(size):
                if _lower(page[position + 2 + i]) != name[i]:
                    break
            else:
                return position
        position += 1


cdef class Ends:
    """Finds ends."""

    cdef dict _traits
    cdef object _is_balanced
    cdef object _behind_svg

    def __init__(self, traits, is_balanced, behind_svg):
        self._traits, self._is_balanced, self._behind_svg = dict(traits), is_balanced, behind_svg

    def __call__(self, bytes html not None, Py_ssize_t start, bytes wanted not None, Py_ssize_t limit, Py_ssize_t most):
        cdef Bytes page = <Bytes> PyBytes_AS_STRING(html)
        cdef Bytes name = <Bytes> PyBytes_AS_STRING(wanted)
        cdef Py_ssize_t name_size = PyBytes_GET_SIZE(wanted)
        cdef Py_ssize_t position = start, at, name_start, size, end, i, used = 0, depth = 0, tables = 0
        cdef int asked = self._traits.get(wanted, 0), trait
        cdef bint of_table = asked & TABLE, of_heading = asked & HEADING, of_p = wanted == b"p", closes, same
        cdef uint8_t[LONGEST] lowered
        if start < 0 or limit > PyBytes_GET_SIZE(html):
            raise ValueError("an offset that the page does not have")
        while used < most:
            used += 1
            while True:  # to the next "<" that begins something
                at = _find(page, position, limit, c"<")
                if at < 0 or at + 1 >= limit:
                    return -1, used
                if CLASS[page[at + 1]] & LETTER or page[at + 1] in b"/!?":
                    break
                position = at + 1
            if page[at + 1] == c"?":
                return -1, used
            if page[at + 1] == c"!":
                if at + 3 >= limit or page[at + 2] != c"-" or page[at + 3] != c"-":
                    return -1, used
                position = _behind_comment(page, at + 4, limit)
                if position < 0:
                    return -1, used
                continue
            closes = page[at + 1] == c"/"
            name_start = at + 1 + closes
            if name_start >= limit or not CLASS[page[name_start]] & LETTER:
                return -1, used
            end = name_start
            while end < limit and CLASS[page[end]] & IN_NAME:
                end += 1
            position = _behind_tag(page, end, limit)
            if position < 0:
                return -1, used
            size, trait = end - name_start, 0
            same = size == name_size
            if same:
                for i in range(size):
                    if _lower(page[name_start + i]) != name[i]:
                        same = False
                        break
            if size <= LONGEST:
                for i in range(size):
                    lowered[i] = _lower(page[name_start + i])
                trait = self._traits.get(PyBytes_FromStringAndSize(<const char *> lowered, size), 0)
            if tables == 0 and trait & TABLE_PART and not trait & TABLE:
                return -1, used
            if closes:
                if of_table or tables == 0 or trait & TABLE_PART:
                    if trait & TABLE:
                        tables -= 1
                        if tables < 0:
                            return -1, used
                        if of_table and tables == 0:
                            return position, used
                    elif of_heading and trait & HEADING:
                        return (position if same and depth == 1 else -1), used
                    elif same:
                        depth -= 1
                        if depth == 0:
                            return position, used
                elif same:
                    return -1, used
                continue
            if trait & UNCLEAR:
                return -1, used
            if trait & RAW:
                end = _raw_end(page, position, limit, lowered, size)
                if end < 0:
                    return -1, used
                if trait & SCRIPT and _holds_comment(page, position, end):
                    return -1, used
                if trait & NOSCRIPT and not self._is_balanced(html, position, end):
                    return -1, used
                position = end
                continue
            if trait & SVG:
                if page[position - 2] == c"/":
                    continue
                position = self._behind_svg(html, position, limit)
                if position < 0:
                    return -1, used
                continue
            if trait & TABLE:
                tables += 1
            elif same:
                depth += 1
            if of_p and depth and trait & CLOSES_P and at != start:
                return -1, used
            if of_heading and at != start and trait & HEADING:
                return -1, used
        return -1, used


cdef bint _holds_comment(Bytes page, Py_ssize_t position, Py_ssize_t end) noexcept nogil:
    while True:
        position = _find(page, position, end, c"<")
        if position < 0 or position + 4 > end:
            return False
        if memcmp(page + position, b"<!--", 4) == 0:
            return True
        position += 1
