# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""`page.scan_pure` in one pass of compiled code: what it says of a page is the same, and the tests hold it to that.

The page comes from anybody. So a byte is read only where an index was compared with the page's size before, in the
same function; every loop moves forward; and what is kept are 20 bytes for each start tag, which has three bytes itself.
Everything is linear: what a search did not find from one place on is not searched for behind it again.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_RawFree, PyMem_RawRealloc, PyMem_Realloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, memset

from adproxy.page.asked import ASKED, PART, PREFIX
from adproxy.page.bounds import Problem
from adproxy.page.kinds import (
    BULK, CLOSE_ALL, FOREIGN, FORMATTING, HIDING, KNOWN, LEAVES_SVG, NEVER_OPEN, RAW, SCOPES, SHAPES, STOPS, VOID,
    WRITTEN_CLOSED
)
from adproxy.page.syntax import LEFT_OUT, LOOKED_BACK
from adproxy.page.syntax import MOST_READ_WITHIN as MOST_BYTES_WITHIN
from adproxy.page.syntax import MOST_WITHIN as MOST_TAGS_WITHIN
from adproxy.page.syntax import NOTABLE as NOTABLE_BYTES

cdef extern from *:
    """
    #ifndef ADPROXY_SOURCE
    #define ADPROXY_SOURCE ""
    #endif
    """
    const char *ADPROXY_SOURCE

SOURCE = ADPROXY_SOURCE.decode()
"""The SHA-256 of the sources that this was made from: this file, and then those it includes."""

cdef Py_ssize_t NOTABLE = NOTABLE_BYTES
cdef Py_ssize_t MOST_WITHIN = MOST_TAGS_WITHIN
cdef Py_ssize_t MOST_READ_WITHIN = MOST_BYTES_WITHIN
cdef Py_ssize_t LOOKED_BACK_BYTES = LOOKED_BACK
cdef bytes _INSTEAD = LEFT_OUT

include "markup_native.pxi"
include "follow_native.pxi"


cdef struct Tag:
    uint32_t start       # of its "<"
    uint32_t name_end
    uint32_t end         # of its attributes: where the ">" is, if there is one
    uint32_t attributes
    uint8_t kind
    uint8_t swallows     # something in it looks like a start tag


cdef struct Text:        # of a script or a style sheet
    uint32_t tag         # its number
    uint32_t start
    uint32_t end


cdef bint _may_be_left(Bytes page, Py_ssize_t start, Py_ssize_t end, uint8_t quote) noexcept nogil:
    """`scan_pure._may_be_left` of the attributes between two positions, for one kind of quote."""
    cdef Py_ssize_t at = end - 1
    while at >= start and page[at] != quote:
        at -= 1
    at -= 1
    while at >= start and CLASS[page[at]] & WHITE:
        at -= 1
    return at >= start and page[at] == c"="


cdef bint _has(Bytes page, Py_ssize_t size, Bytes needle, Py_ssize_t length, Py_ssize_t rare) noexcept nogil:
    """Whether the page holds a needle, two bytes of which, from `rare` on, are seldom on a page."""
    cdef Py_ssize_t position = 0, end, i
    cdef uint8_t a = needle[rare], b = needle[rare + 1]
    cdef uint8_t seen
    cdef Py_ssize_t starts = size - length + 1  # where it could begin
    cdef Bytes shifted = page + rare
    while position < starts:
        end = min(position + 2048, starts)
        seen = 0
        for i in range(position, end):  # without a branch: the compiler looks at many bytes at once
            seen |= <uint8_t> (shifted[i] == a) & <uint8_t> (shifted[i + 1] == b)
        if seen:
            for i in range(position, end):
                if memcmp(page + i, needle, length) == 0:
                    return True
        position = end
    return False


cdef bint _ends_before_next(Bytes page, Py_ssize_t position, Py_ssize_t size) noexcept nogil:
    """Whether what begins with the "<" there ends, by a ">", before another does."""
    for position in range(position + 1, size):
        if page[position] == c">":
            return True
        if page[position] == c"<":
            return False
    return True


