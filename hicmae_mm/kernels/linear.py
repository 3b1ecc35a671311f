"""Products by oneDNN, and inputs of linear layers that are made again for the backward pass instead of stored."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.weak import WeakTensorKeyDictionary

from hicmae_mm.models.layers import Attention, DropPath
from hicmae_mm.models.layers.patchify import patchify, token_grid

# oneDNN's single-precision products, bias and GELU included, beat MKL's on AMD and equal them on Intel
HAS_ONEDNN = (
    platform.machine() in ('x86_64', 'AMD64')
    and torch.backends.mkldnn.is_available()
    and hasattr(torch.ops.mkldnn, '_linear_pointwise')
)
# below this, preparing the weight for oneDNN takes longer than the faster product saves
MIN_ROWS, MIN_MACS = 256, 2**26
# of a tensor: its version, those of its sources, a function that makes it of them, and the sources
_recipes = WeakTensorKeyDictionary()


def is_large(x: Tensor) -> bool:
    """Tells whether ``x`` has enough rows for oneDNN, in float32 on a CPU on which oneDNN is fast."""
    is_float32 = x.dtype == torch.float32 and not torch.is_autocast_enabled('cpu')
    return HAS_ONEDNN and x.device.type == 'cpu' and is_float32 and x.numel() >= MIN_ROWS * x.shape[-1]


def suits_onednn(x: Tensor, weight: Tensor) -> bool:
    """Tells whether ``x @ weight.T`` is faster in oneDNN."""
    return is_large(x) and weight.dtype == torch.float32 and x.numel() * weight.shape[0] >= MIN_MACS


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: str = 'none') -> Tensor:
    """Computes ``activation(x @ weight.T + bias)`` outside of autograd."""
    if suits_onednn(x, weight):
        # the algorithm "none" of GELU is the exact one, by the error function
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], 'none')
        return out
    out = F.linear(x, weight, bias)
    return F.gelu(out) if activation == 'gelu' else out


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Computes ``F.linear`` by the fastest product, and stores what ``x`` is made of if that is known."""
    if not torch.is_grad_enabled():
        return product(x, weight, bias)
    # a product with a frozen weight needs its input no more
    again, sources = recipe_of(x) if weight.requires_grad else (Tensor.detach, ())
    if again is Tensor.detach and not suits_onednn(x, weight):
        return F.linear(x, weight, bias)
    if torch.is_autocast_enabled(x.device.type):
        if x.dtype != torch.get_autocast_dtype(x.device.type):
            return F.linear(x, weight, bias)  # casts its input first
        weight, bias = weight.to(x.dtype), None if bias is None else bias.to(x.dtype)
    output: Tensor = _Linear.apply(x, weight, bias, again, *sources)  # type: ignore[no-untyped-call]
    return output


def remember(out: Tensor, function: Callable[..., Tensor], *sources: Tensor) -> Tensor:
    """Notes that ``out`` is ``function(*sources)``, for a linear layer to store the sources in its place.

    That pays where something else keeps the sources anyway. A change of any of them in place makes the note void.
    """
    if torch.is_grad_enabled():
        versions = [tensor._version for tensor in (out, *sources)]
        _recipes[out] = (versions, function, tuple(source.detach() for source in sources))
    return out


def recipe_of(x: Tensor) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """Returns how to compute ``x`` again and from what; without a valid note, ``x`` itself."""
    versions, function, sources = _recipes.get(x, ([], None, ()))
    if function is None or versions != [tensor._version for tensor in (x, *sources)]:
        return Tensor.detach, (x.detach(),)
    return function, sources


class _Linear(torch.autograd.Function):
    """Computes a linear layer by :func:`product`, forward and for the gradient of its input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, again: Any, *sources: Tensor) -> Tensor:
        ctx.again = again
        ctx.save_for_backward(weight, *sources)
        return product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, *sources = ctx.saved_tensors
        needs_x, needs_weight, needs_bias, *others = ctx.needs_input_grad
        rows = grad.flatten(0, -2)  # (B, N, out) -> (B * N, out)
        grad_weight = rows.t() @ ctx.again(*sources).flatten(0, -2) if needs_weight else None
        grad_bias = rows.sum(dim=0) if needs_bias else None
        return product(grad, weight.t()) if needs_x else None, grad_weight, grad_bias, *[None] * len(others)


class _Scaled(torch.autograd.Function):
    """Computes a product with factors that need no gradient, and that autograd does not count among what it stores."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factors: Tensor) -> Tensor:
        ctx.factors = factors
        return x * factors

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.factors, None


