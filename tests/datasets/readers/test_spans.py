from __future__ import annotations

import numpy as np
import pytest
import torch

from hicmae_mm.datasets import AudioVisualDataset, MediaError
from hicmae_mm.datasets.readers.audio import open_audio
from tests.conftest import SAMPLE_RATE_HZ, MediaFolder

PIPELINE = [
    dict(type='OpenVideo', frame_folder_fps=25),
    dict(type='SampleClips', mode='test', clip_len=4, frame_interval=5, audio_alignment='timestamps'),
    dict(type='DecodeFrames'),
    dict(type='LoadAudio', min_samples=0),
]


def _read(media: MediaFolder, row: str, **options: object) -> dict:
    path = media.annotation('video,audio,label,start,end', row, name='spans.csv')
    dataset = AudioVisualDataset(path.name, PIPELINE, data_root=str(media.root), num_classes=2, **options)
    return dataset[0]


def test_a_span_is_read_as_if_it_were_a_file(media: MediaFolder) -> None:
    media.video('long.mp4', num_frames=100)
    media.wav('long.wav', np.arange(4 * SAMPLE_RATE_HZ, dtype=np.float32) / (4 * SAMPLE_RATE_HZ))
    sample = _read(media, 'long.mp4,long.wav,1,1.2,2.0')
    assert sample['sample_id'] == 'long.mp4@1.2-2'
    assert sample['total_frames'] == 20  # frames 30 to 49
    assert [media.frame_number(frame) for frame in sample['imgs']] == [30, 35, 40, 45]
    (waveform,) = sample['waveforms']
    track = open_audio(media.root / 'long.wav').read(0, 4 * SAMPLE_RATE_HZ)
    first = round(1.2 * SAMPLE_RATE_HZ)
    assert len(waveform) == round(0.8 * SAMPLE_RATE_HZ)
    torch.testing.assert_close(waveform, track[first : first + len(waveform)])


def test_spans_of_folders_of_sound_alone_and_of_the_own_track(media: MediaFolder) -> None:
    media.frame_folder('face', 50)
    media.wav('a.wav')
    sample = _read(media, 'face,a.wav,1,1,')
    assert [media.frame_number(frame) for frame in sample['imgs']] == [25, 30, 35, 40]
    media.video('own.mp4', num_frames=50)
    assert _read(media, 'own.mp4,,1,,1')['total_frames'] == 25
    alone = _read(media, ',a.wav,1,0.5,1.5', streams=('audio',))
    assert alone['total_frames'] == 25
    assert alone['sample_id'] == 'a.wav@0.5-1.5'


def test_spans_outside_of_a_file_are_named(media: MediaFolder) -> None:
    media.video('a.mp4', num_frames=25)
    media.wav('a.wav')
    with pytest.raises(MediaError, match=r'line 2: .*a\.mp4: no frame lies within 3 s to 4 s; the last frame starts'):
        _read(media, 'a.mp4,,1,3,4')
    with pytest.raises(
        MediaError, match=r'line 2: .*a\.wav: no sound lies within 3 s to the end; the track ends at 2\.00'
    ):
        _read(media, ',a.wav,1,3,', streams=('audio',))
