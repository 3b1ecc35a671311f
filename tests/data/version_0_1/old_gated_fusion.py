"""Every stream receives the mean token of the others through a learned gate."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hicmae_mm.models.fusion import BaseFusion
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class GatedFusion(BaseFusion):
    """Adds ``gate * mean of the other streams`` to every token.

    Args:
        streams: Width of each stream's tokens; injected by the model.
        bias: Bias of the gates; below 0 they start nearly closed.
    """

    depth = 1

    def __init__(self, streams: Mapping[str, int], bias: float = -2.0) -> None:
        super().__init__(streams)
        width = self.common_width(streams)
        self.gates = nn.ModuleDict({name: nn.Linear(2 * width, width) for name in streams})
        for gate in self.gates.values():
            nn.init.constant_(gate.bias, bias)

    def forward(self, tokens: dict[str, Tensor], padding_masks: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        means = {name: value.mean(dim=1, keepdim=True) for name, value in tokens.items()}  # (B, 1, D)
        fused = {}
        for name, own in tokens.items():
            others = torch.stack([mean for other, mean in means.items() if other != name]).mean(dim=0).expand_as(own)
            gate = self.gates[name](torch.cat([own, others], dim=-1)).sigmoid()  # (B, N, D)
            fused[name] = own + gate * others
        return fused

    def layer_id(self, name: str) -> int | None:
        return 0
