from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmae_mm.datasets import AudioVisualDataset, collate_streams
from hicmae_mm.datasets.transforms.camera import CameraStream
from tests.conftest import MediaFolder

STREAMS = ('video_left', 'video')
LEFT = [dict(type='OpenVideo'), dict(type='DecodeFrames')]


def dataset_of(root: Path, left: list[dict[str, Any]], streams: tuple[str, ...] = STREAMS) -> AudioVisualDataset:
    pipeline = [
        dict(type='OpenVideo'),
        dict(type='SampleClips', mode='train', clip_len=4, frame_interval=2),
        dict(type='DecodeFrames'),
        dict(type='CameraStream', stream='video_left', pipeline=left),
        dict(type='PackStreams', arrays=streams),
    ]
    return AudioVisualDataset('clips.csv', pipeline, data_root=str(root), num_classes=2, streams=streams)


@pytest.fixture
def root(media: MediaFolder) -> Path:
    media.video('front.mp4', num_frames=30, height=32, width=32)
    media.video('left.mp4', num_frames=30, height=32, width=32)
    rows = ['video,video_left,label', 'front.mp4,left.mp4,0', 'front.mp4,,1']
    (media.root / 'clips.csv').write_text('\n'.join(rows) + '\n')
    return media.root


def test_two_cameras_show_the_same_moments(root: Path) -> None:
    plain = dataset_of(root, LEFT)
    both, front_alone = plain[0], plain[1]
    assert both['inputs']['video'].shape == both['inputs']['video_left'].shape == (1, 4, 32, 32, 3)
    np.testing.assert_array_equal(both['inputs']['video'], both['inputs']['video_left'])  # the files are equal
    assert list(front_alone['inputs']) == ['video']
    batch = collate_streams([both, front_alone])
    assert batch['present']['video_left'].tolist() == [True, False]


def test_mistakes_are_named(root: Path) -> None:
    with pytest.raises(ValueError, match='the pipeline of video_left decodes no frames'):
        dataset_of(root, LEFT[:1])[0]
    (root / 'left.mp4').unlink()
    with pytest.raises(FileNotFoundError, match='left'):
        dataset_of(root, LEFT)[0]
    with pytest.raises(ValueError, match='shards and inference have the pictures of one camera'):
        CameraStream('video_left', [])(dict(streams=STREAMS, packed_clip=object()))
    with pytest.raises(ValueError, match="such as video_left, got 'video'"):
        CameraStream('video', [])
