"""Linear layers with ReLU, for feature vectors."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


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
