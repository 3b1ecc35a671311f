"""Features of clips at any place of a model: the mean over a layer's tokens, averaged over a clip's views."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.encoders import EncoderOutput
from hicmae_mm.models.fusion.concat import ConcatFusion
from hicmae_mm.models.fusion.cross_modal import CrossModalFusion
from hicmae_mm.models.layers import mean_tokens
from hicmae_mm.structures import Inputs


def layer_index(layer: int, depth: int, name: str) -> int:
    """Returns a layer's number from 0; negative ones count from the last.

    Raises:
        ValueError: If there is no such layer.
    """
    if not -depth <= layer < depth:
        raise ValueError(f'{name} has layers 0 to {depth - 1} (or -{depth} to -1), got {layer}')
    return layer % depth


@torch.no_grad()
def pooled_features(
    model: AudioVisualModel, inputs: Inputs, streams: Sequence[str], layer: int = -1
) -> dict[str, Tensor]:
    """Averages the tokens of a layer without the padding.

    Args:
        model: The model in evaluation mode.
        inputs: Normalised input by stream, ``(B, ...)``.
        streams: Names of encoders, and ``'fusion'``: the fused tokens of all streams, pooled and concatenated.
        layer: Number of the layer of the encoders, from 0; its output passes the final norm. For the fusion, it is the
            layer with the same number from the end (its output for ``-1`` or if it has fewer layers).

    Returns:
        ``(B, D)`` by stream.

    Raises:
        ValueError: If a stream or a layer is unknown.
    """
    unknown = [name for name in streams if name not in (*model.encoders, 'fusion')]
    if unknown or ('fusion' in streams and model.fusion is None):
        raise ValueError(f'the model has {[*model.encoders, *(["fusion"] if model.fusion else [])]}, got {[*streams]}')
    model.check_streams(inputs)
    needed = model.encoders if 'fusion' in streams else [name for name in streams if name in model.encoders]
    encoded = {name: model.encoders[name](inputs[name]) for name in needed}
    features = {}
    for name in (name for name in streams if name != 'fusion'):
        index = layer_index(layer, model.encoders[name].depth, f'the {name} encoder')
        features[name] = mean_tokens(encoded[name].hidden[index], encoded[name].padding)
    if 'fusion' in streams:
        features['fusion'] = _fused(model, encoded, layer)
    return {name: features[name] for name in streams}


def _fused(model: AudioVisualModel, encoded: dict[str, EncoderOutput], layer: int) -> Tensor:
    fusion = model.fusion
    assert fusion is not None
    blocks: list[nn.Module] = []
    if -fusion.depth <= layer < -1:
        if isinstance(fusion, CrossModalFusion):
            blocks = [fusion.blocks[name][layer] for name in fusion.updates]
        elif isinstance(fusion, ConcatFusion):
            blocks = [fusion.blocks[layer]]
    padding = {name: output.padding for name, output in encoded.items() if output.padding is not None}
    kept: list[Tensor] = []
    handles = [block.register_forward_hook(lambda module, args, output: kept.append(output)) for block in blocks]  # noqa: ARG005
    try:
        fused = model.fuse(encoded, padding)
    finally:
        for handle in handles:
            handle.remove()
    if kept and isinstance(fusion, ConcatFusion):  # the tokens of all streams one after the other
        whole = {
            name: output.tokens.new_zeros(output.tokens.shape[:2], dtype=torch.bool) for name, output in encoded.items()
        }
        return mean_tokens(kept[0], torch.cat([padding.get(name, whole[name]) for name in fusion.out_dims], dim=1))
    names = fusion.updates if kept and isinstance(fusion, CrossModalFusion) else fused
    tokens = kept or fused.values()
    return torch.cat([mean_tokens(part, padding.get(name)) for name, part in zip(names, tokens)], dim=-1)
