#!/bin/sh
# Makes .venv with the pinned dependencies and this project in editable mode; first names what the machine lacks.
# Usage: scripts/setup.sh [PYTHON]
set -eu
cd "$(dirname "$0")/.."
python=${1:-python3}
missing=""

need() { # what, Debian packages
    printf 'missing: %s; install it with: sudo apt-get install %s\n' "$1" "$2" >&2
    missing=yes
}

command -v g++ >/dev/null || need "g++, the C++ compiler" "g++"
command -v make >/dev/null || need "make" "make"
command -v perl >/dev/null || need "perl, which Verilator runs in" "perl"
if command -v g++ >/dev/null && ! echo '#include <vector>' | g++ -std=c++20 -fsyntax-only -x c++ - 2>/dev/null; then
    need "C++20 headers for g++" "g++ libc6-dev"
fi
if ! command -v "$python" >/dev/null; then
    need "$python, Python 3.11 or later" "python3 python3-venv python3-dev"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    need "Python 3.11 or later ($python is $("$python" -V 2>&1)); or name one: make PYTHON=..." "python3 python3-venv python3-dev"
else
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need "Python's venv module" "python3-venv"
    "$python" - <<'PROBE' || need "Python's header files and shared library" "python3-dev"
import ctypes, os, sys, sysconfig
config = sysconfig.get_config_vars()
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")) or not config["Py_ENABLE_SHARED"]:
    sys.exit(1)
try:
    ctypes.CDLL(os.path.join(config["LIBDIR"], config["INSTSONAME"]))
except OSError:
    try:
        ctypes.CDLL(config["INSTSONAME"])
    except OSError:
        sys.exit(1)
PROBE
fi
[ -z "$missing" ] || exit 1

.venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
pip() { .venv/bin/python -m pip --quiet --disable-pip-version-check "$@" --constraint constraints.txt; }
echo "setting up .venv, once" >&2
pip install setuptools
pip install --no-build-isolation --editable '.[dev]'
