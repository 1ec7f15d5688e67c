#!/usr/bin/env bash
# Set up if needed, then build the documentation; warnings are errors. Arguments go to sphinx-build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
.venv/bin/python -m pip install --disable-pip-version-check --quiet -r requirements-docs.txt
.venv/bin/python -m sphinx --fail-on-warning --keep-going --builder html docs build/docs "$@"
echo "open build/docs/index.html"
