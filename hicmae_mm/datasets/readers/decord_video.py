"""Reads plain H.264 mp4 files with decord."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.datasets.errors import MediaError, decoder_errors
from hicmae_mm.datasets.readers.pyav_video import PyAVReader

_PLAIN_SUFFIXES = {'.mp4', '.m4v', '.mov'}


class DecordReader:
    """Reads a video with decord; see :class:`~hicmae_mm.datasets.readers.video.VideoReader`.

    decord ignores edit lists, pixel shapes and open groups of pictures, and some forged headers make it end the whole
    process. Therefore PyAV opens every file first. PyAV also provides the time stamps, and decodes the frames for which
    decord fails.

    Args:
        path: The video.
        exact: PyAV's reader of the same file; None opens one.

    Raises:
        MediaError: If the file is broken, or if :meth:`serves` is False for it.
    """

    def __init__(self, path: Path, exact: PyAVReader | None = None) -> None:
        import decord

        self.path = path
        self._exact = PyAVReader(path) if exact is None else exact
        self.num_frames, self.fps = self._exact.num_frames, self._exact.fps
        if not self.serves(self._exact):
            self.close()
            raise MediaError(f"{path}: decord does not read files of this form exactly; use backend='pyav'")
        with decoder_errors(f'{path}: cannot be opened as a video'):
            # fault_tol=1 makes a damaged frame an error; by default decord repeats the frame before it without a word
            self._reader: Any = decord.VideoReader(str(path), num_threads=1, fault_tol=1)
            if len(self._reader) != self.num_frames:
                raise MediaError(f'{path}: decord finds {len(self._reader)} frames of {self.num_frames}')

    @staticmethod
    def serves(exact: PyAVReader) -> bool:
        """Tells whether decord decodes files of this format exactly (as the tests check)."""
        is_plain = exact.is_plain and exact.codec == 'h264' and exact.path.suffix.lower() in _PLAIN_SUFFIXES
        return is_plain and exact.is_upright()

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        try:
            frames: np.ndarray = self._reader.get_batch(list(indices)).asnumpy()
            return frames
        except Exception:  # whatever decord cannot read, the exact reader reads or names
            return self._exact.read(indices)

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        return self._exact.frame_seconds(index)

    def close(self) -> None:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        self._reader = None
        self._exact.close()
