from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch import from_numpy
from torchaudio.functional import resample

from hicmae_mm.datasets import MediaError
from hicmae_mm.datasets.readers.audio import open_audio
from hicmae_mm.datasets.readers.video import open_video, read_image
from hicmae_mm.datasets.shards.clip import PackedClip
from hicmae_mm.datasets.shards.packing import ClipPacker, ListedClip, read_list, resampled_frames
from hicmae_mm.datasets.shards.storage import MemoryBytes
from hicmae_mm.datasets.shards.writing import ShardFile
from tests.conftest import MediaFolder


def _clip(media: MediaFolder, video: str | None = 'a.mp4', audio: str | None = None, **changes) -> ListedClip:
    paths = [None if name is None else str(media.root / name) for name in (video, audio)]
    return ListedClip('a', 'line 1', ('1',), changes.get('streams', ('video', 'audio')), *paths)


def _packed(tmp_path: Path, clip: ListedClip, **options) -> PackedClip:
    with (tmp_path / 'packed.tar').open('wb') as file:
        shard = ShardFile(file, 0)
        shard.add(ClipPacker(**options)(clip))
        shard.close()
    return PackedClip(MemoryBytes((tmp_path / 'packed.tar').read_bytes()))


def test_lists_are_read_with_their_labels_as_written(media: MediaFolder) -> None:
    ann_file = media.annotation('a.mp4 a.wav 3 joy 0.50', 'b.mp4 -', '', '- c.wav 1')
    clips, metainfo = read_list(ann_file, '/data')
    assert metainfo == {}
    both = ('video', 'audio')
    assert clips == [
        ListedClip('a.mp4', 'line 1', ('3', 'joy', '0.50'), both, '/data/a.mp4', '/data/a.wav'),
        ListedClip('b.mp4', 'line 2', (), both, '/data/b.mp4', None),
        ListedClip('c.wav', 'line 4', ('1',), both, None, '/data/c.wav'),
    ]
    content = dict(
        metainfo=dict(classes=['x']),
        data_list=[
            dict(sample_id='s', video='a.mp4', label=[0, 1.5], streams=['video']),
            dict(video='a.mp4', audio='a.wav', label='x'),
        ],
    )
    (media.root / 'list.json').write_text(json.dumps(content))
    clips, metainfo = read_list(media.root / 'list.json', streams=('video',))
    assert metainfo == dict(classes=['x'])
    assert [(clip.sample_id, clip.label, clip.streams) for clip in clips] == [
        ('s', (0, 1.5), ('video',)),
        ('a.mp4', ('x',), ('video',)),
    ]


def test_by_default_everything_is_kept(media: MediaFolder, tmp_path: Path) -> None:
    source = open_video(media.video('a.mp4', num_frames=100, width=96))
    packed = _packed(tmp_path, _clip(media)).open_video()
    assert (packed.num_frames, packed.fps) == (source.num_frames, source.fps) == (100, 25)
    every = range(100)
    assert [packed.frame_seconds(i) for i in every] == [source.frame_seconds(i) for i in every]
    difference = np.abs(packed.read(every).astype(int) - source.read(every))
    assert difference.mean() < 2
    finer = _packed(tmp_path, _clip(media), quality=99).open_video().read(every)
    assert np.abs(finer.astype(int) - source.read(every)).mean() < difference.mean()


def test_jpeg_files_are_taken_over(media: MediaFolder, tmp_path: Path) -> None:
    folder = media.frame_folder('face', num_frames=12)
    cv2.imwrite(str(folder / '13.png'), MediaFolder.frames(13)[12][..., ::-1])
    media.wav('a.wav')
    packed = _packed(tmp_path, _clip(media, 'face', 'a.wav')).open_video()
    assert packed.fps is None
    for index in range(12):
        assert np.array_equal(packed.read([index])[0], read_image(folder / f'{index + 1}.jpg'))
    assert [MediaFolder.frame_number(frame) for frame in packed.read(range(13))] == list(range(13))
    timed = _packed(tmp_path, _clip(media, 'face', 'a.wav'), frame_folder_fps=30.0).open_video()
    assert timed.frame_seconds(6) == (0.2, 7 / 30)


def test_crop_then_size(media: MediaFolder, tmp_path: Path) -> None:
    media.frame_folder('face', num_frames=3, height=64, width=96)
    media.wav('a.wav')
    clip = _clip(media, 'face', 'a.wav')
    source = np.stack([read_image(media.root / 'face' / f'{i + 1}.jpg') for i in range(3)]).astype(int)
    cropped = _packed(tmp_path, clip, crop=(8, 16, 40, 80), quality=100).open_video().read([0, 1, 2])
    assert cropped.shape == (3, 40, 80, 3)
    assert np.abs(cropped - source[:, 8:48, 16:96]).mean() < 2
    scaled = _packed(tmp_path, clip, crop=(8, 16, 40, 80), size=(20, 40), quality=100).open_video().read([0, 1, 2])
    assert scaled.shape == (3, 20, 40, 3)
    means = source[:, 8:48, 16:96].reshape(3, 20, 2, 40, 2, 3).mean(axis=(2, 4))
    assert np.abs(scaled - means).mean() < 2
    with pytest.raises(MediaError, match=r'frames of \(64, 96\) are too small for the crop'):
        ClipPacker(crop=(30, 0, 40, 40))(clip)


