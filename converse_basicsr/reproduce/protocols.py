"""The paper's evaluation protocols as data: one Protocol per cell of its tables."""

from dataclasses import dataclass, field

from ..errors import UserError

PSFS = range(1, 6)
SETS = {  # folder name: (display name, source)
    "set5": ("Set5", "links in BasicSR's docs/DatasetPreparation.md"),
    "set12": ("Set12", "https://github.com/cszn/DnCNN, folder testsets"),
    "set14": ("Set14", "links in BasicSR's docs/DatasetPreparation.md"),
    "bsd68": ("BSD68", "https://github.com/cszn/DnCNN, folder testsets"),
    "bsd100": ("BSD100", "links in BasicSR's docs/DatasetPreparation.md"),
    "urban100": ("Urban100", "links in BasicSR's docs/DatasetPreparation.md"),
}
TASKS = ("denoising", "sr", "deblurring")
BLUR_KERNELS = "kernel_1.npy ... kernel_5.npy of the paper's code"


@dataclass(frozen=True)
class Protocol:
    """A network with published weights, a test set, and a degradation.

    Args:
        task: one of TASKS.
        network: the arch, with its default options.
        weights: file name of the weights.
        test_set: a key of SETS.
        dataset: options of the data set, without its folder.
        metrics: as under val: metrics in an option file; the paper reports the first.
        published: the paper's value of the first metric, or None.
        scale: the option file's scale.
        psf: number of the blur kernel, or None.
    """

    task: str
    network: str
    weights: str
    test_set: str
    dataset: dict = field(hash=False)
    metrics: dict[str, dict] = field(hash=False)
    published: float | None = None
    scale: int = 1
    psf: int | None = None

    @property
    def name(self) -> str:
        """A unique name, usable as a file name."""
        return "_".join(
            [self.task, self.network.lower(), self.test_set, *([f"psf{self.psf}"] if self.psf is not None else [])]
        )


def _metrics(border: int, kind: str = "") -> dict[str, dict]:
    return {name: {"type": f"calculate_{name}{kind}", "crop_border": border} for name in ("psnr", "ssim")}


def _denoising(test_set: str, published: float) -> Protocol:
    dataset = {"type": "GaussianDenoisingDataset", "color": "gray", "sigma": 25}
    return Protocol("denoising", "ConverseDnCNN", "converse_dncnn.pth", test_set, dataset, _metrics(0), published)


def _sr(test_set: str, published: float) -> Protocol:
    return Protocol(
        "sr",
        "ConverseSRResNet",
        "converse_srresnet.pth",
        test_set,
        {"type": "BicubicSRDataset", "scale": 4},
        _metrics(4, "_rounded_y"),
        published,
        scale=4,
    )


def _deblurring(network: str, weights: str, test_set: str, psf: int, published: float | None) -> Protocol:
    dataset = {"type": "BlurDataset", "psf": f"kernel_{psf}.npy", "psf_size": 7, "sigma": 2.55}
    return Protocol("deblurring", network, weights, test_set, dataset, _metrics(1), published, psf=psf)


_DEBLURRING = {  # published PSNR for blur kernels 1 to 5
    ("ConverseNet", "bsd100"): (27.69, 24.43, 31.28, 27.64, 27.31),
    ("ConverseNet", "urban100"): (24.24, 21.52, 23.16, 24.56, 22.56),
    ("ConverseNet", "set5"): (None,) * 5,
    ("ConverseUSRNet", "bsd100"): (32.46, 31.20, 38.40, 32.21, 34.62),
    ("ConverseUSRNet", "urban100"): (31.96, 30.59, 37.48, 31.95, 33.99),
    ("ConverseUSRNet", "set5"): (None,) * 5,
}
_DEBLURRING_WEIGHTS = {"ConverseNet": "conversenet.pth", "ConverseUSRNet": "converse_usrnet.pth"}

PROTOCOLS = (
    _denoising("set12", 30.70),
    _denoising("bsd68", 29.36),
    _sr("set5", 32.25),
    _sr("set14", 28.72),
    _sr("bsd100", 27.62),
    _sr("urban100", 26.24),
    *(
        _deblurring(network, _DEBLURRING_WEIGHTS[network], test_set, psf, published)
        for (network, test_set), values in _DEBLURRING.items()
        for psf, published in zip(PSFS, values, strict=True)
    ),
)


def choose(tasks: list[str], sets: list[str] | None) -> list[Protocol]:
    """The protocols of the given tasks and test sets (case-insensitive); empty means all.

    Raises:
        UserError: a task or set is unknown, or no protocol combines them.
    """
    tasks, sets = [task.lower() for task in tasks], [name.lower() for name in sets or []]
    for kind, named, known in (("task", tasks, TASKS), ("set", sets, SETS)):
        for name in named:
            if name not in known:
                raise UserError(f"unknown {kind} {name!r}; must be one of {', '.join(known)}")
    chosen = [
        protocol
        for protocol in PROTOCOLS
        if (not tasks or protocol.task in tasks) and (not sets or protocol.test_set in sets)
    ]
    if not chosen:
        raise UserError(f"{', '.join(tasks)} has no protocol on {', '.join(sets)}")
    return chosen
