#!/usr/bin/env bash
# Make .venv with the pinned, tested set and this plugin (editable). A second run does nothing.
#   PYTHON=/path/to/python3.11 bash scripts/setup.sh     picks the interpreter
# Python 3.10, 3.11 or 3.12; 3.13 and 3.14 get everything but BasicSR, which does not build there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

between() { "$1" -c "import sys; sys.exit(not (3, $2) <= sys.version_info[:2] <= (3, $3))" >/dev/null 2>&1; }

supported() { between "$1" 10 14; }

version() { "$1" --version 2>/dev/null || echo "not an interpreter that runs"; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        supported "$PYTHON" && { echo "$PYTHON"; return; }
        echo "error: PYTHON=$PYTHON is $(version "$PYTHON"); Python 3.10 to 3.14 is needed" >&2
    else
        for candidate in python3.11 python3.12 python3.10 python3 python; do
            supported "$candidate" && { echo "$candidate"; return; }
        done
        echo "error: no Python 3.10 to 3.14 found; python3 is $(version python3)" >&2
    fi
    echo "       install one and run: PYTHON=/path/to/python3.11 bash scripts/setup.sh" >&2
    return 2
}

fingerprint() { { cat requirements.txt setup.py pyproject.toml scripts/setup.sh; pwd; } | cksum; }

stamp=.venv/.complete
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

if ! { [ -x .venv/bin/python ] && supported .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    python=$(find_python)
    echo "making .venv with $(version "$python")"
    rm -rf .venv
    if ! "$python" -m venv .venv; then
        rm -rf .venv
        echo "error: $python cannot make virtual environments; on Debian or Ubuntu install python3-venv" >&2
        exit 2
    fi
fi
rm -f "$stamp"

install() { .venv/bin/python -m pip install --disable-pip-version-check "$@"; }
step() { echo "[$1/3] installing $2"; }
first=$(mktemp)
trap 'rm -f "$first"' EXIT
sed '/--- mark/q' requirements.txt >"$first"

step 1 "torch and what BasicSR's build needs (the longest: up to a few minutes)"
install -r "$first"
if between .venv/bin/python 10 12; then
    step 2 "BasicSR and the rest"
else
    step 2 "the rest, but not BasicSR"
fi
install --no-build-isolation -r requirements.txt
step 3 "converse_basicsr"
install --no-build-isolation --no-deps -e .
fingerprint >"$stamp"
between .venv/bin/python 10 12 ||
    echo "note: BasicSR does not build on $(version .venv/bin/python), so train, test, benchmark, reproduce and data do not work"
echo "setup complete: .venv/bin/basicsr doctor shows what is installed"
