"""Keep the last seconds of a running recording."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np


class RollingClip:
    """Keeps the frames and the sound of the last seconds.

    Args:
        seconds: Number of seconds to keep.
        sample_rate_hz: Sample rate of the sound. None means that there is no sound.

    Raises:
        ValueError: If ``seconds`` is not above 0.

    Example:
        >>> import numpy as np
        >>> from hicmae_mm.apis.rolling import RollingClip
        >>> recording = RollingClip(seconds=1.0)
        >>> for number in range(50):  # two seconds of 25 frames per second
        ...     recording.add_frame(np.zeros((4, 4, 3), dtype=np.uint8), number / 25)
        >>> recording.clip()['frames'].shape
        (25, 4, 4, 3)
    """

    def __init__(self, seconds: float, sample_rate_hz: int | None = None) -> None:
        if not seconds > 0:
            raise ValueError(f'seconds must be above 0, got {seconds}')
        self.seconds, self.sample_rate_hz = seconds, sample_rate_hz
        self._frames: deque[tuple[float, np.ndarray]] = deque()
        self._sound: deque[np.ndarray] = deque()
        self._num_samples = 0

    def add_frame(self, frame: np.ndarray, seconds: float) -> None:
        """Adds a frame.

        Args:
            frame: ``(H, W, 3)`` uint8 RGB.
            seconds: Time at which it was recorded.
        """
        self._frames.append((seconds, frame))
        while self._frames[0][0] <= seconds - self.seconds:
            self._frames.popleft()

    def add_sound(self, samples: np.ndarray) -> None:
        """Adds samples that follow the samples before.

        Args:
            samples: ``(S,)`` samples in -1..1.
        """
        self._sound.append(np.asarray(samples, dtype=np.float32))
        self._num_samples += len(samples)
        limit = self.seconds * (self.sample_rate_hz or 0)
        while self._sound and self._num_samples - len(self._sound[0]) >= limit:
            self._num_samples -= len(self._sound.popleft())

    def clip(self, name: str = 'live') -> dict[str, Any]:
        """Makes an input of :class:`~hicmae_mm.apis.EmotionInferencer` from the last seconds.

        Args:
            name: Name of the clip.

        Returns:
            Frames and sound with their rates; a stream without content is omitted.

        Raises:
            ValueError: If neither sound nor two frames have been recorded.
        """
        record: dict[str, Any] = dict(name=name)
        if len(self._frames) > 1:
            times, frames = zip(*self._frames)
            record.update(frames=np.stack(frames), fps=(len(times) - 1) / max(times[-1] - times[0], 1e-6))
        if self._num_samples:
            wanted = round(self.seconds * (self.sample_rate_hz or 0))
            record.update(waveform=np.concatenate(self._sound)[-wanted:], sample_rate_hz=self.sample_rate_hz)
        if len(record) == 1:
            raise ValueError('nothing has been recorded yet')
        return record
