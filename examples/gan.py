"""A GAN's generator (as in CycleGAN: two transposed convolutions) with Converse2D, and one step of both networks."""

import torch
import torch.nn.functional as F
from torch import nn

from converse_basicsr import convert_upsampling


def stage(layer: nn.Module, channels: int) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(channels), nn.ReLU(inplace=True)]


torch.manual_seed(0)
generator = nn.Sequential(
    *stage(nn.Conv2d(3, 16, 7, padding=3, padding_mode="reflect"), 16),
    *stage(nn.Conv2d(16, 32, 3, stride=2, padding=1), 32),
    *stage(nn.Conv2d(32, 64, 3, stride=2, padding=1), 64),
    *stage(nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1), 32),
    *stage(nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1, output_padding=1), 16),
    nn.Conv2d(16, 3, 7, padding=3, padding_mode="reflect"),
    nn.Tanh(),
)
discriminator = nn.Sequential(
    nn.Conv2d(3, 16, 4, stride=2, padding=1),
    nn.LeakyReLU(0.2),
    nn.Conv2d(16, 1, 4, stride=2, padding=1),
)
print(convert_upsampling(generator, match=nn.ConvTranspose2d))

optimiser_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))  # after the swap
optimiser_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
source, target = torch.rand(2, 3, 32, 32) * 2 - 1, torch.rand(2, 3, 32, 32) * 2 - 1
fake = generator(source)

real_score, fake_score = discriminator(target), discriminator(fake.detach())
loss_d = F.mse_loss(real_score, torch.ones_like(real_score)) + F.mse_loss(fake_score, torch.zeros_like(fake_score))
optimiser_d.zero_grad()
loss_d.backward()
optimiser_d.step()

score = discriminator(fake)
loss_g = F.mse_loss(score, torch.ones_like(score))
optimiser_g.zero_grad()
loss_g.backward()
optimiser_g.step()
print(f"discriminator {loss_d.item():.4f}, generator {loss_g.item():.4f}")
