"""Cost of swapped upsamplers: one training step and one evaluation of MONAI's BasicUNet, as rows of a table.

python scripts/benchmark_convert.py         # docs/own_networks.md; a minute on one thread
python scripts/benchmark_convert.py deconv  # some of the networks only
"""

import argparse
import copy
import sys
from pathlib import Path

import torch
from monai.networks.nets import BasicUNet
from torch import nn

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "scripts")]

from literal import on_literal_form  # noqa: E402

from converse_basicsr import convert_upsampling  # noqa: E402
from converse_basicsr.benchmark.timing import Timing, evaluating, time_together, training_step  # noqa: E402

FEATURES = (32, 32, 64, 128, 256, 32)  # MONAI's default
UPSAMPLERS = ("deconv", "nearest", "bilinear")


def build(upsampler: str) -> nn.Module:
    """BasicUNet with four upsamplers: transposed convolutions of 2x2, or nn.Upsample with MONAI's 1x1 convolutions."""
    torch.manual_seed(0)
    model = BasicUNet(2, 1, 2, FEATURES, upsample="deconv" if upsampler == "deconv" else "nontrainable")
    for module in model.modules():
        if isinstance(module, nn.Upsample):
            module.mode, module.align_corners = upsampler, None if upsampler == "nearest" else False
    return model


def measure(upsampler: str, x: torch.Tensor) -> dict[str, dict[str, Timing]]:
    """Times by kind ('training', 'evaluation') and form."""
    model = build(upsampler)
    swapped = copy.deepcopy(model)
    report = convert_upsampling(swapped, example=x)
    assert len(report.replaced) == 4, str(report)
    forms = {"before": model, "after": swapped, "literal": on_literal_form(swapped)}
    times = {"training": time_together({name: training_step(form, x) for name, form in forms.items()}, x.device)}
    for form in forms.values():
        form.eval()
    times["evaluation"] = time_together({name: evaluating(form, x) for name, form in forms.items()}, x.device)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("upsampler", nargs="*", default=UPSAMPLERS, help=f"of {', '.join(UPSAMPLERS)}")
    parser.add_argument("--size", type=int, default=128, help="height and width of the input")
    parser.add_argument("--batch", type=int, default=2, help="images")
    args = parser.parse_args()
    x = torch.rand(args.batch, 1, args.size, args.size)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {tuple(x.shape)}; medians (quartiles)")
    print("| upsamplers | | before, ms | after | literal form | after / before | literal / before |")
    print("|---|---|---|---|---|---|---|")
    for upsampler in args.upsampler:
        for kind, times in measure(upsampler, x).items():
            cells = [f"{time.median:.0f} ({time.low:.0f}-{time.high:.0f})" for time in times.values()]
            base = times["before"].median
            ratios = [f"{times[form].median / base:.2f}" for form in ("after", "literal")]
            print(f"| {upsampler} | {kind} | {' | '.join([*cells, *ratios])} |", flush=True)


if __name__ == "__main__":
    main()
