"""The garbage collector of a process that serves for days.

By itself it looks at all the young objects after every 700 new ones, which here is every few events, and from time to
time at everything there is: the code, Django, each of thousands of connections. That is a tenth of the processor. What
is there when the process begins stays to its end, and is not looked at again; the young are looked at less often.
Hardly anything here is garbage that has to be looked for: objects go when nobody refers to them.
"""

from __future__ import annotations

import ctypes
import gc

YOUNG = 10_000  # new objects that are still there, until the collector looks at them


def settle() -> None:
    """The process is ready to serve."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


def return_memory() -> None:
    """Give memory that is free back to the system, in a thread: glibc keeps what many threads have used and freed, so
    that a burst of large inputs would cost a container its limit long after it is over. Elsewhere nothing happens.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return
    trim(0)
