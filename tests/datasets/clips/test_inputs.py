from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hicmae_mm.datasets.clips.inputs import ClipInput, as_clips, tracks_of
from tests.conftest import MediaFolder

FRAMES = np.zeros((3, 8, 8, 3), np.uint8)


def test_paths_folders_and_arrays_may_be_mixed(media: MediaFolder):
    (media.root / 'media').mkdir()
    video, sound = media.video('media/b.mp4', num_frames=2), media.wav('media/a.wav')
    folder = media.frame_folder('face', 3)
    clips = as_clips([str(video), media.root / 'media', [folder], dict(frames=FRAMES, fps=25, name='mine')])
    assert [clip.name for clip in clips] == ['b.mp4', 'a.wav', 'b.mp4', 'face', 'mine']
    assert clips[0] == ClipInput('b.mp4', video, video)
    assert clips[1] == ClipInput('a.wav', None, sound)
    assert clips[3] == ClipInput('face', folder, None, 25.0)


def test_dictionaries_name_picture_and_sound_apart(media: MediaFolder):
    video, sound = media.video(num_frames=2), media.wav()
    assert as_clips(dict(video=video, audio=sound)) == [ClipInput('clip.mp4', video, sound)]
    assert as_clips(dict(video=video)) == [ClipInput('clip.mp4', video, video)]
    assert as_clips(dict(video=video, audio=None)) == [ClipInput('clip.mp4', video, None)]


def test_channels_of_a_waveform_are_averaged():
    (clip,) = as_clips(dict(waveform=np.array([[0.0, 1.0, 0.5], [1.0, 1.0, -0.5]]), sample_rate_hz=8000))
    assert isinstance(clip.audio, np.ndarray)
    assert clip.audio.tolist() == [0.5, 1.0, 0.0]
    assert clip.audio.dtype == np.float32


def test_tensors_of_any_type_with_or_without_gradients_are_arrays():
    for tensor in (torch.tensor([0.5, -0.25]).bfloat16(), torch.tensor([0.5, -0.25], requires_grad=True)):
        (clip,) = as_clips(dict(waveform=tensor, sample_rate_hz=8000.0))
        assert isinstance(clip.audio, np.ndarray)
        assert clip.audio.tolist() == [0.5, -0.25]
        assert isinstance(clip.sample_rate_hz, int)
    (clip,) = as_clips(dict(frames=torch.from_numpy(FRAMES), fps=25))
    assert np.array_equal(clip.video, FRAMES)


@pytest.mark.parametrize(
    ('record', 'error', 'message'),
    [
        (dict(), ValueError, "needs 'video' or 'frames'"),
        (dict(frames=FRAMES), ValueError, 'fps above 0, got None'),
        (dict(frames=FRAMES.astype(float), fps=25), TypeError, 'uint8'),
        (dict(frames=FRAMES[0], fps=25), ValueError, r'\(T, H, W, 3\)'),
        (dict(frames=FRAMES, fps=25, rate=1), ValueError, r"unknown keys \['rate'\]"),
        (dict(waveform=np.zeros(5)), ValueError, 'sample_rate_hz, .*got None'),
        (dict(frames=FRAMES, fps=float('nan')), ValueError, 'fps above 0, got nan'),
        (dict(waveform=np.zeros(5), sample_rate_hz='16000'), ValueError, "at least 1000 Hz, got '16000'"),
        (dict(waveform=np.zeros(5), sample_rate_hz=float('inf')), ValueError, 'whole number .* got inf'),
        (dict(waveform=np.zeros(5), sample_rate_hz=16), ValueError, 'at least 1000 Hz, got 16'),
        (dict(waveform=np.full(5, -32768.0), sample_rate_hz=8000), ValueError, 'up to 32768; divide'),
        (dict(waveform=np.zeros(5, np.int16), sample_rate_hz=8000), TypeError, 'floating point'),
        (dict(waveform=np.zeros((100, 2)), sample_rate_hz=8000), ValueError, r'\(C, S\)'),
        (dict(video='nowhere.mp4'), FileNotFoundError, 'nowhere.mp4'),
    ],
)
def test_incomplete_records_are_refused(record: dict, error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        as_clips(record)


def test_other_inputs_are_refused(tmp_path: Path):
    with pytest.raises(TypeError, match='arrays go into a dictionary'):
        as_clips(FRAMES)
    with pytest.raises(FileNotFoundError, match='no such file or folder'):
        as_clips(tmp_path / 'nothing')
    with pytest.raises(ValueError, match='no files ending in'):
        as_clips(tmp_path)


def test_tracks(media: MediaFolder):
    assert tracks_of(media.video(num_frames=2)) == {'video', 'audio'}
    assert tracks_of(media.video('silent.mp4', num_frames=2, has_sound=False)) == {'video'}
    assert tracks_of(media.wav()) == {'audio'}
