# What stands in the bytes: names, attributes, kinds of elements. Part of scan_native.pyx.

ctypedef const uint8_t *Bytes


cdef enum:
    # what a byte is in markup, as bits
    WHITE = 1           # tab, line feed, form feed, carriage return, space
    ENDS_NAME = 2       # white, "/" and ">"
    ENDS_ATTRIBUTE = 4  # those and "="
    ENDS_VALUE = 8      # white and ">"
    BETWEEN = 16        # white and "/"
    LETTER = 32
    SEPARATES = 64      # white, "/" and quotes
    LONGEST_KIND = 14   # "lineargradient"
    LONGEST_ASKED = 20  # "data-google-query-id"
    ASKED_ABOUT = 40    # attributes at most
    PREFIX_LENGTH = 7   # "data-ad"
    KINDS = 192         # at most, with 0 for all that are not told apart
    SLOTS = 512         # of the table of kinds; a power of two

cdef enum:
    # what an element is, as bits
    IS_VOID = 1
    IS_FORMATTING = 2
    IS_FOREIGN = 4
    LEAVES = 8          # svg, when it starts
    NEVER = 16          # open
    CLOSES_ALL = 32
    IS_SCOPE = 64
    STOPS_ENDS = 128
    MAY_CLOSE_ITSELF = 256
    IS_SHAPE = 512
    IS_RAW = 1024

cdef uint8_t[256] CLASS
cdef uint8_t[256] LOWER


cdef struct Kind:
    uint8_t size
    uint8_t number
    uint8_t[LONGEST_KIND] name

cdef Kind[SLOTS] TABLE
cdef uint16_t[KINDS] TRAITS
NUMBERS = {}
# Attributes that are asked about, the shortest first; and by length, where those of it begin.
cdef uint8_t[ASKED_ABOUT][LONGEST_ASKED] ASKED_NAMES
cdef uint8_t[LONGEST_ASKED + 2] ASKED_FROM
cdef uint8_t[PREFIX_LENGTH] PREFIX_BYTES
cdef uint8_t SCRIPT, SVG, MATH, PLAINTEXT, TABLE_ELEMENT, TEMPLATE


cdef int _fill_tables() except -1:
    global SCRIPT, SVG, MATH, PLAINTEXT, TABLE_ELEMENT, TEMPLATE
    cdef int c, number = 0
    cdef uint32_t slot
    for c in range(256):
        LOWER[c] = c + 32 if 65 <= c <= 90 else c
        CLASS[c] = 0
        if c in b"\t\n\f\r ":
            CLASS[c] = WHITE | ENDS_NAME | ENDS_ATTRIBUTE | ENDS_VALUE | BETWEEN | SEPARATES
        elif c == c"/":
            CLASS[c] = ENDS_NAME | ENDS_ATTRIBUTE | BETWEEN | SEPARATES
        elif c == c">":
            CLASS[c] = ENDS_NAME | ENDS_ATTRIBUTE | ENDS_VALUE
        elif c == c"=":
            CLASS[c] = ENDS_ATTRIBUTE
        elif c in b"\"'":
            CLASS[c] = SEPARATES
        elif 97 <= LOWER[c] <= 122:
            CLASS[c] = LETTER
    memset(TABLE, 0, sizeof(TABLE))
    for name in sorted(KNOWN):
        number += 1
        if len(name) > LONGEST_KIND or number >= KINDS or 2 * number >= SLOTS:
            raise ValueError(f"no room for {name!r} among the kinds")
        slot = _hash(<Bytes> <const char *> name, len(name))
        while TABLE[slot].size:
            slot = (slot + 1) % SLOTS
        TABLE[slot].size, TABLE[slot].number = len(name), number
        memcpy(TABLE[slot].name, <const char *> name, len(name))
        NUMBERS[name] = number
        TRAITS[number] = 0
        for trait, kinds in (
            (IS_VOID, VOID), (IS_FORMATTING, FORMATTING), (IS_FOREIGN, FOREIGN), (LEAVES, LEAVES_SVG),
            (NEVER, NEVER_OPEN), (CLOSES_ALL, CLOSE_ALL), (IS_SCOPE, SCOPES), (STOPS_ENDS, STOPS),
            (MAY_CLOSE_ITSELF, WRITTEN_CLOSED), (IS_SHAPE, SHAPES), (IS_RAW, RAW),
        ):
            if name in kinds:
                TRAITS[number] |= trait
    TRAITS[0] = 0
    SCRIPT, SVG, MATH = NUMBERS[b"script"], NUMBERS[b"svg"], NUMBERS[b"math"]
    PLAINTEXT, TABLE_ELEMENT, TEMPLATE = NUMBERS[b"plaintext"], NUMBERS[b"table"], NUMBERS[b"template"]
    return 0


cdef int _fill_asked() except -1:
    cdef int length, number = 0
    if len(PREFIX) != PREFIX_LENGTH or PREFIX[4] != c"-" or PART != b"size":
        raise ValueError(f"{PREFIX!r} and {PART!r} are not what is looked for")
    memcpy(PREFIX_BYTES, <const char *> PREFIX, PREFIX_LENGTH)
    for length in range(LONGEST_ASKED + 2):
        ASKED_FROM[length] = number
        for name in ASKED:
            if len(name) == length:
                if length > LONGEST_ASKED or number >= ASKED_ABOUT:
                    raise ValueError(f"no room for {name!r} among what is asked about")
                memcpy(ASKED_NAMES[number], <const char *> name, length)
                number += 1
    if number != len(ASKED):
        raise ValueError(f"no room for a name of more than {LONGEST_ASKED} bytes")
    return 0


