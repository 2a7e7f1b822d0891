# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False
"""`cells` as compiled code. The interpreter's lock is held, so no other thread adds meanwhile."""

from cpython.mem cimport PyMem_Free, PyMem_Malloc

cdef extern from *:
    """
    #ifndef ADPROXY_SOURCE
    #define ADPROXY_SOURCE ""
    #endif
    """
    const char *ADPROXY_SOURCE

SOURCE = ADPROXY_SOURCE.decode()
"""The SHA-256 of the source that this was made from."""


ctypedef double *Place


cdef Place _place(mapped, Py_ssize_t at) except NULL:
    cdef double[:] doubles = mapped
    if not 0 <= at < doubles.shape[0]:
        raise IndexError(f"{at} of {doubles.shape[0]}")
    return &doubles[at]


cdef class Adder:
    """`cells.pure_adder`"""

    cdef Py_ssize_t _count
    cdef Place *_places
    cdef double *_amounts
    cdef list _kept     # what the places are in

    def __cinit__(self, cells):
        cdef Py_ssize_t i
        self._kept = list(cells)
        self._places = <Place *> PyMem_Malloc(max(1, len(self._kept)) * sizeof(Place))
        self._amounts = <double *> PyMem_Malloc(max(1, len(self._kept)) * sizeof(double))
        if self._places == NULL or self._amounts == NULL:
            raise MemoryError
        for i, (mapped, at, amount) in enumerate(self._kept):
            self._places[i], self._amounts[i] = _place(mapped, at), amount
        self._count = len(self._kept)

    def __dealloc__(self):
        PyMem_Free(self._places)
        PyMem_Free(self._amounts)

    def __call__(self):
        cdef Py_ssize_t i
        for i in range(self._count):
            self._places[i][0] += self._amounts[i]


cdef class Watch:
    """`cells.pure_watch`"""

    cdef Py_ssize_t _count
    cdef double[64] _bounds
    cdef Place[64] _buckets
    cdef double *_total
    cdef list _kept

    def __cinit__(self, bounds, total, buckets):
        cdef Py_ssize_t i
        if not 1 <= len(bounds) == len(buckets) <= 64:
            raise ValueError(f"{len(bounds)} bounds of {len(buckets)} buckets; expected as many, 1 to 64")
        self._kept = [total, *buckets]
        self._total = _place(total[0], total[1])
        for i in range(len(bounds)):
            self._bounds[i], self._buckets[i] = bounds[i], _place(buckets[i][0], buckets[i][1])
        self._count = len(bounds)

    def __call__(self, double value):
        cdef Py_ssize_t i = 0
        while i < self._count - 1 and self._bounds[i] < value:
            i += 1
        self._total[0] += value
        self._buckets[i][0] += 1
