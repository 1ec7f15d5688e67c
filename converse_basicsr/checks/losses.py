"""Checks of losses and metrics: their names, arguments and values."""

from ..errors import UserError, did_you_mean, shown
from ..options.constructors import check_options, check_type

_LEAST_SIDE = {"calculate_ssim": 11, "calculate_niqe": 96}  # of the image without its border: the metric's window


def check_losses(train: dict) -> None:
    """Build every loss of the section train, except perceptual losses, which would download weights.

    Raises:
        UserError: a type, an argument or a value does not fit.
    """
    from basicsr.utils.registry import LOSS_REGISTRY

    for key, section in train.items():
        if not key.endswith("_opt") or section is None:
            continue
        where = f"train:{key}"
        loss = check_type(f"{where}:type", section["type"], LOSS_REGISTRY, "loss")
        check_options(where, section, loss)
        if key == "perceptual_opt":
            _check_layers(f"{where}:layer_weights", section)
            continue
        try:
            loss(**{name: value for name, value in section.items() if name != "type"})
        except Exception as error:  # a constructor may raise any exception over a bad value
            raise UserError(f"{where}: {loss.__name__}: {shown(error.args[0]) if error.args else error!r}") from error


def _check_layers(where: str, section: dict) -> None:
    from basicsr.archs.vgg_arch import NAMES

    known = NAMES[section.get("vgg_type", "vgg19").removesuffix("_bn")]
    for layer in section["layer_weights"] or {}:
        if layer not in known:
            raise UserError(f"{where}: the VGG network has no layer {layer!r}{did_you_mean(layer, known)}")


def check_metrics(metrics: dict) -> None:
    """Check every metric's name and arguments.

    Raises:
        UserError: a type or an argument does not fit.
    """
    from basicsr.utils.registry import METRIC_REGISTRY

    for name, section in metrics.items():
        where = f"val:metrics:{name}"
        metric = check_type(f"{where}:type", section["type"], METRIC_REGISTRY, "metric")
        if section["type"].endswith("_pt"):
            raise UserError(f"{where}:type: {section['type']} takes tensors; write {section['type'][:-3]}")
        check_options(where, section, metric, given=("img", "img2"), also=("better",))


def check_measurable(metrics: dict, where: str, sample: dict, smallest: tuple[int, int] | None) -> None:
    """Check that the images of a data set can be measured by the metrics.

    Args:
        metrics: the section val: metrics.
        where: the data set's place in the option file.
        sample: a sample of that data set.
        smallest: (height, width) of its smallest ground-truth image, or None.

    Raises:
        UserError: a metric needs ground truth that the set lacks, or leaves nothing of the smallest image.
    """
    for name, section in metrics.items():
        if "gt" not in sample and section["type"] != "calculate_niqe":
            raise UserError(f"val:metrics:{name}: {section['type']} needs ground truth, and {where} has none; use a "
                            "data set with dataroot_gt, or write metrics: ~")  # fmt: skip
        least = _LEAST_SIDE.get(section["type"], 1)
        if smallest is not None and min(smallest) - 2 * section["crop_border"] < least:
            raise UserError(f"val:metrics:{name}:crop_border: {section['crop_border']} leaves less than {least} pixels "
                            f"of the smallest image of {where}, {smallest[0]}x{smallest[1]}")  # fmt: skip
