#!/usr/bin/env bash
# From a bare clone to a trained network: set-up, then one training run on the embedded photographs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
PATH="$PWD/.venv/bin:$PATH"

echo "+ basicsr train -opt options/converse_srresnet.yml"
basicsr train -opt options/converse_srresnet.yml

cat <<'END'

What you have now
  experiments/converse_srresnet/comparison_demo_val.png   input | bicubic | Converse-SRResNet | ground truth
  experiments/converse_srresnet/models/net_g_latest.pth   the checkpoint
What to try next (after: source .venv/bin/activate)
  basicsr test -opt options/test_converse_srresnet.yml    the same checkpoint through BasicSR's test pipeline
  basicsr train -opt options/srresnet.yml                 its twin, BasicSR's MSRResNet, on the same data
  tensorboard --logdir tb_logger                          curves of loss, PSNR and SSIM
  options/converse_srresnet.yml                           the template for your own images: change two lines
END
