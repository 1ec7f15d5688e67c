#!/usr/bin/env bash
# Install the wheel into a clean environment, without and then with BasicSR, and use it there. Takes minutes.
#   bash scripts/check_package.sh
#   PYTHON: makes the environment (default: .venv/bin/python)
# torch is large: that of PYTHON is linked into the environment. All else is installed from the package index.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHON=${PYTHON:-.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { echo "+ $*"; }
run() { say "$@"; "$@"; }
expect() { grep -q -- "$1" "$2" || { echo "error: no '$1' in:" >&2; cat "$2" >&2; exit 1; }; }

bash scripts/build_package.sh "$work/dist" 2>/dev/null
site=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
version=$("$PYTHON" -c 'import importlib.metadata as m; print(m.version("torch").split("+")[0])')
trains=$("$PYTHON" -c 'import sys; print(sys.version_info < (3, 13))')
photo=$("$PYTHON" -c 'from skimage.data import data_dir; print(data_dir)')/astronaut.png
"$PYTHON" -m venv "$work/venv"
for part in torch torchgen functorch "torch-$version"*.dist-info; do
    ln -s "$site"/$part "$work/venv/lib"/python3*/site-packages/
done
echo "torch==$version" >"$work/constraints.txt"
unset PYTHONPATH
cd "$work"
install() { venv/bin/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt "$@"; }
wheel=$(ls dist/*.whl)
bin=$work/venv/bin

echo "== without BasicSR"
say pip install "$wheel"
install "$wheel"
run venv/bin/python -m pip --disable-pip-version-check check
run "$bin/basicsr" --version
"$bin/basicsr" options list >printed.txt; expect converse_srresnet printed.txt; say basicsr options list
"$bin/basicsr" doctor >printed.txt; expect "no problems found" printed.txt; say basicsr doctor
cp "$photo" photo.png
run "$bin/basicsr" restore photo.png -o restored --method converse2d --kernel gaussian:1.6
test -s restored/photo.png
run venv/bin/python -c 'import torch; from converse_basicsr import Converse2D; print(Converse2D(4, 4, scale=2)(torch.ones(1, 4, 8, 8)).shape)'
if "$bin/basicsr" train -opt x.yml 2>printed.txt; then echo "error: train works without BasicSR" >&2; exit 1; fi
expect "BasicSR is not installed: pip install 'basicsr>=1.4.2' lmdb" printed.txt; cat printed.txt

if [ "$trains" = True ]; then
    echo "== with BasicSR"
    say pip install setuptools wheel cython, then "$wheel[train,benchmark]"
    install setuptools wheel cython
    install --no-build-isolation "$wheel[train,benchmark]"
    "$bin/basicsr" doctor >printed.txt; expect "no problems found" printed.txt; say basicsr doctor
    run "$bin/basicsr" options copy converse_srresnet
    say basicsr train
    "$bin/basicsr" train -opt options/converse_srresnet.yml --force_yml train:total_iter=4 val:val_freq=4 \
        network_g:num_feat=8 network_g:num_block=1 datasets:train:batch_size_per_gpu=2 \
        datasets:train:num_worker_per_gpu=0 logger:save_checkpoint_freq=4 >printed.txt 2>&1 ||
        { cat printed.txt; exit 1; }
    tail -12 printed.txt
    test -s experiments/converse_srresnet/models/net_g_latest.pth
    run "$bin/basicsr" restore photo.png -m experiments/converse_srresnet/models/net_g_latest.pth -o enlarged --tile 128
    test -s enlarged/photo.png
fi
echo "the package works"
