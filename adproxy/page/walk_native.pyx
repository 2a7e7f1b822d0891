# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""`page.walk` as compiled code: one walk over the parser's own nodes.

A node of Python's is the parser's own with an address in it. How that is laid out is private to selectolax, and how the
parser's is to lexbor, whose functions take three times as long as a look; so both are tried when this module is
imported, and where anything is other than expected the import fails, and CSS is used.
"""

import ctypes

from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.pyport cimport PY_SSIZE_T_MAX
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcmp, memset

from selectolax import lexbor
from selectolax.lexbor import LexborHTMLParser, LexborNode

from adproxy.page.kinds import SILENT

cdef extern from *:
    """
    #ifndef ADPROXY_SOURCE
    #define ADPROXY_SOURCE ""
    #endif
    typedef struct { PyObject_HEAD void *methods; void *node; PyObject *parser; int rest[2]; } adproxy_node;
    #if defined(__GNUC__) || defined(__clang__)
    #define adproxy_lowest(bits) __builtin_ctz(bits)
    #else
    static int adproxy_lowest(unsigned int bits) { int n = 0; while (!(bits >> n & 1)) n++; return n; }
    #endif
    #define adproxy_new_node(type, nothing) (((PyTypeObject *) type)->tp_new((PyTypeObject *) type, nothing, NULL))
    typedef struct {
        void *events;
        uintptr_t name, prefix, space;
        void *document, *next, *previous, *parent, *first_child, *last_child, *user;
        int type;
        const uint8_t *text;
        size_t size;
    } adproxy_tree_node;
    typedef struct {
        adproxy_tree_node node;
        void *is, *first_attribute;
    } adproxy_element;
    typedef struct {
        adproxy_tree_node node;
        void *value, *owner, *next;
    } adproxy_attribute;
    """
    const char *ADPROXY_SOURCE
    ctypedef struct adproxy_node:
        void *node
        PyObject *parser
    object adproxy_new_node(object type, object nothing)
    int lowest "adproxy_lowest"(uint32_t bits) noexcept nogil
    # as lexbor lays it out; text and size are those of a text node
    ctypedef struct adproxy_tree_node:
        uintptr_t name
        void *next
        void *previous
        void *parent
        void *first_child
        void *last_child
        int type
        const uint8_t *text
        size_t size
    ctypedef struct adproxy_element:
        void *first_attribute
    ctypedef struct adproxy_attribute:
        void *next

SOURCE = ADPROXY_SOURCE.decode()
"""The SHA-256 of the source that this was made from."""

ctypedef const uint8_t *Bytes
ctypedef void *Node
ctypedef Node (*Step)(Node) noexcept nogil
ctypedef uintptr_t (*Name)(Node) noexcept nogil
ctypedef int (*Kind)(Node) noexcept nogil
ctypedef Bytes (*Text)(Node, size_t *) noexcept nogil

cdef object _library = ctypes.CDLL(lexbor.__file__)


cdef uintptr_t _address(str name) except 0:
    try:
        return <uintptr_t> ctypes.cast(getattr(_library, name), ctypes.c_void_p).value
    except AttributeError as missing:
        raise ImportError(f"the parser exports no {name}") from missing


cdef inline Node first_child(Node node) noexcept nogil:
    return (<adproxy_tree_node *> node).first_child


cdef inline Node last_child(Node node) noexcept nogil:
    return (<adproxy_tree_node *> node).last_child


cdef inline Node following(Node node) noexcept nogil:
    return (<adproxy_tree_node *> node).next


cdef inline Node preceding(Node node) noexcept nogil:
    return (<adproxy_tree_node *> node).previous


cdef inline Node parent_of(Node node) noexcept nogil:
    return (<adproxy_tree_node *> node).parent


cdef inline uintptr_t name_of(Node node) noexcept nogil:
    return (<adproxy_tree_node *> node).name


cdef inline int type_of(Node node) noexcept nogil:
    return (<adproxy_tree_node *> node).type


cdef inline Bytes text_of(Node node, size_t *size) noexcept nogil:
    """What a text node says."""
    size[0] = (<adproxy_tree_node *> node).size
    return (<adproxy_tree_node *> node).text


cdef inline Node first_attribute(Node element) noexcept nogil:
    return (<adproxy_element *> element).first_attribute


cdef inline Node next_attribute(Node attribute) noexcept nogil:
    return (<adproxy_attribute *> attribute).next


cdef Text tag_text = <Text> _address("lxb_dom_element_local_name")
cdef Text class_text = <Text> _address("lxb_dom_element_class_noi")
cdef Text id_text = <Text> _address("lxb_dom_element_id_noi")
cdef Text attribute_name = <Text> _address("lxb_dom_attr_local_name_noi")
cdef Text attribute_value = <Text> _address("lxb_dom_attr_value_noi")

cdef enum:
    ELEMENT = 1
    TEXT = 3
    # Names that the parser knows have a number below this; that of any other is an address.
    TAGS = 512
    CONDITIONS = 32
    NAMES_KEPT = 8192
    LONGEST_KEPT = 400  # bytes of a class and an id: a few pages could fill the memory with longer ones
    LISTS = 32
    NAMES_SEEN = 256    # a power of two

cdef enum:
    OF_CLASS = 1
    OF_ID = 2
    OF_OTHER = 3


cdef object _PARSER = LexborHTMLParser("")


cdef object _number_of(str tag):
    """The parser's number of an element's name; None if it does not know it."""
    number = _PARSER.create_node(tag).tag_id
    return number if number < TAGS else None


cdef inline uint8_t _lower(uint8_t letter) noexcept nogil:
    return letter | 0x20 if c"A" <= letter <= c"Z" else letter


cdef bint _holds(Bytes text, size_t size, Bytes needle, size_t length) noexcept nogil:
    """Whether a text holds a needle in lower case, in any case of its letters."""
    cdef size_t at, i
    if length > size:
        return False
    for at in range(size - length + 1):
        if _lower(text[at]) != needle[0]:
            continue
        for i in range(1, length):
            if _lower(text[at + i]) != needle[i]:
                break
        else:
            return True
    return False


cdef struct Condition:
    uint32_t found      # the list that it is for, as a bit
    uint8_t attribute   # class, id or another
    Bytes name
    size_t name_size
    Bytes value
    size_t value_size
    uint8_t how         # 0: that there is one; 1: it is the value; 2: it holds it


cdef struct Seen:
    uintptr_t name      # of an attribute, as the tree numbers it
    uint32_t asked      # the conditions that are on an attribute of that name


cdef class Walk:
    """Finds what is sought for each of some lists."""

    cdef uint32_t[TAGS] _by_name    # by a tag's number: the lists that it is in for its name
    cdef uint32_t[TAGS] _asked      # and the conditions that bear on it
    cdef uint32_t _asked_of_any
    cdef uint32_t _of_class         # conditions on the class
    cdef uint32_t _of_id            # on the id
    cdef uint32_t _of_other         # and on other attributes
    cdef Condition[CONDITIONS] _conditions
    cdef uint32_t _inside_only      # the lists whose elements stand in one of a name
    cdef uintptr_t _inside          # its number
    cdef Py_ssize_t _lists
    cdef dict _other_names          # names that the parser does not know: lists and conditions
    cdef list _kept                 # the bytes that conditions point at
    cdef uint32_t _with_text        # the lists whose elements have text of their own
    cdef size_t[LISTS] _own_text    # how many bytes

    def __init__(self, lists):
        cdef Py_ssize_t n, number = 0
        cdef uint32_t found, condition
        cdef Condition *one
        cdef bytes text
        memset(self._by_name, 0, sizeof(self._by_name))
        memset(self._asked, 0, sizeof(self._asked))
        self._lists = len(lists)
        if self._lists > LISTS:
            raise ValueError("so many lists are not found in one walk")
        self._other_names, self._kept = {}, []
        for n in range(self._lists):
            found = (<uint32_t> 1) << n
            self._own_text[n] = lists[n][0].own_text if lists[n] else 0
            if self._own_text[n]:
                self._with_text |= found
            for sought in lists[n]:
                condition = 0
                if sought.own_text != <Py_ssize_t> self._own_text[n]:
                    raise ValueError("elements of one list have texts of different lengths")
                if sought.inside:
                    self._stand_inside(sought.inside, found, len(lists[n]))
                if sought.attribute:
                    if number == CONDITIONS:
                        raise ValueError("so many conditions are not tried in one walk")
                    condition = (<uint32_t> 1) << number
                    one = &self._conditions[number]
                    number += 1
                    one.found = found
                    one.how = {"": 0, "is": 1, "holds": 2}[sought.how]
                    # the quick ways to these tell only values
                    one.attribute = {"class": OF_CLASS, "id": OF_ID}.get(sought.attribute if sought.how else "", OF_OTHER)
                    if one.attribute == OF_CLASS:
                        self._of_class |= condition
                    elif one.attribute == OF_ID:
                        self._of_id |= condition
                    else:
                        self._of_other |= condition
                    text = sought.attribute.encode()
                    self._kept.append(text)
                    one.name, one.name_size = text, len(text)
                    text = sought.value.encode()
                    self._kept.append(text)
                    one.value, one.value_size = text, len(text)
                    if one.how and not text:
                        raise ValueError(f"no value of {sought.attribute} is sought")
                if not sought.tags:
                    if not condition:
                        raise ValueError("every element is sought")
                    self._asked_of_any |= condition
                for tag in sought.tags:
                    self._add(tag, 0 if condition else found, condition)

    cdef int _stand_inside(self, str tag, uint32_t found, Py_ssize_t kinds) except -1:
        cdef object number = _number_of(tag)
        if number is None or self._inside not in (0, number) or kinds != 1:
            raise ValueError(f"what stands inside of {tag} is not found in the same walk")
        self._inside = number
        self._inside_only |= found
        return 0

    cdef int _add(self, str tag, uint32_t found, uint32_t condition) except -1:
        cdef object number = _number_of(tag)
        if number is None:
            before = self._other_names.get(tag.encode(), (0, 0))
            self._other_names[tag.encode()] = (before[0] | found, before[1] | condition)
        else:
            self._by_name[<Py_ssize_t> number] |= found
            self._asked[<Py_ssize_t> number] |= condition
        return 0

    def __call__(self, root not None):
        cdef Node top, at, below
        cdef uintptr_t name
        cdef uint32_t found, asked
        cdef Py_ssize_t n, around = 0   # how many elements are around that something is sought inside of
        cdef list result
        cdef Seen[NAMES_SEEN] seen
        memset(seen, 0, sizeof(seen))
        if type(root) is not LexborNode:
            raise TypeError(f"{root!r} is no node of the parser")
        top = at = (<adproxy_node *> <PyObject *> root).node
        parser = root.parser
        result = [[] for n in range(self._lists)]
        if self._inside:
            below = parent_of(top)
            while below != NULL:
                around += name_of(below) == self._inside
                below = parent_of(below)
        while True:
            name = 0
            if type_of(at) == ELEMENT:
                name = name_of(at)
                if name < TAGS:
                    found, asked = self._by_name[name], self._asked[name]
                else:
                    found = asked = 0
                    if self._other_names:
                        found, asked = self._of_other_name(at)
                asked |= self._asked_of_any
                if asked:
                    found |= self._tried(at, asked, seen)
                if not around:
                    found &= ~self._inside_only
                if found & self._with_text:
                    found = self._long_enough(at, found)
                if found:
                    node = _node(at, parser)
                    for n in range(self._lists):
                        if found >> n & 1:
                            (<list> result[n]).append(node)
            below = first_child(at)
            if below != NULL:
                around += name != 0 and name == self._inside
                at = below
                continue
            while at != top:
                below = following(at)
                if below != NULL:
                    break
                at = parent_of(at)
                if at == NULL:
                    return result
                around -= self._inside != 0 and name_of(at) == self._inside
            if at == top:
                return result
            at = below

    cdef uint32_t _long_enough(self, Node element, uint32_t found) noexcept nogil:
        """The lists of these that an element's own text is long enough for."""
        cdef size_t size, total = 0
        cdef Node child = first_child(element)
        cdef Py_ssize_t n
        while child != NULL:
            if type_of(child) == TEXT:
                size = 0
                if text_of(child, &size) != NULL:
                    total += size
            child = following(child)
        for n in range(self._lists):
            if total < self._own_text[n]:
                found &= ~((<uint32_t> 1) << n)
        return found

    cdef (uint32_t, uint32_t) _of_other_name(self, Node element) except *:
        cdef size_t size = 0
        cdef Bytes text = tag_text(element, &size)
        known = self._other_names.get((<const char *> text)[:size]) if text != NULL else None
        return known if known is not None else (0, 0)

    cdef uint32_t _tried(self, Node element, uint32_t asked, Seen *seen) noexcept nogil:
        """The lists that an element is in for its attributes; `asked`: the conditions that bear on it; `seen`: some of
        the tree's names of attributes."""
        cdef uint32_t found = 0, left
        cdef Bytes text
        cdef size_t size = 0
        cdef Node attribute
        cdef Seen *known
        left = asked & self._of_class
        if left:
            text = class_text(element, &size)
            if text != NULL:
                found |= self._met(left, text, size)
        left = asked & self._of_id
        if left:
            size = 0
            text = id_text(element, &size)
            if text != NULL:
                found |= self._met(left, text, size)
        asked &= self._of_other
        if not asked:
            return found
        attribute = first_attribute(element)
        while attribute != NULL:
            known = &seen[(name_of(attribute) ^ name_of(attribute) >> 4) % NAMES_SEEN]
            if known.name != name_of(attribute):
                known.name, known.asked = name_of(attribute), self._of_name(attribute)
            left = asked & known.asked
            if left:
                size = 0
                text = attribute_value(attribute, &size)
                found |= self._met(left, text, size)
            attribute = next_attribute(attribute)
        return found

    cdef uint32_t _met(self, uint32_t conditions, Bytes text, size_t size) noexcept nogil:
        """The lists of those of some conditions that a value meets; NULL: it has none."""
        cdef uint32_t found = 0
        cdef Condition *one
        while conditions:
            one = &self._conditions[lowest(conditions)]
            conditions &= conditions - 1
            if one.how == 0 or (text != NULL and _meets(one, text, size)):
                found |= one.found
        return found

    cdef uint32_t _of_name(self, Node attribute) noexcept nogil:
        """The conditions that are on an attribute of such a name, be it class or id or another."""
        cdef size_t length = 0
        cdef Bytes name = attribute_name(attribute, &length)
        cdef uint32_t found = 0
        cdef int n
        for n in range(CONDITIONS):
            if self._conditions[n].name_size == length and memcmp(name, self._conditions[n].name, length) == 0:
                found |= (<uint32_t> 1) << n
        return found


