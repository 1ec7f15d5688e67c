#!/usr/bin/env bash
# Build the sdist, and from it the wheel, into a folder (default: dist). The same files give the same bytes.
#   bash scripts/build_package.sh [FOLDER]        PYTHON: an interpreter with setuptools; SOURCE_DATE_EPOCH: the time
# Only files that git tracks are taken. Needs no network.
set -euo pipefail
umask 022
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$(command -v "${PYTHON:-.venv/bin/python}")
python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
mkdir -p "${1:-dist}"
out=$(cd "${1:-dist}" && pwd)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
staging=$(mktemp -d)
trap 'rm -rf "$staging"' EXIT

build() { "$python" -c "import sys; from setuptools import build_meta; print(build_meta.build_$1(sys.argv[1]))" "$out" | tail -1; }

mkdir "$staging/checkout" "$staging/sdist"
git ls-files -z | xargs -0 cp --parents --target-directory="$staging/checkout"
cd "$staging/checkout"
sdist=$(build sdist)
tar -xzf "$out/$sdist" -C "$staging/sdist" --strip-components=1
cd "$staging/sdist"
wheel=$(build wheel)
cd "$out"
sha256sum "$sdist" "$wheel"
