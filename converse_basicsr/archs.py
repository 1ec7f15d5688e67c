"""Registers what an option file can name as a network: ours, classical methods, and what spandrel knows."""

from . import networks
from .compat import load_basicsr
from .layers import Converse2D, ConverseBlock

load_basicsr()

from basicsr.utils.registry import ARCH_REGISTRY  # noqa: E402 (BasicSR can be imported from here on)

from . import classical  # noqa: E402
from .weights.spandrel_arch import Spandrel  # noqa: E402

for arch in (
    Converse2D,
    ConverseBlock,
    *(getattr(networks, name) for name in networks.__all__),
    *(getattr(classical, name) for name in classical.METHODS),
    Spandrel,
):
    ARCH_REGISTRY.register(arch)
