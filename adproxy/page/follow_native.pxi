# Tags followed one by one: `page.follow_pure`, of which each function here says the same. Part of scan_native.pyx.


cdef const char *NOSCRIPT = b"noscript"


cdef inline bint _spells(Bytes page, Py_ssize_t at, Py_ssize_t size, const char *text, Py_ssize_t length) noexcept nogil:
    """Whether a text in lower case stands at a position, in any case of its letters."""
    cdef Py_ssize_t i
    if at + length > size:
        return False
    for i in range(length):
        if LOWER[page[at + i]] != <uint8_t> text[i]:
            return False
    return True


cdef inline bint _ends_name_at(Bytes page, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    return at < size and CLASS[page[at]] & ENDS_NAME


cdef inline bint _is_end_of_script(Bytes page, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    return _spells(page, at, size, b"</script", 8) and _ends_name_at(page, at + 8, size)


cdef inline bint _is_start_of_script(Bytes page, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    return _spells(page, at, size, b"<script", 7) and _ends_name_at(page, at + 7, size)


cdef inline bint _ends_script_comment(Bytes page, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    return at + 2 < size and page[at] == c"-" and page[at + 1] == c"-" and page[at + 2] == c">"


cdef inline Py_ssize_t _to_less_or_dash(Bytes page, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    while at < size and page[at] != c"<" and page[at] != c"-":
        at += 1
    return at


cdef Py_ssize_t _script_end(Bytes page, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """Where a script's text ends: at its end tag, or with the page."""
    while True:
        at = _find(page, at, size, c"<")
        if at < 0:
            return size
        if _is_end_of_script(page, at, size):
            return at
        if not _spells(page, at, size, b"<!--", 4):
            at += 1
            continue
        at += 2
        while True:  # in a comment
            at = _to_less_or_dash(page, at, size)
            if at >= size:
                return size
            if _ends_script_comment(page, at, size):
                at += 3
                break
            if _is_end_of_script(page, at, size):
                break
            if not _is_start_of_script(page, at, size):
                at += 1
                continue
            at += 8
            while True:  # in a script in a comment
                at = _to_less_or_dash(page, at, size)
                if at >= size:
                    return size
                if _ends_script_comment(page, at, size):
                    break
                if _is_end_of_script(page, at, size):
                    at += 9
                    break
                at += 1


cdef Py_ssize_t _end_of_raw(
    Bytes page, Py_ssize_t at, Py_ssize_t size, Bytes name, Py_ssize_t length
) noexcept nogil:
    """Where the text of an element ends that is nothing but text: at the end tag of its name, or with the page."""
    cdef Py_ssize_t i
    while True:
        at = _find(page, at, size, c"<")
        if at < 0:
            return size
        if at + 2 + length < size and page[at + 1] == c"/" and CLASS[page[at + 2 + length]] & ENDS_NAME:
            for i in range(length):
                if LOWER[page[at + 2 + i]] != LOWER[name[i]]:
                    break
            else:
                return at
        at += 1


cdef Py_ssize_t _comment_end(Bytes page, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """From behind "<!--" to the "--" of "-->" or "--!>"; -1 where there is none."""
    while True:
        at = _find(page, at, size, c"-")
        if at < 0:
            return -1
        if at + 2 < size and page[at + 1] == c"-":
            if page[at + 2] == c">" or (page[at + 2] == c"!" and at + 3 < size and page[at + 3] == c">"):
                return at
        at += 1


cdef inline Py_ssize_t _empty_comment(Bytes page, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    """Behind the ">" of "<!-->" or "<!--->", from behind "<!--"; -1 where it is none."""
    if at < size and page[at] == c">":
        return at + 1
    if at + 1 < size and page[at] == c"-" and page[at + 1] == c">":
        return at + 2
    return -1


cdef Py_ssize_t _few(Bytes page, Py_ssize_t at, Py_ssize_t size, Py_ssize_t most) noexcept nogil:
    """From the end of a tag's name to behind its ">"; -1 if it has none, or has more than `most` attributes."""
    cdef uint32_t count = 0
    cdef Py_ssize_t last_end
    at = _attributes(page, at, size, &count, &last_end, NULL)
    return at + 1 if at < size and <Py_ssize_t> count <= most else -1


cdef Py_ssize_t _drawing(Bytes page, Py_ssize_t at, Py_ssize_t size, Py_ssize_t most) noexcept nogil:
    """From behind an svg's start tag to behind its end tag, if nothing but shapes and titles is in it; else -1."""
    cdef Py_ssize_t start, end
    while True:
        at = _find(page, at, size, c"<")
        if at < 0:
            return -1
        start = at + 1
        if start < size and page[start] == c"/":
            start += 1
        end = _until(page, start, size, ENDS_NAME)
        if end < size and TRAITS[_kind(page + start, end - start)] & IS_SHAPE:
            at = _few(page, end, size, most)
            if at < 0:
                return -1
        elif _spells(page, at, size, b"<title>", 7):
            at = _find(page, at + 7, size, c"<")
            if at < 0 or not _spells(page, at, size, b"</title>", 8):
                return -1
            at += 8
        elif _spells(page, at, size, b"</svg>", 6):
            return at + 6
        else:
            return -1


cdef bint _is_plain(Bytes page, Py_ssize_t size, Py_ssize_t most) noexcept nogil:
    """`follow_pure._read`, of so many bytes, whole."""
    cdef Py_ssize_t at = 0, start, end
    cdef uint8_t kind
    while True:
        at = _find(page, at, size, c"<")
        if at < 0:
            return True
        if at + 1 >= size:
            return True
        if page[at + 1] == c"!":
            if _spells(page, at, size, b"<!--", 4):
                end = _empty_comment(page, at + 4, size)
                if end < 0:
                    end = _comment_end(page, at + 4, size)
                    if end < 0:
                        return False
                at = end
                continue
            if _spells(page, at, size, b"<![cdata[", 9):
                return False
        elif page[at + 1] == c"/":
            if at + 2 < size and page[at + 2] == c">":
                at += 2
                continue
        if page[at + 1] == c"!" or page[at + 1] == c"?" or (
            page[at + 1] == c"/" and not (at + 2 < size and CLASS[page[at + 2]] & LETTER)
        ):
            at = _find(page, at, size, c">")
            if at < 0:
                return False
            continue
        start = at + 2 if page[at + 1] == c"/" else at + 1
        if not CLASS[page[start]] & LETTER:
            at += 1
            continue
        end = _until(page, start, size, ENDS_NAME)
        if end >= size:
            return False
        kind = _kind(page + start, end - start)
        at = _few(page, end, size, most)
        if at < 0:
            return False
        if page[start - 1] == c"/":
            continue
        if kind == SCRIPT:
            at = _script_end(page, at, size)
            if at >= size:
                return False
        elif TRAITS[kind] & IS_RAW:
            at = _end_of_raw(page, at, size, page + start, end - start)
            if at >= size:
                return False
        elif kind == SVG:
            if page[at - 2] == c"/":
                return False
            at = _drawing(page, at, size, most)
            if at < 0:
                return False
        elif kind == MATH or kind == PLAINTEXT:
            return False


cdef bint _noscripts_are_plain(Bytes page, Py_ssize_t size, Py_ssize_t most) noexcept nogil:
    """Whether what stands in each noscript that ends is plain."""
    cdef Py_ssize_t at = 0, start, last = -1, last_end
    cdef uint32_t count
    while True:  # the last end: what is behind it is in no noscript that ends
        at = _end_of_raw(page, at, size, <Bytes> NOSCRIPT, 8)
        if at >= size:
            break
        last = at
        at += 1
    size, at = last, 0
    while at < size:
        at = _find(page, at, size, c"<")
        if at < 0:
            return True
        if not (_spells(page, at, size, b"<noscript", 9) and _ends_name_at(page, at + 9, size)):
            at += 1
            continue
        count = 0
        start = _attributes(page, at + 9, size, &count, &last_end, NULL)
        if start < size:
            start += 1  # the ">"
        at = _end_of_raw(page, start, size, <Bytes> NOSCRIPT, 8)
        if not _is_plain(page + start, at - start, most):
            return False
    return True


cdef enum:
    REACH = 64              # so far back it is looked for what an end tag closes
    KINDS_OF_FORMATTING = 16


cdef struct Open:
    uint8_t kind
    Py_ssize_t name         # where it stands
    Py_ssize_t length


cdef struct Scope:
    Py_ssize_t depth
    Py_ssize_t[KINDS_OF_FORMATTING] formatting  # outside of it, which no end tag inside can close


cdef class Follower:
    """What is open while the tags of one page are followed."""

    cdef Bytes _page
    cdef Open *_stack
    cdef Scope *_scopes
    cdef Py_ssize_t _depth
    cdef Py_ssize_t _inner      # scopes that are open
    cdef Py_ssize_t _foreign
    cdef Py_ssize_t[KINDS_OF_FORMATTING] _formatting
    cdef Py_ssize_t _attributes, _comparisons, _deepest, _reopened, _templates, _walked  # their bounds

    def __cinit__(self, bounds):
        self._attributes, self._comparisons, self._deepest = bounds.attributes, bounds.comparisons, bounds.depth
        self._reopened, self._templates, self._walked = bounds.reopened, bounds.templates, bounds.walked
        if not 0 <= self._deepest <= 1_000_000:
            raise ValueError("the depth is out of bounds")
        self._stack = <Open *> PyMem_Malloc((self._deepest + 1) * sizeof(Open))
        self._scopes = <Scope *> PyMem_Malloc((self._deepest + 1) * sizeof(Scope))
        if self._stack == NULL or self._scopes == NULL:
            raise MemoryError
        memset(self._formatting, 0, sizeof(self._formatting))

    def __dealloc__(self):
        PyMem_Free(self._stack)
        PyMem_Free(self._scopes)

    cdef bint _is_same(self, Open *one, Open *other) noexcept:
        cdef Py_ssize_t i
        if one.kind != other.kind or one.length != other.length:
            return False
        if one.kind:
            return True
        for i in range(one.length):
            if LOWER[self._page[one.name + i]] != LOWER[self._page[other.name + i]]:
                return False
        return True

    cdef Py_ssize_t _closed_by(self, Open *end) noexcept:
        """How many open elements an end tag closes at least."""
        cdef Py_ssize_t n
        cdef Open *inner
        for n in range(1, min(<Py_ssize_t> REACH, self._depth) + 1):
            inner = &self._stack[self._depth - n]
            if self._is_same(inner, end):
                return n
            if end.kind == TABLE_ELEMENT and inner.kind != TEMPLATE:
                continue
            if TRAITS[inner.kind] & IS_SCOPE:
                return 0
            if not TRAITS[end.kind] & CLOSES_ALL and TRAITS[inner.kind] & STOPS_ENDS:
                return 0
        return 0

    cdef void _close(self, Py_ssize_t n) noexcept:
        cdef Py_ssize_t i
        for i in range(n):
            self._depth -= 1
            if TRAITS[self._stack[self._depth].kind] & IS_FOREIGN:
                self._foreign -= 1
        while self._inner and self._depth < self._scopes[self._inner - 1].depth:
            self._inner -= 1
            for i in range(KINDS_OF_FORMATTING):
                self._formatting[i] += self._scopes[self._inner].formatting[i]

    cdef object follow(self, Bytes page, Py_ssize_t size):
        cdef Py_ssize_t at = 0, start, end, last_end, text, formatting_open = 0
        cdef Py_ssize_t reopened = 0, templates = 0, walked = 0, comparisons = 0
        cdef uint32_t count
        cdef uint16_t traits
        cdef bint is_end, closes_itself, never_open, leaves, in_svg = False
        cdef Open tag
        self._page = page
        if not _noscripts_are_plain(page, size, self._attributes):
            return Problem("noscript")
        while True:
            at = _find(page, at, size, c"<")
            if at < 0 or at + 1 >= size:
                return None
            start = at + 1
            if page[start] == c"!" or page[start] == c"?":
                if _spells(page, at, size, b"<!--", 4):
                    end = _empty_comment(page, at + 4, size)
                    at = end if end >= 0 else _comment_end(page, at + 4, size)
                    if at < 0:
                        return None
                elif _spells(page, at, size, b"<![cdata[", 9):
                    if self._foreign:
                        return Problem("svg")
                    at += 9
                else:
                    at = _find(page, at, size, c">")
                    if at < 0:
                        return None
                continue
            is_end = page[start] == c"/"
            if is_end:
                start += 1
                if start >= size:
                    return None
                if page[start] == c">":
                    at = start
                    continue
                if not CLASS[page[start]] & LETTER:
                    at = _find(page, start, size, c">")
                    if at < 0:
                        return None
                    continue
            elif not CLASS[page[start]] & LETTER:
                at += 1
                continue
            end = _until(page, start, size, ENDS_NAME)
            tag.kind, tag.name, tag.length = _kind(page + start, end - start), start, end - start
            traits = TRAITS[tag.kind]
            count = 0
            at = _attributes(page, end, size, &count, &last_end, NULL)
            if <Py_ssize_t> count > self._attributes + 1:
                return Problem("attributes", page[start : min(end, start + 40)].decode("latin-1"))
            text = -1
            if at < size and not is_end:
                if tag.kind == SCRIPT:
                    text = _script_end(page, at + 1, size)
                elif traits & IS_RAW:
                    text = _end_of_raw(page, at + 1, size, page + start, end - start)
            if text >= 0 and self._foreign and _holds_a_tag(page, at + 1, text):
                return Problem("svg")
            if at - end > NOTABLE:
                comparisons += <Py_ssize_t> count * count // 2
                if comparisons > self._comparisons:
                    return Problem("comparisons")
            if text >= 0:
                at = text
                continue
            walked += self._depth + formatting_open
            if walked > self._walked:
                return Problem("walked")
            closes_itself = last_end < at and page[at - 1] == c"/"
            leaves = not self._foreign or traits & LEAVES or closes_itself
            never_open = traits & NEVER and leaves
            if traits & IS_VOID and leaves:
                continue
            in_svg = in_svg and traits & MAY_CLOSE_ITSELF
            if is_end:
                if traits & IS_FORMATTING:
                    if self._formatting[_formatting_of(tag.kind)]:
                        self._formatting[_formatting_of(tag.kind)] -= 1
                        formatting_open -= 1
                elif not never_open:
                    self._close(self._closed_by(&tag))
                continue
            if in_svg and self._foreign and closes_itself:
                continue
            if traits & IS_FORMATTING:
                # formatting nests too until its block ends
                self._formatting[_formatting_of(tag.kind)] += 1
                formatting_open += 1
                if formatting_open > self._deepest:
                    return Problem("formatting")
                continue
            reopened += formatting_open
            if reopened > self._reopened:
                return Problem("reopened", str(reopened))
            if never_open:
                continue
            if traits & IS_FOREIGN:
                if closes_itself:
                    continue
                self._foreign += 1
                in_svg = True
            if tag.kind == TEMPLATE:
                templates += 1
                if templates > self._templates:
                    return Problem("templates")
            self._stack[self._depth] = tag
            self._depth += 1
            if traits & IS_SCOPE:
                self._scopes[self._inner].depth = self._depth
                memcpy(self._scopes[self._inner].formatting, self._formatting, sizeof(self._formatting))
                self._inner += 1
                memset(self._formatting, 0, sizeof(self._formatting))
            if self._depth > self._deepest:
                return Problem("depth")


cdef uint8_t[KINDS] FORMATTING_NUMBERS


cdef inline uint8_t _formatting_of(uint8_t kind) noexcept nogil:
    return FORMATTING_NUMBERS[kind]


cdef int _number_formatting() except -1:
    memset(FORMATTING_NUMBERS, 0, sizeof(FORMATTING_NUMBERS))
    if len(FORMATTING) > KINDS_OF_FORMATTING:
        raise ValueError("too many kinds of formatting")
    for number, name in enumerate(sorted(FORMATTING)):
        FORMATTING_NUMBERS[<int> NUMBERS[name]] = number
    return 0


cdef bint _holds_a_tag(Bytes page, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Whether anything in a text looks like a tag or a comment."""
    while True:
        at = _find(page, at, end, c"<")
        if at < 0 or at + 1 >= end:
            return False
        at += 1
        if CLASS[page[at]] & LETTER or page[at] == c"!" or page[at] == c"/":
            return True