cdef inline bint _meets(Condition *one, Bytes text, size_t size) noexcept nogil:
    if one.how == 0:
        return True
    if one.how == 1:
        return size == one.value_size and memcmp(text, one.value, size) == 0
    return _holds(text, size, one.value, one.value_size)


cdef inline bytes _names(Bytes classes, size_t size, Bytes ident, size_t length):
    """Class and id as a key; there is no NUL in what was parsed."""
    cdef bytes names = (<const char *> classes)[:size] if size else b""
    return names + b"\0" + (<const char *> ident)[:length] if length else names


cdef int _keep(dict known, bytes names, object answer) except -1:
    """For the next time, as `kept.keep` does; nothing is kept of long names."""
    if len(names) <= LONGEST_KEPT:
        if len(known) >= NAMES_KEPT:
            known.clear()
        known[names] = answer
    return 0


cdef class Glance:
    """`glance.pure`: an element's class and id, or None if it has one of some attributes."""

    cdef list _kept
    cdef Bytes[64] _names
    cdef size_t[64] _sizes
    cdef int _count
    cdef uint64_t _lengths      # as bits: names of which lengths there are
    cdef dict _known            # class and id as bytes: as texts, which know their hashes from then on

    def __init__(self, telling):
        self._known = {}
        self._kept = sorted(name.encode() for name in telling)
        cdef bytes name
        if len(self._kept) > 64 or any(len(name) > 63 for name in self._kept):
            raise ValueError("so many attributes, or such long ones, are not told at a glance")
        for name in self._kept:
            self._names[self._count], self._sizes[self._count] = name, len(name)
            self._lengths |= (<uint64_t> 1) << <int> len(name)
            self._count += 1

    def __call__(self, node not None):
        if type(node) is not LexborNode:
            raise TypeError(f"{node!r} is no node of the parser")
        return self.at((<adproxy_node *> <PyObject *> node).node)

    cdef bint tells(self, Node element) noexcept nogil:
        """Whether it has one of those attributes."""
        cdef Node attribute = first_attribute(element)
        cdef size_t size
        cdef Bytes text
        cdef int n
        while attribute != NULL:
            size = 0
            text = attribute_name(attribute, &size)
            if size < 64 and self._lengths >> size & 1:
                for n in range(self._count):
                    if self._sizes[n] == size and memcmp(self._names[n], text, size) == 0:
                        return True
            attribute = next_attribute(attribute)
        return False

    cdef tuple at(self, Node element):
        cdef size_t size = 0, length = 0
        cdef Bytes classes, ident
        cdef tuple texts
        if type_of(element) != ELEMENT:
            return _NAMELESS
        if self.tells(element):
            return None
        classes, ident = class_text(element, &size), id_text(element, &length)
        if not size and not length:
            return _NAMELESS
        names = _names(classes, size, ident, length)
        known = self._known.get(names)
        if known is not None:
            return <tuple> known
        texts = (_text(classes, size) if size else "", _text(ident, length) if length else "")
        _keep(self._known, names, texts)
        return texts


