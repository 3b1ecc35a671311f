"""Defines the MLP of a block, and the MLP of feature vectors."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class Mlp(nn.Module):
    """Applies two linear layers with GELU between them.

    Args:
        embed_dims: Width D of input and output.
        hidden_dims: Width of the layer between.
        drop: Probability of dropping an element of the output.
        out_dims: Width of the output; ``None``: D.
    """

    def __init__(self, embed_dims: int, hidden_dims: int, drop: float = 0.0, out_dims: int | None = None) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dims, hidden_dims)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden_dims, embed_dims if out_dims is None else out_dims)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(..., D)`` to ``(..., D)``, or to ``out_dims``."""
        output: Tensor = self.drop(self.fc2(self.act(self.fc1(x))))
        return output


class LinearStack(nn.Module):
    """Applies a linear layer, ReLU and dropout for every width (MER2023 baseline, "MLP").

    Args:
        in_channels: Length of the input.
        widths: Width of every layer; none of them passes the input on.
        drop: Probability of dropping an element behind every layer.
        input_drop: Probability of dropping an element of the input.

    Attributes:
        out_channels: Length of the output.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], drop: float = 0.0, input_drop: float = 0.0) -> None:
        super().__init__()
        self.input_drop = nn.Dropout(input_drop)
        layers: list[nn.Module] = []
        self.out_channels = in_channels
        for width in widths:
            layers += [nn.Linear(self.out_channels, width), nn.ReLU(), nn.Dropout(drop)]
            self.out_channels = width
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(..., in_channels)`` to ``(..., out_channels)``."""
        output: Tensor = self.layers(self.input_drop(x))
        return output
