"""Spectrograms as the models of transformers take them, by the config of a model."""

from __future__ import annotations

from typing import Any

# axes of a spectrogram as the models take it; ours is (B, 1, T, F)
SPECTROGRAM_AXES = {
    'whisper': 'b 1 t f -> b f t',
    'audio-spectrogram-transformer': 'b 1 t f -> b t f',
    'clap_audio_model': 'b 1 t f -> b 1 t f',
}


def spectrogram_size(config: Any) -> tuple[int, int]:
    """Returns the time steps and mel bins of a spectrogram; CLAP takes fewer time steps as well."""
    if config.model_type == 'whisper':
        return 2 * config.max_source_positions, config.num_mel_bins
    if config.model_type == 'clap_audio_model':
        return config.spec_size * (config.spec_size // config.num_mel_bins), config.num_mel_bins
    return config.max_length, config.num_mel_bins


def rows_of_patches(config: Any) -> int:
    """Patches of a time step, of models whose tokens are sorted by frequency first; 0 for all others."""
    if config.model_type == 'audio-spectrogram-transformer':
        return int((config.num_mel_bins - config.patch_size) // config.frequency_stride + 1)
    if config.model_type == 'clap_audio_model':  # it puts parts of the clip one below the other, as a square picture
        parts = config.spec_size // config.num_mel_bins
        return int(config.spec_size // 2 ** (len(config.depths) - 1) // config.patch_stride[0] // parts)
    return 0
