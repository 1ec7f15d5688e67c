"""A YOLO model of Ultralytics with Converse2D in its neck: swapped in the built model, or named in its YAML.

pip install ultralytics (its licence is AGPL-3.0); nothing is downloaded
"""

import torch
import ultralytics.nn.tasks as tasks

from converse_basicsr import Converse2D, convert_upsampling

# 1. Swap the two nn.Upsample of a built model. With weights of your own: model = YOLO("best.pt").model
model = tasks.DetectionModel("yolov8n.yaml", verbose=False)
image = torch.rand(1, 3, 64, 64)
before = model.eval()(image)[0]
report = convert_upsampling(model, example=image)
print(report)
change = (model(image)[0] - before).abs().max() / before.abs().max()
print(f"largest relative change of the predictions: {change.item():.1g}")  # they start as nearest upsampling

# 2. Name Converse2D in a model file: [from, number, module, [channels, channels, kernel_size, scale]].
# Ultralytics looks names up in its module `tasks` and does not scale the channels of modules that it does not know.
tasks.Converse2D = Converse2D
config = tasks.yaml_model_load("yolov8n.yaml")
channels = {10: 256, 13: 128}  # of yolov8n at its two upsampling layers
for number, count in channels.items():
    config["head"][number - len(config["backbone"])] = [-1, 1, "Converse2D", [count, count, 2, 2, 2, "replicate"]]
model = tasks.DetectionModel(config, verbose=False)
print({number: type(model.model[number]).__name__ for number in channels})

predictions = model.train()(image.repeat(2, 1, 1, 1))
torch.stack([x.square().mean() for x in torch.utils._pytree.tree_leaves(predictions)]).sum().backward()
print(f"gradient of the psf: {model.model[10].weight.grad.norm().item():.2g}")
