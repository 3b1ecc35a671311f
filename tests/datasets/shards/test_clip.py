from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from hicmae_mm.datasets import MediaError
from hicmae_mm.datasets.shards.clip import PackedClip, clip_members
from hicmae_mm.datasets.shards.storage import MemoryBytes
from hicmae_mm.datasets.shards.writing import ShardFile
from tests.conftest import MediaFolder

RATE = 16000


class CountingBytes(MemoryBytes):
    """Notes what is read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads: list[tuple[int, int]] = []

    def read(self, start: int, stop: int) -> memoryview:
        self.reads.append((start, stop))
        return super().read(start, stop)

    @property
    def num_bytes(self) -> int:
        return sum(stop - start for start, stop in self.reads)


def _jpegs(num_frames: int = 20, side: int = 64) -> list[bytes]:
    frames = MediaFolder.frames(num_frames, side, side)
    return [cv2.imencode('.jpg', frame[..., ::-1])[1].tobytes() for frame in frames]


def _noise(num_samples: int = RATE) -> np.ndarray:
    """Sound with 16 bits a sample, the extremes included."""
    samples = np.random.default_rng(0).integers(-32768, 32768, num_samples)
    samples[:2] = (-32768, 32767)
    return samples.astype(np.float32) / 32768


def _tar(tmp_path, members: dict[str, bytes]) -> bytes:
    path = tmp_path / 'clip.tar'
    with path.open('wb') as file:
        shard = ShardFile(file, 3)
        shard.add(members)
        shard.close()
    return path.read_bytes()[: shard.offsets[1]]


def _members(audio_format: str = 'pcm', **changes) -> dict[str, bytes]:
    about = dict(sample_id='a.mp4', position='line 1', label=['1', '0.5'], streams=['video', 'audio'])
    values = dict(about=about, frames=_jpegs(), fps=25.0, seconds=None, sound=_noise(), sample_rate_hz=RATE)
    return clip_members(audio_format=audio_format, **(values | changes))


@pytest.mark.parametrize('audio_format', ['pcm', 'flac'])
def test_clip_comes_back_as_it_went_in(tmp_path, audio_format: str) -> None:
    clip = PackedClip(MemoryBytes(_tar(tmp_path, _members(audio_format))))
    assert clip.meta['label'] == ['1', '0.5']
    assert clip.meta['video']['num_frames'] == 20
    video, sound = clip.open_video(), clip.open_audio()
    assert (video.num_frames, video.fps) == (20, 25.0)
    frames = video.read([0, 3, 19])
    assert frames.shape == (3, 64, 64, 3)
    assert [MediaFolder.frame_number(frame) for frame in frames] == [0, 3, 19]
    assert video.frame_seconds(5) == (5 / 25, 6 / 25)
    assert (sound.sample_rate_hz, sound.num_samples) == (RATE, RATE)
    assert np.array_equal(sound.read(0, RATE), _noise())
    assert np.array_equal(sound.read(777, 1234), _noise()[777:1234])
    assert sound.read(5, 5).shape == (0,)
    assert sound.read(0, 9).dtype == np.float32
    video.close()
    sound.close()


def test_only_what_is_used_is_read(tmp_path) -> None:
    source = CountingBytes(_tar(tmp_path, _members(frames=_jpegs(200, 128), sound=_noise(10 * RATE))))
    clip = PackedClip(source)
    offsets = clip.meta['video']['offsets']
    source.reads.clear()
    clip.open_video().read([40, 44, 48])
    assert source.num_bytes == offsets[49] - offsets[40]  # neighbours come in one piece
    assert len(source.reads) == 1
    source.reads.clear()
    clip.open_video().read([0, 199])
    assert source.num_bytes == offsets[1] + offsets[200] - offsets[199]  # a large gap is left out
    source.reads.clear()
    clip.open_audio().read(RATE, 2 * RATE)
    assert source.num_bytes == 2 * RATE


def test_json_longer_than_the_first_read(tmp_path) -> None:
    seconds = [index / 3 for index in range(2001)]
    source = CountingBytes(_tar(tmp_path, _members(frames=_jpegs(1) * 2000, seconds=seconds)))
    video = PackedClip(source).open_video()
    assert len(source.reads) == 2
    assert video.frame_seconds(1999) == (1999 / 3, 2000 / 3)
    assert MediaFolder.frame_number(video.read([1999])[0]) == 0


def test_clip_without_a_stream_says_so(tmp_path) -> None:
    mute = PackedClip(MemoryBytes(_tar(tmp_path, _members(sound=None))))
    assert mute.open_video().num_frames == 20
    with pytest.raises(MediaError, match=r'a\.mp4: the clip was packed without sound'):
        mute.open_audio()
    blind = PackedClip(MemoryBytes(_tar(tmp_path, _members(frames=None))))
    assert blind.open_audio().num_samples == RATE
    with pytest.raises(MediaError, match=r'a\.mp4: the clip was packed without pictures'):
        blind.open_video()


def test_unknown_frame_rate_has_no_time_stamps(tmp_path) -> None:
    video = PackedClip(MemoryBytes(_tar(tmp_path, _members(fps=None)))).open_video()
    assert video.fps is None
    with pytest.raises(ValueError, match='--frame-folder-fps'):
        video.frame_seconds(0)


def test_loud_sound_is_clipped() -> None:
    members = _members(sound=np.array([2.0, -2.0, 0.25], dtype=np.float32))
    assert np.frombuffer(members['sound.pcm'], '<i2').tolist() == [32767, -32768, 8192]


def test_damage_is_named(tmp_path) -> None:
    whole = _tar(tmp_path, _members('flac'))
    for start in (512, 3 * 512):  # no record begins there
        with pytest.raises(MediaError, match='no clip is here'):
            PackedClip(MemoryBytes(whole[start:]))
    broken_header = bytearray(whole)
    broken_header[100] ^= 1
    with pytest.raises(MediaError, match='no clip is here'):
        PackedClip(MemoryBytes(bytes(broken_header)))
    meta = json.loads(_members('flac')['json'])
    frames_at = whole.index(_jpegs()[0])
    cut = bytearray(whole)
    cut[frames_at + meta['video']['offsets'][4] :][:2] = b'xx'
    begin = frames_at + meta['video']['offsets'][4]
    cut[begin : begin + 200] = bytes(200)
    video = PackedClip(MemoryBytes(bytes(cut))).open_video()
    assert MediaFolder.frame_number(video.read([3])[0]) == 3
    with pytest.raises(MediaError, match=r'a\.mp4, frame 4 of 20: the picture is unreadable'):
        video.read([3, 4])
    sound_at = whole.index(b'fLaC')
    cut = bytearray(whole)
    cut[sound_at : sound_at + 64] = bytes(64)
    with pytest.raises(MediaError, match=r'a\.mp4: cannot be opened as a sound file'):
        PackedClip(MemoryBytes(bytes(cut))).open_audio()
    with pytest.raises(MediaError, match='samples 0..16001 wanted, 16000 there'):
        PackedClip(MemoryBytes(_tar(tmp_path, _members()))).open_audio().read(0, RATE + 1)
