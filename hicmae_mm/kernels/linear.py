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

from hicmae_mm.models.layers import Attention
from hicmae_mm.models.layers.blocks import DropPath
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


def suits_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether ``x @ weight.T`` is quicker in oneDNN."""
    return _is_large(x) and weight.dtype == torch.float32 and x.numel() * weight.shape[0] >= MIN_MACS


def _is_large(x: Tensor) -> bool:
    return (
        HAS_ONEDNN
        and x.device.type == 'cpu'
        and x.dtype == torch.float32
        and x.numel() >= MIN_ROWS * x.shape[-1]
        and not torch.is_autocast_enabled('cpu')
    )


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None, activation: str = 'none') -> Tensor:
    """``activation(x @ weight.T + bias)`` outside of autograd."""
    if suits_onednn(x, weight):
        # the algorithm "none" of GELU is the exact one, by the error function
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], 'none')
    out = F.linear(x, weight, bias)
    return F.gelu(out) if activation == 'gelu' else out


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear`` on the fastest product at hand, which stores what ``x`` is made of if that is known.

    Args:
        x: ``(..., in)``.
        weight: ``(out, in)``.
        bias: ``(out,)``.

    Returns:
        ``(..., out)``.
    """
    if not torch.is_grad_enabled():
        return product(x, weight, bias)
    again, sources = recipe_of(x)
    if again is _unchanged and not suits_onednn(x, weight):
        return F.linear(x, weight, bias)
    if torch.is_autocast_enabled(x.device.type):
        if x.dtype != torch.get_autocast_dtype(x.device.type):
            return F.linear(x, weight, bias)  # casts its input first
        weight, bias = weight.to(x.dtype), None if bias is None else bias.to(x.dtype)
    return _Linear.apply(x, weight, bias, again, *sources)


def remember(out: Tensor, function: Callable[..., Tensor], *sources: Tensor) -> Tensor:
    """Notes that ``out`` is ``function(*sources)``, for a linear layer to store the sources in its place.

    That pays where something else keeps the sources anyway. A change of any of them in place makes the note void.
    """
    if torch.is_grad_enabled():
        versions = [tensor._version for tensor in (out, *sources)]
        _recipes[out] = (versions, function, tuple(source.detach() for source in sources))
    return out


def recipe_of(x: Tensor) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """How to make ``x`` again, and of what; without a valid note of that, of ``x`` itself."""
    versions, function, sources = _recipes.get(x, (None, _unchanged, ()))
    if versions is None or versions != [tensor._version for tensor in (x, *sources)]:
        return _unchanged, (x.detach(),)
    return function, sources


def _unchanged(x: Tensor) -> Tensor:
    return x


class _Linear(torch.autograd.Function):
    """A linear layer on :func:`product`, forward and for the gradient of its input."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, again: Any, *sources: Tensor) -> Tensor:  # noqa: ARG004
        return product(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        _, weight, _, ctx.again, *sources = inputs
        ctx.save_for_backward(weight, *sources)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, *sources = ctx.saved_tensors
        rows = grad.flatten(0, -2)  # (B, N, out) -> (B * N, out)
        grads: list[Tensor | None] = [None] * len(ctx.needs_input_grad)
        if ctx.needs_input_grad[1]:
            grads[1] = rows.t() @ ctx.again(*sources).flatten(0, -2)
        if ctx.needs_input_grad[2]:
            grads[2] = rows.sum(dim=0)
        if ctx.needs_input_grad[0]:
            grads[0] = product(grad, weight.t())
        return tuple(grads)


class _Scaled(torch.autograd.Function):
    """A product with factors that need no gradient, and that autograd does not count among what it stores."""

    @staticmethod
    def forward(x: Tensor, factors: Tensor) -> Tensor:
        return x * factors

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:  # noqa: ARG004
        ctx.factors = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.factors, None


def linear_layer(layer: nn.Linear, x: Tensor) -> Tensor:
    """``nn.Linear`` on :func:`linear`."""
    return linear(x, layer.weight, layer.bias)


def layer_norm(norm: nn.LayerNorm, x: Tensor) -> Tensor:
    """``nn.LayerNorm`` whose result a linear layer need not store: a sixth of what a block stores."""
    out = F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
    if not out.requires_grad or not _is_large(x):
        return out
    again = partial(_layer_norm, norm.normalized_shape, norm.eps)
    return remember(out, again, *(tensor for tensor in (x, norm.weight, norm.bias) if tensor is not None))


def _layer_norm(shape: tuple[int, ...], eps: float, x: Tensor, *affine: Tensor) -> Tensor:
    return F.layer_norm(x, shape, **dict(zip(('weight', 'bias'), affine)), eps=eps)


def gelu(act: nn.GELU, x: Tensor) -> Tensor:
    """``nn.GELU`` whose result a linear layer need not store: a quarter of what a block stores, on any device."""
    out = F.gelu(x, approximate=act.approximate)
    return remember(out, partial(F.gelu, approximate=act.approximate), x) if out.requires_grad else out


def convolution(conv: nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
    """A convolution of patches that do not overlap as one product; they are cut again for the backward pass."""
    is_cut = conv.stride == conv.kernel_size and conv.groups == 1 and set(conv.dilation) == {1}
    if not is_cut or conv.padding != (0,) * len(conv.kernel_size) or x.ndim != conv.weight.ndim:
        return type(conv).forward(conv, x)  # type: ignore[arg-type]
    grid = token_grid(x.shape[2:], conv.kernel_size)
    patches = patchify(x, conv.kernel_size)  # (B, N, C*P1*...)
    if _is_large(patches):
        remember(patches, partial(patchify, patch=conv.kernel_size), x)
    tokens = linear(patches, conv.weight.flatten(1), conv.bias)
    return tokens.transpose(1, 2).unflatten(2, grid)  # (B, N, D) -> (B, D, *grid), and no copy


def attention_heads(attention: Attention, parts: str, x: Tensor) -> tuple[Tensor, ...]:
    """:meth:`Attention.heads` with the bias inside of the product."""
    layer = getattr(attention, parts)
    if layer.bias is not None:
        return type(attention).heads(attention, parts, x)
    return attention.split(linear(x, layer.weight, attention.bias(parts)), parts)


def drop_path(module: DropPath, x: Tensor) -> Tensor:
    """:class:`DropPath` that stores nothing, so that a recomputed block does not compute its last product again."""
    return _Scaled.apply(x, module.factors(x)) if module.training and module.drop_prob > 0 else x
