"""A picture per clip with its faces: the right ones, at the right places, with what was seen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hicmae_mm.datasets.preparation.face_sheets import sheets_folder, with_sheets, write_sheet
from hicmae_mm.datasets.preparation.jobs import Job, Outcome
from hicmae_mm.datasets.readers.video import read_image


def face_folder(path: Path, numbers: range) -> Path:
    """Grey pictures that are as bright as twice their number."""
    path.mkdir(parents=True)
    for number in numbers:
        cv2.imwrite(str(path / f'{number:05d}.jpg'), np.full((64, 64, 3), 2 * number, np.uint8))
    return path


def tile(sheet: np.ndarray, place: int) -> float:
    """Mean brightness of the lower half of a tile, which has no number in it."""
    left, top = 4 + place % 8 * 132, 24 + place // 8 * 132
    return float(sheet[top + 64 : top + 126, left + 2 : left + 126].mean())


def test_tiles_are_evenly_spaced_in_time(tmp_path: Path) -> None:
    write_sheet(face_folder(tmp_path / 'clip', range(1, 101)), tmp_path / 'sheet.jpg', 'clip.mp4')
    sheet = read_image(tmp_path / 'sheet.jpg')
    assert sheet.shape == (24 + 2 * 132 + 4, 8 * 132 + 4, 3)
    expected = np.linspace(1, 100, 16).round()
    assert np.abs(np.array([tile(sheet, place) for place in range(16)]) - 2 * expected).max() < 3
    assert sheet[4:20, 4:200].min() < 80  # the title


def test_short_clips_have_fewer_tiles(tmp_path: Path) -> None:
    write_sheet(face_folder(tmp_path / 'clip', range(50, 53)), tmp_path / 'sheet.jpg', 'clip.mp4')
    sheet = read_image(tmp_path / 'sheet.jpg')
    assert sheet.shape[0] == 24 + 132 + 4
    assert np.abs(np.array([tile(sheet, place) for place in range(4)]) - [100, 102, 104, 255]).max() < 3


def test_every_clip_that_has_faces_gets_its_sheet(tmp_path: Path) -> None:
    out_dir = tmp_path / 'faces'
    jobs = [Job(f'{name}.mp4', tmp_path / f'{name}.mp4', out_dir / name) for name in ('a/one.x', 'two', 'three')]
    for job in jobs[:2]:
        face_folder(job.target, range(1, 20))
    details = dict(frames=19, face_share=0.5)
    outcomes = [Outcome(jobs[0].name, 'done', details=details), Outcome(jobs[1].name, 'existing', details=details)]
    outcomes.append(Outcome(jobs[2].name, 'failed', 'no face'))
    assert list(with_sheets(iter(outcomes), jobs, out_dir)) == outcomes
    sheets = sorted(str(path.relative_to(sheets_folder(out_dir))) for path in sheets_folder(out_dir).rglob('*.*'))
    assert sheets == ['a/one.x.jpg', 'two.jpg']
    assert sheets_folder(out_dir) == tmp_path / 'faces_sheets'
