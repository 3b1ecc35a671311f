"""Expression, valence and arousal, and action units of every frame, by a recurrent network over frame features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import nn

from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.registry import METRICS, MODELS
from hicmae_mm.structures import Padded


@MODELS.register_module()
class RecurrentEncoder(BaseEncoder):
    """A GRU in both directions; padding stands in neither of them.

    Args:
        in_channels: Length of the feature of a frame.
        embed_dims: Width of the tokens.
    """

    depth = 1

    def __init__(self, in_channels: int, embed_dims: int = 16) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.rnn = nn.GRU(in_channels, embed_dims // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Padded, mask: Any = None) -> EncoderOutput:
        packed = nn.utils.rnn.pack_padded_sequence(x.values, x.lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = self.rnn(packed)
        tokens, _ = nn.utils.rnn.pad_packed_sequence(states, batch_first=True, total_length=x.values.shape[1])
        return EncoderOutput(tokens, (tokens,), x.padding)

    def layer_id(self, name: str) -> int | None:
        return 1


@METRICS.register_module()
class FrameAccuracy(BaseMetric):
    """Share of the frames with the right expression, over all frames that have one."""

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        for sample in data_samples:
            target, predicted = sample['gt_expression'], sample['pred_expression'].cpu()
            counts = target >= 0
            self.results.append((int((predicted == target)[counts].sum()), int(counts.sum())))

    def compute_metrics(self, results: list[tuple[int, int]]) -> dict[str, float]:
        right, total = torch.tensor(results).sum(dim=0).tolist()
        return dict(frame_accuracy=right / max(total, 1))