cdef class Value:
    """`glance.pure_value`: one attribute of elements."""

    cdef bytes _name

    def __init__(self, str name not None):
        self._name = name.encode()

    def __call__(self, node not None):
        cdef Node attribute
        cdef size_t size, length = len(self._name)
        cdef Bytes name = self._name, text
        if type(node) is not LexborNode:
            raise TypeError(f"{node!r} is no node of the parser")
        if type_of((<adproxy_node *> <PyObject *> node).node) != ELEMENT:
            return None
        attribute = first_attribute((<adproxy_node *> <PyObject *> node).node)
        while attribute != NULL:
            size = 0
            text = attribute_name(attribute, &size)
            if size == length and memcmp(text, name, size) == 0:
                size = 0
                text = attribute_value(attribute, &size)
                return _text(text, size) if text != NULL else None
            attribute = next_attribute(attribute)
        return None


def text_in(node not None, Py_ssize_t enough=PY_SSIZE_T_MAX):
    """`walk.text_in`"""
    cdef Node top, at, below
    cdef size_t size
    cdef Bytes text
    cdef uintptr_t name
    cdef int kind
    cdef str part
    cdef Py_ssize_t length = 0
    cdef list parts = []
    if type(node) is not LexborNode:
        raise TypeError(f"{node!r} is no node of the parser")
    top = at = (<adproxy_node *> <PyObject *> node).node
    while True:
        below = NULL
        kind = type_of(at)
        if kind == TEXT:
            size = 0
            text = text_of(at, &size)
            if text != NULL:
                part = _text(text, size)
                parts.append(part)
                length += len(part)
                if length >= enough:
                    return "".join(parts)
        elif kind == ELEMENT:
            name = name_of(at)
            if name >= TAGS or not _SILENT[name]:
                below = first_child(at)
        while below == NULL:
            if at == top:
                return parts[0] if len(parts) == 1 else "".join(parts)
            below = following(at)
            if below == NULL:
                at = parent_of(at)
                if at == NULL:
                    return "".join(parts)
        at = below


