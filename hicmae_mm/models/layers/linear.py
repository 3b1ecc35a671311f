"""Linear layers: the faster kernels where there is a choice, and less to store for the backward pass."""

from __future__ import annotations

import platform
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# oneDNN's single-precision products, bias and GELU included, beat MKL's on AMD and equal them on Intel
HAS_ONEDNN = (
    platform.machine() in ('x86_64', 'AMD64')
    and torch.backends.mkldnn.is_available()
    and hasattr(torch.ops.mkldnn, '_linear_pointwise')
)
PLAIN_TENSORS = (Tensor, nn.Parameter)
# below this, preparing the weight for oneDNN takes longer than the faster product saves
MIN_ROWS, MIN_MACS = 256, 2**26
NORM_ATTRIBUTE = '_normalised_from'  # of what LayerNorm puts out


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x @ weight.T + bias``, as :func:`torch.nn.functional.linear`, on the fastest kernel at hand.

    Large float32 products on an x86 CPU go through oneDNN, which differs from the usual product by rounding; all else
    (small ones, another device or type, autocast, ``torch.compile``, export, sharded tensors) is ``F.linear``.

    Args:
        x: ``(..., in)``.
        weight: ``(out, in)``.
        bias: ``(out,)``.

    Returns:
        ``(..., out)``.
    """
    if not _suits_onednn(x, weight):
        return F.linear(x, weight, bias)
    if not torch.is_grad_enabled():
        return _product(x, weight, bias)
    version, *norm = getattr(x, NORM_ATTRIBUTE, (None,))
    if version is None or version != x._version:  # no norm put it out, or it was changed in place since
        return _Linear.apply(x, weight, bias)
    return _NormedLinear.apply(x, weight, bias, *norm)


def gelu_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``linear(gelu(x), weight, bias)`` that keeps ``x`` alone for the backward pass and computes ``gelu(x)`` again.

    That is a quarter of what a transformer block stores, for about a hundredth of its time. ``torch.compile`` and
    exporters see the two plain operations, for they choose themselves what to compute again.

    Args:
        x: ``(..., in)``.
        weight: ``(out, in)``.
        bias: ``(out,)``.

    Returns:
        ``(..., out)``.
    """
    if _is_traced() or not torch.is_grad_enabled():
        return linear(F.gelu(x), weight, bias)
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    with torch.autocast(x.device.type, enabled=False):
        return _GeluLinear.apply(x, weight, bias)


class Linear(nn.Linear):
    """``nn.Linear`` over :func:`linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """``(..., in) -> (..., out)``."""
        return linear(x, self.weight, self.bias)


class LayerNorm(nn.LayerNorm):
    """``nn.LayerNorm`` over the last dimension whose result need not be stored for a linear layer that follows.

    The result carries what it was made of. :func:`linear` keeps that in its place, which the norm keeps anyway, and
    normalises again for the gradient of its weight: a sixth of what a transformer block stores, for less than a
    hundredth of its time. Every other use of the result is as ever.

    Args:
        embed_dims: Width D.
        eps: Added to the variance.
    """

    def __init__(self, embed_dims: int, eps: float) -> None:
        super().__init__(embed_dims, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D) -> (..., D)``."""
        out = super().forward(x)
        if HAS_ONEDNN and not _is_traced() and out.requires_grad and type(x) in PLAIN_TENSORS:
            source = (x.detach(), self.weight.detach(), self.bias.detach(), self.eps)
            setattr(out, NORM_ATTRIBUTE, (out._version, *source))
        return out


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
        if torch.is_grad_enabled() or not _suits_onednn(x, self.fc1.weight):
            return self.drop(gelu_linear(self.fc1(x), self.fc2.weight, self.fc2.bias))
        return self.drop(self.fc2(_product(x, self.fc1.weight, self.fc1.bias, 'gelu')))


def _is_traced() -> bool:
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def _suits_onednn(x: Tensor, weight: Tensor) -> bool:
    return (
        HAS_ONEDNN
        and not _is_traced()
        and x.device.type == 'cpu'
        and x.dtype == weight.dtype == torch.float32
        and type(x) in PLAIN_TENSORS
        and type(weight) in PLAIN_TENSORS
        and x.numel() >= MIN_ROWS * x.shape[-1]
        and x.numel() * weight.shape[0] >= MIN_MACS
        and not torch.is_autocast_enabled('cpu')
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, activation: str = 'none') -> Tensor:
    """``activation(x @ weight.T + bias)`` outside of autograd."""
    if _suits_onednn(x, weight):
        # the algorithm "none" of GELU is the exact one, by the error function
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], 'none')
    out = F.linear(x, weight, bias)
    return F.gelu(out) if activation == 'gelu' else out


def _input_gradient(grad: Tensor, weight: Tensor) -> Tensor:
    return _product(grad, weight.t(), None)


def _parameter_gradients(grad: Tensor, x: Tensor, needed: tuple[bool, ...]) -> tuple[Tensor | None, Tensor | None]:
    rows = grad.flatten(0, -2)  # (B * N, out)
    weight = rows.t() @ x.flatten(0, -2) if needed[0] else None
    return weight, rows.sum(dim=0) if needed[1] else None


class _Linear(torch.autograd.Function):
    """A linear layer whose forward pass and input gradient run on :func:`_product`."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _product(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad_x = _input_gradient(grad, weight) if ctx.needs_input_grad[0] else None
        return grad_x, *_parameter_gradients(grad, x, ctx.needs_input_grad[1:])


class _NormedLinear(torch.autograd.Function):
    """A linear layer of what a norm puts out, which is not stored."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, *norm: Any) -> Tensor:  # noqa: ARG004
        return _product(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        _, weight, _, source, scale, shift, ctx.eps = inputs
        ctx.save_for_backward(weight, source, scale, shift)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, source, scale, shift = ctx.saved_tensors
        grad_x = _input_gradient(grad, weight) if ctx.needs_input_grad[0] else None
        needed = ctx.needs_input_grad[1:3]
        x = F.layer_norm(source, scale.shape, scale, shift, ctx.eps) if needed[0] else source
        return grad_x, *_parameter_gradients(grad, x, needed), None, None, None, None


class _GeluLinear(torch.autograd.Function):
    """GELU and a linear layer; GELU's result is not stored."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _product(F.gelu(x), weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.ops.aten.gelu_backward(_input_gradient(grad, weight), x)
        needed = ctx.needs_input_grad[1:]
        return grad_x, *_parameter_gradients(grad, F.gelu(x) if needed[0] else x, needed)
