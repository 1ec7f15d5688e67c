"""A published U-Net with its four upsamplers swapped for Converse2D, and three training steps.

pip install monai
"""

import torch
import torch.nn.functional as F
from monai.networks.nets import BasicUNet

from converse_basicsr import convert_upsampling

torch.manual_seed(0)
model = BasicUNet(spatial_dims=2, in_channels=1, out_channels=2, features=(16, 16, 32, 64, 128, 16))
report = convert_upsampling(model)  # in place: four ConvTranspose2d
print(report)

optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)  # after the swap: the new layers have parameters
image = torch.rand(2, 1, 64, 64)
label = (image[:, 0] > 0.5).long()
for step in range(3):
    loss = F.cross_entropy(model(image), label)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    print(f"step {step}: loss {loss.item():.4f}")
