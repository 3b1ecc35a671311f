"""Makes what a language model gets of a clip: some frames as JPEG, and its transcript."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.clips.media import Timeline
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.video import open_video

_TEXT_FIELDS = ('text', 'transcript')


@dataclass(frozen=True)
class ShownClip:
    """Stores what is sent of a clip.

    Attributes:
        pictures: Frames as JPEG in base64, in the order of time.
        text: Transcript; None if it is not shown.
    """

    pictures: tuple[str, ...] = ()
    text: str | None = None


class ClipReader:
    """Reads clips of a data set as a language model gets them.

    Args:
        dataset: Data set whose clips are shown; its pipeline is not run.
        num_frames: Number of frames, from the middles of as many equal parts of the clip; 0 shows none.
        longest_side: Longer side of a frame (pixels); larger frames are scaled down.
        quality: Quality of the JPEG files, 1 to 100.
        shows_text: Whether the transcript is shown.
    """

    def __init__(
        self,
        dataset: AudioVisualDataset,
        num_frames: int = 3,
        longest_side: int = 512,
        quality: int = 85,
        shows_text: bool = False,
    ) -> None:
        self.dataset, self.num_frames, self.shows_text = dataset, num_frames, shows_text
        self.longest_side, self.quality = longest_side, quality

    def read(self, index: int) -> ShownClip:
        """Reads a clip.

        Raises:
            FileNotFoundError: If its video is missing.
            MediaError: If its video is broken, or it has no video.
            ValueError: If it has no transcript.
        """
        info = self.dataset.get_data_info(index)
        text = _transcript(info) if self.shows_text else None
        return ShownClip(self._pictures(info) if self.num_frames else (), text)

    def _pictures(self, info: Mapping[str, Any]) -> tuple[str, ...]:
        path = info['video_path']
        if path is None:
            raise MediaError(f'clip {info["sample_id"]} has no video; show its transcript alone: --frames 0 --text')
        reader = open_video(path)
        try:
            first, last = 0, reader.num_frames
            if 'span' in info:
                timeline = Timeline(reader)  # which a folder of pictures does not have
                first, last = (timeline.index_at(seconds) for seconds in info['span'])
            parts = (np.arange(self.num_frames) + 0.5) * max(last - first, 1) / self.num_frames
            places = np.unique(np.minimum(first + parts.astype(int), reader.num_frames - 1))
            return tuple(self._jpeg(frame) for frame in reader.read(places.tolist()))
        finally:
            reader.close()

    def _jpeg(self, frame: np.ndarray) -> str:
        scale = self.longest_side / max(frame.shape[:2])
        if scale < 1:
            frame = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _, data = cv2.imencode('.jpg', frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        return base64.b64encode(data.tobytes()).decode('ascii')


def _transcript(info: Mapping[str, Any]) -> str:
    for field in _TEXT_FIELDS:
        if info.get(field) is not None:
            return str(info[field])
    raise ValueError(
        f'clip {info["sample_id"]} has no transcript: the list needs a column named {" or ".join(_TEXT_FIELDS)} '
        '(docs/data_format.md)'
    )
