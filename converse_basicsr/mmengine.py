"""Converse2D, ConverseBlock and the networks for mmengine, which builds them by name from a Config.

A type with its scope needs nothing else, since mmengine imports what it names:

    network = dict(type="converse_basicsr.ConverseSRResNet", num_block=4)

The name alone is enough with ``default_scope = "converse_basicsr"``. With ``custom_imports =
dict(imports=["converse_basicsr.mmengine"])`` this module is imported when the Config is read. A program that starts
mmengine's Runner where torchvision's operators cannot load must do so, or import it: the Runner imports torchvision.
"""

from . import networks
from .compat import prepare_torchvision
from .layers import Converse2D, ConverseBlock
from .registry import MODELS

prepare_torchvision()

for module in (Converse2D, ConverseBlock, *(getattr(networks, name) for name in networks.__all__)):
    MODELS.register_module(module=module)