cdef class Children:
    """`children.pure`: the texts and elements that a container holds."""

    cdef uint8_t[TAGS] _ignored
    cdef list _names        # by a tag's number; None for what the parser is asked for each time

    def __init__(self, ignored, usual):
        cdef Py_ssize_t number
        memset(self._ignored, 0, sizeof(self._ignored))
        self._names = [None] * TAGS
        for tag in ignored:
            number = _known_number_of(tag)
            self._ignored[number] = 1
        for tag in usual:
            number = _known_number_of(tag)
            self._names[number] = tag

    def __call__(self, node not None, Py_ssize_t most):
        cdef Node at
        cdef uintptr_t name
        cdef size_t size
        cdef Bytes text
        cdef int kind
        cdef Py_ssize_t left_out = 0
        cdef list found = []
        if type(node) is not LexborNode:
            raise TypeError(f"{node!r} is no node of the parser")
        parser = node.parser
        at = (<adproxy_node *> <PyObject *> node).node
        while at != NULL and len(found) + left_out < most:
            kind = type_of(at)
            if kind == TEXT:
                size = 0
                text = text_of(at, &size)
                found.append(_BLANK if text == NULL or _is_blank(text, size) else (None, _text(text, size)))
            elif kind == ELEMENT:
                name = name_of(at)
                if name < TAGS and self._ignored[name]:
                    left_out += 1
                else:
                    child = _node(at, parser)
                    tag = self._names[<Py_ssize_t> name] if name < TAGS else None
                    found.append((child, tag if tag is not None else child.tag or "-"))
            else:
                left_out += 1
            at = following(at)
        return found, left_out, _node(at, parser) if at != NULL else None


