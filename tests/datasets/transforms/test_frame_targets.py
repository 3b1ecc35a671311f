from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmae_mm.datasets import MediaError
from hicmae_mm.datasets.transforms import LoadFrameTargets


def _load(root: Path, cell: Any, more: dict[str, Any] | None = None, **options: Any) -> np.ndarray:
    results = dict(columns=dict(mood=cell), data_folders={'': str(root)}, **(more or {}))
    targets: np.ndarray = LoadFrameTargets('mood', **options).transform(results)['targets'][options.get('name', 'mood')]
    return targets


def test_forms_of_files(tmp_path: Path) -> None:
    np.save(tmp_path / 'a.npy', np.array([[0.5, -1.0]]))
    (tmp_path / 'b.txt').write_text('Neutral,Anger,Fear\n0\n2\n-1\n')
    (tmp_path / 'c.csv').write_text('valence,arousal\n0.5,-0.25\n-5,-5\n')
    (tmp_path / 'd.txt').write_text('1 0\n0 1\n')
    assert _load(tmp_path, 'a.npy', name='va').tolist() == [[0.5, -1.0]]
    assert _load(tmp_path, 'b.txt').tolist() == [0, 2, -1]
    assert _load(tmp_path, 'b.txt').dtype == np.int64
    assert _load(tmp_path, 'c.csv').tolist() == [[0.5, -0.25], [-5, -5]]
    assert _load(tmp_path, 'c.csv').dtype == np.float32
    assert _load(tmp_path, 'd.txt').tolist() == [[1, 0], [0, 1]]
    assert _load(tmp_path, [3, 1]).tolist() == [3, 1]


def test_frames_and_steps(tmp_path: Path) -> None:
    targets = list(range(10))
    frames = dict(frame_inds=np.array([1, 3, 5, 9]))
    assert _load(tmp_path, targets, frames).tolist() == [1, 3, 5, 9]
    assert _load(tmp_path, targets, frames, num_steps=2).tolist() == [3, 9]
    assert _load(tmp_path, targets, frames | dict(first_frame=3), ignore=-1).tolist() == [4, 6, 8, -1]
    assert _load(tmp_path, targets, dict(hubert=np.zeros((5, 2))), num_steps='hubert').tolist() == [1, 3, 5, 7, 9]
    with pytest.raises(MediaError, match='mood has targets of 10 frames, and frame 12 was chosen; set ignore'):
        _load(tmp_path, targets, frames | dict(first_frame=3))
    with pytest.raises(ValueError, match='one view of a clip'):
        _load(tmp_path, targets, frames | dict(num_clips=2))


def test_malformed_targets_are_named(tmp_path: Path) -> None:
    for content in ('', 'a,b\n', '1,2\n3\n', '1\nx\n'):
        (tmp_path / 'a.txt').write_text(content)
        with pytest.raises(MediaError, match=r'a\.txt: targets of frames cannot be read'):
            _load(tmp_path, 'a.txt')
    with pytest.raises(FileNotFoundError, match=r'the targets .*none\.txt do not exist'):
        _load(tmp_path, 'none.txt')
    for cell in ([[1], [1, 2]], ['a'], []):
        with pytest.raises(MediaError, match='targets'):
            _load(tmp_path, cell)
    with pytest.raises(ValueError, match='num_steps must be at least 1'):
        LoadFrameTargets('mood', num_steps=0)
