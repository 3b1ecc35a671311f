from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.faces import CropOptions, OpenFace
from hicmae_mm.datasets.readers.video import read_image
from tests.conftest import MediaFolder

HEADER = 'frame, face_id, timestamp, confidence, success'


def openface_output(root: Path, pictures: list[int], *rows: str, suffix: str = 'bmp', face: int = 0) -> Path:
    """``clip_aligned`` with pictures of 112x112 whose frame numbers can be read back, and ``clip.csv``."""
    folder = root / 'clip_aligned'
    folder.mkdir(exist_ok=True)
    for number in pictures:
        picture = MediaFolder.frames(number + 1, 112, 112)[number]
        cv2.imwrite(str(folder / f'frame_det_{face:02d}_{number:06d}.{suffix}'), picture[..., ::-1])
    if rows:
        (root / 'clip.csv').write_text('\n'.join([HEADER, *rows]) + '\n')
    return folder


def rows(*successes: int, confidence: float = 0.98) -> list[str]:
    return [f'{t}, 0, {t / 25:.3f}, {confidence if s else 0.1}, {s}' for t, s in enumerate(successes, start=1)]


def extract(folder: Path, cropper: OpenFace | None = None, **options: Any) -> dict[str, Any]:
    cropper = cropper or OpenFace()
    return cropper.extract(folder, 'clip', cropper.resolve(CropOptions(**options)), folder.parent / 'faces')


def shown(root: Path) -> dict[int, int]:
    """Number of each picture -> number of the frame that it shows."""
    return {int(path.stem): MediaFolder.frame_number(read_image(path)) for path in sorted((root / 'faces').iterdir())}


def test_output_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = openface_output(tmp_path, [1, 2, 3, 4], *rows(1, 0, 1, 1))
    details = extract(folder)
    assert details == dict(frames=4, pictures=4, face_frames=3, face_share=0.75, several_faces=0)
    assert shown(tmp_path) == {1: 1, 2: 2, 3: 3, 4: 4}
    assert read_image(tmp_path / 'faces' / '00001.jpg').shape == (112, 112, 3)


@pytest.mark.parametrize(('encoding', 'mark'), [('utf-8-sig', ','), ('utf-16', '\t'), ('utf-8', ';')])
def test_tables_of_other_programs_and_leftovers_change_nothing(tmp_path: Path, encoding: str, mark: str) -> None:
    folder = openface_output(tmp_path, [1, 2, 3, 4], *rows(1, 0, 1, 1))
    text = (tmp_path / 'clip.csv').read_text().replace(',', mark).replace('\n', '\r\n')
    (tmp_path / 'clip.csv').write_bytes(text.encode(encoding))
    (folder / '._frame_det_00_000001.bmp').write_bytes(b'x')
    (folder / '.DS_Store').write_bytes(b'x')
    details = extract(folder)
    assert details == dict(frames=4, pictures=4, face_frames=3, face_share=0.75, several_faces=0)


@pytest.mark.parametrize(
    ('missing', 'expected'),
    [('nearest', {1: 1, 2: 1, 3: 4, 4: 4, 5: 4}), ('skip', {1: 1, 4: 4}), ('keep', {1: 1, 2: 2, 4: 4})],
)
def test_policies_for_lost_frames(tmp_path: Path, missing: str, expected: dict[int, int]) -> None:
    # frame 2 has a picture of a lost face, 3 and 5 have none at all
    folder = openface_output(tmp_path, [1, 2, 4], *rows(1, 0, 0, 1, 0))
    details = extract(folder, missing=missing)
    assert shown(tmp_path) == expected
    assert details == dict(frames=5, pictures=len(expected), face_frames=2, face_share=0.4, several_faces=0)


def test_fail_share_and_confidence(tmp_path: Path) -> None:
    folder = openface_output(tmp_path, [1, 2, 3], *rows(1, 0, 1))
    with pytest.raises(MediaError, match='no face in 1 of 3 frames, first in 2'):
        extract(folder, missing='fail')
    with pytest.raises(MediaError, match=r'fewer than the share of 0\.9'):
        extract(folder, min_face_share=0.9)
    with pytest.raises(MediaError, match='no face in any of 3 frames'):
        extract(folder, OpenFace(min_confidence=0.99))
    assert extract(folder)['face_share'] == 0.6667


def test_jpegs_are_copied_and_other_sizes_made(tmp_path: Path) -> None:
    folder = openface_output(tmp_path, [1, 2], *rows(1, 1), suffix='jpg')
    extract(folder)
    source = (folder / 'frame_det_00_000002.jpg').read_bytes()
    assert (tmp_path / 'faces' / '00002.jpg').read_bytes() == source
    (tmp_path / 'faces').rename(tmp_path / 'copied')
    extract(folder, size=56)
    small, large = read_image(tmp_path / 'faces' / '00002.jpg'), read_image(tmp_path / 'copied' / '00002.jpg')
    blocks = large.reshape(56, 2, 56, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).mean() < 2


def test_of_several_faces_the_one_with_most_pictures(tmp_path: Path) -> None:
    openface_output(tmp_path, [2], face=0)
    lines = ['1, 0, 0.0, 0.9, 0', '1, 1, 0.0, 0.9, 1', '2, 0, 0.04, 0.9, 1', '2, 1, 0.04, 0.9, 1']
    folder = openface_output(tmp_path, [1, 2], *lines, face=1)
    assert extract(folder) == dict(frames=2, pictures=2, face_frames=2, face_share=1.0, several_faces=1)


def test_without_csv_the_share_is_unknown(tmp_path: Path) -> None:
    folder = openface_output(tmp_path, [1, 3])
    assert extract(folder) == dict(frames=3, pictures=2, face_frames=None, face_share=None, several_faces=0)
    with pytest.raises(MediaError, match=r'clip\.csv is missing, .* only missing=keep needs none'):
        extract(folder, missing='nearest')


def test_foreign_folders_and_files_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / 'clip_aligned'
    folder.mkdir()
    (folder / '1.jpg').touch()
    with pytest.raises(MediaError, match='no pictures named as by OpenFace'):
        extract(folder)
    openface_output(tmp_path, [1], '1, 0, 0, 0.9, yes')
    with pytest.raises(MediaError, match=r'clip\.csv, line 2: expected numbers'):
        extract(folder)
    (tmp_path / 'clip.csv').write_text('frame,x\n1,2\n')
    with pytest.raises(MediaError, match="no column 'success', the first line must name frame,success"):
        extract(folder)
    with pytest.raises(ValueError, match='margin must be 0, got 0.2'):
        extract(folder, margin=0.2)
    with pytest.raises(ValueError, match='min_confidence'):
        OpenFace(min_confidence=3)
