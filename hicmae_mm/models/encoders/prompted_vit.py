"""Defines a plain vision transformer with class token and prompt tokens, per frame or per spectrogram."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from hicmae_mm.models.building import build_slot
from hicmae_mm.models.encoders.base import BaseEncoder, EncoderOutput
from hicmae_mm.models.layers import ImageEmbed, PatchEmbed
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Stream, TokenMask

EXAMPLE_FRAMES = 16
NORM: Any = partial(nn.LayerNorm, eps=NORM_EPS)  # timm's annotations know classes only


@MODELS.register_module()
class PromptedViTEncoder(BaseEncoder):
    """Applies timm's vision transformer blocks to [class token, patches, prompts], for a pre-trained and frozen body.

    A video is encoded frame by frame. After the first block, and again after every ``prompt_interval`` blocks,
    a learned vector is added to the next prompts. Source: MMA-DFER (Chumachenko et al., 2024).

    The parameters to freeze are ``patch_embed``, ``cls_token``, ``blocks`` and ``norm``; the published system trains
    positions and prompts.

    Args:
        patch_embed: The slot that decides the modality: ``ImageEmbed`` for the frames of a video, ``SpectrogramEmbed``.
        embed_dims: Width D.
        depth: Number of blocks L, a multiple of ``prompt_interval``.
        num_heads: Heads per block.
        mlp_ratio: Hidden width of the MLPs over D.
        num_prompts: Prompts that are renewed at a time.
        prompt_interval: Blocks between two renewals.
        drop_path_rate: Drop-path probability of the last block; grows linearly from 0 at the first.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the depth is not a multiple of ``prompt_interval``.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.encoders import PromptedViTEncoder
        >>> patches = dict(type='SpectrogramEmbed', num_frames=32, num_mel_bins=32)
        >>> encoder = PromptedViTEncoder(patches, embed_dims=8, depth=1, num_heads=2, prompt_interval=1)
        >>> encoder(torch.randn(1, 1, 32, 32)).tokens.shape
        torch.Size([1, 4, 8])
    """

    def __init__(
        self,
        patch_embed: dict[str, Any] | PatchEmbed,
        embed_dims: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        mlp_ratio: float = 4.0,
        num_prompts: int = 3,
        prompt_interval: int = 6,
        drop_path_rate: float = 0.0,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        from timm.models.vision_transformer import Block  # importing timm takes a second

        if depth % prompt_interval:
            raise ValueError(f'depth={depth} is not a multiple of prompt_interval={prompt_interval}')
        self.patch_embed: PatchEmbed = build_slot(patch_embed, 'patch_embed', embed_dims=embed_dims)
        self.embed_dims, self.depth, self.prompt_interval = embed_dims, depth, prompt_interval
        self.num_prompts = num_prompts
        total_prompts = num_prompts * (depth // prompt_interval)
        num_patches = torch.Size(self.patch_embed.grid).numel()
        self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dims) * 0.02)
        self.prompts = nn.Parameter(torch.randn(total_prompts, embed_dims))
        self.prompt_updates = nn.ParameterList(
            [nn.Parameter(torch.randn(num_prompts, embed_dims)) for _ in range(depth // prompt_interval)]
        )
        self.positions = nn.Parameter(torch.randn(1, 1 + num_patches + total_prompts, embed_dims) * 0.02)
        rates = torch.linspace(0, drop_path_rate, depth, device='cpu').tolist()
        self.blocks = nn.ModuleList(
            Block(embed_dims, num_heads, mlp_ratio, qkv_bias=True, drop_path=rate, norm_layer=NORM) for rate in rates
        )
        self.norm = NORM(embed_dims)

    def forward(self, x: Tensor, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """Encodes ``(B, 3, T, H, W)`` frame by frame, or spectrograms ``(B, 1, T, F)``.

        Returns:
            Patch tokens ``(B, frames * N, D)``; ``summary`` are the class tokens, ``(B, frames, D)``.
        """
        if mask is not None:
            raise ValueError('PromptedViTEncoder takes no mask; it is for fine-tuning')
        tokens, layers = self.embed(x), []
        for index in range(self.depth):
            tokens = self.renew_prompts(self.blocks[index](tokens), index)
            layers.append(tokens)
        return self.output(layers, len(x))

    def embed(self, x: Tensor) -> Tensor:
        """Tokens in front of the first block: ``(B * frames, 1 + N + P, D)``."""
        images = rearrange(x, 'b c t h w -> (b t) c h w') if x.ndim == 5 else x
        patches = self.patch_embed(images)  # (B*T, N, D)
        count = len(patches)
        sequence = torch.cat([self.cls_token.expand(count, -1, -1), patches, self.prompts.expand(count, -1, -1)], dim=1)
        return sequence + self.positions

    def renew_prompts(self, tokens: Tensor, index: int) -> Tensor:
        """Adds the learned vectors to the prompts that come after block ``index``, if any do."""
        step, rest = divmod(index, self.prompt_interval)
        if rest:
            return tokens
        first = tokens.shape[1] - len(self.prompts) + step * self.num_prompts
        before, prompts, after = tokens.split(
            [first, self.num_prompts, tokens.shape[1] - first - self.num_prompts], dim=1
        )
        return torch.cat([before, prompts + self.prompt_updates[step], after], dim=1)

    def output(self, layers: list[Tensor], batch_size: int) -> EncoderOutput:
        """Norms the tokens ``(B * frames, 1 + N + P, D)`` of every layer and sorts them by what they are."""
        normed = [self.norm(layer) for layer in layers]
        num_patches = normed[0].shape[1] - 1 - len(self.prompts)
        hidden = tuple(
            rearrange(layer[:, 1 : 1 + num_patches], '(b t) n d -> b (t n) d', b=batch_size) for layer in normed
        )
        classes = rearrange(normed[-1][:, 0], '(b t) d -> b t d', b=batch_size)
        return EncoderOutput(hidden[-1], hidden, summary=classes)

    def split_steps(self, tokens: Tensor, x: Stream) -> Tensor:  # noqa: ARG002
        """See :meth:`BaseEncoder.split_steps`; a step is a frame of a video, or a column of a spectrogram's patches."""
        grid = self.patch_embed.grid
        per_step = grid[0] * grid[1] if isinstance(self.patch_embed, ImageEmbed) else grid[1]
        steps: Tensor = tokens.unflatten(1, (-1, per_step))
        return steps

    def example_input(self, batch_size: int, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`BaseEncoder.example_input`; a video has 16 frames."""
        embed = self.patch_embed
        frames = (EXAMPLE_FRAMES,) if isinstance(embed, ImageEmbed) else ()
        return torch.randn(batch_size, embed.in_channels, *frames, *embed.size, generator=generator)

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseEncoder.layer_id`."""
        if name.startswith('blocks.'):
            return int(name.split('.')[1]) + 1
        return None if name.startswith('norm.') else 0