cdef class Scanned:
    """What `scan_pure.Scanned` is, from one pass."""

    cdef readonly bytes html
    cdef readonly Py_ssize_t tags
    cdef readonly Py_ssize_t swallowed
    cdef readonly bint is_clear
    cdef readonly Py_ssize_t less_than
    cdef readonly Py_ssize_t behind_body
    cdef Tag *_tags
    cdef Py_ssize_t _room
    cdef Text *_texts
    cdef Py_ssize_t _texts_found
    cdef Py_ssize_t _texts_room
    cdef Stretches _idle        # attributes that nobody asks about
    cdef Py_ssize_t _shadow     # up to which what looks like a tag may be within an end tag or a doctype
    cdef Py_ssize_t _ends_read  # end tags that were read for that
    cdef uint8_t _open          # of what kind the element is that is open whose text is of no interest; 0: none
    cdef uint32_t _open_tag
    cdef Py_ssize_t _text_start
    cdef Py_ssize_t _comment    # where the last one begins; -1: nowhere
    cdef Py_ssize_t _longest
    cdef Py_ssize_t _looked_at  # of what is within others, how many were read to their ends
    cdef Py_ssize_t _read_within    # bytes of theirs
    cdef int _holds_adproxy     # -1 until somebody asks
    cdef uint32_t[KINDS] _kinds
    cdef uint32_t[KINDS] _swallowed_kinds

    def __cinit__(self, bytes html not None):
        if PyBytes_GET_SIZE(html) >= 0xFFFFFFFF:
            raise ValueError("a page of 4 GiB")
        self.html = html
        self.is_clear = True
        self._holds_adproxy = self._comment = -1
        memset(self._kinds, 0, sizeof(self._kinds))
        memset(self._swallowed_kinds, 0, sizeof(self._swallowed_kinds))
        self._read(<Bytes> PyBytes_AS_STRING(html), PyBytes_GET_SIZE(html))

    def __dealloc__(self):
        PyMem_Free(self._tags)
        PyMem_Free(self._texts)
        PyMem_RawFree(self._idle.of)

    cdef int _make_room(self) except -1:
        cdef Py_ssize_t room = 2 * self._room if self._room else 1024
        cdef Tag *more = <Tag *> PyMem_Realloc(self._tags, room * sizeof(Tag))
        if more == NULL:
            raise MemoryError
        self._tags, self._room = more, room
        return 0

    cdef inline void _less_than(self, Bytes page, Py_ssize_t position, Py_ssize_t size) noexcept:
        """Takes note of every "<" of the page, in their order."""
        self.less_than += 1
        if (
            not self.behind_body
            and position + 5 < size
            and LOWER[page[position + 1]] == c"b"
            and LOWER[page[position + 2]] == c"o"
            and LOWER[page[position + 3]] == c"d"
            and LOWER[page[position + 4]] == c"y"
            and CLASS[page[position + 5]] & ENDS_NAME
        ):
            self.behind_body = position + 5
        if position + 3 < size:
            if page[position + 1] == c"/":
                self._cast_shadow(page, position, size)
                if self._open and position >= self._text_start:
                    self._end_text(page, position, size)
            elif page[position + 1] == c"!":
                if page[position + 2] == page[position + 3] == c"-":
                    self._comment = position
                elif not _ends_before_next(page, position, size):
                    self._shadow = size

    cdef inline void _cast_shadow(self, Bytes page, Py_ssize_t position, Py_ssize_t size) noexcept nogil:
        """Takes note of how far the end tag goes that may begin there; of nearly all, no further than their names."""
        cdef Py_ssize_t last_end
        cdef uint32_t attributes = 0
        position = _until(page, position + 2, size, ENDS_NAME)
        if position >= size or page[position] == c">":
            return
        position = _skip(page, position, size, BETWEEN)
        if position >= size or page[position] == c">":
            return
        self._ends_read += 1
        if self._ends_read > MOST_WITHIN:
            self._shadow = size
        if self._shadow < size:
            self._shadow = max(self._shadow, _attributes(page, position, size, &attributes, &last_end, NULL))

    cdef void _end_text(self, Bytes page, Py_ssize_t position, Py_ssize_t size) noexcept:
        """Takes note of the end of an element whose text is of no interest, if it is there."""
        cdef Py_ssize_t room
        cdef Text *more
        cdef Tag *tag = &self._tags[self._open_tag]
        cdef Py_ssize_t length = <Py_ssize_t> tag.name_end - <Py_ssize_t> tag.start - 1
        if position + 2 + length >= size or not CLASS[page[position + 2 + length]] & ENDS_NAME:
            return
        if _kind(page + position + 2, length) != self._open:
            return
        self._open = 0
        if not OF_BULK[tag.kind] or self._may_be_comment(page, tag.start):
            return
        if self._texts_found == self._texts_room:
            room = 2 * self._texts_room if self._texts_room else 64
            more = <Text *> PyMem_Realloc(self._texts, room * sizeof(Text))
            if more == NULL:
                return  # one text more in the copy is no harm
            self._texts, self._texts_room = more, room
        more = &self._texts[self._texts_found]
        more.tag, more.start, more.end = self._open_tag, self._text_start, position
        self._texts_found += 1

    cdef bint _may_be_comment(self, Bytes page, Py_ssize_t start) noexcept nogil:
        """Whether a comment begins in the element that begins there, or shortly before it and goes on."""
        cdef Py_ssize_t at
        if self._comment < max(0, start - LOOKED_BACK_BYTES):
            return False
        for at in range(self._comment + 2, start - 2):
            if page[at] == c"-" and page[at + 1] == c"-" and page[at + 2] == c">":
                return False
        return True

    cdef int _read(self, Bytes page, Py_ssize_t size) except -1:
        cdef Py_ssize_t position = 0, start, last_end, idle
        cdef bint is_read
        cdef uint8_t around
        cdef Tag *tag
        while True:
            start = _find(page, position, size, c"<")
            if start < 0:
                return 0
            self._less_than(page, start, size)
            if not _begins_name(page, start, size):
                position = start + 1
                continue
            if self.tags == self._room:
                self._make_room()
            tag = &self._tags[self.tags]
            self.tags += 1
            around = self._open
            is_read = start >= self._shadow and READ_WITHIN[around]
            position = start + 1
            while position < size and not CLASS[page[position]] & ENDS_NAME:
                if page[position] == c"<":
                    self._less_than(page, position, size)
                position += 1
            tag.start, tag.name_end = start, position
            tag.kind = _kind(page + start + 1, position - start - 1)
            self._kinds[tag.kind] += 1
            tag.attributes = tag.swallows = 0
            if position < size and page[position] != c">":
                idle = self._idle.found
                if is_read and not TRAITS[tag.kind] & IS_FORMATTING:
                    position = _attributes(page, position, size, &tag.attributes, &last_end, &self._idle)
                else:
                    position = _attributes(page, position, size, &tag.attributes, &last_end, NULL)
                if self._idle.found > idle and _find(page, start + 1, position, c"<") >= 0:  # it may be two tags
                    self._idle.found = idle
            tag.end = position
            self._longest = max(self._longest, position - <Py_ssize_t> tag.name_end)
            self._look_within(page, tag, size)
            if not around and PASSED_BY[tag.kind] and position < size and page[position] == c">":
                self._open, self._open_tag, self._text_start = tag.kind, self.tags - 1, position + 1

    cdef void _look_within(self, Bytes page, Tag *tag, Py_ssize_t size) noexcept:
        """Counts what looks like start tags in the attributes of one."""
        cdef Py_ssize_t position = tag.name_end, end = tag.end, start
        cdef Py_ssize_t name_end = 0  # a "<" before it is part of the last name
        while True:
            start = _find(page, position, end, c"<")
            if start < 0:
                break
            self._less_than(page, start, size)
            position = start + 1
            if start < name_end or not _begins_name(page, start, end):
                continue
            name_end = _until(page, position, end, ENDS_NAME)
            self._swallowed_kinds[_kind(page + position, name_end - position)] += 1
            self.swallowed += 1
            tag.swallows = True
        if tag.swallows and self.is_clear:
            if _may_be_left(page, tag.name_end, end, c'"') or _may_be_left(page, tag.name_end, end, c"'"):
                self.is_clear = self._ends_within(page, tag, size)

    cdef bint _ends_within(self, Bytes page, Tag *tag, Py_ssize_t size) noexcept:
        """`scan_pure.Scanned._ends_within` of what one tag swallowed."""
        cdef Py_ssize_t position = tag.name_end, end = tag.end, start, ends, last_end
        cdef uint32_t attributes = 0
        while True:
            start = _find(page, position, end, c"<")
            if start < 0:
                return True
            position = start + 1
            if not _begins_name(page, start, end):
                continue
            self._looked_at += 1
            if self._looked_at > MOST_WITHIN or self._read_within > MOST_READ_WITHIN:
                return False
            ends = position = _until(page, position, end, ENDS_NAME)
            if position < end:
                ends = _attributes(page, position, size, &attributes, &last_end, NULL)
            if ends > end:
                return False
            self._read_within += ends - start

    def count(self, kinds):
        """How many tags, those within others too, are of some kinds, all of which are `kinds.KNOWN`."""
        cdef Py_ssize_t found = 0
        cdef int number
        for name in kinds:
            number = NUMBERS[name]
            found += self._kinds[number] + self._swallowed_kinds[number]
        return found

    def count_swallowed(self, kinds):
        """How many of the tags within others are of some kinds."""
        cdef Py_ssize_t found = 0
        cdef int number
        for name in kinds:
            number = NUMBERS[name]
            found += self._swallowed_kinds[number]
        return found

    def distinct(self, kinds):
        """How many different start tags of some kinds there are, with their attributes."""
        cdef uint8_t[KINDS] asked
        cdef Py_ssize_t i
        self._ask(kinds, asked)
        different = set()
        for i in range(self.tags):
            if asked[self._tags[i].kind]:
                different.add(self.html[self._tags[i].start : self._tags[i].end])
        return len(different)

    cdef int _ask(self, kinds, uint8_t *asked) except -1:
        cdef int number
        memset(asked, 0, KINDS)
        for name in kinds:
            number = NUMBERS[name]
            asked[number] = 1
        return 0

    def may_have_more_attributes(self, Py_ssize_t most):
        """False if none of the tags, nor any within one, has more attributes than that."""
        cdef Bytes page = <Bytes> PyBytes_AS_STRING(self.html)
        cdef Py_ssize_t i, at, separators
        cdef Tag *tag
        if self._longest <= 2 * most:  # each has a letter and a space at least
            return False
        for i in range(self.tags):
            tag = &self._tags[i]
            if <Py_ssize_t> tag.end - <Py_ssize_t> tag.name_end <= 2 * most:
                continue
            if tag.attributes > most + 1:
                return True
            if tag.swallows:
                separators = 0
                for at in range(tag.name_end, tag.end):
                    separators += CLASS[page[at]] & SEPARATES != 0
                if separators > most:
                    return True
        return False

    def comparisons_exceed(self, uint64_t bound, Py_ssize_t most):
        """Whether so many pairs of attributes stand on one tag each; tags of few bytes, and attributes of a tag beyond
        the `most` that it may have, do not count."""
        cdef Py_ssize_t i, attributes
        cdef uint64_t pairs = 0
        cdef Tag *tag
        if self._longest <= NOTABLE:
            return False
        for i in range(self.tags):
            tag = &self._tags[i]
            if <Py_ssize_t> tag.end - <Py_ssize_t> tag.name_end > NOTABLE:
                attributes = min(<Py_ssize_t> tag.attributes, most)
                pairs += attributes * attributes
        return pairs // 2 > bound

    def has_few_attributes(self, Py_ssize_t most):
        """`follow_pure.has_few_attributes`"""
        cdef Bytes page = <Bytes> PyBytes_AS_STRING(self.html)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self.html)
        return _is_plain(page, size, most) and _noscripts_are_plain(page, size, most)

    def follow(self, bounds):
        """`follow_pure.follow`"""
        cdef Follower follower = Follower(bounds)
        return follower.follow(<Bytes> PyBytes_AS_STRING(self.html), PyBytes_GET_SIZE(self.html))

    def holds_adproxy(self):
        """Whether ``adproxy`` is among the bytes."""
        if self._holds_adproxy < 0:
            self._holds_adproxy = _has(
                <Bytes> PyBytes_AS_STRING(self.html), PyBytes_GET_SIZE(self.html), b"adproxy", 7, 5
            )
        return self._holds_adproxy == 1

    def offset(self, str number, str name not None):
        """Where the start tag with that number begins, if its name is that one; else -1."""
        cdef Bytes page = <Bytes> PyBytes_AS_STRING(self.html)
        cdef Py_ssize_t length, i, wanted = 0
        cdef long digit
        cdef Bytes text
        cdef Tag *tag
        if number is None or not self.is_clear or not 1 <= len(number) <= 8:
            return -1
        for i in range(len(number)):
            digit = ord(number[i])
            if not 48 <= digit <= 57:
                return -1
            wanted = 10 * wanted + digit - 48
        if wanted >= self.tags:
            return -1
        tag = &self._tags[wanted]
        text = <Bytes> PyUnicode_AsUTF8AndSize(name, &length)
        if length != <Py_ssize_t> tag.name_end - <Py_ssize_t> tag.start - 1:
            return -1
        for i in range(length):
            if LOWER[page[tag.start + 1 + i]] != text[i]:
                return -1
        return tag.start

    def bulk(self, Py_ssize_t least):
        """The texts of so many bytes at least of what look like scripts and style sheets: number of the tag, start,
        end."""
        cdef Bytes page = <Bytes> PyBytes_AS_STRING(self.html)
        cdef Py_ssize_t i
        cdef Tag *tag
        cdef Text *text
        cdef list found = []
        for i in range(self._texts_found):
            text = &self._texts[i]
            tag = &self._tags[text.tag]
            if (
                <Py_ssize_t> text.end - <Py_ssize_t> text.start >= least
                and not _is_kept(page, tag.name_end, tag.end)
            ):
                found.append((text.tag, text.start, text.end))
        return found

    def marked(self, bytes attribute not None, kinds, left_out=(), *, bint idle=True):
        """The page with `` attribute=number `` behind the name of each start tag of some kinds, and of those whose text
        is left out; without the attributes that nobody asks about, if those are not wanted."""
        cdef uint8_t[KINDS] asked
        cdef Py_ssize_t size, past = 0
        cdef bytes copy
        if not self.is_clear:  # a mark might get into a tag, or a tag might go without its own
            return self.html
        if self._kinds[PLAINTEXT] + self._swallowed_kinds[PLAINTEXT]:  # all that follows it is text
            idle = True
        self._ask(kinds, asked)
        for number, start, end in left_out:
            if not (0 <= number < self.tags and past <= self._tags[<Py_ssize_t> number].end < start <= end):
                raise ValueError(f"no text that could be left out: {number}, {start}, {end}")
            past = end
        if past > PyBytes_GET_SIZE(self.html):
            raise ValueError(f"a text that ends at {past}, behind the page")
        size = self._write(NULL, attribute, asked, left_out, idle)
        copy = PyBytes_FromStringAndSize(NULL, size)
        self._write(PyBytes_AS_STRING(copy), attribute, asked, left_out, idle)
        return copy

    cdef inline Py_ssize_t _copy(
        self, Bytes page, char *out, Py_ssize_t start, Py_ssize_t end, Py_ssize_t *idle, Py_ssize_t idles
    ) noexcept nogil:
        """Copies bytes of the page without what is idle, if `out` is not NULL; how many they are.

        `idle`: how many idle attributes of `idles` lie before, and then before the end.
        """
        cdef Py_ssize_t written = 0
        cdef Stretch *stretch
        while idle[0] < idles and <Py_ssize_t> self._idle.of[idle[0]].start < end:
            stretch = &self._idle.of[idle[0]]
            idle[0] += 1
            if <Py_ssize_t> stretch.start < start:
                continue
            if out != NULL:
                memcpy(out + written, page + start, stretch.start - start)
            written += stretch.start - start
            start = stretch.end
        if out != NULL:
            memcpy(out + written, page + start, end - start)
        return written + end - start

    cdef Py_ssize_t _write(self, char *out, bytes attribute, uint8_t *asked, left_out, bint with_idle) except -1:
        """Writes the copy, if `out` is not NULL; how many bytes it has."""
        cdef Bytes page = <Bytes> PyBytes_AS_STRING(self.html)
        cdef const char *name = PyBytes_AS_STRING(attribute)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(attribute)
        cdef Py_ssize_t i, at, left, digits = 1, reach = 10, taken = 0, written = 0
        cdef Py_ssize_t idle = 0, idles = 0 if with_idle else self._idle.found
        cdef Py_ssize_t number = -1, start = 0, end = 0     # of the next text that is left out
        rest = iter(left_out)
        number, start, end = next(rest, _NO_MORE)
        for i in range(self.tags):
            if i == reach:
                digits, reach = digits + 1, 10 * reach
            if <Py_ssize_t> self._tags[i].start < taken or not (asked[self._tags[i].kind] or i == number):
                continue
            at = self._tags[i].name_end
            written += self._copy(page, out + written if out != NULL else NULL, taken, at, &idle, idles)
            if out != NULL:
                out[written] = c" "
                memcpy(out + written + 1, name, length)
                out[written + length + 1] = c"="
                out[written + length + digits + 2] = c" "
                left = i
                for at in range(written + length + digits + 1, written + length + 1, -1):
                    out[at] = c"0" + left % 10
                    left //= 10
            written += length + digits + 3
            taken = self._tags[i].name_end
            if i == number:
                written += self._copy(page, out + written if out != NULL else NULL, taken, start, &idle, idles)
                if out != NULL:
                    memcpy(out + written, PyBytes_AS_STRING(_INSTEAD), len(_INSTEAD))
                written += <Py_ssize_t> len(_INSTEAD)
                taken = end
                number, start, end = next(rest, _NO_MORE)
        at = PyBytes_GET_SIZE(self.html)
        return written + self._copy(page, out + written if out != NULL else NULL, taken, at, &idle, idles)


