# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""`page.words_pure` as compiled code, for texts in scripts that put spaces between words: one pass over the characters.

A text with any character of the other scripts goes to the code in Python, which knows how to count those.
"""

from cpython.unicode cimport PyUnicode_DATA, PyUnicode_KIND, PyUnicode_Substring
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc

from adproxy.page import words_pure

cdef extern from *:
    """
    #ifndef ADPROXY_SOURCE
    #define ADPROXY_SOURCE ""
    #endif
    """
    const char *ADPROXY_SOURCE

cdef extern from "Python.h":
    int Py_UNICODE_ISSPACE(uint32_t letter) noexcept nogil
    object PyUnicode_FromKindAndData(int kind, const void *buffer, Py_ssize_t size)

SOURCE = ADPROXY_SOURCE.decode()
"""The SHA-256 of the source that this was made from."""

# The first character of any script without spaces between words is Thai's; what stands behind it and is none of them
# (punctuation, currency signs, mathematical signs, arrows) goes from general punctuation up to the CJK blocks.
cdef enum:
    THAI = 0x0E00
    PUNCTUATION = 0x2000
    CJK = 0x2E80

# The characters of a text: as wide as its widest needs.
ctypedef fused Letter:
    uint8_t
    uint16_t
    uint32_t

cdef struct Found:
    Py_ssize_t start    # behind the white space at the beginning
    Py_ssize_t end      # before that at the end
    Py_ssize_t words
    Py_ssize_t length   # of the words with one space between each two
    bint as_it_is       # whether that is what stands there
    bint unspaced       # whether there may be words without spaces between; then nothing else is known


cdef inline bint _is_white(uint32_t letter) noexcept nogil:
    if letter < 0x80:
        return letter == 32 or 9 <= letter <= 13 or 28 <= letter <= 31
    return Py_UNICODE_ISSPACE(letter)


cdef Found _look(const Letter *letters, Py_ssize_t size) noexcept nogil:
    cdef Found found
    cdef Py_ssize_t at, words = 0, length = 0
    cdef uint32_t letter
    cdef bint inside = False, as_it_is = True
    found.unspaced = False
    found.start, found.end = 0, size
    while found.start < size and _is_white(letters[found.start]):
        found.start += 1
    while found.end > found.start and _is_white(letters[found.end - 1]):
        found.end -= 1
    for at in range(found.start, found.end):
        letter = letters[at]
        if _is_white(letter):
            if not inside or letter != 32:
                as_it_is = False
            length += inside
            inside = False
        else:
            if Letter is not uint8_t:
                if letter >= THAI and not PUNCTUATION <= letter < CJK:
                    found.unspaced = True
                    return found
            words += not inside
            inside = True
            length += 1
    found.words, found.length, found.as_it_is = words, length, as_it_is
    return found


cdef Py_ssize_t _write(const Letter *letters, Found found, Letter *to) noexcept nogil:
    """The words with one space between each two; `to` has room for `found.length`. How many characters were written."""
    cdef Py_ssize_t at, written = 0
    cdef bint inside = False
    for at in range(found.start, found.end):
        if written == found.length:
            break
        if not _is_white(letters[at]):
            to[written] = letters[at]
            written += 1
            inside = True
        elif inside:
            to[written] = 32
            written += 1
            inside = False
    return written


cdef Found _found(str text):
    cdef Py_ssize_t size = len(text)
    cdef int kind = PyUnicode_KIND(text)
    cdef void *data = PyUnicode_DATA(text)
    if kind == 1:
        return _look(<const uint8_t *> data, size)
    if kind == 2:
        return _look(<const uint16_t *> data, size)
    return _look(<const uint32_t *> data, size)


def fold(str text not None):
    """As `words_pure.fold`."""
    cdef Found found = _found(text)
    cdef int kind = PyUnicode_KIND(text)
    cdef void *data
    cdef void *made
    if found.unspaced:
        return words_pure.fold(text)
    if found.as_it_is:
        whole = found.start == 0 and found.end == len(text)
        return (text if whole else PyUnicode_Substring(text, found.start, found.end)), found.words
    data = PyUnicode_DATA(text)
    made = malloc(found.length * kind)
    if made == NULL:
        raise MemoryError
    try:
        if kind == 1:
            found.length = _write(<const uint8_t *> data, found, <uint8_t *> made)
        elif kind == 2:
            found.length = _write(<const uint16_t *> data, found, <uint16_t *> made)
        else:
            found.length = _write(<const uint32_t *> data, found, <uint32_t *> made)
        return PyUnicode_FromKindAndData(kind, made, found.length), found.words
    finally:
        free(made)


def count_words(str text not None):
    """As `words_pure.count_words`."""
    cdef Found found = _found(text)
    return words_pure.count_words(text) if found.unspaced else found.words
