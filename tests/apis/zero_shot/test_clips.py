from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest

from hicmae_mm.apis.zero_shot import ClipReader
from hicmae_mm.datasets import AudioVisualDataset
from hicmae_mm.datasets.errors import MediaError
from tests.conftest import MediaFolder


def dataset_of(media: MediaFolder, *lines: str) -> AudioVisualDataset:
    file = media.annotation(*lines)
    return AudioVisualDataset(file.name, [], str(media.root), metainfo=dict(classes=('happy', 'sad')))


def decoded(picture: str) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(base64.b64decode(picture), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_frames_are_the_middles_of_equal_parts_also_of_a_span(media: MediaFolder) -> None:
    media.video('a.mp4', num_frames=60, height=64, width=128)
    dataset = dataset_of(media, 'video,label,start,end,text', 'a.mp4,happy,,,', 'a.mp4,sad,1.0,2.0,oh no')
    reader = ClipReader(dataset, num_frames=3, quality=95)
    assert [media.frame_number(decoded(picture)) for picture in reader.read(0).pictures] == [10, 30, 50]
    assert [media.frame_number(decoded(picture)) for picture in reader.read(1).pictures] == [29, 37, 45]
    small = ClipReader(dataset, num_frames=1, longest_side=32, shows_text=True).read(1)
    assert decoded(small.pictures[0]).shape == (16, 32, 3)
    assert small.text == 'oh no'


def test_clips_that_lack_what_is_asked_for(media: MediaFolder) -> None:
    media.wav('a.wav')
    dataset = dataset_of(media, 'audio,label', 'a.wav,happy')
    with pytest.raises(MediaError, match=r'has no video; show its transcript alone: --frames 0 --text'):
        ClipReader(dataset).read(0)
    with pytest.raises(ValueError, match=r'has no transcript: the list needs a column named text or transcript'):
        ClipReader(dataset, num_frames=0, shows_text=True).read(0)
