#!/bin/sh
# Makes sure there is a Chromium for the browser tests. If it cannot be installed, tests that need it are skipped
# with a message; with CI=true they fail. Set CHROMIUM=/path/to/chromium if it is not on the path.
set -u

if [ -n "${CHROMIUM:-}" ]; then exit 0; fi
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "Installing Chromium for the browser tests (once)"
    export DEBIAN_FRONTEND=noninteractive
    if apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null 2>&1; then exit 0; fi
    if apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; then exit 0; fi
fi

echo "WARNING: no Chromium: the browser tests will not run. Install it ('apt-get install chromium' as root)," \
    "or set CHROMIUM=/path/to/chromium." >&2
if [ "${CI:-}" = true ]; then exit 1; fi
exit 0
