"""The very end of a process."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

log = logging.getLogger(__name__)


def exit_in_spite_of_threads(seconds: float = 2.0) -> None:
    """End this process with code 0 in so many seconds, should the interpreter still wait for threads by then.

    To be called at the very end: Python waits for every thread of a pool, also for one in which somebody's code sleeps.
    """

    def end() -> None:
        time.sleep(seconds)
        names = [thread.name for thread in threading.enumerate() if thread.is_alive() and not thread.daemon]
        log.warning("Ending although threads are busy: %s", ", ".join(names))
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)

    threading.Thread(target=end, name="netra-exit", daemon=True).start()
