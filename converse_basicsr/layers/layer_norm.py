"""Layer normalisation of feature maps."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def normalise_channels(x: Tensor, eps: float, zero_mean_gradient: bool = False) -> Tensor:
    """Subtract the mean over channels and divide by the standard deviation, per pixel.

    In float32 at least; twice as fast as permuting to torch's layer_norm and back.

    Args:
        x: (N, C, H, W).
        eps: added to the (biased) variance.
        zero_mean_gradient: the result goes only to what does not see its mean over channels, so that the gradient has
            none either, which need then not be subtracted.
    """
    with torch.autocast(x.device.type, enabled=False):
        if torch.jit.is_tracing():  # torch's own, which a trace can hold and counters of FLOPs know
            return F.layer_norm(x.movedim(1, -1), x.shape[1:2], eps=eps).movedim(-1, 1)
        dtype = torch.promote_types(x.dtype, torch.float32)
        return _Normalise.apply(x.to(dtype), eps, zero_mean_gradient)[0].to(x.dtype)


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
        x = normalise_channels(x, self.eps)
        return torch.addcmul(self.bias.view(1, -1, 1, 1), x, self.weight.view(1, -1, 1, 1))


class _Normalise(torch.autograd.Function):
    """x -> (normalised x, 1 / standard deviation); both are outputs so that the backward is differentiable."""

    @staticmethod
    def forward(ctx, x: Tensor, eps: float, zero_mean_gradient: bool) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.zero_mean_gradient = zero_mean_gradient
        centred = x - x.mean(1, keepdim=True)
        inverse_std = centred.square().mean(1, keepdim=True).add_(eps).rsqrt_()
        normal = centred.mul_(inverse_std)
        ctx.save_for_backward(normal, inverse_std)
        return normal, inverse_std

    @staticmethod
    def backward(ctx, grad: Tensor | None, grad_inverse_std: Tensor | None):
        normal, inverse_std = ctx.saved_tensors
        grad = torch.zeros_like(normal) if grad is None else grad
        along = (grad * normal).mean(1, keepdim=True)
        if grad_inverse_std is not None:
            along = along + grad_inverse_std * inverse_std / normal.shape[1]
        if not ctx.zero_mean_gradient or grad_inverse_std is not None:  # second derivatives come from elsewhere too
            grad = grad - grad.mean(1, keepdim=True)
        return torch.addcmul(grad, normal, along, value=-1).mul_(inverse_std), None, None
