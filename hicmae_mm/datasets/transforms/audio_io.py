"""Reads the sound of a clip, and computes its filterbank."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.filterbank import frame_samples, kaldi_filterbank
from hicmae_mm.datasets.readers.audio import AudioReader
from hicmae_mm.datasets.resampling import resample_waveform
from hicmae_mm.datasets.transforms.sound import follows_pictures, open_sound
from hicmae_mm.datasets.transforms.temporal import AudioSpan
from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadAudio(BaseTransform):
    """Reads the audio span of each view, mixes the channels to one, and resamples it.

    If the sound comes from the file of the video, parts of a span outside of the track are zeros. A span of at most
    ``min_samples`` samples is replaced by the whole track, if the track is shorter than ``whole_track_below_seconds``
    (the published rule for clips of very few frames). Without an audio stream nothing happens.

    Required keys: ``streams``, ``audio_spans``, and ``audio_path`` (None stands for the sound track of the video) with
    ``video_path``, or ``packed_clip``. Added keys: ``waveforms``, a list of V ``(S,)`` float32 arrays in -1..1,
    ``sample_rate_hz``, and ``audio_seconds``, a list of V pairs: start and end of each waveform on the track in
    seconds.

    Args:
        sample_rate_hz: Sampling rate of the waveforms.
        min_samples: Number of samples (at ``sample_rate_hz``) that a span must exceed.
        whole_track_below_seconds: Length in seconds; only shorter tracks may replace a span that is too short.

    Raises:
        ValueError: If ``sample_rate_hz`` is below 1.
    """

    def __init__(
        self, sample_rate_hz: int = 16000, min_samples: int = 1024, whole_track_below_seconds: float = 2.56
    ) -> None:
        if sample_rate_hz < 1:
            raise ValueError(f'sample_rate_hz must be at least 1, got {sample_rate_hz}')
        self.sample_rate_hz = sample_rate_hz
        self.min_samples = min_samples
        self.whole_track_below_seconds = whole_track_below_seconds

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the waveforms."""
        if 'audio' not in results['streams']:
            return results
        reader = open_sound(results)
        try:
            edges = [self._edges(reader, span, follows_pictures(results)) for span in results['audio_spans']]
            results['waveforms'] = [self._read(reader, *edge) for edge in edges]
            results['audio_seconds'] = [tuple(edge / reader.sample_rate_hz for edge in pair) for pair in edges]
        finally:
            reader.close()
        results['sample_rate_hz'] = self.sample_rate_hz
        return results

    def _edges(self, reader: AudioReader, span: AudioSpan, may_exceed: bool) -> tuple[int, int]:
        """Returns the first sample of a span and the one after its last, at the sampling rate of the track.

        Args:
            reader: Reader of the track.
            span: The span.
            may_exceed: Whether the span may end after the end of the track, where zeros follow. The published code cuts
                a span at the end of a separate sound file.
        """
        rate, length = reader.sample_rate_hz, reader.num_samples
        scale = length if span.unit == 'fraction' else rate
        start, stop = (max(int(edge * scale), 0) for edge in (span.start, span.end))
        if not may_exceed:
            start, stop = min(start, length), min(stop, length)
        is_too_short = (stop - start) * self.sample_rate_hz <= self.min_samples * rate
        if is_too_short and length < self.whole_track_below_seconds * rate:
            return 0, length
        return start, stop

    def _read(self, reader: AudioReader, start: int, stop: int) -> np.ndarray:
        length = reader.num_samples
        waveform = reader.read(start, min(stop, length)) if start < length else np.zeros(0, np.float32)
        if stop > length:
            waveform = np.pad(waveform, (0, stop - start - len(waveform)))
        return resample_waveform(waveform, reader.sample_rate_hz, self.sample_rate_hz)


@TRANSFORMS.register_module()
class Filterbank(BaseTransform):
    """Computes the Kaldi log-mel filterbank of each waveform, normalised by ``(x - mean) / (2 * std)``.

    The mean of the waveform is subtracted first. The filterbank has a Hanning window, is HTK compatible, and has no
    dither and no energy, as in HiCMAE and AST (Gong et al., 2021). It is cut, or padded with zeros before the
    normalisation, to one length. A silent waveform is allowed: all its values become
    ``(log(float32 epsilon) - mean) / (2 * std)``, which is -1.28 with the defaults. Without an audio stream nothing
    happens.

    Required keys: ``streams``, ``waveforms``, ``sample_rate_hz``. Removed key: ``waveforms``. Added key:
    ``spectrograms`` (V, T, F) float32.

    Args:
        num_mel_bins: Number of mel bins F.
        target_length: Number of frames T, one per 10 ms.
        mean: Mean of the log energies over the training corpus.
        std: Standard deviation of the log energies over the training corpus.

    Raises:
        ValueError: If ``std`` is not above 0.

    Example:
        >>> Filterbank(num_mel_bins=64, target_length=100).filterbank(torch.zeros(16000), sample_rate_hz=16000).shape
        torch.Size([100, 64])
    """

    def __init__(
        self, num_mel_bins: int = 128, target_length: int = 256, mean: float = -4.2677393, std: float = 4.5689974
    ) -> None:
        if std <= 0:
            raise ValueError(f'std must be above 0, got {std}')
        self.num_mel_bins = num_mel_bins
        self.target_length = target_length
        self.mean = mean
        self.std = std

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the spectrograms."""
        if 'audio' not in results['streams']:
            return results
        rate = results['sample_rate_hz']
        results['spectrograms'] = torch.stack([self.filterbank(w, rate) for w in results.pop('waveforms')])
        return results

    def filterbank(self, waveform: np.ndarray | Tensor, sample_rate_hz: int) -> Tensor:
        """Computes the filterbank of one waveform.

        Args:
            waveform: ``(S,)`` float32 in -1..1.
            sample_rate_hz: Sampling rate of the waveform.

        Returns:
            ``(T, F)`` float32.

        Raises:
            MediaError: If the waveform is shorter than one window (25 ms), or not finite.
        """
        samples = torch.as_tensor(waveform)
        shortest = frame_samples(sample_rate_hz)
        if len(samples) < shortest:
            raise MediaError(
                f'the clip has {len(samples)} samples of sound, one filterbank frame needs {shortest} (25 ms); '
                'its video is too short for its sound track, or the track ends before the clip'
            )
        samples = samples - samples.mean()
        if not torch.isfinite(samples).all():
            raise MediaError('the sound has samples that are not finite (NaN or infinite); convert the file again')
        features = kaldi_filterbank(samples, sample_rate_hz, self.num_mel_bins, self.target_length)
        padded = torch.nn.functional.pad(features, (0, 0, 0, self.target_length - len(features)))
        return (padded - self.mean) / (self.std * 2)
