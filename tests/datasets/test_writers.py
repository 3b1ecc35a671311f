from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soundfile

from hicmae_mm.datasets.writers import write_picture, write_video, write_wav


def _frames(num_frames: int = 12, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    frames = np.zeros((num_frames, *size, 3), np.uint8)
    for index in range(num_frames):
        frames[index, :, :, 0] = 20 * index
        frames[index, :, size[1] // 2 :, 2] = 200
    return frames


def _tone(seconds: float = 0.48, sample_rate_hz: int = 16000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * sample_rate_hz)) / sample_rate_hz)


def test_video_and_sound_read_back(tmp_path: Path) -> None:
    frames, tone = _frames(), _tone()
    path = tmp_path / 'new' / 'clip.mp4'
    write_video(path, frames, 25, tone)
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ('h264', 'yuv420p')
        assert (audio.codec_context.name, audio.codec_context.sample_rate) == ('aac', 16000)
        assert video.average_rate == 25
        decoded = np.stack([frame.to_ndarray(format='rgb24') for frame in container.decode(video)])
    assert decoded.shape == frames.shape
    assert np.abs(decoded.astype(int) - frames).mean() < 8
    with av.open(str(path)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert abs(len(sound) - len(tone)) <= 2048  # AAC pads to whole frames
    spectrum = np.abs(np.fft.rfft(sound[2048 : 2048 + 4000]))
    assert abs(np.argmax(spectrum) * 4 - 440) <= 4


def test_frames_may_come_one_by_one_and_the_bytes_repeat(tmp_path: Path) -> None:
    frames, tone = _frames(), _tone()
    write_video(tmp_path / 'array.mp4', frames, 25, tone)
    write_video(tmp_path / 'iterable.mp4', (frame for frame in frames), 25, tone)
    assert (tmp_path / 'array.mp4').read_bytes() == (tmp_path / 'iterable.mp4').read_bytes()


def test_without_sound_there_is_no_sound_track(tmp_path: Path) -> None:
    write_video(tmp_path / 'mute.mp4', _frames(), 29.97)
    with av.open(str(tmp_path / 'mute.mp4')) as container:
        assert not container.streams.audio
        assert float(container.streams.video[0].average_rate) == pytest.approx(29.97, abs=0.01)


@pytest.mark.parametrize(
    ('frames', 'fps', 'waveform', 'error', 'message'),
    [
        (np.zeros((0, 8, 8, 3), np.uint8), 25, None, ValueError, 'no frames'),
        (np.zeros((2, 8, 8, 3), np.float32), 25, None, TypeError, 'uint8'),
        (np.zeros((2, 8, 8), np.uint8), 25, None, ValueError, 'RGB'),
        (np.zeros((2, 9, 8, 3), np.uint8), 25, None, ValueError, 'even'),
        (np.zeros((2, 8, 8, 3), np.uint8), 0, None, ValueError, 'fps'),
        (np.zeros((2, 8, 8, 3), np.uint8), 25, np.zeros((10, 2)), ValueError, 'mono'),
        ([np.zeros((8, 8, 3), np.uint8), np.zeros((8, 10, 3), np.uint8)], 25, None, ValueError, 'shape of the first'),
    ],
)
def test_bad_input_is_named(
    tmp_path: Path, frames: np.ndarray, fps: float, waveform: np.ndarray | None, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        write_video(tmp_path / 'bad.mp4', frames, fps, waveform)


def test_wav_reads_back(tmp_path: Path) -> None:
    stereo = np.stack([_tone(), -_tone()], axis=1)
    write_wav(tmp_path / 'new' / 'sound.wav', stereo, 22050)
    samples, rate = soundfile.read(tmp_path / 'new' / 'sound.wav')
    assert rate == 22050
    np.testing.assert_allclose(samples, stereo, atol=1e-4)
    with pytest.raises(ValueError, match='S > 0'):
        write_wav(tmp_path / 'empty.wav', np.zeros(0))


def test_picture_reads_back(tmp_path: Path) -> None:
    frame = _frames()[5]
    write_picture(tmp_path / 'frame.png', frame)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'frame.png'))[..., ::-1], frame)


@pytest.mark.parametrize('name', ['full.wav', 'full.jpg', 'full.png'])
def test_a_full_disk_is_noticed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.symlink_to('/dev/full')
    with pytest.raises(OSError, match=rf'No space left .*{name}'):
        write_wav(path, _tone()) if name == 'full.wav' else write_picture(path, _frames()[0])
