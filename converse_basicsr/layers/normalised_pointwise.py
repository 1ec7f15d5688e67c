"""Layer norm and the 1x1 convolution after it, as one: how a residual branch begins."""

import torch
from torch import Tensor

from .inlining import has_cpu_form, is_plain
from .layer_norm import LayerNorm2d, normalise, normalise_channels, normalise_gradient
from .pointwise import PointwiseConv2d, multiply_channels, pointwise


def normalised_pointwise(x: Tensor, norm: LayerNorm2d, conv: PointwiseConv2d) -> tuple[Tensor, Tensor]:
    """conv(norm(x)), and x itself, for the branch to be added to.

    Scale and shift of the norm are taken into the matrix: two passes over x less. On a CPU it is one step of autograd,
    in which the gradients of the branch and of x meet.
    """
    if not is_plain(norm, conv):
        return conv(norm(x)), x
    if has_cpu_form(x):
        return _NormalisedPointwise.apply(x, norm.weight, norm.bias, conv.weight, conv.bias, norm.eps)[:2]
    weight = conv.weight * norm.weight.view(1, -1, 1, 1)
    bias = conv.bias + conv.weight.flatten(1) @ norm.bias
    return pointwise(normalise_channels(x, norm.eps), weight, bias), x


class _NormalisedPointwise(torch.autograd.Function):
    """Its outputs: the convolution's, x, normalised x and 1 / standard deviation, the last two since the backward is
    to be differentiable.

    What is normalised has no mean over channels. With that of its rows taken out, the matrix gives a gradient without a
    mean too, and the norm's backward need not subtract it.
    """

    @staticmethod
    def forward(ctx, x: Tensor, scale: Tensor, shift: Tensor, weight: Tensor, bias: Tensor, eps: float):
        ctx.set_materialize_grads(False)
        normal, inverse_std = normalise(x, eps)
        flat_weight = weight.flatten(1)
        matrix = flat_weight * scale
        matrix = torch.sub(matrix, matrix.sum(1, keepdim=True), alpha=1 / len(scale))
        ctx.save_for_backward(normal, inverse_std, scale, shift, weight, matrix)
        out = multiply_channels(matrix, normal).add_(torch.addmv(bias, flat_weight, shift).view(-1, 1, 1))
        return out, x.view_as(x), normal, inverse_std

    @staticmethod
    def backward(ctx, grad, grad_x, grad_normal, grad_inverse_std):
        normal, inverse_std, scale, shift, weight, matrix = ctx.saved_tensors
        weight = weight.flatten(1)
        to_scale = to_shift = to_weight = to_bias = None
        first_order = grad_normal is None and grad_inverse_std is None and not torch.is_grad_enabled()
        if grad is not None:
            if any(ctx.needs_input_grad[1:]):
                flat = grad.flatten(2)
                to_matrix = torch.bmm(flat, normal.flatten(2).mT).sum(0)
                to_bias = flat.sum((0, 2))
                to_weight = torch.addcmul(torch.outer(to_bias, shift), to_matrix, scale)[..., None, None]
                to_scale, to_shift = (to_matrix * weight).sum(0), to_bias @ weight
            through = multiply_channels((matrix if first_order else weight * scale).mT, grad)
            if first_order:
                along = (through * normal).sum(1, keepdim=True)
                through.addcmul_(normal, along, value=-1 / normal.shape[1])
                to_x = through.mul_(inverse_std) if grad_x is None else torch.addcmul(grad_x, through, inverse_std)
                return to_x, to_scale, to_shift, to_weight, to_bias, None
            grad_normal = through if grad_normal is None else through + grad_normal
        to_x = normalise_gradient(normal, inverse_std, grad_normal, grad_inverse_std)
        return to_x if grad_x is None else to_x + grad_x, to_scale, to_shift, to_weight, to_bias, None