cdef class Stride:
    """`stride.pure`: from node to node past all that says nothing."""

    cdef uint8_t[TAGS] _entered
    cdef uint8_t[TAGS] _perhaps     # entered unless their names matter
    cdef uint8_t[TAGS] _passed
    cdef Glance _glance
    cdef object _matters
    cdef dict _known                # by class and id, as bytes: whether they matter

    def __init__(self, wrapping, silent, ordinary=None):
        cdef Py_ssize_t number
        memset(self._entered, 0, sizeof(self._entered))
        memset(self._perhaps, 0, sizeof(self._perhaps))
        memset(self._passed, 0, sizeof(self._passed))
        self._known = {}
        if ordinary is not None:
            self._glance, self._matters = ordinary.glance, ordinary.matters
            for tag in ordinary.tags:
                number = _known_number_of(tag)
                self._perhaps[number] = 1
        for tag in wrapping:
            number = _known_number_of(tag)
            self._entered[number] = 1
        for tag in silent:
            number = _known_number_of(tag)
            self._passed[number] = 1

    def __call__(self, node not None, enter, bint forward, Py_ssize_t left):
        cdef Node at, inside
        cdef bint enters = enter is True, moves = enter is not None
        cdef uintptr_t name
        cdef size_t size
        cdef Bytes text
        cdef int kind
        if type(node) is not LexborNode:
            raise TypeError(f"{node!r} is no node of the parser")
        at = (<adproxy_node *> <PyObject *> node).node
        while True:
            if moves:
                inside = NULL
                if enters:
                    inside = first_child(at) if forward else last_child(at)
                at = inside if inside != NULL else _beside(at, forward)
            if at == NULL or left <= 0:
                return None, None, left
            left -= 1
            moves, enters = True, False
            kind = type_of(at)
            if kind == TEXT:
                size = 0
                text = text_of(at, &size)
                if text != NULL and not _is_blank(text, size):
                    return _node(at, node.parser), _text(text, size), left
            elif kind == ELEMENT:
                name = name_of(at)
                if name >= TAGS:
                    return _node(at, node.parser), None, left
                if self._entered[name] or (self._perhaps[name] and self._is_ordinary(at)):
                    enters = True
                elif not self._passed[name]:
                    return _node(at, node.parser), None, left

    cdef bint _is_ordinary(self, Node element) except -1:
        cdef Bytes classes, ident
        cdef size_t size = 0, length = 0
        if self._glance.tells(element):
            return False
        classes, ident = class_text(element, &size), id_text(element, &length)
        if not size and not length:
            return True
        names = _names(classes, size, ident, length)
        matters = self._known.get(names)
        if matters is None:
            matters = self._matters(_text(classes, size) if size else "", _text(ident, length) if length else "")
            _keep(self._known, names, matters)
        return not matters


