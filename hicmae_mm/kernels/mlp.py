"""The MLP of a block: fused in inference, and computed in pieces where activations are recomputed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from hicmae_mm.kernels.linear import product, recipe_of, suits_onednn
from hicmae_mm.models.layers import Mlp, is_recomputed

PIECE_BYTES = 2**23  # of the hidden layer, which a CPU computes in pieces


def mlp(module: Mlp, x: Tensor) -> Tensor:
    """:class:`Mlp` with GELU inside of the first product, or with as little to recompute as possible."""
    first, second = module.fc1, module.fc2
    if first.bias is None or second.bias is None or module.act.approximate != 'none':
        return type(module).forward(module, x)
    if not torch.is_grad_enabled() and suits_onednn(x, first.weight):
        return module.drop(second(product(x, first.weight, first.bias, 'gelu')))
    if torch.is_grad_enabled() and is_recomputed():
        return module.drop(recomputed_mlp(x, first.weight, first.bias, second.weight, second.bias))
    return type(module).forward(module, x)


def recomputed_mlp(x: Tensor, *parameters: Tensor) -> Tensor:
    """Linear layer, GELU and linear layer that store ``x`` alone, or what ``x`` is made of, for the backward pass.

    For the end of a region whose activations are recomputed: the recomputation stops before the first of the two
    products, since nothing that follows stores anything. On a CPU the hidden layer exists in pieces only.

    Args:
        x: ``(..., in)``.
        parameters: weight and bias of both layers, ``(hidden, in)``, ``(hidden,)``, ``(out, hidden)``, ``(out,)``.

    Returns:
        ``(..., out)``.
    """
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, *parameters = (tensor.to(dtype) for tensor in (x, *parameters))  # type: ignore[assignment]
    with torch.autocast(x.device.type, enabled=False):
        again, sources = recipe_of(x)
        return _RecomputedMlp.apply(_Stored.apply(x, *parameters[:3], *sources), *parameters, again)


def _pieces(x: Tensor, hidden_dims: int) -> int:
    if x.device.type != 'cpu':
        return 1
    return max(1, math.ceil(x.numel() // x.shape[-1] * hidden_dims * x.element_size() / PIECE_BYTES))


class _Stored(torch.autograd.Function):
    """Passes ``x`` on and stores tensors for the operation after it.

    A function of autograd stores what it needs when its result is there. This one does it for the next before that
    has computed anything, and there a recomputation stops.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        return x.view_as(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return grad, *[None] * (len(ctx.needs_input_grad) - 1)


class _RecomputedMlp(torch.autograd.Function):
    """An MLP of what :class:`_Stored` passed on."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        out_weight: Tensor,
        out_bias: Tensor,
        again: Callable[..., Tensor],
    ) -> Tensor:
        ctx.store, ctx.again = x.grad_fn, again
        pieces = _pieces(x, len(weight))
        if pieces == 1:
            return product(product(x, weight, bias, 'gelu'), out_weight, out_bias)
        out = x.new_empty((*x.shape[:-1], len(out_weight)))
        for part, rows in zip(*(tensor.flatten(0, -2).tensor_split(pieces) for tensor in (x, out))):
            rows.copy_(product(product(part, weight, bias, 'gelu'), out_weight, out_bias))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, bias, out_weight, *sources = ctx.store.saved_tensors
        x = ctx.again(*sources)
        pieces = _pieces(x, len(weight))
        needs_x, *needed = ctx.needs_input_grad[:5]
        grad_x = torch.empty_like(x)
        sums = [torch.zeros_like(tensor) for tensor in (weight, bias, out_weight)]
        for part, rows, grad_part in zip(*(t.flatten(0, -2).tensor_split(pieces) for t in (x, grad, grad_x))):
            inner = product(part, weight, bias)
            if needed[2]:
                sums[2].addmm_(rows.t(), F.gelu(inner))
            if not (needs_x or needed[0] or needed[1]):
                continue
            grad_inner = product(rows, out_weight.t())
            torch.ops.aten.gelu_backward.grad_input(grad_inner, inner, grad_input=grad_inner)  # in its own place
            if needed[0]:
                sums[0].addmm_(grad_inner.t(), part)
            if needed[1]:
                sums[1].add_(grad_inner.sum(dim=0))
            if needs_x:
                grad_part.copy_(product(grad_inner, weight.t()))
        parameters = [total if wanted else None for total, wanted in zip(sums, needed)]
        out_bias = grad.flatten(0, -2).sum(dim=0) if needed[3] else None
        return grad_x if needs_x else None, *parameters, out_bias, None
