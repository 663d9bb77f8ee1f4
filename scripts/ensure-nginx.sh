#!/bin/sh
# Makes sure there is an nginx for the tests that put one in front of a server. It is unpacked into the environment, not
# installed: nothing starts by itself, and root is not needed. Without it, those tests are skipped with a message.
set -u

folder=.venv/nginx
if command -v nginx >/dev/null 2>&1 || [ -x /usr/sbin/nginx ] || [ -x "$folder/usr/sbin/nginx" ]; then exit 0; fi

if command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1; then
    echo "Getting nginx for the tests of proxies (once)"
    got=$(mktemp -d)
    (
        cd "$got" || exit 1
        apt-get download -qq nginx >/dev/null 2>&1 || { apt-get update -qq && apt-get download -qq nginx; } >/dev/null 2>&1
    ) && dpkg-deb --extract "$got"/nginx_*.deb "$folder"
    rm -rf "$got"
    if [ -x "$folder/usr/sbin/nginx" ] && "$folder/usr/sbin/nginx" -v 2>/dev/null; then exit 0; fi
    rm -rf "$folder"
fi

echo "WARNING: no nginx: tests of the reverse proxy will be skipped. Install it ('apt-get install nginx-light')." >&2
exit 0