@pytest.mark.parametrize(
    ('num_frames', 'fps', 'wanted', 'expected'),
    [
        (6, 25, 25, [0, 1, 2, 3, 4, 5]),
        (6, 25, 12.5, [0, 2, 4]),
        (7, 25, 12.5, [0, 2, 4, 6]),
        (6, 25, 10, [0, 2, 5]),
        (3, 10, 25, [0, 0, 0, 1, 1, 2]),
        (1, 25, 5, [0]),
        (31, 30, 29.97, [*range(30)]),
    ],
)
def test_frames_at_another_rate(num_frames: int, fps: float, wanted: float, expected: list[int]) -> None:
    starts = np.arange(num_frames) / fps
    assert resampled_frames(starts.tolist(), wanted) == expected
    rounded = 1.4 + starts.round(3)  # as containers store them, and from anywhere on
    assert resampled_frames(rounded.tolist(), wanted) == expected


def test_frames_of_a_varying_rate_are_taken_at_their_times() -> None:
    starts = [0.0, 0.04, 0.08, 0.5, 1.0]
    assert resampled_frames(starts, 10) == [0, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4]


def test_another_frame_rate(media: MediaFolder, tmp_path: Path) -> None:
    media.video('a.mp4', num_frames=50)
    packed = _packed(tmp_path, _clip(media), fps=5).open_video()
    assert (packed.num_frames, packed.fps) == (10, 5)
    assert [MediaFolder.frame_number(frame) for frame in packed.read(range(10))] == [*range(0, 50, 5)]
    assert packed.frame_seconds(3) == (3 / 5, 4 / 5)
    doubled = _packed(tmp_path, _clip(media), fps=50).open_video()
    assert [MediaFolder.frame_number(frame) for frame in doubled.read([0, 1, 2, 3])] == [0, 0, 1, 1]
    media.frame_folder('face', num_frames=3)
    with pytest.raises(ValueError, match='--fps needs the frame rate'):
        ClipPacker(fps=5)(_clip(media, 'face', streams=('video',)))


@pytest.mark.parametrize('audio_format', ['flac', 'pcm'])
def test_sound(media: MediaFolder, tmp_path: Path, audio_format: str) -> None:
    rng = np.random.default_rng(0)
    mono, stereo = rng.integers(-(2**15), 2**15, (32000, 1)), rng.integers(-(2**15), 2**15, (32000, 2))
    media.wav('mono.wav', mono.astype(np.int16), 32000)
    media.wav('stereo.wav', stereo.astype(np.int16), 32000)
    kept = _packed(tmp_path, _clip(media, None, 'mono.wav', streams=('audio',)), audio_format=audio_format).open_audio()
    assert (kept.sample_rate_hz, kept.num_samples) == (32000, 32000)
    assert np.array_equal(kept.read(0, 32000), open_audio(media.root / 'mono.wav').read(0, 32000))
    clip = _clip(media, None, 'stereo.wav', streams=('audio',))
    mixed = _packed(tmp_path, clip, audio_format=audio_format).open_audio()
    assert np.abs(mixed.read(0, 32000) - stereo.mean(axis=1) / 2**15).max() <= 2**-16
    lower = _packed(tmp_path, clip, audio_format=audio_format, sample_rate_hz=16000).open_audio()
    assert (lower.sample_rate_hz, lower.num_samples) == (16000, 16000)
    expected = resample(from_numpy(stereo.mean(axis=1) / 2**15), 32000, 16000).clamp(-1, 1 - 2**-15).numpy()
    assert np.abs(lower.read(0, 16000) - expected).max() < 1e-4


def test_broken_clips_are_not_packed(media: MediaFolder) -> None:
    media.video('mute.mp4', has_sound=False)
    whole = media.video('a.mp4')
    media.truncated(whole)
    folder = media.frame_folder('face', num_frames=4)
    media.wav('a.wav')
    cases = {
        r'none\.mp4: no such file': _clip(media, 'none.mp4'),
        r'truncated_a\.mp4: the file is truncated': _clip(media, 'truncated_a.mp4'),
        r'mute\.mp4: the file has no sound track': _clip(media, 'mute.mp4'),
        r'names no video; pack the sound alone': _clip(media, None, 'a.wav'),
        r'has none of the streams': _clip(media, 'a.mp4', streams=()),
    }
    for message, clip in cases.items():
        with pytest.raises((MediaError, FileNotFoundError), match=message):
            ClipPacker()(clip)
    (folder / '3.jpg').write_bytes((folder / '3.jpg').read_bytes()[:-50])
    with pytest.raises(MediaError, match=r'3\.jpg: the picture is truncated'):
        ClipPacker()(_clip(media, 'face', 'a.wav'))
    cv2.imwrite(str(folder / '3.jpg'), np.zeros((32, 64, 3), np.uint8))
    with pytest.raises(MediaError, match='frames of different sizes'):
        ClipPacker()(_clip(media, 'face', 'a.wav'))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(crop=(-1, 0, 4, 4)), 'crop needs'),
        (dict(size=(0, 4)), 'size must be at least 1'),
        (dict(fps=0), 'fps must be above 0, got 0'),
        (dict(quality=101), r'quality must lie in 1\.\.100'),
        (dict(audio_format='mp3'), r"audio must be one of \('flac', 'pcm'\), got 'mp3'"),
        (dict(sample_rate_hz=-1), 'sample_rate_hz must be above 0'),
    ],
)
def test_options_are_checked(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClipPacker(**options)
