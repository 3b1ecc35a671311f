"""Defines a mixture of small experts beside the MLP of a block (S4D; Shazeer et al., 2017)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.models.layers.blocks import Block
from hicmae_mm.models.layers.mlp import Mlp

NOISES = ('training', 'always', 'never')


class Routing(NamedTuple):
    """Stores how tokens are distributed over experts.

    Attributes:
        scores: ``(B, N, E)`` weights of the experts, 0 for those that a token did not choose.
        chosen: ``(B, N, k)`` indices of the experts that each token chose, best first.
        balance: Scalar, large when few experts get most of the tokens. It can be negative.
    """

    scores: Tensor
    chosen: Tensor
    balance: Tensor


class NoisyTopKRouter(nn.Module):
    """Chooses the k experts with the largest logits, to which it adds noise of a learned size.

    Args:
        embed_dims: Width D.
        num_experts: Number of experts E.
        top_k: Experts of each token k.
        noise: Phase in which noise is added: ``'training'``, ``'always'`` (as published, also in evaluation) or
            ``'never'``.

    Raises:
        ValueError: If more experts are chosen than there are, or ``noise`` is unknown.
    """

    def __init__(self, embed_dims: int, num_experts: int, top_k: int, noise: str = 'training') -> None:
        super().__init__()
        if not 1 <= top_k <= num_experts:
            raise ValueError(f'top_k={top_k} must lie in 1..{num_experts}, the number of experts')
        if noise not in NOISES:
            raise ValueError(f'noise must be one of {NOISES}, got {noise!r}')
        self.top_k, self.noise = top_k, noise
        self.logits = nn.Linear(embed_dims, num_experts)
        self.noise_size = nn.Linear(embed_dims, num_experts)

    def forward(self, x: Tensor) -> Routing:
        """Chooses the experts of every token of ``(B, N, D)``."""
        logits: Tensor = self.logits(x)
        if self.noise == 'always' or (self.noise == 'training' and self.training):
            logits = logits + self.draw_noise(logits) * F.softplus(self.noise_size(x))
        chosen = logits.topk(self.top_k, dim=-1).indices  # (B, N, k)
        is_chosen = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, chosen, True)
        scores = logits.masked_fill(~is_chosen, float('-inf')).softmax(dim=-1)
        share = is_chosen.to(logits.dtype).mean(dim=1)  # (B, E) of the tokens of a clip
        balance = (share * logits.mean(dim=1)).mean() * logits.shape[-1] ** 2
        return Routing(scores, chosen, balance)

    def draw_noise(self, logits: Tensor) -> Tensor:
        """Draws standard normal noise, one number for each token and expert."""
        return torch.randn_like(logits)


class ExpertMixture(nn.Module):
    """Sums the experts that each token chose, weighted by its scores.

    While training, an expert takes a limited number of tokens of a batch: the first that chose it, clips in order.
    What a token loses that way is not given to its other experts. In evaluation there is no limit, so that the result
    of a clip does not depend on the others of its batch.

    Args:
        embed_dims: Width D.
        num_experts: Number of experts E.
        top_k: Experts of each token k.
        hidden_dims: Hidden width of an expert.
        capacity_factor: Tokens that an expert takes over its even share ``tokens * k / E``.
        noise: The argument of :class:`NoisyTopKRouter`.
        limits_evaluation: Limit the tokens of an expert in evaluation too, as published.
    """

    def __init__(
        self,
        embed_dims: int,
        num_experts: int = 8,
        top_k: int = 2,
        hidden_dims: int | None = None,
        capacity_factor: float = 1.0,
        noise: str = 'training',
        limits_evaluation: bool = False,
    ) -> None:
        super().__init__()
        self.router = NoisyTopKRouter(embed_dims, num_experts, top_k, noise)
        hidden_dims = embed_dims // 4 if hidden_dims is None else hidden_dims
        self.experts = nn.ModuleList(Mlp(embed_dims, hidden_dims) for _ in range(num_experts))
        self.capacity_factor, self.limits_evaluation = capacity_factor, limits_evaluation

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Maps ``(B, N, D)`` to the sum ``(B, N, D)``, and returns the router's balance, too."""
        routing: Routing = self.router(x)
        tokens, scores = x.flatten(0, 1), routing.scores.flatten(0, 1)  # (B * N, D), (B * N, E)
        if self.training or self.limits_evaluation:
            output = self._limited(tokens, scores, routing.chosen.flatten(0, 1))
        else:
            parts = (expert(tokens) * scores[:, i : i + 1] for i, expert in enumerate(self.experts))
            output = torch.stack(tuple(parts)).sum(dim=0)
        return output.unflatten(0, x.shape[:2]), routing.balance

    def _limited(self, tokens: Tensor, scores: Tensor, chosen: Tensor) -> Tensor:
        """Runs every expert on its first tokens. Shapes do not depend on the choice, so nothing waits for a device."""
        capacity = int(len(tokens) * self.router.top_k / len(self.experts) * self.capacity_factor)
        is_chosen = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, chosen, True)
        # rows that chose the expert come first, in order; others fill up and have the score 0
        order = (~is_chosen).to(torch.uint8).argsort(dim=0, stable=True)[:capacity]  # (C, E)
        output = torch.zeros_like(tokens)
        for i, expert in enumerate(self.experts):
            rows = order[:, i]
            part = expert(tokens.index_select(0, rows)) * scores[:, i].index_select(0, rows).unsqueeze(-1)
            output = output.index_add(0, rows, part.to(output.dtype))
        return output


class ExpertBlock(Block):
    """Applies a :class:`Block` with experts beside its MLP, on the same normed tokens.

    Args:
        embed_dims: Width D.
        num_heads: Number of heads.
        mixture: The experts.
        mlp_ratio: Hidden width of the MLP over D.
        qkv_bias: Whether queries and values are biased.
        drop_path: Probability of dropping a residual branch, per clip.
        drop: Probability of dropping an element of what attention and MLP put out.
        attn_drop: Probability of dropping an attention weight.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mixture: ExpertMixture,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path: float = 0.0,
        drop: float = 0.0,
        attn_drop: float = 0.0,
    ) -> None:
        super().__init__(embed_dims, num_heads, mlp_ratio, qkv_bias, drop_path, drop, attn_drop)
        self.mixture = mixture

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Maps ``(B, N, D)`` to ``(B, N, D)``, and returns the balance of its router, too."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        normed = self.norm2(x)
        experts, balance = self.mixture(normed)
        return x + self.drop_path(self.mlp(normed) + experts), balance
