"""Augmentation of sound. It belongs into training pipelines only, because it is always active."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torchaudio.transforms import FrequencyMasking, TimeMasking

from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomGain(BaseTransform):
    """Multiplies the waveforms of a clip by one random gain in 0.5..1.5, drawn as ``Beta(alpha, alpha) + 0.5``.

    Required key: ``waveforms``. Without this key (no audio stream) nothing happens.

    Args:
        alpha: Parameter of the Beta distribution, above 0. HiCMAE and AST use 10.

    Raises:
        ValueError: If ``alpha`` is not above 0.

    Example:
        >>> import numpy as np
        >>> from hicmae_mm.datasets.transforms import RandomGain
        >>> results = RandomGain()(dict(waveforms=[np.ones(4, np.float32)]))
        >>> bool(0.5 <= results['waveforms'][0][0] <= 1.5)
        True
    """

    def __init__(self, alpha: float = 10.0) -> None:
        if alpha <= 0:
            raise ValueError(f'alpha must be above 0, got {alpha}')
        self.alpha = alpha

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Scales the waveforms."""
        if 'waveforms' in results:
            gain = np.float32(np.random.beta(self.alpha, self.alpha) + 0.5)
            results['waveforms'] = [waveform * gain for waveform in results['waveforms']]
        return results


@TRANSFORMS.register_module()
class SpecMasking(BaseTransform):
    """Sets one band of mel bins and one span of time to 0, the normalised mean (SpecAugment, Park et al., 2019).

    Required key: ``spectrograms`` (V, T, F). Without this key (no audio stream) nothing happens.

    Args:
        freq_mask: Largest width of the band in mel bins; 0 masks no band.
        time_mask: Largest length of the span in spectrogram frames; 0 masks no span.

    Raises:
        ValueError: If one of them is below 0.

    Example:
        >>> import torch
        >>> results = SpecMasking(freq_mask=4, time_mask=8)(dict(spectrograms=torch.ones(1, 32, 16)))
        >>> results['spectrograms'].shape
        torch.Size([1, 32, 16])
    """

    def __init__(self, freq_mask: int = 0, time_mask: int = 0) -> None:
        if freq_mask < 0 or time_mask < 0:
            raise ValueError(f'freq_mask and time_mask must be at least 0, got {freq_mask} and {time_mask}')
        self.masks: list[torch.nn.Module] = []
        if freq_mask:
            self.masks.append(FrequencyMasking(freq_mask))
        if time_mask:
            self.masks.append(TimeMasking(time_mask))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Masks the spectrograms."""
        if 'spectrograms' in results:
            for mask in self.masks:
                # torchaudio expects (..., F, T)
                results['spectrograms'] = mask(results['spectrograms'].transpose(-1, -2)).transpose(-1, -2)
        return results
