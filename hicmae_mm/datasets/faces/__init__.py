"""Face croppers for raw video; importing this package registers them."""

from hicmae_mm.datasets.faces.base import BaseFaceCropper, CropOptions, FrameDetector, LocatingCropper
from hicmae_mm.datasets.faces.boxes import Faces
from hicmae_mm.datasets.faces.haar import HaarCascade
from hicmae_mm.datasets.faces.openface import OpenFace
from hicmae_mm.datasets.faces.tracked_boxes import TrackedBoxes
from hicmae_mm.datasets.faces.whole_frame import WholeFrame
from hicmae_mm.datasets.faces.yunet import YuNet

__all__ = [
    'BaseFaceCropper',
    'CropOptions',
    'Faces',
    'FrameDetector',
    'HaarCascade',
    'LocatingCropper',
    'OpenFace',
    'TrackedBoxes',
    'WholeFrame',
    'YuNet',
]
