#!/usr/bin/env bash
# All GPU checks in one call, on a machine with CUDA: GPU tests, the operator's benchmark, and two short trainings (the
# quickstart's, and one that degrades on the device).
#   PYTHON=python3 bash scripts/gpu.sh [FOLDER]     FOLDER for log, JSON, chart and figure (default: gpu_results)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-.venv/bin/python}
out=${1:-gpu_results}
mkdir -p "$out"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
{
    "$python" -m converse_basicsr doctor
    "$python" -m pytest -q -m gpu -p no:cacheprovider
    "$python" scripts/benchmark_operator.py --device cuda --json "$out/benchmark.json" --picture "$out/benchmark.png"
    "$python" -m converse_basicsr train -opt options/converse_srresnet.yml --force
    cp experiments/converse_srresnet/comparison_demo_val.png "$out/"
    "$python" -m converse_basicsr train -opt options/realesrnet_converse_srresnet.yml --force --no_report \
        --force_yml train:total_iter=40 val:val_freq=40 logger:save_checkpoint_freq=40 logger:print_freq=10
} 2>&1 | tee "$out/log.txt"
