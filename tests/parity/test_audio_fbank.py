"""The filterbank against the published one, from the waves and from the files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hicmae_mm.datasets.transforms.audio_io import Filterbank, LoadAudio
from hicmae_mm.datasets.transforms.temporal import AudioSpan
from tests.parity.conftest import read_parity

# values are about 1; products of other processors round differently, which the logarithm of a quiet band magnifies
ATOL = 1e-4


def _cases(parity_dir: Path) -> tuple[Filterbank, int, dict[str, torch.Tensor], list[str]]:
    meta, tensors = read_parity(parity_dir / 'audio_fbank.safetensors')
    transform = Filterbank(meta['num_mel_bins'], meta['target_length'], meta['mean'], meta['std'])
    numbers = sorted(key.split('.')[1] for key in tensors if key.startswith('fbank.'))
    assert numbers
    return transform, meta['sample_rate'], tensors, numbers


def test_filterbank_of_waves(parity_dir: Path) -> None:
    transform, rate, tensors, numbers = _cases(parity_dir)
    for number in numbers:
        result = transform.filterbank(tensors[f'wave_int16.{number}'].float() / 32768, rate)
        torch.testing.assert_close(result, tensors[f'fbank.{number}'], rtol=1e-5, atol=ATOL)


def test_filterbank_of_files(parity_dir: Path) -> None:
    transform, rate, tensors, numbers = _cases(parity_dir)
    files = [(number, parity_dir / f'speech_{number}.wav') for number in numbers]
    existing = [(number, path) for number, path in files if path.is_file()]
    if not existing:
        pytest.fail(f'no speech_*.wav next to {parity_dir / "audio_fbank.safetensors"}')
    for number, path in existing:
        results = dict(streams=('audio',), audio_path=str(path), video_path=None, audio_spans=[AudioSpan(0.0, 1.0)])
        results = transform(LoadAudio(rate)(results))
        torch.testing.assert_close(results['spectrograms'][0], tensors[f'fbank.{number}'], rtol=1e-5, atol=ATOL)
