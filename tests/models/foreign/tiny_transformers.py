"""Tiny random models of transformers, one of each kind, as configs and as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hicmae_mm.structures import Padded, Stream

_BLOCKS = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2)
_IMAGE = dict(_BLOCKS, image_size=32, patch_size=16)
_WAVE = dict(
    _BLOCKS,
    conv_dim=[8, 8],
    conv_kernel=[10, 4],
    conv_stride=[5, 4],
    num_feat_extract_layers=2,
    num_conv_pos_embeddings=8,
    num_conv_pos_embedding_groups=2,
)
_TEXT = dict(_BLOCKS, vocab_size=30, max_position_embeddings=40)
IMAGES: dict[str, dict[str, Any]] = {
    'clip_vision_model': _IMAGE,
    'siglip_vision_model': _IMAGE,
    'dinov2': dict(_IMAGE, mlp_ratio=2),
    'dinov3_vit': dict(_IMAGE, num_register_tokens=2),
    'vit': _IMAGE,
}
WAVEFORMS: dict[str, dict[str, Any]] = {
    'wav2vec2': _WAVE,
    'hubert': dict(_WAVE, feat_extract_norm='layer', do_stable_layer_norm=True),
    'wavlm': _WAVE,
    'data2vec-audio': dict(_WAVE, num_conv_pos_embeddings=2, conv_pos_kernel_size=3),
}
SPECTROGRAMS: dict[str, dict[str, Any]] = {
    'whisper': dict(
        d_model=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=24,
        num_mel_bins=80,
        max_source_positions=50,
        vocab_size=40,
        pad_token_id=1,
        bos_token_id=1,
        eos_token_id=1,
        decoder_start_token_id=1,
    ),
    'audio-spectrogram-transformer': dict(_BLOCKS, max_length=64, num_mel_bins=32, patch_size=16),
    'clap_audio_model': dict(
        hidden_size=32,
        patch_embeds_hidden_size=8,
        depths=[1, 1, 1],
        num_attention_heads=[1, 2, 2],
        num_hidden_layers=3,
        spec_size=64,
        num_mel_bins=16,
        window_size=4,
        enable_fusion=True,
        enable_patch_fusion=True,
        projection_dim=8,
    ),
}
TEXTS: dict[str, dict[str, Any]] = {'bert': _TEXT, 'roberta': dict(_TEXT, pad_token_id=1), 'deberta-v2': _TEXT}
KINDS = IMAGES | WAVEFORMS | SPECTROGRAMS | TEXTS


def config(name: str) -> dict[str, Any]:
    """The config of a kind, for ``TransformersEncoder(config=...)``."""
    return dict(KINDS[name], model_type=name)


def library_model(name: str) -> Any:
    """The library's own model, in evaluation mode, with random weights."""
    import transformers
    from transformers import AutoConfig, AutoModel

    torch.manual_seed(0)
    settings = AutoConfig.for_model(**config(name))
    if name == 'clap_audio_model':
        model = transformers.ClapAudioModelWithProjection(settings)
    else:
        model = AutoModel.from_config(settings)
    for parameter in model.parameters():  # norms and biases with values of their own
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def save(name: str, folder: Path) -> Any:
    """Saves a random model of a kind to a folder, and returns it."""
    model = library_model(name)
    model.save_pretrained(folder)
    return model


def inputs(name: str) -> Stream:
    """Two clips, of different lengths where the kind can have them."""
    generator = torch.Generator().manual_seed(1)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    if name in IMAGES:
        return noise(2, 3, 2, 32, 32)
    if name in WAVEFORMS:
        return Padded.stack([noise(900), noise(541)])
    if name in TEXTS:
        return Padded.stack([torch.randint(3, 30, (length,), generator=generator) for length in (7, 4)])
    size = {'whisper': (100, 80), 'audio-spectrogram-transformer': (64, 32), 'clap_audio_model': (200, 16)}[name]
    return noise(2, 1, *size)
