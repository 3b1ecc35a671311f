"""Blocks whose activations are computed again in the backward pass: memory for time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

# what scaled_dot_product_attention becomes
ATTENTION_OPERATORS = (
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
    torch.ops.aten._scaled_dot_product_flash_attention.default,
    torch.ops.aten._scaled_dot_product_efficient_attention.default,
    torch.ops.aten._scaled_dot_product_cudnn_attention.default,
)
_is_recomputed: ContextVar[bool] = ContextVar('is_recomputed', default=False)


def run_block(block: nn.Module, *inputs: Tensor | None, recompute: bool = False) -> Tensor:
    """Calls ``block(*inputs)``.

    With ``recompute`` the backward pass computes its activations again instead of storing them. This does not depend on
    the mode of the block: with adapters it is in evaluation mode, and is trained all the same. Where there is no
    backward pass, it is called plainly.
    What attention to many tokens puts out is stored all the same, a token's width each, unless its weights are dropped
    at random.
    """
    contexts = partial(create_selective_checkpoint_contexts, _policy) if torch.compiler.is_compiling() else _contexts
    run = partial(checkpoint, block, use_reentrant=False, context_fn=contexts)
    output: Tensor = (run if recompute and _has_backward_pass(block, inputs) else block)(*inputs)
    return output


def _has_backward_pass(block: nn.Module, inputs: Sequence[Tensor | None]) -> bool:
    if not torch.is_grad_enabled() or torch.compiler.is_exporting() or torch.jit.is_tracing():
        return False
    return any(tensor.requires_grad for tensor in (*inputs, *block.parameters()) if tensor is not None)


def is_recomputed() -> bool:
    """Tells whether the present operation, in a forward pass or for a backward pass, is recomputed."""
    return _is_recomputed.get()


def _contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    forward, again = create_selective_checkpoint_contexts(_policy)
    return _region(forward), _region(again)


@contextmanager
def _region(selection: AbstractContextManager[Any]) -> Iterator[None]:
    token = _is_recomputed.set(True)
    try:
        with selection:
            yield
    finally:
        _is_recomputed.reset(token)


def _policy(_: Any, operator: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    if operator not in ATTENTION_OPERATORS:
        return CheckpointPolicy.PREFER_RECOMPUTE
    named = dict(zip((argument.name for argument in operator._schema.arguments), args)) | kwargs
    # more work than a linear layer from D to D, of which the heads ``(B, H, N', D / H)`` are parts
    is_dear = 2 * named['key'].shape[2] > named['key'].shape[1] * named['key'].shape[3]
    # a stored result draws no random numbers when the rest is computed again, and would shift those that follow
    is_random = named.get('dropout_p', 0.0) > 0
    return CheckpointPolicy.MUST_SAVE if is_dear and not is_random else CheckpointPolicy.PREFER_RECOMPUTE
