"""The prior step of the unrolled networks."""

from collections.abc import Iterable

from torch import Tensor, nn

from ..layers import ConverseBlock


class Denoiser(nn.Module):
    """Blocks in sequence, (N, C, H, W) -> (N, C, H, W); gives the published parameter names ``p.m_body``."""

    def __init__(self, blocks: Iterable[ConverseBlock]):
        super().__init__()
        self.m_body = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.m_body(x)