cdef Node _beside(Node at, bint forward) noexcept nogil:
    """`stride.step`"""
    cdef Node beside
    cdef uintptr_t name
    while at != NULL:
        beside = following(at) if forward else preceding(at)
        if beside != NULL:
            return beside
        at = parent_of(at)
        if at != NULL:
            name = name_of(at)
            if name == BODY or name == HTML:
                return NULL
    return NULL


cdef inline bint _is_blank(Bytes text, size_t size) noexcept nogil:
    cdef size_t i
    for i in range(size):
        if text[i] != c" " and text[i] != c"\n" and text[i] != c"\t" and text[i] != c"\r" and text[i] != c"\f":
            return False
    return True


cdef object _known_number_of(str tag):
    number = _number_of(tag)
    if number is None:
        raise ValueError(f"the parser does not know {tag}")
    return number


cdef uintptr_t BODY = _known_number_of("body")
cdef uintptr_t HTML = _known_number_of("html")
cdef tuple _NAMELESS = ("", "")
cdef tuple _BLANK = (None, "")
cdef uint8_t[TAGS] _SILENT
memset(_SILENT, 0, sizeof(_SILENT))
for silent in SILENT:
    _SILENT[<Py_ssize_t> _known_number_of(silent)] = 1


cdef inline str _text(Bytes text, size_t size):
    """As selectolax decodes it."""
    return PyUnicode_DecodeUTF8(<const char *> text, size, "replace")


