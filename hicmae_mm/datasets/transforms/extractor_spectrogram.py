"""Spectrograms as a model of transformers expects them, computed by the library itself."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.filterbank import FRAME_SHIFT_MS
from hicmae_mm.models.encoders.model_folder import import_transformers
from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ExtractorSpectrogram(BaseTransform):
    """Turns the waveform of ``WholeTrack`` into the spectrogram of a model of transformers (Whisper, AST, CLAP).

    The feature extractor of the model's own folder does it, so window, mel bins and normalisation are the model's. It
    has the length of the model's window: a shorter clip is filled up as the extractor does, and what is longer is cut.
    ``WholeTrack(max_seconds=...)`` chooses the part.

    Without a waveform nothing happens. Required keys: ``waveform`` and ``sample_rate_hz``. Added key: ``spectrograms``
    ``(V, T, F)`` float32, which ``PackStreams(arrays=('audio',))`` packs.

    Args:
        path: Folder of the model, with ``preprocessor_config.json``.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    def window_seconds(self) -> float:
        """Returns the longest sound of a spectrogram (seconds); infinity if the extractor sets none."""
        extractor = open_extractor(self.path)
        samples = getattr(extractor, 'n_samples', None) or getattr(extractor, 'nb_max_samples', None)
        if samples is not None:  # Whisper, CLAP
            return float(samples / extractor.sampling_rate)
        return float(getattr(extractor, 'max_length', math.inf) * FRAME_SHIFT_MS / 1000)  # AST counts frames

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the spectrograms.

        Raises:
            FileNotFoundError: If the folder has no feature extractor.
            ImportError: If transformers is not installed.
            ValueError: If the waveform has another sampling rate than the model's.
        """
        if 'waveform' not in results:
            return results
        extractor = open_extractor(self.path)
        rate_hz = results['sample_rate_hz']
        if rate_hz != extractor.sampling_rate:
            raise ValueError(
                f'{self.path} needs sound of {extractor.sampling_rate} Hz, WholeTrack gives {rate_hz} Hz; set '
                f'sample_rate_hz={extractor.sampling_rate}'
            )
        longest = getattr(extractor, 'nb_max_samples', None)  # CLAP takes a random part of a longer clip
        waveform = results['waveform'][:longest]
        name = extractor.model_input_names[0]
        found = np.asarray(extractor(waveform, sampling_rate=rate_hz, return_tensors='np')[name][0], np.float32)
        if found.ndim == 3:
            found = found[0]  # (parts, T, F) -> (T, F); all parts of a clip that fits are the same
        elif name == 'input_features':
            found = found.T  # (F, T) -> (T, F)
        spectrogram = torch.from_numpy(np.ascontiguousarray(found))
        results['spectrograms'] = spectrogram.expand(results.get('num_clips', 1), -1, -1)  # (V, T, F)
        return results


@lru_cache(maxsize=8)
def open_extractor(path: str) -> Any:
    """Opens the feature extractor of a folder, once per process.

    Raises:
        FileNotFoundError: If there is none.
    """
    auto = import_transformers().AutoFeatureExtractor
    try:
        return auto.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        reason = ' '.join(str(error).split())[:160]
        raise FileNotFoundError(f'{path} has no feature extractor (preprocessor_config.json): {reason}') from error
