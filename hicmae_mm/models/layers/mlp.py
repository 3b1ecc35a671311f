"""The MLP of a block."""

from __future__ import annotations

from torch import Tensor, nn


class Mlp(nn.Module):
    """Two linear layers with GELU between.

    Args:
        embed_dims: Width D of input and output.
        hidden_dims: Width between.
        drop: Probability of dropping an element of the output.
    """

    def __init__(self, embed_dims: int, hidden_dims: int, drop: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dims, hidden_dims)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden_dims, embed_dims)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., D) -> (..., D)``."""
        output: Tensor = self.drop(self.fc2(self.act(self.fc1(x))))
        return output