cdef object _node(Node node, object parser):
    """What the parser's Python side makes of a node."""
    cdef object made = adproxy_new_node(LexborNode, ())
    cdef adproxy_node *inside = <adproxy_node *> <PyObject *> made
    inside.node = node
    Py_INCREF(parser)
    Py_DECREF(<object> inside.parser)  # None, as for any new object
    inside.parser = <PyObject *> parser
    return made


cdef int _try() except -1:
    """Raises ImportError where nodes are not laid out as this module takes them to be."""
    cdef Node at, below
    cdef size_t size = 0, length = 0
    cdef Bytes text
    cdef int number
    if LexborNode.__basicsize__ != sizeof(adproxy_node):
        raise ImportError("nodes of this parser have another size")
    tree = LexborHTMLParser("<p class=a><b></b><i></i>")
    outer = tree.css_first("p")
    if <uintptr_t> (<adproxy_node *> <PyObject *> outer).node != outer.mem_id:
        raise ImportError("nodes of this parser have their address elsewhere")
    if <object> (<adproxy_node *> <PyObject *> outer).parser is not outer.parser:
        raise ImportError("nodes of this parser have their parser elsewhere")
    inner = _node(first_child((<adproxy_node *> <PyObject *> outer).node), tree)
    if inner.tag != "b" or inner.next.tag != "i" or inner.parent.attributes != {"class": "a"}:
        raise ImportError("nodes of this parser are made in another way")
    tree = LexborHTMLParser("<title>t</title><p>a<b>c</b>d\xe9&amp;<!--e--><svg><g></g></svg><x-y z class=a b-c=d>f</x-y>")
    for node in tree.root.traverse(include_text=True):
        at = (<adproxy_node *> <PyObject *> node).node
        text = NULL
        if type_of(at) == TEXT:
            text = (<Text> _address("lxb_dom_node_text_content"))(at, &length)
            if text_of(at, &size) == NULL or size != length or memcmp(text_of(at, &size), text, size) != 0:
                raise ImportError("texts of this parser are kept elsewhere")
        if (
            first_child(at) != (<Step> _address("lxb_dom_node_first_child_noi"))(at)
            or last_child(at) != (<Step> _address("lxb_dom_node_last_child_noi"))(at)
            or following(at) != (<Step> _address("lxb_dom_node_next_noi"))(at)
            or preceding(at) != (<Step> _address("lxb_dom_node_prev_noi"))(at)
            or parent_of(at) != (<Step> _address("lxb_dom_node_parent_noi"))(at)
            or name_of(at) != (<Name> _address("lxb_dom_node_tag_id_noi"))(at)
            or type_of(at) != (<Kind> _address("lxb_dom_node_type_noi"))(at)
        ):
            raise ImportError("nodes of this parser are laid out in another way")
    outer = tree.css_first("x-y")
    at = (<adproxy_node *> <PyObject *> outer).node
    below = (<Step> _address("lxb_dom_element_first_attribute_noi"))(at)
    at = first_attribute(at)
    for number in range(4):  # of three attributes, and the end
        if at != below or (at == NULL) != (number == 3):
            raise ImportError("attributes of this parser are laid out in another way")
        if at != NULL:
            at, below = next_attribute(at), (<Step> _address("lxb_dom_element_next_attribute_noi"))(at)
    return 0


_try()
