"""Linear layers: the faster kernels where there is a choice, and less to store for the backward pass."""

from __future__ import annotations

import platform
from collections.abc import Callable
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
RECIPE = '_recipe'  # attribute of a tensor that can be made again


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
    if not suits_onednn(x, weight):
        return F.linear(x, weight, bias)
    if not torch.is_grad_enabled():
        return product(x, weight, bias)
    again, sources = recipe_of(x)
    return _Linear.apply(x, weight, bias, again, *sources)


def remember(out: Tensor, function: Callable[..., Tensor], *sources: Tensor) -> None:
    """Notes that ``out`` is ``function(*sources)``, for a linear layer to store the sources in its place.

    Worth it where something else keeps the sources anyway. A change of ``out`` in place makes the note void.
    """
    if not HAS_ONEDNN or not torch.is_grad_enabled() or is_traced():
        return
    if all(type(source) in PLAIN_TENSORS for source in sources):
        setattr(out, RECIPE, (out._version, function, *(source.detach() for source in sources)))


def recipe_of(x: Tensor) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """What to store in place of ``x``, and how to make ``x`` of it; without a valid note of that, ``x`` itself."""
    version, *recipe = getattr(x, RECIPE, (None,))
    if version is None or version != x._version:
        return _unchanged, (x.detach(),)
    return recipe[0], tuple(recipe[1:])


def _unchanged(x: Tensor) -> Tensor:
    return x


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
    if is_traced() or not torch.is_grad_enabled():
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

    :func:`linear` keeps what it was made of in its place, which the norm keeps anyway, and normalises again for the
    gradient of its weight: a sixth of what a transformer block stores, for less than a hundredth of its time. Every
    other use of the result is as ever.

    Args:
        embed_dims: Width D.
        eps: Added to the variance.
    """

    def __init__(self, embed_dims: int, eps: float) -> None:
        super().__init__(embed_dims, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D) -> (..., D)``."""
        out = super().forward(x)
        if out.requires_grad:
            remember(out, self._of, x, self.weight, self.bias)
        return out

    def _of(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, weight, bias, self.eps)


def is_traced() -> bool:
    """Whether torch.compile or torch.jit.trace is looking, which take plain operations only."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def suits_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether ``x @ weight.T`` is quicker in oneDNN."""
    return (
        HAS_ONEDNN
        and not is_traced()
        and x.device.type == 'cpu'
        and x.dtype == weight.dtype == torch.float32
        and type(x) in PLAIN_TENSORS
        and type(weight) in PLAIN_TENSORS
        and x.numel() >= MIN_ROWS * x.shape[-1]
        and x.numel() * weight.shape[0] >= MIN_MACS
        and not torch.is_autocast_enabled('cpu')
    )


def product(x: Tensor, weight: Tensor, bias: Tensor | None, activation: str = 'none') -> Tensor:
    """``activation(x @ weight.T + bias)`` outside of autograd."""
    if suits_onednn(x, weight):
        # the algorithm "none" of GELU is the exact one, by the error function
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, activation, [], 'none')
    out = F.linear(x, weight, bias)
    return F.gelu(out) if activation == 'gelu' else out


def parameter_gradients(grad: Tensor, x: Tensor, needed: tuple[bool, ...]) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of weight and bias of a linear layer of ``x (..., in)``, from that of its result ``(..., out)``."""
    rows = grad.flatten(0, -2)  # (B * N, out)
    weight = rows.t() @ x.flatten(0, -2) if needed[0] else None
    return weight, rows.sum(dim=0) if needed[1] else None


def gelu_gradient_(grad: Tensor, x: Tensor) -> Tensor:
    """Gradient of ``x`` from that of ``gelu(x)``, in whose place it is written."""
    return torch.ops.aten.gelu_backward.grad_input(grad, x, grad_input=grad)


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
        needed = ctx.needs_input_grad[1:3]
        parameters = parameter_gradients(grad, ctx.again(*sources) if needed[0] else grad, needed)
        grad_x = product(grad, weight.t(), None) if ctx.needs_input_grad[0] else None
        return grad_x, *parameters, None, *[None] * len(sources)


class _GeluLinear(torch.autograd.Function):
    """GELU and a linear layer; GELU's result is not stored."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return product(F.gelu(x), weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:]
        # first, so that only one of GELU's result and its gradient exists at a time
        parameters = parameter_gradients(grad, F.gelu(x) if needed[0] else x, needed)
        grad_x = gelu_gradient_(product(grad, weight.t(), None), x) if ctx.needs_input_grad[0] else None
        return grad_x, *parameters
