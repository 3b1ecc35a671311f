"""Multiply-accumulates of a forward pass: counted by tracing, and those of the published implementation.

One multiply-accumulate (MAC) is two floating-point operations. Only matrix products and convolutions are counted; norms
and activations are below one percent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.analysis import FlopAnalyzer, jit_handles, parameter_count
from torch import Size, Tensor, nn

from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.decoders import HierarchicalDecoder
from hicmae_mm.models.encoders import VisionTransformerEncoder
from hicmae_mm.models.fusion import CrossModalFusion
from hicmae_mm.models.layers import CrossBlock, as_token_mask

Masks = Mapping[str, Tensor]


def attention_macs(inputs: list[Any], outputs: list[Any]) -> float:  # noqa: ARG001 (MMEngine's signature)
    """MACs of ``scaled_dot_product_attention``, which MMEngine's counter knows nothing of.

    Args:
        inputs: traced values; the first three are query ``(..., N, D)``, key ``(..., N', D)``, value ``(..., N', D')``.
        outputs: traced values, not needed.
    """
    query, key, value = (tensor.type().sizes() for tensor in inputs[:3])
    batch = Size(query[:-2]).numel()
    return float(batch * query[-2] * key[-2] * (query[-1] + value[-1]))


OPERATIONS = {
    'aten::addmm': jit_handles.addmm_flop_jit,
    'aten::bmm': jit_handles.bmm_flop_jit,
    'aten::einsum': jit_handles.einsum_flop_jit,
    'aten::linear': jit_handles.linear_flop_jit,
    'aten::matmul': jit_handles.matmul_flop_jit,
    'aten::mm': jit_handles.matmul_flop_jit,
    'aten::_convolution': jit_handles.conv_flop_jit,
    'aten::scaled_dot_product_attention': attention_macs,
}


@dataclass(frozen=True)
class Complexity:
    """What :func:`count_complexity` finds.

    Attributes:
        macs: multiply-accumulates of the whole pass.
        parameters: trainable and fixed parameters.
        macs_by_module: multiply-accumulates below every named module.
        parameters_by_module: parameters below every named module.
    """

    macs: float
    parameters: int
    macs_by_module: Counter[str]
    parameters_by_module: Mapping[str, int]


class _Positional(nn.Module):
    """The model as a function of tensors in a row, which is what tracing takes."""

    def __init__(self, model: nn.Module, names: tuple[str, ...], masks: dict[str, Any] | None) -> None:
        super().__init__()
        self.model = model
        self.names = names
        self.masks = masks

    def forward(self, *streams: Tensor) -> Any:
        inputs = dict(zip(self.names, streams))
        if self.masks is None:
            return self.model(inputs, mode='tensor')
        return self.model(inputs, masks=self.masks, mode='tensor')


def count_complexity(model: nn.Module, inputs: Mapping[str, Tensor], masks: Masks | None = None) -> Complexity:
    """Traces a forward pass and counts its multiply-accumulates.

    Args:
        model: a model with ``mode='tensor'``, in evaluation mode afterwards as before.
        inputs: normalised input by stream.
        masks: ``(B, N)`` bool by stream, for pre-training.
    """
    indexed = None if masks is None else {name: as_token_mask(mask, name) for name, mask in masks.items()}
    was_training = model.training
    wrapped = _Positional(model, tuple(inputs), indexed).eval()
    analyzer = FlopAnalyzer(wrapped, tuple(inputs.values()))
    analyzer.clear_op_handles().set_op_handle(**OPERATIONS)
    analyzer.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings('none')
    with torch.no_grad():
        total = float(analyzer.total())
    by_module = Counter({_own_name(name): float(count) for name, count in analyzer.by_module().items()})
    model.train(was_training)
    parameters = parameter_count(model)
    return Complexity(total, parameters[''], by_module, parameters)


def _own_name(name: str) -> str:
    return name.removeprefix('model').removeprefix('.')


def published_macs(model: AudioVisualModel, masks: Masks | None = None) -> float:
    """MACs per clip (or view) that the published implementation spends on a model of these sizes.

    The published code embeds hidden patches too and drops them afterwards. What this project leaves out is not left out
    of this count, so that avoided work shows as speed. Base: 15.1 G per pre-training clip, 46.1 G per fine-tuning view.

    Args:
        model: a model of HiCMAE's components.
        masks: ``(B, N)`` bool by stream, for pre-training; the first row's counts are taken.

    Raises:
        TypeError: if a component is not HiCMAE's, so that nothing was published about it.
    """
    streams = {name: Size(encoder.grid).numel() for name, encoder in model.encoders.items()}
    visible = {name: count if masks is None else int((~masks[name][0]).sum()) for name, count in streams.items()}
    total = 0.0
    for name, encoder in model.encoders.items():
        if not isinstance(encoder, VisionTransformerEncoder):
            raise _unpublished(f'encoders.{name}', encoder, VisionTransformerEncoder)
        total += streams[name] * encoder.patch_embed.proj.weight.numel()
        total += sum(_block_macs(block, visible[name]) for block in encoder.blocks)
    if model.fusion is not None:
        if not isinstance(model.fusion, CrossModalFusion):
            raise _unpublished('fusion', model.fusion, CrossModalFusion)
        first, second = visible
        for name, other in ((first, second), (second, first)):
            if name in model.fusion.updates:
                blocks = model.fusion.blocks[name]
                total += sum(_block_macs(block, visible[name], visible[other]) for block in blocks)
    for name, decoder in getattr(model, 'decoders', {}).items():
        if not isinstance(decoder, HierarchicalDecoder):
            raise _unpublished(f'decoders.{name}', decoder, HierarchicalDecoder)
        total += _decoder_macs(decoder, streams[name], visible[name])
    return total


def _unpublished(place: str, component: object, kind: type) -> TypeError:
    return TypeError(f'{place} is a {type(component).__name__}; published work is known for {kind.__name__}')


def _decoder_macs(decoder: HierarchicalDecoder, num_tokens: int, num_visible: int) -> float:
    total = float(num_visible * decoder.embed.weight.numel() * len(decoder.blocks))  # fused tokens and every skip
    total += sum(_block_macs(block, num_tokens, num_visible) for block in decoder.blocks)
    return total + (num_tokens - num_visible) * decoder.head.weight.numel()


def _block_macs(block: nn.Module, num_tokens: int, num_context: int = 0) -> float:
    """MACs of a block on N tokens; a cross block also attends to its context."""
    weights = sum(weight.numel() for weight in block.parameters() if weight.ndim == 2)
    attended = num_tokens
    if isinstance(block, CrossBlock):
        kv = block.cross_attn.kv.weight.numel()
        weights, attended = weights - kv, num_tokens + num_context
        total = float(num_context * kv)
    else:
        total = 0.0
    width = next(module.normalized_shape[0] for module in block.modules() if isinstance(module, nn.LayerNorm))
    return total + num_tokens * weights + 2 * num_tokens * attended * width
