"""Ends a process whose threads do not end."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

log = logging.getLogger(__name__)


def exit_in_spite_of_threads(seconds: float = 2.0) -> None:
    """End this process with code 0 after `seconds`, if the interpreter still waits for threads by then.

    Call it last: Python waits for every thread of a pool, even if an agent's code sleeps in it.
    """

    def end() -> None:
        time.sleep(seconds)
        names = [thread.name for thread in threading.enumerate() if thread.is_alive() and not thread.daemon]
        log.warning("Exiting although threads are still busy: %s", ", ".join(names))
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)

    threading.Thread(target=end, name="netra-exit", daemon=True).start()
