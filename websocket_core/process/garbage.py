"""Settings of the garbage collector for a process that runs for days.

By default, the collector examines all young objects after every 700 new ones, which here means every few events. From
time to time it examines every object there is: the code, Django and thousands of connections. That costs a tenth of the
processor. Objects that exist when the process starts stay until it ends, so they are exempt; young objects are examined
less often. Hardly any object here needs the collector, because reference counts free most of them.
"""

from __future__ import annotations

import ctypes
import gc

YOUNG = 10_000  # new objects after which the collector runs


def settle() -> None:
    """Called when the process is ready to serve."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])


def return_memory() -> None:
    """Return free memory to the system. Takes some time, so call it in a thread.

    glibc keeps memory that many threads have used and freed. After a burst of large inputs, a container would stay
    close to its limit for ever. With other C libraries this does nothing.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return
    trim(0)
