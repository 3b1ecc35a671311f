"""Frames and sound spans against the published ones, exactly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hicmae_mm.datasets.transforms.temporal import pretrain_frame_indices, train_frame_indices
from hicmae_mm.datasets.transforms.video_io import SampleClips


@pytest.fixture(scope='module')
def table(parity_dir: Path) -> dict[str, Any]:
    return json.loads((parity_dir / 'frame_sampling.json').read_text())


@pytest.fixture(scope='module')
def clip(table: dict[str, Any]) -> tuple[int, int]:
    """Clip length and frame interval, which the file states in its note."""
    found = re.search(r'clip_len (\d+).*?sampling_rate (\d+)', table['note'])
    assert found, table['note']
    return int(found[1]), int(found[2])


def test_views_and_their_sound(table: dict[str, Any], clip: tuple[int, int]) -> None:
    assert table['test']
    for n, views in table['test'].items():
        transform = SampleClips('test', *clip, num_clips=len(views), merge_identical_views=False)
        results = transform(dict(streams=('video', 'audio'), video_reader=None, total_frames=int(n), avg_fps=25.0))
        frames = results['frame_inds'].reshape(len(views), -1)
        assert [view.tolist() for view in frames] == [view['frames'] for view in views], n
        spans = [(span.start, span.end) for span in results['audio_spans']]
        assert spans == [(view['audio_start'], view['audio_end']) for view in views], n


def test_training_frames_by_end_index(table: dict[str, Any], clip: tuple[int, int]) -> None:
    assert table['train_by_end_index']
    for n, expected in table['train_by_end_index'].items():
        by_end = expected if isinstance(expected, dict) else {n: expected}
        for end, frames in by_end.items():
            assert train_frame_indices(int(n), int(end), *clip).tolist() == frames, (n, end)


def test_pretraining_frames_by_offset(table: dict[str, Any], clip: tuple[int, int]) -> None:
    assert table['pretrain_by_offset']
    for n, by_offset in table['pretrain_by_offset'].items():
        for offset, frames in by_offset.items():  # offsets count from 1, frames from 0
            assert pretrain_frame_indices(int(n), int(offset) - 1, *clip).tolist() == frames, n
