"""Boxes that another program has found, from one CSV file per clip."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.faces.base import LocatingCropper
from hicmae_mm.datasets.faces.boxes import NO_FACES, Faces
from hicmae_mm.datasets.faces.number_table import read_numbers
from hicmae_mm.datasets.readers.source_clip import Clip
from hicmae_mm.registry import FACE_CROPPERS

_COLUMNS = ('frame', 'x', 'y', 'w', 'h')


@FACE_CROPPERS.register_module()
class TrackedBoxes(LocatingCropper):
    """Boxes of an existing tracker: ``ROOT/a/b.csv`` for the clip ``a/b.mp4``.

    The first line names the columns, among them ``frame,x,y,w,h``: number of the frame, corner at the top left, width
    and height in pixels of the video. Several rows of one frame are several faces; frames without a row have none.

    Args:
        root: Folder of the CSV files.
        first_frame: Number that the files give the first frame.
    """

    default_margin = 0.1

    def __init__(self, root: str, first_frame: int = 0) -> None:
        if not Path(root).is_dir():
            raise FileNotFoundError(f'{root}: no such folder; name the folder of the box files by root=DIR')
        self.root, self.first_frame = Path(root), first_frame

    def locate(self, clip: Clip) -> list[Faces]:
        """See :class:`LocatingCropper`."""
        path = self.root / f'{clip.name}.csv'
        boxes = read_boxes(path)
        frames = range(self.first_frame, self.first_frame + clip.num_frames)
        outside = sorted(set(boxes) - set(frames))
        if outside:
            raise MediaError(
                f'{path}: frame {outside[0]} is not one of the clip, {frames[0]}..{frames[-1]}; check first_frame'
            )
        return [Faces(np.array(boxes[frame])) if frame in boxes else NO_FACES for frame in frames]


def read_boxes(path: Path) -> dict[int, list[list[float]]]:
    """Reads a CSV file of boxes: frame number -> ``[x, y, w, h]`` of each face.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If a column is missing, or a row is not of numbers with w and h above 0.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file of boxes')
    boxes: dict[int, list[list[float]]] = defaultdict(list)
    for number, row in read_numbers(path, _COLUMNS):
        box = [row[column] for column in _COLUMNS[1:]]
        if min(box[2:]) <= 0:
            raise MediaError(f'{path}, line {number}: w and h must be above 0, got {box[2:]}')
        if not row['frame'].is_integer():
            raise MediaError(f'{path}, line {number}: frame must be a whole number, got {row["frame"]}')
        boxes[int(row['frame'])].append(box)
    return dict(boxes)