def linear_layer(layer: nn.Linear, x: Tensor) -> Tensor:
    """Computes ``nn.Linear`` by :func:`linear`."""
    return linear(x, layer.weight, layer.bias)


def layer_norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """Computes ``nn.LayerNorm``. A linear layer need not store the result, which is a sixth of what a block stores."""
    out = type(norm).forward(norm, x)
    if not out.requires_grad or not is_large(x) or norm.bias is None:
        return out
    shape, eps = norm.normalized_shape, norm.eps
    return remember(out, lambda x, w, b: F.layer_norm(x, shape, w, b, eps), x, norm.weight, norm.bias)


def gelu(act: nn.GELU, x: Tensor) -> Tensor:
    """Computes ``nn.GELU``.

    A linear layer need not store the result, a quarter of what a block stores, on any device.
    """
    out = F.gelu(x, approximate=act.approximate)
    return remember(out, partial(F.gelu, approximate=act.approximate), x) if out.requires_grad else out


def dropout(module: nn.Dropout, x: Tensor) -> Tensor:
    """Computes ``nn.Dropout`` with the same random numbers, and stores a byte for an element in place of four.

    A linear layer need not store the result, either: it is made again of the mask and of what ``x`` is made of.
    """
    if not module.training or not 0 < module.p < 1 or module.inplace or not torch.is_grad_enabled():
        return type(module).forward(module, x)
    again, sources = recipe_of(x)
    scale = 1 / (1 - module.p)
    out, mask = _Dropped.apply(x, module.p, scale)  # type: ignore[no-untyped-call]
    return remember(out, lambda mask, *sources: (again(*sources) * mask).mul_(scale), mask, *sources)


class _Dropped(torch.autograd.Function):
    """Sets random elements to 0 and scales the others; also returns which ones it keeps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float, scale: float) -> tuple[Tensor, Tensor]:
        if x.device.type == 'cpu':
            mask = torch.empty_like(x, dtype=torch.bool).bernoulli_(1 - p)
            out = (x * mask).mul_(scale)
        else:
            out, mask = torch.native_dropout(x, p, True)
        ctx.scale = scale
        ctx.mark_non_differentiable(mask)
        ctx.save_for_backward(mask)
        return out, mask

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return (grad * mask).mul_(ctx.scale), None, None


def convolution(conv: nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
    """Computes a convolution of patches without overlap as one product. The backward pass cuts the patches again."""
    settings = (conv.stride, set(conv.padding), set(conv.dilation), conv.groups, x.ndim)
    if settings != (conv.kernel_size, {0}, {1}, 1, conv.weight.ndim):
        return type(conv).forward(conv, x)  # type: ignore[arg-type]
    cut = partial(patchify, patch=conv.kernel_size)
    patches = cut(x)  # (B, N, C*P1*...)
    tokens = linear(remember(patches, cut, x) if is_large(patches) else patches, conv.weight.flatten(1), conv.bias)
    grid = token_grid(x.shape[2:], conv.kernel_size)
    output: Tensor = tokens.transpose(1, 2).unflatten(2, grid)  # a view (B, D, *grid)
    return output


def attention_heads(attention: Attention, parts: str, x: Tensor) -> tuple[Tensor, ...]:
    """Computes :meth:`Attention.heads` with the bias inside of the product."""
    layer = getattr(attention, parts)
    if layer.bias is not None:
        return type(attention).heads(attention, parts, x)
    return attention.split(linear(x, layer.weight, attention.bias(parts)), parts)


def drop_path(module: DropPath, x: Tensor) -> Tensor:
    """:class:`DropPath` that stores nothing, so that a recomputed block does not compute its last product again."""
    if not module.training or module.drop_prob == 0:
        return x
    output: Tensor = _Scaled.apply(x, module.factors(x))  # type: ignore[no-untyped-call]
    return output
