"""Layer normalisation of feature maps."""

import torch
from torch import Tensor, nn

from ..arguments import check_count
from ..ops.dispatch import needs_plain_operations, without_autocast


class LayerNorm2d(nn.Module):
    """Normalise every pixel over its channels (biased variance), then scale and shift per channel.

    Computed in float32 at least. Twice as fast as permuting to torch's layer_norm and back.

    Args:
        num_feat: C.
        eps: added to the variance.

    Shape: (N, C, H, W) -> (N, C, H, W).
    """

    def __init__(self, num_feat: int, eps: float = 1e-5):
        super().__init__()
        check_count("num_feat", num_feat)
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_feat))
        self.bias = nn.Parameter(torch.zeros(num_feat))

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4 or x.shape[1] != self.weight.shape[0]:
            raise ValueError(f"x must be (N, {self.weight.shape[0]}, H, W), got {tuple(x.shape)}")
        x = normalise_channels(x, self.eps)
        return torch.addcmul(self.bias.view(1, -1, 1, 1), x, self.weight.view(1, -1, 1, 1))


def normalise_channels(x: Tensor, eps: float) -> Tensor:
    """Subtract the mean over channels and divide by the standard deviation, per pixel.

    Args:
        x: (N, C, H, W).
        eps: added to the (biased) variance.
    """
    with without_autocast(x):
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        if needs_plain_operations(x):
            centred = wide - wide.mean(1, keepdim=True)
            normal = centred * (centred.square().mean(1, keepdim=True) + eps).rsqrt()
        else:
            normal = _Normalise.apply(wide, eps)[0]
        return normal.to(x.dtype)


class _Normalise(torch.autograd.Function):
    """x -> (normalised x, 1 / standard deviation); both are outputs so that the backward is differentiable."""

    @staticmethod
    def forward(ctx, x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        results = normalise(x, eps)
        ctx.save_for_backward(*results)
        return results

    @staticmethod
    def backward(ctx, grad: Tensor | None, grad_inverse_std: Tensor | None):
        return normalise_gradient(*ctx.saved_tensors, grad, grad_inverse_std), None


def normalise(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Normalised x, and 1 / standard deviation (N, 1, H, W)."""
    centred = torch.sub(x, x.sum(1, keepdim=True), alpha=1 / x.shape[1])
    inverse_std = centred.square().mean(1, keepdim=True).add_(eps).rsqrt_()
    return centred.mul_(inverse_std), inverse_std


def normalise_gradient(
    normal: Tensor, inverse_std: Tensor, grad: Tensor | None, grad_inverse_std: Tensor | None
) -> Tensor:
    """grad_x from the gradients of both results of `normalise`."""
    grad = torch.zeros_like(normal) if grad is None else grad
    along = (grad * normal).mean(1, keepdim=True)
    if grad_inverse_std is not None:
        along = along + grad_inverse_std * inverse_std / normal.shape[1]
    grad = grad - grad.mean(1, keepdim=True)
    return torch.addcmul(grad, normal, along, value=-1) * inverse_std
