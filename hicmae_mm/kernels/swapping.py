"""Puts kernels in the place of methods of single modules, and takes them out again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from hicmae_mm.kernels import linear
from hicmae_mm.kernels.cross_attention import cross_attention
from hicmae_mm.kernels.heap import block_after_trim
from hicmae_mm.kernels.mlp import mlp
from hicmae_mm.models.layers import Block, CrossAttention, CrossBlock, DropPath, Mlp, SelfAttention


class Kernel(NamedTuple):
    """Describes a faster or leaner way of computing a method.

    Attributes:
        kind: Class of the modules; a subclass with another method of that name is left alone.
        function: Takes the module and what the method takes.
        method: Name of the method.
        layers: Layers of the module that the function computes itself, while the method calls them.
    """

    kind: type[nn.Module]
    function: Callable[..., Any]
    method: str = 'forward'
    layers: tuple[str, ...] = ()


KERNELS = (
    Kernel(nn.Linear, linear.linear_layer),
    Kernel(nn.LayerNorm, linear.layer_norm),
    Kernel(nn.GELU, linear.gelu),
    Kernel(nn.Dropout, linear.dropout),
    Kernel(nn.Conv2d, linear.convolution),
    Kernel(nn.Conv3d, linear.convolution),
    Kernel(DropPath, linear.drop_path),
    Kernel(SelfAttention, linear.attention_heads, 'heads', SelfAttention.input_layers),
    Kernel(CrossAttention, linear.attention_heads, 'heads', CrossAttention.input_layers),
    Kernel(CrossAttention, cross_attention, layers=('q', 'kv', 'proj')),
    Kernel(Mlp, mlp, layers=('fc1', 'act', 'fc2')),
    Kernel(Block, block_after_trim),
    Kernel(CrossBlock, block_after_trim),
)


def use_cpu_kernels(model: nn.Module) -> None:
    """Lets the modules of a model compute by kernels where that pays, in place; results differ by rounding.

    Large float32 products on an x86 CPU become faster. On any device less is stored for the backward pass. Parameters,
    buffers and their names stay. A module whose layers were replaced or carry hooks keeps its plain method, now (which
    is logged) or later; so does everything under ``torch.compile``, export, tracing and ``torch.func``.
    """
    refused = []
    for name, module in model.named_modules():
        for kernel in KERNELS:
            is_kind = isinstance(module, kernel.kind)
            if not is_kind or getattr(type(module), kernel.method) is not getattr(kernel.kind, kernel.method):
                continue
            if change := next(_changes(module, kernel), ''):
                refused.append(f'{name or type(module).__name__} ({change})')
            else:
                setattr(module, kernel.method, partial(_compute, kernel, module))
    if refused:
        more = f' and {len(refused) - 3} more' if len(refused) > 3 else ''
        print_log(f'Without CPU kernels, since they were changed: {", ".join(refused[:3])}{more}', 'current')


def remove_cpu_kernels(model: nn.Module) -> None:
    """Undoes :func:`use_cpu_kernels`."""
    for module in model.modules():
        for method in {kernel.method for kernel in KERNELS}:
            if _is_kernel(vars(module).get(method)):
                delattr(module, method)


def _compute(kernel: Kernel, module: nn.Module, *inputs: Any, **named: Any) -> Any:
    """Calls the kernel, or the plain method where plain operations are wanted or layers were changed since."""
    is_plain = (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or torch._C._are_functorch_transforms_active()  # there is no public question
        or not all(value is None or type(value) in (Tensor, nn.Parameter, str) for value in (*inputs, *named.values()))
        or any(_changes(module, kernel))
    )
    return (getattr(type(module), kernel.method) if is_plain else kernel.function)(module, *inputs, **named)


def _is_kernel(method: Any) -> bool:
    return isinstance(method, partial) and method.func is _compute


def _is_replaced(module: nn.Module, method: str) -> bool:
    return method in vars(module) and not _is_kernel(vars(module)[method])


def _changes(module: nn.Module, kernel: Kernel) -> Iterator[str]:
    """Returns why a kernel cannot replace a method: another one is there, or layers must be called."""
    if _is_replaced(module, kernel.method):
        yield f'another {kernel.method}'
    if kernel.layers and torch_module._has_any_global_hook():  # such as a profiler's; there is no public question
        yield 'hooks on all modules'
    for name in kernel.layers:
        layer = getattr(module, name)
        if type(layer) not in (nn.Linear, nn.GELU) or _is_replaced(layer, 'forward'):
            yield f'{name} is another {type(layer).__name__}'
        elif any((layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks, layer._backward_pre_hooks)):
            yield f'{name} has hooks'
        elif any(type(parameter) is not nn.Parameter for parameter in layer.parameters(recurse=False)):
            yield f'{name} has parameters of another kind'
