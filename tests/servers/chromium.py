"""The system's Chromium, for Playwright; Playwright's own build of it is never downloaded."""

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ADVICE = "no Chromium found: install it ('apt-get install chromium' as root) or set CHROMIUM=/path/to/chromium"


def executable() -> str | None:
    """Return the path of the browser, or None if there is none. `CHROMIUM` names one that is not on `PATH`."""
    named = os.environ.get("CHROMIUM", "")
    if named:
        return named
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def arguments() -> list[str]:
    """Return the command-line arguments that the browser needs on this machine."""
    # /dev/shm is tiny in containers; and Chromium's sandbox does not run as root.
    found = ["--disable-dev-shm-usage", "--disable-gpu"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        found.append("--no-sandbox")
    return found
