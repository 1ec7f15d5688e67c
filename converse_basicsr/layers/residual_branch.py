"""x + gain * branch(x) for the branches of a ConverseBlock: three forms, one result.

- Fused, on a CPU: layer norm and the 1x1 convolution after it are one autograd function, and the last 1x1 convolution
  adds to x itself. A training step of a network is 6 to 14 % faster (docs/speed.md).
- In parts, for large images without gradients: branch_in_parts.py.
- Module by module otherwise: for hooks, replaced modules, other devices, half precision, recorded graphs.
"""

import torch
from torch import Tensor, nn

from ..ops.dispatch import needs_plain_operations
from .branch_in_parts import add_branch_in_parts, has_parts
from .layer_norm import LayerNorm2d, normalise, normalise_gradient
from .pointwise import PointwiseConv2d, multiply_channels

HOOKS = ("forward_pre", "forward", "backward_pre", "backward")


def add_branch(x: Tensor, branch: nn.Sequential, gain: Tensor | None, reuse: bool = False) -> Tensor:
    """x + gain * branch(x).

    Args:
        x: (N, C, H, W).
        branch: LayerNorm2d, PointwiseConv2d, any modules, PointwiseConv2d.
        gain: (1, C, 1, 1), or None for 1.
        reuse: without gradients, the result may take the place of x in memory.
    """
    if _is_ours(x, branch):
        middle = list(branch[2:-1])
        if not torch.is_grad_enabled() and has_parts(x, middle) and not any(map(_is_observed, middle)):
            return add_branch_in_parts(x, branch, gain, reuse)
        if x.device.type == "cpu":
            return _add_fused(x, branch, gain)
    out = branch(x)
    return x + out if gain is None else torch.addcmul(x, out, gain)


def _add_fused(x: Tensor, branch: nn.Sequential, gain: Tensor | None) -> Tensor:
    norm, expand, *middle, project = branch
    out, x, *_ = _NormalisedPointwise.apply(x, norm.weight, norm.bias, expand.weight, expand.bias, norm.eps)
    for module in middle:
        out = module(out)
    return _add_pointwise(x, out, project, gain)


def _is_ours(x: Tensor, branch: nn.Module) -> bool:
    """Whether the branch's norm and 1x1 convolutions may be computed here: modules of ours without hooks."""
    if (
        x.dtype not in (torch.float32, torch.float64)
        or x.dim() != 4
        or needs_plain_operations(x)
        or x.device.type == "meta"
        or torch.is_autocast_enabled(x.device.type)
        or type(branch) is not nn.Sequential
        or len(branch) < 3
    ):
        return False
    norm, expand, project = branch[0], branch[1], branch[-1]
    types = LayerNorm2d, PointwiseConv2d, PointwiseConv2d
    return (
        tuple(map(type, (norm, expand, project))) == types
        and x.shape[1] == norm.weight.shape[0] == expand.in_channels == project.out_channels
        and expand.bias is not None
        and project.bias is not None
        and not any(map(_is_observed, (branch, norm, expand, project)))
        and not any(getattr(nn.modules.module, f"_global_{kind}_hooks") for kind in HOOKS)
    )


def _is_observed(module: nn.Module) -> bool:
    """Whether somebody has attached hooks to the module (as pruning does), or replaced its forward."""
    return "forward" in vars(module) or any(getattr(module, f"_{kind}_hooks") for kind in HOOKS)


def _add_pointwise(x: Tensor, out: Tensor, conv: PointwiseConv2d, gain: Tensor | None) -> Tensor:
    """x + gain * conv(out)."""
    matrix, bias = conv.weight.flatten(1), conv.bias.view(-1, 1)
    if gain is not None:
        matrix, bias = matrix * gain.view(-1, 1), bias * gain.view(-1, 1)
    matrix = matrix.expand(x.shape[0], -1, -1)
    return torch.add(x.flatten(2), bias).baddbmm_(matrix, out.flatten(2)).unflatten(2, x.shape[2:])


class _NormalisedPointwise(torch.autograd.Function):
    """(conv(norm(x)), x, normalised x, 1 / standard deviation); all are outputs so that the backward is differentiable.

    The scale and shift of the norm go into the matrix. The normalised x has no mean over channels, so the rows of the
    matrix may lose theirs; then the gradient has no mean either, and the norm's backward need not subtract it. The
    gradient of the residual path, x, is added in the same pass.
    """

    @staticmethod
    def forward(ctx, x: Tensor, scale: Tensor, shift: Tensor, weight: Tensor, bias: Tensor, eps: float):
        ctx.set_materialize_grads(False)
        normal, inverse_std = normalise(x, eps)
        flat_weight = weight.flatten(1)
        matrix = flat_weight * scale
        matrix = torch.sub(matrix, matrix.sum(1, keepdim=True), alpha=1 / len(scale))
        ctx.save_for_backward(normal, inverse_std, scale, shift, weight, matrix)
        out = normal.new_empty(len(normal), len(matrix), *normal.shape[2:])  # no view: the next module may be in-place
        torch.bmm(matrix.expand(len(normal), -1, -1), normal.flatten(2), out=out.flatten(2))
        out.add_(torch.addmv(bias, flat_weight, shift).view(-1, 1, 1))
        return out, x.view_as(x), normal, inverse_std

    @staticmethod
    def backward(ctx, grad, grad_residual, grad_normal, grad_inverse_std):
        normal, inverse_std, scale, shift, weight, matrix = ctx.saved_tensors
        weight = weight.flatten(1)
        grad_scale = grad_shift = grad_weight = grad_bias = None
        first_order = grad_normal is None and grad_inverse_std is None and not torch.is_grad_enabled()
        if grad is not None:
            if any(ctx.needs_input_grad[1:]):
                flat = grad.flatten(2)
                grad_matrix = torch.bmm(flat, normal.flatten(2).mT).sum(0)
                grad_bias = flat.sum((0, 2))
                grad_weight = torch.addcmul(torch.outer(grad_bias, shift), grad_matrix, scale)[..., None, None]
                grad_scale, grad_shift = (grad_matrix * weight).sum(0), grad_bias @ weight
            through = multiply_channels((matrix if first_order else weight * scale).mT, grad)
            if first_order:
                along = (through * normal).sum(1, keepdim=True)
                through.addcmul_(normal, along, value=-1 / normal.shape[1])
                if grad_residual is None:
                    grad_x = through.mul_(inverse_std)
                else:
                    grad_x = torch.addcmul(grad_residual, through, inverse_std)
                return grad_x, grad_scale, grad_shift, grad_weight, grad_bias, None
            grad_normal = through if grad_normal is None else through + grad_normal
        grad_x = normalise_gradient(normal, inverse_std, grad_normal, grad_inverse_std)
        grad_x = grad_x if grad_residual is None else grad_x + grad_residual
        return grad_x, grad_scale, grad_shift, grad_weight, grad_bias, None
