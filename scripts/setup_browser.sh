#!/bin/sh
# Installs Debian's Chromium and its driver, which the test of the report's page opens it in; does nothing if they are there.
set -eu
if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "missing: chromium and chromedriver; install them: this script knows Debian's apt-get only" >&2
    exit 1
fi
as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo
$as_root apt-get update --quiet=2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends chromium chromium-driver
