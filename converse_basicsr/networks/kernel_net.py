"""What the data steps make of a blur kernel: its embedding, and how that starts."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class KernelNet(nn.Module):
    """Embed a blur kernel: (N, 1, k, k) -> (N, num_embed, k, k)."""

    def __init__(self, psf_size: int, num_embed: int, num_hidden: int = 64):
        super().__init__()
        self.psf_size = psf_size
        self.num_embed = num_embed
        self.fc1 = nn.Linear(psf_size**2, num_hidden)
        self.fc2 = nn.Linear(num_hidden, num_hidden)
        self.fc3 = nn.Linear(num_hidden, num_embed * psf_size**2)

    def forward(self, kernel: Tensor) -> Tensor:
        embedding = F.gelu(self.fc2(F.gelu(self.fc1(kernel.flatten(1)))))
        return self.fc3(embedding).reshape(kernel.shape[0], self.num_embed, self.psf_size, self.psf_size)


def delta(kernel: Tensor) -> Tensor:
    """The kernel of no blur, in the shape of a blur kernel: 1 in the centre, else 0."""
    size = kernel.shape[-1]
    before, after = size // 2, (size - 1) // 2
    return F.pad(torch.ones_like(kernel[..., :1, :1]), (before, after, before, after))


@torch.no_grad()
def start_at_delta(kernelnet: KernelNet, convs: nn.ModuleList) -> None:
    """Initialise the embedding so that every data step gets a kernel near the delta, for any blur kernel."""
    size = kernelnet.psf_size
    kernelnet.fc3.weight.mul_(0.1)
    kernelnet.fc3.bias.copy_(delta(torch.zeros(kernelnet.num_embed, size, size)).flatten())
    for conv in convs:
        conv.weight.mul_(0.2).add_(1 / kernelnet.num_embed)
        conv.bias.zero_()
