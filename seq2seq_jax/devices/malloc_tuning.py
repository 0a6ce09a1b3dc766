"""Memory that is used again instead of being asked for anew.

XLA on the CPU takes one block of memory a step and gives it back. glibc returns such a large block
to the kernel each time, and the kernel clears it page by page when it is used next: a fifth of a
training step. Huge pages, kept, cost nothing.
"""

import os
import sys

_TUNABLES = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736"


def tune_malloc() -> None:
    """Starts this program again with glibc told to keep its memory, if it was not told anything.

    glibc reads its settings when a process starts, so there is no other moment. Does nothing where
    GLIBC_TUNABLES is set, and outside Linux.
    """
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = _TUNABLES
        os.execv(sys.executable, sys.orig_argv)
