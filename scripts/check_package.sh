#!/usr/bin/env bash
# Install the wheel into clean environments, without and with BasicSR, and use it there. Takes a few minutes.
#   PYTHON=.venv/bin/python bash scripts/check_package.sh
# torch is large: that of PYTHON's environment is linked into the clean ones. All else comes from the package index.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PYTHON=${PYTHON:-.venv/bin/python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bash scripts/build_package.sh "$work/dist" 2>/dev/null
"$PYTHON" -c 'from skimage.data import astronaut; from PIL import Image; Image.fromarray(astronaut()[:192, :256]).save("'"$work"'/photo.png")'
site=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
version=$("$PYTHON" -c 'import importlib.metadata as m; print(m.version("torch").partition("+")[0])')
echo "torch==$version" >"$work/constraints.txt"

environment() { # NAME PACKAGES: a virtual environment with torch and these packages
    "$PYTHON" -m venv "$work/$1"
    for part in torch torchgen functorch "torch-$version"*.dist-info; do
        ln -s "$site"/$part "$work/$1/lib"/python3*/site-packages/
    done
    for packages in "${@:2}"; do
        echo "+ pip install $packages"
        # shellcheck disable=SC2086 (several packages)
        "$work/$1/bin/python" -m pip install --disable-pip-version-check --quiet --no-build-isolation \
            --constraint "$work/constraints.txt" $packages
    done
    "$work/$1/bin/python" -m pip --disable-pip-version-check check
}
expect() { grep -q -- "$1" printed.txt || { echo "error: the last command did not print '$1' but:" >&2; cat printed.txt >&2; exit 1; }; }
call() { # CODE COMMAND: run, and expect this exit code
    local code=0
    echo "+ ${*:2}"
    "${@:2}" >printed.txt 2>&1 || code=$?
    [ "$code" = "$1" ] || { echo "error: exit code $code, expected $1:" >&2; cat printed.txt >&2; exit 1; }
}

wheel=$(ls "$work"/dist/*.whl)
environment plain "$wheel"
if "$PYTHON" -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then
    environment training "setuptools wheel cython numpy" "$wheel[train,benchmark]"
fi
unset PYTHONPATH
cd "$work" # smoke test: what follows uses the environments alone
PATH=$work/plain/bin:$PATH
call 0 basicsr options list; expect converse_srresnet
call 0 basicsr doctor; expect "no problems found"; expect "basicsr  *not installed"
call 0 basicsr restore photo.png -o restored --method converse2d --kernel gaussian:1.6; test -s restored/photo.png
call 0 python -c 'import torch, converse_basicsr as c; print(c.Converse2D(4, 4, 2, scale=2)(torch.ones(1, 4, 8, 8)).shape)'
expect "4, 16, 16"
call 2 basicsr train -opt x.yml; expect "BasicSR is not installed: pip install 'basicsr>=1.4.2' lmdb"
if [ -d training ]; then
    PATH=$work/training/bin:$PATH
    call 0 basicsr doctor; expect "no problems found"; expect "checkpoint_levels"
    call 0 basicsr options copy converse_srresnet
    call 0 basicsr train -opt options/converse_srresnet.yml --force_yml train:total_iter=4 val:val_freq=4 \
        network_g:num_feat=8 network_g:num_block=1 logger:save_checkpoint_freq=4 \
        datasets:train:batch_size_per_gpu=2 datasets:train:num_worker_per_gpu=0
    tail -8 printed.txt
    call 0 basicsr restore photo.png -m experiments/converse_srresnet/models/net_g_latest.pth -o enlarged
    test -s enlarged/photo.png
fi
echo "the package works"
