"""Corruption of test clips: recorded noise, and blur (MER2023, MER-NOISE)."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.noise import as_int16, as_waveform, mix_noise, noise_piece
from hicmae_mm.datasets.readers.audio import open_audio
from hicmae_mm.datasets.resampling import resample_waveform
from hicmae_mm.registry import TRANSFORMS

_SUFFIXES = ('.wav', '.flac')


def clip_generator(results: dict[str, Any], seed: int | None) -> np.random.Generator:
    """Returns a generator for each clip, so that its corruption is the same in every test; ``None`` means a new one."""
    if seed is None:
        return np.random.default_rng(np.random.randint(1 << 31))
    return np.random.default_rng((seed, zlib.crc32(str(results.get('sample_id', '')).encode())))


@TRANSFORMS.register_module()
class AddNoise(BaseTransform):
    """Adds a random piece of recorded noise to each waveform, at a random signal-to-noise ratio.

    Recordings that are shorter than the waveform are joined. The sum is computed in 16-bit samples, as if the noisy
    sound had been written to a file. Put the transform behind ``LoadAudio``.

    Required keys: ``waveforms``, ``sample_rate_hz``. Without waveforms (no audio stream) nothing happens.

    Args:
        noise: Folder of recordings (.wav, .flac; searched recursively), such as MUSAN's, or one recording.
        snr_db: Ratios to draw from, in decibels. MER2023 draws from 5 to 10.
        seed: A clip gets the same noise in every test. ``None`` means it gets other noise each time, for training.

    Raises:
        FileNotFoundError: If there is no recording.
        ValueError: If there is no ratio.
    """

    def __init__(self, noise: str, snr_db: Sequence[float] = (5, 6, 7, 8, 9, 10), seed: int | None = 0) -> None:
        if not snr_db:
            raise ValueError('snr_db is empty; name at least one signal-to-noise ratio in decibels')
        path = Path(noise)
        self.recordings = [path] if path.is_file() else sorted(p for p in path.rglob('*') if p.suffix in _SUFFIXES)
        if not self.recordings:
            raise FileNotFoundError(f'noise: {noise} is neither a recording nor a folder of .wav or .flac files')
        self.snr_db = tuple(float(ratio) for ratio in snr_db)
        self.seed = seed

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds noise to the waveforms.

        Raises:
            MediaError: If a recording cannot be read.
        """
        if 'waveforms' not in results:
            return results
        generator = clip_generator(results, self.seed)
        snr_db = self.snr_db[int(generator.integers(len(self.snr_db)))]
        results['waveforms'] = [
            self._noisy(waveform, results['sample_rate_hz'], snr_db, generator) for waveform in results['waveforms']
        ]
        return results

    def _noisy(
        self, waveform: np.ndarray, sample_rate_hz: int, snr_db: float, generator: np.random.Generator
    ) -> np.ndarray:
        noise = noise_piece(len(waveform), lambda: self._recording(sample_rate_hz, generator), generator)
        return as_waveform(mix_noise(as_int16(waveform), noise, snr_db))

    def _recording(self, sample_rate_hz: int, generator: np.random.Generator) -> np.ndarray:
        reader = open_audio(self.recordings[int(generator.integers(len(self.recordings)))])
        try:
            waveform = reader.read(0, reader.num_samples)
            return as_int16(resample_waveform(waveform, reader.sample_rate_hz, sample_rate_hz))
        finally:
            reader.close()


@TRANSFORMS.register_module()
class PyramidBlur(BaseTransform):
    """Shrinks and enlarges all frames of a clip by Gaussian pyramids, at a random rate (MER2023, MER-NOISE).

    Frames of odd size grow to the next size that the pyramid can halve; put the transform before the resizing.

    Required key: ``imgs``. Changed keys: ``imgs``, ``img_shape``. Without frames (no video stream) nothing happens.

    Args:
        rates: Rates to draw from, powers of 2; 1 leaves the frames as they are. MER2023 draws from 1, 2 and 4.
        seed: A clip gets the same rate in every test. ``None`` means it gets another rate each time, for training.

    Raises:
        ValueError: If there is no rate, or one is not a power of 2.
    """

    def __init__(self, rates: Sequence[int] = (1, 2, 4), seed: int | None = 0) -> None:
        if not rates or any(rate < 1 or rate & (rate - 1) for rate in rates):
            raise ValueError(f'rates must be powers of 2, such as (1, 2, 4), got {tuple(rates)}')
        self.rates = tuple(rates)
        self.seed = seed

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Blurs the frames."""
        if 'imgs' in results:
            generator = clip_generator(results, self.seed)
            rate = self.rates[int(generator.integers(len(self.rates)))]
            results['imgs'] = [pyramid_blur(frame, rate) for frame in results['imgs']]
            results['img_shape'] = results['imgs'][0].shape[:2]
        return results


def pyramid_blur(frame: np.ndarray, rate: int) -> np.ndarray:
    """Halves a picture ``(H, W, 3)`` log2(rate) times and doubles it as often."""
    steps = rate.bit_length() - 1
    for _ in range(steps):
        frame = cv2.pyrDown(frame)
    for _ in range(steps):
        frame = cv2.pyrUp(frame)
    return frame
