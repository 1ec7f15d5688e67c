"""Final numbers and images of a trained network, and of the baseline."""

from pathlib import Path

import torch

from ..compat import load_basicsr
from ..errors import UserError
from ..evaluation.measure import evaluate, gives_pairs, options_for_test, quietly, score, upsample, validation_set
from .results import nan_metric, summary
from .spec import Benchmark, Model
from .training import EXPERIMENTS
from .whole_images import Timed, growth, largest

load_basicsr()

from basicsr.models import build_model  # noqa: E402 (BasicSR can be imported from here on)
from basicsr.utils import imwrite, tensor2img  # noqa: E402


def measure_baseline(benchmark: Benchmark, folder: Path) -> dict:
    """Measure bicubic upsampling, or the input itself, on every validation set; save the images as PNG.

    Returns name and sets, as in results.json.

    Raises:
        UserError: a set does not give pairs of images, or two of its images have the same name.
    """
    sets = {}
    for name, section in benchmark.sets.items():
        dataset = validation_set(section, benchmark.recipe)
        if not gives_pairs(dataset):
            raise UserError(f"{benchmark.file}: recipe:datasets: {name} must give pairs of image and ground truth")
        images, paths = {}, {}
        for sample in (dataset[index] for index in range(len(dataset))):
            image, path = Path(sample["lq_path"]).stem, sample.get("gt_path", sample["lq_path"])
            if image in images:
                raise UserError(
                    f"{benchmark.file}: recipe:datasets: {name}: {paths[image]} and {path} have the same name, "
                    f"{image}, which identifies results; rename one of them"
                )
            paths[image] = path
            lq, gt = tensor2img([sample["lq"]]), tensor2img([sample["gt"]])
            baseline = upsample(lq, benchmark.scale)
            images[image] = score(baseline, gt, benchmark.metrics)
            for kind, content in (("gt", gt), ("lq", lq), ("baseline", baseline)):
                imwrite(content, str(folder / "images" / name / f"{image}_{kind}.png"))
        sets[name] = summary(images)
    return {"name": "bicubic" if benchmark.scale > 1 else "input", "sets": sets}


def measure_run(benchmark: Benchmark, model: Model, seed: int | None, folder: Path) -> dict:
    """Restore every validation image and save it as PNG.

    With the last checkpoint of a run (its EMA weights), or, with seed None, with a model as it is given.

    Returns status, reason, final, images and whole_images of the run, as in results.json.
    """
    if seed is None:
        opt, end = options_for_test(benchmark.test_options(model), None), ""
    else:
        checkpoint = folder / EXPERIMENTS / benchmark.run_name(model, seed) / "models/net_g_latest.pth"
        opt, end = options_for_test(benchmark.run_options(model, seed, 1), checkpoint), f"_seed{seed}"
    restorer = quietly(build_model, opt)
    final, paths, seconds = {}, {}, {}
    sets = {name: validation_set(section, opt) for name, section in benchmark.sets.items()}
    restorer.feed_data(largest(next(iter(sets.values()))))
    peak = growth(restorer.test, restorer.device)
    timed = Timed(restorer, restorer.device)
    for name, dataset in sets.items():
        images, paths[name] = {}, {}
        for row in evaluate(timed, dataset, opt):
            images[row.name] = row.restored_metrics
            paths[name][row.name] = f"images/{name}/{row.name}_{model.slug}{end}.png"
            imwrite(row.images.restored, str(folder / paths[name][row.name]))
        final[name], seconds[name] = summary(images), timed.mean()
    if torch.cuda.is_available():
        del restorer, timed
        torch.cuda.empty_cache()  # the next training is another process
    for name, measured in final.items():
        if metric := nan_metric(measured["mean"]):
            return {"status": "diverged", "reason": f"{metric} is nan on {name} at the end"}
    whole = {"seconds": seconds, "peak_memory_mib": peak}
    return {"status": "done", "reason": None, "final": final, "images": paths, "whole_images": whole}
