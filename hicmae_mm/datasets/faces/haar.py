"""Faces by the cascade of Haar features that OpenCV brings along: no model file, no network, frontal faces only."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hicmae_mm.datasets.faces.base import FrameDetector
from hicmae_mm.datasets.faces.boxes import NO_FACES, Faces
from hicmae_mm.registry import FACE_CROPPERS


@FACE_CROPPERS.register_module()
class HaarCascade(FrameDetector):
    """Finds faces by a boosted cascade of Haar features (Viola and Jones, 2001).

    Good enough for actors who look into the camera; it misses profiles, and takes some shirts for faces. OpenCV 5 no
    longer ships the cascades.

    Args:
        cascade: Name of one of OpenCV's cascade files, or path of another.
        scale_factor: Ratio of neighbouring search sizes, above 1; nearer to 1 finds more and takes longer.
        min_neighbors: Overlapping hits that make a face; more gives fewer false faces.
        min_size: Smallest face, as a share of the picture's shorter side.
        max_side: Frames are shrunk for the search until their longer side has this length (pixels).
    """

    default_margin = 0.1

    def __init__(
        self,
        cascade: str = 'haarcascade_frontalface_alt2.xml',
        scale_factor: float = 1.1,
        min_neighbors: int = 3,
        min_size: float = 0.1,
        max_side: int = 640,
    ) -> None:
        super().__init__(max_side)
        if scale_factor <= 1:
            raise ValueError(f'scale_factor must be above 1, got {scale_factor}')
        if not 0 <= min_size <= 1:
            raise ValueError(f'min_size is a share of the picture, in 0..1, got {min_size}')
        path = cascade_file(cascade)
        self.scale_factor, self.min_neighbors, self.min_size = scale_factor, min_neighbors, min_size
        self._classifier = cv2.CascadeClassifier(str(path))
        if self._classifier.empty():
            raise ValueError(f'{path} is not a cascade that OpenCV can read')

    def detect(self, frame: np.ndarray) -> Faces:
        """See :class:`FrameDetector`."""
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        smallest = max(1, round(self.min_size * min(grey.shape)))
        boxes = self._classifier.detectMultiScale(
            grey, self.scale_factor, self.min_neighbors, minSize=(smallest, smallest)
        )
        return Faces(np.asarray(boxes, dtype=float)) if len(boxes) else NO_FACES


def cascade_file(name: str) -> Path:
    """Finds a cascade by path, or by name among OpenCV's.

    Raises:
        FileNotFoundError: If it is neither.
    """
    shipped = Path(cv2.__file__).parent / 'data'
    for path in (Path(name), shipped / name):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f'no cascade {name!r}, neither a file nor one of OpenCV in {shipped} (OpenCV 5 has none: install '
        '"opencv-python<5", or name a file)'
    )
