#!/usr/bin/env bash
# From a bare clone to a trained network: set-up, then one training run on the demo photographs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
PATH="$PWD/.venv/bin:$PATH"

echo "+ basicsr train -opt options/converse_srresnet.yml --auto_resume"
basicsr train -opt options/converse_srresnet.yml --auto_resume

cat <<'END'

Results
  experiments/converse_srresnet/comparison_demo_val.png   input | bicubic | Converse-SRResNet | ground truth
  experiments/converse_srresnet/models/net_g_latest.pth   the checkpoint
Next steps (after: source .venv/bin/activate)
  basicsr test -opt options/test_converse_srresnet.yml    test the checkpoint with BasicSR's test pipeline
  basicsr train -opt options/srresnet.yml                 the baseline: BasicSR's MSRResNet on the same data
  tensorboard --logdir tb_logger                          curves of loss, PSNR and SSIM
  options/converse_srresnet.yml                           template for your own images: change two lines
END
