"""Fusion through a few tokens of global context (EMT-DLFR, Sun et al., 2024)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.fusion.base import BaseFusion
from hicmae_mm.models.layers import CrossAttention, mean_tokens, sine_positions
from hicmae_mm.registry import MODELS

CONTEXT = 'context'


class GatedMlp(nn.Module):
    """Applies two linear layers; between them, GELU of one half multiplies the other half (Shazeer, 2020).

    Args:
        embed_dims: Width D of input and output.
        hidden_dims: Width of each half between.
        drop: Probability of dropping an element of the hidden layer.
    """

    def __init__(self, embed_dims: int, hidden_dims: int, drop: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dims, 2 * hidden_dims)
        self.act = nn.GELU()
        self.drop = nn.Dropout(drop)
        self.fc2 = nn.Linear(hidden_dims, embed_dims)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(..., D)`` to ``(..., D)``."""
        values, gates = self.fc1(x).chunk(2, dim=-1)
        output: Tensor = self.fc2(self.drop(values * self.act(gates)))
        return output


class PromotionUnit(nn.Module):
    """Attends to a context, then to itself, then a gated MLP; all of them pre-norm and residual.

    Args:
        embed_dims: Width D.
        num_heads: Number of heads.
        mlp_ratio: Hidden width of the MLP over D.
        drop: Probability of dropping an element of what attention puts out, and of the MLP's hidden layer.
        attn_drop: Probability of dropping an attention weight.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, mlp_ratio: float = 4.0, drop: float = 0.0, attn_drop: float = 0.0
    ) -> None:
        super().__init__()
        self.query_norm, self.context_norm, self.norm1, self.norm2 = (nn.LayerNorm(embed_dims) for _ in range(4))
        self.cross_attn, self.attn = (
            CrossAttention(embed_dims, num_heads, qkv_bias=False, attn_drop=attn_drop, proj_drop=drop) for _ in range(2)
        )
        self.mlp = GatedMlp(embed_dims, int(embed_dims * mlp_ratio), drop)

    def forward(
        self, x: Tensor, context: Tensor, padding: Tensor | None = None, context_padding: Tensor | None = None
    ) -> Tensor:
        """Maps ``x (B, N, D)`` and ``context (B, N', D)`` to ``(B, N, D)``; padding is not attended to."""
        x = x + self.cross_attn(self.query_norm(x), self.context_norm(context), context_padding)
        normed = self.norm1(x)
        x = x + self.attn(normed, normed, padding)
        output: Tensor = x + self.mlp(self.norm2(x))
        return output


class ContextPool(nn.Module):
    """Sums several versions of the context tokens; the weights are softmax scores of each version.

    Args:
        channels: Length of a version, flattened.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(channels, channels), nn.Tanh(), nn.Linear(channels, 1))

    def forward(self, versions: Tensor) -> Tensor:
        """Maps ``(B, S, S, D)``, versions first, to ``(B, S, D)``."""
        weights = self.score(versions.flatten(2)).softmax(dim=1)  # (B, S, 1)
        pooled: Tensor = (weights.unsqueeze(-1) * versions).sum(dim=1)
        return pooled


@MODELS.register_module()
class EMTFusion(BaseFusion):
    """Lets every stream and a global context improve each other in each layer.

    The context has a token per stream: the summary of its encoder, or else its mean token. A layer makes from the same
    old values a new sequence of each stream, which attends to the context, and one version of the context per stream,
    which attends to that stream's sequence. The versions are pooled. The costs grow with the sum of the lengths, not
    with their products.

    The output has one more entry than there are streams: ``context``, ``(B, S, D)`` for S streams. An absent stream
    adds nothing to the sequences of the others but its empty token of the context.

    Args:
        streams: Width of each stream's tokens; injected by the model.
        embed_dims: Width D of the fusion. Streams of another width are projected first.
        depth: Number of layers.
        num_heads: Number of heads.
        mlp_ratio: Hidden width of the MLPs over D.
        drop: Dropout of attention's output and of the MLPs.
        attn_drop: Probability of dropping an attention weight.
        share_directions: Whether a sequence and the context are updated by one unit.
        share_streams: Whether all streams have the same units.
        share_layers: Whether all layers have the same units and pooling.
        order: Streams in the order of their context tokens; ``None`` means the model's order.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If a stream is called ``context``, or ``order`` names other streams.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.fusion import EMTFusion
        >>> fusion = EMTFusion(dict(face=6, words=10), embed_dims=8, depth=1, num_heads=2)
        >>> fused = fusion(dict(face=torch.randn(1, 5, 6), words=torch.randn(1, 3, 10)))
        >>> {name: tuple(tokens.shape) for name, tokens in fused.items()}
        {'face': (1, 5, 8), 'words': (1, 3, 8), 'context': (1, 2, 8)}
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        embed_dims: int = 128,
        depth: int = 3,
        num_heads: int = 4,
        mlp_ratio: float = 4.0,
        drop: float = 0.0,
        attn_drop: float = 0.0,
        share_directions: bool = True,
        share_streams: bool = True,
        share_layers: bool = True,
        order: Sequence[str] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(streams, init_cfg)
        self.order = tuple(streams) if order is None else tuple(order)
        if sorted(self.order) != sorted(streams) or CONTEXT in streams:
            raise ValueError(
                f'order must name each of the streams {list(streams)} once, none of them {CONTEXT!r}; got {self.order}'
            )
        self.depth = depth
        self.out_dims = dict.fromkeys(streams, embed_dims) | {CONTEXT: embed_dims}
        self.proj = nn.ModuleDict(
            {
                name: nn.Identity() if width == embed_dims else nn.Linear(width, embed_dims, bias=False)
                for name, width in streams.items()
            }
        )
        unit = _shared(lambda: PromotionUnit(embed_dims, num_heads, mlp_ratio, drop, attn_drop))
        pool = _shared(lambda: ContextPool(len(streams) * embed_dims))
        count = len(self.order)
        self.units = nn.ModuleList(
            nn.ModuleList(
                nn.ModuleList(
                    unit(0 if share_layers else layer, 0 if share_streams else stream, 0 if share_directions else side)
                    for side in range(2)
                )
                for stream in range(count)
            )
            for layer in range(depth)
        )
        self.pools = nn.ModuleList(pool(0 if share_layers else layer) for layer in range(depth))

    def forward(
        self,
        tokens: dict[str, Tensor],
        padding_masks: dict[str, Tensor] | None = None,
        summary: dict[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """See :meth:`BaseFusion.forward`."""
        padding, summaries = padding_masks or {}, summary or {}
        sequences, vectors = {}, []
        for name in self.order:
            own = tokens[name]
            vector = summaries[name].mean(dim=1) if name in summaries else mean_tokens(own, padding.get(name))
            vectors.append(self.proj[name](vector))
            positions = sine_positions(own.shape[1], self.out_dims[name]).to(own.device, own.dtype)
            sequences[name] = self.proj[name](own) + positions
        context = torch.stack(vectors, dim=1)  # (B, S, D)
        for layer in range(self.depth):
            context, sequences = self.run_layer(layer, context, sequences, padding)
        return sequences | {CONTEXT: context}

    def run_layer(
        self, index: int, context: Tensor, sequences: dict[str, Tensor], padding: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes one layer from the values before it: ``context (B, S, D)`` and ``(B, N_i, D)`` by stream."""
        units: Any = self.units[index]
        updated, versions = {}, []
        for stream, (name, own) in enumerate(sequences.items()):
            to_sequence, to_context = units[stream]
            updated[name] = to_sequence(own, context, padding=padding.get(name))
            versions.append(to_context(context, own, context_padding=padding.get(name)))
        return self.pools[index](torch.stack(versions, dim=1)), updated

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseFusion.layer_id`."""
        return int(name.split('.')[1]) if name.startswith(('units.', 'pools.')) else 0


def _shared(make: Callable[[], nn.Module]) -> Callable[..., nn.Module]:
    """Returns a function that makes one module per key, and returns it again for the same key."""
    made: dict[tuple[int, ...], nn.Module] = {}

    def get(*key: int) -> nn.Module:
        if key not in made:
            made[key] = make()
        return made[key]

    return get
