#!/usr/bin/env bash
# Install the wheel into clean environments, without and with each extra, and use it there. Takes several minutes.
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
for extra in onnx spandrel fft mmengine; do
    environment $extra "$wheel[$extra]"
done
environment all "setuptools wheel cython numpy" "$wheel[all]"
if "$PYTHON" -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then
    environment training "setuptools wheel cython numpy" "$wheel[train,benchmark]"
fi
unset PYTHONPATH
cd "$work" # smoke test: what follows uses the environments alone
path=$PATH
use() { echo "in the environment $1:"; PATH=$work/$1/bin:$path; }
use plain
call 0 basicsr options list; expect converse_srresnet
call 0 basicsr doctor; expect "no problems found"; expect "BasicSR is not installed"
call 0 basicsr restore photo.png -o restored --method converse2d --kernel gaussian:1.6; test -s restored/photo.png
call 0 python -c 'import torch, converse_basicsr as c; print(c.Converse2D(4, 4, 2, scale=2)(torch.ones(1, 4, 8, 8)).shape)'
expect "4, 16, 16"
call 2 basicsr train -opt x.yml; expect "BasicSR is not installed: pip install 'basicsr>=1.4.2' lmdb"
call 0 python -c 'import torch; from converse_basicsr.networks import ConverseSRResNet
torch.save(ConverseSRResNet(num_feat=4, num_block=1, upscale=2).state_dict(), "net.pth")'
call 2 basicsr export -m net.pth -o net.onnx; expect "export needs onnx: pip install 'onnx>="
use onnx
call 0 basicsr export -m net.pth -o net.onnx; expect "onnxruntime differs from torch by at most"
call 0 basicsr restore photo.png -m net.onnx -o by_onnx; expect "by onnxruntime"; test -s by_onnx/photo.png
use spandrel
call 0 python -c 'from converse_basicsr.spandrel import install; from spandrel import ModelLoader; install()
import torch; model = ModelLoader().load_from_file("net.pth")
print(model.architecture.name, *model(torch.rand(1, 3, 16, 16)).shape)'
expect "ConverseSRResNet 1 3 32 32"
use fft
call 0 basicsr doctor; expect "ducc0  *[0-9]"
call 0 python -c 'import torch; from converse_basicsr.ops.fft import fft2, is_ducc_size; assert is_ducc_size(74, 82)
x = torch.randn(2, 74, 82, dtype=torch.complex128); print(torch.dist(fft2(x), torch.fft.fft2(x)) < 1e-9)'
expect "tensor(True)"
use mmengine
call 0 python -c 'from mmengine.registry import MODELS
print(type(MODELS.build(dict(type="converse_basicsr.Converse2D", in_channels=4, out_channels=4, kernel_size=2))))'
expect "converse2d.Converse2D"
use all
call 0 basicsr doctor; expect "no problems found"
if [ -d training ]; then
    use training
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
