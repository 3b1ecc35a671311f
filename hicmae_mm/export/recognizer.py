"""The part of a recognizer that is exported: normalised streams in, scores out."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.heads import BaseHead, MultiTaskHead
from hicmae_mm.models.recognizer import AudioVisualRecognizer

KINDS = {'pred_score': 'probabilities', 'pred_values': 'values'}


class ExportableRecognizer(nn.Module):
    """A recognizer as a function of tensors, without views, data samples or losses.

    Outputs by name: ``scores`` is what the head predicts, probabilities (softmax applied) or values. A head of several
    tasks puts its classes under ``scores`` and its values under ``values``.

    Args:
        model: The recognizer; switched to evaluation.

    Raises:
        ValueError: Another model, or a head whose predictions have no known form.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        if not isinstance(model, AudioVisualRecognizer):
            raise ValueError(
                f'only recognizers are exported, got {type(model).__name__}: give the config of a fine-tuning'
            )
        self.model = model.eval()
        self.kinds = {name: KINDS[head.prediction_field] for name, head in self.heads().items()}

    def heads(self) -> dict[str, BaseHead]:
        """Heads by the name of their output."""
        head = self.model.head
        parts = list(head.heads.values()) if isinstance(head, MultiTaskHead) else [head]
        unknown = [part for part in parts if getattr(part, 'prediction_field', None) not in KINDS]
        if unknown:
            raise ValueError(
                f'{type(unknown[0]).__name__} cannot be exported: prediction_field must be of {list(KINDS)}'
            )
        if len(parts) == 1:
            return {'scores': parts[0]}
        return {'scores' if part.prediction_field == 'pred_score' else 'values': part for part in parts}

    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each stream's normalised input without the batch: video ``(3, T, H, W)``, audio ``(1, T, F)``."""
        return {
            name: (encoder.in_channels, *(count * length for count, length in zip(encoder.grid, encoder.patch)))
            for name, encoder in self.model.encoders.items()
        }

    def example_inputs(self, batch_size: int) -> dict[str, Tensor]:
        """Input of the right shapes, of fixed noise, ``(B, ...)`` by stream."""
        generator = torch.Generator().manual_seed(0)
        return {
            name: torch.randn(batch_size, *shape, generator=generator) for name, shape in self.input_shapes().items()
        }

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``(B, ...)`` by stream to ``(B, C)`` by output."""
        features = self.model.extract_features(inputs)
        outputs = {}
        for name, head in self.heads().items():
            out = head(features).float()
            outputs[name] = out.softmax(dim=-1) if self.kinds[name] == 'probabilities' else out
        return outputs

    @property
    def weight_bytes(self) -> int:
        """Size of the weights."""
        return sum(prod(weight.shape) * weight.element_size() for weight in self.model.parameters())


def prepare_inputs(model: AudioVisualRecognizer, batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """What the exported model takes: a collated batch after the data preprocessor, the model's streams only."""
    data = model.data_preprocessor(dict(batch), training=False)
    if data.get('present'):
        raise ValueError(f'an exported model needs every stream of every clip, some lack {sorted(data["present"])}')
    return {name: data['inputs'][name] for name in model.encoders}
