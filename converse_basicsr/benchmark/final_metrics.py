"""Final numbers and images of a trained network, and of the baseline."""

from pathlib import Path

import torch

from basicsr.models import build_model
from basicsr.utils import imwrite, tensor2img

from ..errors import UserError
from ..evaluation.measure import evaluate, gives_pairs, options_for_test, quietly, score, upsample, validation_set
from .results import summary
from .spec import Benchmark, Entrant


def measure_baseline(benchmark: Benchmark, folder: Path) -> dict:
    """Bicubic upsampling, or the input itself, of every validation set; ground truth, input and baseline as PNG.

    Returns:
        name, and sets as in results.json.

    Raises:
        UserError: a set does not give pairs of images, or two of its images have one name.
    """
    sets = {}
    for name, section in benchmark.sets.items():
        dataset = validation_set(section, benchmark.recipe)
        if not gives_pairs(dataset):
            raise UserError(f"{benchmark.file}: recipe:datasets: {name} gives no pairs of image and ground truth")
        images, paths = {}, {}
        for sample in (dataset[index] for index in range(len(dataset))):
            image, path = Path(sample["lq_path"]).stem, sample.get("gt_path", sample["lq_path"])
            if image in images:
                raise UserError(
                    f"{benchmark.file}: recipe:datasets: {name}: {paths[image]} and {path} have one name, {image}, "
                    "by which results are kept; give them different ones"
                )
            paths[image] = path
            lq, gt = tensor2img([sample["lq"]]), tensor2img([sample["gt"]])
            baseline = upsample(lq, benchmark.scale)
            images[image] = score(baseline, gt, benchmark.metrics)
            for kind, content in (("gt", gt), ("lq", lq), ("baseline", baseline)):
                imwrite(content, str(folder / "images" / name / f"{image}_{kind}.png"))
        sets[name] = summary(images)
    return {"name": "bicubic" if benchmark.scale > 1 else "input", "sets": sets}


def measure_run(
    benchmark: Benchmark, entrant: Entrant, seed: int, checkpoint: Path, folder: Path
) -> tuple[dict, dict[str, dict[str, str]]]:
    """Restore every validation image with a checkpoint (its EMA weights) and save it as PNG.

    Returns:
        final and images, as in results.json.
    """
    opt = options_for_test(benchmark.run_options(entrant, seed, 1), checkpoint)
    model = quietly(build_model, opt)
    final, paths = {}, {}
    for name, section in benchmark.sets.items():
        images, paths[name] = {}, {}
        for row in evaluate(model, validation_set(section, opt), opt):
            images[row.name] = row.restored_metrics
            path = Path("images", name, f"{row.name}_{entrant.slug}_seed{seed}.png")
            imwrite(row.images.restored, str(folder / path))
            paths[name][row.name] = path.as_posix()
        final[name] = summary(images)
    if torch.cuda.is_available():
        del model
        torch.cuda.empty_cache()  # the next training is another process
    return final, paths
