"""Complete and incomplete views: a siamese loss between their features, and the restoration of what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.models.layers import Block
from hicmae_mm.models.objectives import BaseObjective, Pass
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded


@MODELS.register_module()
class StepEncoder(BaseEncoder):
    """A linear layer and a block over a sequence of features."""

    depth = 2

    def __init__(self, in_channels: int, embed_dims: int = 16) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.proj = nn.Linear(in_channels, embed_dims)
        self.block = Block(embed_dims, num_heads=2)

    def forward(self, x: Padded, mask: Any = None) -> EncoderOutput:
        first = self.proj(x.values)
        second = self.block(first, x.padding)
        return EncoderOutput(second, (first, second), x.padding)

    def layer_id(self, name: str) -> int | None:
        return 0 if name.startswith('proj.') else 1


@MODELS.register_module()
class IncompleteView(BaseObjective):
    """Runs the model on sequences with missing steps, and compares the two passes.

    Args:
        fused: Width of each stream after fusion; injected by the model.
        in_channels: Length of the feature of a clip; injected by the model.
        widths: Length of the input vectors of each stream.
        missing_rate: Share of the steps that are missing in the second view.
    """

    def __init__(
        self, fused: Mapping[str, int], in_channels: int, widths: Mapping[str, int], missing_rate: float = 0.5
    ) -> None:
        super().__init__()
        self.missing_rate = missing_rate
        self.predictor = nn.Linear(in_channels, in_channels)
        self.restore = nn.ModuleDict({name: nn.Linear(fused[name], width) for name, width in widths.items()})

    def loss(self, this: Pass) -> dict[str, Tensor]:
        whole: dict[str, Padded] = {name: this.inputs[name] for name in self.restore}
        missing = {
            name: (torch.rand(x.shape[:2], device=x.device) < self.missing_rate) & ~x.padding
            for name, x in whole.items()
        }
        inputs = {
            name: Padded(x.values.masked_fill(missing[name].unsqueeze(-1), 0), x.lengths) for name, x in whole.items()
        }
        view = this.run(inputs)
        similarity = F.cosine_similarity(self.predictor(view.features), this.features.detach(), dim=-1)
        restored = torch.cat([self.restore[name](view.fused[name])[rows].flatten() for name, rows in missing.items()])
        target = torch.cat([whole[name].values[rows].flatten() for name, rows in missing.items()])
        restoration = F.smooth_l1_loss(restored, target, reduction='sum') / max(len(target), 1)
        return dict(loss_siamese=1 - similarity.mean(), loss_restore=restoration)
