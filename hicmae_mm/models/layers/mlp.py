"""Defines the MLP of a block."""

from __future__ import annotations

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