cdef inline uint32_t _hash(Bytes name, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i
    cdef uint32_t mixed = 5381
    for i in range(size):
        mixed = mixed * 33 + LOWER[name[i]]
    return (mixed ^ (mixed >> 9)) % SLOTS


cdef inline uint8_t _kind(Bytes name, Py_ssize_t size) noexcept nogil:
    """The number of a name's kind, in any case of its letters."""
    cdef Py_ssize_t i
    cdef uint32_t slot
    if size < 1 or size > LONGEST_KIND:
        return 0
    slot = _hash(name, size)
    while TABLE[slot].size:  # half of the slots are free
        if TABLE[slot].size == size:
            for i in range(size):
                if TABLE[slot].name[i] != LOWER[name[i]]:
                    break
            else:
                return TABLE[slot].number
        slot = (slot + 1) % SLOTS
    return 0


cdef inline Py_ssize_t _find(Bytes page, Py_ssize_t position, Py_ssize_t size, uint8_t wanted) noexcept nogil:
    """Where a byte is next from a position on; -1 where it is not."""
    cdef Bytes found
    if position >= size:
        return -1
    found = <Bytes> memchr(page + position, wanted, size - position)
    return found - page if found != NULL else -1


cdef inline Py_ssize_t _skip(Bytes page, Py_ssize_t position, Py_ssize_t size, uint8_t what) noexcept nogil:
    while position < size and CLASS[page[position]] & what:
        position += 1
    return position


cdef inline Py_ssize_t _until(Bytes page, Py_ssize_t position, Py_ssize_t size, uint8_t what) noexcept nogil:
    while position < size and not CLASS[page[position]] & what:
        position += 1
    return position


cdef inline bint _begins_name(Bytes page, Py_ssize_t position, Py_ssize_t size) noexcept nogil:
    """Whether a letter follows the "<" at a position."""
    return position + 1 < size and CLASS[page[position + 1]] & LETTER


cdef struct Stretches:
    Stretch *of
    Py_ssize_t found
    Py_ssize_t room


cdef struct Stretch:
    uint32_t start
    uint32_t end


cdef Py_ssize_t _attributes(
    Bytes page, Py_ssize_t position, Py_ssize_t size, uint32_t *count, Py_ssize_t *last_end, Stretches *idle
) noexcept nogil:
    """From the end of a tag's name to the end of its attributes, each read as `syntax.ATTRIBUTE` reads it.

    `count`: how many there are is added to it; `last_end`: where the last one ends; `idle`, if not NULL: those that
    nobody asks about are added to it.
    """
    cdef Py_ssize_t start, end
    while True:
        last_end[0] = position
        position = _skip(page, position, size, BETWEEN)
        if position >= size or page[position] == c">":
            return position
        count[0] += 1
        start = position
        position = _until(page, position + 1, size, ENDS_ATTRIBUTE)  # its first byte may be an "="
        if idle != NULL and position + 1 < size and page[position] == c"=" and page[position + 1] == c'"':
            end = _find(page, position + 2, size, c'"')
            if end >= 0:
                if _is_idle(page, start, position, end + 1, size):
                    _note(idle, start, end + 1)
                position = end + 1
                continue
        position = _skip(page, position, size, WHITE)
        if position >= size or page[position] != c"=":
            continue
        position = _skip(page, position + 1, size, WHITE)
        if position >= size or page[position] == c">":
            continue
        if page[position] == c'"' or page[position] == c"'":
            end = _find(page, position + 1, size, page[position])
            # A quote that nothing ends begins the next attribute's name. There is one of each kind at most.
            if end >= 0:
                position = end + 1
        else:
            position = _until(page, position + 1, size, ENDS_VALUE)


cdef inline bint _is_idle(
    Bytes page, Py_ssize_t start, Py_ssize_t name_end, Py_ssize_t end, Py_ssize_t size
) noexcept nogil:
    """What `scan_pure._if_asked` asks of the attribute between two positions, whose value in double quotes holds no "<"."""
    cdef Py_ssize_t i = start, length = name_end - start
    cdef int letter, known
    if not CLASS[page[start]] & LETTER:
        return False
    if length >= PREFIX_LENGTH and page[start + 4] == c"-":
        for i in range(PREFIX_LENGTH):
            if LOWER[page[start + i]] != PREFIX_BYTES[i]:
                break
        else:
            return False
    if length <= LONGEST_ASKED:
        letter = LOWER[page[start]]
        for known in range(ASKED_FROM[length], ASKED_FROM[length + 1]):
            if ASKED_NAMES[known][0] == letter:
                for i in range(1, length):
                    if ASKED_NAMES[known][i] != LOWER[page[start + i]]:
                        break
                else:
                    return False
    for i in range(start + 2, name_end - 1):
        if (
            LOWER[page[i]] == c"z"
            and LOWER[page[i + 1]] == c"e"
            and LOWER[page[i - 1]] == c"i"
            and LOWER[page[i - 2]] == c"s"
        ):
            return False
    if _find(page, name_end, end, c">") >= 0 or _find(page, name_end, end, c"&") >= 0:
        return False
    end = _skip(page, end, size, WHITE)
    return end >= size or page[end] != c"="


cdef void _note(Stretches *stretches, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Adds one; where there is no memory for it, it is not there."""
    cdef Py_ssize_t room
    cdef Stretch *more
    if stretches.found == stretches.room:
        room = 2 * stretches.room if stretches.room else 256
        more = <Stretch *> PyMem_RawRealloc(stretches.of, room * sizeof(Stretch))
        if more == NULL:
            return
        stretches.of, stretches.room = more, room
    stretches.of[stretches.found].start, stretches.of[stretches.found].end = start, end
    stretches.found += 1
