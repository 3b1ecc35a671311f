"""Multiply-accumulates of a forward pass: counted as it runs, and those of the published implementation.

One multiply-accumulate (MAC) is two floating-point operations. Only matrix products and convolutions are counted; norms
and activations are below one percent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.analysis import parameter_count
from torch import Size, Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.decoders import HierarchicalDecoder
from hicmae_mm.models.encoders import VisionTransformerEncoder
from hicmae_mm.models.fusion import CrossModalFusion
from hicmae_mm.models.layers import CrossBlock
from hicmae_mm.structures import Inputs, as_token_mask

Masks = Mapping[str, Tensor]
ATTENTION_ON_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # torch counts the other kernels only


def attention_flops(query: Size, key: Size, value: Size, *_: Any, out_shape: Any = None, **__: Any) -> int:  # noqa: ARG001
    """Operations of attention, from the sizes of ``(B, H, N, D)``, ``(B, H, N', D)`` and ``(B, H, N', D')``."""
    return 2 * Size(query[:-1]).numel() * key[-2] * (query[-1] + value[-1])


@dataclass(frozen=True)
class Complexity:
    """Stores the result of :func:`count_complexity`.

    Attributes:
        macs: multiply-accumulates of the whole pass.
        parameters: Trainable and fixed parameters.
        macs_by_module: multiply-accumulates below every named module.
        parameters_by_module: Parameters below every named module.
    """

    macs: float
    parameters: int
    macs_by_module: Counter[str]
    parameters_by_module: Mapping[str, int]


def count_complexity(model: nn.Module, inputs: Inputs, masks: Masks | None = None) -> Complexity:
    """Runs a forward pass and counts its multiply-accumulates. On the meta device nothing is computed.

    Args:
        model: A model with ``mode='tensor'``, in evaluation mode afterwards as before.
        inputs: Normalised input by stream.
        masks: ``(B, N)`` bool by stream, for pre-training.
    """
    given = {} if masks is None else {'masks': {name: as_token_mask(mask, name) for name, mask in masks.items()}}
    was_training = model.training
    counter = FlopCounterMode(display=False, custom_mapping={ATTENTION_ON_CPU: attention_flops})
    try:
        with torch.no_grad(), counter:
            model.eval()(dict(inputs), **given, mode='tensor')
    finally:
        model.train(was_training)
    counts = {name: sum(operations.values()) / 2 for name, operations in counter.get_flop_counts().items()}
    parameters = parameter_count(model)
    return Complexity(counter.get_total_flops() / 2, parameters[''], _by_module(model, counts), parameters)


def _by_module(model: nn.Module, counts: Mapping[str, float]) -> Counter[str]:
    """MACs below every module of the model, from those of the modules that were called.

    Args:
        model: The model.
        counts: MACs by the counter's names, which begin with the class of the model.
    """
    root = type(model).__name__
    found = Counter({name: counts.get(f'{root}.{name}' if name else root, 0.0) for name, _ in model.named_modules()})
    for name in reversed(found):  # a container that is not called, such as a ModuleDict, has the work of its parts
        if found[name] == 0:
            parts = [part for part in found if part and part.rpartition('.')[0] == name]
            found[name] = sum(found[part] for part in parts)
    return found


def published_macs(model: AudioVisualModel, masks: Masks | None = None) -> float:
    """MACs per clip (or view) that the published implementation spends on a model of these sizes.

    The published code embeds hidden patches too and drops them afterwards. What this project leaves out is not left out
    of this count, so that avoided work shows as speed. Base: 15.1 G per pre-training clip, 46.1 G per fine-tuning view.

    Args:
        model: A model of HiCMAE's components.
        masks: ``(B, N)`` bool by stream, for pre-training; the first row's counts are taken.

    Raises:
        TypeError: If a component is not HiCMAE's, so that nothing was published about it.
    """
    for name, encoder in model.encoders.items():
        if not isinstance(encoder, VisionTransformerEncoder):
            raise _unpublished(f'encoders.{name}', encoder, VisionTransformerEncoder)
    streams = {name: Size(encoder.grid).numel() for name, encoder in model.encoders.items()}
    visible = {name: count if masks is None else int((~masks[name][0]).sum()) for name, count in streams.items()}
    total = 0.0
    for name, encoder in model.encoders.items():
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
