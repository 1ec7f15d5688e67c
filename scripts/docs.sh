#!/usr/bin/env bash
# Set up if needed, then build the documentation; warnings are errors. Arguments go to sphinx-build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
.venv/bin/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || {
    echo "error: the documentation needs Python 3.11 or 3.12 (Sphinx and BasicSR), .venv has $(.venv/bin/python --version)" >&2
    exit 2
}
.venv/bin/python -m pip install --disable-pip-version-check --quiet -r requirements-docs.txt
.venv/bin/python -m sphinx --fail-on-warning --keep-going --builder html docs build/docs "$@"
echo "open build/docs/index.html"
