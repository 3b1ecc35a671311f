"""Bottleneck adapters: a narrow trained MLP on the output of a layer (Houlsby et al., 2019), behind a gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.adapters.base import AdaptedLayer, BaseAdapter
from hicmae_mm.models.building import init_transformer
from hicmae_mm.registry import MODELS


class Bottleneck(nn.Module):
    """Computes ``tanh(gate) * up(gelu(down(norm(x))))``, which is 0 at first.

    Args:
        embed_dims: Width D of input and output.
        hidden_dims: Width of the layer between.
    """

    def __init__(self, embed_dims: int, hidden_dims: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dims)
        self.down = nn.Linear(embed_dims, hidden_dims)
        self.act = nn.GELU()
        self.up = nn.Linear(hidden_dims, embed_dims)
        self.gate = nn.Parameter(torch.zeros(1))
        self.apply(init_transformer)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(..., D)`` to ``(..., D)``."""
        output: Tensor = self.up(self.act(self.down(self.norm(x))))
        return output * self.gate.tanh()


class BottleneckLayer(AdaptedLayer):
    """Adds a bottleneck to a layer: its output y becomes ``y + bottleneck(y)``.

    Args:
        base_layer: A linear layer.
        hidden_dims: Width of the bottleneck.
    """

    def __init__(self, base_layer: nn.Linear, hidden_dims: int) -> None:
        super().__init__(base_layer)
        self.bottleneck = Bottleneck(base_layer.out_features, hidden_dims)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(..., D)`` to ``(..., D')``."""
        output: Tensor = self.base_layer(x)
        added: Tensor = self.bottleneck(output)
        return output + added

    def reset_adapter(self) -> None:
        """See :meth:`AdaptedLayer.reset_adapter`."""
        self.bottleneck.apply(init_transformer)
        nn.init.zeros_(self.bottleneck.gate)


@MODELS.register_module()
class BottleneckAdapter(BaseAdapter):
    """Adds a gated bottleneck to the output of linear layers. It cannot be merged into their weights.

    The usual places are the last layers of attention and MLP: ``modules=r'attn\\.proj|mlp\\.fc2'``.

    Args:
        target: Name of a part of the model, such as ``'encoders.video'``; the part itself is no longer trained.
        modules: Regular expression of the layers, which matches the end of their names in the target.
        hidden_dims: Width of the bottleneck.

    Raises:
        ValueError: If ``hidden_dims`` is below 1.
    """

    def __init__(self, target: str, modules: str, hidden_dims: int = 64) -> None:
        super().__init__(target, modules)
        if hidden_dims < 1:
            raise ValueError(f'BottleneckAdapter: hidden_dims={hidden_dims} must be at least 1')
        self.hidden_dims = hidden_dims

    def adapt(self, part: nn.Module, names: Sequence[str]) -> None:
        """See :meth:`BaseAdapter.adapt`."""
        for name in names:
            parent, _, child = name.rpartition('.')
            layer: Any = part.get_submodule(name)
            setattr(part.get_submodule(parent), child, BottleneckLayer(layer, self.hidden_dims))
