"""Freed memory that a process keeps for its next page.

By default glibc hands the end of its heap back to the kernel after nearly every parse, and gets it again, page by page,
for the next. A process that does little but parse had better keep it. It is the whole process that changes by this: so
adproxy's own programs do it, and the middleware in somebody else's does not, unless it is asked for.
"""

from __future__ import annotations

import ctypes
import platform

KEPT_BYTES = 64 << 20
"""Freed memory that is kept at the end of a heap; more than the largest page needs."""
MAPPED_BYTES = 32 << 20
"""Pieces so large are still mapped for themselves, and given back at once: the most that glibc lets one say."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_freed_memory() -> bool:
    """Tell the allocator of this process, and of those forked from it, to keep freed memory; False where it is not
    glibc's, and nothing changes."""
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES) and mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES))
