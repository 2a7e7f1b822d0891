# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""`same` as compiled code. To fetch from memory in advance was tried: the processor does it as well."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memcmp

cdef extern from *:
    """
    #ifndef ADPROXY_SOURCE
    #define ADPROXY_SOURCE ""
    #endif
    """
    const char *ADPROXY_SOURCE

SOURCE = ADPROXY_SOURCE.decode()
"""The SHA-256 of the source that this was made from."""


cdef class Matcher:
    """`same.pure_matcher`"""

    cdef bytes _holder
    cdef Py_ssize_t _count
    cdef Py_ssize_t *_spans     # start, end; start, end; …; none of them empty

    def __cinit__(self, bytes holder not None, spans):
        cdef Py_ssize_t start, end, done = 0
        self._holder = holder
        self._spans = <Py_ssize_t *> PyMem_Malloc(max(1, 2 * len(spans)) * sizeof(Py_ssize_t))
        if self._spans == NULL:
            raise MemoryError
        for start, end in spans:
            if not done <= start <= end <= PyBytes_GET_SIZE(holder):
                raise ValueError(f"{start} to {end}, after {done}, of {len(holder)} bytes")
            if start < end:
                self._spans[self._count], self._spans[self._count + 1] = start, end
                self._count += 2
            done = end

    def __dealloc__(self):
        PyMem_Free(self._spans)

    def __call__(self, pieces):
        cdef const char *held = PyBytes_AS_STRING(self._holder)
        cdef const char *piece
        cdef Py_ssize_t span = 0, at = 0, done, left, size
        cdef bytes came
        if self._count:
            at = self._spans[0]
        for came in pieces:
            if came is None:
                raise TypeError("a piece is None; expected bytes")
            piece, left, done = PyBytes_AS_STRING(came), PyBytes_GET_SIZE(came), 0
            while left:
                if span == self._count:
                    return False
                size = min(left, self._spans[span + 1] - at)
                if memcmp(piece + done, held + at, size) != 0:
                    return False
                at += size
                done += size
                left -= size
                if at == self._spans[span + 1]:
                    span += 2
                    if span < self._count:
                        at = self._spans[span]
        return span == self._count
