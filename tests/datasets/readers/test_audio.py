from __future__ import annotations

import av
import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.audio import PyAVAudioReader, SoundFileReader, open_audio
from tests.conftest import MediaFolder


def _chirp(seconds: float, rate: int = 16000) -> np.ndarray:
    """A tone whose pitch tells the time, so that a shift shows."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 + 300 * time) * time)).astype(np.float32)


@pytest.mark.parametrize('name', ['a.wav', 'a.flac'])
def test_part_of_a_sound_file(media: MediaFolder, name: str) -> None:
    wave = _chirp(1.0)
    reader = open_audio(media.wav(name, wave))
    assert isinstance(reader, SoundFileReader)
    assert (reader.sample_rate_hz, reader.num_samples) == (16000, 16000)
    np.testing.assert_allclose(reader.read(3000, 5000), wave[3000:5000], atol=1e-4)
    assert reader.read(0, 16000).dtype == np.float32


def test_channels_are_averaged(media: MediaFolder) -> None:
    left, right = _chirp(0.5), -0.2 * np.ones(8000, dtype=np.float32)
    reader = open_audio(media.wav(waveform=np.stack([left, right], axis=1)))
    np.testing.assert_allclose(reader.read(0, 8000), (left + right) / 2, atol=1e-4)


@pytest.mark.parametrize('span', [(0, 96000), (0, 20000), (40000, 60960), (90000, 96000)])
def test_part_of_a_videos_sound_track(media: MediaFolder, span: tuple[int, int]) -> None:
    from hicmae_mm.datasets.writers import write_video

    wave = _chirp(6.0)
    path = media.root / 'chirp.mp4'
    write_video(path, media.frames(150, 32, 32), 25, wave)
    reader = open_audio(path)
    assert isinstance(reader, PyAVAudioReader)
    assert reader.num_samples == pytest.approx(96000, abs=1024)  # AAC comes in packets of 1024
    stop = min(span[1], reader.num_samples)
    part = reader.read(span[0], stop)
    expected = wave[span[0] : stop]
    assert len(part) == stop - span[0]
    assert np.corrcoef(part[: len(expected)], expected)[0, 1] > 0.99
    whole = reader.read(0, reader.num_samples)  # a read after a seek equals a read from the beginning
    np.testing.assert_allclose(part, whole[span[0] : stop], atol=2e-3)


def test_sound_track_without_duration_in_its_header(media: MediaFolder) -> None:
    path = media.root / 'sound.mkv'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000, layout='mono')
        samples = (_chirp(1.0, 8000) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format='s16', layout='mono')
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    reader = open_audio(path)
    assert reader.num_samples == pytest.approx(8000, abs=16)
    np.testing.assert_allclose(reader.read(2000, 4000), samples[2000:4000] / 32768, atol=1e-3)


def test_absent_sound_track(media: MediaFolder) -> None:
    with pytest.raises(MediaError, match=r"clip\.mp4: the file has no sound track.*streams=\('video',\)"):
        open_audio(media.video(has_sound=False))
    with pytest.raises(MediaError, match='a folder of frames has no sound track'):
        open_audio(media.frame_folder(num_frames=1))


def test_missing_truncated_empty_and_alien_files(media: MediaFolder) -> None:
    with pytest.raises(FileNotFoundError, match=r'none\.wav'):
        open_audio(media.root / 'none.wav')
    for path in (media.wav(), media.video()):
        with pytest.raises(MediaError, match='truncated'):
            open_audio(media.truncated(path))
    flac = media.truncated(media.wav('a.flac', _chirp(2.0)), 0.5)
    with pytest.raises(MediaError, match=r'truncated_a\.flac'):
        open_audio(flac).read(0, 32000)
    with pytest.raises(MediaError, match='sound track is empty'):
        open_audio(media.wav('empty.wav', np.zeros(0, dtype=np.float32)))
    for name in ('text.wav', 'text.m4a'):
        (media.root / name).write_text('this is no sound')
        with pytest.raises(MediaError, match='cannot be opened'):
            open_audio(media.root / name)
