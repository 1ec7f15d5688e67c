"""Layer normalisation of feature maps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerNorm2d(nn.Module):
    """Normalise every pixel over its channels (biased variance), then scale and shift per channel.

    Args:
        num_feat: C.
        eps: added to the variance.

    Shape: (N, C, H, W) -> (N, C, H, W).
    """

    def __init__(self, num_feat: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_feat))
        self.bias = nn.Parameter(torch.zeros(num_feat))

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x.movedim(1, -1), self.weight.shape, self.weight, self.bias, self.eps)
        return x.movedim(-1, 1).contiguous()
