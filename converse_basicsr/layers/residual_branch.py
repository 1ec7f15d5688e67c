"""x + gain * branch(x) for the branches of a ConverseBlock: four forms, one result.

- Fused, on a CPU: layer norm and the 1x1 convolution after it are one autograd function, and the last 1x1 convolution
  adds to x itself. A training step of a network is 6 to 14 % faster (docs/speed.md).
- In parts, for large images without gradients: branch_in_parts.py.
- Computed again in the backward, with use_checkpoint: branch_checkpointed.py.
- Module by module otherwise: for hooks, replaced modules, other devices, half precision, recorded graphs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..ops.dispatch import needs_plain_operations, without_autocast
from ..ops.filtering import REBUILT_BYTES
from .activation import gelu_gradient
from .branch_checkpointed import add_branch_checkpointed, again, count_groups
from .branch_in_parts import add_branch_in_parts, has_parts, is_large
from .folding import fold_gain
from .hooks import has_global_hooks, is_observed
from .layer_norm import LayerNorm2d, normalise, normalise_gradient
from .pointwise import PointwiseConv2d, multiply_channels


def add_branch(
    x: Tensor, branch: nn.Sequential, gain: Tensor | None, reuse: bool = False, use_checkpoint: bool = False
) -> Tensor:
    """x + gain * branch(x).

    Args:
        x: (N, C, H, W).
        branch: LayerNorm2d, PointwiseConv2d, one or more modules, PointwiseConv2d; or any modules.
        gain: (1, C, 1, 1), or None for 1.
        reuse: without gradients, the result may take the place of x in memory.
        use_checkpoint: the backward computes the branch again instead of keeping its features.
    """
    ours = _is_ours(x, branch)
    middle = list(branch)[2:-1] if ours else []  # a slice of a Sequential would be a module, and slow
    in_parts = ours and has_parts(middle) and not any(map(is_observed, middle))
    if use_checkpoint:
        if in_parts and count_groups(x) > 1:
            return add_branch_checkpointed(x, branch, gain)
        return again(add_branch, x, branch, gain)
    if in_parts and is_large(x) and not torch.is_grad_enabled():
        return add_branch_in_parts(x, branch, gain, reuse)
    if ours and x.device.type == "cpu":
        return _add_fused(x, branch, gain)
    out = branch(x)
    return x + out if gain is None else torch.addcmul(x, out, gain)


def _add_fused(x: Tensor, branch: nn.Sequential, gain: Tensor | None) -> Tensor:
    norm, expand, *middle, project = branch
    parameters = norm.weight, norm.bias, expand.weight, expand.bias
    out, x, normal, _ = _NormalisedPointwise.apply(x, *parameters, norm.eps)
    if _may_recompute(middle[0]) and len(middle) > 1 and out.nbytes >= REBUILT_BYTES:
        out = _RebuiltGELU.apply(out, middle[0].approximate, normal, *parameters)
        middle = middle[1:]
    recompute = _may_recompute(middle[-1])
    for module in middle[:-1] if recompute else middle:
        out = module(out)
    matrix, bias = fold_gain(project, gain)
    x = torch.add(x.flatten(2), bias)
    if recompute:
        added = _AddActivated.apply(x, out.flatten(2), matrix, middle[-1].approximate)
    else:
        added = x.baddbmm_(matrix.expand(len(x), -1, -1), out.flatten(2))
    return added.unflatten(2, out.shape[2:])


def _is_ours(x: Tensor, branch: nn.Module) -> bool:
    """Whether the branch's norm and 1x1 convolutions may be computed here: modules of ours without hooks."""
    if (
        x.dtype not in (torch.float32, torch.float64)
        or x.dim() != 4
        or needs_plain_operations(x)
        or x.device.type == "meta"
        or torch.is_autocast_enabled(x.device.type)
        or type(branch) is not nn.Sequential
        or len(branch) < 4
    ):
        return False
    norm, expand, project = branch[0], branch[1], branch[-1]
    types = LayerNorm2d, PointwiseConv2d, PointwiseConv2d
    return (
        tuple(map(type, (norm, expand, project))) == types
        and x.shape[1] == norm.weight.shape[0] == expand.in_channels == project.out_channels
        and expand.bias is not None
        and project.bias is not None
        and not any(map(is_observed, (branch, norm, expand, project)))
        and not has_global_hooks()
    )


class _AddActivated(torch.autograd.Function):
    """x + matrix @ GELU(y), in place of x; the activations are computed again in the backward instead of saved.

    x: (N, C, pixels), y: (N, C', pixels), matrix: (C, C').
    """

    @staticmethod
    def forward(ctx, x: Tensor, y: Tensor, matrix: Tensor, approximate: str) -> Tensor:
        ctx.approximate = approximate
        ctx.save_for_backward(y, matrix)
        ctx.mark_dirty(x)
        return x.baddbmm_(matrix.expand(len(x), -1, -1), F.gelu(y, approximate=approximate))

    @staticmethod
    def backward(ctx, grad: Tensor):
        y, matrix = ctx.saved_tensors
        grad_y = grad_matrix = None
        if ctx.needs_input_grad[2]:
            grad_matrix = torch.bmm(grad, F.gelu(y, approximate=ctx.approximate).mT).sum(0)
        if ctx.needs_input_grad[1]:
            grad_y = torch.bmm(matrix.mT.expand(len(grad), -1, -1), grad)
            grad_y = gelu_gradient(grad_y, y, ctx.approximate, out=grad_y)
        return grad, grad_y, grad_matrix, None


def _may_recompute(module: nn.Module) -> bool:
    return torch.is_grad_enabled() and type(module) is nn.GELU and not is_observed(module)


class _RebuiltGELU(torch.autograd.Function):
    """GELU of x = _expand(*sources)[0]; the backward computes x again instead of keeping it."""

    @staticmethod
    def forward(ctx, x: Tensor, approximate: str, *sources: Tensor) -> Tensor:
        ctx.approximate = approximate
        ctx.save_for_backward(*sources)
        return F.gelu(x, approximate=approximate)

    @staticmethod
    def backward(ctx, grad: Tensor):
        with without_autocast(grad):
            x, _ = _expand(*ctx.saved_tensors)
        return gelu_gradient(grad, x, ctx.approximate, out=x), *[None] * 6


def _expand(normal: Tensor, scale: Tensor, shift: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The 1x1 convolution of scale * normal + shift, and its matrix: of rows without a mean, as normal has none."""
    weight = weight.flatten(1)
    matrix = weight * scale
    matrix = torch.sub(matrix, matrix.sum(1, keepdim=True), alpha=1 / len(scale))
    bias = torch.addmv(bias, weight, shift).view(-1, 1, 1)
    if torch.is_grad_enabled():
        return multiply_channels(matrix, normal) + bias, matrix
    out = normal.new_empty(len(normal), len(matrix), *normal.shape[2:])  # no view: the next module may be in-place
    torch.bmm(matrix.expand(len(normal), -1, -1), normal.flatten(2), out=out.flatten(2))
    return out.add_(bias), matrix


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
        out, matrix = _expand(normal, scale, shift, weight, bias)
        ctx.save_for_backward(normal, inverse_std, scale, shift, weight, matrix)
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
