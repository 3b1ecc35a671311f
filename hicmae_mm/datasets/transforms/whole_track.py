"""Sound as a waveform of any length."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.resampling import resample_waveform
from hicmae_mm.datasets.transforms.sound import open_sound
from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class WholeTrack(BaseTransform):
    """Reads the whole sound of a clip as one waveform, for encoders of waveforms.

    The sound is the file of the audio column, or the sound track of the video, or the ``span`` of a longer file. It is
    mixed to one channel and resampled. Without the audio stream nothing happens.

    Required keys: ``streams``, and ``audio_path`` with ``video_path``, or ``packed_clip``. Added keys: ``waveform``
    ``(S,)`` float32 in -1..1, which ``PackStreams(sequences=dict(audio='waveform'))`` packs, and ``sample_rate_hz``.

    Args:
        sample_rate_hz: Sampling rate of the waveform.
        max_seconds: Longest waveform; of a longer track a part is taken. None takes everything.
        random_part: Whether the part is at a random place (training) or in the middle.

    Raises:
        ValueError: If a number is not above 0.
    """

    def __init__(
        self, sample_rate_hz: int = 16000, max_seconds: float | None = None, random_part: bool = False
    ) -> None:
        if sample_rate_hz < 1 or (max_seconds is not None and max_seconds * sample_rate_hz < 1):
            raise ValueError(f'sample_rate_hz and max_seconds must be above 0, got {sample_rate_hz} and {max_seconds}')
        self.sample_rate_hz, self.max_seconds, self.random_part = sample_rate_hz, max_seconds, random_part

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the waveform.

        Raises:
            FileNotFoundError: If there is no such file.
            MediaError: If the file is broken, has no sound, or has samples that are not finite.
        """
        if 'audio' not in results['streams']:
            return results
        reader = open_sound(results)
        try:
            start, stop = self._edges(reader.num_samples, reader.sample_rate_hz)
            waveform = resample_waveform(reader.read(start, stop), reader.sample_rate_hz, self.sample_rate_hz)
        finally:
            reader.close()
        if not len(waveform) or not np.isfinite(waveform).all():
            raise MediaError('the sound is empty, or has samples that are not finite; convert the file again')
        results['waveform'] = np.asarray(waveform, np.float32)
        results['sample_rate_hz'] = self.sample_rate_hz
        return results

    def _edges(self, num_samples: int, sample_rate_hz: int) -> tuple[int, int]:
        longest = num_samples if self.max_seconds is None else max(round(self.max_seconds * sample_rate_hz), 1)
        rest = num_samples - longest
        if rest <= 0:
            return 0, num_samples
        start = int(np.random.randint(rest + 1)) if self.random_part else rest // 2
        return start, start + longest
