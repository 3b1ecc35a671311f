from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmae_mm.apis.faces import FaceFinder, FacePictures, build_face_options
from hicmae_mm.datasets.clips.inputs import ClipInput
from hicmae_mm.datasets.clips.media import OpenClip
from hicmae_mm.datasets.faces import CropOptions, HaarCascade, OpenFace, YuNet
from tests.apis.conftest import BrightSpot, spot_frames


def finder(
    frames: np.ndarray, cropper: Any, options: CropOptions | None = None, min_coverage: float = 0.0
) -> FaceFinder:
    clip = OpenClip(ClipInput('spots', frames, None, 25.0), ('video',))
    return FaceFinder(clip, build_face_options(cropper, options, min_coverage))


def cut(found: FaceFinder, frames: np.ndarray, indices: list[int]) -> FacePictures:
    found.search(indices)
    return found.cut(indices, [frames[index] for index in indices])


def test_faces_are_cut_out_as_in_the_preparation(bright_spot: str):
    frames = spot_frames(20)
    faces = cut(finder(frames, bright_spot, CropOptions(size=20, margin=0.0, smoothing='none')), frames, [0, 4, 8])
    assert faces.coverage == 1.0
    assert [picture.shape for picture in faces.pictures] == [(20, 20, 3)] * 3
    assert all((picture == 255).all() for picture in faces.pictures)
    wider = cut(finder(frames, bright_spot, CropOptions(size=20, margin=0.5, smoothing='none')), frames, [10])
    assert (wider.pictures[0][6:14, 6:14] == 255).all()  # the face is half as large, with room around
    assert wider.pictures[0][3:17, 3].max() <= 60


def test_gaps_take_the_place_of_the_nearest_face_and_count_as_unseen(bright_spot: str):
    frames = spot_frames(10, seen=[0, 1, 2])
    found = finder(frames, bright_spot, CropOptions(size=8, margin=0.0, smoothing='none'))
    faces = cut(found, frames, [0, 2, 4, 6])
    assert faces.coverage == 0.5
    assert len(faces.pictures) == 4
    assert (faces.pictures[1][1:7, 1:7] == 255).all()
    assert (faces.pictures[3] == 60).all()  # where the face was, and is no more
    assert found.boxes == {0: (0, 20, 40, 40), 2: (2, 20, 40, 40), 4: None, 6: None}


def test_too_few_faces_are_none(bright_spot: str):
    frames = spot_frames(10, seen=[0])
    assert cut(finder(frames, bright_spot, min_coverage=0.3), frames, [0, 1, 2, 3]).pictures == []
    assert len(cut(finder(frames, bright_spot, min_coverage=0.25), frames, [0, 1, 2, 3]).pictures) == 4
    assert cut(finder(spot_frames(4, seen=[]), bright_spot), spot_frames(4, seen=[]), [0, 1]).pictures == []


def test_every_frame_is_searched_once(bright_spot: str):
    frames = spot_frames(10)
    found = finder(frames, bright_spot)
    reader = found.search([0, 2, 4, 6])
    for indices in ([0, 2, 4], [2, 4, 6]):
        assert found.cut(indices, reader.get(indices)).coverage == 1.0
    assert BrightSpot.num_searched == 4


def test_one_person_through_all_windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    # the person is on the right, looks away for the second quarter; a portrait hangs on the left all the time
    rows = [f'{t},10,10,30,30' for t in range(200)]
    rows += [f'{t},{100 + t % 7},{40 + t % 5},60,60' for t in range(200) if not 50 <= t < 100]
    (tmp_path / 'spots.csv').write_text('\n'.join(['frame,x,y,w,h', *rows]))
    frames = np.zeros((200, 120, 200, 3), np.uint8)
    for held_bytes in (2**28, 0):  # kept in memory, or decoded again
        monkeypatch.setattr('hicmae_mm.apis.faces._HELD_BYTES', held_bytes)
        found = finder(frames, dict(type='TrackedBoxes', root=str(tmp_path)), min_coverage=0.25)
        reader = found.search(range(0, 200, 4))
        windows = [range(start, start + 48, 4) for start in (0, 52, 100, 148)]
        coverage = [found.cut(list(window), reader.get(list(window))).coverage for window in windows]
        assert coverage == [1.0, 0.0, 1.0, 1.0]
        assert {box and box[2] for box in found.boxes.values()} == {60.0, None}


def test_small_square_pictures_are_faces_already():
    small, large = np.zeros((2, 256, 256, 3), np.uint8), np.zeros((2, 258, 258, 3), np.uint8)
    as_it_is = cut(finder(small, 'auto'), small, [0, 1])
    assert as_it_is.coverage is None
    assert as_it_is.pictures[0] is not None
    assert as_it_is.pictures[0].shape == (256, 256, 3)
    assert cut(finder(large, 'auto'), large, [0, 1]).coverage == 0.0
    assert cut(finder(small, 'HaarCascade'), small, [0, 1]).coverage == 0.0
    assert cut(finder(large, None), large, [0, 1]).coverage is None


def test_boxes_of_another_program(tmp_path):
    (tmp_path / 'spots.csv').write_text('frame,x,y,w,h\n3,10,20,40,40\n')
    frames = spot_frames(6)
    found = finder(frames, dict(type='TrackedBoxes', root=str(tmp_path)), CropOptions(size=8))
    assert cut(found, frames, [0, 3]).coverage == 0.5
    assert found.boxes == {0: None, 3: (10, 20, 40, 40)}


def test_croppers_are_named_or_built():
    assert isinstance(build_face_options(HaarCascade(), None, 0.0).cropper, HaarCascade)
    assert build_face_options(dict(type='HaarCascade', min_neighbors=5), None, 0.0).cropper.min_neighbors == 5
    automatic = build_face_options(dict(type='auto', max_side=320), None, 0.0)
    assert (type(automatic.cropper), automatic.is_auto, automatic.crop.several) == (YuNet, True, 'track')
    assert automatic.cropper.max_side == 320
    with pytest.raises(ValueError, match="did you mean 'score_threshold'"):
        build_face_options(dict(type='YuNet', score_treshold=0.7), None, 0.0)
    with pytest.raises(ValueError, match=r"'auto', None or one of \['HaarCascade'"):
        build_face_options('Haar', None, 0.0)
    with pytest.raises(ValueError, match='OpenFace reads the output of another program'):
        build_face_options(OpenFace(), None, 0.0)
    with pytest.raises(TypeError, match='got 3'):
        build_face_options(3, None, 0.0)
    with pytest.raises(ValueError, match='min_face_coverage must be in 0..1, got 2'):
        build_face_options(None, None, 2)
