"""Computes the MLP of a block: fused in inference, and in pieces where activations are recomputed."""

from __future__ import annotations

import math
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
    if first.bias is not None and second.bias is not None and module.act.approximate == 'none':
        if not torch.is_grad_enabled() and suits_onednn(x, first.weight):
            output: Tensor = module.drop(second(product(x, first.weight, first.bias, 'gelu')))
            return output
        if torch.is_grad_enabled() and is_recomputed():
            recomputed: Tensor = module.drop(recomputed_mlp(x, first.weight, first.bias, second.weight, second.bias))
            return recomputed
    return type(module).forward(module, x)


def recomputed_mlp(x: Tensor, *parameters: Tensor) -> Tensor:
    """Computes an MLP ``(..., in) -> (..., out)`` that keeps only ``x``, or the source of ``x``, for the backward pass.

    For the end of a region whose activations are recomputed: the recomputation stops before the first of the two
    products, since nothing that follows stores anything. On a CPU the hidden layer exists in pieces only.
    """
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, *parameters = (tensor.to(dtype) for tensor in (x, *parameters))  # type: ignore[assignment]
    with torch.autocast(x.device.type, enabled=False):
        again, sources = recipe_of(x)
        stored = _Stored.apply(x, *parameters[:3], *sources)  # type: ignore[no-untyped-call]
        output: Tensor = _RecomputedMlp.apply(stored, *parameters, again)  # type: ignore[no-untyped-call]
        return output


def _pieces(hidden_dims: int, *tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """Views of some rows each, so that their part of the hidden layer has the size of a piece."""
    x = tensors[0]
    hidden_bytes = x.numel() // x.shape[-1] * hidden_dims * x.element_size()
    count = max(1, math.ceil(hidden_bytes / PIECE_BYTES)) if x.device.type == 'cpu' else 1
    return list(zip(*(tensor.flatten(0, -2).tensor_split(count) for tensor in tensors)))  # (B, N, D) -> (rows, D)


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
    """Computes an MLP of what :class:`_Stored` passed on."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters_and_recipe: Any) -> Tensor:
        weight, bias, out_weight, out_bias, ctx.again = parameters_and_recipe
        ctx.store = x.grad_fn
        if len(_pieces(len(weight), x)) == 1:
            return product(product(x, weight, bias, 'gelu'), out_weight, out_bias)
        out = x.new_empty((*x.shape[:-1], len(out_weight)))
        for part, rows in _pieces(len(weight), x, out):
            rows.copy_(product(product(part, weight, bias, 'gelu'), out_weight, out_bias))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, bias, out_weight, *sources = ctx.store.saved_tensors
        x = ctx.again(*sources)
        needs_x, needs_weight, needs_bias, needs_out_weight, needs_out_bias, _ = ctx.needs_input_grad
        grad_x = torch.empty_like(x)
        needed = needs_weight, needs_bias, needs_out_weight
        sums = [  # frozen weights, such as those beside LoRA, take no memory
            torch.zeros_like(tensor) if is_needed else tensor.new_empty(0)
            for tensor, is_needed in zip((weight, bias, out_weight), needed)
        ]
        for part, rows, grad_part in _pieces(len(weight), x, grad, grad_x):
            inner = product(part, weight, bias)
            if needs_out_weight:
                sums[2].addmm_(rows.t(), F.gelu(inner))
            grad_inner = product(rows, out_weight.t())
            torch.ops.aten.gelu_backward.grad_input(grad_inner, inner, grad_input=grad_inner)  # in its own place
            if needs_weight:
                sums[0].addmm_(grad_inner.t(), part)
            if needs_bias:
                sums[1].add_(grad_inner.sum(dim=0))
            if needs_x:
                grad_part.copy_(product(grad_inner, weight.t()))
        gradients = grad_x, *sums, grad.flatten(0, -2).sum(dim=0) if needs_out_bias else None
        return *(value if needed else None for value, needed in zip(gradients, ctx.needs_input_grad)), None
