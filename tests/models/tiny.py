"""Models small enough for unit tests: video (B, 3, 4, 32, 32) with 8 tokens, audio (B, 1, 32, 32) with 4."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.registry import MODELS

VIDEO_TOKENS, AUDIO_TOKENS, WIDTH, DEPTH = 8, 4, 16, 3


def encoder_config(stream: str, **options: Any) -> dict[str, Any]:
    embed = {
        'video': dict(type='TubeletEmbed', image_size=32, num_frames=4),
        'audio': dict(type='SpectrogramEmbed', num_frames=32, num_mel_bins=32),
    }[stream]
    base = dict(type='VisionTransformerEncoder', patch_embed=embed, embed_dims=WIDTH, depth=DEPTH, num_heads=2)
    return base | options


def encoder_configs(*streams: str) -> dict[str, Any]:
    return {name: encoder_config(name) for name in streams or ('video', 'audio')}


def recognizer_config(*streams: str, **options: Any) -> dict[str, Any]:
    config = dict(
        type='AudioVisualRecognizer',
        encoders=encoder_configs(*streams),
        fusion=dict(type='CrossModalFusion', depth=2, num_heads=2) if len(streams) != 1 else None,
        head=dict(type='ClassificationHead', num_classes=3, init_scale=1.0),
    )
    return config | options


def pretrainer_config(**options: Any) -> dict[str, Any]:
    decoder = dict(type='HierarchicalDecoder', embed_dims=12, depth=3, num_heads=2)
    head = dict(type='ReconstructionHead', loss=dict(type='MaskedMSELoss'))
    config = dict(
        type='AudioVisualPretrainer',
        encoders=encoder_configs(),
        fusion=dict(type='CrossModalFusion', depth=1, num_heads=2),
        decoders=dict(video=decoder, audio=decoder),
        heads=dict(
            video=head | dict(target=dict(type='VideoPatchTarget')),
            audio=head | dict(target=dict(type='SpectrogramPatchTarget')),
        ),
        contrastive=dict(type='HierarchicalContrastiveHead', layers=(0, 2)),
        skip_layers=(0, 1),
    )
    return config | options


def build(config: dict[str, Any], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return MODELS.build(config)


def inputs(batch: int = 2, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        'video': torch.randn(batch, 3, 4, 32, 32, generator=generator),
        'audio': torch.randn(batch, 1, 32, 32, generator=generator),
    }


def masks(batch: int = 2, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = {}
    for name, tokens, masked in (('video', VIDEO_TOKENS, 5), ('audio', AUDIO_TOKENS, 2)):
        order = torch.rand(batch, tokens, generator=generator).argsort(dim=1)
        hidden[name] = order < masked
    return hidden
