"""Registers the networks, Converse2D and ConverseBlock with BasicSR, which then builds them by name from YAML."""

from . import networks
from .compat import load_basicsr
from .layers import Converse2D, ConverseBlock

load_basicsr()

from basicsr.utils.registry import ARCH_REGISTRY  # noqa: E402 (BasicSR can be imported from here on)

for arch in (Converse2D, ConverseBlock, *(getattr(networks, name) for name in networks.__all__)):
    ARCH_REGISTRY.register(arch)
