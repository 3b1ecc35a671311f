"""AVF-MAE++'s fusion: gated layers, tokens of the whole clip that they refine, and a mix of all layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.models.building import init_transformer
from hicmae_mm.models.fusion.base import BaseFusion
from hicmae_mm.models.fusion.gated_layer import GatedCrossLayer
from hicmae_mm.models.layers import Block, CrossAttention, Mlp, mean_tokens, run_block
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.registry import MODELS

OVERALL = ('means', 'layers')


class OverallRefinement(nn.Module):
    """Refines tokens of the whole clip by what resembles them in each stream; all layers use the same module.

    Args:
        streams: Names of the streams.
        embed_dims: Width D of the streams; tokens of the whole clip come with the widths of all streams together.
    """

    def __init__(self, streams: Sequence[str], embed_dims: int) -> None:
        super().__init__()
        self.project = nn.Linear(len(streams) * embed_dims, embed_dims)
        self.branches = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Conv1d(embed_dims, embed_dims, 1), nn.BatchNorm1d(embed_dims), nn.PReLU())
                for name in streams
            }
        )
        self.norm = nn.LayerNorm(embed_dims, NORM_EPS)

    def forward(self, overall: Tensor, streams: Mapping[str, Tensor], padding: Mapping[str, Tensor]) -> Tensor:
        """Maps ``overall (B, N, D)`` and ``(B, N_i, D)`` by stream to ``(B, N, D)``; padding adds nothing.

        Raises:
            ValueError: If a batch has one token in training, of which batch norm has no variance.
        """
        if self.training and overall.shape[0] * overall.shape[1] == 1:
            raise ValueError(
                'IterativeCorrelationFusion norms over the batch, so training needs at least 2 clips per batch and '
                'device; raise the batch size or set drop_last=True in train_dataloader'
            )
        refined = overall
        for name, branch in self.branches.items():
            values, padded = streams[name], padding.get(name)
            if padded is None:
                found = _resembling(overall, values)
                refined = refined + branch(found.transpose(1, 2)).transpose(1, 2)
                continue
            is_absent = padded.all(dim=1)[:, None, None]  # (B, 1, 1)
            attended = (~padded).unsqueeze(1) | is_absent  # (B, 1, N_i)
            found = _resembling(overall, values, attended.unsqueeze(1)).masked_fill(is_absent, 0)
            refined = refined + branch(found.transpose(1, 2)).transpose(1, 2).masked_fill(is_absent, 0)
        output: Tensor = self.norm(refined)
        return output


def _resembling(x: Tensor, values: Tensor, attended: Tensor | None = None) -> Tensor:
    """Lets ``(B, N, D)`` attend to ``(B, N', D)`` without projections: ``(B, N, D)``; ONNX needs an axis of heads."""
    one_head = values.unsqueeze(1)  # (B, 1, N', D)
    return F.scaled_dot_product_attention(x.unsqueeze(1), one_head, one_head, attended).squeeze(1)


class LayerMix(nn.Module):
    """Sums what all layers give for a token, weighted; the layers attend to each other before.

    Args:
        embed_dims: Width D.
        num_heads: Number of heads.
        mlp_ratio: Hidden width of the MLP over D.
        qkv_bias: Whether queries and values are biased.
    """

    def __init__(self, embed_dims: int, num_heads: int, mlp_ratio: float, qkv_bias: bool) -> None:
        super().__init__()
        self.block = Block(embed_dims, num_heads, mlp_ratio, qkv_bias)
        self.select = nn.Linear(embed_dims, 1)

    def forward(self, layers: Sequence[Tensor]) -> Tensor:
        """Mixes L tensors ``(B, N, D)`` to one."""
        stacked = torch.stack(list(layers), dim=2).flatten(0, 1)  # (B * N, L, D)
        stacked = self.block(stacked)
        mixed = (self.select(stacked).sigmoid() * stacked).sum(dim=1)  # (B * N, D)
        output: Tensor = mixed.unflatten(0, layers[0].shape[:2])  # (B, N, D)
        return output


def _layer_weights(
    streams: Mapping[str, int], num_layers: Mapping[str, int] | None, grids: Mapping[str, Sequence[int]] | None
) -> nn.ParameterDict:
    """Returns equal weights of the layers of each stream's encoder.

    Raises:
        ValueError: If the encoders do not have one token for each other's.
    """
    counts = {name: prod(grids[name]) for name in streams if grids and name in grids}
    if num_layers is None or len(counts) < len(streams) or len(set(counts.values())) != 1:
        raise ValueError(
            "overall='layers' of IterativeCorrelationFusion needs encoders with a grid and equally many tokens, got "
            f"{counts}; encoders of regions (tokens='regions') with as many regions fit, and overall='means' fits all"
        )
    return nn.ParameterDict(
        {name: nn.Parameter(torch.full((num_layers[name],), 1 / num_layers[name])) for name in streams}
    )


@MODELS.register_module()
class IterativeCorrelationFusion(BaseFusion):
    """Fuses the streams as AVF-MAE++ does (Wu et al., 2025).

    In every layer both streams attend to themselves and to the *previous* layer's values of the other, and gates join
    the results. After every layer, tokens of the whole clip are refined by the streams. At last each stream mixes its
    layers and attends to the tokens of the whole clip.

    Args:
        streams: Width of each of the two streams, which must agree; injected by the model.
        depth: Number of layers.
        num_heads: Heads of all attentions.
        mlp_ratio: Hidden width of the MLPs over D.
        qkv_bias: Whether queries and values are biased.
        drop_path_rate: Drop-path probability of the last layer; grows linearly from 0 at the first.
        overall: The tokens of the whole clip. ``'means'``: one token, the means of both streams side by side, as in the
            published pre-training. ``'layers'``: one for each place, such as a region; of each stream a learned mix of
            all encoder layers at that place, side by side, as in the published fine-tuning.
        num_layers: Layers of each stream's encoder; injected by the model.
        grids: Tokens per axis of the encoders; injected by the model.
        checkpoint_activations: Recompute the layers' activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If there are not exactly two streams, they differ in width, or ``overall='layers'`` is used with
            encoders of different numbers of tokens.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.fusion import IterativeCorrelationFusion
        >>> fusion = IterativeCorrelationFusion(dict(video=8, audio=8), depth=1, num_heads=2).eval()
        >>> fused = fusion(dict(video=torch.randn(1, 5, 8), audio=torch.randn(1, 3, 8)))
        >>> {name: tuple(tokens.shape) for name, tokens in fused.items()}
        {'video': (1, 5, 8), 'audio': (1, 3, 8)}
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        depth: int = 2,
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.0,
        overall: str = 'means',
        num_layers: Mapping[str, int] | None = None,
        grids: Mapping[str, Sequence[int]] | None = None,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(streams, init_cfg)
        if len(streams) != 2:
            raise ValueError(
                f'IterativeCorrelationFusion fuses exactly two streams, got {list(streams)}; use another fusion'
            )
        if overall not in OVERALL:
            raise ValueError(f'overall must be one of {OVERALL}, got {overall!r}')
        self.checkpoint_activations = checkpoint_activations
        self.layer_weights = _layer_weights(self.out_dims, num_layers, grids) if overall == 'layers' else None
        width, self.depth = self.common_width(streams), depth
        rates = torch.linspace(0, drop_path_rate, depth, device='cpu').tolist()
        self.blocks: Mapping[str, nn.ModuleList] = nn.ModuleDict(  # type: ignore[assignment]
            {
                name: nn.ModuleList(GatedCrossLayer(width, num_heads, mlp_ratio, qkv_bias, rate) for rate in rates)
                for name in streams
            }
        )
        self.refinement = OverallRefinement(list(streams), width)
        self.mixes = nn.ModuleDict({name: LayerMix(width, num_heads, mlp_ratio, qkv_bias) for name in streams})
        self.query_norms = nn.ModuleDict({name: nn.LayerNorm(width, NORM_EPS) for name in streams})
        self.context_norm = nn.LayerNorm(width, NORM_EPS)
        self.cross_attn = CrossAttention(width, num_heads, qkv_bias)  # the same for both streams
        self.mlp_norms = nn.ModuleDict({name: nn.LayerNorm(width, NORM_EPS) for name in streams})
        self.mlps = nn.ModuleDict({name: Mlp(width, int(width * mlp_ratio)) for name in streams})
        self.apply(init_transformer)

    def forward(
        self,
        tokens: dict[str, Tensor],
        padding_masks: dict[str, Tensor] | None = None,
        hidden: dict[str, Sequence[Tensor]] | None = None,
    ) -> dict[str, Tensor]:
        """See :meth:`BaseFusion.forward`."""
        padding = padding_masks or {}
        if self.layer_weights is None:
            means = [mean_tokens(tokens[name], padding.get(name)) for name in self.out_dims]
            overall = torch.cat(means, dim=-1).unsqueeze(1)  # (B, 1, 2D)
        else:
            overall = self._mixed_layers(hidden or {})
        return self.fuse(tokens, overall, padding)[0]

    def _mixed_layers(self, hidden: Mapping[str, Sequence[Tensor]]) -> Tensor:
        """Returns ``(B, N, 2D)``: the mixes of the layers of both streams, side by side."""
        assert self.layer_weights is not None
        mixes = [
            torch.einsum('l,lbnd->bnd', self.layer_weights[name].softmax(dim=0), torch.stack(list(hidden[name])))
            for name in self.out_dims
        ]
        num_tokens = max(mix.shape[1] for mix in mixes)
        # a stream that no clip of the batch has comes as one token of 0
        return torch.cat([mix.expand(-1, num_tokens, -1) for mix in mixes], dim=-1)

    def fuse(
        self, tokens: Mapping[str, Tensor], overall: Tensor, padding: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Fuses the streams with given tokens of the whole clip, ``overall (B, N, 2D)``.

        Returns:
            ``(B, N_i, D)`` by stream, and the refined tokens of the whole clip ``(B, N, D)``.
        """
        states = [{name: tokens[name] for name in self.out_dims}]
        overall = self.refinement.project(overall)  # (B, N, D)
        for layer in range(self.depth):
            states.append(self._layer(layer, states[-1], padding))
            overall = self.refinement(overall, states[-1], padding)
        context = self.context_norm(overall)
        fused = {}
        for name, mix in self.mixes.items():
            x = mix([state[name] for state in states[1:]])
            x = x + self.cross_attn(self.query_norms[name](x), context)
            fused[name] = x + self.mlps[name](self.mlp_norms[name](x))
        return fused, overall

    def _layer(self, layer: int, state: dict[str, Tensor], padding: Mapping[str, Tensor]) -> dict[str, Tensor]:
        first, second = self.out_dims
        return {
            name: run_block(
                self.blocks[name][layer],
                state[name],
                state[other],
                padding.get(name),
                padding.get(other),
                recompute=self.checkpoint_activations,
            )
            for name, other in ((first, second), (second, first))
        }

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseFusion.layer_id`."""
        return int(name.split('.')[2]) if name.startswith('blocks.') else None
