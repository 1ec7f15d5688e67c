#!/usr/bin/env bash
# Set up if needed, then check and test. Arguments go to pytest: bash scripts/test.sh -k dense_oracle
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
.venv/bin/python -m pip install --disable-pip-version-check --quiet -r requirements-test.txt -r requirements-docs.txt
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal "$@"
