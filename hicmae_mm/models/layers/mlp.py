"""The MLP of a block, with as little stored and computed again as each case allows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from hicmae_mm.models.layers.linear import (
    Linear,
    gelu_gradient_,
    gelu_linear,
    is_traced,
    product,
    recipe_of,
    suits_onednn,
)
from hicmae_mm.models.layers.recompute import is_recomputed

PIECE_BYTES = 2**23  # of the hidden layer, which a CPU computes in pieces where activations are recomputed


class Mlp(nn.Module):
    """Two linear layers with GELU between.

    Args:
        embed_dims: Width D of input and output.
        hidden_dims: Width between.
        drop: Probability of dropping an element of the output.
    """

    def __init__(self, embed_dims: int, hidden_dims: int, drop: float = 0.0) -> None:
        super().__init__()
        self.fc1 = Linear(embed_dims, hidden_dims)
        self.fc2 = Linear(hidden_dims, embed_dims)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D) -> (..., D)``."""
        return self.drop(self._transform(x))

    def _transform(self, x: Tensor) -> Tensor:
        if type(self.fc1) is not Linear or type(self.fc2) is not Linear:  # replaced, e.g. by layers with adapters
            return self.fc2(F.gelu(self.fc1(x)))
        first, second = (self.fc1.weight, self.fc1.bias), (self.fc2.weight, self.fc2.bias)
        if not torch.is_grad_enabled() and suits_onednn(x, self.fc1.weight):
            return self.fc2(product(x, *first, 'gelu'))
        if torch.is_grad_enabled() and not is_traced() and is_recomputed():
            return recomputed_mlp(x, *first, *second)
        return gelu_linear(self.fc1(x), *second)


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
            grad_inner = gelu_gradient_(product(rows, out_weight.t(), None), inner)
            if needed[0]:
                sums[0].addmm_(grad_inner.t(), part)
            if needed[1]:
                sums[1].add_(grad_inner.sum(dim=0))
            if needs_x:
                grad_part.copy_(product(grad_inner, weight.t(), None))
        parameters = [total if wanted else None for total, wanted in zip(sums, needed)]
        out_bias = grad.flatten(0, -2).sum(dim=0) if needed[3] else None
        return grad_x if needs_x else None, *parameters, out_bias, None
