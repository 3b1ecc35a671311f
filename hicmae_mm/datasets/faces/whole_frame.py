"""No search: the picture as it is."""

from __future__ import annotations

import numpy as np

from hicmae_mm.datasets.faces.base import LocatingCropper
from hicmae_mm.datasets.faces.boxes import Faces
from hicmae_mm.datasets.readers.source_clip import Clip
from hicmae_mm.registry import FACE_CROPPERS


@FACE_CROPPERS.register_module()
class WholeFrame(LocatingCropper):
    """Takes the whole picture, for clips that are face crops already; black bars fill one that is not square."""

    def locate(self, clip: Clip) -> list[Faces]:
        """See :class:`LocatingCropper`."""
        return [Faces(np.array([[0.0, 0.0, clip.width, clip.height]]))] * clip.num_frames