cdef tuple _NO_MORE = (-1, 0, 0)
cdef Bytes _JSON_LD = b"ld+json"


cdef bint _is_kept(Bytes page, Py_ssize_t position, Py_ssize_t end) noexcept nogil:
    """Whether a script's attributes say that it is JSON-LD, or may say so in other words."""
    cdef Py_ssize_t i
    for position in range(position, end):
        if page[position] == c"&":
            return True
        if LOWER[page[position]] == c"l" and position + 7 <= end:
            for i in range(1, 7):
                if LOWER[page[position + i]] != _JSON_LD[i]:
                    break
            else:
                return True
    return False


# By kind: whether its text is of no interest, and whether it may be left out.
cdef uint8_t[KINDS] PASSED_BY
cdef uint8_t[KINDS] OF_BULK
# By kind of what is open, 0 for nothing: whether what looks like tags in it may be some.
cdef uint8_t[KINDS] READ_WITHIN

_fill_tables()
_fill_asked()
memset(PASSED_BY, 0, KINDS)
memset(OF_BULK, 0, KINDS)
for passed_by in BULK | HIDING:
    PASSED_BY[<int> NUMBERS[passed_by]] = 1
    OF_BULK[<int> NUMBERS[passed_by]] = passed_by in BULK
memset(READ_WITHIN, 0, KINDS)
READ_WITHIN[0] = READ_WITHIN[SVG] = READ_WITHIN[MATH] = 1
_number_formatting()
scan = Scanned
