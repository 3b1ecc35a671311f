"""TPSBT: a temporal pyramid with a spatial bottleneck (Sun et al., 2024, SVFAP)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from hicmae_mm.models.building import init_transformer
from hicmae_mm.models.encoders.base import EncoderOutput
from hicmae_mm.models.encoders.patches import PatchEncoder
from hicmae_mm.models.layers import Block, CrossBlock, Mlp, PatchEmbed, run_block
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import TokenMask, as_token_mask, refuse_unless

SCORER_DIMS = 128  # hidden width of the published bottleneck, whatever the width of the model


class TemporalHalving(nn.Conv1d):
    """Makes one time step of every two, at each position of a frame.

    Args:
        embed_dims: Width D.
    """

    def __init__(self, embed_dims: int) -> None:
        super().__init__(embed_dims, embed_dims, kernel_size=2, stride=2)

    def forward(self, x: Tensor, num_steps: int) -> Tensor:  # type: ignore[override]
        """Maps ``(B, T * P, D)`` to ``(B, T / 2 * P, D)`` for T steps, in order of time."""
        lines = rearrange(x, 'b (t p) d -> (b p) d t', t=num_steps)
        per_frame = x.shape[1] // num_steps
        tokens: Tensor = rearrange(super().forward(lines), '(b p) d t -> b (t p) d', p=per_frame)
        return tokens


class SpatialBottleneck(nn.Module):
    """Makes a few tokens of those of a frame: weighted sums, by weights that an MLP draws from each token.

    Args:
        embed_dims: Width D.
        num_tokens: Tokens of a frame that it makes.
    """

    def __init__(self, embed_dims: int, num_tokens: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dims, eps=NORM_EPS)
        self.mlp = Mlp(embed_dims, SCORER_DIMS, out_dims=num_tokens)

    def forward(self, x: Tensor, num_steps: int) -> Tensor:
        """Maps ``(B, T * P, D)`` to ``(B, T * num_tokens, D)`` for T steps.

        The sums are of the tokens before the norm.
        """
        scores = rearrange(self.mlp(self.norm(x)), 'b (t p) k -> b t k p', t=num_steps)
        frames = rearrange(x, 'b (t p) d -> b t p d', t=num_steps)
        sums: Tensor = scores.softmax(dim=-1) @ frames
        return sums.flatten(1, 2)  # (B, T, K, D) -> (B, T * K, D)


@MODELS.register_module()
class TPSBTEncoder(PatchEncoder):
    """Stages of half the time steps each, whose blocks work on a few tokens per frame.

    The first stage is a plain vision transformer. Every later one halves the time steps, draws a few tokens from every
    frame, and lets these attend to the stage's tokens and to themselves in all of its blocks but the last. In the last
    one the stage's tokens attend to them.

    While patches are masked, the output has a token for each visible patch: the sum of all stages' outputs, the later
    ones repeated along time. The visible patches must be the same in every frame (``TubeMask``). When nothing is
    masked, the output is that of the last stage.

    Args:
        patch_embed: The slot that decides the modality; its grid has three axes, time first.
        embed_dims: Width D.
        stage_depths: Blocks of each stage.
        num_heads: Heads per block.
        bottleneck_tokens: Tokens per frame of the later stages, one number for all of them or one for each.
        mlp_ratio: Hidden width of the MLPs over D.
        qkv_bias: Whether queries and values are biased.
        drop_path_rate: Drop-path probability of the last block; grows linearly from 0 at the first.
        final_norm: Whether outputs pass a LayerNorm. The published fine-tuning has none in the encoder.
        published_pretraining: Reproduce two faults of the published pre-training. The last block of a later stage
            attends to all embedded patches, **masked ones included**, in place of the bottleneck's tokens, which
            thereby have no effect. And the later stages' tokens are not repeated for the frames that they belong to.
            It has no effect when nothing is masked.
        checkpoint_activations: Recompute the blocks' activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation config, e.g. a checkpoint for this encoder alone.

    Raises:
        ValueError: If patches have no time axis, the time steps cannot be halved for every later stage, or
            not one number of bottleneck tokens for each later stage.

    Example:
        >>> embed = dict(type='TubeletEmbed', image_size=32, num_frames=8)
        >>> encoder = TPSBTEncoder(embed, embed_dims=16, stage_depths=(1, 2), num_heads=2, bottleneck_tokens=2)
        >>> encoder(torch.zeros(1, 3, 8, 32, 32)).tokens.shape
        torch.Size([1, 8, 16])
    """

    gives_summary = False

    def __init__(
        self,
        patch_embed: dict[str, Any] | PatchEmbed,
        embed_dims: int = 512,
        stage_depths: Sequence[int] = (12, 6, 3),
        num_heads: int = 8,
        bottleneck_tokens: int | Sequence[int] = 8,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.0,
        final_norm: bool = True,
        published_pretraining: bool = False,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        depth = sum(stage_depths)
        super().__init__(
            patch_embed, embed_dims, depth, checkpoint_activations=checkpoint_activations, init_cfg=init_cfg
        )
        num_later = len(stage_depths) - 1
        tokens = [bottleneck_tokens] * num_later if isinstance(bottleneck_tokens, int) else list(bottleneck_tokens)
        self._check_stages(stage_depths, tokens)
        self.stage_depths, self.published_pretraining = tuple(stage_depths), published_pretraining
        rates = torch.linspace(0, drop_path_rate, depth, device='cpu').tolist()
        self.blocks = nn.ModuleList(
            (Block if i < stage_depths[0] else CrossBlock)(embed_dims, num_heads, mlp_ratio, qkv_bias, rates[i])
            for i in range(depth)
        )
        self.temporal_downsamples = nn.ModuleList(TemporalHalving(embed_dims) for _ in range(num_later))
        self.spatial_downsamples = nn.ModuleList(SpatialBottleneck(embed_dims, count) for count in tokens)
        self.norm = nn.LayerNorm(embed_dims, eps=NORM_EPS) if final_norm else nn.Identity()
        self.apply(init_transformer)

    def _check_stages(self, stage_depths: Sequence[int], tokens: Sequence[int]) -> None:
        num_later = len(stage_depths) - 1
        if num_later < 0 or min(stage_depths) < 1:
            raise ValueError(f'stage_depths must be numbers of blocks from 1 on, got {tuple(stage_depths)}')
        if len(tokens) != num_later or min(tokens, default=1) < 1:
            raise ValueError(
                f'bottleneck_tokens must be one number for each of the {num_later} later stages, got {list(tokens)}'
            )
        if len(self.grid) != 3 or self.grid[0] % 2**num_later:
            raise ValueError(
                f'{num_later} later stages halve the time steps {num_later} times, but the patches form a grid of '
                f'{self.grid}; it needs three axes, the first a multiple of {2**num_later}'
            )

    @property
    def output_grid(self) -> tuple[int, ...]:
        """See :attr:`MaskableEncoder.output_grid`."""
        return self.grid[0] // 2 ** (len(self.stage_depths) - 1), *self.grid[1:]

    @property
    def skip_layers(self) -> range:
        """See :attr:`MaskableEncoder.skip_layers`."""
        return range(self.stage_depths[0])

    def forward(self, x: Tensor, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """See :meth:`BaseEncoder.forward`; accepts masks that are the same in every frame."""
        where = None if mask is None else as_token_mask(mask)
        tokens = self.embed(x, where)  # (B, K, D)
        leaked = self.embed(x) if where is not None and self.published_pretraining else None  # (B, N, D)
        hidden, blocks = [], iter(self.blocks)
        for _ in range(self.stage_depths[0]):
            tokens = self._run(next(blocks), tokens)
            hidden.append(tokens)
        total, steps = tokens, self.grid[0]
        for stage, depth in enumerate(self.stage_depths[1:], start=1):
            context, steps = self.temporal_downsamples[stage - 1](tokens, steps), steps // 2
            layers = self._later_stage(
                blocks, depth, context, self.spatial_downsamples[stage - 1](context, steps), leaked
            )
            hidden += layers
            tokens = layers[-1]
            if where is not None:
                total = total + self._full_length(tokens, steps)
        normed = tuple(self.norm(layer) for layer in hidden)
        return EncoderOutput(normed[-1] if where is None else self.norm(total), normed)

    def _later_stage(
        self, blocks: Iterator[nn.Module], depth: int, context: Tensor, bottleneck: Tensor, leaked: Tensor | None
    ) -> list[Tensor]:
        """Tokens after each block of a stage."""
        layers = []
        for _ in range(depth - 1):
            bottleneck = self._run(next(blocks), bottleneck, context)
            layers.append(bottleneck)
        layers.append(self._run(next(blocks), context, bottleneck if leaked is None else leaked))
        return layers

    def _run(self, block: nn.Module, *inputs: Tensor) -> Tensor:
        return run_block(block, *inputs, recompute=self.checkpoint_activations)

    def _full_length(self, tokens: Tensor, num_steps: int) -> Tensor:
        """Repeats the tokens of a stage, ``(B, num_steps * P, D)``, for all time steps: ``(B, T * P, D)``."""
        steps = num_steps * 2 if self.published_pretraining else num_steps
        repeated: Tensor = repeat(tokens, 'b (t p) d -> b (t r p) d', t=steps, r=self.grid[0] // num_steps)
        return repeated

    def check_mask(self, mask: TokenMask) -> None:
        """Raises ValueError when a mask has another grid, or is not the same in every frame."""
        super().check_mask(mask)
        per_frame, rest = divmod(mask.visible.shape[1], self.grid[0])
        frames = mask.mask.unflatten(1, (self.grid[0], -1))  # (B, T, P)
        message = (
            'TPSBTEncoder halves the time steps at each position of a frame: the same patches must be visible in '
            'every frame; use the transform TubeMask or SymmetricWindowMask'
        )
        if rest:
            raise ValueError(message)
        refuse_unless((frames == frames[:, :1]).all(), message)
        if self.published_pretraining and per_frame % 2:
            raise ValueError(
                f'published_pretraining needs an even number of visible patches per frame, got {per_frame}; change the '
                'mask ratio'
            )
