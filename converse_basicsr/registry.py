"""The registry of our modules in mmengine's MODELS. mmengine imports this module, by its name, for the scope."""

from mmengine.registry import MODELS as ROOT
from mmengine.registry import Registry

MODELS = Registry("model", parent=ROOT, scope="converse_basicsr", locations=["converse_basicsr.mmengine"])
